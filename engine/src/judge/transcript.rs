//! The message that a stream adds up to, as the client got it: what the record keeps of a streamed reply.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::record::Usage;

/// Puts a message together from the events that left for the client.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    message: Map<String, Value>,
    blocks: BTreeMap<u64, Block>,
}

#[derive(Debug, Default)]
struct Block {
    start: Map<String, Value>,
    input: String,
}

impl Transcript {
    /// Adds an event as it left.
    pub(super) fn event(&mut self, data: &[u8]) {
        let Ok(Value::Object(event)) = serde_json::from_slice(data) else { return };
        let index = event.get("index").and_then(Value::as_u64).unwrap_or(0);
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                if let Some(Value::Object(message)) = event.get("message") {
                    self.message.clone_from(message);
                }
            }
            Some("content_block_start") => {
                if let Some(Value::Object(start)) = event.get("content_block") {
                    self.blocks.insert(index, Block { start: start.clone(), input: String::new() });
                }
            }
            Some("content_block_delta") => {
                if let Some(Value::Object(delta)) = event.get("delta") {
                    self.blocks.entry(index).or_default().delta(delta);
                }
            }
            Some("message_delta") => {
                if let Some(Value::Object(delta)) = event.get("delta") {
                    self.message.extend(delta.clone());
                }
                if let (Some(Value::Object(new)), Some(Value::Object(usage))) =
                    (event.get("usage"), self.message.get_mut("usage"))
                {
                    // Counts are of the whole message so far; one that is null is not told again.
                    usage.extend(
                        new.iter().filter(|(_, count)| !count.is_null()).map(|(k, v)| (k.clone(), v.clone())),
                    );
                }
            }
            _ => {}
        }
    }

    /// The message; `None` when neither it nor a block began.
    pub(super) fn message(&self) -> Option<Value> {
        if self.message.is_empty() && self.blocks.is_empty() {
            return None;
        }
        let mut message = self.message.clone();
        let content = self.blocks.values().map(Block::whole).collect();
        message.insert("content".into(), Value::Array(content));
        Some(Value::Object(message))
    }

    pub(super) fn stop_reason(&self) -> Option<String> {
        self.message.get("stop_reason")?.as_str().map(str::to_owned)
    }

    pub(super) fn model(&self) -> Option<String> {
        self.message.get("model")?.as_str().map(str::to_owned)
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.message.get("usage").and_then(usage)
    }
}

/// Tokens used, as a reply says it. Fields that are missing or null count as none.
pub(super) fn usage(value: &Value) -> Option<Usage> {
    let count = |field: &str| value.get(field).and_then(Value::as_u64).unwrap_or(0);
    value.is_object().then(|| Usage {
        input_tokens: count("input_tokens"),
        output_tokens: count("output_tokens"),
        cache_read_input_tokens: count("cache_read_input_tokens"),
        cache_creation_input_tokens: count("cache_creation_input_tokens"),
        cache_creation_1h_input_tokens: value
            .pointer("/cache_creation/ephemeral_1h_input_tokens")
            .and_then(Value::as_u64)
            .unwrap_or(0),
        cost_micro_usd: None,
    })
}

impl Block {
    fn delta(&mut self, delta: &Map<String, Value>) {
        if let Some(Value::String(json)) = delta.get("partial_json") {
            self.input.push_str(json);
        }
        if let Some(citation) = delta.get("citation")
            && let Value::Array(citations) = self.start.entry("citations").or_insert_with(|| json!([]))
        {
            citations.push(citation.clone());
        }
        for (field, value) in delta {
            if let (false, Value::String(more)) = (matches!(field.as_str(), "type" | "partial_json"), value) {
                match self.start.entry(field.clone()).or_insert_with(|| json!("")) {
                    Value::String(text) => text.push_str(more),
                    // `signature: null`, and the like, until the first delta.
                    other => *other = json!(more),
                }
            }
        }
    }

    fn whole(&self) -> Value {
        let mut block = self.start.clone();
        if !self.input.is_empty() {
            let input = serde_json::from_str(&self.input).unwrap_or_else(|_| json!(self.input));
            block.insert("input".into(), input);
        }
        Value::Object(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_adds_up_to_its_message() {
        let mut transcript = Transcript::default();
        for event in [
            r#"{"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"Bash","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
        ] {
            transcript.event(event.as_bytes());
        }
        assert_eq!(
            transcript.message().unwrap(),
            json!({"id":"msg_1","role":"assistant","stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":9},
                "content":[{"type":"text","text":"Hello"},{"type":"tool_use","id":"t","name":"Bash","input":{"a":1}}]})
        );
        assert_eq!(transcript.usage().unwrap().output_tokens, 9);
        assert_eq!(transcript.stop_reason().unwrap(), "tool_use");
    }
}
