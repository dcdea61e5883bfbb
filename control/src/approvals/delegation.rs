//! The right of one person to decide, handed to another until a time.

use serde::{Deserialize, Serialize};
use sluice_engine::record::Who;

use super::DecidedBy;

/// An approver's right to decide as a member of some groups, in the hands of another person until a time.
///
/// It never reaches further than the giver's own: what the giver may not decide, neither may whoever speaks for them.
/// What was handed over cannot be handed on, since only groups of one's own token can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delegation {
    /// Its id.
    pub id: String,
    /// Whose right it is.
    pub from: Who,
    /// The issuer of who may use it, by its name in the policy.
    pub issuer: String,
    /// Who may use it.
    pub subject: String,
    /// The groups as whose member they may decide.
    pub groups: Vec<String>,
    /// Why.
    pub reason: String,
    /// Since when, in Unix milliseconds.
    pub created_ms: u64,
    /// Until when.
    pub ends_ms: u64,
    /// Who ended it before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DecidedBy>,
}

/// Whose right somebody used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delegated {
    /// The delegation.
    pub delegation: String,
    /// The issuer of who has given it.
    pub issuer: String,
    /// Who has given it.
    pub subject: String,
}

impl Delegation {
    /// The longest, in seconds: 30 days, a holiday. What lasts longer is a membership of the group.
    pub const LONGEST: u64 = 30 * 24 * 3600;

    /// Whether it can be used.
    pub fn is_live(&self, now_ms: u64) -> bool {
        self.ended.is_none() && now_ms < self.ends_ms
    }

    /// Whether this is who may use it, as the issuer says: it gives a right, so that the subject alone is not enough.
    pub fn is_to(&self, who: &Who) -> bool {
        (&self.issuer, &self.subject) == (&who.issuer, &who.subject)
    }

    /// Whether this is who has given it, as the issuer says.
    pub fn is_from(&self, who: &Who) -> bool {
        (&self.from.issuer, &self.from.subject) == (&who.issuer, &who.subject)
    }

    /// As decisions name it.
    pub fn named(&self) -> Delegated {
        Delegated {
            delegation: self.id.clone(),
            issuer: self.from.issuer.clone(),
            subject: self.from.subject.clone(),
        }
    }
}
