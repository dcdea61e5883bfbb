//! The reply: collected and judged as a whole, or judged as it flows, or passed.

use sluice_engine::claude::error::ErrorKind;
use sluice_engine::claude::routes::Kind;
use sluice_engine::judge::{Case, Flow, Refusal, Replied, ReplyStream};

use super::{Exchange, Question, State, Step, Stream};
use crate::host::{Host, Side};

impl Exchange {
    pub(super) fn read_reply_head(&mut self, end: bool, host: &dyn Host) -> Step {
        let State::Forwarded(mut case) = std::mem::replace(&mut self.state, State::Done) else {
            return self.fault("a reply without a request", host);
        };
        let headers = match host.headers(Side::Response) {
            Ok(headers) => headers,
            Err(why) => return self.fault(&format!("response headers: {why}"), host),
        };
        let first = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let status = first(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        self.status = Some(status);
        self.show_standing(host);
        if let Some(session) = first("mcp-session-id") {
            case.set_mcp_session(session);
        }
        let download = case.route().kind == Kind::Download && status < 400;
        let encoded =
            first("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
        if end || download {
            self.state = State::Passing(case);
            return Step::Go;
        }
        if encoded {
            let message = "the API's reply is encoded although it was asked not to be, so it cannot be read and was not passed on";
            let refusal = Refusal::new(ErrorKind::Api, "encoding", message);
            case.note(&refusal);
            return self.refuse_opened(case, &refusal, host);
        }
        let events =
            first("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"));
        let lines = case.route().kind == Kind::BatchResults && status < 400;
        if events || lines {
            // What leaves may be longer or shorter than what came.
            let _ = host.remove_header(Side::Response, "content-length");
            let reply = match (events, case.route().kind) {
                (true, Kind::Mcp) => ReplyStream::mcp(),
                (true, _) => ReplyStream::events(),
                (false, _) => ReplyStream::lines(),
            };
            self.state = State::Streaming(case, Stream { reply, pending: Vec::new() }, None);
            return Step::Go;
        }
        self.state = State::Collecting(case, None);
        Step::Wait
    }

    /// Collects a reply, then judges it. Called again with `end` after a question in it was settled.
    pub(super) fn collect(&mut self, end: bool, host: &dyn Host) -> Step {
        if !end {
            return Step::Wait;
        }
        let State::Collecting(mut case, _) = std::mem::replace(&mut self.state, State::Done) else {
            return self.fault("a reply that was not collected", host);
        };
        let body = match host.body(Side::Response) {
            Ok(body) => body,
            Err(why) => return self.fault(&format!("response body: {why}"), host),
        };
        match case.reply(&body, self.status.unwrap_or(0), self.gateway.as_deref()) {
            Replied::Ready { body: changed, recorded } => {
                self.recorded = recorded;
                self.state = State::Collecting(case, None);
                let Some(changed) = changed else { return Step::Go };
                let length = self.header(Side::Response, "content-length", &changed.len().to_string(), host);
                match host.set_body(Side::Response, &changed) {
                    Ok(()) if length => Step::Go,
                    _ => self.fault("a reply could not be changed", host),
                }
            }
            Replied::Hold(ask) => {
                let question = Question::about(*ask, case.started_ms());
                self.state = State::Collecting(case, Some(question));
                self.send_question(host)
            }
            Replied::Tools(seen) => {
                self.state = State::Collecting(case, Some(Question::tools(seen, host.now_ms())));
                self.send_question(host)
            }
            Replied::Refused(refusal) => self.refuse_opened(case, &refusal, host),
        }
    }

    /// A part of a stream.
    pub(super) fn flow(&mut self, end: bool, host: &dyn Host) -> Step {
        let State::Streaming(mut case, mut stream, asked) = std::mem::replace(&mut self.state, State::Done)
        else {
            return self.fault("a stream that was not begun", host);
        };
        let Ok(bytes) = host.body(Side::Response) else {
            // Trailers without a body: nothing more can be written.
            self.state = State::Streaming(case, stream, asked);
            return Step::Go;
        };
        let mut out = std::mem::take(&mut stream.pending);
        let mut flow = stream.reply.push(&mut case, &bytes, &mut out);
        if end {
            // A call that already waits keeps waiting; the end comes after it.
            flow = match (flow, stream.reply.end(&mut case, &mut out)) {
                (flow @ (Flow::Held(_) | Flow::Tools(_)), _) => flow,
                (_, ended) => ended,
            };
        }
        if asked.is_some() {
            // Still waiting: what came is kept by the stream, what Envoy buffers is nothing.
            stream.pending = out;
            self.state = State::Streaming(case, stream, asked);
            let _ = host.set_body(Side::Response, &[]);
            return Step::Wait;
        }
        self.after_flow(case, stream, out, flow, host)
    }

    /// Hands out what may leave, or asks about what may not.
    pub(super) fn after_flow(
        &mut self,
        case: Case,
        mut stream: Stream,
        out: Vec<u8>,
        flow: Flow,
        host: &dyn Host,
    ) -> Step {
        // Until now the client has seen the stream flow.
        let question = match flow {
            Flow::Held(ask) => Some(Question::about(*ask, host.now_ms())),
            Flow::Tools(seen) => Some(Question::tools(seen, host.now_ms())),
            Flow::Open | Flow::Broken => None,
        };
        if question.is_some() {
            stream.pending = out;
            let _ = host.set_body(Side::Response, &[]);
            self.state = State::Streaming(case, stream, question);
            return self.send_question(host);
        }
        let written = host.set_body(Side::Response, &out);
        self.state = State::Streaming(case, stream, None);
        match written {
            Ok(()) => Step::Go,
            Err(why) if host.body(Side::Response).is_ok_and(|left| left.is_empty()) => {
                // At trailers whose body has gone nothing can be written, and nothing unjudged is left to leave.
                if !out.is_empty() {
                    log::warn!("sluice: the last of a stream that was cut is left out: {why}");
                }
                Step::Go
            }
            Err(why) => {
                // The client must not get the bytes as they came; paused, the stream ends at its idle timeout.
                log::error!("sluice: a stream could not be written: {why}");
                Step::Wait
            }
        }
    }
}
