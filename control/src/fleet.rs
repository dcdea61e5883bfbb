//! Sidecars, as they ask for their bundle: remembered here, and written down now and then, so that a thousand polls
//! are one write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::store::{Sidecar, Store};

/// How often what was seen is written down.
const EVERY: Duration = Duration::from_secs(5);

/// Sidecars that are remembered between two writes. Whoever has the data-plane token could name more.
const MOST: usize = 20_000;

/// The longest name or trouble that is kept, in characters.
const NAME: usize = 200;

/// What was seen since it was written down last.
#[derive(Debug, Default)]
pub struct Fleet(Mutex<HashMap<String, Sidecar>>);

impl Fleet {
    /// A sidecar asks for its bundle.
    pub fn see(&self, mut sidecar: Sidecar) {
        for name in [&mut sidecar.node, &mut sidecar.filter, &mut sidecar.bundle, &mut sidecar.trouble] {
            *name = name.chars().take(NAME).collect();
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MOST || seen.contains_key(&sidecar.node) {
            seen.insert(sidecar.node.clone(), sidecar);
        }
    }

    fn take(&self) -> Vec<Sidecar> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_values().collect()
    }

    /// Writes down what was seen, for ever.
    pub async fn keep(self: Arc<Self>, store: Arc<dyn Store>) {
        loop {
            tokio::time::sleep(EVERY).await;
            let seen = self.take();
            if seen.is_empty() {
                continue;
            }
            if let Err(error) = store.see_sidecars(seen).await {
                tracing::warn!(%error, "which sidecars were seen was not written down");
            }
        }
    }
}
