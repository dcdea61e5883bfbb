//! What a reply of the Messages API says, whole or streamed: text, tool calls, why it stopped.
//!
//! The reader is strict: an event that a client could not read is an error here.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::client::Reply;

/// What a reply says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The content blocks, whole, in order.
    pub blocks: Vec<Value>,
    /// The stop reason.
    pub stop_reason: Option<String>,
    /// The names of the events, in order; empty when the reply was not streamed.
    pub events: Vec<String>,
    /// The error event, where one came.
    pub error: Option<Value>,
}

impl Said {
    /// Reads a reply of either kind, by its content type.
    ///
    /// # Errors
    /// A sentence that says what a client could not read.
    pub fn read(reply: &Reply) -> Result<Self, String> {
        if reply.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Self::from_stream(&reply.body);
        }
        let message = reply.json();
        let blocks = message.get("content").and_then(Value::as_array).cloned();
        Ok(Self {
            blocks: blocks.ok_or_else(|| format!("not a message: {}", reply.text()))?,
            stop_reason: message.get("stop_reason").and_then(Value::as_str).map(str::to_owned),
            ..Self::default()
        })
    }

    /// Puts a stream back together.
    ///
    /// # Errors
    /// A sentence that says what a client could not read.
    pub fn from_stream(stream: &[u8]) -> Result<Self, String> {
        let text =
            std::str::from_utf8(stream).map_err(|error| format!("the stream is not UTF-8: {error}"))?;
        let mut said = Self::default();
        let mut open: BTreeMap<u64, (Value, String)> = BTreeMap::new();
        for event in text.split("\n\n").filter(|event| !event.trim().is_empty()) {
            said.event(event, &mut open)?;
        }
        if let Some(index) = open.keys().next() {
            return Err(format!("block {index} was never closed"));
        }
        Ok(said)
    }

    fn event(&mut self, event: &str, open: &mut BTreeMap<u64, (Value, String)>) -> Result<(), String> {
        let mut name = "";
        let mut data = String::new();
        for line in event.lines() {
            match line.split_once(':') {
                Some(("event", value)) => name = value.trim_start(),
                Some(("data", value)) => data.push_str(value.strip_prefix(' ').unwrap_or(value)),
                _ => {}
            }
        }
        if name.is_empty() && data.is_empty() {
            return Ok(());
        }
        let data: Value =
            serde_json::from_str(&data).map_err(|e| format!("{name}: not JSON ({e}): {data}"))?;
        if data.get("type").and_then(Value::as_str) != Some(name) {
            return Err(format!("the event is named {name}, its data says otherwise: {data}"));
        }
        self.events.push(name.to_owned());
        let index = data.get("index").and_then(Value::as_u64).unwrap_or_default();
        match name {
            "content_block_start" => {
                let block = data.get("content_block").cloned().unwrap_or_default();
                if index != (self.blocks.len() + open.len()) as u64 {
                    return Err(format!("block {index} comes out of turn"));
                }
                open.insert(index, (block, String::new()));
            }
            "content_block_delta" => {
                let (block, input) = open
                    .get_mut(&index)
                    .ok_or_else(|| format!("a delta for block {index}, which is not open"))?;
                let delta = data.get("delta").ok_or("a delta without a delta")?;
                grow(block, input, delta)?;
            }
            "content_block_stop" => {
                let (mut block, input) =
                    open.remove(&index).ok_or_else(|| format!("block {index} closes and was not open"))?;
                if !input.is_empty() {
                    let input: Value = serde_json::from_str(&input)
                        .map_err(|error| format!("the tool input is not JSON ({error}): {input}"))?;
                    set(&mut block, "input", input);
                }
                self.blocks.push(block);
            }
            "message_delta" => {
                let reason = data.pointer("/delta/stop_reason").and_then(Value::as_str);
                self.stop_reason = reason.map(str::to_owned);
            }
            "error" => {
                self.error = data.get("error").cloned();
                open.clear();
            }
            _ => {}
        }
        Ok(())
    }

    /// All text, joined.
    pub fn text(&self) -> String {
        let texts = self.of_type("text").filter_map(|block| block.get("text")?.as_str());
        texts.collect()
    }

    /// The tool calls: name and input.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.of_type("tool_use")
            .filter_map(|block| Some((block.get("name")?.as_str()?.to_owned(), block.get("input")?.clone())))
            .collect()
    }

    fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.blocks.iter().filter(move |block| block.get("type").and_then(Value::as_str) == Some(kind))
    }
}

fn grow(block: &mut Value, input: &mut String, delta: &Value) -> Result<(), String> {
    let kind = delta.get("type").and_then(Value::as_str).unwrap_or_default();
    let field = match kind {
        "text_delta" => "text",
        "thinking_delta" => "thinking",
        "signature_delta" => "signature",
        "input_json_delta" => {
            input.push_str(delta.get("partial_json").and_then(Value::as_str).unwrap_or_default());
            return Ok(());
        }
        "citations_delta" => {
            let citation = delta.get("citation").cloned().unwrap_or_default();
            match block.get_mut("citations").and_then(Value::as_array_mut) {
                Some(citations) => citations.push(citation),
                None => set(block, "citations", Value::Array(vec![citation])),
            }
            return Ok(());
        }
        _ => return Err(format!("a delta of an unknown type: {delta}")),
    };
    let more = delta.get(field).and_then(Value::as_str).ok_or_else(|| format!("{kind} without {field}"))?;
    let before = block.get(field).and_then(Value::as_str).unwrap_or_default();
    let joined = format!("{before}{more}");
    set(block, field, Value::String(joined));
    Ok(())
}

fn set(block: &mut Value, field: &str, value: Value) {
    if let Some(object) = block.as_object_mut() {
        object.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(events: &[Value]) -> Vec<u8> {
        let line = |e: &Value| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap_or_default());
        events.iter().map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn a_tool_call_in_pieces_is_put_together() {
        let said = Said::from_stream(&stream(&[
            serde_json::json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"Bash","input":{}}}),
            serde_json::json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}),
            serde_json::json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":":1}"}}),
            serde_json::json!({"type":"content_block_stop","index":0}),
        ]));
        assert_eq!(said.unwrap().calls(), [("Bash".to_owned(), serde_json::json!({"a":1}))]);
    }

    #[test]
    fn a_block_that_is_never_closed_is_an_error() {
        let open = serde_json::json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}});
        assert!(Said::from_stream(&stream(&[open])).is_err());
    }

    #[test]
    fn a_skipped_index_is_an_error() {
        let open = serde_json::json!({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}});
        assert!(Said::from_stream(&stream(&[open])).is_err());
    }
}
