//! Approvals for a time and rights to decide in other hands, in a real browser, while Envoy holds and lets go.

use serde_json::{Value, json};
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack};

use super::clients::text;
use super::pages::{HOSTILE, asked, browser};

/// A stack whose rule on writes lets them be approved for a time.
async fn stack() -> Stack {
    let policy = DEFAULT_POLICY.replace("    expires: 30m\n", "    expires: 30m\n    grantFor: 1h\n");
    assert_ne!(policy, DEFAULT_POLICY);
    let serve = vec!["--dev".to_owned()];
    Stack::start(Settings { policy: Policy::Text(policy), serve, ..Settings::default() }).await.unwrap()
}

/// Asks for a write into a table, in the background; the calls that come of it.
fn write(stack: &Stack, token: &str, table: &str) -> tokio::task::JoinHandle<Vec<(String, Value)>> {
    let input = json!({ "sql": format!("INSERT INTO {table} VALUES (1)") });
    let ask = Prompt::new(&format!("call: query_db {input}")).tool("query_db").ask(&stack.url, token);
    tokio::spawn(async move {
        let reply = ask.send().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        Said::read(&reply).unwrap().calls()
    })
}

#[tokio::test]
async fn a_right_is_handed_over_and_used_for_a_time_with_keys_alone_until_both_are_taken_back() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let first = write(&stack, &writer, "first");
    control.wait_for_hold("first").await.unwrap();
    let out = browser(asked("handover", &stack, &[])).await;
    assert!(text(&out, "/given").contains("eve decides for approvers in the name of ben"), "{out:#}");
    assert!(
        text(&out, "/state").contains("by eve for ben") && text(&out, "/state").contains("a pass"),
        "{out:#}"
    );
    assert!(text(&out, "/pass").contains("wanda goes on under writes-need-a-second-person"), "{out:#}");
    assert_eq!(first.await.unwrap().len(), 1, "what waited goes on");
    assert_eq!(write(&stack, &writer, "second").await.unwrap().len(), 1, "the next asks nobody");

    let out = browser(asked("takeback", &stack, &[])).await;
    assert!(text(&out, "/used").contains("Used 1×"), "{out:#}");
    assert!(text(&out, "/pass").contains("by eve: done"), "{out:#}");
    assert!(text(&out, "/ended").contains("by ben: back again"), "{out:#}");
    let third = write(&stack, &writer, "third");
    control.wait_for_hold("third").await.unwrap();
    third.abort();
}

#[tokio::test]
async fn passes_and_delegations_are_accessible_and_show_long_hostile_text_as_text() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let hostile = format!("{HOSTILE}{}", "W".repeat(150));
    let writer = stack.token(&hostile, &["writers"]).unwrap();
    let approver = stack.token(&format!("abe {hostile}"), &["approvers"]).unwrap();
    let run = |args: &[&str]| -> Value {
        let said = control.run(&[args, &["--output", "json"]].concat(), &approver).unwrap();
        serde_json::from_str(&said).unwrap()
    };
    let mut paths: Vec<String> =
        ["/holds", "/access/passes", "/access/delegations"].map(str::to_owned).into();
    for (n, table) in ["first", "second"].into_iter().enumerate() {
        let waiting = write(&stack, &writer, table);
        let hold = control.wait_for_hold(table).await.unwrap();
        let decided = run(&["holds", "approve", &hold.id, "--for", "1h", "--reason", &hostile]);
        waiting.await.unwrap();
        let pass = text(&decided, "/pass");
        let give = ["--group", "approvers", "--for", "1h", "--reason", &hostile];
        let given = run(&[&["holds", "delegate", "--to", &hostile], &give[..]].concat());
        paths.extend([format!("/holds/{}", hold.id), format!("/access/passes/{pass}")]);
        if n == 0 {
            run(&["holds", "revoke", pass, "--reason", &hostile]);
            run(&["holds", "undelegate", text(&given, "/id"), "--reason", &hostile]);
        }
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let out = browser(asked("look", &stack, &paths)).await;
    assert_eq!(out["looked"].as_array().unwrap().len(), paths.len() * 4);
}
