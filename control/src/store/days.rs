//! What was used, by day; and the sidecars that are seen.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;

/// By what a day's use is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// Everything.
    All,
    /// A group of the callers. One exchange counts for each of its caller's groups.
    Group,
    /// A model that answered.
    Model,
    /// A rule that denied or held.
    Rule,
    /// A kind of finding.
    Finding,
    /// A step of latency: the upper end in milliseconds, as a number that doubles from step to step.
    Latency,
}

impl By {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::All, Self::Group, Self::Model, Self::Rule, Self::Finding, Self::Latency];

    /// The word for it in stores.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Group => "group",
            Self::Model => "model",
            Self::Rule => "rule",
            Self::Finding => "finding",
            Self::Latency => "latency",
        }
    }
}

/// What was used on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// Days since 1970, UTC.
    pub day: u64,
    /// By what it is told apart.
    pub by: By,
    /// Which one; empty for [`By::All`].
    pub name: String,
    /// The sums.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Sums of use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    /// Exchanges; of a rule, its decisions; of a kind of finding, the findings; of a step of latency, exchanges that took
    /// no longer, and longer than the step before.
    pub times: u64,
    /// Decisions that refused something.
    pub denied: u64,
    /// Decisions that held something.
    pub held: u64,
    /// Tokens of prompts, cached ones included.
    pub input_tokens: u64,
    /// Tokens that models wrote.
    pub output_tokens: u64,
    /// What they cost, in millionths of a US dollar, where the policy has a price.
    pub cost_micro_usd: u64,
}

impl Sums {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.times, other.times),
            (&mut self.denied, other.denied),
            (&mut self.held, other.held),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.cost_micro_usd, other.cost_micro_usd),
        ] {
            *own = own.saturating_add(other);
        }
    }
}

/// A sidecar, as it asked for its bundle last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sidecar {
    /// Its Envoy's node id.
    pub node: String,
    /// The version of its filter.
    pub filter: String,
    /// The version of the bundle that it has; empty: none.
    pub bundle: String,
    /// When that was made, in Unix milliseconds; 0: not told.
    pub issued_ms: u64,
    /// When it was seen first.
    pub first_ms: u64,
    /// When it was seen last.
    pub seen_ms: u64,
    /// What went wrong last between it and control, as it says; empty: nothing that it knows of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trouble: String,
    /// When that was, by its own clock.
    #[serde(default)]
    pub trouble_ms: u64,
    /// Records that wait to be written, when it asked last.
    #[serde(default)]
    pub queued: u64,
}

/// Days and sidecars. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Days: Send + Sync {
    /// Everything from this day on (days since 1970, UTC), by day, kind and name.
    async fn days(&self, from_day: u64) -> Result<Vec<Used>, StoreError>;

    /// Writes down sidecars; of each, what was seen last stays.
    async fn see_sidecars(&self, seen: Vec<Sidecar>) -> Result<(), StoreError>;

    /// Sidecars seen since this moment, by node.
    async fn sidecars(&self, since_ms: u64) -> Result<Vec<Sidecar>, StoreError>;
}
