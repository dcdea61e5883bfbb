//! A review starts: what everybody has is written down beside what they used.

use std::collections::BTreeSet;

use sluice_engine::policy::document;
use sluice_engine::record::Who;

use super::access::Known;
use super::campaign::{Item, MAX_ITEMS, Review, ReviewState};
use super::plan;
use crate::http::Control;
use crate::keys::random_id;
use crate::store::{Started, StoreError, WhichUsage};

/// Identities read in one go.
const PAGE: u32 = 500;

/// Why a review does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is nothing to look at.
    #[error(
        "nobody has anything that this review looks at; widen its `scope`, or wait until someone was seen"
    )]
    Nothing,
    /// There is more than people can look at.
    #[error(
        "it would have more than {MAX_ITEMS} items, which nobody can look at: narrow its `scope`, or split it"
    )]
    TooMuch,
    /// Old records are still read.
    #[error("the use in old records is still being added up; try again in a while")]
    CatchingUp,
    /// The store does not give or take.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Starts a review of the policy. `by`: the operator who starts it; `None`: it is due, and starts only where the last
/// one is long enough ago.
///
/// # Errors
/// [`StartError`]; nothing has started then.
pub async fn start(
    control: &Control,
    review: &document::Review,
    by: Option<&Who>,
) -> Result<Started, StartError> {
    let now_ms = (control.clock)();
    if control.store.usage_backlog().await?.is_some() {
        return Err(StartError::CatchingUp);
    }
    let since_ms = control.store.usage_since().await?;
    let (items, policy_version) = items(control, review, since_ms, now_ms).await?;
    if items.is_empty() {
        return Err(StartError::Nothing);
    }
    let deadline_ms = now_ms.saturating_add(review.deadline.as_millis());
    let mut reminders_ms: Vec<u64> =
        review.reminders.iter().map(|left| deadline_ms.saturating_sub(left.as_millis())).collect();
    reminders_ms.sort_unstable();
    reminders_ms.dedup();
    let started = Review {
        id: random_id(),
        name: review.name.clone(),
        state: ReviewState::Open,
        scope: review.scope.clone(),
        reviewers: review.reviewers.clone(),
        started_ms: now_ms,
        started_by: by.map(|by| (by.issuer.clone(), by.subject.clone())),
        deadline_ms,
        closed_ms: None,
        reminders_ms,
        policy_version,
        since_ms,
        items: u32::try_from(items.len()).unwrap_or(u32::MAX),
        heads_at_start: Vec::new(),
        heads_at_end: Vec::new(),
    };
    let every_ms = review.every.filter(|_| by.is_none()).map(document::Duration::as_millis);
    let started = control.store.start_review(started, items, every_ms).await?;
    if let Started::Done(review) = &started {
        tracing::info!(
            review = review.id,
            name = review.name,
            items = review.items,
            deadline_ms = review.deadline_ms,
            reviewers = review.reviewers.join(", "),
            "an access review has started"
        );
    }
    Ok(started)
}

/// Its items, numbered, and the version of the policy that gives the rights.
async fn items(
    control: &Control,
    review: &document::Review,
    since_ms: Option<u64>,
    now_ms: u64,
) -> Result<(Vec<Item>, String), StartError> {
    let bundle = control.bundle.borrow().clone();
    let known = Known { policy: &bundle.policy, grants: &bundle.grants, withheld: &bundle.withheld, now_ms };
    let mut unseen: BTreeSet<(String, String)> = known.named();
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let page = control.store.usages(WhichUsage { after: after.clone(), limit: PAGE }).await?;
        let last = page.len() < PAGE as usize;
        for usage in page {
            let key = (usage.issuer.clone(), usage.subject.clone());
            unseen.remove(&key);
            let access = known.access(&key.0, &key.1, Some(usage));
            items.extend(plan::items(&access, &review.scope, since_ms, now_ms));
            after = Some(key);
        }
        if items.len() > MAX_ITEMS {
            return Err(StartError::TooMuch);
        }
        if last {
            break;
        }
    }
    for (issuer, subject) in unseen {
        let access = known.access(&issuer, &subject, None);
        items.extend(plan::items(&access, &review.scope, since_ms, now_ms));
    }
    if items.len() > MAX_ITEMS {
        return Err(StartError::TooMuch);
    }
    items.sort_by(|a, b| (&a.subject, &a.issuer, &a.role).cmp(&(&b.subject, &b.issuer, &b.role)));
    for (n, item) in (1..).zip(&mut items) {
        item.n = n;
    }
    Ok((items, bundle.policy_version.clone()))
}
