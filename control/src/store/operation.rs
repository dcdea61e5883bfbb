//! What the store tells of itself.

use async_trait::async_trait;

use super::StoreError;
use crate::metrics::{Meter, Seen};

/// How the store is doing. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Operation: Send + Sync {
    /// What it counts while it writes.
    fn meter(&self) -> &Meter;

    /// What waits, and what is live.
    async fn seen(&self, now_ms: u64) -> Result<Seen, StoreError>;

    /// Writes something small, to find out whether writes work again.
    async fn probe(&self, now_ms: u64) -> Result<(), StoreError>;
}
