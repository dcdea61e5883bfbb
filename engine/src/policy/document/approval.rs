//! Who may approve what waits.

use serde::{Deserialize, Serialize};

use super::Duration;

/// Who may approve what waits, and within what time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// Groups of which an approver must be a member. Never the requester, whatever the groups.
    ///
    /// Example: `[data-owners]`
    pub groups: Vec<String>,
    /// How many different people must approve: one, where it is not said. One who denies is enough to deny.
    ///
    /// Example: `2`
    #[serde(default = "Approval::default_quorum", skip_serializing_if = "Approval::is_default_quorum")]
    pub quorum: u32,
    /// Whether whoever is in a team with the requester may not decide, whatever their other groups. Which groups are
    /// teams stands in `access.teams`.
    ///
    /// Example: `true`
    #[serde(default, skip_serializing_if = "is_no")]
    pub exclude_team: bool,
    /// After this the hold is denied.
    ///
    /// Example: `30m`
    #[serde(default = "Approval::default_expires")]
    pub expires: Duration,
    /// Whether the approver must give a reason.
    ///
    /// Example: `false`
    #[serde(default = "yes")]
    pub reason: bool,
    /// The longest time for which an approver may let the same person go on under the same rule without asking again.
    /// Absent: each hold is decided by itself. Not for grants, which have a time of their own, nor for definitions.
    ///
    /// Example: `1h`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_for: Option<Duration>,
}

impl Approval {
    /// The most people that may have to approve: more would hardly come together.
    pub const MOST: u32 = 20;

    /// The longest that `grantFor` may be: what is wanted for longer is a role, or a grant.
    pub const LONGEST_GRANT: Duration = Duration::hours(24 * 7);

    /// One person.
    pub fn default_quorum() -> u32 {
        1
    }

    fn is_default_quorum(quorum: &u32) -> bool {
        *quorum == Self::default_quorum()
    }

    /// One hour.
    pub fn default_expires() -> Duration {
        Duration::hours(1)
    }
}

fn yes() -> bool {
    true
}

fn is_no(value: &bool) -> bool {
    !*value
}
