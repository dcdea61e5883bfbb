//! Budgets: how many requests, tokens and dollars a person or a group may use in a window of time.

use serde::{Deserialize, Serialize};

use super::{Duration, Usd};

/// What a model costs: US dollars for a million tokens. The first entry whose globs fit a model's name holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// Name, for merging and messages.
    ///
    /// Example: `sonnet`
    pub name: String,
    /// Model names, as globs. `"*"` in the last entry prices whatever else roles allow.
    ///
    /// Example: `["claude-sonnet-*"]`
    pub models: Vec<String>,
    /// Tokens of the prompt that neither come from the cache nor go into it.
    ///
    /// Example: `3`
    pub input: Usd,
    /// Tokens that the model writes.
    ///
    /// Example: `15`
    pub output: Usd,
    /// Tokens written to the cache for five minutes. Absent: 1.25 times `input`, as the API prices it.
    ///
    /// Example: `3.75`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Usd>,
    /// Tokens written to the cache for an hour. Absent: twice `input`, as the API prices it.
    ///
    /// Example: `6`
    #[serde(default, rename = "cacheWrite1h", skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Usd>,
    /// Tokens read from the cache. Absent: a tenth of `input`, as the API prices it.
    ///
    /// Example: `0.30`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Usd>,
}

/// What may be used within a window. Of all budgets that apply to a request each must hold.
///
/// Windows are fixed and begin at multiples of their length since 1970-01-01 00:00 UTC: `24h` is a UTC day, `1h`
/// the hour on the clock. A request belongs to the window in which it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Budget {
    /// Name that refusals and records carry.
    ///
    /// Example: `readers-a-day`
    pub name: String,
    /// Groups that it is for (exact).
    ///
    /// Example: `[readers]`
    pub groups: Vec<String>,
    /// Subjects that it is for (exact). With neither groups nor subjects: everyone.
    ///
    /// Example: `[ci@example.com]`
    pub subjects: Vec<String>,
    /// Whether each person has it for themselves (the default), or each of `groups` has it together.
    ///
    /// Example: `group`
    pub per: Per,
    /// Route names, as globs. Empty: every route.
    ///
    /// Example: `["messages.*"]`
    pub routes: Vec<String>,
    /// Model names, as globs. Empty: every model, and requests that name none.
    ///
    /// Example: `["claude-opus-*"]`
    pub models: Vec<String>,
    /// Most requests. What is refused by a rule counts too; each request of a batch counts as one.
    ///
    /// Example: `120`
    pub requests: Option<u64>,
    /// Most tokens, of prompts (cached ones included) and replies together.
    ///
    /// Example: `2000000`
    pub tokens: Option<u64>,
    /// Most tokens of prompts, cached ones included.
    ///
    /// Example: `1500000`
    pub input_tokens: Option<u64>,
    /// Most tokens that the model writes.
    ///
    /// Example: `500000`
    pub output_tokens: Option<u64>,
    /// Most US dollars, by `prices`. A model without a price is refused where such a budget applies.
    ///
    /// Example: `20`
    pub cost: Option<Usd>,
    /// The window: `1m`, `1h`, `24h`, `30d`.
    ///
    /// Example: `24h`
    pub window: Duration,
    /// What the caller reads behind the figures.
    ///
    /// Example: `Ask the platform team for more.`
    pub message: Option<String>,
}

/// Who shares a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Per {
    /// Each person has it for themselves.
    #[default]
    Person,
    /// All members of a group have it together; someone in several of the groups uses each of theirs.
    Group,
}
