//! Approvals with more masked.

use sluice_engine::wire::{HoldAsk, HoldDecision};

use super::{NOW, On, approval, kept};
use crate::approvals::Span;
use crate::approvals::tests::who;
use crate::holds::Hold;
use crate::holds::tests::ask;
use crate::store::{Addition, Decided, Decision, Store, Which};

on_both! {
    an_edited_approval_is_used_once_and_only_by_who_can_mask,
    what_was_masked_stays_masked_in_later_turns_whatever_is_approved_after_it,
    what_any_of_several_approvers_wants_masked_is_masked,
    a_pass_does_not_let_go_what_somebody_had_masked,
    no_hold_with_texts_can_be_approved_as_it_is,
}

/// A question about a request, by a filter that can mask what an approval says.
fn editable(key: &str, exchange: &str) -> HoldAsk {
    HoldAsk { editable: true, ..ask(key, exchange) }
}

async fn asked(store: &dyn Store, ask: HoldAsk) -> Hold {
    store.add(Addition { ask: Some(ask), ..Addition::default() }, NOW).await.unwrap().unwrap()
}

fn masking(hold: &str, texts: &[&str]) -> Decision {
    Decision { masked: texts.iter().map(|text| (*text).to_owned()).collect(), ..approval(hold) }
}

async fn decided(store: &dyn Store, decision: Decision) -> Hold {
    match store.decide(decision, NOW).await.unwrap() {
        Decided::Done(hold) => hold,
        other => panic!("{other:?}"),
    }
}

async fn an_edited_approval_is_used_once_and_only_by_who_can_mask(on: On) {
    let kept = kept(on).await;
    let hold = asked(&*kept.store, editable("k", "e1")).await;
    let done = decided(&*kept.store, masking(&hold.id, &["Falcon", "May 5"])).await;
    assert_eq!((done.state, done.voices[0].masked), (HoldDecision::Edited, 2));
    // A filter of an older release, whose client tries again: it is told what it cannot read, and uses nothing up.
    let old = asked(&*kept.store, ask("k", "e2")).await;
    assert_eq!((&old.id, old.state, &old.used), (&hold.id, HoldDecision::Edited, &None));
    let used = kept.store.claim(&hold.id, "e1", NOW).await.unwrap().unwrap();
    let told = used.state();
    assert_eq!((told.decision, told.masked), (HoldDecision::Edited, vec!["Falcon".into(), "May 5".into()]));
    assert_eq!(told.by.as_deref(), Some("ben"));
    // The same exchange hears the same again, also after a restart; another one waits for a person.
    let again = kept.place.open(&kept.key).await;
    assert_eq!(asked(&*again, editable("k", "e1")).await.state(), used.state());
    let other = asked(&*again, editable("k", "e3")).await;
    assert_eq!((other.state, other.masked.len()), (HoldDecision::Waiting, 0));
    // Those that were approved have it among them.
    let listed = again.holds(Some(HoldDecision::Approved), 10).await.unwrap();
    assert_eq!(listed.iter().map(|hold| &hold.id).collect::<Vec<_>>(), [&hold.id]);
    let log = again.entries(Which { limit: 100, ..Which::default() }).await.unwrap();
    assert!(log.len() > 2 && log.iter().all(|stored| !stored.entry.contains("Falcon")), "{log:?}");
}

async fn what_was_masked_stays_masked_in_later_turns_whatever_is_approved_after_it(on: On) {
    let kept = kept(on).await;
    let turn = |key: &str, exchange: &str, thread: &str, earlier: &[&str], history: bool| HoldAsk {
        thread: thread.into(),
        earlier: earlier.iter().map(|thread| (*thread).to_owned()).collect(),
        history,
        ..editable(key, exchange)
    };
    let store = &*kept.store;
    let first = asked(store, turn("k1", "e1", "t1", &[], false)).await;
    decided(store, masking(&first.id, &["Falcon"])).await;
    let unused = asked(store, turn("k2", "e2", "t1", &[], true)).await;
    assert_eq!(unused.state, HoldDecision::Waiting, "an approval that nobody used covers nothing");
    store.claim(&first.id, "e1", NOW).await.unwrap();
    let second = asked(store, turn("k3", "e3", "t1", &[], true)).await.state();
    assert_eq!((second.decision, second.masked), (HoldDecision::Edited, vec!["Falcon".into()]));
    // A later message is approved as it is; the turns after it ask about that one.
    let later = asked(store, turn("k4", "e4", "t2", &["t1"], false)).await;
    decided(store, approval(&later.id)).await;
    store.claim(&later.id, "e4", NOW).await.unwrap();
    for earlier in [&["t1"][..], &[]] {
        let third = asked(store, turn("k5", "e5", "t2", earlier, true)).await.state();
        assert_eq!((third.decision, third.masked), (HoldDecision::Edited, vec!["Falcon".into()]));
        assert_eq!(third.by.as_deref(), Some("ben"));
    }
    // A filter of an older release has no approval of any of these turns.
    for thread in ["t1", "t2"] {
        let old = HoldAsk { thread: thread.into(), history: true, ..ask("k6", "e6") };
        assert_eq!(asked(store, old).await.state, HoldDecision::Edited, "{thread}");
    }
    // A third message, with texts of its own: both are masked.
    let last = asked(store, turn("k7", "e7", "t3", &["t1", "t2"], false)).await;
    decided(store, masking(&last.id, &["Merlin"])).await;
    store.claim(&last.id, "e7", NOW).await.unwrap();
    let fourth = asked(store, turn("k8", "e8", "t3", &["t1", "t2"], true)).await.state();
    assert_eq!(fourth.masked, ["Merlin", "Falcon"]);
    // What is stored of it is what its reviewer said.
    assert_eq!(store.hold(&last.id).await.unwrap().unwrap().masked, ["Merlin"]);
}

async fn what_any_of_several_approvers_wants_masked_is_masked(on: On) {
    let kept = kept(on).await;
    let store = &*kept.store;
    for (first, second, masked) in [
        (vec!["Falcon"], vec![], vec!["Falcon"]),
        (vec![], vec!["Falcon"], vec!["Falcon"]),
        (vec!["Falcon", "May 5"], vec!["May 5", "Merlin"], vec!["Falcon", "May 5", "Merlin"]),
    ] {
        let key = format!("{first:?} {second:?}");
        let hold = asked(store, HoldAsk { quorum: 2, ..editable(&key, "e") }).await;
        let waits = decided(store, masking(&hold.id, &first)).await;
        assert_eq!((waits.state, waits.state().masked.len()), (HoldDecision::Waiting, 0), "{key}");
        let bea = Decision { by: who("bea", &["approvers"]), ..masking(&hold.id, &second) };
        let done = decided(store, bea).await;
        assert_eq!(
            (done.state, &done.masked),
            (HoldDecision::Edited, &masked.iter().map(|t| (*t).to_owned()).collect())
        );
        let editors: Vec<&str> = [("ben", &first), ("bea", &second)]
            .into_iter()
            .filter(|(_, texts)| !texts.is_empty())
            .map(|(who, _)| who)
            .collect();
        assert_eq!(done.state().by, Some(editors.join(", ")), "{key}");
    }
}

async fn a_pass_does_not_let_go_what_somebody_had_masked(on: On) {
    let kept = kept(on).await;
    let store = &*kept.store;
    let of = |key: &str, exchange: &str| HoldAsk { grant_seconds: Some(60), ..editable(key, exchange) };
    let edited = asked(store, of("k1", "e1")).await;
    decided(store, masking(&edited.id, &["Falcon"])).await;
    store.claim(&edited.id, "e1", NOW).await.unwrap();
    let other = asked(store, of("k2", "e2")).await;
    let span = Some(Span { seconds: 60, anything: true });
    decided(store, Decision { span, ..approval(&other.id) }).await;
    assert_eq!(asked(store, of("k3", "e3")).await.state, HoldDecision::Approved, "the pass is there");
    let again = asked(store, of("k1", "e4")).await;
    assert_eq!(
        (again.state, again.pass),
        (HoldDecision::Waiting, None),
        "the same request goes on without Falcon alone"
    );
    // Nor does an approval open one of which a voice wants something masked.
    let two = asked(store, HoldAsk { quorum: 2, ..of("k5", "e5") }).await;
    decided(store, Decision { span, ..approval(&two.id) }).await;
    let bea = Decision { by: who("bea", &["approvers"]), span, ..masking(&two.id, &["Falcon"]) };
    assert_eq!(decided(store, bea).await.pass, None);
}

/// A replica of an older release knows nothing of texts, and must not approve what has some.
async fn no_hold_with_texts_can_be_approved_as_it_is(on: On) {
    let kept = kept(on).await;
    let hold = asked(&*kept.store, HoldAsk { quorum: 2, ..editable("k", "e") }).await;
    decided(&*kept.store, masking(&hold.id, &["Falcon"])).await;
    let approves = format!("UPDATE holds SET state = 'approved' WHERE id = '{}'", hold.id);
    assert!(kept.attempt(&approves).await.is_err());
    kept.tamper(&format!("UPDATE holds SET state = 'denied' WHERE id = '{}'", hold.id)).await;
}
