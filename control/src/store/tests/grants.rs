//! Grants, and rows that cannot be read.

use super::{NOW, On, kept};
use crate::grants::tests::{change, wish};
use crate::grants::{GrantState, Step, now_live};
use crate::store::Changed;

on_both! {
    a_row_that_cannot_be_read_gives_no_right_and_keeps_no_other_from_being_revoked,
}

async fn a_row_that_cannot_be_read_gives_no_right_and_keeps_no_other_from_being_revoked(on: On) {
    let kept = kept(on).await;
    for id in ["good", "bad"] {
        kept.store.open_grant(wish(id, true, NOW)).await.unwrap();
    }
    assert_eq!(now_live(&*kept.store, NOW).await.unwrap().len(), 2);
    kept.tamper("UPDATE grants SET detail = '{}' WHERE id = 'bad'").await;
    assert_eq!(now_live(&*kept.store, NOW).await.unwrap().len(), 1);
    assert!(matches!(kept.store.change_grant(change("good", Step::Revoke), NOW).await, Ok(Changed::Done(_))));
    assert_eq!(now_live(&*kept.store, NOW).await.unwrap(), []);
    assert_eq!(now_live(&*kept.store, NOW + 10_000_000).await.unwrap(), [], "its end is no obstacle either");
    assert_eq!(kept.store.grants(Some(GrantState::Revoked), 10).await.unwrap().len(), 1);
}
