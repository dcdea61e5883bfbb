//! Delegations, passes, and what is said about holds.

use std::collections::HashMap;

use async_trait::async_trait;
use sluice_engine::record::Who;

use super::StoreError;
use crate::approvals::{DecidedBy, Delegation, Pass};
use crate::holds::Comment;
use crate::reviews::Use;

/// What came of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commented {
    /// It stands there.
    Done,
    /// The hold has as many as it may have.
    Full,
    /// No such hold.
    Unknown,
}

/// Delegations, passes and comments. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Approvals: Send + Sync {
    /// Hands over a right.
    async fn delegate(&self, delegation: Delegation) -> Result<(), StoreError>;

    /// Ends a delegation, unless it has ended; gives it as it then stands. `None`: no such delegation.
    async fn end_delegation(&self, id: &str, by: DecidedBy) -> Result<Option<Delegation>, StoreError>;

    /// A delegation.
    async fn delegation(&self, id: &str) -> Result<Option<Delegation>, StoreError>;

    /// Delegations, the newest first.
    async fn delegations(&self, limit: u32) -> Result<Vec<Delegation>, StoreError>;

    /// The delegations that somebody may use now.
    async fn delegations_to(&self, who: &Who, now_ms: u64) -> Result<Vec<Delegation>, StoreError>;

    /// Takes a pass back, unless it is over; gives it as it then stands. `None`: no such pass.
    async fn revoke_pass(&self, id: &str, by: DecidedBy) -> Result<Option<Pass>, StoreError>;

    /// A pass.
    async fn pass(&self, id: &str) -> Result<Option<Pass>, StoreError>;

    /// Passes, the newest first.
    async fn passes(&self, limit: u32) -> Result<Vec<Pass>, StoreError>;

    /// How often each of these passes let something go on, and when last, by their ids; one that did not is left out. The
    /// hold that opened a pass was approved by people, and is no use of it.
    async fn pass_uses(&self, passes: &[Pass]) -> Result<HashMap<String, Use>, StoreError>;

    /// Says something about a hold.
    async fn comment(&self, hold: &str, comment: Comment) -> Result<Commented, StoreError>;

    /// What was said about a hold, in order.
    async fn comments(&self, hold: &str) -> Result<Vec<Comment>, StoreError>;
}
