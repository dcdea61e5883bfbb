//! What the log says of approvals beyond holds and grants, and of policy.

use serde::{Deserialize, Serialize};
use sluice_engine::record::Who;

use crate::approvals::{DecidedBy, Delegation, Pass};

/// Something that happened to an approval for a time. Its end by itself is none: the end stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassEvent {
    /// The pass.
    pub id: String,
    /// Whether it was taken back; otherwise it was given.
    pub revoked: bool,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// The hold that was approved for a time.
    pub hold: String,
    /// The rule.
    pub rule: String,
    /// Who has it.
    pub who: Who,
    /// When it ends by itself.
    pub ends_ms: u64,
    /// Who did this, the last of them where there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<DecidedBy>,
}

impl PassEvent {
    /// A pass as it stands, since this moment.
    pub fn new(pass: &Pass, at_ms: u64) -> Self {
        Self {
            id: pass.id.clone(),
            revoked: pass.revoked.is_some(),
            at_ms,
            hold: pass.hold.clone(),
            rule: pass.rule.clone(),
            who: pass.who.clone(),
            ends_ms: pass.ends_ms,
            by: pass.revoked.as_ref().or(pass.by.last()).cloned(),
        }
    }
}

/// Something that happened to a delegation. Its end by itself is none: the end stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DelegationEvent {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// As it stands now; `ended` where somebody has ended it.
    #[serde(flatten)]
    pub delegation: Delegation,
}

/// Something that happened to policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEvent {
    /// What.
    pub change: PolicyChange,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// The version of the policy: the digest of what decides.
    pub version: String,
    /// Its files.
    pub files: Vec<String>,
    /// The proposal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// Who did this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<DecidedBy>,
}

/// What happened to policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyChange {
    /// This replica has it in force since this moment.
    InForce,
    /// Somebody has proposed it.
    Proposed,
    /// Somebody else has accepted it.
    Accepted,
    /// Somebody has refused it.
    Rejected,
    /// Who proposed it has taken it back.
    Withdrawn,
    /// Another policy came into force first.
    Stale,
}

impl PolicyChange {
    /// The word for it, in messages and exports.
    pub fn word(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Stale => "stale",
        }
    }
}
