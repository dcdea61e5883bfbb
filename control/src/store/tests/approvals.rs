//! Several voices, delegations, passes and comments.

use sluice_engine::record::Who;
use sluice_engine::wire::{HoldAsk, HoldDecision};

use super::{NOW, On, approval, kept};
use crate::approvals::tests::{delegation, who};
use crate::approvals::{Bar, DecidedBy, Pass, Span};
use crate::grants::tests::{change, wish};
use crate::grants::{Grant, GrantState, Step};
use crate::holds::Comment;
use crate::holds::tests::ask;
use crate::reviews::Use;
use crate::store::{Addition, Changed, Commented, Decided, Decision};

on_both! {
    a_hold_that_two_must_approve_waits_for_the_second_person,
    a_right_that_was_handed_over_decides_until_it_is_ended,
    a_pass_lets_the_same_go_on_at_once_until_it_is_taken_back,
    a_hold_has_so_many_comments_and_no_more,
    a_wish_that_two_must_approve_begins_with_the_second,
}

fn asking(ask: HoldAsk) -> Addition {
    Addition { ask: Some(ask), ..Addition::default() }
}

fn by(person: Who, decision: Decision) -> Decision {
    Decision { by: person, ..decision }
}

async fn a_hold_that_two_must_approve_waits_for_the_second_person(on: On) {
    let kept = kept(on).await;
    let two = |key: &str| HoldAsk { quorum: 2, ..ask(key, "e") };
    let hold = kept.store.add(asking(two("k")), NOW).await.unwrap().unwrap();
    let say = async |person: &str, approve: bool| {
        let decision = Decision { approve, ..by(who(person, &["approvers"]), approval(&hold.id)) };
        kept.store.decide(decision, NOW).await.unwrap()
    };
    let Decided::Done(first) = say("ben", true).await else { panic!() };
    assert_eq!((first.state, first.voices.len(), first.decided), (HoldDecision::Waiting, 1, None));
    assert!(matches!(say(" Ben", true).await, Decided::Barred(Bar::Spoken)), "one person is one voice");
    let again = kept.store.add(asking(two("k")), NOW).await.unwrap().unwrap();
    assert_eq!(
        (again.id.clone(), again.state, again.voices.len()),
        (hold.id.clone(), HoldDecision::Waiting, 1)
    );
    let Decided::Done(second) = say("bea", true).await else { panic!() };
    assert_eq!((second.state, second.decided.unwrap().subject), (HoldDecision::Approved, "bea".into()));
    let read = kept.store.hold(&hold.id).await.unwrap().unwrap();
    assert_eq!(read.voices.iter().map(|voice| voice.by.subject.as_str()).collect::<Vec<_>>(), ["ben", "bea"]);
    assert_eq!(kept.verify().await.writers[0].entries, 3, "opened, agreed, approved");

    // One who denies is enough, also after somebody has approved.
    let other = kept.store.add(asking(two("other")), NOW).await.unwrap().unwrap();
    for (approve, state) in [(true, HoldDecision::Waiting), (false, HoldDecision::Denied)] {
        let decision = Decision { approve, ..by(who("ben", &["approvers"]), approval(&other.id)) };
        let Decided::Done(hold) = kept.store.decide(decision, NOW).await.unwrap() else { panic!() };
        assert_eq!(hold.state, state);
    }
}

async fn a_right_that_was_handed_over_decides_until_it_is_ended(on: On) {
    let kept = kept(on).await;
    let given = |id: &str, ends_ms| crate::approvals::Delegation {
        created_ms: NOW,
        ends_ms,
        ..delegation(id, who("ben", &["approvers"]), "eve")
    };
    kept.store.delegate(given("d1", NOW + 1000)).await.unwrap();
    kept.store.delegate(given("d2", NOW + 500)).await.unwrap();
    let eve = who("eve", &["staff"]);
    assert_eq!(kept.store.delegations_to(&eve, NOW + 600).await.unwrap().len(), 1, "each has its end");
    let decide = async |key: &str, now| {
        let hold = kept.store.add(asking(ask(key, "e")), NOW).await.unwrap().unwrap();
        kept.store.decide(by(eve.clone(), approval(&hold.id)), now).await.unwrap()
    };
    let Decided::Done(hold) = decide("k1", NOW + 1).await else { panic!() };
    assert_eq!(hold.state, HoldDecision::Approved);
    let read = kept.store.hold(&hold.id).await.unwrap().unwrap();
    assert_eq!(
        read.decided.unwrap().on_behalf.unwrap().subject,
        "ben",
        "the decision says whose right it was"
    );
    let end = DecidedBy::new(&who("ben", &[]), NOW + 2, Some("back".into()));
    for id in ["d1", "d2"] {
        assert!(kept.store.end_delegation(id, end.clone()).await.unwrap().unwrap().ended.is_some());
    }
    assert!(matches!(decide("k2", NOW + 3).await, Decided::Barred(Bar::Group(_))));
    let later = DecidedBy::new(&who("eve", &[]), NOW + 4, None);
    let ended = kept.store.end_delegation("d1", later).await.unwrap().unwrap();
    assert_eq!(ended.ended, Some(end), "ended once");
    assert!(kept.store.end_delegation("none", DecidedBy::new(&eve, NOW, None)).await.unwrap().is_none());
    assert!(kept.verify().await.sound);
}

async fn a_pass_lets_the_same_go_on_at_once_until_it_is_taken_back(on: On) {
    let kept = kept(on).await;
    let of = |key: &str, exchange: &str| HoldAsk { grant_seconds: Some(60), ..ask(key, exchange) };
    let asked = async |ask: HoldAsk, now| kept.store.add(asking(ask), now).await.unwrap().unwrap();
    let first = asked(of("k1", "e1"), NOW).await;
    let waits = asked(of("k2", "e2"), NOW).await;
    let span = Some(Span { seconds: 30, anything: false });
    let decision = Decision { span, ..approval(&first.id) };
    let Decided::Done(decided) = kept.store.decide(decision, NOW).await.unwrap() else { panic!() };
    let pass = decided.pass.unwrap();
    let through = asked(of("k3", "e3"), NOW + 1).await;
    assert_eq!((through.state, through.pass.as_ref()), (HoldDecision::Approved, Some(&pass)));
    assert_eq!(through.used.unwrap().exchange, "e3", "approved and used in one");
    assert_eq!(asked(of("k3", "e3"), NOW + 2).await.id, through.id, "a lost answer is told again");
    assert_eq!(
        asked(of("k2", "e2"), NOW + 2).await.state,
        HoldDecision::Waiting,
        "what waited waits: {waits:?}"
    );
    let other = HoldAsk { tool: Some("Write".into()), ..of("k4", "e4") };
    assert_eq!(asked(other, NOW + 2).await.state, HoldDecision::Waiting, "another tool is another thing");
    let stranger = HoldAsk { who: who("bob", &["writers"]), ..of("k5", "e5") };
    assert_eq!(asked(stranger, NOW + 2).await.state, HoldDecision::Waiting);
    let taken = DecidedBy::new(&who("ben", &[]), NOW + 3, None);
    assert!(kept.store.revoke_pass(&pass, taken).await.unwrap().unwrap().revoked.is_some());
    assert_eq!(asked(of("k6", "e6"), NOW + 4).await.state, HoldDecision::Waiting, "taken back at once");
    let mut passes = kept.store.passes(10).await.unwrap();
    let unused = Pass { id: "unused".into(), hold: waits.id.clone(), ..passes[0].clone() };
    passes.push(unused);
    let uses = kept.store.pass_uses(&passes).await.unwrap();
    assert_eq!(uses, [(pass, Use { count: 1, last_ms: NOW + 1 })].into(), "the hold that opened it is none");
    assert!(kept.store.pass_uses(&[]).await.unwrap().is_empty());
    assert!(kept.verify().await.sound);
}

async fn a_hold_has_so_many_comments_and_no_more(on: On) {
    let kept = kept(on).await;
    let hold = kept.store.add(asking(ask("k", "e")), NOW).await.unwrap().unwrap();
    let comment = |n: u64| Comment {
        issuer: "corp".into(),
        subject: "ben".into(),
        at_ms: NOW + n,
        text: format!("{n}\0"),
    };
    for n in 0..100 {
        assert_eq!(kept.store.comment(&hold.id, comment(n)).await.unwrap(), Commented::Done);
    }
    assert_eq!(kept.store.comment(&hold.id, comment(100)).await.unwrap(), Commented::Full);
    assert_eq!(kept.store.comment("none", comment(0)).await.unwrap(), Commented::Unknown);
    let said = kept.store.comments(&hold.id).await.unwrap();
    assert_eq!((said.len(), &said[99]), (100, &comment(99)), "in order");
    assert_eq!(kept.verify().await.writers[0].entries, 101);
}

async fn a_wish_that_two_must_approve_begins_with_the_second(on: On) {
    let kept = kept(on).await;
    kept.store.open_grant(Grant { quorum: 2, ..wish("g", false, NOW) }).await.unwrap();
    let step = async |person: &str, step: Step| {
        let change = change("g", step);
        let change = crate::grants::Change { by: who(person, &["approvers"]), ..change };
        kept.store.change_grant(change, NOW).await.unwrap()
    };
    assert!(matches!(step("ana", Step::Approve).await, Changed::Barred(Bar::Requester)));
    let Changed::Done(first) = step("ben", Step::Approve).await else { panic!() };
    assert_eq!(first.state, GrantState::Waiting);
    assert!(matches!(step("BEN", Step::Approve).await, Changed::Barred(Bar::Spoken)));
    let Changed::Done(second) = step("bea", Step::Approve).await else { panic!() };
    assert_eq!((second.state, second.voices.len()), (GrantState::Live, 2));
    assert!(matches!(step("bob", Step::Deny).await, Changed::TooLate(_)));
}
