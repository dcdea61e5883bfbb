//! Holds: what waits for a person, and what becomes of it.
//!
//! ```text
//!            ask                    approve              the first asker
//!   nothing ─────► waiting ─┬──────────────► approved ─────────────────► used
//!                           ├─ deny ───────► denied   ─┐ an hour after the
//!                           └─ time is over ► expired ─┴ hold's end: forgotten
//! ```
//!
//! A hold belongs to a key (who, which rule, what exactly); a retry of the same thing comes with the same key. An
//! approval is used by one exchange, once; that exchange may ask again and hears the same, so that a lost answer
//! loses nothing.

mod course;
mod waiters;

use serde::{Deserialize, Serialize};
pub use sluice_engine::identity::same_person;
use sluice_engine::record::Who;
use sluice_engine::wire::{HoldAsk, HoldDecision, HoldState};

pub use course::{Course, course};
pub use waiters::Waiters;

/// How long beyond a hold's end its outcome is remembered, so that a client's retries get the same answer and an
/// approval in the last minute still finds its asker. One hour: a client's eleven attempts take minutes.
pub const REMEMBERED_MS: u64 = 3600 * 1000;

/// Something that waits for a person, or did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Its id: ten letters and digits that cannot be mistaken for each other.
    pub id: String,
    /// What was decided.
    pub state: HoldDecision,
    /// When it was opened, in Unix milliseconds.
    pub created_ms: u64,
    /// When it ends undecided, in Unix milliseconds.
    pub expires_ms: u64,
    /// What was asked.
    pub ask: HoldAsk,
    /// Who decided; absent while it waits, and when its time ran out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<DecidedBy>,
    /// Which exchange used the approval up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// A person's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecidedBy {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// Their subject.
    pub subject: String,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The use of an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The exchange.
    pub exchange: String,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}

impl Hold {
    /// The hold as it stands at a moment: one that waits beyond its end has expired, whether or not that was
    /// written down yet.
    pub fn at(mut self, now_ms: u64) -> Self {
        if self.state == HoldDecision::Waiting && now_ms >= self.expires_ms {
            self.state = HoldDecision::Expired;
        }
        self
    }

    /// Whether its outcome still counts at that moment.
    pub fn is_remembered(&self, now_ms: u64) -> bool {
        now_ms < self.expires_ms.saturating_add(REMEMBERED_MS)
    }

    /// What an exchange that asks is told. An approval that this exchange has not used is no approval for it.
    pub fn state(&self) -> HoldState {
        HoldState {
            id: self.id.clone(),
            decision: self.state,
            reason: self.decided.as_ref().and_then(|d| d.reason.clone()),
            by: self.decided.as_ref().map(|d| d.subject.clone()),
        }
    }

    /// Why this person may not decide the hold; `None`: they may.
    pub fn bars(&self, who: &Who) -> Option<Bar> {
        if same_person(&self.ask.who.subject, &who.subject) {
            Some(Bar::Requester)
        } else if !self.is_for(who) {
            Some(Bar::Group)
        } else {
            None
        }
    }

    /// Whether the person is in a group that may approve it.
    pub fn is_for(&self, who: &Who) -> bool {
        self.ask.approvers.iter().any(|group| who.groups.contains(group))
    }
}

/// Why someone may not decide a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// They asked for it.
    Requester,
    /// They are in none of its groups.
    Group,
}

#[cfg(test)]
pub(crate) mod tests {
    use sluice_engine::policy::document::Part;

    use super::*;

    pub fn ask(key: &str, exchange: &str) -> HoldAsk {
        HoldAsk {
            key: key.into(),
            thread: format!("thread of {key}"),
            history: false,
            exchange: exchange.into(),
            rule: "writes".into(),
            message: "writes need approval".into(),
            who: Who {
                issuer: "corp".into(),
                subject: "ana@example.com".into(),
                groups: vec!["writers".into()],
            },
            session: Some("s1".into()),
            part: Part::ToolCall,
            model: None,
            tool: Some("Bash".into()),
            preview: "{\"command\":\"psql\"}".into(),
            effects: vec!["write: INSERT".into()],
            approvers: vec!["approvers".into()],
            reason: true,
            expires_seconds: 60,
            policy_version: "p".into(),
            definition: None,
        }
    }

    #[test]
    fn the_requester_never_decides_whatever_issuer_case_or_group() {
        let hold = Hold {
            id: "x".into(),
            state: HoldDecision::Waiting,
            created_ms: 0,
            expires_ms: 1,
            ask: ask("k", "e"),
            decided: None,
            used: None,
        };
        let who = |issuer: &str, subject: &str, group: &str| Who {
            issuer: issuer.into(),
            subject: subject.into(),
            groups: vec![group.into()],
        };
        for (person, bar) in [
            (who("corp", "ana@example.com", "approvers"), Some(Bar::Requester)),
            (who("other", "ana@example.com", "approvers"), Some(Bar::Requester)),
            (who("corp", " Ana@Example.com", "approvers"), Some(Bar::Requester)),
            (who("corp", "ben@example.com", "writers"), Some(Bar::Group)),
            (who("corp", "ben@example.com", "Approvers"), Some(Bar::Group)),
            (who("corp", "ben@example.com", "approvers"), None),
        ] {
            assert_eq!(hold.bars(&person), bar, "{person:?}");
        }
    }
}
