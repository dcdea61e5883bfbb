//! What the log holds of access reviews.

use serde::{Deserialize, Serialize};
use sluice_engine::policy::bundle::Part;

use crate::approvals::DecidedBy;
use crate::reviews::{Choice, Item, Review, Withholding};

/// Something that happened in an access review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewEvent {
    /// The review.
    pub review: String,
    /// Its name in the policy.
    pub name: String,
    /// What happened.
    pub change: ReviewChange,
    /// When, in Unix milliseconds, by control's clock.
    pub at_ms: u64,
    /// The policy at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<String>,
    /// How many items it has; with a reminder, how many are not decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// The item that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Reviewed>,
    /// What was taken back, where it is not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Who did it, as issuer and subject; absent: it happened by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, String)>,
    /// The reason given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A right of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reviewed {
    /// The item's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The issuer's name in the policy.
    pub issuer: String,
    /// Who has it.
    pub subject: String,
    /// The role.
    pub role: String,
    /// The grant that gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}

/// What happened in a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReviewChange {
    /// It began.
    Started,
    /// An item stays as it is.
    Certified,
    /// An item was taken back.
    Revoked,
    /// Part of an item was taken back.
    Reduced,
    /// An item was taken back since nobody decided on it.
    Unattested,
    /// Those who have not decided were reminded.
    Reminded,
    /// It is over.
    Closed,
    /// What it took back was given back.
    Lifted,
}

impl ReviewChange {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Certified => "certified",
            Self::Revoked => "revoked",
            Self::Reduced => "reduced",
            Self::Unattested => "unattested",
            Self::Reminded => "reminded",
            Self::Closed => "closed",
            Self::Lifted => "lifted",
        }
    }
}

impl ReviewEvent {
    /// Something happened to the review as a whole.
    pub fn of(review: &Review, change: ReviewChange, at_ms: u64) -> Self {
        let by = review.started_by.clone().filter(|_| change == ReviewChange::Started);
        Self { by, items: Some(review.items), ..Self::new(&review.id, &review.name, review, change, at_ms) }
    }

    /// An item was decided.
    pub fn decided(review: &Review, item: &Item, at_ms: u64) -> Self {
        let decision = item.decision.as_ref();
        let change = match decision.map(|decision| (decision.choice, decision.by.is_some())) {
            Some((Choice::Certify, _)) => ReviewChange::Certified,
            Some((Choice::Reduce, _)) => ReviewChange::Reduced,
            Some((Choice::Revoke, true)) => ReviewChange::Revoked,
            _ => ReviewChange::Unattested,
        };
        Self {
            about: Some(Reviewed {
                item: Some(item.n),
                issuer: item.issuer.clone(),
                subject: item.subject.clone(),
                role: item.role.clone(),
                grant: item.grant.clone(),
            }),
            part: decision.and_then(|decision| decision.part.clone()),
            by: decision.and_then(|decision| decision.by.clone()),
            reason: decision.map(|decision| decision.reason.clone()),
            ..Self::new(&review.id, &review.name, review, change, at_ms)
        }
    }

    /// What a review took back was given back.
    pub fn lifted(taken: &Withholding, by: &DecidedBy) -> Self {
        let what = &taken.withheld;
        Self {
            review: taken.review.clone(),
            name: what.id.clone(),
            change: ReviewChange::Lifted,
            at_ms: by.at_ms,
            policy_version: None,
            items: None,
            about: Some(Reviewed {
                item: None,
                issuer: what.issuer.clone(),
                subject: what.subject.clone(),
                role: what.role.clone(),
                grant: None,
            }),
            part: what.part.clone(),
            by: Some((by.issuer.clone(), by.subject.clone())),
            reason: by.reason.clone(),
        }
    }

    fn new(id: &str, name: &str, review: &Review, change: ReviewChange, at_ms: u64) -> Self {
        Self {
            review: id.to_owned(),
            name: name.to_owned(),
            change,
            at_ms,
            policy_version: Some(review.policy_version.clone()),
            items: None,
            about: None,
            part: None,
            by: None,
            reason: None,
        }
    }
}
