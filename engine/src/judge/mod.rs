//! Principal + bundle + exchange = verdict.
//!
//! A [`Case`] is what the engine knows of one exchange, from the caller's token to the last byte of the reply:
//!
//! ```text
//!  Runtime (a bundle, compiled) ─┐
//!  principal, route ─────────────┴─► Case ─► request ─► Judged: forward, refuse, or holds
//!                                     │
//!                                     ├────► whole reply ─► Ready, or a hold
//!                                     └────► ReplyStream ─► bytes, or a hold
//! ```
//!
//! Whoever drives it moves the bytes, asks control about holds, and tells the case what was decided
//! ([`Case::settle`]).

mod budget;
mod calls;
mod digest;
mod edited;
mod follow;
mod head;
mod lines;
mod marks;
mod mcp;
mod media;
mod offered;
mod reach;
mod reply;
mod request;
mod runtime;
mod stream;
mod trace;
mod transcript;
mod whole;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use calls::{Command, commands};
pub use edited::Edited;
pub use head::{undecided, unencoded};
pub use reply::Replied;
pub use request::Judged;
pub use runtime::{Runtime, RuntimeError};
pub use stream::{Flow, ReplyStream};
pub use trace::{Looked, Step};

use crate::budget::Demand;
use crate::claude::error::ErrorKind;
use crate::claude::routes::Route;
use crate::identity::Principal;
use crate::mask::{Memory, Profile};
use crate::policy::document::{Action, Part};
use crate::policy::rights::{Denied, Rights};
use crate::record::{Decision, Record, Stage, TOOLS, Usage, Who, traceparent};
use crate::wire::{HoldAsk, HoldDecision, HoldState};

/// Why something is refused: what the caller reads, and the rule that stands in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Status and type of the error.
    pub kind: ErrorKind,
    /// The rule's name, or a built-in reason (`scope`, `model`, ...).
    pub rule: String,
    /// What happened, why, and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal for a built-in reason.
    pub fn new(kind: ErrorKind, rule: &str, message: impl Into<String>) -> Self {
        Self { kind, rule: rule.to_owned(), message: message.into() }
    }

    /// A refusal because of the caller's roles.
    fn denied(denied: &Denied) -> Self {
        Self::new(ErrorKind::Permission, denied.rule(), denied.to_string())
    }
}

/// What a hold came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Settled {
    Approved,
    /// With what the caller reads.
    Refused(String),
}

/// What the engine knows of one exchange.
pub struct Case {
    runtime: Arc<Runtime>,
    principal: Principal,
    rights: Rights,
    profile: Profile,
    memory: Memory,
    route: &'static Route,
    exchange: String,
    started_ms: u64,
    session: Option<String>,
    agent: Option<String>,
    traceparent: Option<String>,
    model: Option<String>,
    stream: bool,
    settled: HashMap<String, Settled>,
    /// What approvals have masked of the request.
    masked: edited::Masked,
    decisions: Vec<Decision>,
    /// Tools that were called and not refused since the last record.
    calls: BTreeMap<String, u32>,
    usage: Option<Usage>,
    /// What the request may use.
    demands: Vec<Demand>,
    /// Bytes that the model wrote of a streamed reply, when it ended before it said its usage.
    seen: Option<u64>,
    stop_reason: Option<String>,
    trace: trace::Trace,
    mcp: Option<mcp::Mcp>,
}

impl Case {
    /// Opens the case of a verified caller on a route.
    ///
    /// `exchange`: 32 hexadecimal digits; `session` and `agent` from the client's headers.
    ///
    /// # Errors
    /// A refusal when the caller has no right to the route. Boxed with the case, since a refusal is recorded too.
    pub fn open(
        runtime: Arc<Runtime>,
        principal: Principal,
        route: &'static Route,
        exchange: String,
        now_ms: u64,
    ) -> (Self, Result<(), Refusal>) {
        let rights = runtime.compiled.rights(&principal, now_ms);
        let profile = runtime.masker.profile(rights.masks());
        let allowed = match route.scope.map(|scope| rights.check_scope(scope)) {
            Some(Err(denied)) => Err(Refusal::denied(&denied)),
            _ => Ok(()),
        };
        let mut case = Self {
            runtime,
            principal,
            rights,
            profile,
            memory: Memory::default(),
            route,
            exchange,
            started_ms: now_ms,
            session: None,
            agent: None,
            traceparent: None,
            model: None,
            stream: false,
            settled: HashMap::new(),
            masked: edited::Masked::default(),
            decisions: Vec::new(),
            calls: BTreeMap::new(),
            usage: None,
            demands: vec![Demand::plain(None)],
            seen: None,
            stop_reason: None,
            trace: trace::Trace::default(),
            mcp: None,
        };
        if let Err(refusal) = &allowed {
            case.note(refusal);
        }
        (case, allowed)
    }

    /// Sets what the client's headers say of its session and subagent; kept masked, since both are recorded.
    pub fn set_session(&mut self, session: Option<String>, agent: Option<String>) {
        self.session = session.map(|session| self.recorded_text(&session));
        self.agent = agent.map(|agent| self.recorded_text(&agent));
    }

    /// Sets the caller's place in a trace, as `traceparent` says it; what is none is left out.
    pub fn set_trace(&mut self, header: &str) {
        self.traceparent = traceparent(header);
    }

    /// The bundle that this exchange is judged by, from its first byte to its last.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// The route.
    pub fn route(&self) -> &'static Route {
        self.route
    }

    /// The exchange's id.
    pub fn exchange(&self) -> &str {
        &self.exchange
    }

    /// When the exchange began, in Unix milliseconds.
    pub fn started_ms(&self) -> u64 {
        self.started_ms
    }

    /// Tells what became of a hold. A hold that still waits settles nothing. One that was approved with more masked
    /// settles it, and what is sent is what [`Case::edit`] makes of it.
    pub fn settle(&mut self, ask: &HoldAsk, state: &HoldState) {
        let named = !state.id.is_empty();
        let plain = state.decision == HoldDecision::Approved && state.masked.is_empty();
        if !named && plain {
            // Nothing was held.
            self.settled.insert(ask.key.clone(), Settled::Approved);
            return;
        }
        let of = |action| Decision { hold: named.then(|| state.id.clone()), ..decision(&ask.rule, action) };
        let (settled, decision) = match state.decision {
            HoldDecision::Waiting => return,
            HoldDecision::Approved if plain => (Settled::Approved, of(Action::Allow)),
            HoldDecision::Approved | HoldDecision::Edited => match self.take_masked(ask, state) {
                Ok(()) => {
                    let by = state.by.as_deref().unwrap_or("a reviewer").to_owned();
                    (Settled::Approved, Decision { edited_by: Some(by), ..of(Action::Allow) })
                }
                Err(words) => (Settled::Refused(words), of(Action::Deny)),
            },
            HoldDecision::Denied => {
                let by = state.by.as_deref().unwrap_or("a reviewer");
                let reason = state.reason.as_deref().unwrap_or("no reason was given");
                let hold = if named { format!(" (hold {})", state.id) } else { String::new() };
                let words = format!("{by} denied it{hold}: {reason}");
                (Settled::Refused(words), of(Action::Deny))
            }
            HoldDecision::Expired => {
                let words = format!("nobody approved it in time (hold {})", state.id);
                (Settled::Refused(words), of(Action::Deny))
            }
        };
        self.settled.insert(ask.key.clone(), settled);
        self.decisions.push(decision);
    }

    /// The refusal that a hold came to, if it did.
    pub fn refused(&self, key: &str, rule: &str) -> Option<Refusal> {
        match self.settled.get(key) {
            Some(Settled::Refused(words)) => Some(Refusal::new(
                ErrorKind::Permission,
                rule,
                format!("rule `{rule}` held this request and {words}"),
            )),
            _ => None,
        }
    }

    /// Remembers a refusal for the record.
    pub fn note(&mut self, refusal: &Refusal) {
        // What was refused was not called.
        self.mcp.as_mut().and_then(mcp::Mcp::called);
        // A refused call has said so itself, with its tool and effects.
        let said = self.decisions.last().is_some_and(|last| {
            last.part == Some(Part::ToolCall) && last.action == Action::Deny && last.rule == refusal.rule
        });
        if !said {
            self.decisions.push(decision(&refusal.rule, Action::Deny));
        }
    }

    /// The record of a stage. Decisions and findings since the last one go into it.
    pub fn record(&mut self, stage: Stage, now_ms: u64, node: &str) -> Record {
        if stage == Stage::Close {
            self.count_mcp_call();
        }
        let mut decisions = std::mem::take(&mut self.decisions);
        for decision in &mut decisions {
            decision.tool = decision.tool.as_deref().map(|tool| self.recorded_text(tool));
        }
        Record {
            exchange: self.exchange.clone(),
            stage,
            at_ms: now_ms,
            node: node.to_owned(),
            principal: Some(self.who()),
            session: self.session.clone(),
            agent: self.agent.clone(),
            traceparent: self.traceparent.clone(),
            route: self.route.name.to_owned(),
            model: self.model.as_deref().map(|model| self.recorded_text(model)),
            stream: self.stream,
            actor: self.principal.actor.clone(),
            policy_version: self.runtime.policy_version.clone(),
            roles: if stage == Stage::Open { self.used_roles() } else { Vec::new() },
            calls: std::mem::take(&mut self.calls),
            decisions,
            findings: self.memory.take_findings(),
            body: None,
            status: None,
            usage: self.priced_usage(),
            stop_reason: self.stop_reason.clone(),
            duration_ms: Some(now_ms.saturating_sub(self.started_ms)),
        }
    }

    /// The roles that allow the route and the model, or the MCP server.
    fn used_roles(&self) -> Vec<String> {
        let server = self.mcp.as_ref().map(|mcp| mcp.scope());
        let scopes: Vec<&str> = server.or(self.route.scope).into_iter().collect();
        let model = self.model.as_deref().filter(|_| server.is_none());
        self.rights.used(&scopes, model).into_iter().map(str::to_owned).collect()
    }

    /// Counts the call of a tool that was let through.
    fn count_call(&mut self, tool: &str) {
        let tool = self.recorded_text(tool);
        if let Some(count) = self.calls.get_mut(&tool) {
            *count = count.saturating_add(1);
        } else if self.calls.len() < TOOLS {
            self.calls.insert(tool, 1);
        }
    }

    /// Counts the call of an MCP server's tool, once nothing can refuse it any more.
    fn count_mcp_call(&mut self) {
        let tool = self.mcp.as_mut().and_then(mcp::Mcp::called);
        let refused = self.settled.values().any(|settled| matches!(settled, Settled::Refused(_)));
        if let Some(tool) = tool.filter(|_| !refused) {
            self.count_call(&tool);
        }
    }

    fn who(&self) -> Who {
        Who {
            issuer: self.principal.issuer.clone(),
            subject: self.principal.subject.clone(),
            groups: self.principal.groups.clone(),
        }
    }
}

/// The record of a request that never got a case: no bundle, no good token, no such route.
pub fn refused_record(
    refusal: &Refusal,
    exchange: String,
    node: &str,
    policy_version: String,
    now_ms: u64,
) -> Record {
    Record {
        exchange,
        stage: Stage::Close,
        at_ms: now_ms,
        node: node.to_owned(),
        principal: None,
        session: None,
        agent: None,
        traceparent: None,
        route: "unknown".into(),
        model: None,
        stream: false,
        actor: None,
        policy_version,
        roles: Vec::new(),
        calls: BTreeMap::new(),
        decisions: vec![decision(&refusal.rule, Action::Deny)],
        findings: BTreeMap::new(),
        body: None,
        status: Some(refusal.kind.status()),
        usage: None,
        stop_reason: None,
        duration_ms: None,
    }
}

fn decision(rule: &str, action: Action) -> Decision {
    Decision {
        rule: rule.to_owned(),
        action,
        part: None,
        tool: None,
        role: None,
        effects: Vec::new(),
        hold: None,
        edited_by: None,
        observed: false,
        left_out: false,
    }
}

#[cfg(test)]
mod tests;
