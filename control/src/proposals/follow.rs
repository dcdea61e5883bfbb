//! Policy on its way from the store to the bundle.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ed25519_dalek::{SigningKey, VerifyingKey};
use tokio::sync::Notify;
use tokio::sync::watch;

use super::StoredPolicy;
use crate::policies::{Files, Loaded, Status};
use crate::records::{Entry, PolicyChange, PolicyEvent};
use crate::store::{Addition, Store};

/// How often the store is looked at when nothing is heard. What is heard of is in force at once; this makes good what
/// was not heard.
const LOOK: Duration = Duration::from_secs(2);

/// How soon a write that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Where policy comes from.
#[derive(Clone)]
pub enum Origin {
    /// From files: who can write them rules.
    Files,
    /// From the store: one author proposes, another accepts.
    Store {
        /// Vouches for what is accepted.
        key: SigningKey,
        /// Notified when another policy is in force.
        changed: Arc<Notify>,
    },
}

impl Origin {
    /// Somebody has put another policy in force, here or on another replica.
    pub fn changed(&self) {
        if let Self::Store { changed, .. } = self {
            changed.notify_one();
        }
    }
}

/// The policy to start with: the one in the store; where there is none, the files become the first.
///
/// # Errors
/// What is wrong with it, in words for whoever starts the service.
pub async fn begin(
    store: &dyn Store,
    path: &Path,
    key: &SigningKey,
    now_ms: u64,
) -> Result<(u64, Loaded), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    if let Some(policy) = store.policy_after(0).await.map_err(|e| text(&e))? {
        tracing::info!(number = policy.number, "policy comes from the store; the files are not looked at");
        return read(policy, &key.verifying_key());
    }
    let told = |faults: Vec<crate::policies::Fault>| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!(
            "the policy is not in order, and there is none in the store to go on with:\n{}",
            lines.join("\n")
        )
    };
    let files = Files::read(path).map_err(|fault| told(vec![fault]))?;
    let documents = files.documents();
    let loaded = Files::of(&documents).and_then(|files| files.policy()).map_err(told)?;
    let first = StoredPolicy::signed(1, documents, now_ms, key);
    store.begin_policy(first, loaded.version).await.map_err(|e| text(&e))?;
    // Another replica may have been first.
    match store.policy_after(0).await.map_err(|e| text(&e))? {
        Some(policy) => read(policy, &key.verifying_key()),
        None => Err("the policy was stored, and cannot be read again".into()),
    }
}

/// What a stored policy says, if it is vouched for.
fn read(policy: StoredPolicy, voucher: &VerifyingKey) -> Result<(u64, Loaded), String> {
    let number = policy.number;
    if !policy.is_vouched_for(voucher) {
        return Err(format!(
            "policy {number} in the database is not vouched for by this service's bundle key: somebody has changed it, or \
             the key is another one. Restore the key or the database, or start with files alone (without \
             --policy-from-store)"
        ));
    }
    let loaded = Files::of(&policy.documents).and_then(|files| files.policy()).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("policy {number} in the database cannot be used by this release:\n{}", lines.join("\n"))
    })?;
    Ok((number, loaded))
}

/// Keeps `loaded` what the store says, for as long as the service runs. One that cannot be used changes nothing, and
/// is named in the log and in the status. `number`: of the policy in force.
pub async fn follow(
    store: Arc<dyn Store>,
    origin: Origin,
    mut number: u64,
    loaded: watch::Sender<Arc<Loaded>>,
    status: Arc<Mutex<Status>>,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
) {
    let Origin::Store { key, changed } = origin else { return };
    let voucher = key.verifying_key();
    loop {
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        let found = match store.policy_after(number).await {
            Ok(Some(policy)) => policy,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(%error, "policy cannot be read from the store; the last good one stays in force");
                continue;
            }
        };
        number = found.number;
        match read(found, &voucher) {
            Ok((number, policy)) => {
                tracing::info!(number, version = policy.version, "a new policy is in force");
                let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
                status.faults.clear();
                status.version.clone_from(&policy.version);
                status.since_ms = clock();
                status.files.clone_from(&policy.files);
                loaded.send_replace(Arc::new(policy));
            }
            Err(why) => {
                tracing::error!(why, "the policy in the store is wrong; the last good one stays in force");
                status.lock().unwrap_or_else(PoisonError::into_inner).rejected_total += 1;
            }
        }
    }
}

/// Writes down each policy that comes into force here, from the first on, wherever it comes from.
pub async fn record(
    store: Arc<dyn Store>,
    mut loaded: watch::Receiver<Arc<Loaded>>,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
) {
    loop {
        let policy = Arc::clone(&loaded.borrow_and_update());
        let event = PolicyEvent {
            change: PolicyChange::InForce,
            at_ms: clock(),
            version: policy.version.clone(),
            files: policy.files.clone(),
            proposal: None,
            by: None,
        };
        let addition = Addition { entries: vec![Entry::Policy(Box::new(event))], ..Addition::default() };
        while let Err(error) = store.add(addition.clone(), clock()).await {
            tracing::error!(%error, "a change of policy could not be written down; trying again");
            tokio::time::sleep(AGAIN).await;
        }
        if loaded.changed().await.is_err() {
            return;
        }
    }
}
