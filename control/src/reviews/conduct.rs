//! What happens to reviews by itself: they start when they are due, remind, and end. Any number of replicas do this;
//! the store lets each happen once.

use std::sync::Arc;
use std::time::Duration;

use super::catch_up::catch_up;
use super::start::{StartError, start};
use crate::http::Control;
use crate::policies::Loaded;
use crate::store::StoreError;
use crate::trial;

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(2);

/// Does what is due, for as long as the service runs.
pub async fn conduct(control: Arc<Control>) {
    loop {
        if let Err(why) = step(&control).await {
            tracing::error!(why, "reviews do not go on; it is tried again");
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn step(control: &Control) -> Result<(), String> {
    let text = |error: StoreError| error.to_string();
    if control.store.usage_backlog().await.map_err(text)?.is_some() {
        let bundle = control.bundle.borrow().clone();
        let loaded = Loaded {
            policy: bundle.policy.clone(),
            version: bundle.policy_version.clone(),
            files: Vec::new(),
            warnings: Vec::new(),
        };
        let now_ms = (control.clock)();
        let runtime = trial::runtime(&loaded, Vec::new(), now_ms).map_err(|e| e.to_string())?;
        catch_up(&*control.store, &runtime.compiled).await.map_err(text)?;
    }
    let now_ms = (control.clock)();
    for review in control.store.end_reviews(now_ms).await.map_err(text)? {
        control.withheld_changed.notify_one();
        tracing::warn!(
            review = review.id,
            name = review.name,
            "an access review is over; what nobody attested was revoked"
        );
    }
    for (review, progress) in control.store.remind(now_ms).await.map_err(text)? {
        tracing::warn!(
            review = review.id,
            name = review.name,
            open = progress.open,
            deadline_ms = review.deadline_ms,
            reviewers = review.reviewers.join(", "),
            "an access review waits for its reviewers"
        );
    }
    start_due(control, now_ms).await.map_err(text)
}

async fn start_due(control: &Control, now_ms: u64) -> Result<(), StoreError> {
    let reviews = control.bundle.borrow().policy.reviews.clone();
    for review in &reviews {
        let Some(every) = review.every else { continue };
        let last = control.store.last_review(&review.name).await?;
        let due = last.is_none_or(|last| last.started_ms.saturating_add(every.as_millis()) <= now_ms);
        if !due {
            continue;
        }
        match start(control, review, None).await {
            Ok(_) | Err(StartError::Nothing | StartError::CatchingUp) => {}
            Err(StartError::Store(error)) => return Err(error),
            Err(why @ StartError::TooMuch) => {
                tracing::error!(name = review.name, %why, "an access review is due and does not start");
            }
        }
    }
    Ok(())
}
