//! What reviews have taken back, on its way into the bundle.

use std::sync::Arc;
use std::time::Duration;

use sluice_engine::policy::bundle::Withheld;
use tokio::sync::{Notify, watch};

use crate::store::{Store, StoreError};

/// How often the store is looked at when nothing is heard.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps `live` what the store says, for as long as the service runs. While the store cannot be read, what was taken
/// back stays so.
pub async fn follow(store: Arc<dyn Store>, changed: Arc<Notify>, live: watch::Sender<Vec<Withheld>>) {
    loop {
        match now_withheld(&*store).await {
            Ok(withheld) => {
                live.send_if_modified(|before| {
                    let differs = *before != withheld;
                    *before = withheld;
                    differs
                });
            }
            Err(error) => {
                tracing::error!(%error, "what reviews took back cannot be read; what is out stays so")
            }
        }
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// What is withheld, as the bundle has it. All of it, however much: what is left out would be given back.
///
/// # Errors
/// When the store cannot be read.
pub async fn now_withheld(store: &dyn Store) -> Result<Vec<Withheld>, StoreError> {
    Ok(store.withheld().await?.into_iter().map(|taken| taken.withheld).collect())
}
