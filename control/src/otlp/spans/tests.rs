use std::collections::BTreeMap;

use super::*;
use crate::reviews::record;

const EXCHANGE: &str = "0af7651916cd43dd8448eb211c80319c";
const AT: u64 = 1_795_000_000_000;

fn at(stage: &str, at_ms: u64, more: Value) -> Record {
    let mut all = json!({"exchange": EXCHANGE});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record(stage, at_ms, all)
}

/// Attributes by their names, without the names of types.
fn attributes(span: &Value) -> BTreeMap<String, Value> {
    let plain = |any: &Value| any.as_object().unwrap().values().next().unwrap().clone();
    let list = span["attributes"].as_array().unwrap();
    list.iter().map(|one| (one["key"].as_str().unwrap().to_owned(), plain(&one["value"]))).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    let values = value["values"].as_array().unwrap();
    values.iter().map(|one| one.as_object().unwrap().values().next().unwrap().as_str().unwrap()).collect()
}

#[test]
fn an_exchange_is_a_chat_from_its_first_byte_to_its_end() {
    let open = at(
        "open",
        AT,
        json!({"model": "claude-sonnet-4-5", "durationMs": 7, "findings": {"email": 2, "iban": 1}, "session": "s1",
               "decisions": [{"rule": "mask-only", "action": "allow"}]}),
    );
    let close = at(
        "close",
        AT + 900,
        json!({
            "model": "claude-sonnet-4-5-20250929", "durationMs": 907, "status": 200, "session": "s1", "agent": "sub",
            "stream": true, "stopReason": "tool_use", "calls": {"Bash": 2, "Read": 1}, "findings": {"email": 1},
            "usage": {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 100, "cacheCreationInputTokens": 20,
                      "costMicroUsd": 1500},
        }),
    );
    let span = span(Some(&open), &close);
    assert_eq!(span["name"], "chat claude-sonnet-4-5");
    assert_eq!((&span["traceId"], &span["kind"]), (&json!(EXCHANGE), &json!(3)));
    assert_eq!(span.get("parentSpanId"), None);
    assert_eq!(span["startTimeUnixNano"], nanos(AT - 7));
    assert_eq!(span["endTimeUnixNano"], nanos(AT + 900));
    assert_eq!(span["status"], json!({}));
    let all = attributes(&span);
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "anthropic"),
        ("gen_ai.request.model", "claude-sonnet-4-5"),
        ("gen_ai.response.model", "claude-sonnet-4-5-20250929"),
        ("gen_ai.usage.input_tokens", "130"),
        ("gen_ai.usage.cache_read.input_tokens", "100"),
        ("gen_ai.usage.cache_creation.input_tokens", "20"),
        ("gen_ai.usage.output_tokens", "5"),
        ("gen_ai.conversation.id", "s1"),
        ("gen_ai.agent.id", "sub"),
        ("http.response.status_code", "200"),
        ("user.id", "own/ana"),
        ("sluice.verdict", "allow"),
    ] {
        assert_eq!(all[name], value, "{name}");
    }
    assert_eq!(all["sluice.cost_usd"], 0.0015);
    assert_eq!(texts(&all["gen_ai.response.finish_reasons"]), ["tool_use"]);
    assert_eq!(texts(&all["sluice.tool_calls.names"]), ["Bash", "Read"]);
    assert_eq!(texts(&all["sluice.tool_calls.counts"]), ["2", "1"]);
    assert_eq!(texts(&all["sluice.findings.kinds"]), ["email", "iban"]);
    assert_eq!(texts(&all["sluice.findings.counts"]), ["3", "1"]);
    assert_eq!(texts(&all["sluice.rules"]), ["mask-only"]);
}

#[test]
fn it_is_part_of_the_trace_of_whoever_called() {
    let trace =
        json!({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "status": 200});
    let span = span(None, &at("close", AT, trace));
    assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(span["flags"], 0x301);
}

#[test]
fn what_was_refused_or_left_is_an_error_and_says_which() {
    let deny =
        json!([{"rule": "no-prod", "action": "deny"}, {"rule": "watch", "action": "deny", "observed": true}]);
    let open = at("open", AT, json!({"model": "m", "decisions": deny}));
    for (status, kind) in [(json!(403), "403"), (json!(null), "cancelled"), (json!(0), "cancelled")] {
        let span = span(Some(&open), &at("close", AT, json!({"status": status})));
        let all = attributes(&span);
        assert_eq!((&all["error.type"], &span["status"]["code"]), (&json!(kind), &json!(2)));
        assert_eq!(all["sluice.verdict"], "deny");
    }
    let held = json!([{"rule": "writes", "action": "hold", "hold": "h1"}, {"rule": "writes", "action": "allow", "hold": "h1"}]);
    let span = span(None, &at("close", AT, json!({"status": 200, "decisions": held})));
    let all = attributes(&span);
    assert_eq!(all["sluice.verdict"], "hold");
    assert_eq!((texts(&all["sluice.holds"]), texts(&all["sluice.rules"])), (vec!["h1"], vec!["writes"]));
    assert!(!all.contains_key("error.type"));
}

#[test]
fn a_model_that_was_only_asked_for_did_not_answer() {
    let span = span(None, &at("close", AT, json!({"model": "made-up", "status": 404})));
    let all = attributes(&span);
    assert_eq!(all["gen_ai.request.model"], "made-up");
    assert!(!all.contains_key("gen_ai.response.model"));
}

#[test]
fn a_call_of_a_servers_tool_is_a_span_of_its_own_kind() {
    let more = json!({"route": "mcp.tools.call", "calls": {"mcp__db__query": 1}, "status": 200});
    let span = span(None, &at("close", AT, more));
    assert_eq!(span["name"], "execute_tool mcp__db__query");
    let all = attributes(&span);
    assert_eq!(all["mcp.method.name"], "tools/call");
    assert_eq!(all["gen_ai.tool.name"], "mcp__db__query");
    assert!(!all.contains_key("gen_ai.provider.name"), "no model had a part in it");
    let denied = json!([{"rule": "no-drop", "action": "deny", "tool": "mcp__db__drop"}]);
    let more = json!({"route": "mcp.tools.call", "status": 403, "decisions": denied});
    assert_eq!(super::span(None, &at("close", AT, more))["name"], "execute_tool mcp__db__drop");
    let more = json!({"route": "mcp.resources.templates.list", "status": 200});
    let other = super::span(None, &at("close", AT, more));
    assert_eq!(other["name"], "mcp.resources.templates.list");
    assert_eq!(attributes(&other)["mcp.method.name"], "resources/templates/list");
}

#[test]
fn numbers_without_measure_do_no_harm() {
    let usage = json!({"inputTokens": u64::MAX, "cacheReadInputTokens": u64::MAX, "outputTokens": u64::MAX});
    let close = at("close", 5, json!({"usage": usage, "durationMs": u64::MAX, "status": 200}));
    let open = at("open", u64::MAX, json!({}));
    let span = span(Some(&open), &close);
    assert_eq!(span["startTimeUnixNano"], nanos(5), "a span does not end before it begins");
}
