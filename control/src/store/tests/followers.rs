//! Followers of the log: what is behind them is done, and one replica at a time goes on.

use super::{NOW, On, kept, with_body};
use crate::store::{Advance, Store};

on_both! {
    a_new_follower_begins_at_the_end_of_the_log_and_an_old_one_where_it_stood,
    one_replica_at_a_time_goes_on_and_another_when_its_time_is_over,
}

async fn add(store: &dyn Store, exchange: &str) {
    store.add(with_body(exchange, "hello"), NOW).await.unwrap();
}

fn step(holder: &str, from: i64, to: i64) -> Advance {
    let (follower, holder) = ("traces".to_owned(), holder.to_owned());
    Advance { follower, holder, from, to, until_ms: NOW + 60_000 }
}

async fn a_new_follower_begins_at_the_end_of_the_log_and_an_old_one_where_it_stood(on: On) {
    let kept = kept(on).await;
    assert_eq!(kept.store.followed("traces").await.unwrap().done, 0, "the log is empty");
    add(&*kept.store, "e1").await;
    let new = kept.store.followed("logs").await.unwrap();
    assert_eq!((new.done, new.end), (1, 1), "what was there before it came is not its business");
    add(&*kept.store, "e2").await;
    assert!(kept.store.advance(step("a", 0, 1), NOW).await.unwrap());
    kept.store.close().await;
    let store = kept.place.open(&kept.key).await;
    let (traces, logs) = (store.followed("traces").await.unwrap(), store.followed("logs").await.unwrap());
    assert_eq!((traces.done, traces.end), (1, 2));
    assert_eq!((traces.holder.as_str(), traces.until_ms), ("a", NOW + 60_000));
    assert_eq!((logs.done, logs.end), (1, 2));
}

async fn one_replica_at_a_time_goes_on_and_another_when_its_time_is_over(on: On) {
    let kept = kept(on).await;
    kept.store.followed("traces").await.unwrap();
    for exchange in ["e1", "e2", "e3"] {
        add(&*kept.store, exchange).await;
    }
    assert!(kept.store.advance(step("a", 0, 0), NOW).await.unwrap(), "it takes its turn");
    assert!(!kept.store.advance(step("b", 0, 1), NOW + 59_999).await.unwrap(), "it is not b's turn");
    assert!(kept.store.advance(step("a", 0, 2), NOW).await.unwrap());
    assert!(!kept.store.advance(step("a", 0, 2), NOW).await.unwrap(), "that was done already");
    let late = NOW + 60_000;
    assert!(!kept.store.advance(step("b", 0, 3), late).await.unwrap(), "b does not know how far a came");
    assert!(kept.store.advance(step("b", 2, 3), late).await.unwrap(), "a is gone");
    assert!(!kept.store.advance(step("nobody", 0, 0), u64::MAX).await.unwrap());
    assert_eq!(kept.store.followed("traces").await.unwrap().done, 3);
}
