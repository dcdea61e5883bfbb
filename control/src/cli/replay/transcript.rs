//! A session as a person reads it.

mod rpc;

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::Value;
use sluice_engine::policy::document::Action;
use sluice_engine::policy::document::Usd;
use sluice_engine::record::{Decision, Record};

use super::super::print::{Paint, clean, clean_line, short, time};
use super::Exchange;
use crate::records::{HoldChange, HoldEvent};

/// How much of a text is shown, unless all of it is asked for.
const LINES: usize = 24;
const CHARS: usize = 4000;

/// Writes sessions.
pub struct Transcript {
    paint: Paint,
    full: bool,
    out: String,
    /// Names of tool calls by id, so that a result is shown with its call.
    calls: HashMap<String, String>,
    /// What each agent's conversation has said so far, so that each turn shows what is new.
    said: HashMap<String, Vec<Value>>,
}

impl Transcript {
    pub fn new(paint: Paint, full: bool) -> Self {
        Self { paint, full, out: String::new(), calls: HashMap::new(), said: HashMap::new() }
    }

    pub fn write(mut self, session: &str, exchanges: &[Exchange]) -> String {
        let title = format!("session {}, {} exchanges", clean_line(session), exchanges.len());
        self.line(0, &self.paint.bold(&title));
        for (at, exchange) in exchanges.iter().enumerate() {
            self.exchange(at + 1, exchange);
        }
        self.out
    }

    fn line(&mut self, indent: usize, text: &str) {
        // Writing into a string does not fail.
        let _written = writeln!(self.out, "{:indent$}{text}", "");
    }

    fn exchange(&mut self, number: usize, exchange: &Exchange) {
        let Some(record) = exchange.open.as_ref().or(exchange.close.as_ref()) else {
            for event in &exchange.holds {
                self.hold(event);
            }
            return;
        };
        let agent = record.agent.clone().unwrap_or_default();
        self.head(number, record);
        if let Some(request) = &exchange.request {
            self.request(&agent, request);
        }
        if let Some(open) = &exchange.open {
            self.judgement(open);
        }
        for event in &exchange.holds {
            self.hold(event);
        }
        if let Some(reply) = &exchange.reply {
            self.reply(&agent, reply);
        }
        if let Some(close) = &exchange.close {
            self.judgement(close);
            self.foot(close);
        }
    }

    fn head(&mut self, number: usize, record: &Record) {
        let who = record.principal.as_ref().map_or("(not verified)", |who| &who.subject);
        let mut head = format!("{number}  {} UTC  {}  {}", time(record.at_ms), clean_line(who), record.route);
        for part in [record.model.as_deref(), record.agent.as_deref()].into_iter().flatten() {
            let _written = write!(head, "  {}", clean_line(part));
        }
        let _written = write!(head, "  policy {}", short(&record.policy_version, 9));
        let head = self.paint.dim(&format!("── {head}"));
        self.line(0, "");
        self.line(0, &head);
    }

    fn request(&mut self, agent: &str, request: &Value) {
        if rpc::is_message(request) {
            return self.messages(request);
        }
        let Some(messages) = request.get("messages").and_then(Value::as_array) else {
            let text = request.as_str().map_or_else(|| pretty(request), str::to_owned);
            return self.text("request", &text);
        };
        let turns: Vec<Value> = messages.iter().map(plain).collect();
        let known = self.said.remove(agent).unwrap_or_default();
        let same = known.iter().zip(&turns).take_while(|(a, b)| a == b).count();
        if known.is_empty()
            && let Some(system) = request.get("system")
        {
            let texts: Vec<&str> = match system {
                Value::String(text) => vec![text],
                other => texts(other),
            };
            self.text("system", &texts.join("\n"));
        }
        for message in turns.iter().skip(same) {
            self.message(message);
        }
        self.said.insert(agent.to_owned(), turns);
    }

    fn reply(&mut self, agent: &str, reply: &Value) {
        if rpc::is_message(reply) {
            return self.messages(reply);
        }
        let Some(content) = reply.get("content") else {
            let error = reply.pointer("/error/message").and_then(Value::as_str);
            let text = error
                .map_or_else(|| reply.as_str().map_or_else(|| pretty(reply), str::to_owned), str::to_owned);
            return self.text("reply", &text);
        };
        let message = plain(&serde_json::json!({"role": "assistant", "content": content}));
        self.message(&message);
        self.said.entry(agent.to_owned()).or_default().push(message);
    }

    fn message(&mut self, message: &Value) {
        let role = message.get("role").and_then(Value::as_str).unwrap_or("?").to_owned();
        for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
            let field = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
            match field("type") {
                "text" => self.text(&role, field("text")),
                "thinking" | "redacted_thinking" => self.text("thinking", "(kept as it was, not shown)"),
                kind if kind.ends_with("tool_use") => {
                    self.calls.insert(field("id").to_owned(), field("name").to_owned());
                    let input = block.get("input").cloned().unwrap_or_default();
                    let label = format!("→ {}", clean_line(field("name")));
                    self.text(&label, &call(&input));
                }
                kind if kind.ends_with("tool_result") => {
                    let name =
                        self.calls.get(field("tool_use_id")).cloned().unwrap_or_else(|| "result".into());
                    let failed = block.get("is_error").and_then(Value::as_bool) == Some(true);
                    let label = format!("← {}{}", clean_line(&name), if failed { " (error)" } else { "" });
                    let text = match block.get("content") {
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => texts(other).join("\n"),
                        None => String::new(),
                    };
                    self.text(&label, &text);
                }
                kind => self.text(&role, &format!("({})", clean_line(kind))),
            }
        }
    }

    fn text(&mut self, label: &str, text: &str) {
        let label = match label {
            "user" => self.paint.blue(label),
            "assistant" => self.paint.green(label),
            label if label.starts_with(['→', '←']) => self.paint.yellow(label),
            label => self.paint.dim(label),
        };
        self.line(0, &label);
        let text = clean(text.trim_end());
        let mut shown = text.clone();
        if !self.full {
            shown = short(&text, CHARS);
            if shown.lines().count() > LINES {
                shown = shown.lines().take(LINES).collect::<Vec<_>>().join("\n");
            }
        }
        for line in shown.lines() {
            let line = self.paint.masks(line);
            self.line(2, &line);
        }
        let hidden = text.len().saturating_sub(shown.len());
        if hidden > 0 {
            let more = self.paint.dim(&format!("({hidden} more bytes; --full shows them)"));
            self.line(2, &more);
        }
    }

    fn judgement(&mut self, record: &Record) {
        if !record.findings.is_empty() {
            let kinds: Vec<String> = record.findings.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            let text = self.paint.dim(&format!("found and masked: {}", clean_line(&kinds.join(", "))));
            self.line(2, &text);
        }
        for decision in &record.decisions {
            let text = self.decision(decision);
            self.line(2, &text);
        }
    }

    fn decision(&self, decision: &Decision) -> String {
        let mut about: Vec<String> = Vec::new();
        about.extend(decision.part.map(|part| word(&part)));
        about.extend(decision.tool.clone());
        about.extend(decision.role.as_ref().map(|role| format!("role {role}")));
        about.extend(decision.effects.iter().map(word));
        about.extend(decision.hold.as_ref().map(|id| format!("hold {id}")));
        let mut text = format!("{} by {}", word(&decision.action), decision.rule);
        if !about.is_empty() {
            let _written = write!(text, " ({})", about.join(", "));
        }
        let text = clean_line(&text);
        match decision.action {
            _ if decision.observed => self.paint.dim(&format!("would {text}")),
            _ if decision.left_out => self.paint.dim(&format!("left out: {text}")),
            Action::Deny => self.paint.red(&text),
            Action::Hold => self.paint.yellow(&text),
            Action::Allow => self.paint.dim(&text),
        }
    }

    fn hold(&mut self, event: &HoldEvent) {
        let by = event.by.as_ref().map(|(_, subject)| format!(" by {subject}")).unwrap_or_default();
        let behalf =
            event.on_behalf.as_ref().map(|given| format!(" for {}", given.subject)).unwrap_or_default();
        let pass = event.pass.as_ref().map(|pass| format!(" (pass {pass})")).unwrap_or_default();
        let reason = event.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let (change, at) = (event.change.word(), time(event.at_ms));
        let text = format!("hold {} {change}{by}{behalf}{pass}{reason}  {at} UTC", event.id);
        let text = clean_line(&text);
        let text = match event.change {
            HoldChange::Approved => self.paint.green(&text),
            HoldChange::Denied | HoldChange::Expired => self.paint.red(&text),
            HoldChange::Opened | HoldChange::Agreed | HoldChange::Used => self.paint.yellow(&text),
            HoldChange::Commented => text,
        };
        self.line(2, &text);
    }

    fn foot(&mut self, record: &Record) {
        let mut parts = Vec::new();
        parts.extend(record.status.map(|status| format!("status {status}")));
        parts.extend(record.stop_reason.clone());
        parts.extend(record.usage.map(|usage| {
            let cached = usage.cache_read_input_tokens;
            let sent =
                usage.input_tokens.saturating_add(cached).saturating_add(usage.cache_creation_input_tokens);
            let cost = usage.cost_micro_usd.map(|micros| format!(", {} USD", Usd::micros(micros)));
            let cost = cost.unwrap_or_default();
            format!("{sent} tokens in ({cached} from cache), {} out{cost}", usage.output_tokens)
        }));
        parts.extend(record.duration_ms.map(|ms| format!("{ms} ms")));
        let text = self.paint.dim(&clean_line(&parts.join(", ")));
        self.line(2, &text);
    }
}

/// A message so that two that say the same are the same: content as a list, without cache marks.
fn plain(message: &Value) -> Value {
    let mut message = message.clone();
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

/// The texts of a list of blocks.
fn texts(blocks: &Value) -> Vec<&str> {
    let all = blocks.as_array().into_iter().flatten();
    all.filter_map(|block| block.get("text").and_then(Value::as_str)).collect()
}

/// A tool's input: its fields one by one, so that a command reads as it would be run.
fn call(input: &Value) -> String {
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

/// The word that JSON has for a value of an enum.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
