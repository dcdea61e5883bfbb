//! A server's messages as they flow: each event is one message, judged when it is whole; the next ones wait for one
//! that waits.

use super::super::stream::Flow;
use super::super::{Case, Refusal};
use super::reply::Told;
use crate::claude::error::ErrorKind;
use crate::claude::sse::{Decoder, Event};
use crate::json;
use crate::mcp::event::rewritten;
use crate::mcp::message::{self, What};
use crate::policy::document::RecordMode;

/// How much of what is no answer goes into a stream's record, in bytes: a server may log for hours.
const NOTED: usize = 256 * 1024;

/// How much a stream's record keeps in all, in bytes: as much as a body may have.
const KEPT: usize = 32 * 1024 * 1024;

/// How many decisions one stream may bring about. A list of tools brings about 500 at most.
const DECISIONS: usize = 2000;

/// What stands in the place of an answer, when the server asked what it may not ask.
const MAY_NOT_ASK: &str = "[Sluice] The MCP server asked something of the client or its user that policy does not let it ask (`mcp[].serverMayAsk`), so the call ended here.";

/// Why a stream ends whose answers are more than the record keeps.
const TOO_MUCH: &str = "its answers are more than 32 MB";

/// A stream of messages.
#[derive(Default)]
pub(in super::super) struct McpStream {
    decoder: Decoder,
    held: Option<Event>,
    broken: bool,
    /// Messages that left, masked for the record.
    recorded: Vec<String>,
    noted: usize,
    kept: usize,
}

impl McpStream {
    /// See [`super::super::ReplyStream::push`].
    pub fn push(&mut self, case: &mut Case, bytes: &[u8], out: &mut Vec<u8>) -> Flow {
        if self.broken {
            return Flow::Broken;
        }
        if self.decoder.push(bytes).is_err() {
            return self.fail(case, "an event is too large", out);
        }
        self.advance(case, out)
    }

    /// See [`super::super::ReplyStream::end`]. An event without its end is none.
    pub fn end(&mut self, case: &mut Case, out: &mut Vec<u8>) -> Flow {
        if self.broken { Flow::Broken } else { self.advance(case, out) }
    }

    /// See [`super::super::ReplyStream::resume`].
    pub fn resume(&mut self, case: &mut Case, out: &mut Vec<u8>) -> Flow {
        if self.broken {
            return Flow::Broken;
        }
        if let Some(event) = self.held.take()
            && let Some(flow) = self.event(case, event, out)
        {
            return flow;
        }
        self.advance(case, out)
    }

    /// See [`super::super::ReplyStream::refuse`].
    pub fn refuse(&mut self, case: &mut Case, words: &str, out: &mut Vec<u8>) -> Flow {
        if self.broken {
            return Flow::Broken;
        }
        if let Some(event) = self.held.take()
            && let Some(flow) = self.send(case, &event, &instead(case, &event, words), true, out)
        {
            return flow;
        }
        self.advance(case, out)
    }

    /// What left, for the record.
    pub fn recorded(&self) -> Option<String> {
        match self.recorded.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            many => Some(format!("[{}]", many.join(","))),
        }
    }

    fn advance(&mut self, case: &mut Case, out: &mut Vec<u8>) -> Flow {
        while self.held.is_none() {
            let Some(event) = self.decoder.next_event() else { break };
            if let Some(flow) = self.event(case, event, out) {
                return flow;
            }
        }
        Flow::Open
    }

    /// Judges an event; gives what the stream comes to, where it does not just go on.
    fn event(&mut self, case: &mut Case, event: Event, out: &mut Vec<u8>) -> Option<Flow> {
        if event.data.is_empty() {
            // Comments, and the empty event with an id that a stream may begin with.
            out.extend_from_slice(&event.raw);
            return None;
        }
        if !matches!(event.name.as_str(), "" | "message") {
            return Some(self.fail(case, "an event is no message", out));
        }
        let data = event.data.clone();
        let noted = case.decisions.len();
        let Ok(doc) = json::parse(&data, case.runtime.limits.depth) else {
            return Some(self.fail(case, "an event is not JSON", out));
        };
        let is_answer = message::read(doc.root()).is_ok_and(|message| message.what == What::Response);
        let told = case.told(&doc);
        if case.decisions.len() > DECISIONS {
            return Some(self.fail(case, "it makes policy decide too often", out));
        }
        match told {
            Ok(Told::Pass(splices)) if splices.is_empty() => {
                if !self.note(case, &data, is_answer) {
                    return Some(self.fail(case, TOO_MUCH, out));
                }
                out.extend_from_slice(&event.raw);
            }
            Ok(Told::Pass(splices)) => {
                let data = String::from_utf8_lossy(&splices.apply(&data)).into_owned();
                return self.send(case, &event, &data, is_answer, out);
            }
            Ok(Told::Instead(message)) => return self.send(case, &event, &message, true, out),
            Ok(Told::Dropped) => return self.drop_question(case, &event, out),
            Ok(Told::LeftOut) => out.extend_from_slice(&rewritten(&event, None)),
            Ok(Told::Hold(ask)) => {
                case.decisions.truncate(noted);
                case.note_hold(&ask);
                self.held = Some(event);
                return Some(Flow::Held(ask));
            }
            Ok(Told::Tools(seen)) => {
                case.decisions.truncate(noted);
                self.held = Some(event);
                return Some(Flow::Tools(seen));
            }
            Err(why) => return Some(self.fail(case, why, out)),
        }
        None
    }

    /// A question that the server may not ask. Nobody answers it, and the server would wait: the request whose reply
    /// this is ends here. Where there is none, the stream goes on without it.
    fn drop_question(&mut self, case: &mut Case, event: &Event, out: &mut Vec<u8>) -> Option<Flow> {
        let Some(answers) = case.answers().filter(|answers| answers.id.is_some()) else {
            out.extend_from_slice(&rewritten(event, None));
            return None;
        };
        self.broken = true;
        let message = answers.message(ErrorKind::Permission, MAY_NOT_ASK);
        self.send(case, event, &message, true, out).or(Some(Flow::Broken))
    }

    /// Hands out an event with other data, or ends the stream when the record has no room for it.
    fn send(
        &mut self,
        case: &mut Case,
        event: &Event,
        data: &str,
        is_answer: bool,
        out: &mut Vec<u8>,
    ) -> Option<Flow> {
        if !self.note(case, data.as_bytes(), is_answer) {
            return Some(self.fail(case, TOO_MUCH, out));
        }
        out.extend_from_slice(&rewritten(event, Some(data)));
        None
    }

    /// Keeps a message for the record: every answer, and of all else as much as has room. Gives whether an answer has
    /// room, too: none leaves that is not in the record.
    fn note(&mut self, case: &Case, data: &[u8], is_answer: bool) -> bool {
        if case.runtime.recording == RecordMode::Off {
            return true;
        }
        let Some(message) = case.recorded_message(data) else { return true };
        let (used, room) = if is_answer { (&mut self.kept, KEPT) } else { (&mut self.noted, NOTED) };
        if *used + message.len() > room {
            return !is_answer;
        }
        *used += message.len();
        self.recorded.push(message);
        true
    }

    /// Ends the stream with an error: nothing unread leaves.
    fn fail(&mut self, case: &mut Case, why: &str, out: &mut Vec<u8>) -> Flow {
        self.broken = true;
        let words = format!("the MCP server's stream cannot be read ({why}), so the rest was not passed on");
        case.note(&Refusal::new(ErrorKind::Api, "reply", words.as_str()));
        let answers = case.answers().filter(|answers| answers.id.is_some());
        if let Some(answers) = answers {
            let message = answers.message(ErrorKind::Api, &format!("Sluice: {words}"));
            out.extend_from_slice(format!("event: message\ndata: {message}\n\n").as_bytes());
        }
        Flow::Broken
    }
}

/// The answer that stands in the place of one that waited.
fn instead(case: &Case, event: &Event, words: &str) -> String {
    let mut answers = case.answers().unwrap_or_default();
    if let Ok(doc) = json::parse(&event.data, case.runtime.limits.depth) {
        answers.id = doc.root().get("id").map(|id| id.raw().to_owned());
    }
    answers.message(ErrorKind::Permission, words)
}
