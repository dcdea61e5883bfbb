//! What issuers said last of people, and the delegations that end with it.

use sluice_engine::policy::bundle::Revocation;
use sluice_engine::record::Who;

use super::{Kept, NOW, On, kept};
use crate::approvals::tests::{delegation, who};
use crate::approvals::{Delegation, Vouched};
use crate::records::Entry;
use crate::store::Which;
use crate::tokens::revocation::Revoked;

on_both! {
    the_newest_word_of_an_issuer_counts_whenever_it_comes,
    a_delegation_ends_when_its_giver_is_heard_to_have_left_the_group,
    a_delegation_ends_when_its_giver_is_revoked_and_one_that_comes_after_does_not,
}

fn said(subject: &str, groups: &[&str], said_ms: u64) -> Vouched {
    Vouched { who: who(subject, groups), said_ms }
}

async fn the_newest_word_of_an_issuer_counts_whenever_it_comes(on: On) {
    let kept = kept(on).await;
    let hear = async |vouched: Vouched| kept.store.hear(vouched, NOW).await.unwrap();
    let known = async |subject: &str| kept.store.vouched("corp", subject).await.unwrap();
    assert_eq!(known("ana").await, None);
    let name = "ana\u{0}\u{1f600}";
    for vouched in [said(name, &["a"], 20), said(name, &["b"], 10), said(name, &["c"], 20)] {
        hear(vouched).await;
        assert_eq!(known(name).await, Some(said(name, &["a"], 20)), "older, or no newer");
    }
    hear(said(name, &["b"], 21)).await;
    assert_eq!(known(name).await, Some(said(name, &["b"], 21)));
    assert_eq!(
        kept.store.vouched("other", name).await.unwrap(),
        None,
        "of another issuer it is somebody else"
    );
}

async fn give(kept: &Kept, id: &str, from: Who, created_ms: u64) {
    let given = Delegation { created_ms, ends_ms: NOW + 1_000_000, ..delegation(id, from, "eve") };
    kept.store.delegate(given).await.unwrap();
}

async fn ended(kept: &Kept, id: &str) -> Option<String> {
    let given = kept.store.delegation(id).await.unwrap().unwrap();
    given.ended.map(|by| format!("{}: {}", by.subject, by.reason.unwrap_or_default()))
}

async fn a_delegation_ends_when_its_giver_is_heard_to_have_left_the_group(on: On) {
    let kept = kept(on).await;
    let ben = || who("ben", &["approvers", "staff"]);
    kept.store.hear(Vouched { who: ben(), said_ms: NOW }, NOW).await.unwrap();
    give(&kept, "one", ben(), NOW).await;
    give(&kept, "others", who("bea", &["approvers"]), NOW).await;
    give(&kept, "namesakes", Who { issuer: "other".into(), ..ben() }, NOW).await;
    kept.store.hear(said("ben", &["approvers", "staff", "more"], NOW + 1), NOW + 1).await.unwrap();
    kept.store.hear(said("ben", &[], NOW - 5), NOW + 2).await.unwrap();
    assert_eq!(ended(&kept, "one").await, None, "still in both, and what is older says nothing");
    kept.store.hear(said("ben", &["staff"], NOW + 2), NOW + 3).await.unwrap();
    let why = ended(&kept, "one").await.unwrap();
    assert!(why.starts_with("control: ben is not in approvers any more, by what corp said at"), "{why}");
    assert_eq!((ended(&kept, "others").await, ended(&kept, "namesakes").await), (None, None));
    let live = kept.store.delegations_to(&who("eve", &[]), NOW + 3).await.unwrap();
    assert!(live.iter().all(|given| given.id != "one"), "and gives no right");
    let entries = kept.store.entries(Which { limit: 100, ..Which::default() }).await.unwrap();
    let last: Entry = serde_json::from_str(&entries.last().unwrap().entry).unwrap();
    let Entry::Delegation(event) = last else { panic!("{last:?}") };
    assert!(event.delegation.id == "one" && event.delegation.ended.is_some(), "the log says so");
    assert_eq!(entries.len(), 4, "once");
}

async fn a_delegation_ends_when_its_giver_is_revoked_and_one_that_comes_after_does_not(on: On) {
    let kept = kept(on).await;
    give(&kept, "before", who("ben", &["approvers"]), NOW - 10).await;
    give(&kept, "after", who("ben", &["approvers"]), NOW).await;
    give(&kept, "others", who("bea", &["approvers"]), NOW - 10).await;
    let subject = Revocation::Subject { issuer: "corp".into(), subject: "Ben".into(), before_ms: NOW };
    let revoked = Revoked {
        what: subject,
        holder: None,
        by: who("olga", &["operators"]),
        reason: Some("left".into()),
        at_ms: NOW,
        until_ms: NOW + 1000,
    };
    kept.store.revoke(revoked).await.unwrap();
    assert_eq!(ended(&kept, "before").await.as_deref(), Some("control: the tokens of Ben were revoked"));
    assert_eq!((ended(&kept, "after").await, ended(&kept, "others").await), (None, None));
}
