//! MCP through Envoy: a real server, the SDK's own client, and Claude Code.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::client::Ask;
use sluice_tests::stack::{DEFAULT_POLICY, McpUpstream, Policy, Settings, Stack, place};
use tempfile::TempDir;

const MAIL: &str = "jane.doe@example.com";

/// The default policy with an MCP server that readers and writers may use.
fn policy() -> String {
    let mcp = "mcp:\n- name: notes\n  path: /mcp/notes\n  definitions:\n    approval: {groups: [approvers]}\n- name: json\n  path: /mcp/json\n- name: asking\n  path: /mcp/asking\n  serverMayAsk: [elicitation]\n";
    let policy = DEFAULT_POLICY
        .replace("models.read]", "models.read, mcp.*]")
        .replace("models.read, files.*]", "models.read, files.*, mcp.*]")
        .replace(r#"deny: ["mcp__production__*"]"#, r#"deny: ["mcp__*__drop_*"]"#);
    // Only where the call reaches the server: what Claude Code makes of that is a test, too.
    let rule = "rules:\n- name: not-that-table\n  when:\n    routes: [mcp.tools.call]\n    tools: [mcp__notes__run_sql]\n    input: secret_table\n  action: deny\n  message: That table is not for agents.\n";
    let policy = policy.replacen("rules:\n", rule, 1);
    format!("{policy}\n{mcp}")
}

/// A real MCP server as a process; it ends when this is dropped.
struct Server {
    port: u16,
    log: std::path::PathBuf,
    process: Child,
}

impl Server {
    fn start(home: &Path, port: u16, more: &[&str]) -> Self {
        let log = home.join(format!("server-{port}.log"));
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let process = Command::new(place::repository().join("target/clients/python/bin/python"))
            .arg(place::repository().join("tests/clients/mcp_server.py"))
            .arg(port.to_string())
            .args(more)
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { port, log, process };
        for _ in 0..300 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server does not start: {}", server.ran());
    }

    /// What the server says that it ran.
    fn ran(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A stack with a server that streams and one that replies in JSON.
struct World {
    stack: Stack,
    streams: Server,
    json: Server,
    home: TempDir,
}

impl World {
    async fn start(policy: &str) -> Self {
        let home = TempDir::new().unwrap();
        let streams = Server::start(home.path(), free_port(), &[]);
        let json = Server::start(home.path(), free_port(), &["--json"]);
        let upstream = |path: &str, server: &Server| McpUpstream {
            path: path.into(),
            port: server.port,
            rewrite: "/mcp".into(),
        };
        let mcp = vec![
            upstream("/mcp/notes", &streams),
            upstream("/mcp/json", &json),
            upstream("/mcp/asking", &streams),
        ];
        let settings = Settings { policy: Policy::Text(policy.to_owned()), mcp, ..Settings::default() };
        Self { stack: Stack::start(settings).await.unwrap(), streams, json, home }
    }

    fn command(&self, script: &str, token: &str) -> Command {
        let mut command = Command::new(place::repository().join("target/clients/python/bin/python"));
        command
            .arg(place::repository().join("tests/clients").join(script))
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("MCP_TOKEN", token)
            .env("ANTHROPIC_BASE_URL", &self.stack.url)
            .env("ANTHROPIC_AUTH_TOKEN", token)
            .env("ANTHROPIC_MODEL", "claude-stand-in")
            // Else it offers a tool that looks for these, and not these.
            .env("ENABLE_TOOL_SEARCH", "false")
            .env("DISABLE_TELEMETRY", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        command
    }

    /// A session of the SDK's client: what came of each step.
    async fn client(&self, token: &str, server: &str, mode: &str, steps: &[&str]) -> Vec<Value> {
        let mut command = self.command("mcp_client.py", token);
        command.arg(format!("{}/mcp/{server}", self.stack.url)).arg(mode).args(steps);
        match run(command).await {
            Value::Array(out) => out,
            other => panic!("{other}"),
        }
    }

    /// A run of Claude Code.
    async fn agent(&self, token: &str, prompt: &str) -> Value {
        let mut command = self.command("mcp_agent.py", token);
        command.arg(format!("{}/mcp/notes", self.stack.url)).arg(prompt);
        run(command).await
    }
}

async fn run(mut command: Command) -> Value {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(stdout.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{stdout}{}", String::from_utf8_lossy(&output.stderr)))
}

const BOTH: [(&str, &str); 4] =
    [("notes", "legacy"), ("notes", "auto"), ("json", "legacy"), ("json", "auto")];

#[tokio::test]
async fn the_sdks_client_sees_its_tools_reads_masked_text_and_is_told_why_not() {
    let world = World::start(&policy()).await;
    let reader = world.stack.token("ann", &["readers"]).unwrap();
    for (server, mode) in BOTH {
        let steps = [
            "list",
            r#"call read_note {"name":"plan"}"#,
            "call drop_notes",
            r#"call run_sql {"sql":"DROP DATABASE shop"}"#,
            r#"call run_sql {"sql":"select 1"}"#,
            "read note://plan",
        ];
        let out = world.client(&reader, server, mode, &steps).await;
        let what = format!("{server} {mode}: {}", json!(out));
        assert_eq!(out.len(), steps.len(), "{what}");
        assert_eq!(out[0], json!(["read_note", "run_sql", "ask_user"]), "{what}");
        let read = out[1]["text"].as_str().unwrap();
        assert!(read.starts_with("plan: write to <email:") && !read.contains(MAIL), "{what}");
        assert_eq!(out[2]["is_error"], true, "{what}");
        assert!(out[2]["text"].as_str().unwrap().contains("drop_notes"), "{what}");
        assert!(out[3]["text"].as_str().unwrap().contains("Ask the database team"), "{what}");
        assert_eq!(out[4], json!({"text": "done: select 1", "is_error": false}), "{what}");
        assert!(out[5][0].as_str().unwrap().contains("<email:"), "{what}");
        let ran = if server == "notes" { world.streams.ran() } else { world.json.ran() };
        assert!(ran.contains("headers ['accept'") && !ran.contains("authorization"), "{ran}");
        assert!(!ran.contains("x-api-key"), "the model's key went to an MCP server: {ran}");
        assert!(ran.contains("sql select 1") && !ran.contains("drop") && !ran.contains("DROP"), "{ran}");
    }
}

#[tokio::test]
async fn a_stranger_a_bad_token_and_an_unknown_method_get_an_answer_that_clients_show() {
    let world = World::start(&policy()).await;
    let stranger = world.stack.token("eve", &["approvers"]).unwrap();
    for (server, mode) in BOTH {
        let out = world.client(&stranger, server, mode, &["list"]).await;
        assert!(json!(out).to_string().contains("mcp."), "{server} {mode}: {out:?}");
    }
    let reader = world.stack.token("ann", &["readers"]).unwrap();
    let post = |path: &str, token: &str, body: &str| {
        Ask::post(format!("{}{path}", world.stack.url), body.to_owned())
            .bearer(token)
            .header("accept", "application/json, text/event-stream")
            .send()
    };
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (path, token, body, status) in [
        ("/mcp/notes", "bad", ping, 401),
        ("/mcp/notes?x=1", reader.as_str(), ping, 404),
        ("/mcp/notes/", reader.as_str(), ping, 404),
        ("/mcp/other", reader.as_str(), ping, 404),
        ("/mcp/notes", reader.as_str(), "[]", 400),
        ("/mcp/notes", reader.as_str(), "{", 400),
    ] {
        let reply = post(path, token, body).await.unwrap();
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.text());
    }
    let reply =
        post("/mcp/notes", &reader, r#"{"jsonrpc":"2.0","id":"a","method":"vendor/x"}"#).await.unwrap();
    let answer = reply.json();
    assert_eq!((reply.status, &answer["id"], &answer["error"]["code"]), (200, &json!("a"), &json!(-32601)));
}

#[tokio::test]
async fn a_server_asks_the_user_only_where_policy_lets_it() {
    let world = World::start(&policy()).await;
    let reader = world.stack.token("ann", &["readers"]).unwrap();
    // This server only asks in a session.
    let out = world.client(&reader, "asking", "legacy", &["call ask_user", "asked"]).await;
    assert_eq!(out[0]["text"], "the user did: decline", "{out:?}");
    assert_eq!(out[1], json!(["your password, please"]));
    for mode in ["legacy", "auto"] {
        let out = world.client(&reader, "notes", mode, &["call ask_user", "asked"]).await;
        assert!(out[0]["is_error"] == true || out[0]["error"].is_string(), "{mode}: {out:?}");
        assert_eq!(out[1], json!([]), "{mode}");
    }
}

#[tokio::test]
async fn a_write_waits_for_its_approval_and_a_refusal_is_remembered() {
    let world = World::start(&policy()).await;
    let control = world.stack.control().unwrap();
    let writer = world.stack.token("wanda", &["writers"]).unwrap();
    let approver = world.stack.token("abe", &["approvers"]).unwrap();
    for (server, mode) in BOTH {
        let mark = format!("mcp_{server}_{mode}");
        let step = format!("call run_sql {{\"sql\":\"INSERT INTO {mark} VALUES (1)\"}}");
        let steps = [step.as_str()];
        let waiting = world.client(&writer, server, mode, &steps);
        let approve = async {
            let hold = control.wait_for_hold(&mark).await.unwrap();
            assert_eq!(hold.rule, "writes-need-a-second-person");
            assert!(!world.streams.ran().contains(&mark) && !world.json.ran().contains(&mark));
            control.decide("approve", &hold.id, "fine", &approver).unwrap();
        };
        let (out, ()) = tokio::join!(waiting, approve);
        assert!(
            out[0]["text"].as_str().is_some_and(|text| text.starts_with("done: INSERT")),
            "{mark}: {out:?}"
        );
    }
    let step = r#"call run_sql {"sql":"DELETE FROM mcp_denied WHERE id = 1"}"#;
    let steps = [step, step];
    let waiting = world.client(&writer, "notes", "legacy", &steps);
    let deny = async {
        let hold = control.wait_for_hold("mcp_denied").await.unwrap();
        control.decide("deny", &hold.id, "not on a Friday", &approver).unwrap();
    };
    let (out, ()) = tokio::join!(waiting, deny);
    // The second time nobody is asked; nor in another session.
    let again = world.client(&writer, "notes", "auto", &[step]).await;
    for answer in out.iter().chain(&again) {
        assert_eq!(answer["is_error"], true, "{answer}");
        assert!(answer["text"].as_str().unwrap().contains("not on a Friday"), "{answer}");
    }
    assert!(!world.streams.ran().contains("mcp_denied"));
}

#[tokio::test]
async fn a_changed_description_is_held_until_it_is_approved_and_control_remembers() {
    let mut world = World::start(&policy()).await;
    let reader = world.stack.token("ann", &["readers"]).unwrap();
    let approver = world.stack.token("abe", &["approvers"]).unwrap();
    let steps = ["list", r#"call read_note {"name":"plan"}"#];
    let out = world.client(&reader, "notes", "legacy", &steps).await;
    assert!(json!(out[0]).to_string().contains("read_note"), "{out:?}");
    world.stack.control_mut().unwrap().kill();
    world.stack.control_mut().unwrap().restart().await.unwrap();
    // Another server behind the same path, whose tool now says something else.
    let port = world.streams.port;
    drop(std::mem::replace(&mut world.streams, Server::start(world.home.path(), free_port(), &[])));
    world.streams = Server::start(world.home.path(), port, &["--describe", "Reads a note, then mails it."]);
    let out = world.client(&reader, "notes", "auto", &["list"]).await;
    assert_eq!(out[0], json!(["run_sql", "ask_user"]), "{out:?}");
    let control = world.stack.control().unwrap();
    let waiting = world.client(&reader, "notes", "legacy", &steps[1..]);
    let approve = async {
        let hold = control.wait_for_hold("then mails it").await.unwrap();
        assert_eq!(hold.rule, "tool_definition");
        assert!(hold.preview.contains("- description: Reads a note."), "{}", hold.preview);
        tokio::time::sleep(Duration::from_secs(2)).await;
        control.decide("approve", &hold.id, "seen", &approver).unwrap();
    };
    let (out, ()) = tokio::join!(waiting, approve);
    assert_eq!(out[0]["is_error"], false, "{out:?}");
    let out = world.client(&reader, "notes", "legacy", &steps).await;
    assert!(out[0].to_string().contains("read_note") && out[1]["is_error"] == false, "{out:?}");
}

#[tokio::test]
async fn the_record_of_a_session_replays_and_holds_no_value() {
    let world = World::start(&policy()).await;
    let reader = world.stack.token("ann", &["readers"]).unwrap();
    let auditor = world.stack.token("olga", &["auditors"]).unwrap();
    let step = format!(r#"call read_note {{"name":"to {MAIL}"}}"#);
    world.client(&reader, "notes", "legacy", &["list", &step, "call drop_notes"]).await;
    let control = world.stack.control().unwrap();
    let url = &control.url;
    let mut shown = String::new();
    for _ in 0..50 {
        let sessions = Ask::get(format!("{url}/v1/sessions")).bearer(&auditor).send().await.unwrap().json();
        let named =
            sessions["sessions"].as_array().unwrap().iter().find(|session| session["named"] == true).cloned();
        if let Some(session) = named {
            let id = session["session"].as_str().unwrap();
            let replay = Ask::get(format!("{url}/v1/sessions/{id}")).bearer(&auditor).send().await.unwrap();
            shown = replay.text();
            if shown.contains("mcp.tools.call") && shown.contains("drop_notes") && shown.contains("mcp.end") {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for part in ["mcp.tools.list", "mcp.tools.call", "read_note", "mcp__notes__drop_notes", "<email:"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(MAIL), "{shown}");
}

#[tokio::test]
async fn claude_code_works_with_the_server_through_the_filter() {
    let world = World::start(&policy()).await;
    let control = world.stack.control().unwrap();
    let reader = world.stack.token("ann", &["readers"]).unwrap();
    let out = world.agent(&reader, r#"call: mcp__notes__read_note {"name":"plan"}"#).await;
    assert_eq!(out["servers"][0]["status"], "connected", "{out}");
    assert!(out["tools"].to_string().contains("mcp__notes__read_note"), "{out}");
    assert!(!out["tools"].to_string().contains("drop_notes"), "{out}");
    assert!(out["results"].to_string().contains("<email:"), "{out}");
    assert!(!out.to_string().contains(MAIL), "{out}");

    let out = world.agent(&reader, r#"call: mcp__notes__run_sql {"sql":"select * from secret_table"}"#).await;
    assert_eq!(out["results"][0]["is_error"], true, "{out}");
    assert!(out["results"].to_string().contains("not-that-table"), "{out}");
    assert!(
        out["result"].as_str().unwrap().contains("That table is not for agents"),
        "the model read: {out}"
    );
    assert!(!world.streams.ran().contains("secret_table"));

    let writer = world.stack.token("wanda", &["writers"]).unwrap();
    let approver = world.stack.token("abe", &["approvers"]).unwrap();
    let prompt = r#"call: mcp__notes__run_sql {"sql":"INSERT INTO mcp_agent VALUES (1)"}"#;
    let waiting = world.agent(&writer, prompt);
    let approve = async {
        // Once for the model's call, once for the server's.
        for _ in 0..2 {
            let hold = control.wait_for_hold("mcp_agent").await.unwrap();
            control.decide("approve", &hold.id, "fine", &approver).unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let (out, ()) = tokio::join!(waiting, approve);
    assert!(out["results"].to_string().contains("done: INSERT"), "{out}");
    assert!(world.streams.ran().contains("mcp_agent"));
}
