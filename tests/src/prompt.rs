//! Requests to the Messages API, as tests and the demo send them.

use serde_json::{Value, json};

use crate::client::Ask;

/// The model that requests ask for, unless they say otherwise. The stand-in answers for any name.
pub const MODEL: &str = "claude-stand-in";

/// A request that is being put together.
#[derive(Debug, Clone)]
pub struct Prompt {
    body: Value,
}

impl Prompt {
    /// One user message. Cues in it steer the stand-in ([`crate::stand_in::cues`]).
    pub fn new(text: &str) -> Self {
        Self::with_content(json!(text))
    }

    /// One user message with any content.
    pub fn with_content(content: Value) -> Self {
        Self::with_messages(json!([{ "role": "user", "content": content }]))
    }

    /// Any messages.
    pub fn with_messages(messages: Value) -> Self {
        Self { body: json!({ "model": MODEL, "max_tokens": 1024, "messages": messages }) }
    }

    /// What a client sends once `tool` has run: the call and its result.
    pub fn with_tool_result(tool: &str, input: &Value, result: &str) -> Self {
        Self::with_messages(json!([
            { "role": "user", "content": "go on" },
            { "role": "assistant", "content": [
                { "type": "tool_use", "id": "toolu_1", "name": tool, "input": input },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_1", "content": result },
            ] },
        ]))
        .tool(tool)
    }

    /// Sets any field.
    #[must_use]
    pub fn set(mut self, field: &str, value: Value) -> Self {
        if let Some(object) = self.body.as_object_mut() {
            object.insert(field.to_owned(), value);
        }
        self
    }

    /// Asks for a stream.
    #[must_use]
    pub fn streamed(self) -> Self {
        self.set("stream", json!(true))
    }

    /// Asks for a stream, or not.
    #[must_use]
    pub fn stream(self, stream: bool) -> Self {
        if stream { self.streamed() } else { self }
    }

    /// Offers a tool.
    #[must_use]
    pub fn tool(self, name: &str) -> Self {
        let mut tools = self.body.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
        tools.push(json!({ "name": name, "description": "a tool", "input_schema": { "type": "object" } }));
        self.set("tools", Value::Array(tools))
    }

    /// The body.
    pub fn body(&self) -> String {
        self.body.to_string()
    }

    /// The call to `POST /v1/messages` below `url`, with `token`.
    pub fn ask(&self, url: &str, token: &str) -> Ask {
        Ask::post(format!("{url}/v1/messages"), self.body())
            .header("anthropic-version", "2023-06-01")
            .bearer(token)
    }
}
