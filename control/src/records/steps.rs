//! What happened in a session, step by step: what `sluice replay` and the pages show of it.
//!
//! Of each request only what is new is a step: clients send the whole conversation every time, and what came before
//! was a step already.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sluice_engine::record::{Decision, Record};

use super::HoldEvent;
use super::session::Exchange;

/// A step of a session.
#[derive(Debug, Clone)]
pub struct Step<'e> {
    /// The exchange that it belongs to, by its place among all.
    pub exchange: usize,
    /// The subagent; empty: the agent itself.
    pub agent: &'e str,
    /// When, in Unix milliseconds. Parts of a reply are spread over the time that it took, by their length.
    pub at_ms: u64,
    /// What happened.
    pub what: What<'e>,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What<'e> {
    /// A request came.
    Begin(&'e Record),
    /// The system text of a conversation.
    System(String),
    /// Somebody said something.
    Said {
        /// `user`, `assistant`, or what the client calls it.
        role: String,
        /// The text.
        text: String,
    },
    /// The model thought. What it thought is kept as it was, and not shown.
    Thinking,
    /// A tool was called.
    Call {
        /// The call's id.
        id: String,
        /// The tool.
        name: String,
        /// Its input.
        input: Value,
    },
    /// A tool gave something back.
    Result {
        /// The call's id.
        id: String,
        /// The tool; `result` where its call is not known.
        name: String,
        /// Whether it failed.
        failed: bool,
        /// What it gave.
        text: String,
    },
    /// A part of a message that is no text.
    Part {
        /// Whose message.
        role: String,
        /// The part's type.
        kind: String,
    },
    /// Something that is no conversation, under a label.
    Other {
        /// `request`, `reply`, or an MCP method.
        label: String,
        /// Its text.
        text: String,
    },
    /// Sensitive text was found and masked: kinds, and how many.
    Found(&'e BTreeMap<String, u32>),
    /// Something was decided.
    Decided(&'e Decision),
    /// Something happened to a hold.
    Hold(&'e HoldEvent),
    /// The exchange ended.
    End(&'e Record),
}

/// The steps of exchanges, in order.
pub fn steps(exchanges: &[Exchange]) -> Vec<Step<'_>> {
    let mut walk = Walk::default();
    for (at, exchange) in exchanges.iter().enumerate() {
        walk.at = at;
        walk.exchange(exchange);
    }
    walk.steps
}

#[derive(Default)]
struct Walk<'e> {
    steps: Vec<Step<'e>>,
    /// The exchange that is looked at.
    at: usize,
    agent: &'e str,
    now_ms: u64,
    /// Names of tool calls by id, so that a result is shown with its call.
    calls: HashMap<String, String>,
    /// What each agent's conversation has said so far, so that each turn shows what is new.
    said: HashMap<&'e str, Vec<Message<'e>>>,
}

/// A request with a conversation.
#[derive(Deserialize)]
struct Conversation<'e> {
    #[serde(borrow)]
    messages: Vec<&'e RawValue>,
    system: Option<Value>,
}

/// A message of a conversation. Each turn has all before it in its body: they are compared as they are written, and
/// read only where that differs.
enum Message<'e> {
    Written(&'e RawValue),
    Read(Value),
}

impl Message<'_> {
    /// So that two that say the same are the same.
    fn plain(&self) -> Value {
        match self {
            Self::Written(text) => plain(value(text)),
            Self::Read(message) => message.clone(),
        }
    }

    fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Written(one), Self::Written(two)) if one.get() == two.get() => true,
            _ => self.plain() == other.plain(),
        }
    }
}

impl<'e> Walk<'e> {
    fn push(&mut self, what: What<'e>) {
        self.steps.push(Step { exchange: self.at, agent: self.agent, at_ms: self.now_ms, what });
    }

    fn exchange(&mut self, exchange: &'e Exchange) {
        let record = exchange.open.as_ref().or(exchange.close.as_ref());
        self.agent = record.and_then(|record| record.agent.as_deref()).unwrap_or_default();
        if let Some(record) = record {
            // The duration runs from the request's first byte.
            self.now_ms = record.at_ms.saturating_sub(record.duration_ms.unwrap_or_default());
            self.push(What::Begin(record));
        }
        if let Some(request) = &exchange.request {
            self.request(request);
        }
        if let Some(open) = &exchange.open {
            self.now_ms = open.at_ms;
            self.judgement(open);
        }
        for event in &exchange.holds {
            self.now_ms = self.now_ms.max(event.at_ms);
            self.push(What::Hold(event));
        }
        if let Some(edited) = &exchange.edited {
            self.now_ms = self.now_ms.max(edited.at_ms);
            self.judgement(edited);
        }
        let first = self.steps.len();
        if let Some(reply) = &exchange.reply {
            self.reply(reply);
        }
        if let Some(close) = &exchange.close {
            self.spread(first, close.at_ms);
            self.now_ms = close.at_ms;
            self.judgement(close);
            self.push(What::End(close));
        }
    }

    /// Spreads the parts of a reply over the time that it took.
    fn spread(&mut self, first: usize, end_ms: u64) {
        let took = end_ms.saturating_sub(self.now_ms);
        let parts = self.steps.get_mut(first..).unwrap_or_default();
        let total: u64 = parts.iter().map(|step| step.what.length()).sum::<u64>().max(1);
        let mut before = 0_u64;
        for step in parts {
            step.at_ms = self.now_ms.saturating_add(took.saturating_mul(before) / total);
            before = before.saturating_add(step.what.length());
        }
    }

    fn judgement(&mut self, record: &'e Record) {
        if !record.findings.is_empty() {
            self.push(What::Found(&record.findings));
        }
        for decision in &record.decisions {
            self.push(What::Decided(decision));
        }
    }

    fn request(&mut self, request: &'e RawValue) {
        let Ok(Conversation { messages, system }) = serde_json::from_str(request.get()) else {
            let request = value(request);
            if is_rpc(&request) {
                return self.messages(&request);
            }
            let text = request.as_str().map_or_else(|| pretty(&request), str::to_owned);
            return self.push(What::Other { label: "request".into(), text });
        };
        let turns: Vec<Message<'e>> = messages.into_iter().map(Message::Written).collect();
        let known = self.said.remove(self.agent).unwrap_or_default();
        let same = known.iter().zip(&turns).take_while(|(a, b)| a.says_the_same(b)).count();
        if known.is_empty()
            && let Some(system) = system
        {
            let texts: Vec<&str> = match &system {
                Value::String(text) => vec![text],
                other => texts(other),
            };
            self.push(What::System(texts.join("\n")));
        }
        for message in turns.iter().skip(same) {
            self.message(&message.plain());
        }
        self.said.insert(self.agent, turns);
    }

    fn reply(&mut self, reply: &RawValue) {
        let reply = value(reply);
        if is_rpc(&reply) {
            return self.messages(&reply);
        }
        let Some(content) = reply.get("content") else {
            let error = reply.pointer("/error/message").and_then(Value::as_str);
            let text = error
                .map_or_else(|| reply.as_str().map_or_else(|| pretty(&reply), str::to_owned), str::to_owned);
            return self.push(What::Other { label: "reply".into(), text });
        };
        let message = plain(serde_json::json!({"role": "assistant", "content": content}));
        self.message(&message);
        self.said.entry(self.agent).or_default().push(Message::Read(message));
    }

    fn message(&mut self, message: &Value) {
        if let Value::String(text) = message {
            return self.push(What::Other { label: "message".into(), text: text.clone() });
        }
        let role = message.get("role").and_then(Value::as_str).unwrap_or("?").to_owned();
        for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            let field = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let what = match field("type").as_str() {
                "text" => What::Said { role: role.clone(), text: field("text") },
                "thinking" | "redacted_thinking" => What::Thinking,
                kind if kind.ends_with("tool_use") => {
                    let (id, name) = (field("id"), field("name"));
                    self.calls.insert(id.clone(), name.clone());
                    What::Call { id, name, input: block.get("input").cloned().unwrap_or_default() }
                }
                kind if kind.ends_with("tool_result") => {
                    let id = field("tool_use_id");
                    let text = match block.get("content") {
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => texts(other).join("\n"),
                        None => String::new(),
                    };
                    What::Result {
                        name: self.calls.get(&id).cloned().unwrap_or_else(|| "result".into()),
                        id,
                        failed: block.get("is_error").and_then(Value::as_bool) == Some(true),
                        text,
                    }
                }
                kind => What::Part { role: role.clone(), kind: kind.to_owned() },
            };
            self.push(what);
        }
    }

    /// Messages to and from MCP servers: calls as calls, results as results, all else by its method.
    fn messages(&mut self, body: &Value) {
        for message in body.as_array().map_or(std::slice::from_ref(body), Vec::as_slice) {
            let params = message.get("params").cloned().unwrap_or_default();
            let id = message.get("id").map(ToString::to_string).unwrap_or_default();
            let what = match message.get("method").and_then(Value::as_str) {
                Some("tools/call") => What::Call {
                    id,
                    name: params.get("name").and_then(Value::as_str).unwrap_or("?").to_owned(),
                    input: params.get("arguments").cloned().unwrap_or_default(),
                },
                Some(method) => What::Other { label: method.to_owned(), text: call(&params) },
                None => answer(id, message),
            };
            self.push(what);
        }
    }
}

impl What<'_> {
    /// How much of a reply's time it took to write it, as its length.
    fn length(&self) -> u64 {
        let bytes = match self {
            Self::Said { text, .. } | Self::Other { text, .. } => text.len(),
            Self::Call { input, .. } => input.to_string().len(),
            _ => 1,
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// What an MCP server answered.
fn answer(id: String, message: &Value) -> What<'static> {
    let result = |name: &str, failed, text| What::Result { id, name: name.into(), failed, text };
    if let Some(error) = message.get("error") {
        let text = error.get("message").and_then(Value::as_str).map_or_else(|| pretty(error), str::to_owned);
        return result("error", false, text);
    }
    let given = message.get("result").cloned().unwrap_or_default();
    let failed = given.get("isError").and_then(Value::as_bool) == Some(true);
    let said = ["content", "contents"].iter().find_map(|list| given.get(list)).map(texts);
    let tools = given.get("tools").and_then(Value::as_array);
    let text = match (said, tools) {
        (Some(said), _) if !said.is_empty() => said.join("\n"),
        (_, Some(tools)) => {
            let names = tools.iter().filter_map(|tool| tool.get("name")?.as_str());
            format!("tools: {}", names.collect::<Vec<_>>().join(", "))
        }
        _ => pretty(&given),
    };
    result("result", failed, text)
}

/// Whether a body is a message of an MCP client or server, or several of a stream.
fn is_rpc(body: &Value) -> bool {
    let first = body.as_array().and_then(|all| all.first()).unwrap_or(body);
    first.get("jsonrpc").is_some()
}

/// A message so that two that say the same are the same: content as a list, without cache marks.
fn plain(mut message: Value) -> Value {
    if let Some(Value::String(text)) = message.get("content") {
        let content = serde_json::json!([{"type": "text", "text": text}]);
        if let Some(members) = message.as_object_mut() {
            members.insert("content".into(), content);
        }
    }
    for block in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(members) = block.as_object_mut() {
            members.remove("cache_control");
        }
    }
    message
}

/// A JSON text as a value; one that is nested too deep (128, `serde_json`'s bound) as the text that it is.
fn value(text: &RawValue) -> Value {
    serde_json::from_str(text.get()).unwrap_or_else(|_| Value::String(text.get().to_owned()))
}

/// The texts of a list of blocks.
fn texts(blocks: &Value) -> Vec<&str> {
    let all = blocks.as_array().into_iter().flatten();
    all.filter_map(|block| block.get("text").and_then(Value::as_str)).collect()
}

/// A tool's input: its fields one by one, so that a command reads as it would be run.
pub fn call(input: &Value) -> String {
    let Some(fields) = input.as_object() else { return pretty(input) };
    let lines = fields.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
