//! Notices: people are told what waits for them and what was decided.
//!
//! ```text
//!  a write ──► log entry ─┐ one transaction
//!              └► outbox ─┴─► routed by policy ──► delivery ──► sent ─► delivered
//!                              (one a channel)        ▲          │
//!                                                     └─ later ──┴─► dead: kept, tried again by hand
//! ```
//!
//! Nothing is lost and nothing is told that did not happen: the outbox is written with what it tells of. A delivery
//! arrives at least once; its id stays the same, so that receivers know one that comes again. What is told says who
//! wants what by which rule, and never shows a preview or any text of a prompt.

mod channels;
mod dispatch;
mod news;
mod schedule;
mod send;
mod signature;
mod slack;
mod teams;
mod webhook;

use serde::{Deserialize, Serialize};

pub use channels::Channels;
pub use dispatch::Dispatcher;
pub use news::{Notice, told};
pub use schedule::{TRIES, next};
pub use send::post;
pub use signature::{Refusal, is_from_slack};
pub use slack::{Button, answer, decided};

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryState {
    /// It is tried, or will be.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// The last try failed. It is kept, and tried again when somebody says so.
    Dead,
}

impl DeliveryState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// The state that the word stands for.
    pub fn read(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::Dead].into_iter().find(|state| state.word() == word)
    }
}

/// A notice on its way to one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its id, the same in every try: `webhook-id` of Standard Webhooks.
    pub id: String,
    /// The channel, by its name in the policy.
    pub channel: String,
    /// How it stands.
    pub state: DeliveryState,
    /// What is told.
    pub notice: Notice,
    /// When it was made, in Unix milliseconds.
    pub created_ms: u64,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next; while it is tried, when that try counts as lost; else when it came to its end.
    pub due_ms: u64,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// It did not arrive, or was refused.
    Failed {
        /// What went wrong, without anything secret.
        why: String,
        /// What the receiver asked to be left alone for, in milliseconds.
        after_ms: Option<u64>,
        /// Whether the receiver never wants to hear of it again.
        gone: bool,
    },
}

impl Outcome {
    fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), after_ms: None, gone: false }
    }
}
