//! A reply that streams: masked as it flows, each call let out when it is whole and judged.
//!
//! * Text passes through the masker's hold-back, block by block; an event that is not changed leaves as the bytes
//!   that it came as.
//! * A call is kept until its last event, then judged: it leaves, or a text block stands in its place, or the
//!   stream waits for a person. What comes behind it waits with it.
//! * What cannot be read ends the stream with an error event: nothing unread leaves.

mod blocks;
mod release;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use blocks::Lane;

use super::Case;
use super::lines::Lines;
use super::mcp::McpStream;
use super::transcript::Transcript;
use crate::claude::error::{ErrorKind, envelope};
use crate::claude::sse::{Decoder, Event, write};
use crate::claude::units::{self, is_call};
use crate::json::{self, Splices, Value};
use crate::mask::Direction;
use crate::wire::{HoldAsk, ToolsSeen};

/// Where a stream stands after what was pushed.
#[derive(Debug)]
pub enum Flow {
    /// It flows.
    Open,
    /// It lists tools: ask control which of their definitions are approved, tell the case
    /// ([`Case::tools_known`]), then [`ReplyStream::resume`].
    Tools(Box<ToolsSeen>),
    /// A call waits for a person. Ask, [settle](Case::settle), then [`ReplyStream::resume`].
    Held(Box<HoldAsk>),
    /// It was ended with an error event; whatever still comes is dropped.
    Broken,
}

/// One streamed reply.
#[derive(Default)]
pub struct ReplyStream {
    /// JSON lines, when the reply is made of them and not of events.
    lines: Option<Lines>,
    /// Messages of an MCP server, when the reply is made of them.
    mcp: Option<Box<McpStream>>,
    decoder: Decoder,
    blocks: BTreeMap<u64, Block>,
    /// The indexes of all blocks so far.
    started: BTreeSet<u64>,
    /// The block whose call waits.
    held: Option<u64>,
    ended: bool,
    broken: bool,
    /// Ids of calls that were refused.
    refused: Vec<String>,
    /// Whether a call for the client to run was let out.
    passed: bool,
    transcript: Transcript,
    /// Bytes of text, thinking and tool input that the model wrote so far.
    written: u64,
    /// Whether the model has said what was used.
    counted: bool,
}

/// A content block that is open.
enum Block {
    /// Text that flows, by the field of the delta that carries it, and the last event of each.
    Flowing(BTreeMap<String, Lane>),
    /// A call that is kept.
    Call { events: Vec<Event>, json: String },
    /// Never changed.
    Sealed,
    /// The result of a refused call: replaced.
    LeftOut,
}

/// Something that cannot be read. Its words go to the client.
struct Unreadable(&'static str);

impl ReplyStream {
    /// Server-sent events.
    pub fn events() -> Self {
        Self::default()
    }

    /// Server-sent events with messages of an MCP server.
    pub fn mcp() -> Self {
        Self { mcp: Some(Box::default()), ..Self::default() }
    }

    /// JSON lines.
    pub fn lines() -> Self {
        Self { lines: Some(Lines::default()), ..Self::default() }
    }

    /// Takes bytes from upstream, appends to `out` what may leave.
    pub fn push(&mut self, case: &mut Case, bytes: &[u8], out: &mut Vec<u8>) -> Flow {
        if let Some(mcp) = &mut self.mcp {
            return mcp.push(case, bytes, out);
        }
        if self.broken {
            return Flow::Broken;
        }
        if self.lines.is_some() {
            return self.push_lines(case, bytes, out);
        }
        if self.decoder.push(bytes).is_err() {
            return self.fail(case, "an event is too large", out);
        }
        self.advance(case, out)
    }

    /// Says that upstream has ended; to be called once, after the last [`push`](Self::push).
    pub fn end(&mut self, case: &mut Case, out: &mut Vec<u8>) -> Flow {
        if let Some(mcp) = &mut self.mcp {
            return mcp.end(case, out);
        }
        self.ended = true;
        match (self.broken, &self.lines) {
            (true, _) => Flow::Broken,
            (false, Some(_)) => self.push_lines(case, &[], out),
            (false, None) => self.advance(case, out),
        }
    }

    fn push_lines(&mut self, case: &mut Case, bytes: &[u8], out: &mut Vec<u8>) -> Flow {
        let pushed = self.lines.as_mut().map(|lines| lines.push(case, bytes, self.ended, out));
        // A line that cannot be read cannot be replaced by an error either: what follows is left out.
        self.broken = matches!(pushed, Some(Err(_)));
        if self.broken { Flow::Broken } else { Flow::Open }
    }

    /// Goes on after the call that waits was settled.
    pub fn resume(&mut self, case: &mut Case, out: &mut Vec<u8>) -> Flow {
        if let Some(mcp) = &mut self.mcp {
            return mcp.resume(case, out);
        }
        if self.broken {
            return Flow::Broken;
        }
        let Some(index) = self.held.take() else { return self.advance(case, out) };
        match self.release_call(case, index, out) {
            Ok(Some(ask)) => Flow::Held(ask),
            Ok(None) => self.advance(case, out),
            Err(Unreadable(why)) => self.fail(case, why, out),
        }
    }

    /// Gives up on the call that waits: it is refused with these words, and the stream goes on.
    pub fn refuse(&mut self, case: &mut Case, words: &str, out: &mut Vec<u8>) -> Flow {
        if let Some(mcp) = &mut self.mcp {
            return mcp.refuse(case, words, out);
        }
        if self.broken {
            return Flow::Broken;
        }
        if let Some(index) = self.held.take()
            && let Some(Block::Call { events, .. }) = self.blocks.remove(&index)
        {
            self.refuse_call(index, &events, words, out);
        }
        self.advance(case, out)
    }

    /// The whole message as the client got it; `None` when nothing of one left.
    pub fn message(&self) -> Option<serde_json::Value> {
        self.transcript.message()
    }

    /// The whole message as the client got it, masked for the record.
    pub fn recorded(&self, case: &mut Case) -> Option<String> {
        if let Some(mcp) = &self.mcp {
            return mcp.recorded();
        }
        case.seen = (!self.counted).then_some(self.written);
        let message = self.transcript.message()?;
        case.model = self.transcript.model().or(case.model.take());
        case.stop_reason = self.transcript.stop_reason();
        case.usage = self.transcript.usage();
        case.recorded_reply(message.to_string().as_bytes())
    }

    fn advance(&mut self, case: &mut Case, out: &mut Vec<u8>) -> Flow {
        while self.held.is_none() {
            let Some(event) = self.decoder.next_event() else { break };
            match self.event(case, event, out) {
                Ok(None) => {}
                Ok(Some(ask)) => return Flow::Held(ask),
                Err(Unreadable(why)) => return self.fail(case, why, out),
            }
        }
        if self.ended && self.held.is_none() {
            // A cut stream: what was held back of text is judged as it stands; a call that is not whole never leaves.
            self.flush_all(case, out);
            self.blocks.clear();
        }
        Flow::Open
    }

    fn fail(&mut self, case: &mut Case, why: &str, out: &mut Vec<u8>) -> Flow {
        self.broken = true;
        let message = format!(
            "Sluice: the reply of the API cannot be read ({why}), so the rest was not passed on; try again"
        );
        case.note(&super::Refusal::new(ErrorKind::Api, "reply", message.as_str()));
        write("error", &envelope(ErrorKind::Api, &message, None), out);
        Flow::Broken
    }

    fn event(
        &mut self,
        case: &mut Case,
        event: Event,
        out: &mut Vec<u8>,
    ) -> Result<Option<Box<HoldAsk>>, Unreadable> {
        if event.data.is_empty() {
            out.extend_from_slice(&event.raw);
            return Ok(None);
        }
        let data = event.data.clone();
        let doc =
            json::parse(&data, case.runtime.limits.depth).map_err(|_| Unreadable("an event is not JSON"))?;
        let root = doc.root();
        let kind = match root.get("type") {
            Some(kind) => kind.text().ok_or(Unreadable("the type of an event is not text"))?,
            // The Python SDK puts the name in the type's place.
            None if !event.name.is_empty() => return Err(Unreadable("an event has no type")),
            None => Cow::Borrowed(""),
        };
        // Clients go by one or the other; were they to differ, we and they could read different events.
        if !event.name.is_empty() && !kind.is_empty() && event.name != kind {
            return Err(Unreadable("an event has two types"));
        }
        let index = root.get("index").and_then(Value::as_u64);
        case.base(|| index.map(|index| format!("/content/{index}")).unwrap_or_default());
        match (kind.as_ref(), index) {
            ("content_block_start", Some(index)) => self.start(case, index, event, root, out)?,
            ("content_block_delta", Some(index)) => {
                self.written += written(root);
                self.delta(case, index, event, root, out)?;
            }
            ("content_block_stop", Some(index)) => return self.stop(case, index, event, out),
            ("content_block_start" | "content_block_delta" | "content_block_stop", None) => {
                return Err(Unreadable("an event of a block has no index"));
            }
            ("message_delta", _) => {
                self.counted |= root.get("usage").is_some_and(|usage| usage.kind() == json::Kind::Object);
                self.flush_all(case, out);
                self.message_delta(case, &event, root, out);
            }
            ("message_stop" | "ping", _) => self.pass(&event, out),
            ("message_start", _) => {
                let mut splices = Splices::new();
                let content = root.get("message").and_then(|message| message.get("content"));
                for block in content.into_iter().flat_map(Value::items) {
                    if block.str("type").is_some_and(|kind| is_call(&kind)) {
                        return Err(Unreadable("a message starts with a call in it"));
                    }
                    case.mask_block(block, &mut splices);
                }
                self.send(&event, splices, out);
            }
            _ => {
                let mut splices = Splices::new();
                case.mask(&mut units::of_any(root), Direction::Response, &mut splices);
                self.send(&event, splices, out);
            }
        }
        Ok(None)
    }

    /// `stop_reason` must not promise a call that is not there.
    fn message_delta(&mut self, case: &mut Case, event: &Event, root: Value<'_, '_>, out: &mut Vec<u8>) {
        let mut splices = Splices::new();
        if let Some(delta) = root.get("delta") {
            let stop = delta.get("stop_reason").filter(|stop| stop.is("tool_use"));
            if let (Some(stop), false, false) = (stop, self.passed, self.refused.is_empty()) {
                splices.replace(stop.span(), "\"end_turn\"".into());
            }
            case.mask(&mut units::of_any(delta), Direction::Response, &mut splices);
        }
        self.send(event, splices, out);
    }

    /// Lets an event out as it came.
    fn pass(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.transcript.event(&event.data);
        out.extend_from_slice(&event.raw);
    }

    /// Lets an event out with changes, or as it came when there are none.
    fn send(&mut self, event: &Event, splices: Splices, out: &mut Vec<u8>) {
        if splices.is_empty() {
            return self.pass(event, out);
        }
        let data = splices.apply(&event.data);
        self.made(&event.name, &String::from_utf8_lossy(&data), out);
    }

    /// Lets out an event of our own making.
    fn made(&mut self, name: &str, data: &str, out: &mut Vec<u8>) {
        self.transcript.event(data.as_bytes());
        write(name, data, out);
    }
}

/// Bytes of what a delta adds to the reply. Signatures are no tokens of the model.
fn written(event: Value<'_, '_>) -> u64 {
    let delta = event.get("delta");
    let texts = ["text", "thinking", "partial_json"].into_iter().filter_map(|field| delta?.str(field));
    texts.map(|text| text.len() as u64).sum()
}
