//! What is recorded: everything, masked, in a chain that shows tampering.

use std::path::Path;

use serde_json::Value;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{Settings, Stack};

const SESSION: &str = "7d3f9a52-0c1e-4b8e-9a55-2f60c7d1e001";

/// A stack with a session of two exchanges: one that went on, one that was denied.
async fn recorded() -> Stack {
    let stack = Stack::start(Settings::default()).await.unwrap();
    let token = stack.token("ann", &["readers"]).unwrap();
    let prompts = [
        Prompt::new("Mail jane.doe@example.com the card 4111 1111 1111 1111.").streamed(),
        Prompt::new("recall: customer"),
        Prompt::new("call: Bash {\"command\":\"rm -rf /\"}").tool("Bash"),
    ];
    for prompt in prompts {
        let ask = prompt.ask(&stack.url, &token).header("x-claude-code-session-id", SESSION);
        assert_eq!(ask.send().await.unwrap().status, 200);
    }
    // The close of an exchange is sent in batches.
    for _ in 0..100 {
        if stack
            .control()
            .unwrap()
            .sluice(&["replay", SESSION])
            .is_ok_and(|text| text.contains("no-destruction"))
        {
            return stack;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    stack
}

fn assert_nowhere(folder: &Path, value: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path, value);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(value.len()).any(|window| window == value.as_bytes());
        assert!(!found, "{value} stands in {}", path.display());
    }
}

#[tokio::test]
async fn a_session_is_listed_and_replays_with_who_what_and_which_rule() {
    let stack = recorded().await;
    let control = stack.control().unwrap();
    let sessions = control.sluice(&["sessions", "ls"]).unwrap();
    assert!(sessions.contains(SESSION) && sessions.contains("ann"), "{sessions}");
    let replay = control.sluice(&["replay", SESSION]).unwrap();
    for said in ["ann", "<email:", "The customer is Jane Doe", "no-destruction"] {
        assert!(replay.contains(said), "`{said}` is not in the replay:\n{replay}");
    }
    let json: Value =
        serde_json::from_str(&control.sluice(&["replay", SESSION, "--output", "json"]).unwrap()).unwrap();
    assert!(!json.is_null());
}

#[tokio::test]
async fn no_original_value_is_written_anywhere() {
    let stack = recorded().await;
    for value in ["jane.doe@example.com", "4111 1111 1111 1111", "536-22-8145"] {
        assert_nowhere(&stack.state, value);
    }
}

#[tokio::test]
async fn the_chain_verifies_and_the_export_has_every_record() {
    let stack = recorded().await;
    let control = stack.control().unwrap();
    control.sluice(&["records", "verify"]).unwrap();
    let export = control.sluice(&["records", "export"]).unwrap();
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Three exchanges, each opened and closed.
    assert!(lines.len() >= 6, "{export}");
    // Each says which Envoy it comes from.
    let exchanges: Vec<&Value> = lines.iter().filter_map(|line| line["entry"].get("exchange")).collect();
    assert!(
        exchanges.len() >= 6 && exchanges.iter().all(|record| record["node"] == "sluice-local"),
        "{export}"
    );
}

#[tokio::test]
async fn a_refused_token_is_recorded_too() {
    let stack = Stack::start(Settings::default()).await.unwrap();
    let reply = Prompt::new("x").ask(&stack.url, "not-a-token").send().await.unwrap();
    assert_eq!(reply.status, 401);
    for _ in 0..100 {
        let export = stack.control().unwrap().sluice(&["records", "export"]).unwrap();
        if export.contains("401") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no record of the refusal");
}
