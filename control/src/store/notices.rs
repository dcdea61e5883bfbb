//! News on their way to people.

use async_trait::async_trait;
use sluice_engine::policy::document::Channel;

use super::StoreError;
use crate::notices::{Delivery, DeliveryState, Notice, Outcome};

/// Which deliveries are taken, to be tried now.
#[derive(Debug, Clone)]
pub struct Taking {
    /// The channel.
    pub channel: String,
    /// At most so many.
    pub most: u32,
    /// When the try counts as lost, in Unix milliseconds: whoever took them is gone, and others may take them.
    pub until_ms: u64,
}

/// What came of a try.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The delivery's id.
    pub delivery: String,
    /// Which try it was. Where another one has begun since, it says nothing.
    pub tries: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// By chance, to spread the next tries.
    pub random: u32,
}

/// What came of the wish to try a dead delivery again.
#[derive(Debug, Clone)]
pub enum Retried {
    /// It is tried again.
    Done(Delivery),
    /// It is not dead; this is how it stands.
    NotDead(Delivery),
    /// No such delivery.
    Unknown,
}

/// Notices. What is news is put into the outbox by the write that it comes from. Times are Unix milliseconds, given by the
/// caller.
#[async_trait]
pub trait Notices: Send + Sync {
    /// Makes deliveries of what is in the outbox, for each channel that is told of it; says how much was there. `authors`:
    /// groups of those who may accept proposals.
    async fn route_news(
        &self,
        channels: Vec<Channel>,
        authors: Vec<String>,
        now_ms: u64,
    ) -> Result<usize, StoreError>;

    /// The channels that have deliveries whose time has come.
    async fn due_channels(&self, now_ms: u64) -> Result<Vec<String>, StoreError>;

    /// Takes deliveries whose time has come. Nobody else gets them until their time is over.
    async fn take_deliveries(&self, taking: Taking, now_ms: u64) -> Result<Vec<Delivery>, StoreError>;

    /// Writes down what came of a try; says how the delivery then stands.
    async fn tried(&self, tried: Tried, now_ms: u64) -> Result<Option<Delivery>, StoreError>;

    /// Adds a delivery to a channel.
    async fn add_delivery(&self, channel: &str, notice: Notice, now_ms: u64) -> Result<Delivery, StoreError>;

    /// Has a dead delivery tried again, from the start.
    async fn retry_delivery(&self, id: &str, now_ms: u64) -> Result<Retried, StoreError>;

    /// A delivery.
    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError>;

    /// Deliveries, the newest first; of one state, or all.
    async fn deliveries(&self, state: Option<DeliveryState>, limit: u32)
    -> Result<Vec<Delivery>, StoreError>;

    /// Whether this was never said before, of what is good for ten minutes at the most: a request that comes again is another's.
    async fn is_first(&self, key: [u8; 32], now_ms: u64) -> Result<bool, StoreError>;
}
