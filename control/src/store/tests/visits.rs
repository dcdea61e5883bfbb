//! Visits, from the sign-in to the sign-out.

use sluice_engine::identity::Principal;

use super::{NOW, On, kept};
use crate::visits::Visit;

on_both! {
    a_visit_is_there_until_it_is_ended_and_its_use_is_remembered,
    visits_whose_time_is_over_are_forgotten_and_others_stay,
}

fn visit(ends_ms: u64) -> Visit {
    let principal = Principal {
        issuer: "corp".into(),
        subject: "ana\u{0}\u{1f600}".into(),
        groups: vec!["staff".into()],
        scopes: None,
        expires_ms: ends_ms,
    };
    Visit { principal, basis: "b".into(), made_ms: Some(NOW), token: None, seen_ms: NOW }
}

async fn a_visit_is_there_until_it_is_ended_and_its_use_is_remembered(on: On) {
    let kept = kept(on).await;
    let store = &kept.store;
    let own = visit(NOW + 10);
    store.open_visit("one".into(), own.clone()).await.unwrap();
    assert!(store.open_visit("one".into(), visit(NOW + 99)).await.is_err(), "an id is given once");
    assert_eq!(store.visit("one").await.unwrap(), Some(own.clone()));
    assert_eq!(store.visit("two").await.unwrap(), None);
    store.see_visit("one".into(), NOW + 5).await.unwrap();
    store.see_visit("one".into(), NOW + 3).await.unwrap();
    store.see_visit("two".into(), NOW + 5).await.unwrap();
    assert_eq!(store.visit("one").await.unwrap(), Some(Visit { seen_ms: NOW + 5, ..own }), "never backwards");
    assert_eq!(store.visit("two").await.unwrap(), None, "a use begins nothing");
    store.end_visit("one".into()).await.unwrap();
    store.end_visit("one".into()).await.unwrap();
    assert_eq!(store.visit("one").await.unwrap(), None);
}

async fn visits_whose_time_is_over_are_forgotten_and_others_stay(on: On) {
    let kept = kept(on).await;
    for n in 0..3 {
        kept.store.open_visit(n.to_string(), visit(NOW + n)).await.unwrap();
    }
    assert_eq!(kept.store.end_visits(NOW - 1).await.unwrap(), 0);
    assert_eq!(kept.store.end_visits(NOW + 1).await.unwrap(), 2);
    assert_eq!(kept.store.visit("1").await.unwrap(), None);
    assert_eq!(kept.store.visit("2").await.unwrap(), Some(visit(NOW + 2)));
}
