//! Messages to and from MCP servers, as a person reads them.

use serde_json::Value;

use super::super::super::print::clean_line;
use super::{Transcript, call, pretty, texts};

/// Whether a body is a message of an MCP client or server, or several of a stream.
pub fn is_message(body: &Value) -> bool {
    let first = body.as_array().and_then(|all| all.first()).unwrap_or(body);
    first.get("jsonrpc").is_some()
}

impl Transcript {
    /// Shows messages: calls as calls, results as results, all else by its method.
    pub fn messages(&mut self, body: &Value) {
        for message in body.as_array().map_or(std::slice::from_ref(body), Vec::as_slice) {
            self.rpc(message);
        }
    }

    fn rpc(&mut self, message: &Value) {
        let params = message.get("params").cloned().unwrap_or_default();
        let name = params.get("name").and_then(Value::as_str).unwrap_or("?");
        match message.get("method").and_then(Value::as_str) {
            Some("tools/call") => {
                let label = format!("→ {}", clean_line(name));
                self.text(&label, &call(params.get("arguments").unwrap_or(&Value::Null)));
            }
            Some(method) => self.text(&clean_line(method), &call(&params)),
            None => self.answer(message),
        }
    }

    fn answer(&mut self, message: &Value) {
        if let Some(error) = message.get("error") {
            let text =
                error.get("message").and_then(Value::as_str).map_or_else(|| pretty(error), str::to_owned);
            return self.text("← error", &text);
        }
        let result = message.get("result").cloned().unwrap_or_default();
        let failed = result.get("isError").and_then(Value::as_bool) == Some(true);
        let label = if failed { "← result (error)" } else { "← result" };
        let said = ["content", "contents"].iter().find_map(|list| result.get(list)).map(texts);
        let tools = result.get("tools").and_then(Value::as_array);
        let text = match (said, tools) {
            (Some(said), _) if !said.is_empty() => said.join("\n"),
            (_, Some(tools)) => {
                let names = tools.iter().filter_map(|tool| tool.get("name")?.as_str());
                format!("tools: {}", names.collect::<Vec<_>>().join(", "))
            }
            _ => pretty(&result),
        };
        self.text(label, &text);
    }
}
