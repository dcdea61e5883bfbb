//! What control keeps, behind one trait.
//!
//! Promises that every implementation keeps, and the tests of this folder hold it to:
//!
//! 1. What a write returns is durable: it returns after the commit, and the commit is synced to the disk.
//! 2. A write is whole or did not happen: a record, its blocks and its hold go in one transaction.
//! 3. Writes of one hold happen one after the other, so that an approval is used once.
//! 4. Entries become visible in the order of their cursors, so that a reader who goes on from the last one misses
//!    none.
//!
//! Each area has a trait of its own ([`Log`], [`Holds`] and so on), in a file of its name; `sql` has its statements
//! in a file of the same name.

mod approvals;
mod days;
mod error;
mod followers;
mod grants;
mod holds;
mod log;
mod notices;
mod numbers;
mod operation;
mod policies;
pub mod postgres;
mod retention;
mod reviews;
mod revocations;
mod spending;
pub mod sqlite;
mod texts;
mod tokens;
pub mod transfer;
mod usage;
mod visits;
mod vouched;

use async_trait::async_trait;

pub use approvals::{Approvals, Commented};
pub use days::{By, Days, Sidecar, Sums, Used};
pub use error::StoreError;
pub use followers::{Advance, Followed, Followers};
pub use grants::{Changed, Grants};
pub use holds::{Decided, Decision, Holds};
pub use log::{Addition, Enrolled, Head, Log, Mark, Session, Stored, Verdicts, Which, WhichSessions};
pub use notices::{Notices, Retried, Taking, Tried};
pub use operation::Operation;
pub use policies::{Acted, Policies, Proposed};
pub use retention::Retention;
pub use reviews::{Closed, Lifted, Reviews, Ruled, Started, WhichItems};
pub use revocations::Revocations;
pub use spending::{Spending, WhichSpending};
pub use texts::{Indexed, Indexing, PLACES, Standing, TextOf, Texts};
pub use tokens::Tokens;
pub use usage::{Backlog, Usages, WhichUsage};
pub use visits::Visits;
pub use vouched::Vouches;

/// What another replica has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News<'a> {
    /// This hold.
    Hold(&'a str),
    /// Some grant.
    Grants,
    /// The policy in force.
    Policy,
    /// Something is shut out.
    Revocations,
    /// What reviews have taken back.
    Withheld,
    /// Something may have been missed: anything.
    Missed,
}

impl<'a> News<'a> {
    /// The word for a change of grants.
    const GRANTS: &'static str = "grants";
    /// The word for a change of what is withheld.
    const WITHHELD: &'static str = "withheld";
    /// The word for another policy.
    const POLICY: &'static str = "policy";

    /// The word for a change of revocations.
    const REVOCATIONS: &'static str = "revocations";

    /// As one replica tells it to the others. A hold is told by its id; none of its letters makes one of the words.
    pub fn word(self) -> &'a str {
        match self {
            Self::Hold(id) => id,
            Self::Grants => Self::GRANTS,
            Self::Policy => Self::POLICY,
            Self::Revocations => Self::REVOCATIONS,
            Self::Withheld => Self::WITHHELD,
            Self::Missed => "",
        }
    }

    /// What another replica has told.
    pub fn read(word: &'a str) -> Self {
        match word {
            "" => Self::Missed,
            Self::GRANTS => Self::Grants,
            Self::POLICY => Self::Policy,
            Self::REVOCATIONS => Self::Revocations,
            Self::WITHHELD => Self::Withheld,
            id => Self::Hold(id),
        }
    }
}

/// Is told of news.
pub type Heard = Box<dyn Fn(News<'_>) + Send + Sync>;

/// What control keeps.
#[async_trait]
pub trait Store:
    Log
    + Holds
    + Grants
    + Revocations
    + Reviews
    + Spending
    + Approvals
    + Days
    + Followers
    + Notices
    + Operation
    + Policies
    + Retention
    + Texts
    + Tokens
    + Usages
    + Visits
    + Vouches
{
    /// Hears of what other replicas have changed, for as long as that can be heard. Never returns where there are no
    /// other replicas.
    async fn listen(&self, heard: Heard) -> StoreError;

    /// Why the last write failed, as long as none has succeeded since.
    fn trouble(&self) -> Option<String>;

    /// Finishes the writes that were handed in and closes.
    async fn close(&self);
}

#[cfg(test)]
pub(crate) mod tests;
