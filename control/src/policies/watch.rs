//! The last good policy, kept up to date: polled and compared by digest, which notices whatever a mount does.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch::Sender;

use super::faults::Fault;
use super::load::{Files, Loaded};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// How the policy stands.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The policy in force.
    pub version: String,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// The files that it came from.
    pub files: Vec<String>,
    /// What is wrong with the files as they are now; empty: nothing, they are in force.
    pub faults: Vec<Fault>,
    /// How many times files were found to be wrong.
    pub rejected_total: u64,
}

/// Follows the files for ever. Bad ones change nothing, and are named in the log and in the status.
pub async fn watch(
    path: PathBuf,
    loaded: Sender<Arc<Loaded>>,
    status: Arc<Mutex<Status>>,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
) {
    let mut seen = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let at = path.clone();
        // A slow mount must not hold up those who wait for a bundle.
        let Ok(read) = tokio::task::spawn_blocking(move || Files::read(&at)).await else { return };
        let (now, policy) = match &read {
            Ok(files) => {
                let digest = files.digest();
                if seen == Some(Some(digest)) {
                    continue;
                }
                (Some(digest), files.policy())
            }
            Err(_) if seen == Some(None) => continue,
            Err(fault) => (None, Err(vec![fault.clone()])),
        };
        seen = Some(now);
        let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
        match policy {
            Ok(policy) => {
                status.faults.clear();
                if policy.version != status.version {
                    tracing::info!(version = policy.version, files = ?policy.files, "a new policy is in force");
                    status.version.clone_from(&policy.version);
                    status.since_ms = clock();
                }
                status.files.clone_from(&policy.files);
                loaded.send_if_modified(|current| {
                    let changed = current.version != policy.version;
                    *current = Arc::new(policy);
                    changed
                });
            }
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(
                        file = fault.file,
                        line = fault.line,
                        field = fault.field,
                        reason = fault.why,
                        "the policy files are wrong; the last good policy stays in force"
                    );
                }
                status.rejected_total += 1;
                status.faults = faults;
            }
        }
    }
}
