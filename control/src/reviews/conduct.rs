//! What happens to reviews by itself.

use std::sync::Arc;
use std::time::Duration;

use super::catch_up::catch_up;
use crate::http::Control;
use crate::policies::Loaded;
use crate::trial;

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(5);

/// Adds up the use of old records, for as long as there are any.
pub async fn conduct(control: Arc<Control>) {
    loop {
        match step(&control).await {
            Ok(()) => return,
            Err(why) => {
                tracing::error!(why, "the use in old records could not be added up; it is tried again")
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn step(control: &Control) -> Result<(), String> {
    let backlog = control.store.usage_backlog().await.map_err(|e| e.to_string())?;
    if backlog.is_none() {
        return Ok(());
    }
    let policy = control.bundle.borrow().policy.clone();
    let loaded = Loaded { policy, version: String::new(), files: Vec::new(), warnings: Vec::new() };
    let runtime = trial::runtime(&loaded, Vec::new(), (control.clock)()).map_err(|e| e.to_string())?;
    catch_up(&*control.store, &runtime.compiled).await.map_err(|e| e.to_string())
}
