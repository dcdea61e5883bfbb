//! What identities have used.

use async_trait::async_trait;

use super::StoreError;
use crate::reviews::Usage;

/// Whose use is read, in the order of issuer and subject.
#[derive(Debug, Clone, Default)]
pub struct WhichUsage {
    /// Only those behind this issuer and subject.
    pub after: Option<(String, String)>,
    /// At most this many.
    pub limit: u32,
}

/// Entries of the log that were written before their use was added up: those behind `after` up to `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// The cursor up to which it is done.
    pub after: i64,
    /// The last cursor that belongs to it.
    pub until: i64,
}

/// What identities have used, added up with the records, in one transaction with them.
#[async_trait]
pub trait Usages: Send + Sync {
    /// What many identities have used.
    async fn usages(&self, which: WhichUsage) -> Result<Vec<Usage>, StoreError>;

    /// What one identity has used; `None`: it was never seen.
    async fn usage(&self, issuer: &str, subject: &str) -> Result<Option<Usage>, StoreError>;

    /// The first record of all, in Unix milliseconds: before it nothing is known.
    async fn usage_since(&self) -> Result<Option<u64>, StoreError>;

    /// What is not added up yet; `None`: nothing.
    async fn usage_backlog(&self) -> Result<Option<Backlog>, StoreError>;

    /// Adds what was used in the entries of the backlog up to a cursor. Does nothing where another replica has done so:
    /// `from` is the backlog as it was read.
    async fn add_usage(&self, from: Backlog, upto: i64, usage: Vec<Usage>) -> Result<(), StoreError>;
}
