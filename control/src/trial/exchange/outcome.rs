//! What came of an exchange.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sluice_engine::claude::error::envelope;
use sluice_engine::command::Effect;
use sluice_engine::judge::{Refusal, Step, undecided};
use sluice_engine::mcp::answer::Answers;
use sluice_engine::record::Decision;
use sluice_engine::wire::HoldAsk;

/// What came of an exchange, or of one of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It goes on.
    Allow,
    /// It waits for a person.
    Hold,
    /// Something of it was refused.
    Deny,
}

impl Verdict {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

/// Everything that is known of what came of an exchange.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The most restrictive verdict on any of its parts; `hold` as long as it waits, whatever was refused before.
    pub verdict: Verdict,
    /// The rule that decided, or the built-in reason; absent: nothing spoke against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The route's name; absent: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'static str>,
    /// The HTTP status that the caller gets; absent: the request goes on, and no reply was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error body that the caller reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<RawValue>>,
    /// What the caller reads about what was refused or waits: the error's message, and what stands in the place of
    /// refused calls.
    pub messages: Vec<String>,
    /// What was decided, as the record would say it.
    pub decisions: Vec<Decision>,
    /// What was held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldAsk>,
    /// How it came to it.
    pub steps: Vec<Step>,
    /// The body that leaves for the model; `None`: nothing does.
    #[serde(skip)]
    pub forwarded: Option<Vec<u8>>,
    /// The bytes that leave for the caller; `None`: nothing does, or no reply was given.
    #[serde(skip)]
    pub returned: Option<Vec<u8>>,
    /// The message that a reply was, as the caller got it.
    #[serde(skip)]
    pub message: Option<Value>,
}

impl Outcome {
    /// What was masked: kinds, and how many.
    pub fn masks(&self) -> BTreeMap<String, u32> {
        let mut masks = BTreeMap::new();
        for step in &self.steps {
            if let Step::Found { kind, count, masked: true, .. } = step {
                *masks.entry(kind.clone()).or_default() += count;
            }
        }
        masks
    }

    /// The effects of commands in tool calls.
    pub fn effects(&self) -> BTreeSet<Effect> {
        let of = |step: &Step| match step {
            Step::Call { effects, .. } => effects.clone(),
            _ => Vec::new(),
        };
        self.steps.iter().flat_map(of).collect()
    }

    /// The rules of which every condition held, for some part.
    pub fn reached(&self) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        for step in &self.steps {
            let Step::Rules { rules, .. } = step else { continue };
            reached.extend(rules.iter().filter(|rule| rule.unmet.is_none()).map(|rule| rule.rule.as_str()));
        }
        reached
    }

    /// The rules that matched and only observe.
    pub fn observed(&self) -> BTreeSet<&str> {
        self.decisions.iter().filter(|one| one.observed).map(|one| one.rule.as_str()).collect()
    }

    pub(super) fn of(route: Option<&'static str>) -> Self {
        Self {
            verdict: Verdict::Allow,
            rule: None,
            route,
            status: None,
            error: None,
            messages: Vec::new(),
            decisions: Vec::new(),
            holds: Vec::new(),
            steps: Vec::new(),
            forwarded: None,
            returned: None,
            message: None,
        }
    }

    /// The gateway answers itself; `mcp`: in the place of an MCP server, in its words.
    pub(super) fn refuse(&mut self, refusal: &Refusal, mcp: Option<&Answers>) {
        let kind = refusal.kind;
        // A refused call of a tool says by itself who speaks.
        let words = match refusal.message.starts_with("[Sluice]") && mcp.is_some() {
            true => refusal.message.clone(),
            false => format!("Sluice: {}", refusal.message),
        };
        // As the filter answers, but for the request's id.
        let body = mcp.map_or_else(|| envelope(kind, &words, None), |answers| answers.message(kind, &words));
        self.status = Some(mcp.map_or_else(|| kind.status(), |answers| answers.status(kind)));
        self.error = RawValue::from_string(body.clone()).ok();
        self.messages.push(refusal.message.clone());
        self.returned = Some(body.into_bytes());
        self.message = None;
    }

    pub(super) fn waits(&mut self, ask: &HoldAsk, mcp: Option<&Answers>) {
        self.verdict = Verdict::Hold;
        self.rule = Some(ask.rule.clone());
        self.refuse(&undecided(ask, None), mcp);
    }
}
