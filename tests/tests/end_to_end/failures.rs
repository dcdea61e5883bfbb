//! When something is wrong: each row of the table in the design, and what an attacker would try.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use sluice_tests::client::{Ask, Connection, Reply};
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack};

use super::stack;

fn recording(mode: &str) -> Settings {
    let policy = DEFAULT_POLICY.replace("mode: before-forward", &format!("mode: {mode}"));
    assert!(policy.contains(&format!("mode: {mode}")));
    Settings { policy: Policy::Text(policy), ..Settings::default() }
}

async fn send(stack: &Stack, token: &str, text: &str) -> Reply {
    Prompt::new(text).ask(&stack.url, token).send().await.unwrap()
}

fn assert_retry(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("x-should-retry"), Some("true"), "{}", reply.text());
}

#[tokio::test]
async fn enforcement_goes_on_while_control_is_away() {
    let mut stack = Stack::start(recording("background")).await.unwrap();
    let token = stack.token("ann", &["readers"]).unwrap();
    stack.control_mut().unwrap().kill();
    assert_eq!(send(&stack, &token, "still here").await.status, 200);
    let prompt = Prompt::new("call: Bash {\"command\":\"rm -rf /\"}").tool("Bash");
    let reply = prompt.ask(&stack.url, &token).send().await.unwrap();
    assert_eq!(Said::read(&reply).unwrap().calls(), []);
    assert_eq!(send(&stack, "not-a-token", "x").await.status, 401);
    // What happened meanwhile is recorded once control is back.
    stack.control_mut().unwrap().restart().await.unwrap();
    for _ in 0..150 {
        let export = stack.control().unwrap().sluice(&["records", "export"]).unwrap();
        if export.contains("no-destruction") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("what happened while control was away is not in the record");
}

#[tokio::test]
async fn nothing_goes_upstream_unrecorded_where_policy_records_before_forwarding() {
    let mut stack = Stack::start(recording("before-forward")).await.unwrap();
    let token = stack.token("ann", &["readers"]).unwrap();
    stack.control_mut().unwrap().kill();
    assert_retry(&send(&stack, &token, "unrecorded-1").await, 503);
    assert!(stack.arrived("unrecorded-1").await.unwrap().is_empty());
    stack.control_mut().unwrap().restart().await.unwrap();
    let mut status = 0;
    for _ in 0..100 {
        status = send(&stack, &token, "recorded-again").await.status;
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_hold_without_control_is_refused_with_a_retry() {
    let mut stack = Stack::start(recording("background")).await.unwrap();
    let token = stack.token("wanda", &["writers"]).unwrap();
    stack.control_mut().unwrap().kill();
    let prompt = Prompt::new("call: query_db {\"sql\":\"INSERT INTO t VALUES (1)\"}").tool("query_db");
    assert_retry(&prompt.ask(&stack.url, &token).send().await.unwrap(), 503);
}

#[tokio::test]
async fn a_control_that_does_not_answer_ends_in_a_refusal_not_in_silence() {
    let stack = Stack::start(recording("before-forward")).await.unwrap();
    let token = stack.token("ann", &["readers"]).unwrap();
    stack.control().unwrap().process().signal(Signal::STOP);
    let reply = tokio::time::timeout(Duration::from_secs(60), send(&stack, &token, "slow-1")).await;
    stack.control().unwrap().process().signal(Signal::CONT);
    assert_retry(&reply.unwrap(), 503);
    assert!(stack.arrived("slow-1").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_reason() {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let url = format!("{}/v1/messages", stack.url);
    let messages = r#""messages":[{"role":"user","content":"unreadable-1"}]"#;
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let cases = [
        ("not JSON", format!("{{\"model\":\"claude-x\",{messages}"), 400),
        ("nothing", String::new(), 400),
        ("a list", format!("[{{{messages}}}]"), 400),
        ("a key twice", format!(r#"{{"model":"claude-x","model":"gpt","max_tokens":9,{messages}}}"#), 400),
        (
            "an escaped key twice",
            format!(r#"{{"model":"claude-x","mod\u0065l":"gpt","max_tokens":9,{messages}}}"#),
            400,
        ),
        ("too deep", format!(r#"{{"model":"claude-x","max_tokens":9,{messages},"x":{deep}}}"#), 400),
    ];
    for (what, body, status) in cases {
        let reply = Ask::post(&url, body).bearer(&token).send().await.unwrap();
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        assert_eq!(reply.error_type(), "invalid_request_error", "{what}");
    }
    for encoding in ["gzip", "br", "zstd", "deflate", "identity, gzip"] {
        let body = Prompt::new("unreadable-1").body();
        let ask = Ask::post(&url, body).bearer(&token).header("content-encoding", encoding);
        let reply = ask.send().await.unwrap();
        assert_eq!(reply.status, 415, "{encoding}: {}", reply.text());
    }
    assert!(stack.arrived("unreadable-1").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_body_of_32_megabytes_passes_masked_and_a_larger_one_is_refused() {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let limit = 32 * 1024 * 1024;
    let prompt = |filler: usize| {
        let text = format!("large-1\nsay: ok\njane.doe@example.com {}", "lorem ipsum ".repeat(filler / 12));
        Prompt::new(&text)
    };
    let reply = prompt(limit - 2000).ask(&stack.url, &token).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let arrived = stack.arrived("large-1").await.unwrap();
    let body = &arrived.first().unwrap().body;
    assert!(body.contains("<email:") && !body.contains("jane.doe@"));
    let reply = prompt(limit + 2000).ask(&stack.url, &token).send().await.unwrap();
    assert_eq!(reply.status, 413, "{}", reply.text());
    assert_eq!(reply.error_type(), "request_too_large");
}

#[tokio::test]
async fn http2_with_trailers_is_judged_like_any_other() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let good = Prompt::new("trailers-1 jane.doe@example.com").ask(&stack.url, &token);
    let reply = good.send_http2_with_trailer(("x-end", "yes")).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let arrived = stack.arrived("trailers-1").await.unwrap();
    assert!(!arrived.first().unwrap().body.contains("jane.doe@"));
    let refused = Prompt::new("trailers-2").set("model", json!("gpt-5")).ask(&stack.url, &token);
    let reply = refused.send_http2_with_trailer(("x-end", "yes")).await.unwrap();
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(stack.arrived("trailers-2").await.unwrap().is_empty());
}

#[tokio::test]
async fn many_requests_at_once_are_each_judged_on_their_own() {
    let stack = stack().await;
    let good = stack.token("ann", &["readers"]).unwrap();
    let mut tasks = Vec::new();
    for n in 0..60 {
        let url = stack.url.clone();
        let token = if n % 3 == 0 { "not-a-token".to_owned() } else { good.clone() };
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::open(&url).await.unwrap();
            let mut statuses = Vec::new();
            for turn in 0..5 {
                let prompt =
                    Prompt::new(&format!("race-{n}-{turn} jane.doe@example.com")).stream(turn % 2 == 0);
                statuses.push(connection.send(prompt.ask(&url, &token)).await.unwrap().status);
            }
            (n, statuses)
        }));
    }
    for task in tasks {
        let (n, statuses) = task.await.unwrap();
        let expected = if n % 3 == 0 { 401 } else { 200 };
        assert!(statuses.iter().all(|status| *status == expected), "{n}: {statuses:?}");
    }
    for arrived in stack.arrived("race-").await.unwrap() {
        assert!(!arrived.body.contains("jane.doe@"), "{}", arrived.body);
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_stream_harms_nobody() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    for _ in 0..5 {
        let prompt = Prompt::new(&format!("say: {}\nchunk: 4\ndelay: 50", "word ".repeat(50))).streamed();
        let mut reply = prompt.ask(&stack.url, &token).open().await.unwrap();
        reply.next().await.unwrap();
        drop(reply);
    }
    assert_eq!(send(stack, &token, "after").await.status, 200);
}
