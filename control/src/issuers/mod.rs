//! Where issuers' public keys come from, and how they stay fresh.
//!
//! Keys are fetched when the policy names an issuer, every five minutes (sooner where the issuer says so), and at
//! once when a filter meets a key id that nobody has. A fetch that fails changes nothing: the old keys stay.

mod fetch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sluice_engine::policy::bundle::IssuerKeys;
use sluice_engine::policy::document::{Issuer, KeySource};
use sluice_engine::wire::Refresh;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::Client;
use crate::policies::Loaded;
pub use fetch::{Document, inline};
use fetch::{Fetched, fetch};

/// The shortest time between two fetches, whatever the issuer says of its keys' freshness.
const OFTENEST: Duration = Duration::from_secs(30);

/// How often keys are fetched.
const EVERY: Duration = Duration::from_secs(300);

/// The shortest time between two fetches that a filter asks for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The shortest and longest time until a failed fetch is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));

/// How an issuer's keys stand.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerStatus {
    /// How many keys are known.
    pub keys: usize,
    /// Why the last fetch failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How each issuer's keys stand, by the issuer's name.
pub type Statuses = Arc<Mutex<BTreeMap<String, IssuerStatus>>>;

/// An issuer whose keys are looked after.
struct Known {
    issuer: Issuer,
    keys: Vec<Value>,
    /// Keys that stand in the policy, or are control's own, are never fetched.
    due: Option<Instant>,
    last: Option<Instant>,
    failures: u32,
    busy: bool,
}

/// Looks after the keys of all issuers in the policy.
pub struct Keyring {
    own: Value,
    client: Client,
    known: BTreeMap<String, Known>,
    statuses: Statuses,
    keys: watch::Sender<Vec<IssuerKeys>>,
    fetches: JoinSet<(Issuer, Result<Fetched, String>)>,
}

impl Keyring {
    /// With control's own key, and where to put what becomes known. Keys that need no fetch are there at once.
    pub fn new(own: Value, policy: &Loaded, statuses: Statuses) -> (Self, watch::Receiver<Vec<IssuerKeys>>) {
        let (keys, receiver) = watch::channel(Vec::new());
        let known = BTreeMap::new();
        let mut keyring = Self { own, client: Client::new(), known, statuses, keys, fetches: JoinSet::new() };
        keyring.follow(policy);
        (keyring, receiver)
    }

    /// Runs for ever: follows the policy, the clock, and the filters that ask.
    pub async fn run(mut self, mut policy: watch::Receiver<Arc<Loaded>>, mut asked: mpsc::Receiver<Refresh>) {
        loop {
            self.start_fetches();
            let next = self.known.values().filter(|known| !known.busy).filter_map(|known| known.due).min();
            let wake = next.unwrap_or_else(|| Instant::now() + EVERY);
            tokio::select! {
                changed = policy.changed() => {
                    if changed.is_err() { return }
                    let loaded = Arc::clone(&policy.borrow_and_update());
                    self.follow(&loaded);
                }
                refresh = asked.recv() => {
                    let Some(refresh) = refresh else { return };
                    self.ask(&refresh);
                }
                Some(done) = self.fetches.join_next() => {
                    if let Ok((issuer, fetched)) = done {
                        self.take(&issuer, fetched);
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    fn follow(&mut self, policy: &Loaded) {
        let wanted = &policy.policy.issuers;
        self.known.retain(|_, known| wanted.contains(&known.issuer));
        for issuer in wanted {
            let own = &self.own;
            self.known.entry(issuer.name.clone()).or_insert_with(|| {
                let (keys, due) = match &issuer.keys {
                    KeySource::Control => (vec![own.clone()], None),
                    KeySource::Jwks(set) => (inline(set), None),
                    KeySource::None => (Vec::new(), None),
                    KeySource::Discovery | KeySource::JwksUri(_) => (Vec::new(), Some(Instant::now())),
                };
                Known { issuer: issuer.clone(), keys, due, last: None, failures: 0, busy: false }
            });
        }
        self.statuses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|n, _| self.known.contains_key(n));
        self.tell();
    }

    fn ask(&mut self, refresh: &Refresh) {
        let Some(known) = self.known.get_mut(&refresh.issuer) else { return };
        // The filter is behind: the key is on its way to it.
        let has = |key: &Value| key.get("kid").and_then(Value::as_str) == Some(&refresh.kid);
        if known.due.is_none() || known.keys.iter().any(has) {
            return;
        }
        let earliest = known.last.map_or_else(Instant::now, |last| last + PATIENCE);
        known.due = known.due.map(|due| due.min(earliest.max(Instant::now())));
    }

    fn start_fetches(&mut self) {
        let now = Instant::now();
        for known in self.known.values_mut().filter(|k| !k.busy && k.due.is_some_and(|due| due <= now)) {
            known.busy = true;
            known.last = Some(now);
            let (client, issuer) = (self.client.clone(), known.issuer.clone());
            self.fetches.spawn(async move {
                let fetched = fetch(&client, &issuer).await;
                (issuer, fetched)
            });
        }
    }

    fn take(&mut self, issuer: &Issuer, fetched: Result<Fetched, String>) {
        // The policy may have changed meanwhile.
        let Some(known) = self.known.get_mut(&issuer.name).filter(|known| known.issuer == *issuer) else {
            return;
        };
        known.busy = false;
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let status = statuses.entry(issuer.name.clone()).or_default();
        match fetched {
            Ok(fetched) => {
                known.failures = 0;
                known.due = Some(Instant::now() + fetched.fresh.clamp(OFTENEST, EVERY));
                known.keys = fetched.keys;
                status.error = None;
            }
            Err(why) => {
                tracing::warn!(
                    issuer = issuer.name,
                    why,
                    "the issuer's keys were not fetched; the old ones stay"
                );
                let wait = RETRY.0.saturating_mul(2_u32.saturating_pow(known.failures)).min(RETRY.1);
                known.failures = known.failures.saturating_add(1);
                known.due = Some(Instant::now() + wait);
                status.error = Some(why);
            }
        }
        drop(statuses);
        self.tell();
    }

    fn tell(&self) {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, known) in &self.known {
            statuses.entry(name.clone()).or_default().keys = known.keys.len();
        }
        drop(statuses);
        let all = self.known.iter();
        let all: Vec<_> =
            all.map(|(name, k)| IssuerKeys { issuer: name.clone(), keys: k.keys.clone() }).collect();
        self.keys.send_if_modified(|current| {
            let changed = *current != all;
            *current = all;
            changed
        });
    }
}

#[cfg(test)]
mod tests;
