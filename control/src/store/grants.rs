//! Rights with an end.

use async_trait::async_trait;

use super::StoreError;
use crate::approvals::Bar;
use crate::grants::{Change, Grant, GrantState};

/// What came of a step that somebody took with a grant.
#[derive(Debug, Clone)]
pub enum Changed {
    /// It counts. A wish waits on where more must approve.
    Done(Grant),
    /// They may not decide it.
    Barred(Bar),
    /// The step had no place any more; this is how the grant stands.
    TooLate(Grant),
    /// No such grant.
    Unknown,
}

/// Grants. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Writes a wish for a grant, or a grant that is live at once.
    async fn open_grant(&self, grant: Grant) -> Result<(), StoreError>;

    /// Takes a step with a grant, where it still has its place.
    async fn change_grant(&self, change: Change, now_ms: u64) -> Result<Changed, StoreError>;

    /// Writes down the ends of grants and wishes whose time is over; says how many.
    async fn end_grants(&self, now_ms: u64) -> Result<usize, StoreError>;

    /// A grant.
    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError>;

    /// Grants, the newest first; of one state, or all.
    async fn grants(&self, state: Option<GrantState>, limit: u32) -> Result<Vec<Grant>, StoreError>;

    /// Grants of a subject, of any issuer, that wait or are live: the newest first.
    async fn grants_of(&self, subject: &str, limit: u32) -> Result<Vec<Grant>, StoreError>;
}
