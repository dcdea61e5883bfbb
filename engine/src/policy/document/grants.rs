//! Rights with an end that people may ask for.

use serde::{Deserialize, Serialize};

use super::{Approval, Duration};

/// Roles that people may ask for, for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grantable {
    /// Name by which it is asked for. Given once.
    ///
    /// Example: `write-for-a-day`
    pub name: String,
    /// Roles that it gives, by name.
    ///
    /// Example: `[writer]`
    pub roles: Vec<String>,
    /// Groups whose members may ask (exact).
    ///
    /// Example: `[data-readers]`
    pub groups: Vec<String>,
    /// The longest time that it may be asked for.
    ///
    /// Example: `4h`
    #[serde(default = "Grantable::default_longest")]
    pub longest: Duration,
    /// Who may approve it. Absent only with `breakGlass`.
    ///
    /// Example: `{ groups: [approvers], expires: 30m }`
    #[serde(default)]
    pub approval: Option<Approval>,
    /// For emergencies: it is given at once, to whoever may ask, and stands out in the record.
    ///
    /// Example: `true`
    #[serde(default)]
    pub break_glass: bool,
}

impl Grantable {
    /// Eight hours: a working day.
    pub fn default_longest() -> Duration {
        Duration::hours(8)
    }
}
