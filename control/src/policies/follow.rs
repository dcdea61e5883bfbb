//! What the store holds on its way into the bundle: grants, revocations, what reviews have taken back.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::store::StoreError;

/// How often the store is looked at when nothing is heard. What is heard of is out at once; this ends and forgets what is
/// over, and makes good what was not heard.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps `live` what `read` says, for as long as the service runs. While the store cannot be read, what is out stays, and
/// the log says `trouble`.
pub async fn follow<T: PartialEq, F: Future<Output = Result<T, StoreError>>>(
    changed: Arc<Notify>,
    live: watch::Sender<T>,
    trouble: &'static str,
    read: impl Fn() -> F,
) {
    loop {
        match read().await {
            Ok(now) => {
                live.send_if_modified(|before| {
                    let differs = *before != now;
                    *before = now;
                    differs
                });
            }
            Err(error) => tracing::error!(%error, "{trouble}"),
        }
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
