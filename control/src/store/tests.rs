//! What every store promises, held against each of them.

mod place;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use sluice_engine::record::chain::Problem;
use sluice_engine::record::checkpoint::Checkpoint;
use sluice_engine::record::{Record, Who, cut};
use sluice_engine::wire::{HoldAsk, HoldDecision};

use super::*;
use crate::holds::tests::ask;
use crate::records::{BlockProblem, Entry, batch_key, verify, writer_name};
pub use place::{Kept, On, kept};

pub const NOW: u64 = 1_795_000_000_000;

/// Runs each test on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::On::Sqlite).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::On::Postgres).await;
            })*
        }
    };
}

mod approvals;
mod chain;
mod days;
mod definitions;
mod edits;
mod followers;
mod grants;
mod notices;
mod parts;
mod policies;
mod retention;
mod reviews;
mod revocations;
mod spending;
mod texts;
mod tokens;
mod transfer;
mod usage;
mod visits;
mod vouched;

on_both! {
    what_was_acknowledged_is_there_for_everyone_at_once,
    a_batch_sent_twice_is_written_once,
    an_exchange_opened_twice_is_recorded_once,
    an_approval_is_used_by_one_of_a_hundred,
    a_hold_is_decided_once_and_not_after_its_end,
    an_approval_covers_later_turns_of_its_thread_until_someone_refuses,
    each_kind_of_tampering_is_found_and_named,
    an_older_head_with_its_log_is_found_by_a_checkpoint_that_was_kept_elsewhere,
    blocks_that_were_altered_or_removed_are_named,
    everything_is_there_after_closing_and_opening_again,
    sessions_add_up_and_page,
}

pub fn record(exchange: &str) -> Record {
    serde_json::from_value(json!({
        "exchange": exchange, "stage": "open", "atMs": NOW, "node": "n", "route": "messages.create",
        "policyVersion": "p", "session": "s1",
        "principal": {"issuer": "corp", "subject": "ana@example.com", "groups": ["writers"]},
    }))
    .unwrap()
}

pub fn with_body(exchange: &str, text: &str) -> Addition {
    let (body, blocks) = cut(&json!({"messages": [{"role": "user", "content": text}]}).to_string());
    let record = Record { body: Some(body), ..record(exchange) };
    Addition { entries: vec![Entry::Exchange(Box::new(record))], blocks, ..Addition::default() }
}

pub fn asking(key: &str, exchange: &str) -> Addition {
    Addition { ask: Some(ask(key, exchange)), ..Addition::default() }
}

pub fn approval(hold: &str) -> Decision {
    let by = Who { issuer: "corp".into(), subject: "ben".into(), groups: vec!["approvers".into()] };
    Decision { hold: hold.into(), approve: true, by, reason: Some("seen".into()), span: None, masked: vec![] }
}

async fn what_was_acknowledged_is_there_for_everyone_at_once(on: On) {
    let kept = Arc::new(kept(on).await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200 {
        let kept = Arc::clone(&kept);
        tasks.spawn(async move {
            kept.store.add(with_body(&format!("e{n}"), &"x".repeat(300)), NOW).await.unwrap();
            // Another connection: it sees only what is committed.
            let which = Which { session: Some("s1".into()), limit: 1000, ..Which::default() };
            let entries = kept.store.entries(which).await.unwrap();
            assert!(entries.iter().any(|e| e.entry.contains(&format!("\"e{n}\""))), "e{n} is not there");
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let report = kept.verify().await;
    assert!(report.sound, "{report:?}");
    assert_eq!(report.writers[0].entries, 200);
}

async fn a_batch_sent_twice_is_written_once(on: On) {
    let kept = kept(on).await;
    let records = vec![record("e1"), record("e2")];
    let batch = |records: &[Record]| Addition {
        batch: Some(batch_key("b1", records)),
        entries: records.iter().map(|r| Entry::Exchange(Box::new(r.clone()))).collect(),
        ..Addition::default()
    };
    for _ in 0..3 {
        kept.store.add(batch(&records), NOW).await.unwrap();
    }
    assert_eq!(kept.verify().await.writers[0].entries, 2);
    // The same id with other records is another batch: nothing is swallowed.
    kept.store.add(batch(&[record("e3")]), NOW).await.unwrap();
    assert_eq!(kept.verify().await.writers[0].entries, 3);
}

async fn an_exchange_opened_twice_is_recorded_once(on: On) {
    let kept = kept(on).await;
    for _ in 0..3 {
        kept.store.add(with_body("e1", "hello"), NOW).await.unwrap();
    }
    assert_eq!(kept.verify().await.writers[0].entries, 1);
}

async fn an_approval_is_used_by_one_of_a_hundred(on: On) {
    let kept = Arc::new(kept(on).await);
    let hold = kept.store.add(asking("k", "e0"), NOW).await.unwrap().unwrap();
    assert_eq!(hold.state, HoldDecision::Waiting);
    assert!(matches!(kept.store.decide(approval(&hold.id), NOW).await.unwrap(), Decided::Done(_)));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let (kept, id) = (Arc::clone(&kept), hold.id.clone());
        tasks.spawn(async move {
            let exchange = format!("e{n}");
            let hold = if n % 2 == 0 {
                kept.store.claim(&id, &exchange, NOW).await.unwrap().unwrap()
            } else {
                kept.store.add(asking("k", &exchange), NOW).await.unwrap().unwrap()
            };
            (exchange, hold)
        });
    }
    let mut approved = Vec::new();
    let mut others = BTreeSet::new();
    while let Some(done) = tasks.join_next().await {
        let (exchange, hold) = done.unwrap();
        match hold.state {
            HoldDecision::Approved => approved.push(exchange),
            _ => {
                others.insert(hold.id);
            }
        }
    }
    assert_eq!(approved.len(), 1, "{approved:?}");
    assert_eq!(others.len(), 1, "the others wait together for a decision of their own");
    // The one that used it may ask again: its answer may have been lost.
    let again = kept.store.claim(&hold.id, &approved[0], NOW).await.unwrap().unwrap();
    assert_eq!((again.id, again.state), (hold.id, HoldDecision::Approved));
}

async fn a_hold_is_decided_once_and_not_after_its_end(on: On) {
    let kept = kept(on).await;
    let hold = kept.store.add(asking("k", "e0"), NOW).await.unwrap().unwrap();
    let refusal = Decision { approve: false, ..approval(&hold.id) };
    assert!(matches!(kept.store.decide(refusal, NOW).await.unwrap(), Decided::Done(_)));
    assert!(matches!(kept.store.decide(approval(&hold.id), NOW).await.unwrap(), Decided::TooLate(_)));
    // The refusal is what a retry hears.
    let retry = kept.store.add(asking("k", "e1"), NOW + 1000).await.unwrap().unwrap();
    assert_eq!((&retry.id, retry.state), (&hold.id, HoldDecision::Denied));

    let late = kept.store.add(asking("other", "e0"), NOW).await.unwrap().unwrap();
    let past = NOW + 60_000;
    assert!(matches!(kept.store.decide(approval(&late.id), past).await.unwrap(), Decided::TooLate(_)));
    assert_eq!(kept.store.expire(past).await.unwrap(), std::slice::from_ref(&late.id));
    assert!(kept.store.expire(past).await.unwrap().is_empty());
    // Long after, the same thing may be asked for again.
    let again = kept.store.add(asking("other", "e9"), past + 2 * 3_600_000).await.unwrap().unwrap();
    assert_ne!(again.id, late.id);
    assert_eq!(again.state, HoldDecision::Waiting);
    let report = kept.verify().await;
    assert_eq!(report.writers[0].entries, 5, "opened, denied, opened, expired, opened");
}

async fn an_approval_covers_later_turns_of_its_thread_until_someone_refuses(on: On) {
    let kept = kept(on).await;
    let turn = |key: &str, exchange: &str, thread: &str, history: bool| {
        let ask = HoldAsk { thread: thread.into(), history, ..ask(key, exchange) };
        Addition { ask: Some(ask), ..Addition::default() }
    };
    let first = kept.store.add(turn("k1", "e1", "t", false), NOW).await.unwrap().unwrap();
    kept.store.decide(approval(&first.id), NOW).await.unwrap();
    let unused = kept.store.add(turn("k2", "e2", "t", true), NOW).await.unwrap().unwrap();
    assert_eq!(unused.state, HoldDecision::Waiting, "an approval that nobody used covers nothing");
    kept.store.claim(&first.id, "e1", NOW).await.unwrap();
    for (key, thread, history, state) in [
        ("k3", "t", true, HoldDecision::Approved),
        ("k4", "t", false, HoldDecision::Waiting),
        ("k5", "other", true, HoldDecision::Waiting),
    ] {
        let told = kept.store.add(turn(key, "e3", thread, history), NOW).await.unwrap().unwrap();
        assert_eq!(told.state, state, "{key}");
    }
    let refusal = Decision { approve: false, ..approval(&unused.id) };
    kept.store.decide(refusal, NOW + 1).await.unwrap();
    let told = kept.store.add(turn("k6", "e4", "t", true), NOW + 2).await.unwrap().unwrap();
    assert_eq!(told.state, HoldDecision::Waiting, "someone has refused the thread since");
}

async fn each_kind_of_tampering_is_found_and_named(on: On) {
    let altered = |seq| vec![Problem::Altered { seq }];
    let cases: &[(&str, &str, Vec<Problem>)] = &[
        ("altered", "UPDATE entries SET entry = replace(entry, 'e5', 'e9') WHERE seq = 6", altered(6)),
        (
            "removed",
            "DELETE FROM entries WHERE seq BETWEEN 3 AND 4",
            vec![Problem::Removed { from: 3, to: 4 }],
        ),
        ("cut off", "DELETE FROM entries WHERE seq > 7", vec![Problem::Truncated { from: 8, to: 10 }]),
        (
            "moved",
            "UPDATE entries SET seq = 100 WHERE seq = 4; UPDATE entries SET seq = 4 WHERE seq = 5;
             UPDATE entries SET seq = 5 WHERE seq = 100",
            vec![Problem::Rewritten { after: 4, seq: 4 }, Problem::Moved { seq: 4, belongs: 5 }],
        ),
        ("head gone", "DELETE FROM heads", vec![Problem::NoHead]),
        (
            "cut off with a head to match",
            "DELETE FROM entries WHERE seq > 7; UPDATE heads SET seq = 7,
             hash = (SELECT hash FROM entries WHERE seq = 7)",
            vec![Problem::NoHead],
        ),
        ("all gone", "DELETE FROM entries", vec![Problem::Truncated { from: 1, to: 10 }]),
    ];
    for (what, sql, expected) in cases {
        let kept = kept(on).await;
        for n in 0..10 {
            kept.store.add(with_body(&format!("e{n}"), &"x".repeat(300)), NOW).await.unwrap();
        }
        assert!(kept.verify().await.sound);
        kept.tamper(sql).await;
        let report = kept.verify().await;
        assert!(!report.sound, "{what}");
        for problem in expected {
            assert!(report.writers[0].problems.contains(problem), "{what}: {:?}", report.writers[0].problems);
        }
    }
}

async fn an_older_head_with_its_log_is_found_by_a_checkpoint_that_was_kept_elsewhere(on: On) {
    let kept = kept(on).await;
    kept.store.add(with_body("e0", "a"), NOW).await.unwrap();
    let old = kept.store.heads().await.unwrap().remove(0);
    kept.store.add(with_body("e1", "b"), NOW).await.unwrap();
    let head = kept.store.heads().await.unwrap().remove(0);
    let elsewhere = Checkpoint { writer: head.writer, seq: head.seq, hash: head.hash };
    kept.tamper(&format!(
        "DELETE FROM entries WHERE seq > 1; UPDATE heads SET seq = 1, hash = {}, signature = {}",
        kept.bytes(&old.hash.0),
        kept.bytes(&old.signature)
    ))
    .await;
    assert!(kept.verify().await.sound, "without the checkpoint nothing shows");
    let keys = [kept.key.verifying_key()];
    let report = verify(&*kept.store, &keys, std::slice::from_ref(&elsewhere)).await.unwrap();
    assert_eq!(report.writers[0].problems, [Problem::Truncated { from: 2, to: 2 }]);
}

async fn blocks_that_were_altered_or_removed_are_named(on: On) {
    let kept = kept(on).await;
    kept.store.add(with_body("e0", &"x".repeat(300)), NOW).await.unwrap();
    kept.tamper("UPDATE blocks SET text = 'y' WHERE NOT list").await;
    let report = kept.verify().await;
    assert!(matches!(report.block_problems.as_slice(), [BlockProblem::Altered { .. }]), "{report:?}");
    kept.tamper("DELETE FROM blocks").await;
    let report = kept.verify().await;
    assert!(matches!(report.block_problems.as_slice(), [BlockProblem::Removed { .. }]), "{report:?}");
}

async fn everything_is_there_after_closing_and_opening_again(on: On) {
    let mut kept = kept(on).await;
    kept.store.add(with_body("e0", "hello"), NOW).await.unwrap();
    let hold = kept.store.add(asking("k", "e0"), NOW).await.unwrap().unwrap();
    kept.store.decide(approval(&hold.id), NOW).await.unwrap();
    kept.store.close().await;
    assert!(kept.store.add(with_body("e1", "no"), NOW).await.is_err(), "a closed store takes nothing");
    kept.store = kept.place.open(&kept.key).await;
    let claimed = kept.store.claim(&hold.id, "e0", NOW).await.unwrap().unwrap();
    assert_eq!(claimed.state, HoldDecision::Approved);
    let report = kept.verify().await;
    assert!(report.sound, "{report:?}");
    assert_eq!(report.writers[0].entries, 4, "the exchange, opened, approved, used");
    assert_eq!(report.writers[0].writer, writer_name(&kept.key.verifying_key()));
}

async fn sessions_add_up_and_page(on: On) {
    let kept = kept(on).await;
    for n in 0..5_u64 {
        let mut one = record(&format!("e{n}"));
        one.session = (n < 3).then(|| "s1".to_owned());
        one.at_ms = NOW + n;
        one.decisions = serde_json::from_value(json!([
            {"rule": "r", "action": "deny"}, {"rule": "o", "action": "deny", "observed": true},
        ]))
        .unwrap();
        let entries = vec![Entry::Exchange(Box::new(one))];
        kept.store.add(Addition { entries, ..Addition::default() }, NOW).await.unwrap();
    }
    let page = |before, limit| WhichSessions {
        subject: Some("ana@example.com".into()),
        before,
        limit,
        ..WhichSessions::default()
    };
    let first = kept.store.sessions(page(None, 2)).await.unwrap();
    let names: Vec<_> = first.iter().map(|s| (s.session.as_str(), s.named, s.exchanges, s.denied)).collect();
    assert_eq!(names, [("e4", false, 1, 1), ("e3", false, 1, 1)]);
    let last = first.last().map(|s| (s.last_ms, s.session.clone()));
    let rest = kept.store.sessions(page(last, 2)).await.unwrap();
    let names: Vec<_> = rest.iter().map(|s| (s.session.as_str(), s.named, s.exchanges, s.denied)).collect();
    assert_eq!(names, [("s1", true, 3, 3)]);
    let nobody = WhichSessions { subject: Some("ben".into()), limit: 9, ..WhichSessions::default() };
    assert!(kept.store.sessions(nobody).await.unwrap().is_empty());
}

/// 4 kB of new text in each record, as a filter sends it: cut into blocks, in batches of one and of fifty.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test --release -p sluice-control -- --ignored --nocapture records_a_second"]
async fn records_a_second() {
    for (on, callers, batch) in [(1, 1), (64, 1), (512, 1), (16, 50)]
        .into_iter()
        .flat_map(|(callers, batch)| [On::Sqlite, On::Postgres].map(|on| (on, callers, batch)))
    {
        let kept = Arc::new(kept(on).await);
        let each = 10_000 / callers / batch;
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..callers {
            let kept = Arc::clone(&kept);
            tasks.spawn(async move {
                for n in 0..each.min(20_000) {
                    let mut addition = Addition::default();
                    for k in 0..batch {
                        let id = format!("{caller}-{n}-{k}");
                        let text: String =
                            (0..4000).map(|i| char::from(b'a' + ((i * 7 + n + k) % 26) as u8)).collect();
                        let one = with_body(&id, &format!("{id} {text}"));
                        addition.entries.extend(one.entries);
                        addition.blocks.extend(one.blocks);
                    }
                    addition.batch = (batch > 1).then(|| batch_key(&format!("{caller}-{n}"), &[]));
                    kept.store.add(addition, NOW).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let written = callers * each * batch;
        println!(
            "{on:?}, {callers} callers, batches of {batch}: {:.0} records/s ({written} in {:?})",
            written as f64 / start.elapsed().as_secs_f64(),
            start.elapsed()
        );
    }
}
