//! Retention as the policy has it (`recording.retention`), in the background.
//!
//! The entries of the log stay, and with them who did what, when, and what was decided; the masked texts that they name
//! go, and so do the previews of holds. That is an entry of the log itself, signed like all others: verification takes a text for removed by retention
//! only where such an entry covers it.

use std::sync::Arc;
use std::time::Duration;

use crate::http::Control;
use crate::store::StoreError;

/// How often it is looked whether something is to be done.
const EVERY: Duration = Duration::from_secs(60);

/// Entries or blocks of one step: some milliseconds of the writer's time.
const STEP: u32 = 100;

/// Between two steps, so that others have their turn.
const PAUSE: Duration = Duration::from_millis(20);

/// A day in milliseconds. Texts are kept for whole days.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Follows the policy for ever.
pub async fn run(control: Arc<Control>) {
    loop {
        let retention = control.bundle.borrow().policy.recording.retention;
        if let Some(retention) = retention {
            match retain(&control, retention.as_millis()).await {
                Ok(0) => {}
                Ok(blocks) => {
                    tracing::info!(blocks, "texts that are older than the policy keeps them were removed")
                }
                Err(error) => tracing::error!(%error, "retention stopped; it goes on in a minute"),
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn retain(control: &Control, keep_ms: u64) -> Result<u64, StoreError> {
    let now = || (control.clock)();
    while !control.store.mark(STEP, now()).await? {
        tokio::time::sleep(PAUSE).await;
    }
    let floor = i64::try_from(now().saturating_sub(keep_ms) / DAY_MS).unwrap_or_default();
    if control.store.raise_floor(floor, now()).await? {
        tracing::info!(day = floor, "retention: what was last named before this day since 1970 goes");
    }
    while control.store.clear_previews(STEP).await? > 0 {
        tokio::time::sleep(PAUSE).await;
    }
    let mut gone = 0;
    loop {
        let some = control.store.sweep(STEP, now()).await?;
        gone += some;
        if some == 0 {
            return Ok(gone);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
