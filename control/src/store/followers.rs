//! Those who follow the log, and how far they have come.

use async_trait::async_trait;

use super::StoreError;

/// Where a follower of the log stands. The log is followed by one replica at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The cursor of the last entry that it is done with.
    pub done: i64,
    /// The cursor of the log's last entry.
    pub end: i64,
    /// The replica whose turn it is, or was.
    pub holder: String,
    /// Until when, in Unix milliseconds; then others may go on.
    pub until_ms: u64,
}

/// A step of a follower.
#[derive(Debug, Clone)]
pub struct Advance {
    /// The follower.
    pub follower: String,
    /// The replica that makes the step.
    pub holder: String,
    /// Where the follower stood: nothing happens where it has moved since.
    pub from: i64,
    /// Where it stands then.
    pub to: i64,
    /// Until when the turn stays this replica's, in Unix milliseconds.
    pub until_ms: u64,
}

/// Followers of the log. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Followers: Send + Sync {
    /// Where a follower stands. One that is new begins at the log's end.
    async fn followed(&self, follower: &str) -> Result<Followed, StoreError>;

    /// Makes a step, also one on the spot that only takes the turn. Says whether it was made: not when it is another
    /// replica's turn, or the follower stands elsewhere.
    async fn advance(&self, step: Advance, now_ms: u64) -> Result<bool, StoreError>;
}
