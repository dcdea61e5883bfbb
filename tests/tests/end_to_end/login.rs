//! Claude Code itself signs in at a gateway: a terminal, a code, a person who lets it in, a prompt.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use sluice_tests::stack::place;
use tempfile::TempDir;

use super::stack;

#[tokio::test]
async fn claude_code_logs_in_at_the_gateway_and_asks_as_whoever_let_it_in() {
    let stack = stack().await;
    let home = TempDir::new().unwrap();
    let mut child = Command::new(place::repository().join("target/clients/python/bin/python"))
        .arg(place::repository().join("tests/clients/login.py"))
        .args([&stack.url, "Write to jane.doe@example.com after the login"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("DISABLE_TELEMETRY", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = move || -> Value {
        let line = lines.next().expect("it says what is wrong on stderr (see `make clients`)").unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let (shown, line) = tokio::task::spawn_blocking(move || (line(), line)).await.unwrap();
    let person = stack.token("lea", &["readers"]).unwrap();
    let code = shown["code"].as_str().unwrap();
    stack.control().unwrap().run(&["tokens", "device", "approve", code], &person).unwrap();

    let said = tokio::task::spawn_blocking(line).await.unwrap();
    assert_eq!(said["who"], "lea", "it shows who let it in: {said}");
    assert!(
        said["said"].as_str().unwrap().contains("jane.doe@example.com"),
        "restored for the caller: {said}"
    );
    let arrived = stack.arrived("after the login").await.unwrap();
    assert!(!arrived.is_empty() && arrived.iter().all(|request| !request.body.contains("jane.doe@")));
    let sessions = stack.control().unwrap().sluice(&["sessions", "ls", "--output", "json"]).unwrap();
    assert!(sessions.contains("\"subject\":\"lea\""), "{sessions}");
    child.wait().unwrap();
}
