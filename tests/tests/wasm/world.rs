//! A filter with a policy, an issuer and a clock that the test holds.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use sluice_engine::policy::bundle::{Bundle, FORMAT, IssuerKeys, SignedBundle};
use sluice_tests::host::{Action, Answer, Call, Exchange, Filter, Headers, Host};
use sluice_tests::issuer::Issuer;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::place;

/// The host's clock at its start, in Unix seconds.
pub const NOW: u64 = 1_800_000_000;

/// Compiled once for all tests.
pub fn filter() -> &'static Filter {
    static FILTER: OnceLock<Filter> = OnceLock::new();
    FILTER.get_or_init(|| Filter::load(&place::module().unwrap()).unwrap())
}

pub fn bundle_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn issuer() -> Issuer {
    Issuer::new("key-1", 7)
}

/// A token for a member of `group`.
pub fn token(group: &str) -> String {
    issuer().sign(&json!({
        "iss": "https://id.example", "aud": "sluice", "sub": "ann", "groups": [group],
        "iat": NOW, "exp": NOW + 600,
    }))
}

/// A bundle, with its recording mode and a word that tells one from another.
pub fn bundle(mode: &str, word: &str, issued_at_s: u64) -> Bundle {
    let policy = json!({
        "issuers": [{
            "name": "id", "issuer": "https://id.example", "audiences": ["sluice"], "keys": { "jwks": issuer().jwks() },
        }],
        "roles": [{
            "name": "all", "scopes": ["*"], "models": ["claude-*"], "tools": { "allow": ["*"] },
        }],
        "bindings": [{ "name": "all", "groups": ["agents"], "roles": ["all"] }],
        "rules": [
            { "name": "no-destruction", "when": { "effects": ["destroy"] }, "action": "deny", "message": word },
            {
                "name": "held", "when": { "effects": ["write"] }, "action": "hold", "message": "wait",
                "approval": { "groups": ["approvers"] },
            },
        ],
        "recording": { "mode": mode },
    });
    Bundle {
        format: FORMAT,
        version: format!("{mode}-{word}-{issued_at_s}"),
        policy_version: word.to_owned(),
        issued_at_ms: issued_at_s * 1000,
        policy: serde_json::from_value(policy).unwrap(),
        keys: vec![IssuerKeys {
            issuer: "id".to_owned(),
            keys: issuer().jwks().get("keys").and_then(Value::as_array).cloned().unwrap(),
        }],
        tenant_key: BASE64.encode([9; 32]),
        grants: Vec::new(),
        revocations: Vec::new(),
    }
}

pub fn signed(bundle: &Bundle) -> SignedBundle {
    SignedBundle::sign(bundle, &bundle_key()).unwrap()
}

/// The plugin configuration, with an inline bundle where one is given.
pub fn configuration(inline: Option<&SignedBundle>) -> String {
    let mut configuration = json!({
        "controlCluster": "sluice-control",
        "controlAuthority": "sluice-control",
        "controlToken": "data-plane-token-of-the-tests",
        "bundleKeys": [BASE64.encode(bundle_key().verifying_key().as_bytes())],
    });
    if let Some(inline) = inline {
        configuration.as_object_mut().unwrap().insert("bundle".to_owned(), json!(inline));
    }
    configuration.to_string()
}

/// A host whose filter starts with an inline bundle.
pub fn host(mode: &str) -> Host {
    Host::new(filter(), &configuration(Some(&signed(&bundle(mode, "first", NOW))))).unwrap()
}

/// The headers of `POST /v1/messages` with this token and body length.
pub fn headers(token: &str, length: usize) -> Headers {
    Headers::from([
        (":method", "POST"),
        (":path", "/v1/messages"),
        (":authority", "gateway.example"),
        (":scheme", "http"),
        ("content-type", "application/json"),
        ("content-length", length.to_string().as_str()),
        ("authorization", format!("Bearer {token}").as_str()),
    ])
}

/// Sends a whole request in two pieces, as HTTP/1 ends it.
pub fn send(exchange: &mut Exchange<'_>, prompt: &Prompt, token: &str) {
    let body = prompt.body();
    exchange.request_headers(&headers(token, body.len()), false).unwrap();
    if exchange.local_reply().is_some() {
        return;
    }
    exchange.request_body(body.as_bytes(), false).unwrap();
    exchange.request_body(b"", true).unwrap();
}

/// The calls of a stream to control below `path`.
pub fn calls_to(exchange: &Exchange<'_>, path: &str) -> Vec<Call> {
    exchange.calls().into_iter().filter(|call| call.path().starts_with(path)).collect()
}

/// Control's yes to an exchange that it has recorded.
pub fn recorded() -> Answer {
    Answer::ok("{}")
}

/// Starts the upstream's reply, as a stream of events.
pub fn answer_with_stream(exchange: &mut Exchange<'_>) -> Action {
    let headers = Headers::from([(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")]);
    exchange.response_headers(&headers, false).unwrap()
}

/// The events of a reply with one text block, as the API writes them.
pub fn text_events(pieces: &[&str]) -> Vec<u8> {
    let mut out = String::new();
    let mut push = |data: Value| {
        let name = data.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        out.push_str(&format!("event: {name}\ndata: {data}\n\n"));
    };
    push(json!({ "type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
    } }));
    push(
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
    );
    for piece in pieces {
        let delta = json!({ "type": "text_delta", "text": piece });
        push(json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
    }
    push(json!({ "type": "content_block_stop", "index": 0 }));
    push(json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null },
        "usage": { "output_tokens": 9 } }));
    push(json!({ "type": "message_stop" }));
    out.into_bytes()
}

/// The events of a reply with one tool call, its input in pieces.
pub fn call_events(tool: &str, pieces: &[&str]) -> Vec<u8> {
    let mut out = String::new();
    let mut push = |data: Value| {
        let name = data.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        out.push_str(&format!("event: {name}\ndata: {data}\n\n"));
    };
    push(json!({ "type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
    } }));
    let block = json!({ "type": "tool_use", "id": "toolu_1", "name": tool, "input": {} });
    push(json!({ "type": "content_block_start", "index": 0, "content_block": block }));
    for piece in pieces {
        let delta = json!({ "type": "input_json_delta", "partial_json": piece });
        push(json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
    }
    push(json!({ "type": "content_block_stop", "index": 0 }));
    push(json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use", "stop_sequence": null },
        "usage": { "output_tokens": 9 } }));
    push(json!({ "type": "message_stop" }));
    out.into_bytes()
}
