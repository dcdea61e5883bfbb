//! Calls of a stream, once they are whole: they leave, leave changed, are replaced by text, or wait.

use serde_json::json;

use super::{Block, ReplyStream, Unreadable};
use crate::claude::error::ErrorKind;
use crate::claude::sse::Event;
use crate::json::{self, Splices, Value};
use crate::judge::calls::{Call, tool_name};
use crate::judge::{Case, Refusal};
use crate::wire::HoldAsk;

impl ReplyStream {
    /// Judges the call of a block that is whole.
    pub(super) fn release_call(
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
            case.note(&Refusal::new(ErrorKind::Permission, "unreadable_call", words.as_str()));
            self.refuse_call(index, &events, &words, out);
            return Ok(None);
        };
        case.base(|| format!("/content/{index}"));
        match case.call(block, doc.root()) {
            Call::Deny(words) => self.refuse_call(index, &events, &words, out),
            Call::Hold(ask) => {
                self.blocks.insert(index, Block::Call { events, json });
                self.held = Some(index);
                return Ok(Some(ask));
            }
            Call::Allow => {
                case.count_call(&tool_name(block));
                self.passed |= block.get("type").is_some_and(|kind| kind.is("tool_use"));
                let mut splices = Splices::new();
                case.base(|| format!("/content/{index}/input"));
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
    pub(super) fn refuse_call(&mut self, index: u64, events: &[Event], words: &str, out: &mut Vec<u8>) {
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
}
