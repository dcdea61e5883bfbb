//! The stack itself: a plain Envoy in front of the stand-in, as the bench compares with.

use sluice_tests::client::Ask;
use sluice_tests::reply::Said;
use sluice_tests::stack::{STAND_IN_KEY, Settings, Stack};

async fn plain() -> Stack {
    Stack::start(Settings { filter: false, ..Settings::default() }).await.unwrap()
}

fn body(text: &str, stream: bool) -> String {
    let messages = serde_json::json!([{ "role": "user", "content": text }]);
    serde_json::json!({ "model": "claude-x", "max_tokens": 64, "stream": stream, "messages": messages })
        .to_string()
}

#[tokio::test]
async fn envoy_puts_the_model_key_on_and_a_rotated_key_without_a_restart() {
    let stack = plain().await;
    let url = format!("{}/v1/messages", stack.url);
    let reply =
        Ask::post(&url, body("first", false)).header("x-api-key", "the caller's").send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let arrived = stack.arrived("first").await.unwrap();
    assert_eq!(arrived[0].header("x-api-key"), Some(STAND_IN_KEY));

    stack.rotate_model_key("another").unwrap();
    for _ in 0..100 {
        if Ask::post(&url, body("second", false)).send().await.unwrap().status == 401 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the rotated key never reached the stand-in");
}

#[tokio::test]
async fn a_body_of_32_megabytes_passes_and_http2_trailers_end_a_request() {
    let stack = plain().await;
    let url = format!("{}/v1/messages", stack.url);
    let large = body(&format!("say: ok\n{}", "x".repeat(32 * 1024 * 1024 - 200)), false);
    assert_eq!(Ask::post(&url, large).send().await.unwrap().status, 200);
    let trailed = Ask::post(&url, body("say: trailed", true));
    let reply = trailed.send_http2_with_trailer(("x-end", "yes")).await.unwrap();
    assert_eq!(Said::read(&reply).unwrap().text(), "trailed");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Stack::start(Settings { filter: false, port, ..Settings::default() }).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains(&port.to_string()) && error.contains("PORT"), "{error}");
}
