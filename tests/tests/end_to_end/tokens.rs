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
    while ask(&token).await.status == 200 {
        // What is promised is 2 s; a machine that is busy gets more.
        assert!(start.elapsed() < std::time::Duration::from_secs(15), "still taken");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    println!("refused at the gateway after {:?}", start.elapsed());
    let refused = ask(&token).await;
    assert_eq!(
        (refused.status, refused.header("x-should-retry")),
        (401, Some("false")),
        "{}",
        refused.text()
    );
    assert!(refused.text().contains("revoked"), "{}", refused.text());
}

#[tokio::test]
async fn without_control_a_client_is_told_to_come_again() {
    let mut stack = Stack::start(Settings::default()).await.unwrap();
    stack.control_mut().unwrap().kill();
    let body = json!({"grant_type": JWT_BEARER, "assertion": "x"}).to_string();
    let reply = Ask::post(format!("{}/v1/oauth/token", stack.url), body).send().await.unwrap();
    assert_eq!((reply.status, reply.header("x-should-retry")), (503, Some("true")), "{}", reply.text());
}
