//! Revocations: what is shut out, for how long, and how many.

use sluice_engine::policy::bundle::Revocation;
use sluice_engine::record::Who;

use super::{NOW, On, kept};
use crate::tokens::revocation::{REMEMBERED_MS, Revoked, now_revoked};

on_both! {
    what_is_revoked_is_there_until_its_time_is_over_and_in_the_log,
    a_later_revocation_never_weakens_one_that_is_there,
    a_holder_who_gives_back_token_after_token_ends_all_they_have,
    a_row_whose_reasons_cannot_be_read_still_shuts_out,
}

fn who(subject: &str) -> Who {
    Who { issuer: "corp".into(), subject: subject.into(), groups: Vec::new() }
}

fn token(id: &str, holder: Option<Who>, until_ms: u64) -> Revoked {
    let what = Revocation::Token { issuer: "corp".into(), id: id.into() };
    let by = holder.clone().unwrap_or_else(|| who("op"));
    Revoked { what, holder, by, reason: None, at_ms: NOW, until_ms }
}

fn subject(before_ms: u64, until_ms: u64) -> Revoked {
    let what = Revocation::Subject { issuer: "corp".into(), subject: "ana".into(), before_ms };
    Revoked { what, holder: None, by: who("op"), reason: Some("left".into()), at_ms: NOW, until_ms }
}

async fn what_is_revoked_is_there_until_its_time_is_over_and_in_the_log(on: On) {
    let kept = kept(on).await;
    for revoked in [token("t1", None, NOW + 100), subject(NOW, NOW + 200)] {
        assert_eq!(kept.store.revoke(revoked.clone()).await.unwrap(), Some(revoked));
    }
    assert_eq!(now_revoked(&*kept.store, NOW).await.unwrap().len(), 2);
    let shown = kept.store.revocations(NOW, 10).await.unwrap();
    assert_eq!(shown.iter().filter(|one| one.reason.as_deref() == Some("left")).count(), 1);
    assert_eq!(now_revoked(&*kept.store, NOW + 100).await.unwrap(), [subject(NOW, 0).what]);
    assert_eq!(now_revoked(&*kept.store, NOW + 200).await.unwrap(), []);
    assert_eq!(kept.store.revocations(NOW, 10).await.unwrap(), [], "what is over is gone");
    assert_eq!(kept.verify().await.writers.iter().map(|writer| writer.entries).sum::<u64>(), 2);
}

async fn a_later_revocation_never_weakens_one_that_is_there(on: On) {
    let kept = kept(on).await;
    kept.store.revoke(subject(NOW, NOW + 500)).await.unwrap();
    let merged = kept.store.revoke(subject(NOW - 50, NOW + 100)).await.unwrap().unwrap();
    assert_eq!((merged.what, merged.until_ms), (subject(NOW, 0).what, NOW + 500));
    assert_eq!(now_revoked(&*kept.store, NOW + 100).await.unwrap(), [subject(NOW, 0).what]);
    kept.store.revoke(subject(NOW + 50, NOW + 600)).await.unwrap();
    assert_eq!(now_revoked(&*kept.store, NOW + 500).await.unwrap(), [subject(NOW + 50, 0).what]);
}

async fn a_holder_who_gives_back_token_after_token_ends_all_they_have(on: On) {
    let kept = kept(on).await;
    for n in 0..80 {
        kept.store.revoke(token(&format!("t{n}"), Some(who("ana")), NOW + 100)).await.unwrap();
    }
    kept.store.revoke(token("b", Some(who("ben")), NOW + 100)).await.unwrap();
    let revoked = kept.store.revoked(NOW).await.unwrap();
    assert_eq!(revoked.len(), 52, "fifty of hers, all of hers, and his");
    assert!(revoked.contains(&subject(NOW, 0).what));
    let shown = kept.store.revocations(NOW, 100).await.unwrap();
    let wide = shown.iter().find(|one| one.what == subject(NOW, 0).what).unwrap();
    assert_eq!(wide.until_ms, NOW + REMEMBERED_MS);
    // Operators are not bounded so.
    for n in 0..60 {
        kept.store.revoke(token(&format!("o{n}"), None, NOW + 100)).await.unwrap();
    }
    assert_eq!(kept.store.revoked(NOW).await.unwrap().len(), 112);
}

async fn a_row_whose_reasons_cannot_be_read_still_shuts_out(on: On) {
    let kept = kept(on).await;
    kept.store.revoke(token("t1", None, NOW + 100)).await.unwrap();
    kept.tamper("UPDATE revocations SET detail = '{}'").await;
    assert_eq!(kept.store.revoked(NOW).await.unwrap().len(), 1);
}
