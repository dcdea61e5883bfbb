//! Real clients, unchanged: the Python SDK of two generations, the TypeScript SDK, Claude Code.
//!
//! They are set up by `make clients` and told where to go by their own variables; each gets a home of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use sluice_tests::stack::{Stack, place};
use tempfile::TempDir;

use super::stack;

/// A client: what runs it, and how it is given its token.
#[derive(Clone, Copy)]
struct Client {
    name: &'static str,
    program: &'static str,
    script: &'static str,
    token: &'static str,
}

const PYTHON: Client = Client {
    name: "the Python SDK",
    program: "python/bin/python",
    script: "sdk.py",
    token: "ANTHROPIC_AUTH_TOKEN",
};
/// The generation that sends `x-api-key`.
const PYTHON_0: Client = Client {
    name: "the Python SDK 0.x",
    program: "python-0/bin/python",
    script: "sdk.py",
    token: "ANTHROPIC_API_KEY",
};
const TYPESCRIPT: Client =
    Client { name: "the TypeScript SDK", program: "node", script: "sdk.cjs", token: "ANTHROPIC_AUTH_TOKEN" };
const CLAUDE_CODE: Client = Client {
    name: "Claude Code",
    program: "python/bin/python",
    script: "agent.py",
    token: "ANTHROPIC_AUTH_TOKEN",
};

/// What clients call the file with a token of the identity provider, which they exchange at the gateway.
const IDENTITY_FILE: &str = "ANTHROPIC_IDENTITY_TOKEN_FILE";

const SDKS: [Client; 3] = [PYTHON, PYTHON_0, TYPESCRIPT];

fn clients() -> PathBuf {
    place::repository().join("target/clients")
}

/// Runs a client in `home` and reads what it prints.
async fn run(client: Client, home: &Path, stack: &Stack, token: &str, arguments: &[&str]) -> Value {
    let program = match client.program {
        "node" => PathBuf::from("node"),
        path => clients().join(path),
    };
    let mut command = Command::new(program);
    command
        .arg(place::repository().join("tests/clients").join(client.script))
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("NODE_PATH", clients().join("typescript/node_modules"))
        .env("ANTHROPIC_BASE_URL", &stack.url)
        .env("ANTHROPIC_MODEL", "claude-stand-in")
        .env("DISABLE_TELEMETRY", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env(client.token, token);
    if client.token == IDENTITY_FILE {
        command.env("ANTHROPIC_FEDERATION_RULE_ID", "fdrl_any");
        command.env("ANTHROPIC_ORGANIZATION_ID", "3f8e0b1c-5a52-4f5e-9d0a-1f2e3d4c5b6a");
    }
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(stdout.lines().last().unwrap_or_default()).unwrap_or_else(|_| {
        panic!("{} (see `make clients`): {stdout}{}", client.name, String::from_utf8_lossy(&output.stderr))
    })
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test]
async fn the_sdks_get_a_plain_and_a_masked_turn_streamed_or_not() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let home = TempDir::new().unwrap();
    for client in SDKS {
        for stream in [&["--stream"][..], &[]] {
            let prompt = format!("Write to jane.doe@example.com, says {} {}", client.name, stream.len());
            let arguments: Vec<&str> = [prompt.as_str()].into_iter().chain(stream.iter().copied()).collect();
            let out = run(client, home.path(), stack, &token, &arguments).await;
            assert!(text(&out, "/text").contains("jane.doe@example.com"), "{}: {out}", client.name);
            assert_eq!(text(&out, "/stop_reason"), "end_turn");
            let arrived = stack.arrived(&format!("says {} {}", client.name, stream.len())).await.unwrap();
            assert!(arrived.iter().all(|request| !request.body.contains("jane.doe@")), "{}", client.name);
            assert_eq!(arrived.len(), 1, "{} came more than once", client.name);
        }
    }
}

#[tokio::test]
async fn the_sdks_show_the_message_of_a_refused_tool_and_of_a_missing_right() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let home = TempDir::new().unwrap();
    for client in SDKS {
        for stream in [&["--stream"][..], &[]] {
            let call = r#"call: query_db {"sql":"DROP DATABASE shop"}"#;
            let arguments: Vec<&str> =
                [call, "--tool", "query_db"].into_iter().chain(stream.iter().copied()).collect();
            let out = run(client, home.path(), stack, &token, &arguments).await;
            assert_eq!(out.pointer("/calls"), Some(&json!([])), "{}: {out}", client.name);
            assert!(text(&out, "/text").contains("Ask the database team"), "{}: {out}", client.name);
        }
        let out = run(client, home.path(), stack, "not-a-token", &["hello"]).await;
        assert_eq!(out.pointer("/status"), Some(&json!(401)), "{}: {out}", client.name);
        let arguments = ["hello", "--tool", "mcp__production__deploy"];
        let out = run(client, home.path(), stack, &token, &arguments).await;
        assert_eq!(out.pointer("/status"), Some(&json!(403)), "{}: {out}", client.name);
        assert!(text(&out, "/message").contains("mcp__production__deploy"), "{}: {out}", client.name);
    }
}

#[tokio::test]
async fn the_sdks_wait_for_an_approval_and_get_their_call() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    let home = TempDir::new().unwrap();
    for (client, mark) in [(PYTHON, "sdk_py"), (PYTHON_0, "sdk_py0"), (TYPESCRIPT, "sdk_ts")] {
        let call = format!("call: query_db {{\"sql\":\"INSERT INTO {mark} VALUES (1)\"}}");
        let arguments = [call.as_str(), "--tool", "query_db", "--stream"];
        let running = run(client, home.path(), stack, &writer, &arguments);
        let approve = async {
            let hold = control.wait_for_hold(mark).await.unwrap();
            control.decide("approve", &hold.id, "fine", &approver).unwrap();
        };
        let (out, ()) = tokio::join!(running, approve);
        assert_eq!(text(&out, "/calls/0/name"), "query_db", "{}: {out}", client.name);
    }
}

#[tokio::test]
async fn claude_code_gets_a_plain_turn_and_a_masked_one() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let home = TempDir::new().unwrap();
    let out = run(CLAUDE_CODE, home.path(), stack, &token, &["say: hello from the stand-in"]).await;
    assert_eq!(text(&out, "/result"), "hello from the stand-in", "{out}");
    let prompt = "agent-mask-1: write to jane.doe@example.com";
    let out = run(CLAUDE_CODE, home.path(), stack, &token, &[prompt]).await;
    assert!(text(&out, "/result").contains("jane.doe@example.com"), "{out}");
    let arrived = stack.arrived("agent-mask-1").await.unwrap();
    assert!(!arrived.is_empty() && arrived.iter().all(|request| !request.body.contains("jane.doe@")));
}

#[tokio::test]
async fn clients_with_an_identity_token_exchange_it_at_the_gateway() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let home = TempDir::new().unwrap();
    let file = home.path().join("identity.token");
    for client in [PYTHON, TYPESCRIPT, CLAUDE_CODE] {
        let subject = format!("workload of {}", client.name);
        std::fs::write(&file, stack.token(&subject, &["readers"]).unwrap()).unwrap();
        let client = Client { token: IDENTITY_FILE, ..client };
        let out = run(client, home.path(), stack, file.to_str().unwrap(), &["say: exchanged"]).await;
        let said = format!("{}{}", text(&out, "/text"), text(&out, "/result"));
        assert_eq!(said, "exchanged", "{}: {out}", client.name);
        let log = control.sluice(&["records", "export"]).unwrap();
        let issued = log.lines().filter(|line| line.contains("\"token\":{") && line.contains(&subject));
        assert_eq!(issued.count(), 1, "{}: one exchange", client.name);
    }
}

#[tokio::test]
async fn claude_code_goes_round_its_tool_loop() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let home = TempDir::new().unwrap();
    let prompt = r#"call: Bash {"command":"echo round trip","description":"say so"}"#;
    let out = run(CLAUDE_CODE, home.path(), stack, &token, &[prompt]).await;
    assert!(text(&out, "/result").contains("The tool said: round trip"), "{out}");
}

#[tokio::test]
async fn claude_code_never_runs_a_refused_command_and_shows_why() {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let home = TempDir::new().unwrap();
    // Harmless where it would run after all: there is no such database.
    let prompt = r#"call: Bash {"command":"psql --host=nowhere.invalid -c 'DROP DATABASE shop'"}"#;
    let out = run(CLAUDE_CODE, home.path(), stack, &token, &[prompt]).await;
    assert_eq!(out.pointer("/calls"), Some(&json!([])), "{out}");
    assert!(text(&out, "/result").contains("Ask the database team"), "{out}");
}

#[tokio::test]
async fn claude_code_runs_a_held_command_once_it_is_approved() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    let home = TempDir::new().unwrap();
    let arguments = [r#"call: Bash {"command":"touch held_by_sluice"}"#];
    let running = run(CLAUDE_CODE, home.path(), stack, &writer, &arguments);
    let file = home.path().join("held_by_sluice");
    let approve = async {
        let hold = control.wait_for_hold("held_by_sluice").await.unwrap();
        assert!(!file.exists(), "it ran before it was approved");
        control.decide("approve", &hold.id, "fine", &approver).unwrap();
    };
    let (out, ()) = tokio::join!(running, approve);
    assert!(file.exists(), "{out}");
}
