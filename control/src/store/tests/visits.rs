//! Visits, from the sign-in to the sign-out.

use sluice_engine::identity::Principal;

use super::{NOW, On, kept};
use crate::records::{Entry, SignInChange, SignInEvent};
use crate::store::Which;
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
        actor: None,
        expires_ms: ends_ms,
    };
    Visit { principal, basis: "b".into(), made_ms: Some(NOW), token: None, seen_ms: NOW }
}

async fn a_visit_is_there_until_it_is_ended_and_its_use_is_remembered(on: On) {
    let kept = kept(on).await;
    let store = &kept.store;
    let own = visit(NOW + 10);
    let event = |change| SignInEvent::of(change, "one", &own, NOW);
    let (begins, ends) = (event(SignInChange::SignedIn), event(SignInChange::SignedOut));
    store.open_visit("one".into(), own.clone(), begins.clone()).await.unwrap();
    let again = store.open_visit("one".into(), visit(NOW + 99), begins.clone()).await;
    assert!(again.is_err(), "an id is given once");
    assert_eq!(store.visit("one").await.unwrap(), Some(own.clone()));
    assert_eq!(store.visit("two").await.unwrap(), None);
    store.see_visit("one".into(), NOW + 5).await.unwrap();
    store.see_visit("one".into(), NOW + 3).await.unwrap();
    store.see_visit("two".into(), NOW + 5).await.unwrap();
    assert_eq!(
        store.visit("one").await.unwrap(),
        Some(Visit { seen_ms: NOW + 5, ..own.clone() }),
        "never backwards"
    );
    assert_eq!(store.visit("two").await.unwrap(), None, "a use begins nothing");
    store.end_visit("one".into(), ends.clone()).await.unwrap();
    store.end_visit("one".into(), ends.clone()).await.unwrap();
    assert_eq!(store.visit("one").await.unwrap(), None);
    let logged = store.entries(Which { limit: 100, ..Which::default() }).await.unwrap();
    let logged: Vec<Entry> = logged.iter().map(|one| serde_json::from_str(&one.entry).unwrap()).collect();
    let expected = [begins, ends].map(|event| Entry::SignIn(Box::new(event)));
    assert_eq!(logged, expected, "what happened, and nothing twice");
}

async fn visits_whose_time_is_over_are_forgotten_and_others_stay(on: On) {
    let kept = kept(on).await;
    for n in 0..3 {
        let (name, visit) = (n.to_string(), visit(NOW + n));
        let event = SignInEvent::of(SignInChange::SignedIn, &name, &visit, NOW);
        kept.store.open_visit(name, visit, event).await.unwrap();
    }
    assert_eq!(kept.store.end_visits(NOW - 1).await.unwrap(), 0);
    assert_eq!(kept.store.end_visits(NOW + 1).await.unwrap(), 2);
    assert_eq!(kept.store.visit("1").await.unwrap(), None);
    assert_eq!(kept.store.visit("2").await.unwrap(), Some(visit(NOW + 2)));
}
