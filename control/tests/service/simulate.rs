//! `sluice policy simulate` and `sluice policy explain --token`, against a real service.

use std::fs;
use std::process::Output;

use axum::http::Method;
use serde_json::{Value, json};
use sluice_engine::record::cut;

use super::harness::{Service, record};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const POLICY: &str = r#"
issuers:
- { name: own, issuer: "https://sluice.test", audiences: [sluice], keys: control }
roles:
- { name: all, scopes: ["messages.*"], models: ["*"] }
bindings:
- { name: writers, groups: [writers], roles: [all] }
rules:
- { name: no-destruction, when: { effects: [destroy] }, action: deny }
- { name: writes, when: { effects: [write] }, action: hold, approval: { groups: [approvers] } }
"#;

/// Records an exchange in which the model calls Bash, as a filter does.
pub async fn exchange(service: &Service, id: &str, session: &str, command: &str) {
    let request = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hello"}]});
    let call = json!({"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": command}});
    let reply = json!({"content": [call], "stop_reason": "tool_use"});
    let mut records = Vec::new();
    let mut blocks = Vec::new();
    for (stage, body) in [("open", request), ("close", reply)] {
        let (body, named) = cut(&body.to_string());
        let mut record = record(id, session, stage);
        record["body"] = serde_json::to_value(body).unwrap();
        records.push(record);
        blocks.extend(named);
    }
    let batch = json!({"id": id, "records": records, "blocks": blocks});
    let (status, reply) = service.filter(Method::POST, "/v1/records", Some(&batch)).await;
    assert_eq!(status, 200, "{reply}");
}

#[tokio::test]
async fn recorded_sessions_are_put_to_a_new_policy() {
    let service = Service::start().await;
    for (id, session, command) in
        [("e1", "s1", "rm -r x"), ("e2", "s1", "ls"), ("e3", "s2", "touch x"), ("e4", "s2", "rm y")]
    {
        exchange(&service, id, session, command).await;
    }
    let policy = service.dir.path().join("new.yaml");
    fs::write(&policy, POLICY).unwrap();
    let policy = policy.to_str().unwrap();
    let auditor = service.token("aud", "auditors");
    let simulate = |more: &[&str]| service.cli(&auditor, &[&["policy", "simulate", policy], more].concat());

    let told = simulate(&[]);
    assert!(told.status.success(), "{}", err(&told));
    let text = out(&told);
    for words in [
        "would be denied by no-destruction, were allowed: 2 exchanges",
        "session s1, exchange e1, ana: Bash (destroy)",
        "would be held by writes, were allowed: 1 exchange",
        "4 exchanges of 2 sessions: 1 come to the same verdict",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }

    let json = |more: &[&str]| -> Value {
        let told = simulate(&[more, &["--output", "json"]].concat());
        serde_json::from_slice(&told.stdout).unwrap_or_else(|e| panic!("{e}: {}", err(&told)))
    };
    assert_eq!(json(&["--session", "s1"])["simulation"]["exchanges"], 2);
    assert_eq!(json(&["--limit", "1"])["sessions"], 1);
    assert_eq!(json(&["--group", "others"])["simulation"]["exchanges"], 0);
    assert_eq!(json(&["--subject", "ana"])["simulation"]["exchanges"], 4);
    // The records are of another day.
    assert_eq!(json(&["--since", "1s"])["simulation"]["exchanges"], 0);

    // It reads the record, so it takes the right that replays take.
    let refused = service.cli(&service.token("ben", "approvers"), &["policy", "simulate", policy]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("access.auditors"), "{}", err(&refused));
}

#[tokio::test]
async fn explain_verifies_a_token_as_the_sidecar_does() {
    let service = Service::start().await;
    let token = service.token("ana", "writers");
    let mount = service.policy();
    let policy = mount.to_str().unwrap();
    let state = service.state();
    let state = state.to_str().unwrap();
    let explain = |token: &str, more: &[&str]| {
        service.cli("", &[&["policy", "explain", policy, "--token", token], more].concat())
    };

    // Without control's own key nobody can tell whose signature it is, and the answer says where the key is.
    let refused = explain(&token, &[]);
    assert_eq!(refused.status.code(), Some(1));
    let text = out(&refused);
    assert!(text.contains("the token is refused") && text.contains("--state DIR"), "{text}");
    assert!(text.contains("the caller gets 401"), "{text}");

    for more in [&["--state", state][..], &["--state", state, "--url", &service.url]] {
        let told = out(&explain(&token, more));
        assert!(told.contains("ana of own, groups: writers"), "{told}");
    }

    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged: String = signature.chars().rev().collect();
    let refused = explain(&format!("{head}.{forged}"), &["--state", state]);
    assert!(out(&refused).contains("signature"), "{}", out(&refused));
    assert!(!out(&refused).contains(&token));
}
