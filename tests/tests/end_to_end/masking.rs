//! Personal data and secrets never reach the model, and never leave it unmasked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sluice_tests::client::Ask;
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;

use super::stack;

const EMAIL: &str = "jane.doe@example.com";
const CARD: &str = "4111 1111 1111 1111";
const SSN: &str = "536-22-8145";

/// Put together at run time, so that no scanner takes this file for a leak.
fn aws_key() -> String {
    ["AKIA", "IOSFODNN7", "EXAMPLE"].concat()
}

async fn said(prompt: &Prompt) -> Said {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let reply = prompt.ask(&stack.url, &token).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    Said::read(&reply).unwrap()
}

/// The body that reached the model.
async fn arrived(mark: &str) -> String {
    stack().await.arrived(mark).await.unwrap().last().unwrap().body.clone()
}

#[tokio::test]
async fn values_in_every_free_text_field_are_masked_on_the_way_in() {
    let secret = format!("{EMAIL} and {CARD} and {SSN} and {}", aws_key());
    let prompt = Prompt::with_messages(json!([
        { "role": "user", "content": format!("fields-1 {secret}") },
        { "role": "assistant", "content": [
            { "type": "text", "text": secret },
            { "type": "tool_use", "id": "toolu_1", "name": "Read", "input": { "deep": [{ "path": secret }] } },
        ] },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "toolu_1", "content": [{ "type": "text", "text": secret }] },
            { "type": "document", "title": secret, "source": { "type": "text", "media_type": "text/plain", "data": secret } },
            { "type": "text", "text": secret },
        ] },
    ]))
    .set("system", json!([{ "type": "text", "text": secret }]))
    .tool("Read");
    said(&prompt).await;
    let body = arrived("fields-1").await;
    for value in [EMAIL, CARD, SSN, &aws_key()] {
        assert!(!body.contains(value), "{value} reached the model: {body}");
    }
    let json: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json.pointer("/messages/1/content/1/id"), Some(&json!("toolu_1")));
}

#[tokio::test]
async fn an_escaped_value_is_masked_too() {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let body = r#"{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"escaped-1 jane.doe\u0040example.com \u0034111 1111 1111 1111"}]}"#;
    let reply = Ask::post(format!("{}/v1/messages", stack.url), body).bearer(&token).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let body = arrived("escaped-1").await;
    assert!(!body.contains("example.com") && !body.contains("111 1111 1111"), "{body}");
}

#[tokio::test]
async fn a_caller_gets_their_own_values_back() {
    for stream in [false, true] {
        let prompt = Prompt::new(&format!("Please write to {EMAIL} now.")).stream(stream);
        let said = said(&prompt).await;
        assert!(said.text().contains(EMAIL), "stream {stream}: {}", said.text());
    }
}

#[tokio::test]
async fn what_the_model_tells_by_itself_is_masked_whole_and_in_a_stream_cut_anywhere() {
    let whole = said(&Prompt::new("recall: customer")).await.text();
    assert!(whole.contains("The customer is Jane Doe"), "{whole}");
    for value in [EMAIL, CARD, SSN, "202 555 0143"] {
        assert!(!whole.contains(value), "{value} left: {whole}");
    }
    for cut in ["chunk: 1", "chunk: 3", "chunk: 7", "chunk: 1000", "frames: 1", "frames: 5", "frames: 64"] {
        let streamed = said(&Prompt::new(&format!("recall: customer\n{cut}")).streamed()).await;
        assert_eq!(streamed.text(), whole, "{cut}");
        assert_eq!(streamed.stop_reason.as_deref(), Some("end_turn"));
    }
}

#[tokio::test]
async fn a_citation_and_a_block_that_arrives_whole_are_masked() {
    for stream in [false, true] {
        let cited = format!(
            "{{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srvtoolu_1\",\"content\":[{{\"type\":\"web_search_result\",\"title\":\"{EMAIL}\",\"url\":\"https://x.example\",\"encrypted_content\":\"AAAA\"}}]}}"
        );
        let cue = format!("say-base64: {}\ncite: nothing", BASE64.encode("fine"));
        let said_plain = said(&Prompt::new(&cue).stream(stream)).await;
        assert!(said_plain.text().contains("fine"));
        let said = said(&Prompt::new(&format!("block: {cited}")).stream(stream)).await;
        // The prompt carried the value, so the caller may have it back; what matters is that the block stayed whole.
        assert_eq!(said.blocks.len(), 1, "{said:?}");
        assert_eq!(
            said.blocks.first().unwrap().pointer("/content/0/encrypted_content"),
            Some(&json!("AAAA"))
        );
    }
}

#[tokio::test]
async fn the_same_value_has_the_same_mask_in_every_request() {
    said(&Prompt::new(&format!("stable-1 {EMAIL}"))).await;
    said(&Prompt::new(&format!("stable-2 something else, then {EMAIL}"))).await;
    let mask = |body: String, mark: &str| {
        let json: Value = serde_json::from_str(&body).unwrap();
        let text = json.pointer("/messages/0/content").and_then(Value::as_str).unwrap().to_owned();
        assert!(text.starts_with(mark));
        text.rsplit(' ').next().unwrap().to_owned()
    };
    let first = mask(arrived("stable-1").await, "stable-1");
    assert!(first.starts_with("<email:"), "{first}");
    assert_eq!(first, mask(arrived("stable-2").await, "stable-2"));
}

#[tokio::test]
async fn what_is_not_masked_arrives_byte_for_byte() {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let body = "{ \"max_tokens\" : 9,\n\t\"zeta\":12345678901234567890.10, \"model\":\"claude-x\",\"unknown\":{\"a\":1e400,\"b\":\"\\u00e9\\/\"},\
                \"messages\":[{\"content\":\"bytes-1 Zo\u{eb} \u{1f600} plain\",\"role\":\"user\"}] }";
    let reply = Ask::post(format!("{}/v1/messages", stack.url), body).bearer(&token).send().await.unwrap();
    assert_eq!(arrived("bytes-1").await, body, "{}", reply.text());
}

#[tokio::test]
async fn signed_thinking_passes_untouched_in_both_directions() {
    let thinking =
        json!({ "type": "thinking", "thinking": format!("about {EMAIL}"), "signature": "c2lnbmVk" });
    let prompt = Prompt::with_messages(json!([
        { "role": "user", "content": "thinking-1" },
        { "role": "assistant", "content": [thinking, { "type": "text", "text": "so" }] },
        { "role": "user", "content": "think: deeply\nsay: done" },
    ]));
    for stream in [false, true] {
        let said = said(&prompt.clone().stream(stream)).await;
        let block = said.blocks.first().unwrap();
        assert_eq!(block.pointer("/thinking"), Some(&json!("deeply")));
        assert!(
            block.pointer("/signature").and_then(Value::as_str).is_some_and(|s| s.starts_with("c2lnbmVk"))
        );
    }
    let json: Value = serde_json::from_str(&arrived("thinking-1").await).unwrap();
    assert_eq!(json.pointer("/messages/1/content/0"), Some(&thinking));
}
