//! An exchange that has ended as a span, as the semantic conventions for generative AI have it
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/>, 1.41).
//!
//! What a model wants called, the agent calls: when, and for how long, nobody here sees. So these calls are counted in the
//! span of the reply that asks for them, and a span of its own has only what runs through the filter: a call of an MCP
//! server's tool.

use serde_json::{Value, json};
use sluice_engine::policy::document::Action;
use sluice_engine::record::{Record, Stage};

use super::place::Place;
use super::value::{Attributes, nanos};
use crate::records::Entry;
use crate::store::{Store, StoreError, Stored, Which};

/// `SPAN_KIND_CLIENT`.
const CLIENT: u8 = 3;

/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// Entries of one exchange that are looked through for its beginning, which is the first of them.
const ENTRIES: u32 = 20;

/// What the names of routes of MCP servers begin with.
const MCP: &str = "mcp.";

/// The spans of those exchanges that have their end among these entries.
pub async fn spans(store: &dyn Store, entries: &[Stored]) -> Result<Vec<Value>, StoreError> {
    let mut spans = Vec::new();
    for stored in entries {
        // What cannot be read any more is for verification to tell.
        let Ok(Entry::Exchange(close)) = serde_json::from_str(&stored.entry) else { continue };
        if close.stage == Stage::Close {
            let open = opening(store, &close.exchange).await?;
            spans.push(span(open.as_ref(), &close));
        }
    }
    Ok(spans)
}

/// The record of an exchange's beginning.
pub async fn opening(store: &dyn Store, exchange: &str) -> Result<Option<Record>, StoreError> {
    let which = Which { exchange: Some(exchange.to_owned()), limit: ENTRIES, ..Which::default() };
    let found = store.entries(which).await?;
    let mut records = found.iter().filter_map(|stored| match serde_json::from_str(&stored.entry) {
        Ok(Entry::Exchange(record)) => Some(*record),
        _ => None,
    });
    Ok(records.find(|record| record.stage == Stage::Open))
}

fn span(open: Option<&Record>, close: &Record) -> Value {
    let place = Place::of(&close.exchange, close.traceparent.as_deref());
    let began = |record: &Record| record.at_ms.saturating_sub(record.duration_ms.unwrap_or_default());
    let start = open.map_or(began(close), began).min(close.at_ms);
    let tool = tool(open, close);
    // A model that was only asked for is not one that answered.
    let asked = open.and_then(|open| open.model.as_deref());
    let answered = close.model.as_deref().filter(|_| close.usage.is_some());
    let asked = asked.or(close.model.as_deref());
    let operation = operation(&close.route);
    let about = tool.as_deref().or(asked);
    let failed = error(close);
    let mut all = Attributes::default();
    all.set("gen_ai.operation.name", operation);
    if let Some(method) = close.route.strip_prefix(MCP) {
        all.set("mcp.method.name", method.replace('.', "/"));
        all.set("gen_ai.tool.name", tool.as_deref());
    } else {
        all.set("gen_ai.provider.name", "anthropic");
        all.set("gen_ai.request.model", asked);
        all.set("gen_ai.response.model", answered);
        all.set("gen_ai.request.stream", close.stream.then_some(true));
        all.set("sluice.tool_calls.names", close.calls.keys().cloned().collect::<Vec<_>>());
        all.set("sluice.tool_calls.counts", close.calls.values().copied().collect::<Vec<_>>());
    }
    all.set("gen_ai.conversation.id", close.session.as_deref());
    all.set("gen_ai.agent.id", close.agent.as_deref());
    all.set("gen_ai.response.finish_reasons", close.stop_reason.iter().cloned().collect::<Vec<_>>());
    usage(&mut all, close);
    all.set("http.response.status_code", close.status);
    all.set("error.type", failed.as_deref());
    person(&mut all, close);
    verdicts(&mut all, open, close);
    all.set("sluice.exchange.id", close.exchange.as_str());
    all.set("sluice.route", close.route.as_str());
    all.set("sluice.node", close.node.as_str());
    all.set("sluice.policy.version", close.policy_version.as_str());
    let mut span = json!({
        "traceId": place.trace,
        "spanId": place.span,
        "flags": place.flags,
        "name": about.map_or_else(|| operation.to_owned(), |about| format!("{operation} {about}")),
        "kind": CLIENT,
        "startTimeUnixNano": nanos(start),
        "endTimeUnixNano": nanos(close.at_ms),
        "attributes": all.into_value(),
        "status": if failed.is_some() { json!({"code": ERROR}) } else { json!({}) },
    });
    if let (Some(parent), Some(span)) = (place.parent, span.as_object_mut()) {
        span.insert("parentSpanId".into(), parent.into());
    }
    span
}

/// One of the convention's own words, or the route's name where it has none.
fn operation(route: &str) -> &str {
    match route {
        "messages.create" => "chat",
        "mcp.tools.call" => "execute_tool",
        other => other,
    }
}

/// The tool of an MCP server that was called, or was to be.
fn tool(open: Option<&Record>, close: &Record) -> Option<String> {
    let records = open.into_iter().chain([close]);
    let mut decided = records.flat_map(|record| &record.decisions).filter_map(|one| one.tool.clone());
    (close.route == "mcp.tools.call").then(|| close.calls.keys().next().cloned().or(decided.next())).flatten()
}

/// What kind of error an exchange ended with: its status, or that the client left before there was one.
fn error(close: &Record) -> Option<String> {
    match close.status {
        Some(status) if (1..400).contains(&status) => None,
        Some(status) if status > 0 => Some(status.to_string()),
        _ => Some("cancelled".to_owned()),
    }
}

fn usage(all: &mut Attributes, close: &Record) {
    let Some(usage) = close.usage else { return };
    let (read, written) = (usage.cache_read_input_tokens, usage.cache_creation_input_tokens);
    // As the convention has it: all of the prompt, also what came from the cache or went to it.
    let input = usage.input_tokens.saturating_add(read).saturating_add(written);
    all.set("gen_ai.usage.input_tokens", input);
    all.set("gen_ai.usage.output_tokens", usage.output_tokens);
    all.set("gen_ai.usage.cache_read.input_tokens", read);
    all.set("gen_ai.usage.cache_creation.input_tokens", written);
    if let Some(micro) = usage.cost_micro_usd {
        all.set("sluice.cost_usd", micro as f64 / 1e6);
    }
}

/// Who called, as attributes of the convention.
pub fn person(all: &mut Attributes, record: &Record) {
    let Some(who) = &record.principal else { return };
    all.set("user.id", format!("{}/{}", who.issuer, who.subject));
    all.set("user.name", who.subject.as_str());
    all.set("sluice.groups", who.groups.clone());
}

/// What was found and decided in both records.
fn verdicts(all: &mut Attributes, open: Option<&Record>, close: &Record) {
    let records: Vec<&Record> = open.into_iter().chain([close]).collect();
    let decisions: Vec<_> = records.iter().flat_map(|record| &record.decisions).collect();
    let did = |action| decisions.iter().any(|one| one.did(action));
    let verdict =
        [(Action::Deny, "deny"), (Action::Hold, "hold")].into_iter().find(|(action, _)| did(*action));
    all.set("sluice.verdict", verdict.map_or("allow", |(_, word)| word));
    let mut rules: Vec<&str> =
        decisions.iter().filter(|one| !one.left_out).map(|one| one.rule.as_str()).collect();
    rules.dedup();
    all.set("sluice.rules", rules);
    let mut holds: Vec<&str> = decisions.iter().filter_map(|one| one.hold.as_deref()).collect();
    holds.dedup();
    all.set("sluice.holds", holds);
    let mut findings = std::collections::BTreeMap::<&str, u64>::new();
    for (kind, count) in records.iter().flat_map(|record| &record.findings) {
        let sum = findings.entry(kind).or_default();
        *sum = sum.saturating_add(u64::from(*count));
    }
    all.set("sluice.findings.kinds", findings.keys().copied().collect::<Vec<_>>());
    all.set("sluice.findings.counts", findings.into_values().collect::<Vec<_>>());
}

#[cfg(test)]
mod tests;
