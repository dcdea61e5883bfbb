//! Families of refresh tokens, and devices.

use sluice_engine::identity::{Lineage, TokenId};
use sluice_engine::policy::bundle::Revocation;
use sluice_engine::record::Who;

use super::{NOW, On, kept, record};
use crate::records::{Entry, SignInChange, SignInEvent};
use crate::store::Which;
use crate::tokens::device::{Device, LIFE_MS, PAUSE_MS, Poll};
use crate::tokens::family::{Family, Rotated, Rotation};
use crate::tokens::revocation::Revoked;
use crate::tokens::source::Source;

on_both! {
    a_refresh_token_is_good_once_and_one_of_a_hundred_gets_the_next,
    a_family_ends_with_a_token_that_it_comes_from_and_at_its_end,
    a_device_is_let_in_once_and_told_to_slow_down,
    a_thousand_devices_wait_and_no_more,
    an_assertion_is_used_once_until_it_is_forgotten,
}

fn source() -> Source {
    Source {
        who: Who { issuer: "corp".into(), subject: "ana".into(), groups: vec!["writers".into()] },
        actor: Some("agent-7".into()),
        scopes: None,
        from: Lineage {
            tokens: vec![TokenId("corp".into(), "t1".into()), TokenId("own".into(), "f1".into())],
            issued_ms: Some(NOW),
        },
        is_own: false,
        expires_ms: NOW + 1000,
    }
}

fn family() -> Family {
    Family { id: "f1".into(), source: source(), created_ms: NOW, ends_ms: NOW + 10_000 }
}

fn entry(name: &str) -> Entry {
    Entry::Exchange(Box::new(record(name)))
}

fn rotation(shown: &str, next: &str) -> Rotation {
    Rotation { shown: shown.into(), next: next.into(), entry: entry(next), now_ms: NOW }
}

async fn a_refresh_token_is_good_once_and_one_of_a_hundred_gets_the_next(on: On) {
    let kept = kept(on).await;
    kept.store.open_family(family(), "h0".into(), entry("e0")).await.unwrap();
    assert_eq!(kept.store.rotate(rotation("unknown", "x")).await.unwrap(), Rotated::Gone);
    assert_eq!(kept.store.rotate(rotation("h0", "h1")).await.unwrap(), Rotated::Done);
    assert_eq!(kept.store.family("h1", NOW).await.unwrap(), Some(family()));
    let next: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
    let all =
        futures_util::future::join_all(next.iter().map(|next| kept.store.rotate(rotation("h1", next)))).await;
    let done = all.iter().filter(|one| matches!(one, Ok(Rotated::Done))).count();
    let reused = all.iter().filter(|one| matches!(one, Ok(Rotated::Reused))).count();
    assert_eq!((done, reused), (1, 1), "the second one ends the family");
    for hash in ["h0", "h1", "n0"] {
        assert_eq!(kept.store.family(hash, NOW).await.unwrap(), None, "{hash}");
    }
}

async fn a_family_ends_with_a_token_that_it_comes_from_and_at_its_end(on: On) {
    let kept = kept(on).await;
    kept.store.open_family(family(), "h0".into(), entry("e0")).await.unwrap();
    assert_eq!(kept.store.family("h0", NOW + 10_000).await.unwrap(), None, "its end");
    let who = source().who;
    let revoked = Revoked {
        what: Revocation::Token { issuer: "corp".into(), id: "t1".into() },
        holder: None,
        by: who,
        reason: None,
        at_ms: NOW,
        until_ms: NOW + 1,
    };
    kept.store.revoke(revoked).await.unwrap();
    assert_eq!(kept.store.family("h0", NOW).await.unwrap(), None);
    assert_eq!(kept.store.rotate(rotation("h0", "h1")).await.unwrap(), Rotated::Gone);
    kept.store.forget_tokens(NOW + 10_000).await.unwrap();
    kept.store.open_family(family(), "h0".into(), entry("e1")).await.unwrap();
    assert!(kept.store.family("h0", NOW).await.unwrap().is_some(), "nothing is left of the old one");
}

fn device(user_code: &str) -> Device {
    Device {
        user_code: user_code.into(),
        client: Some("claude_code".into()),
        scopes: None,
        address: Some("192.0.2.7".into()),
        created_ms: NOW,
        expires_ms: NOW + LIFE_MS,
        source: None,
    }
}

fn decided(at_ms: u64) -> SignInEvent {
    SignInEvent::new(SignInChange::DeviceLetIn, "corp", at_ms)
}

async fn a_device_is_let_in_once_and_told_to_slow_down(on: On) {
    let kept = kept(on).await;
    let poll = async |hash: &str, now: u64| kept.store.poll_device(hash.into(), now).await.unwrap();
    assert!(kept.store.open_device(device("BCDF-GHJK"), "h".into()).await.unwrap());
    assert!(!kept.store.open_device(device("BCDF-GHJK"), "h2".into()).await.unwrap(), "the code is taken");
    assert_eq!(poll("unknown", NOW).await, Poll::Gone);
    assert_eq!(poll("h", NOW).await, Poll::Pending);
    assert_eq!(poll("h", NOW + 1000).await, Poll::SlowDown);
    let slower = NOW + 1000 + 2 * PAUSE_MS;
    assert_eq!(poll("h", slower - 1001).await, Poll::SlowDown, "the pause has grown");
    assert_eq!(poll("h", slower + 3 * PAUSE_MS).await, Poll::Pending);

    let decide = |source| kept.store.decide_device("BCDF-GHJK".into(), source, decided(NOW));
    assert!(decide(Some(source())).await.unwrap());
    assert!(!decide(None).await.unwrap(), "decided once");
    assert_eq!(kept.store.device("BCDF-GHJK", NOW).await.unwrap(), None);
    let later = slower + 30 * PAUSE_MS;
    let Poll::Approved(let_in) = poll("h", later).await else { panic!("not let in") };
    assert_eq!(let_in.source, Some(source()));
    assert_eq!(poll("h", later + LIFE_MS / 10).await, Poll::Gone, "told once");

    for (hash, code) in [("h3", "BBBB-BBBB"), ("h4", "CCCC-CCCC")] {
        assert!(kept.store.open_device(device(code), hash.into()).await.unwrap());
    }
    assert!(kept.store.decide_device("BBBB-BBBB".into(), None, decided(NOW)).await.unwrap());
    assert_eq!(poll("h3", NOW).await, Poll::Denied);
    assert_eq!(poll("h4", NOW + LIFE_MS).await, Poll::Gone);
    let late = kept.store.decide_device("CCCC-CCCC".into(), Some(source()), decided(NOW + LIFE_MS));
    assert!(!late.await.unwrap());
    let which = Which { limit: 100, ..Which::default() };
    assert_eq!(kept.store.entries(which).await.unwrap().len(), 2, "the log has who decided, once for each");
}

async fn a_thousand_devices_wait_and_no_more(on: On) {
    let kept = kept(on).await;
    let open = |n: u32| kept.store.open_device(device(&format!("code {n}")), format!("h{n}"));
    let all = futures_util::future::join_all((0..1010).map(open)).await;
    assert_eq!(all.iter().filter(|one| matches!(one, Ok(true))).count(), 1000);
    kept.store.forget_tokens(NOW + LIFE_MS).await.unwrap();
    assert!(open(2000).await.unwrap());
}

async fn an_assertion_is_used_once_until_it_is_forgotten(on: On) {
    let kept = kept(on).await;
    let all = (0..50).map(|_| kept.store.use_assertion("h".into(), NOW + 10));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.into_iter().filter(|used| *used.as_ref().unwrap()).count(), 1);
    assert!(kept.store.use_assertion("other".into(), NOW + 20).await.unwrap());
    kept.store.forget_tokens(NOW + 9).await.unwrap();
    assert!(!kept.store.use_assertion("h".into(), NOW + 10).await.unwrap());
    kept.store.forget_tokens(NOW + 10).await.unwrap();
    assert!(kept.store.use_assertion("h".into(), NOW + 10).await.unwrap(), "forgotten at its end");
    assert!(!kept.store.use_assertion("other".into(), NOW + 20).await.unwrap(), "and no other");
}
