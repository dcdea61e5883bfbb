//! Content blocks of a stream: text flows through its hold-back, calls are kept, what is sealed passes.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Block, ReplyStream, Unreadable};
use crate::claude::sse::{Event, write};
use crate::claude::units::{self, Unit, is_call};
use crate::json::{Kind, Splices, Value};
use crate::judge::Case;
use crate::judge::reply::{RESULT_LEFT_OUT, is_result_of};
use crate::judge::transcript::Transcript;
use crate::mask::{Direction, StreamMasker};
use crate::wire::HoldAsk;

/// While a call is kept, one event in this many is replaced by a ping, so that clients see that the stream lives.
const PING_EVERY: usize = 64;

/// One text that flows.
#[derive(Default)]
pub(super) struct Lane {
    masker: StreamMasker,
    /// The last event of this lane, with another text the one that carries the rest.
    last: Option<Event>,
}

impl Lane {
    /// See [`StreamMasker::push`]. `at`: the block and the field.
    fn push(&mut self, case: &mut Case, at: (u64, &str), text: &str, free: &mut String) -> bool {
        let before = case.found_so_far();
        let same = self.feed(case, text, free);
        case.flowed(at, &before);
        same
    }

    fn feed(&mut self, case: &mut Case, text: &str, free: &mut String) -> bool {
        let Case { runtime, profile, memory, .. } = case;
        self.masker.push(&runtime.masker, Direction::Response, profile, memory, text, free)
    }
}

impl ReplyStream {
    pub(super) fn start(
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
                        if !lane.push(case, (index, "text"), &said, &mut free) {
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

    pub(super) fn delta(
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
            Block::Flowing(lanes) => self.flow(case, index, lanes, &event, delta, out),
        }
        self.blocks.insert(index, block);
        Ok(())
    }

    /// Strings directly in a delta flow through lanes; what is nested (a citation) is masked as it stands.
    fn flow(
        &mut self,
        case: &mut Case,
        index: u64,
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
                    let field = key.text().unwrap_or_default();
                    let lane = lanes.entry(field.clone().into_owned()).or_default();
                    let mut free = String::new();
                    let same = lane.push(case, (index, &field), &text, &mut free);
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

    pub(super) fn stop(
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
            Some(Block::Flowing(lanes)) => flush_lanes(case, index, lanes, &mut self.transcript, out),
            Some(_) => {}
            None => return Err(Unreadable("a block ends that never started")),
        }
        self.pass(&event, out);
        Ok(None)
    }

    pub(super) fn flush_all(&mut self, case: &mut Case, out: &mut Vec<u8>) {
        for (index, block) in self.blocks.iter_mut() {
            if let Block::Flowing(lanes) = block {
                let lanes = std::mem::take(lanes);
                flush_lanes(case, *index, lanes, &mut self.transcript, out);
            }
        }
    }
}

fn text_delta(index: u64) -> Event {
    let data = json!({"type":"content_block_delta","index":index,"delta":{"type":"text_delta","text":""}});
    Event { raw: Vec::new(), name: "content_block_delta".into(), data: data.to_string().into_bytes() }
}

/// What lanes still hold back is judged as it stands, and leaves in a delta like the last one.
fn flush_lanes(
    case: &mut Case,
    index: u64,
    lanes: BTreeMap<String, Lane>,
    transcript: &mut Transcript,
    out: &mut Vec<u8>,
) {
    for (field, mut lane) in lanes {
        let mut rest = String::new();
        let before = case.found_so_far();
        lane.masker.finish(
            &case.runtime.masker,
            Direction::Response,
            &case.profile,
            &mut case.memory,
            &mut rest,
        );
        case.flowed((index, &field), &before);
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
