//! The pages, in a real browser, on what real clients have sent.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{Settings, Stack, place};
use tempfile::TempDir;

use super::clients::{CLAUDE_CODE, run, text};
use super::signin;

/// Text that does something where a page takes it for its own.
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>";

async fn stack() -> Stack {
    Stack::start(Settings { serve: vec!["--dev".to_owned()], ..Settings::default() }).await.unwrap()
}

/// Runs the browser's script and reads what it prints.
async fn browser(arguments: Vec<String>) -> Value {
    let clients: PathBuf = place::repository().join("target/clients/typescript/node_modules");
    let script = place::repository().join("tests/clients/browser.cjs");
    let output = tokio::task::spawn_blocking(move || {
        Command::new("node").arg(script).args(arguments).env("NODE_PATH", clients).output()
    });
    let output = output.await.unwrap().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let out: Value = serde_json::from_str(stdout.lines().last().unwrap_or_default()).unwrap_or_else(|_| {
        panic!(
            "the browser (see `make clients browser`): {stdout}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    assert_eq!(out["wrong"], serde_json::json!([]), "{out:#}");
    out
}

fn asked(what: &str, stack: &Stack, more: &[&str]) -> Vec<String> {
    let url = stack.control().unwrap().url.clone();
    [what.to_owned(), url].into_iter().chain(more.iter().map(|part| (*part).to_owned())).collect()
}

#[tokio::test]
async fn a_hold_is_approved_in_the_page_with_keys_alone_while_claude_code_waits_and_the_session_replays() {
    let stack = stack().await;
    let token = stack.token("wanda", &["writers"]).unwrap();
    let home = TempDir::new().unwrap();
    let prompt =
        r#"call: Bash {"command":"touch made-by-an-agent && echo written","description":"write a file"}"#;
    let ready = home.path().join("ready");
    let watching = tokio::spawn(browser(asked("approve", &stack, &[ready.to_str().unwrap()])));
    while !ready.exists() && !watching.is_finished() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let out = run(CLAUDE_CODE, home.path(), &stack, &token, &[prompt]).await;
    let seen = watching.await.unwrap();
    assert!(text(&out, "/result").contains("The tool said: written"), "it went on: {out}");
    assert!(home.path().join("made-by-an-agent").exists());
    assert!(text(&seen, "/command").contains("touch made-by-an-agent"), "{seen}");
    assert_eq!(text(&seen, "/who"), "wanda");
    assert_eq!(text(&seen, "/missing"), "reason", "the first key leads to what is missing");
    assert!(text(&seen, "/decided").contains("by rita"), "{seen}");

    let auditor = stack.token("aida", &["auditors"]).unwrap();
    let control = stack.control().unwrap();
    let listed = control.run(&["sessions", "ls", "--output", "json"], &auditor).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let of_wanda = |session: &&Value| session["subject"] == "wanda" && session["held"] != 0;
    let session = listed["sessions"].as_array().unwrap().iter().find(of_wanda).unwrap();
    let session = session["session"].as_str().unwrap();
    let replayed = browser(asked("replay", &stack, &[session])).await;
    let shown = text(&replayed, "/text");
    for part in [
        "touch made-by-an-agent",
        "writes-need-a-second-person",
        "approved by rita",
        "read in the page",
        "written",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    assert_eq!((&replayed["hidden"], &replayed["moment"]), (&1.into(), &1.into()), "{replayed}");
}

#[tokio::test]
async fn every_page_is_accessible_keeps_its_content_policy_and_shows_hostile_text_as_text() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let policy = std::fs::read_to_string(stack.policy.as_ref().unwrap().join("policy.yaml")).unwrap();
    let rule = serde_json::json!(HOSTILE);
    let extra =
        format!("\n- name: {rule}\n  when: {{ text: \"(?i)hostile\" }}\n  action: deny\n  message: {rule}\n");
    control.write_policy(&policy.replacen("\nrules:\n", &format!("\nrules:{extra}"), 1)).unwrap();
    // A name, a prompt, a tool's input: all of it comes from somebody else.
    let token = stack.token(HOSTILE, &["writers"]).unwrap();
    let input = serde_json::json!({ "sql": format!("INSERT INTO t VALUES ('{HOSTILE}')"), HOSTILE: HOSTILE });
    let held = Prompt::new(&format!("{HOSTILE}\ncall: query_db {input}")).tool("query_db");
    let held = held.ask(&stack.url, &token);
    let waiting = tokio::spawn(async move { held.send().await });
    let hold = control.wait_for_hold("INSERT").await.unwrap();
    let said = Prompt::new(&format!("say: {HOSTILE}\nMail jane.doe@example.com")).ask(&stack.url, &token);
    assert_eq!(said.send().await.unwrap().status, 200);

    let auditor = stack.token("aida", &["auditors"]).unwrap();
    let listed = loop {
        let listed = control.run(&["sessions", "ls", "--output", "json"], &auditor).unwrap();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        if listed["sessions"].as_array().is_some_and(|sessions| !sessions.is_empty()) {
            break listed;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let session = listed["sessions"][0]["session"].as_str().unwrap();
    let (hold, session) = (format!("/holds/{}", hold.id), format!("/sessions/{session}"));
    let paths = [
        "/holds",
        &hold,
        "/sessions",
        "/sessions?text=alert",
        &session,
        "/overview",
        "/access",
        "/policy",
        "/policy/trial",
        "/fleet",
    ];
    let out = browser(asked("look", &stack, &paths)).await;
    assert_eq!(out["looked"].as_array().unwrap().len(), paths.len() * 4);
    waiting.abort();
}

#[tokio::test]
async fn people_sign_in_at_the_provider_let_devices_in_and_sign_out_for_good() {
    let (stack, _provider) = signin::stack().await;
    let out = browser(asked("signin", &stack, &[])).await;
    let came = out["came"].as_array().unwrap();
    assert_eq!(came.len(), 4 * 5, "in two themes and two widths: {out:#}");
    let auditor = stack.token("aida", &["auditors"]).unwrap();
    let control = stack.control().unwrap();
    let events = control.run(&["records", "export", "--format", "ocsf"], &auditor).unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |activity: u64, status: u64| {
        let is = |event: &&Value| {
            event["class_uid"] == 3002 && event["activity_id"] == activity && event["status_id"] == status
        };
        events.iter().filter(is).count()
    };
    // In each of the four: three sign-ins, a sign-out, and a provider that said no.
    assert_eq!((count(1, 1), count(2, 1), count(1, 2)), (12, 4, 4), "{events:#?}");
    assert!(control.sluice(&["records", "verify"]).is_ok());
}
