//! Access reviews, and what they have taken back.

use async_trait::async_trait;

use super::StoreError;
use crate::approvals::DecidedBy;
use crate::reviews::{Bar, Choice, Item, Progress, Review, Ruling, Withholding};

/// What came of a start.
#[derive(Debug, Clone)]
pub enum Started {
    /// It has started.
    Done(Review),
    /// One of this name is open already.
    Running(Review),
    /// The last one of this name is not long enough ago.
    NotDue(Review),
}

/// What came of a decision.
#[derive(Debug, Clone)]
pub enum Ruled {
    /// These items are now as decided.
    Done(Vec<Item>),
    /// Nothing was decided on any of them.
    Barred(Bar),
    /// The review is over.
    Over(Review),
    /// No such review.
    Unknown,
}

/// What came of the wish to close a review before its deadline.
#[derive(Debug, Clone)]
pub enum Closed {
    /// It is closed.
    Done(Review),
    /// So many items are not decided.
    Undecided(u64),
    /// It was closed before.
    Over(Review),
    /// No such review.
    Unknown,
}

/// What came of the wish to give back what a review has taken.
#[derive(Debug, Clone)]
pub enum Lifted {
    /// It is given back.
    Done(Withholding),
    /// It was taken from whoever asks.
    Own,
    /// There is nothing of this id that is withheld.
    Unknown,
}

/// Which items are read, in the order of their numbers.
#[derive(Debug, Clone, Default)]
pub struct WhichItems {
    /// The review.
    pub review: String,
    /// Only those that stand so: `Some(None)` is not decided.
    pub decided: Option<Option<Choice>>,
    /// Only those behind this number.
    pub after: u32,
    /// At most this many.
    pub limit: u32,
}

/// Reviews. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Reviews: Send + Sync {
    /// Starts a review with its items, unless one of its name is open. With `every_ms`, only where the last of its name
    /// started so long before it: replicas that find it due at once start it once.
    async fn start_review(
        &self,
        review: Review,
        items: Vec<Item>,
        every_ms: Option<u64>,
    ) -> Result<Started, StoreError>;

    /// Reviews, the newest first.
    async fn reviews(&self, limit: u32) -> Result<Vec<(Review, Progress)>, StoreError>;

    /// A review.
    async fn review(&self, id: &str) -> Result<Option<(Review, Progress)>, StoreError>;

    /// The last review of a name.
    async fn last_review(&self, name: &str) -> Result<Option<Review>, StoreError>;

    /// Items of a review.
    async fn review_items(&self, which: WhichItems) -> Result<Vec<Item>, StoreError>;

    /// Decides on items: on all of them, or on none.
    async fn rule(&self, ruling: Ruling, now_ms: u64) -> Result<Ruled, StoreError>;

    /// Closes a review of which every item is decided.
    async fn close_review(&self, id: &str, by: DecidedBy) -> Result<Closed, StoreError>;

    /// Revokes what nobody has decided in reviews whose deadline is over, and closes them; names those closed.
    async fn end_reviews(&self, now_ms: u64) -> Result<Vec<Review>, StoreError>;

    /// Takes the reminders that are due, each once whatever the number of replicas.
    async fn remind(&self, now_ms: u64) -> Result<Vec<(Review, Progress)>, StoreError>;

    /// What is withheld now.
    async fn withheld(&self) -> Result<Vec<Withholding>, StoreError>;

    /// Gives back what a review has taken.
    async fn lift(&self, id: &str, by: DecidedBy) -> Result<Lifted, StoreError>;
}
