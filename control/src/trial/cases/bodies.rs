//! Short forms become the bodies that clients and the API send.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::document::{Call, Reply, Request, Sent};
use super::forms::ToolForm;
use crate::trial::exchange;
use crate::trial::message::{events, ways};

/// The model of a case that names none.
const MODEL: &str = "claude-sonnet-4-5";
/// What is said where a case says nothing: nothing is wrong with it.
const PROMPT: &str = "Hello.";

/// What is said of a stream without events.
const NO_EVENTS: &str =
    "holds no server-sent event: write `event:` and `data:` lines, and an empty line behind each event";

/// A reply in each way in which it is tried; the first is the one that expectations are held against.
pub struct Ways {
    /// Never empty. Streams in one piece stand before their splits.
    pub ways: Vec<exchange::Reply>,
}

/// The request of a case. `folder`: where files are looked for.
///
/// The error says what is wrong with it, and below which field of `request`.
pub fn request(request: &Request, folder: &Path) -> Result<exchange::Request, Wrong> {
    let route = request.route.as_deref().unwrap_or("POST /v1/messages");
    let (method, path) = route
        .split_once(' ')
        .ok_or_else(|| wrong("route", "write the method and the path: `POST /v1/messages`"))?;
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    headers.extend(request.betas.iter().map(|beta| ("anthropic-beta".to_owned(), beta.to_owned())));
    let short = request.model.is_some()
        || request.system.is_some()
        || request.prompt.is_some()
        || request.tool_result.is_some()
        || !request.tools.is_empty()
        || request.mcp_servers.iter().next().is_some()
        || request.max_tokens.is_some()
        || request.thinking_budget.is_some();
    let body = match (&request.body, &request.file) {
        (Some(_), Some(_)) => return Err(wrong("file", "give `body` or `file`, not both")),
        (Some(_), None) if short => {
            return Err(wrong("body", "give a whole `body` or short forms, not both"));
        }
        (None, Some(_)) if short => {
            return Err(wrong("file", "give a whole `file` or short forms, not both"));
        }
        (Some(body), None) => body.to_string().into_bytes(),
        (None, Some(file)) => read(&folder.join(file)).map_err(|why| wrong("file", why))?,
        (None, None) if matches!(method, "GET" | "HEAD" | "DELETE") => Vec::new(),
        (None, None) => message_request(request).to_string().into_bytes(),
    };
    Ok(exchange::Request { method: method.to_owned(), path: path.trim().to_owned(), headers, body })
}

/// A short prompt that nothing is wrong with.
pub fn harmless() -> Vec<u8> {
    message_request(&Request::default()).to_string().into_bytes()
}

fn message_request(request: &Request) -> Value {
    let prompt = request.prompt.as_deref().unwrap_or(PROMPT);
    let mut messages = vec![json!({"role": "user", "content": prompt})];
    if let Some(result) = &request.tool_result {
        let (id, tool) = ("toolu_1", &result.tool);
        messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": tool, "input": {}}]}));
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": result.text});
        messages.push(json!({"role": "user", "content": [result]}));
    }
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model.as_deref().unwrap_or(MODEL)));
    body.insert("max_tokens".into(), json!(request.max_tokens.unwrap_or(1024)));
    body.insert("messages".into(), Value::Array(messages));
    if let Some(system) = &request.system {
        body.insert("system".into(), json!(system));
    }
    if let Some(budget) = request.thinking_budget {
        body.insert("thinking".into(), json!({"type": "enabled", "budget_tokens": budget}));
    }
    if !request.tools.is_empty() {
        let tool = |tool: &ToolForm| match tool {
            ToolForm::Name(name) => json!({"name": name, "input_schema": {"type": "object"}}),
            ToolForm::Definition(definition) => Value::Object(definition.clone()),
        };
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
    }
    let servers: Vec<Value> = request
        .mcp_servers
        .iter()
        .enumerate()
        .map(|(n, url)| json!({"type": "url", "name": format!("server{}", n + 1), "url": url}))
        .collect();
    if !servers.is_empty() {
        body.insert("mcp_servers".into(), Value::Array(servers));
    }
    Value::Object(body)
}

/// The reply of a case, in each way in which it is tried.
pub fn reply(reply: &Reply, folder: &Path) -> Result<Ways, Wrong> {
    let short = reply.text.is_some() || reply.call.is_some() || !reply.calls.is_empty();
    let given = [reply.body.is_some(), reply.stream.is_some(), reply.file.is_some(), short]
        .into_iter()
        .filter(|is| *is);
    match given.count() {
        0 => return Err(wrong("", "is empty; give `text`, `call`, `calls`, `body`, `stream` or `file`")),
        1 => {}
        _ => return Err(wrong("", "takes one of `body`, `stream`, `file` and short forms, not several")),
    }
    let status = reply.status.unwrap_or(200);
    let bytes = match (&reply.body, &reply.stream, &reply.file) {
        (Some(body), ..) => body.to_string().into_bytes(),
        (_, Some(stream), _) => {
            let bytes = stream.clone().into_bytes();
            return if is_events(&bytes) { Ok(streamed(bytes)) } else { Err(wrong("stream", NO_EVENTS)) };
        }
        (.., Some(file)) => read(&folder.join(file)).map_err(|why| wrong("file", why))?,
        _ => message(reply).to_string().into_bytes(),
    };
    ways_of(bytes, status, reply.sent)
}

/// A body in each way in which it is tried: a message as a whole and as a stream, a stream at many splits.
pub fn ways_of(bytes: Vec<u8>, status: u16, sent: Sent) -> Result<Ways, Wrong> {
    let is_json = bytes.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|first| *first == b'{');
    match (is_json, is_events(&bytes)) {
        (false, true) => return Ok(streamed(bytes)),
        (false, false) => return Err(wrong("file", NO_EVENTS)),
        (true, _) => {}
    }
    let made = serde_json::from_slice(&bytes).ok().and_then(|message: Value| events(&message));
    let whole = exchange::Reply::Whole { status, body: bytes };
    match (sent, made) {
        (Sent::Stream, None) => Err(wrong("sent", "only a message with `content` can be sent as a stream")),
        (Sent::Stream, Some(events)) => Ok(streamed(events)),
        (Sent::Both, Some(events)) if status == 200 => {
            let mut ways = vec![whole];
            ways.extend(streamed(events).ways);
            Ok(Ways { ways })
        }
        _ => Ok(Ways { ways: vec![whole] }),
    }
}

/// Whether there is at least one event. Where there is none, a client would get nothing, and nothing would be judged.
fn is_events(bytes: &[u8]) -> bool {
    bytes.split(|b| matches!(b, b'\n' | b'\r')).any(|line| line.starts_with(b"data:"))
}

fn streamed(bytes: Vec<u8>) -> Ways {
    let cut = |cuts| exchange::Reply::Stream { bytes: bytes.clone(), cuts };
    Ways { ways: ways(bytes.len()).into_iter().map(cut).collect() }
}

fn message(reply: &Reply) -> Value {
    let text = reply.text.iter().map(|text| json!({"type": "text", "text": text}));
    let call = |(n, call): (usize, &Call)| {
        let kind = if call.server { "server_tool_use" } else { "tool_use" };
        json!({"type": kind, "id": format!("toolu_{}", n + 1), "name": call.tool, "input": call.input})
    };
    let calls = reply.call.iter().chain(&reply.calls);
    let content: Vec<Value> = text.chain(calls.clone().enumerate().map(call)).collect();
    let stop = if calls.count() > 0 { "tool_use" } else { "end_turn" };
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": content, "stop_reason": stop,
        "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1},
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))
}

/// A field, below the one at hand, and what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The field; empty: the one at hand.
    pub field: &'static str,
    /// What is wrong, and what to do.
    pub why: String,
}

fn wrong(field: &'static str, why: impl Into<String>) -> Wrong {
    Wrong { field, why: why.into() }
}
