//! The request: head, body, and on its way.

use sluice_engine::claude::error::ErrorKind;
use std::sync::Arc;

use sluice_engine::claude::routes::{Kind, Route, route};
use sluice_engine::identity::{Cache, Digest, Principal, TokenError, credential};
use sluice_engine::judge::{Case, Judged, Refusal, Runtime, unencoded};
use sluice_engine::mcp::answer::Answers;
use sluice_engine::policy::document::RecordMode;
use sluice_engine::policy::mcp::CompiledMcp;
use sluice_engine::record::{Stage, cut};

use super::refusal::unavailable;
use super::trade::Trade;
use super::{Exchange, Forward, Question, Reading, State, Step};
use crate::host::{Host, Side};
use crate::metrics::Counter;

/// Headers that carry what must not reach the provider: the caller's own credentials.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "proxy-authorization", "cookie"];

/// The head of a request.
struct Head {
    headers: Vec<(String, String)>,
}

impl Head {
    fn all<'h>(&'h self, name: &str) -> Vec<&'h str> {
        self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Scheme and authority by which the client reached us.
    fn base(&self) -> Option<String> {
        let authority = self.first(":authority")?;
        let scheme = self.first("x-forwarded-proto").or(self.first(":scheme")).unwrap_or("http");
        Some(format!("{scheme}://{authority}"))
    }
}

/// Why it is not known who is calling.
enum Unknown<'h> {
    /// The token is not good; with a `retry-after` where coming again helps.
    Refused(Refusal, Option<&'static str>),
    /// Its issuer must be asked about it.
    Opaque(&'h str, Digest),
}

/// Whose request it is.
enum Way {
    Api(&'static Route),
    Mcp(Arc<CompiledMcp>),
}

impl Exchange {
    pub(super) fn read_head(&mut self, end: bool, host: &dyn Host) -> Step {
        let head = match host.headers(Side::Request) {
            Ok(headers) => Head { headers },
            Err(why) => return self.fault(&format!("request headers: {why}"), host),
        };
        let method = head.first(":method").unwrap_or_default();
        let whole = head.first(":path").unwrap_or_default();
        let path = whole.split_once('?').map_or(whole, |(path, _)| path);
        let way = match (route(method, path), self.mcp_server(&head, whole, host)) {
            (Ok(route), _) => Way::Api(route),
            (Err(_), Some(server)) => Way::Mcp(server),
            (Err(why), None) => {
                return self.turn_away(&Refusal::new(why.kind(), "route", why.to_string()), None, host);
            }
        };
        let kind = match &way {
            Way::Api(route) => route.kind,
            Way::Mcp(_) => Kind::Mcp,
        };
        self.answers = (kind == Kind::Mcp).then(Answers::default);
        if kind == Kind::Hello {
            self.state = State::Done;
            return match host.reply(200, &[("content-type", "application/json")], b"{}") {
                Ok(()) => Step::Wait,
                Err(why) => self.fault(&format!("hello: {why}"), host),
            };
        }
        if let (Way::Api(route), Kind::Token) = (&way, kind) {
            if let Err(refusal) = unencoded(&head.all("content-encoding")) {
                return self.turn_away(&refusal, None, host);
            }
            let base = head.base();
            self.state = State::Trading(Trade::new(route, head.first("content-type"), base.as_deref()));
            return if end { self.trade(0, true, host) } else { Step::Wait };
        }
        let now_ms = host.now_ms();
        let runtime = match self.shared.in_force(host) {
            Some(runtime) if !runtime.is_stale(now_ms) => runtime,
            Some(_) => {
                let message = "the gateway's policy is older than it allows, since its control service is away; try again later";
                return self.turn_away(&unavailable("bundle", message), Some("1"), host);
            }
            None => {
                let message = "the gateway has no policy yet; try again in a moment";
                return self.turn_away(&unavailable("bundle", message), Some("1"), host);
            }
        };
        if runtime.recording != RecordMode::Off && self.is_full() {
            let message = "the gateway cannot record any more, since its control service is away or slow; try again later";
            return self.turn_away(&unavailable("record", message), Some("1"), host);
        }
        let principal = match self.principal(&head, &runtime, now_ms) {
            Ok(principal) => principal,
            Err(Unknown::Refused(refusal, retry_after)) => {
                return self.turn_away(&refusal, retry_after, host);
            }
            Err(Unknown::Opaque(token, digest)) => return self.inquire(token, digest, end, host),
        };
        self.gateway = head.base();
        let text = |name: &str| head.first(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let (exchange, headers) = (host.random_id(), &head.headers);
        let (mut case, allowed) = match way {
            Way::Api(route) => {
                let (mut case, allowed) = Case::open(runtime.clone(), principal, route, exchange, now_ms);
                case.set_session(text("x-claude-code-session-id"), text("x-claude-code-agent-id"));
                (case, allowed)
            }
            Way::Mcp(server) => {
                Case::open_mcp(runtime.clone(), principal, server, method, headers, exchange, now_ms)
            }
        };
        // More than one is none (W3C Trace Context, 3.2.1).
        if let [trace] = head.all("traceparent").as_slice() {
            case.set_trace(trace);
        }
        if let Err(refusal) = allowed {
            return self.refuse(case, &refusal, None, host);
        }
        let length = head.first("content-length").and_then(|length| length.parse().ok());
        if let Err(refusal) = case.check_head(&head.all("content-encoding"), length) {
            case.note(&refusal);
            return self.refuse(case, &refusal, None, host);
        }
        let betas = head.all("anthropic-beta").into_iter().map(str::to_owned).collect();
        self.state = State::Reading(case, Reading { betas });
        if end { self.read_body(0, true, host) } else { Step::Wait }
    }

    /// The MCP server that a request is for. A query would be read by the server alone: there is none for it.
    fn mcp_server(&self, head: &Head, path: &str, host: &dyn Host) -> Option<Arc<CompiledMcp>> {
        let runtime = self.shared.in_force(host)?;
        runtime.compiled.mcp_server(head.first(":authority").unwrap_or_default(), path).cloned()
    }

    /// Who is calling, or what to answer, with a `retry-after` where coming again helps.
    fn principal<'h>(
        &self,
        head: &'h Head,
        runtime: &Runtime,
        now_ms: u64,
    ) -> Result<Principal, Unknown<'h>> {
        let refuse = |rule: &str, message: String| {
            Unknown::Refused(Refusal::new(ErrorKind::Authentication, rule, message), None)
        };
        let token = credential(&head.all("authorization"), &head.all("x-api-key"))
            .map_err(|why| refuse("token", why.to_string()))?;
        let hash = Cache::digest(token);
        if let Some(principal) = self.shared.tokens.borrow_mut().get(&hash, now_ms) {
            return Ok(principal);
        }
        if let Some(refusal) = self.shared.refused_token(&hash, now_ms) {
            return Err(Unknown::Refused(refusal, None));
        }
        if runtime.compiled.verifier().is_to_be_asked_about(token) {
            return Err(Unknown::Opaque(token, hash));
        }
        match runtime.compiled.verifier().verify(token, now_ms) {
            Ok(principal) => {
                self.shared.tokens.borrow_mut().put(hash, principal.clone());
                Ok(principal)
            }
            Err(why) => {
                let refusal = Refusal::new(ErrorKind::Authentication, why.rule(), why.to_string());
                // Control fetches the issuer's keys at once; a client that comes again finds them here.
                if let TokenError::UnknownKey { issuer, kid } = why {
                    self.shared.refreshes.borrow_mut().insert(issuer, kid);
                    return Err(Unknown::Refused(refusal, Some("2")));
                }
                Err(Unknown::Refused(refusal, None))
            }
        }
    }

    pub(super) fn read_body(&mut self, size: usize, end: bool, host: &dyn Host) -> Step {
        let State::Reading(mut case, reading) = std::mem::replace(&mut self.state, State::Done) else {
            return self.fault("a body without a head", host);
        };
        if let Err(refusal) = case.check_size(size as u64) {
            case.note(&refusal);
            return self.refuse(case, &refusal, None, host);
        }
        if !end {
            self.state = State::Reading(case, reading);
            return Step::Wait;
        }
        let body = match if size == 0 { Ok(Vec::new()) } else { host.body(Side::Request) } {
            Ok(body) => body,
            Err(why) => return self.fault(&format!("request body: {why}"), host),
        };
        let judged = case.request(&body, &reading.betas);
        let barred = self.admit(&case, judged.refusal.is_some(), host);
        if let Some(refusal) = &judged.refusal {
            return self.refuse(case, refusal, judged.recorded, host);
        }
        if let Some(barred) = barred {
            return self.bar(case, &barred, judged.recorded, host);
        }
        let length = judged.body.as_ref().map_or(body.len(), Vec::len);
        self.proceed(case, judged, length, host)
    }

    /// Writes the head that goes upstream, then records, asks, or forwards.
    fn proceed(&mut self, case: Case, judged: Judged, length: usize, host: &dyn Host) -> Step {
        if !self.write_head(&case, length, host) {
            return self.fault("request headers could not be written", host);
        }
        let forward = Forward { body: judged.body, holds: judged.holds.into() };
        self.go_on(case, Stage::Open, judged.recorded, forward, host)
    }

    /// Writes down the stage in which a request goes on, asks what is still to be asked, or forwards it. Where policy
    /// records before forwarding, its record goes with the question.
    pub(super) fn go_on(
        &mut self,
        mut case: Case,
        stage: Stage,
        masked: Option<String>,
        mut forward: Forward,
        host: &dyn Host,
    ) -> Step {
        let since_ms = case.started_ms();
        let ask = forward.holds.pop_front();
        let question = if case.runtime().recording == RecordMode::BeforeForward {
            let mut record = self.record(&mut case, stage, host);
            let (body, blocks) = masked.map(|masked| cut(&masked)).unzip();
            record.body = body;
            let blocks = blocks.unwrap_or_default();
            let lacking = self.shared.queue.borrow().unknown(&blocks);
            let mut question = Question::record(record, blocks, lacking, since_ms);
            question.open.hold.clone_from(&ask);
            Some(Question { ask, ..question })
        } else {
            self.write_down(&mut case, stage, masked, host);
            ask.map(|ask| Question::about(ask, since_ms))
        };
        match question {
            Some(question) => {
                self.state = State::Asking(case, question, forward);
                self.send_question(host)
            }
            None => self.forward(case, forward, host),
        }
    }

    /// The caller's credentials go, the length is that of what is sent, and the reply must be readable.
    fn write_head(&self, case: &Case, length: usize, host: &dyn Host) -> bool {
        let method = case.route().method;
        let stays = |name: &str| name == "authorization" && case.passes_token();
        let gone =
            CREDENTIALS.iter().all(|name| stays(name) || host.remove_header(Side::Request, name).is_ok());
        let changed = case.changed_headers().iter();
        let gone =
            changed.fold(gone, |good, (name, value)| good && self.header(Side::Request, name, value, host));
        let _ = host.remove_header(Side::Request, "transfer-encoding");
        let length = if length > 0 || matches!(method, "POST" | "PUT" | "PATCH") {
            self.header(Side::Request, "content-length", &length.to_string(), host)
        } else {
            true
        };
        gone && length && self.header(Side::Request, "accept-encoding", "identity", host)
    }

    /// Lets the request go upstream.
    pub(super) fn forward(&mut self, case: Case, forward: Forward, host: &dyn Host) -> Step {
        if let Some(body) = &forward.body
            && let Err(why) = host.set_body(Side::Request, body)
        {
            return self.fault(&format!("request body: {why}"), host);
        }
        host.count(Counter::Forwarded, 1);
        self.forwarded = true;
        self.state = State::Forwarded(case);
        Step::Go
    }
}
