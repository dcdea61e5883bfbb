//! One exchange through the engine, from the caller's principal to the last byte of the reply.

mod outcome;
mod way;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sluice_engine::claude::routes::Kind;
use sluice_engine::identity::Principal;
use sluice_engine::judge::{Case, Flow, Refusal, Replied, ReplyStream, Runtime, Step};
use sluice_engine::policy::document::Action;
use sluice_engine::record::Stage;
use sluice_engine::wire::{HoldDecision, HoldState};

pub use outcome::{Outcome, Verdict};
pub use way::{Way, way};

/// The id of every exchange that is tried.
const EXCHANGE: &str = "00000000000000000000000000000000";

/// What reviewers say to all that is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// Nothing yet.
    #[default]
    Wait,
    /// They approve it.
    Approve,
    /// They deny it.
    Deny,
    /// Nothing, until the time is over.
    Expire,
}

/// A request as it reaches the filter.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, with or without its query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A reply as it comes from the API.
#[derive(Debug, Clone)]
pub enum Reply {
    /// One body, with its status.
    Whole {
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// Server-sent events.
    Stream {
        /// All of them.
        bytes: Vec<u8>,
        /// Where they are cut: offsets, growing.
        cuts: Vec<usize>,
    },
}

/// Who is calling, as stated and not as verified.
pub fn principal(issuer: &str, subject: &str, groups: Vec<String>, scopes: Option<Vec<String>>) -> Principal {
    Principal {
        issuer: issuer.into(),
        subject: subject.into(),
        groups,
        scopes,
        actor: None,
        expires_ms: u64::MAX,
    }
}

/// Puts an exchange through the engine.
pub fn exchange(
    runtime: &Arc<Runtime>,
    caller: &Principal,
    request: &Request,
    reply: Option<&Reply>,
    answer: Answer,
    now_ms: u64,
) -> Outcome {
    let (case, allowed) = match way(runtime, request) {
        Err(refusal) => return refused(&refusal),
        Ok(Way::Api(route)) if route.kind == Kind::Hello => {
            let mut outcome = Outcome::of(Some(route.name));
            outcome.status = Some(200);
            return outcome;
        }
        Ok(Way::Api(route)) => {
            let (mut case, allowed) =
                Case::open(Arc::clone(runtime), caller.clone(), route, EXCHANGE.into(), now_ms);
            case.trace();
            let (session, agent) = ("x-claude-code-session-id", "x-claude-code-agent-id");
            case.set_session(request.header(session), request.header(agent));
            (case, allowed)
        }
        Ok(Way::Mcp(server)) => {
            let (method, headers) = (request.method.as_str(), request.headers.as_slice());
            let (runtime, exchange) = (Arc::clone(runtime), EXCHANGE.into());
            let (mut case, allowed) =
                Case::open_mcp(runtime, caller.clone(), server, method, headers, exchange, now_ms);
            case.trace();
            (case, allowed)
        }
    };
    let outcome = Outcome::of(Some(case.route().name));
    let mut run = Run { case, answer, outcome };
    let go_on = match allowed.and_then(|()| run.head(request)) {
        Ok(()) => run.request(request),
        Err(refusal) => {
            run.refused(&refusal);
            false
        }
    };
    // What is asked of an MCP server stands in the message.
    run.outcome.route = Some(run.case.route().name);
    run.gather(Stage::Open, now_ms);
    if let (true, Some(reply)) = (go_on, reply) {
        run.reply(reply);
        run.gather(Stage::Close, now_ms);
    }
    run.outcome
}

/// What comes of a request that never gets as far as a case: no route, no good token.
pub fn refused(refusal: &Refusal) -> Outcome {
    let mut outcome = Outcome::of(None);
    outcome.verdict = Verdict::Deny;
    outcome.rule = Some(refusal.rule.clone());
    outcome.refuse(refusal, None);
    outcome
}

impl Request {
    fn all(&self, name: &str) -> Vec<&str> {
        let own = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.as_str()).collect()
    }

    fn header(&self, name: &str) -> Option<String> {
        self.all(name).first().filter(|value| !value.is_empty()).map(|value| (*value).to_owned())
    }
}

/// An exchange on its way.
struct Run {
    case: Case,
    answer: Answer,
    outcome: Outcome,
}

impl Run {
    fn head(&mut self, request: &Request) -> Result<(), Refusal> {
        let length = u64::try_from(request.body.len()).unwrap_or(u64::MAX);
        let checked = self.case.check_head(&request.all("content-encoding"), Some(length));
        if let Err(refusal) = &checked {
            self.case.note(refusal);
        }
        checked
    }

    fn refused(&mut self, refusal: &Refusal) {
        self.outcome.verdict = Verdict::Deny;
        self.outcome.rule = Some(refusal.rule.clone());
        self.outcome.refuse(refusal, self.case.answers().as_ref());
    }

    /// Judges the request; says whether it goes on.
    fn request(&mut self, request: &Request) -> bool {
        let betas: Vec<String> = request.all("anthropic-beta").into_iter().map(str::to_owned).collect();
        let judged = self.case.request(&request.body, &betas);
        if let Some(refusal) = &judged.refusal {
            self.refused(refusal);
            return false;
        }
        for ask in judged.holds {
            let Some(state) = self.answered() else {
                self.outcome.waits(&ask, self.case.answers().as_ref());
                self.outcome.holds.push(ask);
                return false;
            };
            self.case.settle(&ask, &state);
            let refused = self.case.refused(&ask.key, &ask.rule);
            self.outcome.holds.push(ask);
            if let Some(refusal) = refused {
                self.refused(&refusal);
                return false;
            }
        }
        self.outcome.forwarded = Some(judged.body.unwrap_or_else(|| request.body.clone()));
        true
    }

    /// What became of a hold; `None`: it waits.
    fn answered(&self) -> Option<HoldState> {
        let decision = match self.answer {
            Answer::Wait => return None,
            Answer::Approve => HoldDecision::Approved,
            Answer::Deny => HoldDecision::Denied,
            Answer::Expire => HoldDecision::Expired,
        };
        let reason = Some("a trial".to_owned());
        Some(HoldState {
            id: "trial".into(),
            decision,
            reason,
            by: Some("a reviewer".into()),
            masked: Vec::new(),
        })
    }

    fn reply(&mut self, reply: &Reply) {
        match reply {
            Reply::Whole { status, body } => self.whole(*status, body),
            Reply::Stream { bytes, cuts } => self.stream(bytes, cuts),
        }
        let refused = self.outcome.message.iter().flat_map(said).filter(|text| text.starts_with("[Sluice]"));
        let refused: Vec<String> = refused.map(str::to_owned).collect();
        self.outcome.messages.extend(refused);
    }

    fn whole(&mut self, status: u16, body: &[u8]) {
        self.outcome.steps.extend(self.case.take_steps());
        loop {
            match self.case.reply(body, status, None) {
                Replied::Ready { body: changed, .. } => {
                    let sent = changed.unwrap_or_else(|| body.to_vec());
                    self.outcome.status = Some(status);
                    self.outcome.message = serde_json::from_slice(&sent).ok();
                    self.outcome.returned = Some(sent);
                    return;
                }
                Replied::Refused(refusal) => return self.refused(&refusal),
                // Without a control there is nobody who saw another definition before.
                Replied::Tools(_) => self.case.tools_known(&[]),
                Replied::Hold(ask) => {
                    let Some(state) = self.answered() else {
                        self.outcome.waits(&ask, self.case.answers().as_ref());
                        self.outcome.holds.push(*ask);
                        return;
                    };
                    self.case.settle(&ask, &state);
                    self.outcome.holds.push(*ask);
                    // The same calls are judged again.
                    self.case.take_steps();
                }
            }
        }
    }

    fn stream(&mut self, bytes: &[u8], cuts: &[usize]) {
        let mut reply = match self.case.route().kind {
            Kind::Mcp => ReplyStream::mcp(),
            _ => ReplyStream::events(),
        };
        let mut out = Vec::new();
        let mut start = 0;
        let mut pushed = true;
        for end in cuts.iter().copied().chain([bytes.len()]) {
            let piece = bytes.get(start..end).unwrap_or_default();
            start = end;
            let flow = reply.push(&mut self.case, piece, &mut out);
            pushed = self.follow(&mut reply, flow, &mut out);
            if !pushed {
                break;
            }
        }
        if pushed {
            let flow = reply.end(&mut self.case, &mut out);
            pushed = self.follow(&mut reply, flow, &mut out);
        }
        if pushed {
            // A stream has its status before it has anything else.
            self.outcome.status = Some(200);
            self.outcome.message = reply.message();
        }
        self.outcome.returned = Some(out);
    }

    /// Goes on after what was pushed; says whether the stream does.
    fn follow(&mut self, reply: &mut ReplyStream, mut flow: Flow, out: &mut Vec<u8>) -> bool {
        loop {
            match flow {
                Flow::Open => return true,
                Flow::Broken => {
                    self.outcome.verdict = Verdict::Deny;
                    self.outcome.rule = Some("reply".into());
                    self.outcome.status = Some(200);
                    return false;
                }
                Flow::Tools(_) => {
                    self.case.tools_known(&[]);
                    flow = reply.resume(&mut self.case, out);
                }
                Flow::Held(ask) => {
                    let Some(state) = self.answered() else {
                        self.outcome.waits(&ask, self.case.answers().as_ref());
                        self.outcome.status = Some(200);
                        self.outcome.holds.push(*ask);
                        return false;
                    };
                    self.case.settle(&ask, &state);
                    self.outcome.holds.push(*ask);
                    // The call is judged again.
                    self.outcome.steps.extend(self.case.take_steps());
                    for again in [is_rules, is_call, is_right] {
                        if self.outcome.steps.last().is_some_and(again) {
                            self.outcome.steps.pop();
                        }
                    }
                    flow = reply.resume(&mut self.case, out);
                }
            }
        }
    }

    /// Takes what the case knows of a stage, and what follows from its decisions.
    fn gather(&mut self, stage: Stage, now_ms: u64) {
        self.outcome.steps.extend(self.case.take_steps());
        let decisions = self.case.record(stage, now_ms, "trial").decisions;
        // What waits has not come to its end.
        let waits = self.answer == Answer::Wait && !self.outcome.holds.is_empty();
        for one in decisions.iter().filter(|one| one.did(one.action) && !waits) {
            let verdict = match one.action {
                Action::Allow => Verdict::Allow,
                Action::Deny => Verdict::Deny,
                // What was held is told by its answer.
                Action::Hold => continue,
            };
            if verdict > self.outcome.verdict || self.outcome.rule.is_none() {
                self.outcome.verdict = verdict;
                self.outcome.rule = Some(one.rule.clone());
            }
        }
        self.outcome.decisions.extend(decisions);
    }
}

fn is_rules(step: &Step) -> bool {
    matches!(step, Step::Rules { .. })
}

fn is_call(step: &Step) -> bool {
    matches!(step, Step::Call { .. })
}

fn is_right(step: &Step) -> bool {
    matches!(step, Step::Right { .. })
}

/// The texts of a message's blocks.
fn said(message: &Value) -> impl Iterator<Item = &str> {
    // An MCP server's result has them one level deeper.
    let content = message.get("content").or(message.pointer("/result/content"));
    let blocks = content.and_then(Value::as_array).into_iter().flatten();
    blocks.filter_map(|block| block.get("text").and_then(Value::as_str))
}

#[cfg(test)]
mod tests;
