use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{POLICY, Service};

const BUDGETS: &str = r#"
budgets:
- name: team-day
  groups: [writers]
  per: group
  tokens: 1000
  window: 24h
"#;

fn report(reporter: &str, tokens: u64, after: u64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let start_ms = (now - now % 86_400) * 1000;
    json!({ "reporter": reporter, "after": after, "counters": [{
        "key": { "budget": "team-day", "windowSeconds": 86_400, "startMs": start_ms, "holder": { "group": "writers" } },
        "used": { "requests": 1, "inputTokens": tokens, "outputTokens": 0, "costMicroUsd": 0 },
        "reserved": {},
    }] })
}

#[tokio::test]
async fn filters_share_a_budget_and_auditors_and_operators_see_it() {
    let mut service = Service::start().await;
    service.kill();
    std::fs::write(service.policy().join("base.yaml"), format!("{POLICY}{BUDGETS}")).unwrap();
    service.run().await;

    let (status, first) = service.filter(Method::POST, "/v1/budgets", Some(&report("one", 400, 0))).await;
    assert_eq!((status.as_u16(), &first["counters"]), (200, &json!([])), "nobody else has counted");
    let (_, second) = service.filter(Method::POST, "/v1/budgets", Some(&report("two", 100, 0))).await;
    assert_eq!(second["counters"][0]["used"]["inputTokens"], 400);
    let idle = json!({ "reporter": "one", "after": first["after"] });
    let (_, answer) = service.filter(Method::POST, "/v1/budgets", Some(&idle)).await;
    assert_eq!(answer["counters"][0]["used"]["inputTokens"], 100);

    // Acknowledged is on disk.
    service.kill();
    service.run().await;
    for group in ["auditors", "operators"] {
        let token = service.token("ops", group);
        let shown = service.cli(&token, &["budgets", "ls"]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(text.contains("team-day") && text.contains("group writers"), "{text}");
        assert!(text.contains("500/1000 tokens"), "{text}");
    }
    let token = service.token("ops", "operators");
    let json: Value =
        serde_json::from_slice(&service.cli(&token, &["budgets", "ls", "--output", "json"]).stdout).unwrap();
    assert_eq!(json["budgets"][0]["used"]["inputTokens"], 500);
    assert_eq!(json["budgets"][0]["limits"]["tokens"], 1000);
}

#[tokio::test]
async fn budgets_are_not_for_everyone_and_reports_come_from_filters_alone() {
    let service = Service::start().await;
    let writer = service.token("ana", "writers");
    assert_eq!(service.call(Method::GET, "/v1/budgets", &writer, None).await.0, 403);
    assert_eq!(service.call(Method::GET, "/v1/budgets", &service.data_token(), None).await.0, 401);
    assert_eq!(service.call(Method::POST, "/v1/budgets", &writer, Some(&report("x", 1, 0))).await.0, 401);
    let nameless = json!({ "reporter": "", "counters": [] });
    assert_eq!(service.filter(Method::POST, "/v1/budgets", Some(&nameless)).await.0, 400);
}
