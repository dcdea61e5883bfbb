//! From a request body to the reply: a plan, and the message that it makes.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Refusal;
use super::cues::{Block, Plan};

/// A request that was read and found to be in order.
#[derive(Debug)]
pub struct Asked {
    /// The model asked for.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// A token for every four bytes.
    pub input_tokens: usize,
    /// What to answer.
    pub plan: Plan,
}

impl Asked {
    /// Reads a body of `POST /v1/messages`; `counting` requests need no `max_tokens`.
    pub fn read(body: &[u8], counting: bool) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::invalid(format!("the request body is not valid JSON: {error}")))?;
        let object =
            value.as_object().ok_or_else(|| Refusal::invalid("the request body is not an object"))?;
        let model =
            field(object, "model")?.as_str().ok_or_else(|| Refusal::invalid("model: not a string"))?;
        let messages = field(object, "messages")?
            .as_array()
            .ok_or_else(|| Refusal::invalid("messages: not an array"))?;
        if messages.is_empty() {
            return Err(Refusal::invalid("messages: at least one message is required"));
        }
        if !counting && field(object, "max_tokens")?.as_u64().is_none_or(|tokens| tokens == 0) {
            return Err(Refusal::invalid("max_tokens: not a positive integer"));
        }
        let stream = match object.get("stream") {
            None | Some(Value::Null) => false,
            Some(value) => value.as_bool().ok_or_else(|| Refusal::invalid("stream: not a boolean"))?,
        };
        Ok(Self {
            model: model.to_owned(),
            stream,
            input_tokens: body.len().div_ceil(4),
            plan: plan(object, messages),
        })
    }

    /// A token for every four bytes of the reply.
    pub fn output_tokens(&self) -> usize {
        let bytes: usize = self
            .plan
            .blocks
            .iter()
            .map(|block| match block {
                Block::Text(text) | Block::Cited(text) | Block::Thinking(text) => text.len(),
                Block::Call(_, input) => input.len(),
                Block::Whole(value) => value.to_string().len(),
            })
            .sum();
        bytes.div_ceil(4).max(1)
    }
}

fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Value, Refusal> {
    object.get(name).ok_or_else(|| Refusal::invalid(format!("{name}: Field required")))
}

fn plan(request: &Map<String, Value>, messages: &[Value]) -> Plan {
    let offered: Vec<&str> = request
        .get("tools")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|tool| tool.get("name")?.as_str())
        .collect();
    let last = messages.iter().rev().find(|m| m.get("role").and_then(Value::as_str) == Some("user"));
    let content = last.and_then(|message| message.get("content"));
    let results: Vec<String> = blocks(content, "tool_result").map(quoted).collect();
    if !results.is_empty() {
        let mut plan = Plan::read("", &offered);
        plan.blocks.push(Block::Text(format!("The tool said: {}", results.join("\n"))));
        return plan;
    }
    let texts: Vec<&str> = texts(content);
    let mut plan = Plan::read(&texts.join("\n"), &offered);
    if plan.blocks.is_empty() {
        let heard = texts.last().copied().unwrap_or("nothing");
        plan.blocks.push(Block::Text(format!("I am a stand-in, not a model. You said: {heard}")));
    }
    plan
}

fn blocks<'a>(content: Option<&'a Value>, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    content
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(move |block| block.get("type").and_then(Value::as_str) == Some(kind))
}

fn texts(content: Option<&Value>) -> Vec<&str> {
    match content {
        Some(Value::String(text)) => vec![text],
        _ => blocks(content, "text").filter_map(|block| block.get("text")?.as_str()).collect(),
    }
}

fn quoted(result: &Value) -> String {
    let text = texts(result.get("content")).join("\n");
    let failed = result.get("is_error").and_then(Value::as_bool) == Some(true);
    if failed { format!("(error) {text}") } else { text }
}

/// The content blocks of a whole reply, as JSON. Tool inputs stay as written.
pub fn content(plan: &Plan, number: u64) -> Vec<Box<RawValue>> {
    let texts = plan.blocks.iter().enumerate().map(|(index, block)| match block {
        Block::Text(text) => json!({ "type": "text", "text": text }).to_string(),
        Block::Cited(text) => {
            json!({ "type": "text", "text": CITING, "citations": [citation(text)] }).to_string()
        }
        Block::Thinking(text) => {
            json!({ "type": "thinking", "thinking": text, "signature": SIGNATURE }).to_string()
        }
        Block::Call(tool, input) => format!(
            r#"{{"type":"tool_use","id":"{}","name":{},"input":{input}}}"#,
            call_id(number, index),
            Value::from(tool.as_str()),
        ),
        Block::Whole(value) => value.to_string(),
    });
    texts.filter_map(|text| RawValue::from_string(text).ok()).collect()
}

/// What stands before a citation.
pub const CITING: &str = "The document says so.";
/// What the stand-in signs its thinking with: base64 of a sentence that says what it is.
pub const SIGNATURE: &str = "c2lnbmVkIGJ5IGEgc3RhbmQtaW4sIHdoaWNoIHRoaW5rcyBub3RoaW5n";

/// A citation of `text`.
pub fn citation(text: &str) -> Value {
    json!({
        "type": "char_location",
        "cited_text": text,
        "document_index": 0,
        "document_title": "a document",
        "start_char_index": 0,
        "end_char_index": text.chars().count(),
    })
}

/// The id of a tool call.
pub fn call_id(number: u64, index: usize) -> String {
    format!("toolu_standin_{number:08}_{index}")
}
