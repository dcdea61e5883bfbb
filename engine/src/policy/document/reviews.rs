//! Access reviews that are due again and again, or when an operator starts them.

use serde::{Deserialize, Serialize};

use super::Duration;

/// A review of who may do what: people look at each right beside its use, and keep it, take it back, or take part of it
/// back. What nobody has decided by the deadline is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Review {
    /// Name by which it is started and listed. Given once.
    ///
    /// Example: `quarterly`
    pub name: String,
    /// What is looked at. Absent: everything that anybody has.
    #[serde(default)]
    pub scope: ReviewScope,
    /// How often it starts by itself, counted from start to start; the first time at once. At least a day, and longer
    /// than `deadline`. Absent: only when an operator starts it (`sluice reviews start`).
    ///
    /// Example: `90d`
    #[serde(default)]
    pub every: Option<Duration>,
    /// How long people have. After it, what nobody has decided is taken back.
    ///
    /// Example: `14d`
    #[serde(default = "Review::default_deadline")]
    pub deadline: Duration,
    /// Groups whose members decide (exact). Nobody decides on themselves, whatever their groups.
    ///
    /// Example: `[team-leads]`
    pub reviewers: Vec<String>,
    /// How long before the deadline those who have not finished are reminded, in the log and by notices.
    ///
    /// Example: `[7d, 1d]`
    #[serde(default)]
    pub reminders: Vec<Duration>,
}

impl Review {
    /// Fourteen days: longer than a holiday of a week.
    pub fn default_deadline() -> Duration {
        Duration::hours(14 * 24)
    }
}

/// What a review looks at. Each list that is not empty narrows it; an empty one does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReviewScope {
    /// People who had one of these groups (exact) when they were seen last, and roles that come through one of them.
    ///
    /// Example: `[contractors]`
    pub groups: Vec<String>,
    /// These roles, by name.
    ///
    /// Example: `[writer]`
    pub roles: Vec<String>,
    /// Roles that give a model that fits one of these globs.
    ///
    /// Example: `["claude-opus-*"]`
    pub models: Vec<String>,
    /// Roles that give a tool that fits one of these globs.
    ///
    /// Example: `[Bash, "mcp__production__*"]`
    pub tools: Vec<String>,
}
