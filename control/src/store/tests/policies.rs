//! Policy in the store, and proposals.

use ed25519_dalek::SigningKey;
use sluice_engine::record::Who;

use super::{Kept, NOW, On, kept};
use crate::approvals::DecidedBy;
use crate::approvals::tests::who;
use crate::proposals::{Act, Documents, Proposal, ProposalBar, ProposalState, StoredPolicy, digest_of};
use crate::store::{Acted, Proposed};

on_both! {
    a_proposal_is_accepted_once_by_another_and_makes_the_others_stale,
    only_so_many_proposals_are_open_and_lists_carry_no_documents,
}

fn documents(text: &str) -> Documents {
    Documents::from([("base.yaml".to_owned(), text.to_owned())])
}

pub fn signed(number: u64, text: &str) -> StoredPolicy {
    StoredPolicy::signed(number, documents(text), NOW, &SigningKey::from_bytes(&[9; 32]))
}

pub fn proposal(id: &str, base: u64, text: &str) -> Proposal {
    Proposal {
        id: id.into(),
        state: ProposalState::Open,
        by: DecidedBy::new(&who("ana", &["authors"]), NOW, Some("needed".into())),
        base,
        digest: digest_of(&documents(text)),
        version: "v".into(),
        changes: Vec::new(),
        loosened: false,
        warnings: Vec::new(),
        cases: 0,
        documents: documents(text),
        decided: None,
    }
}

async fn begun(on: On) -> Kept {
    let kept = kept(on).await;
    for text in ["first", "another first"] {
        kept.store.begin_policy(signed(1, text), "v1".into()).await.unwrap();
    }
    assert_eq!(kept.store.policy_after(0).await.unwrap(), Some(signed(1, "first")), "the first one stays");
    kept
}

async fn a_proposal_is_accepted_once_by_another_and_makes_the_others_stale(on: On) {
    let kept = begun(on).await;
    assert_eq!(kept.store.propose(proposal("old", 0, "x")).await.unwrap(), Proposed::Stale(1));
    for (id, text) in [("one", "second"), ("two", "other")] {
        assert_eq!(kept.store.propose(proposal(id, 1, text)).await.unwrap(), Proposed::Done);
    }
    let act = async |id: &str, act: Act, by: Who| {
        kept.store.act(id, act, by, Some("read".into()), NOW + 1).await.unwrap()
    };
    let accept = |number, text| Act::Accept(signed(number, text));
    let bea = || who("bea", &["authors"]);
    assert!(matches!(
        act("one", accept(2, "second"), who("ANA", &[])).await,
        Acted::Barred(ProposalBar::Own)
    ));
    assert!(matches!(act("one", Act::Withdraw, bea()).await, Acted::Barred(ProposalBar::NotOwn)));
    assert!(matches!(act("none", Act::Reject, bea()).await, Acted::Unknown));
    for (number, text) in [(3, "second"), (1, "second"), (2, "smuggled")] {
        assert!(
            matches!(act("one", accept(number, text), bea()).await, Acted::TooLate(_)),
            "{number} {text}"
        );
    }
    assert_eq!(kept.store.policy_after(0).await.unwrap().unwrap().number, 1, "nothing has changed");
    let Acted::Done(accepted) = act("one", accept(2, "second"), bea()).await else { panic!() };
    assert_eq!((accepted.state, accepted.decided.unwrap().subject), (ProposalState::Accepted, "bea".into()));
    assert_eq!(kept.store.policy_after(1).await.unwrap(), Some(signed(2, "second")));
    assert_eq!(kept.store.policy_after(2).await.unwrap(), None);
    let stale = kept.store.proposal("two").await.unwrap().unwrap();
    assert_eq!((stale.state, stale.documents), (ProposalState::Stale, documents("other")));
    assert!(matches!(act("two", accept(3, "other"), bea()).await, Acted::TooLate(_)));
    assert!(matches!(act("one", Act::Reject, bea()).await, Acted::TooLate(_)));
    let report = kept.verify().await;
    assert!(report.sound, "{report:?}");
    assert_eq!(report.writers[0].entries, 5, "the first, two proposed, one accepted, one stale");
}

async fn only_so_many_proposals_are_open_and_lists_carry_no_documents(on: On) {
    let kept = begun(on).await;
    for n in 0..50 {
        assert_eq!(kept.store.propose(proposal(&format!("p{n}"), 1, "x")).await.unwrap(), Proposed::Done);
    }
    assert_eq!(kept.store.propose(proposal("more", 1, "x")).await.unwrap(), Proposed::Full);
    let ana = who("ana", &["authors"]);
    let done = kept.store.act("p7", Act::Withdraw, ana, None, NOW).await.unwrap();
    assert!(matches!(done, Acted::Done(_)));
    assert_eq!(kept.store.propose(proposal("more", 1, "x")).await.unwrap(), Proposed::Done);
    let open = kept.store.proposals(Some(ProposalState::Open), 100).await.unwrap();
    assert_eq!(open.len(), 50);
    assert!(open.iter().all(|one| one.documents.is_empty()));
    assert_eq!(kept.store.proposals(None, 10).await.unwrap().len(), 10);
}
