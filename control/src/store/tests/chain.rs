//! The chain of one session.

use ed25519_dalek::SigningKey;
use sluice_engine::record::chain::link;

use super::*;
use crate::records::{Bounds, Misplaced, SessionReport, Span, Unread, Wrong, verify_session};

on_both! {
    a_session_that_is_what_was_written_is_sound_whatever_stands_between,
    what_was_done_to_a_session_is_found_and_named_with_its_exchange,
    what_was_done_to_another_session_elsewhere_is_not_its_own,
    an_entry_that_is_listed_with_another_session_is_missed,
    texts_of_a_session_that_were_altered_or_removed_are_named,
    texts_of_a_session_that_retention_removed_are_counted,
    an_act_of_retention_that_nobody_signed_excuses_nothing,
    a_session_of_two_writers_is_proved_in_both_chains,
    what_is_too_much_is_said_and_what_was_read_is_proved,
    a_session_may_go_on_while_it_is_verified,
}

const ALL: Bounds = Bounds { entries: 20_000, bytes: 64 << 20 };

/// An exchange of a session, with a text of its own.
fn of(session: &str, exchange: &str) -> Addition {
    let mut addition = with_body(exchange, &format!("{exchange} {}", "x".repeat(300)));
    for entry in &mut addition.entries {
        if let Entry::Exchange(record) = entry {
            record.session = Some(session.to_owned());
        }
    }
    addition
}

/// Exchanges a1, b1, a2, b2 and so on: entries 1, 2, 3 and so on of sessions `a` and `b`.
async fn two_sessions(on: On) -> Kept {
    let kept = kept(on).await;
    for n in 1..=5 {
        for session in ["a", "b"] {
            kept.store.add(of(session, &format!("{session}{n}")), NOW).await.unwrap();
        }
    }
    kept
}

async fn within(kept: &Kept, session: &str, bounds: Bounds) -> SessionReport {
    let keys = [kept.key.verifying_key()];
    verify_session(&*kept.store, &keys, session, bounds).await.unwrap().unwrap()
}

async fn session(kept: &Kept, session: &str) -> SessionReport {
    within(kept, session, ALL).await
}

async fn a_session_that_is_what_was_written_is_sound_whatever_stands_between(on: On) {
    let kept = two_sessions(on).await;
    let writer = writer_name(&kept.key.verifying_key());
    for (name, from) in [("a", 1), ("b", 2)] {
        let report = session(&kept, name).await;
        assert!(report.sound && report.whole, "{report:?}");
        assert_eq!(report.writers, [Span { writer: writer.clone(), from, to: from + 8 }]);
        assert_eq!((report.entries, report.removed), (5, 0), "{report:?}");
        assert!(report.blocks >= 5, "{report:?}");
    }
    let keys = [kept.key.verifying_key()];
    assert!(verify_session(&*kept.store, &keys, "none", ALL).await.unwrap().is_none());
    // Without the key nobody vouches for anything.
    let report = verify_session(&*kept.store, &[], "a", ALL).await.unwrap().unwrap();
    assert!(!report.sound, "{report:?}");
    // Many entries in one commit, of which the last alone is signed.
    let mut batch = of("c", "c0");
    for n in 1..700 {
        batch.entries.extend(of(if n % 2 == 0 { "c" } else { "d" }, &format!("c{n}")).entries);
        batch.blocks.extend(of("c", &format!("c{n}")).blocks);
    }
    kept.store.add(Addition { batch: Some([7; 32]), ..batch }, NOW).await.unwrap();
    let report = session(&kept, "c").await;
    assert!(report.sound && report.whole && report.entries == 350, "{report:?}");
}

async fn what_was_done_to_a_session_is_found_and_named_with_its_exchange(on: On) {
    let cases: &[(&str, &str, Problem, usize)] = &[
        (
            "altered",
            "UPDATE entries SET entry = replace(entry, 'messages.create', 'messages.count') WHERE seq = 5",
            Problem::Altered { seq: 5 },
            3,
        ),
        ("removed", "DELETE FROM entries WHERE seq = 5", Problem::Removed { from: 5, to: 5 }, 2),
        (
            "the first removed",
            "DELETE FROM entries WHERE seq IN (1, 2)",
            Problem::Removed { from: 2, to: 2 },
            1,
        ),
        ("the end removed", "DELETE FROM entries WHERE seq > 7", Problem::Truncated { from: 8, to: 10 }, 4),
        (
            "moved",
            "UPDATE entries SET seq = 100 WHERE seq = 5; UPDATE entries SET seq = 5 WHERE seq = 7;
             UPDATE entries SET seq = 7 WHERE seq = 100",
            Problem::Moved { seq: 5, belongs: 7 },
            4,
        ),
        ("the heads gone", "DELETE FROM heads; DELETE FROM entries WHERE seq = 10", Problem::NoHead, 5),
        (
            "signed by nobody",
            "UPDATE entries SET signature = NULL WHERE seq >= 9; DELETE FROM heads",
            Problem::NoHead,
            5,
        ),
    ];
    for (what, sql, expected, number) in cases {
        let kept = two_sessions(on).await;
        kept.tamper(sql).await;
        let report = session(&kept, "a").await;
        assert!(!report.sound, "{what}");
        let found = report.problems.iter().find(|fault| fault.what == Wrong::Chain(expected.clone()));
        assert_eq!(found.and_then(|fault| fault.number), Some(*number), "{what}: {:?}", report.problems);
    }
    // Altered, and all that follows made to fit: the signatures do not.
    let kept = two_sessions(on).await;
    let which = Which { session: Some("a".into()), limit: 100, ..Which::default() };
    let rows = kept.store.entries(which).await.unwrap();
    let before = kept
        .store
        .entries(Which { session: Some("b".into()), limit: 100, ..Which::default() })
        .await
        .unwrap();
    let forged = rows[2].entry.replace("ana@", "eve@");
    let hash = link(&before[1].hash, 5, forged.as_bytes());
    kept.tamper(&format!(
        "UPDATE entries SET entry = '{forged}', hash = {} WHERE seq = 5",
        kept.bytes(&hash.0)
    ))
    .await;
    let report = session(&kept, "a").await;
    let rewritten = Wrong::Chain(Problem::Rewritten { after: 5, seq: 5 });
    let found = report.problems.iter().find(|fault| fault.what == rewritten);
    assert_eq!(found.and_then(|fault| fault.exchange.as_deref()), Some("a3"), "{report:?}");
}

async fn what_was_done_to_another_session_elsewhere_is_not_its_own(on: On) {
    let kept = two_sessions(on).await;
    kept.store.add(of("c", "c1"), NOW).await.unwrap();
    kept.store.add(of("d", "d1"), NOW).await.unwrap();
    kept.tamper("UPDATE entries SET entry = replace(entry, 'messages.create', 'x') WHERE seq = 12").await;
    assert!(session(&kept, "a").await.sound);
    assert!(session(&kept, "c").await.sound);
    assert!(!session(&kept, "d").await.sound);
    assert!(!kept.verify().await.sound);
}

async fn an_entry_that_is_listed_with_another_session_is_missed(on: On) {
    let kept = two_sessions(on).await;
    kept.tamper("UPDATE entries SET session = 'b' WHERE seq = 5").await;
    let report = session(&kept, "a").await;
    let hidden = Wrong::Listed(Misplaced::Hidden { seq: 5 });
    assert!(report.problems.iter().any(|fault| fault.what == hidden), "{report:?}");
    assert_eq!(report.entries, 4);
    let report = session(&kept, "b").await;
    let stranger = Wrong::Listed(Misplaced::Stranger { seq: 5 });
    assert!(report.problems.iter().any(|fault| fault.what == stranger), "{report:?}");
    // What problems say reads back as what they are.
    let text = serde_json::to_string(&report).unwrap();
    let read: SessionReport = serde_json::from_str(&text).unwrap();
    assert_eq!(read.problems, report.problems);
    assert!(text.contains(r#""what":{"kind":"stranger","seq":5}"#), "{text}");
}

async fn texts_of_a_session_that_were_altered_or_removed_are_named(on: On) {
    let kept = two_sessions(on).await;
    let theirs = of("b", "b2").blocks.into_iter().find(|block| !block.list).unwrap().digest;
    let digest = kept.bytes(&sluice_engine::record::chain::Hash::parse(&theirs).unwrap().0);
    for (sql, expected) in [
        ("UPDATE blocks SET text = 'y' WHERE digest =", BlockProblem::Altered { digest: theirs.clone() }),
        (
            "DELETE FROM blocks WHERE digest =",
            BlockProblem::Removed { digest: theirs.clone(), by: String::new() },
        ),
    ] {
        kept.tamper(&format!("{sql} {digest}")).await;
        assert!(session(&kept, "a").await.sound, "{sql}");
        let report = session(&kept, "b").await;
        assert!(!report.sound, "{sql}");
        let [fault] = report.problems.as_slice() else { panic!("{report:?}") };
        assert_eq!((fault.exchange.as_deref(), fault.number), (Some("b2"), Some(2)), "{sql}");
        match (&fault.what, expected) {
            (Wrong::Block(BlockProblem::Removed { digest, by }), BlockProblem::Removed { .. }) => {
                assert!(*digest == theirs && !by.is_empty(), "{report:?}");
            }
            (Wrong::Block(found), expected) => assert_eq!(*found, expected),
            _ => panic!("{report:?}"),
        }
    }
}

const DAY: u64 = 24 * 3600 * 1000;

/// A session of long ago whose texts are gone.
async fn retained(on: On) -> Kept {
    let kept = kept(on).await;
    let mut old = of("a", "a1");
    for entry in &mut old.entries {
        if let Entry::Exchange(record) = entry {
            record.at_ms = NOW - 100 * DAY;
        }
    }
    kept.store.add(old, NOW).await.unwrap();
    kept.store.add(of("a", "a2"), NOW).await.unwrap();
    while !kept.store.mark(10, NOW).await.unwrap() {}
    let floor = i64::try_from((NOW - 90 * DAY) / DAY).unwrap();
    kept.store.raise_floor(floor, NOW).await.unwrap();
    assert!(kept.store.sweep(50, NOW + 11 * 60 * 1000).await.unwrap() > 0);
    kept
}

async fn texts_of_a_session_that_retention_removed_are_counted(on: On) {
    let kept = retained(on).await;
    let report = session(&kept, "a").await;
    assert!(report.sound && report.whole && report.removed > 0, "{report:?}");
    // It covers the old exchange alone.
    kept.tamper("DELETE FROM blocks").await;
    let report = session(&kept, "a").await;
    assert!(!report.sound, "{report:?}");
    assert!(report.problems.iter().all(|fault| fault.exchange.as_deref() == Some("a2")), "{report:?}");
}

async fn an_act_of_retention_that_nobody_signed_excuses_nothing(on: On) {
    let kept = retained(on).await;
    // The act says that it reaches further than it did.
    kept.tamper(
        r#"UPDATE entries SET entry = replace(entry, '"seq":1', '"seq":2') WHERE entry LIKE '{"retention"%';
           DELETE FROM blocks"#,
    )
    .await;
    let report = session(&kept, "a").await;
    assert!(!report.sound && report.removed == 0, "{report:?}");
    let of_second = report.problems.iter().filter(|fault| matches!(fault.what, Wrong::Block(_)));
    assert!(of_second.count() >= 2, "{report:?}");
    let altered = Wrong::Chain(Problem::Altered { seq: 3 });
    assert!(report.problems.iter().any(|fault| fault.what == altered), "{report:?}");
}

async fn a_session_of_two_writers_is_proved_in_both_chains(on: On) {
    let kept = two_sessions(on).await;
    kept.store.close().await;
    let second = SigningKey::from_bytes(&[6; 32]);
    let other = kept.place.open(&second).await;
    for n in 6..9 {
        other.add(of("a", &format!("a{n}")), NOW).await.unwrap();
    }
    let keys = [kept.key.verifying_key(), second.verifying_key()];
    let check = async |keys: &[_]| verify_session(&*other, keys, "a", ALL).await.unwrap().unwrap();
    let report = check(&keys).await;
    assert!(report.sound && report.whole && report.entries == 8, "{report:?}");
    assert_eq!(report.writers.len(), 2);
    let stranger = check(&keys[..1]).await;
    assert!(!stranger.sound);
    let name = writer_name(&second.verifying_key());
    assert!(stranger.problems.iter().all(|fault| fault.writer == name), "{stranger:?}");
    kept.tamper(&format!("DELETE FROM entries WHERE seq = 2 AND writer = '{name}'")).await;
    let report = check(&keys).await;
    let [fault] = report.problems.as_slice() else { panic!("{report:?}") };
    assert_eq!(fault.what, Wrong::Chain(Problem::Removed { from: 2, to: 2 }));
    assert!(fault.between, "what is gone is listed with no session any more");
    assert_eq!((&fault.writer, fault.exchange.as_deref()), (&name, Some("a6")));
}

async fn what_is_too_much_is_said_and_what_was_read_is_proved(on: On) {
    let kept = kept(on).await;
    for n in 0..3 {
        kept.store.add(of("a", &format!("a{n}")), NOW).await.unwrap();
        let others = (0..60).map(|k| of("b", &format!("b{n}-{k}")).entries).collect::<Vec<_>>().concat();
        let addition = Addition { batch: Some([n; 32]), entries: others, ..Addition::default() };
        kept.store.add(addition, NOW).await.unwrap();
    }
    // Each entry by itself.
    let report = within(&kept, "a", Bounds { entries: 100, ..ALL }).await;
    assert!(report.sound && !report.whole && report.entries == 3, "{report:?}");
    assert_eq!(report.unread, [Unread::Between]);
    // Not even its own.
    let report = within(&kept, "a", Bounds { entries: 2, ..ALL }).await;
    assert!(report.sound && report.unread.contains(&Unread::Entries), "{report:?}");
    let report = within(&kept, "a", Bounds { bytes: 10, ..ALL }).await;
    assert!(report.sound && report.unread == [Unread::Blocks], "{report:?}");
    // Its own are proved all the same.
    kept.tamper("UPDATE entries SET entry = replace(entry, 'ana@', 'eve@') WHERE seq IN (1, 62)").await;
    let report = within(&kept, "a", Bounds { entries: 100, ..ALL }).await;
    let found: Vec<_> = report.problems.iter().map(|fault| fault.what.clone()).collect();
    let altered = |seq| Wrong::Chain(Problem::Altered { seq });
    assert_eq!(found, [altered(1), altered(62)], "{report:?}");
}

async fn a_session_may_go_on_while_it_is_verified(on: On) {
    let kept = Arc::new(two_sessions(on).await);
    let writing = {
        let kept = Arc::clone(&kept);
        tokio::spawn(async move {
            for n in 0..60 {
                kept.store.add(of("a", &format!("more{n}")), NOW).await.unwrap();
            }
        })
    };
    while !writing.is_finished() {
        let report = session(&kept, "a").await;
        assert!(report.sound && report.whole, "{report:?}");
    }
    writing.await.unwrap();
}
