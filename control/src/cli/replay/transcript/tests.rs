use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::*;

fn record(stage: &str, more: Value) -> Record {
    let mut record = json!({
        "exchange": "e", "stage": stage, "atMs": 0, "node": "n", "route": "messages.create",
        "policyVersion": "0123456789abcdef", "principal": {"issuer": "corp", "subject": "ana", "groups": []},
    });
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    serde_json::from_value(record).unwrap()
}

fn raw(body: Value) -> Option<Box<RawValue>> {
    to_raw_value(&body).ok()
}

fn session() -> Vec<Exchange> {
    let ask = json!({"role": "user", "content": "drop the orders table of <email:k3v9q2>"});
    let call =
        json!({"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "psql -c 'x'\u{1b}[2J"}});
    let result = json!({"type": "tool_result", "tool_use_id": "t1", "content": "1 row", "cache_control": {}});
    let first = Exchange {
        id: "e".into(),
        open: Some(record("open", json!({"findings": {"email": 1}}))),
        request: raw(json!({"system": "be brief", "messages": [ask]})),
        close: Some(record(
            "close",
            json!({
                "status": 200, "usage": {"input_tokens": 0, "inputTokens": 7, "outputTokens": 3, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0},
                "decisions": [{"rule": "no-drop", "action": "deny", "part": "toolCall", "tool": "Bash", "effects": ["destroy"]}],
            }),
        )),
        reply: raw(json!({"content": [call]})),
        ..Exchange::default()
    };
    let again = json!({"role": "user", "content": [{"type": "text", "text": "drop the orders table of <email:k3v9q2>"}]});
    let second = Exchange {
        id: "f".into(),
        open: Some(record("open", json!({}))),
        request: raw(json!({"messages": [
            again, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]},
        ]})),
        ..Exchange::default()
    };
    vec![first, second]
}

#[test]
fn each_turn_shows_what_is_new_with_calls_and_results_paired() {
    let text = Transcript::new(Paint::fixed(false), false).write("s1", &session());
    assert_eq!(text.matches("drop the orders table").count(), 1, "{text}");
    assert_eq!(text.matches("→ Bash").count(), 1, "{text}");
    assert_eq!(text.matches("← Bash").count(), 1, "{text}");
    for part in ["be brief", "1 row", "deny by no-drop (toolCall, Bash, destroy)", "7 tokens in", "1 email"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn what_was_recorded_cannot_steer_the_terminal() {
    let text = Transcript::new(Paint::fixed(false), true).write("s\u{1b}]0;x\u{7}", &session());
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
}

#[test]
fn long_texts_are_cut_unless_all_is_asked_for() {
    let mut exchanges = session();
    exchanges.truncate(1);
    exchanges[0].request = raw(json!({"messages": [{"role": "user", "content": "line\n".repeat(100)}]}));
    let cut = Transcript::new(Paint::fixed(false), false).write("s", &exchanges);
    assert!(cut.contains("--full shows them") && cut.matches("  line\n").count() == LINES, "{cut}");
    let whole = Transcript::new(Paint::fixed(false), true).write("s", &exchanges);
    assert_eq!(whole.matches("  line\n").count(), 100);
}

#[test]
fn calls_of_an_mcp_server_read_like_calls() {
    let exchange = |request: Value, reply: Value| Exchange {
        open: Some(record("open", json!({"route": "mcp.tools.call"}))),
        request: raw(request),
        reply: raw(reply),
        ..Exchange::default()
    };
    let ask =
        |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer = |result: Value| json!({"jsonrpc": "2.0", "id": 1, "result": result});
    let said = |text: &str| json!({"content": [{"type": "text", "text": text}], "isError": text == "no"});
    let note = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
    let text = Transcript::new(Paint::fixed(false), false).write(
        "s1",
        &[
            exchange(
                ask("tools/list", json!({})),
                answer(json!({"tools": [{"name": "read"}, {"name": "write"}]})),
            ),
            exchange(
                ask("tools/call", json!({"name": "read", "arguments": {"id": "plan"}})),
                json!([note, answer(said("by <email:k3v9q2>"))]),
            ),
            exchange(ask("tools/call", json!({"name": "drop"})), answer(said("no"))),
            exchange(
                ask("vendor/x", json!({})),
                json!({"jsonrpc": "2.0", "id": 1, "error": {"message": "unknown"}}),
            ),
        ],
    );
    for part in [
        "tools: read, write",
        "→ read\n  id: plan",
        "← result\n  by <email:k3v9q2>",
        "notifications/progress\n  progress: 1",
        "→ drop",
        "← result (error)\n  no",
        "← error\n  unknown",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
