use std::fs;

use axum::http::Method;
use serde_json::{Value, json};
use sluice_engine::record::cut;

use super::harness::{Service, record};

/// A turn of a conversation as a filter records it.
fn turn(exchange: &str, session: &str, body: &Value) -> (Value, Vec<Value>) {
    let (body, blocks) = cut(&body.to_string());
    let mut open = record(exchange, session, "open");
    open["body"] = serde_json::to_value(body).unwrap();
    (open, blocks.into_iter().map(|b| serde_json::to_value(b).unwrap()).collect())
}

fn conversation(question: &str) -> Value {
    json!({"model": "m", "system": "be brief", "messages": [{"role": "user", "content": question}]})
}

fn out(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_session_is_recorded_listed_replayed_exported_and_verified() {
    let service = Service::start().await;
    let long = format!("tell me of <email:k3v9q2> {}", "and more ".repeat(60));
    let (open, blocks) = turn("e1", "s1", &conversation(&long));
    let digest = blocks[0]["digest"].as_str().unwrap().to_owned();

    // Without its blocks nothing is written, and what is missing is named.
    let (status, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&json!({"record": open}))).await;
    assert_eq!(status, 200);
    assert!(reply["missing"].as_array().unwrap().iter().all(Value::is_string) && reply.get("hold").is_none());
    let (status, reply) =
        service.filter(Method::POST, "/v1/exchanges", Some(&json!({"record": open, "blocks": blocks}))).await;
    assert_eq!((status.as_u16(), reply), (200, json!({})));

    let mut close = record("e1", "s1", "close");
    close["status"] = json!(200);
    let reply = json!({"content": [{"type": "text", "text": "that is <email:k3v9q2>"}]});
    close["body"] = serde_json::to_value(cut(&reply.to_string()).0).unwrap();
    let batch = json!({"id": "b1", "records": [close], "blocks": cut(&reply.to_string()).1});
    for _ in 0..2 {
        let (status, reply) = service.filter(Method::POST, "/v1/records", Some(&batch)).await;
        assert_eq!((status.as_u16(), reply), (200, json!({})));
    }

    let auditor = service.token("aud", "auditors");
    let listed = out(&service.cli(&auditor, &["sessions", "ls"]));
    assert!(listed.contains("s1") && listed.contains("ana"), "{listed}");
    let replay = out(&service.cli(&auditor, &["replay", "s1"]));
    assert!(
        replay.contains("tell me of <email:k3v9q2>") && replay.contains("that is <email:k3v9q2>"),
        "{replay}"
    );
    let json: Value =
        serde_json::from_slice(&service.cli(&auditor, &["replay", "s1", "--output", "json"]).stdout).unwrap();
    assert_eq!(json["exchanges"][0]["request"], conversation(&long));
    assert_eq!(json["exchanges"].as_array().unwrap().len(), 1, "the batch was sent twice and written once");

    let export = out(&service.cli(&auditor, &["records", "export", "--blocks"]));
    assert!(export.contains(&digest));
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let entries: Vec<_> = lines.iter().filter(|line| line.get("entry").is_some()).collect();
    assert_eq!(entries.len(), 3, "the policy that came into force, and both ends of the exchange");
    assert!(lines.last().unwrap()["checkpoint"].as_str().unwrap().starts_with("sluice/"));
    let cursor = entries[1]["cursor"].to_string();
    let rest = out(&service.cli(&auditor, &["records", "export", "--after", &cursor]));
    assert_eq!(rest.lines().filter(|line| line.contains("\"entry\"")).count(), 1);

    // Verified by the service, on the database, and on the export without either.
    let verified = service.cli(&auditor, &["records", "verify"]);
    assert!(verified.status.success(), "{}", out(&verified));
    let state = service.state();
    let state = state.to_str().unwrap();
    let verified = service.cli("", &["records", "verify", "--state", state]);
    assert!(verified.status.success(), "{}", out(&verified));
    let keys: Value = serde_json::from_slice(
        &service.cli("", &["keys", "show", "--output", "json", "--state", state]).stdout,
    )
    .unwrap();
    let file = service.dir.path().join("export.ndjson");
    let verify = |text: &str| {
        fs::write(&file, text).unwrap();
        let key = keys["recordKey"].as_str().unwrap();
        service.cli("", &["records", "verify", "--file", file.to_str().unwrap(), "--key", key])
    };
    assert!(verify(&export).status.success());
    let altered = export.replacen("\"node\":\"n\"", "\"node\":\"m\"", 1);
    let found = verify(&altered);
    assert_eq!(found.status.code(), Some(1));
    assert!(out(&found).contains("entry 2 was altered"), "{}", out(&found));
    let shorter: Vec<&str> = export.lines().filter(|line| !line.contains("\"close\"")).collect();
    assert_eq!(verify(&shorter.join("\n")).status.code(), Some(1));
}

#[tokio::test]
async fn the_log_is_exported_for_a_siem_and_for_a_spreadsheet_without_any_text() {
    let service = Service::start().await;
    let (mut open, blocks) = turn("e1", "s1", &conversation(&"a long question ".repeat(40)));
    open["principal"]["subject"] = json!("=cmd|' /C calc'!A0");
    open["decisions"] = json!([{"rule": "no-drop", "action": "deny", "tool": "Bash"}]);
    open["findings"] = json!({"email": 2});
    let mut close = record("e1", "s1", "close");
    close["status"] = json!(403);
    let batch = json!({"id": "b", "records": [open, close], "blocks": blocks});
    assert_eq!(service.filter(Method::POST, "/v1/records", Some(&batch)).await.0, 200);
    let auditor = service.token("aud", "auditors");

    let events = out(&service.cli(&auditor, &["records", "export", "--format", "ocsf"]));
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (policy, events) = events.split_first().unwrap();
    assert_eq!(policy["api"]["operation"], "policy.in_force");
    assert_eq!(events.len(), 2);
    // What the class API Activity asks for.
    for event in events {
        for field in [
            "activity_id",
            "actor",
            "api",
            "category_uid",
            "class_uid",
            "metadata",
            "severity_id",
            "src_endpoint",
            "time",
        ] {
            assert!(!event[field].is_null(), "{field}: {event}");
        }
        assert_eq!((&event["type_uid"], &event["category_uid"]), (&json!(600_301), &json!(6)));
    }
    assert_eq!((&events[0]["action_id"], &events[0]["severity_id"]), (&json!(2), &json!(3)), "denied");
    assert_eq!((&events[1]["status_id"], &events[1]["http_response"]["code"]), (&json!(2), &json!(403)));

    let table = out(&service.cli(&auditor, &["records", "export", "--format", "csv"]));
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("cursor,time_utc,what,issuer,subject"));
    assert!(lines.next().unwrap().contains("policy in force"));
    let row = lines.next().unwrap();
    assert!(row.contains(",'=cmd|"), "{row}");
    assert!(row.contains("deny by no-drop bash") && row.contains("email: 2"), "{row}");
    for text in [table, serde_json::to_string(&events).unwrap()] {
        assert!(!text.contains("a long question"));
    }
    let later = out(&service.cli(&auditor, &["records", "export", "--format", "csv", "--after", "2"]));
    assert_eq!(later.lines().count(), 1, "an export that goes on names no columns: {later}");
}

#[tokio::test]
async fn records_are_for_auditors_alone() {
    let service = Service::start().await;
    let ben = service.token("ben", "approvers");
    for (method, path) in [
        (Method::GET, "/v1/sessions"),
        (Method::GET, "/v1/sessions/s1"),
        (Method::GET, "/v1/records"),
        (Method::POST, "/v1/records/verify"),
    ] {
        let (status, problem) = service.call(method.clone(), path, &ben, None).await;
        assert_eq!(status, 403, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("access.auditors"), "{problem}");
        assert_eq!(service.call(method, path, &service.data_token(), None).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn a_block_that_is_not_what_its_digest_says_is_refused() {
    let service = Service::start().await;
    let (open, mut blocks) = turn("e1", "s1", &conversation(&"x".repeat(300)));
    blocks[0]["text"] = json!("something else");
    let (status, problem) =
        service.filter(Method::POST, "/v1/exchanges", Some(&json!({"record": open, "blocks": blocks}))).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("SHA-256"), "{problem}");
    let list = json!({"id": "b", "records": [], "blocks": [
        {"digest": sluice_engine::record::digest("no list", true), "text": "no list", "list": true}]});
    assert_eq!(service.filter(Method::POST, "/v1/records", Some(&list)).await.0, 400);
    let (_, problem) =
        service.filter(Method::POST, "/v1/records", Some(&json!({"id": "secret-value"}))).await;
    assert!(!problem.to_string().contains("secret-value"), "{problem}");
}
