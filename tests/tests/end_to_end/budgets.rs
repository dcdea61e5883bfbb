//! Rates and budgets: what clients read when one does not allow their request, and who counts with whom.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_tests::client::Reply;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack};
use tempfile::TempDir;

use super::clients::{CLAUDE_CODE, PYTHON, TYPESCRIPT, run, text};

/// Months, so that none of the windows ends in the middle of a test.
const BUDGETS: &str = r#"
budgets:
- name: three-requests
  subjects: [rita]
  requests: 3
  window: 30d
- name: at-once
  subjects: [paul]
  requests: 40
  window: 30d
- name: per-minute
  subjects: [mia]
  requests: 2
  window: 10s
- name: small-tokens
  subjects: [tom]
  tokens: 2000
  window: 30d
  message: Ask the platform team for more.
- name: team-cost
  groups: [writers]
  per: group
  cost: "0.05"
  window: 30d
  message: Ask the platform team for more.
"#;

async fn start() -> Stack {
    let policy = DEFAULT_POLICY.replace("audiences: [sluice]", "audiences: [sluice, claude-gateway]");
    let policy = Policy::Text(format!("{policy}{BUDGETS}"));
    Stack::start(Settings { policy, ..Settings::default() }).await.unwrap()
}

async fn send(url: &str, token: &str, prompt: &Prompt) -> Reply {
    prompt.ask(url, token).send().await.unwrap()
}

fn listed(stack: &Stack) -> Vec<Value> {
    let json = stack.control().unwrap().sluice(&["budgets", "ls", "--output", "json"]).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    json.get("budgets").and_then(Value::as_array).cloned().unwrap()
}

/// Waits until the list of budgets is as it should be.
async fn wait_for(stack: &Stack, what: &str, ready: impl Fn(&[Value]) -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if ready(&listed(stack)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: {:?}", listed(stack));
}

#[tokio::test]
async fn the_sdks_raise_their_error_for_rates_and_show_our_message() {
    let stack = start().await;
    let token = stack.token("rita", &["readers"]).unwrap();
    let home = TempDir::new().unwrap();
    for _ in 0..3 {
        let reply = send(&stack.url, &token, &Prompt::new("hello")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("anthropic-ratelimit-requests-limit"), Some("3"));
    }
    for client in [PYTHON, TYPESCRIPT] {
        let started = Instant::now();
        let out = run(client, home.path(), &stack, &token, &["hello"]).await;
        assert_eq!((text(&out, "/error"), &out["status"]), ("RateLimitError", &json!(429)), "{out}");
        assert!(text(&out, "/message").contains("`three-requests` allows 3 requests in 30d"), "{out}");
        assert!(started.elapsed() < Duration::from_secs(20), "it tried again and again");
    }
    // The refusals are in the record, under the budget's name.
    for _ in 0..50 {
        let export = stack.control().unwrap().sluice(&["records", "export"]).unwrap();
        if export.contains("\"rule\":\"three-requests\",\"action\":\"deny\"") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no record of the refusal");
}

#[tokio::test]
async fn a_rate_is_exact_however_many_come_at_once() {
    let stack = start().await;
    let token = stack.token("paul", &["readers"]).unwrap();
    // Counters are made by whichever worker comes first.
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..80 {
        let ask = Prompt::new(&format!("at-once-{n}")).ask(&stack.url, &token);
        tasks.spawn(async move { ask.send().await.unwrap().status });
    }
    let mut passed = 0;
    while let Some(status) = tasks.join_next().await {
        let status = status.unwrap();
        assert!([200, 429].contains(&status), "{status}");
        passed += usize::from(status == 200);
    }
    assert_eq!(passed, 40);
    assert_eq!(stack.arrived("at-once-").await.unwrap().len(), 40);
}

#[tokio::test]
async fn the_sdks_wait_for_a_short_window_by_themselves() {
    let stack = start().await;
    let token = stack.token("mia", &["readers"]).unwrap();
    let home = TempDir::new().unwrap();
    for _ in 0..5 {
        let out = run(PYTHON, home.path(), &stack, &token, &["say: through"]).await;
        assert_eq!(text(&out, "/text"), "through", "{out}");
    }
}

#[tokio::test]
async fn a_stream_uses_a_budget_up_and_the_record_says_what_it_cost() {
    let stack = start().await;
    let token = stack.token("tom", &["readers"]).unwrap();
    let prompt = Prompt::new(&format!("say: {}", "word ".repeat(2000))).streamed();
    let reply = send(&stack.url, &token, &prompt).await;
    assert_eq!(reply.status, 200);
    let refused = send(&stack.url, &token, &Prompt::new("hello").streamed()).await;
    assert_eq!((refused.status, refused.error_type().as_str()), (429, "billing_error"), "{}", refused.text());
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert_eq!(refused.header("x-sluice-rule"), Some("small-tokens"));
    assert!(refused.error_message().contains("Ask the platform team"), "{}", refused.text());
    // Counting tokens uses none.
    let count = sluice_tests::client::Ask::post(
        format!("{}/v1/messages/count_tokens", stack.url),
        Prompt::new("hello").body(),
    );
    assert_eq!(count.bearer(&token).send().await.unwrap().status, 200);
    wait_for(&stack, "tom's tokens", |all| {
        all.iter()
            .any(|own| own["budget"] == "small-tokens" && own["used"]["outputTokens"].as_u64() > Some(2000))
    })
    .await;
    for _ in 0..50 {
        let export = stack.control().unwrap().sluice(&["records", "export"]).unwrap();
        if export.contains("costMicroUsd") && export.contains("\"rule\":\"small-tokens\"") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the record has no cost");
}

#[tokio::test]
async fn two_envoys_share_a_groups_budget_and_a_new_one_knows_it_at_once() {
    let mut stack = start().await;
    let (_other, url) = stack.another_envoy().await.unwrap();
    let ann = stack.token("ann", &["writers"]).unwrap();
    let bob = stack.token("bob", &["writers"]).unwrap();
    let long = Prompt::new(&format!("say: {}", "word ".repeat(4000)));
    let mut passed = 0;
    while send(&stack.url, &ann, &long).await.status == 200 {
        passed += 1;
        assert!(passed < 20, "the budget never ended");
    }
    // Another member of the group, through another Envoy.
    let end = Instant::now() + Duration::from_secs(3);
    let mut reply = send(&url, &bob, &Prompt::new("hello")).await;
    while reply.status == 200 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        reply = send(&url, &bob, &Prompt::new("hello")).await;
    }
    assert_eq!((reply.status, reply.error_type().as_str()), (429, "billing_error"), "{}", reply.text());
    assert!(reply.error_message().contains("of group `writers` is used up"), "{}", reply.text());

    // An Envoy that starts now never lets one through, not even at first.
    let (_third, url) = stack.another_envoy().await.unwrap();
    let mut reply = send(&url, &bob, &Prompt::new("hello")).await;
    while reply.status == 503 {
        assert_eq!(reply.header("x-should-retry"), Some("true"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        reply = send(&url, &bob, &Prompt::new("hello")).await;
    }
    assert_eq!(reply.status, 429, "{}", reply.text());

    // And without control it stays used up, while others go on.
    stack.control_mut().unwrap().kill();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(send(&stack.url, &ann, &Prompt::new("hello")).await.status, 429);
}

#[tokio::test]
async fn claude_code_shows_which_budget_is_used_up_after_one_attempt() {
    let stack = start().await;
    let token = stack.token("wanda", &["writers"]).unwrap();
    let home = TempDir::new().unwrap();
    while send(&stack.url, &token, &Prompt::new(&format!("say: {}", "word ".repeat(4000)))).await.status
        == 200
    {}
    // Claude Code takes a token for this audience for a sign-in to a gateway, and then words its errors otherwise.
    let mint = ["token", "mint", "--subject", "wanda", "--group", "writers", "--audience", "claude-gateway"];
    let signed_in = stack.control().unwrap().sluice(&mint).unwrap();
    for token in [token.as_str(), signed_in.trim()] {
        let started = Instant::now();
        let out = run(CLAUDE_CODE, home.path(), &stack, token, &["hello"]).await;
        let shown = text(&out, "/error");
        assert!(shown.contains("budget `team-cost` of group `writers` is used up"), "{out}");
        assert!(shown.contains("Ask the platform team for more."), "{out}");
        assert!(!shown.contains("not your usage limit"), "{out}");
        assert!(started.elapsed() < Duration::from_secs(60), "it tried again and again");
    }
}
