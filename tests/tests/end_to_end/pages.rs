//! The pages, in a real browser, on what real clients have sent.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack, place};
use tempfile::TempDir;

use super::clients::{CLAUDE_CODE, run, text};
use super::signin;

/// Text that does something where a page takes it for its own.
pub const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>";

async fn stack() -> Stack {
    Stack::start(Settings { serve: vec!["--dev".to_owned()], ..Settings::default() }).await.unwrap()
}

/// Runs the browser's script and reads what it prints.
pub async fn browser(arguments: Vec<String>) -> Value {
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

pub fn asked(what: &str, stack: &Stack, more: &[&str]) -> Vec<String> {
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

const REVIEWS: &str = "
reviews:
- { name: quarterly, reviewers: [leads] }
";

/// A stack in which these have made a request, and records say so.
async fn stack_seen(policy: &str, serve: &[&str], seen: &[(&str, &[&str])]) -> Stack {
    let serve = serve.iter().map(|arg| (*arg).to_owned()).collect();
    let settings =
        Settings { policy: Policy::Text(format!("{policy}{REVIEWS}")), serve, ..Settings::default() };
    let stack = Stack::start(settings).await.unwrap();
    for (subject, groups) in seen {
        let token = stack.token(subject, groups).unwrap();
        assert_eq!(Prompt::new("hello").ask(&stack.url, &token).send().await.unwrap().status, 200);
    }
    let control = stack.control().unwrap();
    let operator = stack.token("opa", &["operators"]).unwrap();
    let begun = Instant::now();
    loop {
        let listed =
            control.run(&["access", "ls", "--role", "reader", "--output", "json"], &operator).unwrap();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        if listed["identities"].as_array().is_some_and(|all| all.len() >= seen.len()) {
            return stack;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "never recorded: {listed}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_review_is_run_to_its_end_with_keys_alone_and_envoy_refuses_what_it_revoked() {
    let seen: [(&str, &[&str]); 4] = [
        ("ana", &["readers"]),
        ("bob", &["readers"]),
        ("cleo", &["readers"]),
        ("lea", &["readers", "leads"]),
    ];
    let stack = stack_seen(DEFAULT_POLICY, &["--dev"], &seen).await;
    let control = stack.control().unwrap();
    let folder = TempDir::new().unwrap();
    let (csv, json) = (folder.path().join("review.csv"), folder.path().join("review.json"));
    let files = [csv.to_str().unwrap(), json.to_str().unwrap()];
    let out = browser(asked("review", &stack, &["bob", files[0], files[1]])).await;
    assert!(text(&out, "/own").contains("someone else of leads decides"), "{out:#}");
    assert_eq!(out["items"], 4, "{out:#}");
    assert!(text(&out, "/first").contains("1 item is revoked"), "{out:#}");
    assert_eq!((text(&out, "/selected"), text(&out, "/missing")), ("2", "reason"), "{out:#}");
    assert!(text(&out, "/second").contains("2 items are certified"), "{out:#}");
    assert_eq!(out["stayed"], true, "the rows changed where they stood");

    let table = std::fs::read_to_string(&csv).unwrap();
    assert!(table.contains("has left the team") && table.contains("needed for their work"), "{table}");
    let state = stack.state.to_str().unwrap();
    let operator = stack.token("opa", &["operators"]).unwrap();
    let verified = control.run(&["reviews", "verify", files[1], "--state", state], &operator).unwrap();
    assert!(
        verified.contains("genuine") && verified.contains("4 items: 3 certified, 1 revoked"),
        "{verified}"
    );

    let status = async |who: &str| {
        let token = stack.token(who, &["readers"]).unwrap();
        Prompt::new("hello again").ask(&stack.url, &token).send().await.unwrap()
    };
    let begun = Instant::now();
    while status("bob").await.status != 403 {
        assert!(begun.elapsed() < Duration::from_secs(20), "Envoy never refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(status("bob").await.error_message().contains("review"));
    assert_eq!(status("ana").await.status, 200);
}

#[tokio::test]
async fn a_proposal_is_read_and_accepted_by_a_second_author_and_decides_in_envoy() {
    let stack = stack_seen(DEFAULT_POLICY, &["--dev", "--policy-from-store"], &[("rea", &["readers"])]).await;
    let policy = std::fs::read_to_string(stack.policy.as_ref().unwrap().join("policy.yaml")).unwrap();
    let rule = "\nrules:\n- name: no-codename\n  when: { text: \"(?i)bluebird\" }\n  action: deny\n  message: That name stays here.\n";
    let good = policy.replacen("\nrules:\n", rule, 1).replacen("maxTokens: 64000", "maxTokens: 96000", 1);
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let files =
        [write("wrong.yaml", &good.replacen("action: deny", "action: forbid", 1)), write("good.yaml", &good)];
    let ask = async || {
        let token = stack.token("rea", &["readers"]).unwrap();
        Prompt::new("say: the bluebird sings").ask(&stack.url, &token).send().await.unwrap()
    };
    assert_eq!(ask().await.status, 200);
    let out = browser(asked("propose", &stack, &[&files[0], &files[1]])).await;
    assert!(text(&out, "/refused").contains("policy.yaml, line "), "{out:#}");
    assert!(text(&out, "/kept").contains("stays here"), "what was written is not lost");
    assert!(text(&out, "/own").contains("another author decides"), "{out:#}");
    assert!(
        text(&out, "/changes").contains("Allows more") && text(&out, "/changes").contains("Allows less"),
        "{out:#}"
    );
    assert!(text(&out, "/lines").contains("+- name: no-codename"), "{out:#}");
    assert_eq!(text(&out, "/missing"), "sure", "the second press leads to the tick");
    assert!(text(&out, "/decided").contains("by bea"), "{out:#}");
    let begun = Instant::now();
    while ask().await.status != 403 {
        assert!(begun.elapsed() < Duration::from_secs(20), "Envoy never took the policy that was accepted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ask().await.error_message().contains("That name stays here."));
}

#[tokio::test]
async fn reviews_proposals_and_identities_are_accessible_and_show_hostile_text_as_text() {
    let seen: [(&str, &[&str]); 3] =
        [("ana", &["readers"]), (HOSTILE, &["readers", HOSTILE]), ("rita", &["readers", "leads"])];
    let stack = stack_seen(DEFAULT_POLICY, &["--dev", "--policy-from-store"], &seen).await;
    let control = stack.control().unwrap();
    let (operator, lead) =
        (stack.token("opa", &["operators"]).unwrap(), stack.token("lea", &["leads"]).unwrap());
    let begun = control.run(&["reviews", "start", "quarterly", "--output", "json"], &operator).unwrap();
    let review: Value = serde_json::from_str(&begun).unwrap();
    let review = review["id"].as_str().unwrap();
    control.run(&["reviews", "certify", review, "1", "--reason", HOSTILE], &lead).unwrap();
    control.run(&["reviews", "revoke", review, "2", "--reason", HOSTILE], &lead).unwrap();
    let author = stack.token("ana", &["authors"]).unwrap();
    let folder = TempDir::new().unwrap();
    let policy = std::fs::read_to_string(stack.policy.as_ref().unwrap().join("policy.yaml")).unwrap();
    let rule = serde_json::json!(HOSTILE);
    let rule =
        format!("\nrules:\n- name: {rule}\n  when: {{ text: hush }}\n  action: deny\n  message: {rule}\n");
    std::fs::write(folder.path().join("policy.yaml"), policy.replacen("\nrules:\n", &rule, 1)).unwrap();
    let place = folder.path().to_str().unwrap();
    let proposed =
        control.run(&["policy", "propose", place, "--reason", HOSTILE, "--output", "json"], &author).unwrap();
    let proposed: Value = serde_json::from_str(&proposed).unwrap();
    let hostile: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let paths = [
        "/access/reviews".to_owned(),
        format!("/access/reviews/{review}"),
        format!("/access/reviews/{review}?state=all"),
        format!("/access/reviews/{review}?search={hostile}&state=all"),
        "/access/identities".to_owned(),
        format!("/access/identity?issuer=control&subject={hostile}"),
        "/policy/proposals".to_owned(),
        format!("/policy/proposals/{}", proposed["id"].as_str().unwrap()),
        "/policy/proposals/new".to_owned(),
    ];
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let out = browser(asked("look", &stack, &paths)).await;
    assert_eq!(out["looked"].as_array().unwrap().len(), paths.len() * 4);
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
