//! People who are signed in in a browser.

use async_trait::async_trait;

use super::StoreError;
use crate::visits::Visit;

/// Visits, by the digests of their ids. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Visits: Send + Sync {
    /// Writes a visit that has begun.
    async fn open_visit(&self, digest: String, visit: Visit) -> Result<(), StoreError>;

    /// A visit. Whether it still stands is for the reader to say.
    async fn visit(&self, digest: &str) -> Result<Option<Visit>, StoreError>;

    /// Writes down that a visit was used; of one that is gone nothing.
    async fn see_visit(&self, digest: String, now_ms: u64) -> Result<(), StoreError>;

    /// Forgets a visit.
    async fn end_visit(&self, digest: String) -> Result<(), StoreError>;

    /// Forgets the visits whose time is over; says how many.
    async fn end_visits(&self, now_ms: u64) -> Result<usize, StoreError>;
}
