//! The chain of one session: by the API, on its page, by the command.

use axum::http::Method;
use serde_json::{Value, json};
use sluice_engine::record::cut;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::harness::{Service, record};
use super::provider::Browser;

const POLICY: &str = r#"
issuers:
- { name: own, issuer: "http://127.0.0.1:1", audiences: [sluice], keys: control }
roles:
- { name: all, scopes: ["messages.*"], models: ["*"] }
bindings:
- { name: writers, groups: [writers], roles: [all] }
access: { auditors: [auditors], operators: [operators], authors: [authors] }
"#;

/// Exchanges of a session, each with a text.
async fn recorded(service: &Service, session: &str, exchanges: &[&str]) {
    for exchange in exchanges {
        let text = format!("{exchange} says {}", "much ".repeat(80));
        let (body, blocks) = cut(&json!({"messages": [{"role": "user", "content": text}]}).to_string());
        let mut open = record(exchange, session, "open");
        open["body"] = serde_json::to_value(body).unwrap();
        let close = record(exchange, session, "close");
        let batch = json!({"id": exchange, "records": [open, close], "blocks": blocks});
        assert_eq!(service.filter(Method::POST, "/v1/records", Some(&batch)).await.0, 200);
    }
}

/// Somebody with the database and without the key.
async fn tamper(service: &Service, sql: &str) {
    let url = format!("sqlite://{}", service.state().join("sluice.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn out(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_session_says_whether_it_is_what_was_written() {
    let service = Service::start_as(POLICY, &["--dev", "--public-url", "http://127.0.0.1:1"]).await;
    recorded(&service, "s1", &["e1", "e2"]).await;
    recorded(&service, "s2", &["e3"]).await;
    recorded(&service, "s1", &["e4"]).await;
    let auditor = service.token("aud", "auditors");

    let (status, said) = service.call(Method::GET, "/v1/sessions/s1/chain", &auditor, None).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!((&said["sound"], &said["whole"], &said["entries"]), (&json!(true), &json!(true), &json!(6)));
    assert_eq!((said["writers"].as_array().unwrap().len(), &said["problems"]), (1, &json!([])), "{said}");
    let told = service.cli(&auditor, &["sessions", "verify", "s1"]);
    assert!(told.status.success() && out(&told).contains("the session is what was written"), "{told:?}");

    // Whoever may not read the record learns nothing of it, not even which sessions there are.
    let ben = service.token("ben", "operators");
    for session in ["s1", "none"] {
        let path = format!("/v1/sessions/{session}/chain");
        assert_eq!(service.call(Method::GET, &path, &ben, None).await.0, 403);
        assert_eq!(service.call(Method::GET, &path, &service.data_token(), None).await.0, 401);
    }
    assert_eq!(service.call(Method::GET, "/v1/sessions/none/chain", &auditor, None).await.0, 404);
    assert_eq!(service.cli(&auditor, &["sessions", "verify", "none"]).status.code(), Some(1));

    let mut browser = Browser::new(&service.url);
    browser.post("/signin?to=/sessions", "subject=rita&groups=auditors").await;
    let page = browser.get("/sessions/s1").await.body;
    // The page fetches the part of the other page that has this id; without scripts a link leads there.
    assert!(
        page.contains(r##"hx-get="/sessions/s1/chain" hx-trigger="load" hx-select="#chain-status""##),
        "{page}"
    );
    assert!(
        page.contains(r#"<a href="/sessions/s1/chain">"#) && page.contains(r#"id="exchange-3""#),
        "{page}"
    );
    let page = browser.get("/sessions/s1/chain").await.body;
    assert!(
        page.contains(r#"id="chain-status""#) && page.contains(r#"<span class="chip allow">intact"#),
        "{page}"
    );
    assert_eq!(browser.get("/sessions/none/chain").await.status, 404);
    let id = "5f0c9f0e-3a52-4b7e-9a3f-7d1a2b3c4d5e";
    recorded(&service, id, &["e5"]).await;
    let page = browser.get(&format!("/sessions/{id}/chain")).await.body;
    assert!(page.contains(&format!("sluice sessions verify {id}<")), "a command that can be pasted: {page}");
    let mut other = Browser::new(&service.url);
    other.post("/signin?to=/holds", "subject=omar&groups=operators").await;
    assert_eq!(other.get("/sessions/s1/chain").await.status, 403);

    tamper(&service, r#"UPDATE entries SET entry = replace(entry, '"node":"n"', '"node":"m"') WHERE exchange = 'e2' AND entry LIKE '%close%'"#).await;
    let (_, said) = service.call(Method::GET, "/v1/sessions/s1/chain", &auditor, None).await;
    assert_eq!((&said["sound"], &said["problems"][0]["exchange"]), (&json!(false), &json!("e2")), "{said}");
    let told = service.cli(&auditor, &["sessions", "verify", "s1"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(out(&told).contains("exchange 2 (e2): entry 5 was altered"), "{told:?}");
    let told = service.cli(&auditor, &["sessions", "verify", "s1", "--output", "json"]);
    assert_eq!(told.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(json["problems"][0]["what"], json!({"kind": "altered", "seq": 5}), "{json}");
    let page = browser.get("/sessions/s1/chain").await.body;
    assert!(page.contains(r#"<span class="chip deny">not intact"#), "{page}");
    assert!(
        page.contains(r##"<a href="/sessions/s1#exchange-2">Exchange 2</a>: entry 5 was altered"##),
        "{page}"
    );
}
