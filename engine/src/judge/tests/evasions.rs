//! Ways around masking, limits, rules, holds and the record that are closed.

use super::*;
use crate::judge::{Flow, Judged, Replied, ReplyStream};

const CARD: &str = "4111 1111 1111 1111";

fn request(policy: Value, body: Value) -> Judged {
    case(policy).request(body.to_string().as_bytes(), &[])
}

fn saying(content: Value) -> Value {
    json!({"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":content}]})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = saying(json!("hello"));
    body[field] = value;
    body
}

fn role(role: Value) -> Value {
    let mut own = json!({"name":"r","scopes":["*"],"models":["claude-*"],
        "serverTools":{"allow":["*"]},"mcpServers":{"allow":["*"]}});
    own.as_object_mut().unwrap().extend(role.as_object().unwrap().clone());
    json!({"roles":[own],"bindings":[{"name":"b","groups":["staff"],"roles":["r"]}]})
}

fn stream(events: &[Value]) -> Vec<u8> {
    let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    events.iter().map(event).collect::<String>().into_bytes()
}

fn pushed(policy: Value, bytes: &[u8]) -> (Flow, String) {
    let mut case = case(policy);
    let mut out = Vec::new();
    let flow = ReplyStream::events().push(&mut case, bytes, &mut out);
    (flow, String::from_utf8(out).unwrap())
}

fn no_rm() -> Value {
    json!({"rules":[bash_rule("no-rm","rm -rf","deny")]})
}
#[test]
fn a_request_that_is_over_a_limit_is_recorded_masked() {
    let mut body = saying(json!(CARD));
    body["model"] = json!("gpt");
    let judged = request(role(json!({})), body);
    assert_eq!(judged.refusal.unwrap().rule, "model");
    assert!(!judged.recorded.unwrap().contains(CARD));
}
