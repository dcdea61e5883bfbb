//! A review under way, its items, and what people decide on them.
//!
//! ```text
//!   start ─► open ── decisions, which may change ──► the deadline, or closed once all is decided ─► closed
//!                                                    └─ what nobody decided is revoked
//! ```

use serde::{Deserialize, Serialize};
use sluice_engine::identity::same_person;
use sluice_engine::policy::bundle::{Part, Withheld};
use sluice_engine::policy::document::ReviewScope;
use sluice_engine::record::Who;

use super::access::Right;
use crate::approvals::DecidedBy;

/// The most items of one review: more is no review that anybody could finish.
pub const MAX_ITEMS: usize = 20_000;

/// Where a review stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReviewState {
    /// Its items may be decided.
    Open,
    /// Over.
    Closed,
}

impl ReviewState {
    /// The word for it, in stores and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// A review under way, or over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Its id.
    pub id: String,
    /// Its name in the policy.
    pub name: String,
    /// Where it stands.
    pub state: ReviewState,
    /// What it looks at.
    pub scope: ReviewScope,
    /// Groups whose members decide, as the policy had them at the start.
    pub reviewers: Vec<String>,
    /// When it started, in Unix milliseconds.
    pub started_ms: u64,
    /// Who started it, as issuer and subject; absent: it was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<(String, String)>,
    /// When what nobody has decided is revoked, in Unix milliseconds.
    pub deadline_ms: u64,
    /// When it was over, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_ms: Option<u64>,
    /// Moments of reminders that are still to come, in Unix milliseconds, the next first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reminders_ms: Vec<u64>,
    /// The policy at the start.
    pub policy_version: String,
    /// The first record at the start, in Unix milliseconds: use before it is not known. Absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// How many items it has.
    pub items: u32,
    /// Where the chains of the log stood at the start.
    #[serde(default)]
    pub heads_at_start: Vec<HeadThen>,
    /// Where they stood at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads_at_end: Vec<HeadThen>,
}

/// Where a writer's chain stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadThen {
    /// The writer.
    pub writer: String,
    /// The number of its last entry.
    pub seq: u64,
    /// The chain's hash at it, hexadecimal.
    pub hash: String,
}

impl Review {
    /// Whether its items may be decided at a moment.
    pub fn is_open(&self, now_ms: u64) -> bool {
        self.state == ReviewState::Open && now_ms < self.deadline_ms
    }

    /// Takes the reminders that are due; says whether there were any.
    pub fn take_reminders(&mut self, now_ms: u64) -> bool {
        let before = self.reminders_ms.len();
        self.reminders_ms.retain(|at| *at > now_ms);
        self.reminders_ms.len() < before
    }
}

/// How far a review is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Items on which nobody has decided.
    pub open: u64,
    /// Items that stay as they are.
    pub certified: u64,
    /// Items that were revoked.
    pub revoked: u64,
    /// Items that were reduced.
    pub reduced: u64,
}

/// A right of an identity, as it was when the review started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its number in the review, from 1.
    pub n: u32,
    /// The issuer's name in the policy.
    pub issuer: String,
    /// Who has it.
    pub subject: String,
    /// Groups of the token that was seen last.
    pub groups: Vec<String>,
    /// The role; of a grant with several, all of them.
    pub role: String,
    /// The grant that gives it; absent: bindings do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// What it gives, and what of that was used.
    pub right: Right,
    /// What the identity did; absent: it was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// What the figures suggest.
    pub suggestion: Suggestion,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Attestation>,
}

/// What an identity did, beside one of its rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The first record, in Unix milliseconds.
    pub first_ms: u64,
    /// The last record, in Unix milliseconds.
    pub last_ms: u64,
    /// Exchanges, with whatever role.
    pub exchanges: u64,
    /// Decisions that refused something.
    pub denied: u64,
    /// Decisions that held something.
    pub held: u64,
    /// Findings in the traffic.
    pub findings: u64,
    /// Models of this right that were used in the last ninety days; at most fifty.
    pub models: Vec<String>,
    /// Tools of this right that were used in the last ninety days; at most fifty.
    pub tools: Vec<String>,
}

/// What can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Choice {
    /// It stays as it is.
    Certify,
    /// It is taken back.
    Revoke,
    /// Part of it is taken back.
    Reduce,
}

impl Choice {
    /// The word for what was decided, in stores and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Certify => "certified",
            Self::Revoke => "revoked",
            Self::Reduce => "reduced",
        }
    }
}

/// What the figures suggest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// What to decide; absent: the figures do not reach far enough to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// What to take back, of [`Choice::Reduce`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Why.
    pub why: String,
}

/// What was decided on an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attestation {
    /// What.
    pub choice: Choice,
    /// What was taken back, of [`Choice::Reduce`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// By whom, as issuer and subject; absent: by nobody before the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, String)>,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Why.
    pub reason: String,
}

/// Decides on items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The review.
    pub review: String,
    /// The items' numbers.
    pub items: Vec<u32>,
    /// What.
    pub choice: Choice,
    /// What is taken back, of [`Choice::Reduce`]; absent: what is suggested for each.
    pub part: Option<Part>,
    /// Who decides.
    pub by: Who,
    /// Why.
    pub reason: String,
}

/// Why a decision on an item has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bar {
    /// It is about whoever decides.
    #[error("item {0} is about yourself; someone else must decide it")]
    Own(u32),
    /// A grant has an end of its own and no parts.
    #[error("item {0} is a grant, which is certified or revoked as a whole")]
    Whole(u32),
    /// Nothing says which part.
    #[error("nothing is suggested for item {0}: say what is taken back (`part`)")]
    WhichPart(u32),
    /// A grant that was revoked stays so.
    #[error("the grant of item {0} was revoked, which is final; a new one may be asked for")]
    Final(u32),
    /// There is none.
    #[error("there is no item {0}")]
    NoItem(u32),
}

impl Item {
    /// What the item becomes by a ruling.
    ///
    /// # Errors
    /// [`Bar`].
    pub fn ruled(&self, ruling: &Ruling, now_ms: u64) -> Result<Attestation, Bar> {
        if same_person(&self.subject, &ruling.by.subject) {
            return Err(Bar::Own(self.n));
        }
        let gone = self.decision.as_ref().is_some_and(|own| own.choice == Choice::Revoke);
        if self.grant.is_some() && ruling.choice == Choice::Reduce {
            return Err(Bar::Whole(self.n));
        }
        if self.grant.is_some() && gone && ruling.choice != Choice::Revoke {
            return Err(Bar::Final(self.n));
        }
        let part = match ruling.choice {
            Choice::Reduce => {
                let part = ruling.part.as_ref().or(self.suggestion.part.as_ref());
                Some(part.filter(|part| !part.is_empty()).cloned().ok_or(Bar::WhichPart(self.n))?)
            }
            Choice::Certify | Choice::Revoke => None,
        };
        let by = Some((ruling.by.issuer.clone(), ruling.by.subject.clone()));
        Ok(Attestation { choice: ruling.choice, part, by, at_ms: now_ms, reason: ruling.reason.clone() })
    }

    /// What becomes of it when nobody has decided by the deadline.
    pub fn unattested(now_ms: u64) -> Attestation {
        let reason = "nobody attested it by the deadline".to_owned();
        Attestation { choice: Choice::Revoke, part: None, by: None, at_ms: now_ms, reason }
    }

    /// What the decision takes back of what bindings give; `None`: nothing.
    pub fn withholding(&self, review: &str) -> Option<Withholding> {
        let decision = self.decision.as_ref().filter(|_| self.grant.is_none())?;
        if decision.choice == Choice::Certify {
            return None;
        }
        Some(Withholding {
            withheld: Withheld {
                id: withheld_id(review, self.n),
                issuer: self.issuer.clone(),
                subject: self.subject.clone(),
                role: self.role.clone(),
                part: decision.part.clone(),
            },
            review: review.to_owned(),
            at_ms: decision.at_ms,
            by: decision.by.clone(),
            reason: decision.reason.clone(),
            lifted: None,
        })
    }
}

/// The id of what an item's decision takes back: a changed mind takes its place.
pub fn withheld_id(review: &str, n: u32) -> String {
    format!("{review}-{n}")
}

/// Something that a review has taken back, for as long as nobody lifts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withholding {
    /// What, as the bundle has it.
    pub withheld: Withheld,
    /// The review.
    pub review: String,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// By whom, as issuer and subject; absent: by nobody before the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(String, String)>,
    /// Why.
    pub reason: String,
    /// Who gave it back, by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<DecidedBy>,
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub fn item(n: u32, subject: &str) -> Item {
        serde_json::from_value(json!({
            "n": n, "issuer": "own", "subject": subject, "groups": ["staff"], "role": "writer",
            "right": {"role": "writer", "through": [], "scopes": ["messages.create"], "models": ["*"]},
            "suggestion": {"choice": "reduce", "part": {"models": ["claude-opus-*"]}, "why": "not used"},
        }))
        .unwrap()
    }

    pub fn review(id: &str, started_ms: u64) -> Review {
        serde_json::from_value(json!({
            "id": id, "name": "quarterly", "state": "open", "scope": {}, "reviewers": ["leads"],
            "startedMs": started_ms, "deadlineMs": started_ms + 1_000_000, "policyVersion": "p", "items": 0,
            "remindersMs": [started_ms + 500_000],
        }))
        .unwrap()
    }

    pub fn ruling(review: &str, items: &[u32], choice: Choice) -> Ruling {
        let by = Who { issuer: "own".into(), subject: "lea".into(), groups: vec!["leads".into()] };
        Ruling {
            review: review.into(),
            items: items.to_vec(),
            choice,
            part: None,
            by,
            reason: "looked".into(),
        }
    }

    #[test]
    fn nobody_decides_on_themselves_whatever_issuer_or_case() {
        for subject in ["lea", " LEA", "Lea"] {
            for choice in [Choice::Certify, Choice::Revoke, Choice::Reduce] {
                assert_eq!(item(3, subject).ruled(&ruling("r", &[3], choice), 1), Err(Bar::Own(3)));
            }
        }
        assert!(item(3, "ana").ruled(&ruling("r", &[3], Choice::Certify), 1).is_ok());
    }

    #[test]
    fn reducing_takes_what_is_named_or_what_is_suggested_and_never_nothing() {
        let reduce = ruling("r", &[1], Choice::Reduce);
        let part = |models: &[&str]| Part {
            models: models.iter().map(|m| (*m).to_owned()).collect(),
            ..Part::default()
        };
        assert_eq!(item(1, "ana").ruled(&reduce, 1).unwrap().part, Some(part(&["claude-opus-*"])));
        let named = Ruling { part: Some(part(&["x"])), ..reduce.clone() };
        assert_eq!(item(1, "ana").ruled(&named, 1).unwrap().part, Some(part(&["x"])));
        let empty = Ruling { part: Some(Part::default()), ..reduce.clone() };
        assert_eq!(item(1, "ana").ruled(&empty, 1), Err(Bar::WhichPart(1)));
        let mut none = item(1, "ana");
        none.suggestion.part = None;
        assert_eq!(none.ruled(&reduce, 1), Err(Bar::WhichPart(1)));
    }

    #[test]
    fn a_grant_is_revoked_for_good_and_as_a_whole() {
        let mut grant = item(1, "ana");
        grant.grant = Some("g1".into());
        assert_eq!(grant.ruled(&ruling("r", &[1], Choice::Reduce), 1), Err(Bar::Whole(1)));
        grant.decision = Some(grant.ruled(&ruling("r", &[1], Choice::Revoke), 1).unwrap());
        assert_eq!(grant.withholding("r"), None, "the grant itself is revoked");
        assert_eq!(grant.ruled(&ruling("r", &[1], Choice::Certify), 1), Err(Bar::Final(1)));
    }

    #[test]
    fn what_is_taken_back_is_what_was_decided() {
        let mut item = item(7, "ana");
        for (choice, part) in [
            (Choice::Certify, None),
            (Choice::Revoke, Some(None)),
            (Choice::Reduce, Some(item.suggestion.part.clone())),
        ] {
            item.decision = Some(item.ruled(&ruling("r", &[7], choice), 5).unwrap());
            let taken = item.withholding("r");
            assert_eq!(taken.as_ref().map(|taken| taken.withheld.part.clone()), part, "{choice:?}");
            assert!(taken.is_none_or(|taken| taken.withheld.id == "r-7" && taken.withheld.role == "writer"));
        }
    }
}
