//! Holds: what waits for a person, and what becomes of it.
//!
//! ```text
//!            ask                    approve              the first asker
//!   nothing ─────► waiting ─┬────► approved or edited ─────────────────► used
//!                           ├─ deny ───────► denied   ─┐ an hour after the
//!                           └─ time is over ► expired ─┴ hold's end: forgotten
//! ```
//!
//! A hold belongs to a key (who, which rule, what exactly); a retry of the same thing comes with the same key. An
//! approval is used by one exchange, once; that exchange may ask again and hears the same, so that a lost answer
//! loses nothing.
//!
//! One that was edited is approved with more masked. Its texts belong to the conversation as the approval does: each
//! later turn, which sends them again, gets them with it.

mod course;
mod waiters;

use serde::{Deserialize, Serialize};
use sluice_engine::wire::{HoldAsk, HoldDecision, HoldState};

pub use course::{Course, course};
pub use waiters::Waiters;

use crate::approvals::{DecidedBy, Terms, Voice};

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
    /// Who decided, the last of them where there were several; absent while it waits, and when its time ran out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<DecidedBy>,
    /// What each said, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voices: Vec<Voice>,
    /// Texts that reviewers had masked, as they read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
    /// The pass that it opened, or that approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
    /// Which exchange used the approval up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// What somebody says about a hold without deciding it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// Their subject.
    pub subject: String,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// What they say.
    pub text: String,
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
    /// Most texts that its approvers may have masked.
    pub const MOST_MASKED: usize = 32;

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
        let edited = self.state == HoldDecision::Edited;
        HoldState {
            id: self.id.clone(),
            decision: self.state,
            reason: self.decided.as_ref().and_then(|d| d.reason.clone()),
            by: if edited { self.editors() } else { self.decided.as_ref().map(|d| d.subject.clone()) },
            masked: if edited { self.masked.clone() } else { Vec::new() },
        }
    }

    /// Who had texts masked.
    fn editors(&self) -> Option<String> {
        let mut editors: Vec<&str> = Vec::new();
        for voice in self.voices.iter().filter(|voice| voice.masked > 0) {
            if !editors.contains(&voice.by.subject.as_str()) {
                editors.push(&voice.by.subject);
            }
        }
        (!editors.is_empty()).then(|| editors.join(", "))
    }

    /// Whether it was approved as it was opened, by what people had approved for a time: nobody is asked or told anew.
    pub fn is_by_pass(&self) -> bool {
        self.pass.is_some() && self.voices.is_empty()
    }

    /// Whether the text stands in what reviewers see of it.
    pub fn shows(&self, text: &str) -> bool {
        self.ask.preview.contains(text)
    }

    /// The hold with what was masked in an earlier message of its conversation, too.
    pub fn with_masked(mut self, earlier: Self) -> Self {
        self.mask(earlier.masked);
        self.voices.extend(earlier.voices.into_iter().filter(|voice| voice.masked > 0));
        if self.state == HoldDecision::Approved && !self.masked.is_empty() {
            self.state = HoldDecision::Edited;
        }
        self
    }

    fn mask(&mut self, texts: Vec<String>) {
        for text in texts {
            if !self.masked.contains(&text) {
                self.masked.push(text);
            }
        }
    }

    /// Under which terms it waits.
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            requester: &self.ask.who,
            actor: self.ask.actor.as_deref(),
            groups: &self.ask.approvers,
            teams: &self.ask.teams,
            quorum: self.ask.quorum,
            voices: &self.voices,
        }
    }

    /// Takes in what somebody says, and which texts they want masked. Where it settles the hold, it is decided; otherwise
    /// it goes on waiting. What any of several approvers wants masked is masked.
    pub fn hear(&mut self, voice: Voice, masked: Vec<String>) {
        let by = voice.by.clone();
        self.voices.push(voice);
        self.mask(masked);
        let Some(approved) = self.terms().verdict() else { return };
        self.state = match approved {
            true if self.masked.is_empty() => HoldDecision::Approved,
            true => HoldDecision::Edited,
            false => HoldDecision::Denied,
        };
        self.decided = Some(by);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use sluice_engine::policy::document::Part;
    use sluice_engine::record::Who;

    use super::*;

    pub fn ask(key: &str, exchange: &str) -> HoldAsk {
        HoldAsk {
            key: key.into(),
            thread: format!("thread of {key}"),
            earlier: vec![],
            editable: false,
            history: false,
            exchange: exchange.into(),
            rule: "writes".into(),
            message: "writes need approval".into(),
            who: Who {
                issuer: "corp".into(),
                subject: "ana@example.com".into(),
                groups: vec!["writers".into()],
            },
            actor: None,
            node: None,
            session: Some("s1".into()),
            part: Part::ToolCall,
            model: None,
            tool: Some("Bash".into()),
            preview: "{\"command\":\"psql\"}".into(),
            effects: vec!["write: INSERT".into()],
            approvers: vec!["approvers".into()],
            quorum: 1,
            teams: vec![],
            grant_seconds: None,
            reason: true,
            expires_seconds: 60,
            policy_version: "p".into(),
            definition: None,
        }
    }
}
