//! People who are signed in in a browser.

use async_trait::async_trait;

use super::StoreError;
use crate::records::SignInEvent;
use crate::visits::Visit;

/// Visits, by the digests of their ids. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Visits: Send + Sync {
    /// Writes a visit that has begun, and what the log says of it.
    async fn open_visit(&self, digest: String, visit: Visit, event: SignInEvent) -> Result<(), StoreError>;

    /// A visit. Whether it still stands is for the reader to say.
    async fn visit(&self, digest: &str) -> Result<Option<Visit>, StoreError>;

    /// Writes down that a visit was used; of one that is gone nothing.
    async fn see_visit(&self, digest: String, now_ms: u64) -> Result<(), StoreError>;

    /// Forgets a visit, and writes in the log why; of one that is gone nothing.
    async fn end_visit(&self, digest: String, event: SignInEvent) -> Result<(), StoreError>;

    /// Forgets the visits whose time is over; says how many.
    async fn end_visits(&self, now_ms: u64) -> Result<usize, StoreError>;
}
