//! `POST /v1/oauth/token` at the gateway: what goes to control, and what goes nowhere.

use serde_json::json;
use sluice_tests::client::Ask;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{Settings, Stack};

use super::stack;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

#[tokio::test]
async fn an_exchanged_token_is_taken_and_what_is_wrong_is_told_by_control() {
    let stack = stack().await;
    let url = format!("{}/v1/oauth/token", stack.url);
    let identity = stack.token("ann", &["readers"]).unwrap();
    let body = json!({"grant_type": JWT_BEARER, "assertion": identity}).to_string();
    let reply = Ask::post(&url, body).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(Prompt::new("hello").ask(&stack.url, &token).send().await.unwrap().status, 200);

    let form = format!("grant_type={}&assertion=nonsense", JWT_BEARER.replace(':', "%3A"));
    let reply = Ask::form(&url, form).send().await.unwrap();
    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_grant")), "{}", reply.text());
    assert_eq!(Ask::post(&url, "x".repeat(70_000)).send().await.unwrap().status, 413);
    let packed = Ask::post(&url, "x").header("content-encoding", "gzip");
    assert_eq!(packed.send().await.unwrap().status, 415);
    assert!(stack.arrived("grant_type").await.unwrap().is_empty(), "the provider sees none of it");
}

#[tokio::test]
async fn a_token_that_is_given_back_at_the_gateway_is_refused_there_with_what_was_exchanged_for_it() {
    let stack = stack().await;
    let identity = stack.token("gil", &["readers"]).unwrap();
    let body = json!({"grant_type": JWT_BEARER, "assertion": identity}).to_string();
    let reply = Ask::post(format!("{}/v1/oauth/token", stack.url), body).send().await.unwrap();
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    let ask = async |token: &str| Prompt::new("hello").ask(&stack.url, token).send().await.unwrap();
    assert_eq!((ask(&token).await.status, ask(&identity).await.status), (200, 200));

    let reply = Ask::form(format!("{}/v1/oauth/revoke", stack.url), format!("token={identity}"))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let start = std::time::Instant::now();
    // Each of Envoy's workers hears of it by itself: it is the first refusal that is looked at.
    let refused = loop {
        let reply = ask(&token).await;
        if reply.status != 200 {
            break reply;
        }
        // What is promised is 2 s; a machine that is busy gets more.
        assert!(start.elapsed() < std::time::Duration::from_secs(15), "still taken");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    println!("refused at the gateway after {:?}", start.elapsed());
    assert_eq!(
        (refused.status, refused.header("x-should-retry")),
        (401, Some("false")),
        "{}",
        refused.text()
    );
    assert!(refused.text().contains("revoked"), "{}", refused.text());
}

/// The requests of Claude Code 2.1.330 at `/login` and `/logout`, as they were seen on the wire (docs/tokens.md); the program itself
/// is in `login.rs`.
#[tokio::test]
async fn claude_code_signs_in_by_a_device_code_works_and_signs_out() {
    let stack = stack().await;
    let metadata =
        Ask::get(format!("{}/.well-known/oauth-authorization-server", stack.url)).send().await.unwrap();
    assert_eq!(metadata.status, 200, "{}", metadata.text());
    let metadata = metadata.json();
    let endpoint = |name: &str| {
        let url = metadata[name].as_str().unwrap().to_owned();
        assert!(url.starts_with(&format!("{}/", stack.url)), "{url}: Claude Code uses its own origin alone");
        url
    };
    let asked =
        Ask::form(endpoint("device_authorization_endpoint"), "surface=claude_code").send().await.unwrap();
    assert_eq!(asked.status, 200, "{}", asked.text());
    let asked = asked.json();
    let code = asked["device_code"].as_str().unwrap();
    let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    let poll = async || {
        let form = format!("grant_type={grant}&device_code={code}");
        Ask::form(endpoint("token_endpoint"), form).send().await.unwrap()
    };
    let pending = poll().await;
    assert_eq!((pending.status, &pending.json()["error"]), (400, &json!("authorization_pending")));

    let person = stack.token("ann", &["readers"]).unwrap();
    let user_code = asked["user_code"].as_str().unwrap();
    stack.control().unwrap().run(&["tokens", "device", "approve", user_code], &person).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let reply = poll().await;
    assert_eq!((reply.status, &reply.json()["email"]), (200, &json!("ann")), "{}", reply.text());
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(Prompt::new("hello").ask(&stack.url, &token).send().await.unwrap().status, 200);

    let out = Ask::form(endpoint("revocation_endpoint"), format!("token={token}")).send().await.unwrap();
    assert_eq!(out.status, 200);
    let start = std::time::Instant::now();
    while Prompt::new("hello").ask(&stack.url, &token).send().await.unwrap().status == 200 {
        assert!(start.elapsed() < std::time::Duration::from_secs(15), "still taken");
    }
    assert!(stack.arrived("device_code").await.unwrap().is_empty(), "the provider sees none of it");
}

#[tokio::test]
async fn without_control_a_client_is_told_to_come_again() {
    let mut stack = Stack::start(Settings::default()).await.unwrap();
    stack.control_mut().unwrap().kill();
    let body = json!({"grant_type": JWT_BEARER, "assertion": "x"}).to_string();
    let reply = Ask::post(format!("{}/v1/oauth/token", stack.url), body).send().await.unwrap();
    assert_eq!((reply.status, reply.header("x-should-retry")), (503, Some("true")), "{}", reply.text());
}
