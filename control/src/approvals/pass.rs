//! An approval for a time: the same person goes on under the same rule without asking again.

use serde::{Deserialize, Serialize};
use sluice_engine::policy::document::Part;
use sluice_engine::record::Who;
use sluice_engine::wire::HoldAsk;

use super::{DecidedBy, Terms, Voice};

/// For how long, and for what, an approver would let somebody go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Span {
    /// How long, in seconds from the decision.
    pub seconds: u64,
    /// Whatever the rule holds. Otherwise only the same tool, with no other effects than those that were approved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anything: bool,
}

/// An approval for a time. What the rule holds meanwhile of the same person is approved at once, and says by which pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// Its id.
    pub id: String,
    /// The hold that was approved for a time.
    pub hold: String,
    /// The rule.
    pub rule: String,
    /// Who has it.
    pub who: Who,
    /// Who acts on their behalf: nobody else, nor they themselves, go on by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Whether it is for whatever the rule holds; otherwise for this part, tool and these effects.
    pub anything: bool,
    /// What was held.
    pub part: Part,
    /// The tool that would be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What its command would do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    /// Groups whose members could decide, and may take it back.
    pub approvers: Vec<String>,
    /// The teams that could not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// How many had to approve.
    pub quorum: u32,
    /// Who has given it.
    pub by: Vec<DecidedBy>,
    /// Since when, in Unix milliseconds.
    pub from_ms: u64,
    /// Until when.
    pub ends_ms: u64,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<DecidedBy>,
}

impl Pass {
    /// What voices open together that have approved a hold: the shortest time and the narrowest scope that any of them
    /// named, and nothing where one of them approved only this once.
    pub fn of(id: String, hold: &str, ask: &HoldAsk, voices: &[Voice], now_ms: u64) -> Option<Self> {
        let spans: Vec<Span> = voices.iter().map(|voice| voice.span).collect::<Option<_>>()?;
        let seconds = spans.iter().map(|span| span.seconds).min()?.min(ask.grant_seconds?);
        let anything = spans.iter().all(|span| span.anything);
        Some(Self {
            id,
            hold: hold.to_owned(),
            rule: ask.rule.clone(),
            who: ask.who.clone(),
            actor: ask.actor.clone(),
            anything,
            part: ask.part,
            tool: ask.tool.clone(),
            effects: effects(ask),
            approvers: ask.approvers.clone(),
            teams: ask.teams.clone(),
            quorum: ask.quorum,
            by: voices.iter().map(|voice| voice.by.clone()).collect(),
            from_ms: now_ms,
            ends_ms: now_ms.saturating_add(seconds.saturating_mul(1000)),
            revoked: None,
        })
    }

    /// Whether it can be used.
    pub fn is_live(&self, now_ms: u64) -> bool {
        self.revoked.is_none() && now_ms < self.ends_ms
    }

    /// Whether it approves what is asked now: by the same person, under the same rule, which must still ask for the same
    /// approvers and still offer so much time. Definitions of tools are approved by themselves.
    pub fn covers(&self, ask: &HoldAsk, now_ms: u64) -> bool {
        let offered = ask
            .grant_seconds
            .is_some_and(|seconds| now_ms < self.from_ms.saturating_add(seconds.saturating_mul(1000)));
        let same = (&self.rule, &self.who.issuer, &self.who.subject, &self.actor)
            == (&ask.rule, &ask.who.issuer, &ask.who.subject, &ask.actor)
            && (&self.approvers, &self.teams, self.quorum) == (&ask.approvers, &ask.teams, ask.quorum);
        let within = self.anything
            || (self.part, &self.tool) == (ask.part, &ask.tool)
                && effects(ask).iter().all(|effect| self.effects.contains(effect));
        self.is_live(now_ms) && offered && same && within && ask.definition.is_none()
    }

    /// Under which terms it was approved.
    pub fn terms(&self) -> Terms<'_> {
        Terms {
            requester: &self.who,
            actor: self.actor.as_deref(),
            groups: &self.approvers,
            teams: &self.teams,
            quorum: self.quorum,
            voices: &[],
        }
    }

    /// What goes on by it, in words: `Bash: write`.
    pub fn what(&self) -> String {
        match (&self.tool, self.part) {
            _ if self.anything => "whatever the rule holds".to_owned(),
            (Some(tool), _) if self.effects.is_empty() => tool.clone(),
            (Some(tool), _) => format!("{tool}: {}", self.effects.join(", ")),
            (None, Part::ToolResult) => "what tools give back".to_owned(),
            (None, _) => "requests".to_owned(),
        }
    }

    /// Whether this is who has it, as the issuer says.
    pub fn is_of(&self, who: &Who) -> bool {
        (&self.who.issuer, &self.who.subject) == (&who.issuer, &who.subject)
    }
}

/// The effects of what is asked, without what they are effects of: `write` of `write: INSERT adds rows`.
fn effects(ask: &HoldAsk) -> Vec<String> {
    let mut effects: Vec<String> =
        ask.effects.iter().filter_map(|told| told.split(':').next()).map(str::to_owned).collect();
    effects.sort();
    effects.dedup();
    effects
}
