//! What was used of budgets.

use sluice_engine::budget::{Counter, Holder, Key, RESERVED_MS, Spent};

use super::{Kept, NOW, On, kept};
use crate::store::{Store, WhichSpending};

on_both! {
    what_envoys_counted_adds_up_and_a_report_told_twice_or_late_changes_nothing,
    an_answer_goes_on_where_the_last_one_ended,
    reservations_of_an_envoy_that_fell_silent_are_left_out,
    counts_outlive_a_restart_and_go_a_day_after_their_window,
    absurd_numbers_still_add_up,
    many_reports_at_once_are_all_there,
}

const HOUR: u64 = 3_600_000;

fn counter(group: &str, requests: u64, tokens: u64, reserved: u64) -> Counter {
    Counter {
        key: Key {
            budget: "b".into(),
            window_seconds: 3600,
            start_ms: NOW - NOW % HOUR,
            holder: Holder::Group(group.into()),
        },
        used: Spent { requests, output_tokens: tokens, ..Spent::default() },
        reserved: Spent { output_tokens: reserved, ..Spent::default() },
    }
}

async fn sums(store: &dyn Store, except: &str, after: u64, now_ms: u64) -> (u64, Vec<(u64, u64, u64)>) {
    let which = WhichSpending { except: Some(except.into()), after };
    let (after, counters) = store.spending(which, now_ms).await.unwrap();
    let figures = counters.iter().map(|own| (own.used.requests, own.used.tokens(), own.reserved.tokens()));
    (after, figures.collect())
}

async fn what_envoys_counted_adds_up_and_a_report_told_twice_or_late_changes_nothing(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    for (reporter, tokens) in [("one", 10), ("two", 5), ("one", 30), ("one", 30), ("one", 10)] {
        store.report_spending(reporter.into(), vec![counter("g", 1, tokens, 0)], NOW).await.unwrap();
    }
    assert_eq!(sums(&*store, "", 0, NOW).await.1, [(2, 35, 0)]);
    assert_eq!(sums(&*store, "one", 0, NOW).await.1, [(1, 5, 0)], "the others'");
    assert_eq!(sums(&*store, "three", 0, NOW).await.1, [(2, 35, 0)], "an Envoy that has just started");
}

async fn an_answer_goes_on_where_the_last_one_ended(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    store
        .report_spending("one".into(), vec![counter("g", 1, 1, 0), counter("h", 1, 1, 0)], NOW)
        .await
        .unwrap();
    let (after, all) = sums(&*store, "two", 0, NOW).await;
    assert_eq!(all.len(), 2);
    assert_eq!(sums(&*store, "two", after, NOW).await, (after, vec![]));
    store.report_spending("one".into(), vec![counter("h", 2, 9, 0)], NOW).await.unwrap();
    let (later, changed) = sums(&*store, "two", after, NOW).await;
    assert_eq!((later > after, changed), (true, vec![(2, 9, 0)]));
    // One's own report is no news, and others' windows that have ended are none either.
    store.report_spending("two".into(), vec![counter("g", 7, 7, 0)], NOW).await.unwrap();
    assert_eq!(sums(&*store, "two", later, NOW).await.1, []);
    assert_eq!(sums(&*store, "two", 0, NOW + HOUR).await.1, []);
}

async fn reservations_of_an_envoy_that_fell_silent_are_left_out(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    store.report_spending("one".into(), vec![counter("g", 1, 1, 500)], NOW).await.unwrap();
    assert_eq!(sums(&*store, "two", 0, NOW).await.1, [(1, 1, 500)]);
    assert_eq!(sums(&*store, "two", 0, NOW + RESERVED_MS).await.1, [(1, 1, 0)]);
    store.report_spending("one".into(), vec![counter("g", 1, 1, 0)], NOW + 1).await.unwrap();
    assert_eq!(sums(&*store, "two", 0, NOW + 1).await.1, [(1, 1, 0)], "given back");
}

async fn counts_outlive_a_restart_and_go_a_day_after_their_window(on: On) {
    let kept = kept(on).await;
    let store = &kept.store;
    store.report_spending("one".into(), vec![counter("g", 1, 8, 0)], NOW).await.unwrap();
    let (after, _) = sums(&**store, "two", 0, NOW).await;
    store.close().await;
    let store = kept.place.open(&kept.key).await;
    assert_eq!(sums(&*store, "two", 0, NOW).await.1, [(1, 8, 0)]);
    // A report long after prunes; what comes then is still news to whoever asked before.
    let later = NOW + 26 * HOUR;
    let mut fresh = counter("g", 1, 3, 0);
    fresh.key.start_ms = later - later % HOUR;
    store.report_spending("one".into(), vec![fresh], later).await.unwrap();
    assert_eq!(sums(&*store, "two", after, later).await.1, [(1, 3, 0)]);
    assert_eq!(sums(&*store, "two", 0, NOW).await.1.len(), 1, "the old window is gone");
}

async fn absurd_numbers_still_add_up(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    for reporter in ["one", "two", "three"] {
        store.report_spending(reporter.into(), vec![counter("g", 1, u64::MAX, u64::MAX)], NOW).await.unwrap();
    }
    assert_eq!(sums(&*store, "", 0, NOW).await.1, [(3, 3 << 52, 3 << 52)]);
}

async fn many_reports_at_once_are_all_there(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    let store: std::sync::Arc<dyn Store> = store.into();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50_u64 {
        let store = std::sync::Arc::clone(&store);
        tasks.spawn(async move {
            for tokens in 1..=10 {
                let told = vec![counter("g", 1, tokens, 0)];
                store.report_spending(format!("envoy {n}"), told, NOW).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(sums(&*store, "", 0, NOW).await.1, [(50, 500, 0)]);
}
