//! A reply that streams: masked as it flows, each call let out when it is whole and judged.
//!
//! * Text passes through the masker's hold-back, block by block; an event that is not changed leaves as the bytes
//!   that it came as.
//! * A call is kept until its last event, then judged: it leaves, or a text block stands in its place, or the
//!   stream waits for a person. What comes behind it waits with it.
//! * What cannot be read ends the stream with an error event: nothing unread leaves.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Case;
use super::calls::{Call, tool_name};
use super::lines::Lines;
use super::reply::{RESULT_LEFT_OUT, is_result_of};
use super::transcript::Transcript;
use crate::claude::error::{ErrorKind, envelope};
use crate::claude::sse::{Decoder, Event, write};
use crate::claude::units::{self, Unit, is_call};
use crate::json::{self, Kind, Splices, Value};
use crate::mask::{Direction, StreamMasker};
use crate::wire::HoldAsk;

/// While a call is kept, one event in this many is replaced by a ping, so that clients see that the stream lives.
const PING_EVERY: usize = 64;

/// Where a stream stands after what was pushed.
#[derive(Debug)]
pub enum Flow {
    /// It flows.
    Open,
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

#[derive(Default)]
struct Lane {
    masker: StreamMasker,
    /// The last event of this lane, with another text the one that carries the rest.
    last: Option<Event>,
}

/// Something that cannot be read. Its words go to the client.
struct Unreadable(&'static str);

impl ReplyStream {
    /// Server-sent events.
    pub fn events() -> Self {
        Self::default()
    }

    /// JSON lines.
    pub fn lines() -> Self {
        Self { lines: Some(Lines::default()), ..Self::default() }
    }

    /// Takes bytes from upstream, appends to `out` what may leave.
    pub fn push(&mut self, case: &mut Case, bytes: &[u8], out: &mut Vec<u8>) -> Flow {
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

    /// The whole message as the client got it, masked for the record.
    pub fn recorded(&self, case: &mut Case) -> Option<String> {
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
        match (kind.as_ref(), index) {
            ("content_block_start", Some(index)) => self.start(case, index, event, root, out)?,
            ("content_block_delta", Some(index)) => self.delta(case, index, event, root, out)?,
            ("content_block_stop", Some(index)) => return self.stop(case, index, event, out),
            ("content_block_start" | "content_block_delta" | "content_block_stop", None) => {
                return Err(Unreadable("an event of a block has no index"));
            }
            ("message_delta", _) => {
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

    fn start(
        &mut self,
        case: &mut Case,
        index: u64,
        event: Event,
        root: Value<'_, '_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let block = root.get("content_block").ok_or(Unreadable("a block starts without content"))?;
        if !self.started.insert(index) {
            return Err(Unreadable("a block starts twice"));
        }
        let kind = block.str("type").unwrap_or_default();
        let state = match kind.as_ref() {
            kind if is_call(kind) => {
                self.blocks.insert(index, Block::Call { events: vec![event], json: String::new() });
                return Ok(());
            }
            "thinking" | "redacted_thinking" | "compaction" => {
                self.pass(&event, out);
                Block::Sealed
            }
            _ if is_result_of(block, &self.refused) => {
                let data = json!({"type":"content_block_start","index":index,"content_block":{"type":"text","text":RESULT_LEFT_OUT}});
                self.made("content_block_start", &data.to_string(), out);
                Block::LeftOut
            }
            "text" => {
                let mut lanes = BTreeMap::new();
                let mut splices = Splices::new();
                let mut unit = units::of_block(block);
                // The text goes on in deltas: it takes the same lane as they do.
                if let Some(text) = block.get("text").filter(|text| text.kind() == Kind::String) {
                    unit.leaves.retain(|leaf| leaf.span() != text.span());
                    if let Some(said) = text.text().filter(|said| !said.is_empty()) {
                        let mut lane = Lane { last: Some(text_delta(index)), ..Lane::default() };
                        let mut free = String::new();
                        if !lane.masker.push(
                            &case.runtime.masker,
                            Direction::Response,
                            &case.profile,
                            &mut case.memory,
                            &said,
                            &mut free,
                        ) {
                            text.splice([(0..said.len(), free.as_str())], &mut splices);
                        }
                        lanes.insert("text".to_owned(), lane);
                    }
                }
                case.mask(&mut unit, Direction::Response, &mut splices);
                self.send(&event, splices, out);
                Block::Flowing(lanes)
            }
            _ => {
                let mut splices = Splices::new();
                case.mask_block(block, &mut splices);
                self.send(&event, splices, out);
                Block::Flowing(BTreeMap::new())
            }
        };
        self.blocks.insert(index, state);
        Ok(())
    }

    fn delta(
        &mut self,
        case: &mut Case,
        index: u64,
        event: Event,
        root: Value<'_, '_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let delta = root.get("delta").ok_or(Unreadable("a delta is empty"))?;
        let kind = delta.str("type").unwrap_or_default();
        let mut block = self.blocks.remove(&index).ok_or(Unreadable("a delta has no block"))?;
        match &mut block {
            Block::Call { events, json } => {
                let more = delta
                    .str("partial_json")
                    .ok_or(Unreadable("a call has a delta that is not its input"))?;
                json.push_str(&more);
                events.push(event);
                if events.len().is_multiple_of(PING_EVERY) {
                    self.made("ping", r#"{"type":"ping"}"#, out);
                }
            }
            Block::LeftOut => {}
            Block::Sealed => self.pass(&event, out),
            Block::Flowing(_)
                if matches!(kind.as_ref(), "signature_delta" | "thinking_delta" | "compaction_delta") =>
            {
                self.pass(&event, out);
            }
            Block::Flowing(lanes) => self.flow(case, lanes, &event, delta, out),
        }
        self.blocks.insert(index, block);
        Ok(())
    }

    /// Strings directly in a delta flow through lanes; what is nested (a citation) is masked as it stands.
    fn flow(
        &mut self,
        case: &mut Case,
        lanes: &mut BTreeMap<String, Lane>,
        event: &Event,
        delta: Value<'_, '_>,
        out: &mut Vec<u8>,
    ) {
        let mut splices = Splices::new();
        let mut whole = Unit::default();
        let mut swallowed = false;
        for (key, value) in delta.entries().filter(|(key, _)| !key.is("type")) {
            match value.text() {
                Some(text) => {
                    let lane = lanes.entry(key.text().unwrap_or_default().into_owned()).or_default();
                    let mut free = String::new();
                    let same = lane.masker.push(
                        &case.runtime.masker,
                        Direction::Response,
                        &case.profile,
                        &mut case.memory,
                        &text,
                        &mut free,
                    );
                    if !same {
                        value.splice([(0..text.len(), free.as_str())], &mut splices);
                        swallowed |= free.is_empty();
                    }
                    lane.last = Some(event.clone());
                }
                None => {
                    let nested = units::of_block(value);
                    whole.leaves.extend(nested.leaves);
                }
            }
        }
        case.mask(&mut whole, Direction::Response, &mut splices);
        // An event all of whose text is held back has nothing to say yet.
        if !(swallowed && whole.leaves.is_empty()) {
            self.send(event, splices, out);
        }
    }

    fn stop(
        &mut self,
        case: &mut Case,
        index: u64,
        event: Event,
        out: &mut Vec<u8>,
    ) -> Result<Option<Box<HoldAsk>>, Unreadable> {
        if let Some(Block::Call { events, .. }) = self.blocks.get_mut(&index) {
            events.push(event);
            return self.release_call(case, index, out);
        }
        match self.blocks.remove(&index) {
            Some(Block::Flowing(lanes)) => self.flush(case, lanes, out),
            Some(_) => {}
            None => return Err(Unreadable("a block ends that never started")),
        }
        self.pass(&event, out);
        Ok(None)
    }

    fn flush_all(&mut self, case: &mut Case, out: &mut Vec<u8>) {
        for (_, block) in self.blocks.iter_mut() {
            if let Block::Flowing(lanes) = block {
                let lanes = std::mem::take(lanes);
                flush_lanes(case, lanes, &mut self.transcript, out);
            }
        }
    }

    fn flush(&mut self, case: &mut Case, lanes: BTreeMap<String, Lane>, out: &mut Vec<u8>) {
        flush_lanes(case, lanes, &mut self.transcript, out);
    }

    /// Judges the call of a block that is whole.
    fn release_call(
        &mut self,
        case: &mut Case,
        index: u64,
        out: &mut Vec<u8>,
    ) -> Result<Option<Box<HoldAsk>>, Unreadable> {
        let Some(Block::Call { events, json }) = self.blocks.remove(&index) else {
            return Err(Unreadable("a call is gone"));
        };
        let start = events.first().map(|event| event.data.clone()).unwrap_or_default();
        let start =
            json::parse(&start, case.runtime.limits.depth).map_err(|_| Unreadable("a call is not JSON"))?;
        let block = start.root().get("content_block").unwrap_or(start.root());
        // Without deltas, the input is the one that the block started with.
        let at_start = block.get("input").map_or("{}", Value::raw);
        let input = if json.is_empty() { at_start } else { json.as_str() };
        // Clients may take either of two inputs.
        let twice = !json.is_empty() && !matches!(at_start, "{}" | "null" | "\"\"");
        let parsed = json::parse(input.as_bytes(), case.runtime.limits.depth);
        let Some(doc) = parsed.ok().filter(|_| !twice) else {
            // Cut off by `max_tokens`, or with a key that stands twice: nobody can tell what it would do.
            let tool = tool_name(block);
            let words = format!(
                "[Sluice] A call of tool `{tool}` was left out: its input is not complete or not readable JSON."
            );
            case.note(&super::Refusal::new(ErrorKind::Permission, "unreadable_call", words.as_str()));
            self.refuse_call(index, &events, &words, out);
            return Ok(None);
        };
        match case.call(block, doc.root()) {
            Call::Deny(words) => self.refuse_call(index, &events, &words, out),
            Call::Hold(ask) => {
                self.blocks.insert(index, Block::Call { events, json });
                self.held = Some(index);
                return Ok(Some(ask));
            }
            Call::Allow => {
                self.passed |= block.get("type").is_some_and(|kind| kind.is("tool_use"));
                let mut splices = Splices::new();
                case.mask_input(doc.root(), &mut splices);
                if splices.is_empty() {
                    events.iter().for_each(|event| self.pass(event, out));
                } else {
                    let input = String::from_utf8_lossy(&splices.apply(input.as_bytes())).into_owned();
                    self.changed_call(index, &events, block, &input, out);
                }
            }
        }
        Ok(None)
    }

    /// A call whose input was changed: its start, the input in one delta, its stop.
    fn changed_call(
        &mut self,
        index: u64,
        events: &[Event],
        block: Value<'_, '_>,
        input: &str,
        out: &mut Vec<u8>,
    ) {
        if let Some(first) = events.first() {
            let mut splices = Splices::new();
            if let Some(own) = block.get("input") {
                splices.replace(own.span(), "{}".into());
            }
            self.send(first, splices, out);
        }
        let delta = json!({"type":"content_block_delta","index":index,"delta":{"type":"input_json_delta","partial_json":input}});
        self.made("content_block_delta", &delta.to_string(), out);
        if let Some(last) = events.last() {
            self.pass(last, out);
        }
    }

    /// Puts a text block in the place of a call.
    fn refuse_call(&mut self, index: u64, events: &[Event], words: &str, out: &mut Vec<u8>) {
        let start =
            events.first().and_then(|event| serde_json::from_slice::<serde_json::Value>(&event.data).ok());
        let id = start.as_ref().and_then(|start| start.get("content_block")?.get("id")?.as_str());
        self.refused.push(id.unwrap_or_default().to_owned());
        let start =
            json!({"type":"content_block_start","index":index,"content_block":{"type":"text","text":""}});
        let delta =
            json!({"type":"content_block_delta","index":index,"delta":{"type":"text_delta","text":words}});
        let stop = json!({"type":"content_block_stop","index":index});
        self.made("content_block_start", &start.to_string(), out);
        self.made("content_block_delta", &delta.to_string(), out);
        self.made("content_block_stop", &stop.to_string(), out);
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

fn text_delta(index: u64) -> Event {
    let data = json!({"type":"content_block_delta","index":index,"delta":{"type":"text_delta","text":""}});
    Event { raw: Vec::new(), name: "content_block_delta".into(), data: data.to_string().into_bytes() }
}

/// What lanes still hold back is judged as it stands, and leaves in a delta like the last one.
fn flush_lanes(
    case: &mut Case,
    lanes: BTreeMap<String, Lane>,
    transcript: &mut Transcript,
    out: &mut Vec<u8>,
) {
    for (field, mut lane) in lanes {
        let mut rest = String::new();
        lane.masker.finish(
            &case.runtime.masker,
            Direction::Response,
            &case.profile,
            &mut case.memory,
            &mut rest,
        );
        let (false, Some(last)) = (rest.is_empty(), lane.last) else { continue };
        let Ok(mut data) = serde_json::from_slice::<serde_json::Value>(&last.data) else { continue };
        if let Some(delta) = data.get_mut("delta").and_then(serde_json::Value::as_object_mut) {
            delta.retain(|key, value| key == "type" || !value.is_string());
            delta.insert(field, rest.into());
        }
        let data = data.to_string();
        transcript.event(data.as_bytes());
        write(&last.name, &data, out);
    }
}
