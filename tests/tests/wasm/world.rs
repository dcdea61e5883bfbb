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

pub fn issuer() -> Issuer {
    Issuer::new("key-1", 7)
}

/// A token for a member of `group`.
pub fn token(group: &str) -> String {
    token_of("ann", group, &issuer())
}

/// A token for `subject`, signed by whoever `issuer` is.
pub fn token_of(subject: &str, group: &str, issuer: &Issuer) -> String {
    issuer.sign(&json!({
        "iss": "https://id.example", "aud": "sluice", "sub": subject, "groups": [group],
        "iat": NOW, "exp": NOW + 3000,
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
            {
                "name": "held-first", "when": { "part": ["prompt"], "text": "ask one" }, "action": "hold",
                "message": "wait", "approval": { "groups": ["approvers"] },
            },
            {
                "name": "held-second", "when": { "part": ["prompt"], "text": "ask two" }, "action": "hold",
                "message": "wait", "approval": { "groups": ["others"] },
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
        withheld: Vec::new(),
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

/// The same, with further settings in the policy's and in the plugin's configuration.
pub fn host_with(mode: &str, policy: &Value, plugin: &Value) -> Host {
    let mut bundle = bundle(mode, "first", NOW);
    let mut whole = json!(bundle.policy);
    merge(&mut whole, policy);
    bundle.policy = serde_json::from_value(whole).unwrap();
    let mut whole = serde_json::from_str(&configuration(Some(&signed(&bundle)))).unwrap();
    merge(&mut whole, plugin);
    Host::new(filter(), &whole.to_string()).unwrap()
}

fn merge(into: &mut Value, more: &Value) {
    for (key, value) in more.as_object().unwrap() {
        into.as_object_mut().unwrap().insert(key.clone(), value.clone());
    }
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

/// Control's word on a hold, as the answer to a wait or a use.
pub fn hold(id: &str, decision: &str) -> Answer {
    Answer::ok(json!({ "id": id, "decision": decision, "by": "abe" }).to_string())
}

/// Control's word on a hold, as the answer to its question.
pub fn opened(id: &str, decision: &str) -> Answer {
    Answer::ok(json!({ "hold": { "id": id, "decision": decision, "by": "abe" } }).to_string())
}

/// The one call of a stream that is pending; its path must start with `path`.
pub fn only_call(exchange: &Exchange<'_>, path: &str) -> Call {
    let calls = exchange.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].path().starts_with(path), "{}", calls[0].path());
    calls[0].clone()
}

/// Lets time pass, then the root's timer fire.
pub fn tick_after(host: &Host, ms: u64) {
    host.set_time(host.time() + ms);
    host.tick().unwrap();
}

/// Starts the upstream's reply, as a stream of events.
pub fn answer_with_stream(exchange: &mut Exchange<'_>) -> Action {
    let headers = Headers::from([(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")]);
    exchange.response_headers(&headers, false).unwrap()
}

/// Writes events as the API does.
pub fn events(all: &[Value]) -> Vec<u8> {
    let line = |data: &Value| {
        let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
        format!("event: {name}\ndata: {data}\n\n")
    };
    all.iter().map(line).collect::<String>().into_bytes()
}

/// The first event of a reply.
pub fn message_start() -> Value {
    json!({ "type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
    } })
}

/// The last events of a reply.
pub fn message_end(stop_reason: &str) -> [Value; 2] {
    let delta = json!({ "stop_reason": stop_reason, "stop_sequence": null });
    [
        json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ]
}

/// The events of a text block.
pub fn text_block(index: u64, pieces: &[&str]) -> Vec<Value> {
    let block = json!({ "type": "text", "text": "" });
    let deltas = pieces.iter().map(|piece| json!({ "type": "text_delta", "text": piece }));
    block_events(index, &block, deltas.collect())
}

/// The events of a tool call, its input in pieces.
pub fn call_block(index: u64, tool: &str, pieces: &[&str]) -> Vec<Value> {
    let block = json!({ "type": "tool_use", "id": format!("toolu_{index}"), "name": tool, "input": {} });
    let deltas = pieces.iter().map(|piece| json!({ "type": "input_json_delta", "partial_json": piece }));
    block_events(index, &block, deltas.collect())
}

fn block_events(index: u64, block: &Value, deltas: Vec<Value>) -> Vec<Value> {
    let mut all = vec![json!({ "type": "content_block_start", "index": index, "content_block": block })];
    let delta = |delta| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    all.extend(deltas.into_iter().map(delta));
    all.push(json!({ "type": "content_block_stop", "index": index }));
    all
}

/// The events of a reply with one text block.
pub fn text_events(pieces: &[&str]) -> Vec<u8> {
    let mut all = vec![message_start()];
    all.extend(text_block(0, pieces));
    all.extend(message_end("end_turn"));
    events(&all)
}

/// The events of a reply with one tool call, its input in pieces.
pub fn call_events(tool: &str, pieces: &[&str]) -> Vec<u8> {
    let mut all = vec![message_start()];
    all.extend(call_block(0, tool, pieces));
    all.extend(message_end("tool_use"));
    events(&all)
}

/// A whole reply with one call of `Bash`.
pub fn whole_call(command: &str) -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [{ "type": "tool_use", "id": "toolu_1", "name": "Bash", "input": { "command": command } }],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
    })
    .to_string()
}

/// Starts the upstream's reply, as one JSON body.
pub fn answer_with_json(exchange: &mut Exchange<'_>, length: usize) -> Action {
    let length = length.to_string();
    let headers = [(":status", "200"), ("content-type", "application/json"), ("content-length", &length)];
    exchange.response_headers(&Headers::from(headers), false).unwrap()
}
