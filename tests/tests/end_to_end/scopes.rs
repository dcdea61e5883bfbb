//! What a role gives, and that nothing else is allowed.

use serde_json::json;
use sluice_tests::client::{Ask, Reply};
use sluice_tests::prompt::Prompt;

use super::stack;

fn assert_denied(what: &str, reply: &Reply, says: &str) {
    assert_eq!(reply.status, 403, "{what}: {}", reply.text());
    assert_eq!(reply.error_type(), "permission_error", "{what}");
    assert_eq!(reply.header("x-should-retry"), Some("false"), "{what}");
    assert!(reply.error_message().contains(says), "{what}: {}", reply.error_message());
}

#[tokio::test]
async fn a_reader_may_ask_count_and_list_models_and_nothing_else() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let url = &stack.url;
    let prompt = Prompt::new("hello");
    assert_eq!(prompt.ask(url, &token).send().await.unwrap().status, 200);
    let count = Ask::post(format!("{url}/v1/messages/count_tokens?beta=true"), prompt.body()).bearer(&token);
    assert_eq!(count.send().await.unwrap().status, 200);
    assert_eq!(Ask::get(format!("{url}/v1/models")).bearer(&token).send().await.unwrap().status, 200);

    let batch = json!({ "requests": [] }).to_string();
    let refused = [
        ("a batch", Ask::post(format!("{url}/v1/messages/batches"), batch), "batches"),
        ("files", Ask::get(format!("{url}/v1/files")), "files"),
    ];
    for (what, ask, says) in refused {
        assert_denied(what, &ask.bearer(&token).send().await.unwrap(), says);
    }
}

#[tokio::test]
async fn a_path_that_is_no_endpoint_is_refused_and_reaches_nothing() {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let paths = [
        "/",
        "/v1/nowhere-known",
        "/v2/messages",
        "/v1/messages/",
        "/v1//messages/nowhere-known",
        "/V1/MESSAGES",
        "/_stand_in/requests",
    ];
    for path in paths {
        let reply = Ask::post(format!("{}{path}", stack.url), "{}").bearer(&token).send().await.unwrap();
        assert!(matches!(reply.status, 403 | 404), "{path}: {} {}", reply.status, reply.text());
    }
    assert!(stack.arrived("nowhere-known").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_greeting_of_a_client_needs_no_token() {
    let stack = stack().await;
    let reply = Ask::new("HEAD", format!("{}/api/hello", stack.url)).send().await.unwrap();
    assert!(reply.status < 300, "{}", reply.status);
}

#[tokio::test]
async fn models_tools_and_sizes_beyond_the_role_are_denied_by_name() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let cases = [
        ("a model", Prompt::new("x").set("model", json!("gpt-5")), "gpt-5"),
        ("a tool", Prompt::new("x").tool("mcp__production__deploy"), "mcp__production__deploy"),
        (
            "a server tool",
            Prompt::new("x").set("tools", json!([{ "type": "web_search_20260209", "name": "web_search" }])),
            "web_search",
        ),
        (
            "an MCP server",
            Prompt::new("x")
                .set("mcp_servers", json!([{ "type": "url", "url": "https://mcp.example", "name": "m" }])),
            "mcp.example",
        ),
        ("a long reply", Prompt::new("x").set("max_tokens", json!(64_001)), "max_tokens"),
    ];
    for (what, prompt, says) in cases {
        assert_denied(what, &prompt.ask(&stack.url, &token).send().await.unwrap(), says);
    }
}

#[tokio::test]
async fn someone_without_a_role_may_do_nothing() {
    let stack = stack().await;
    for groups in [&[][..], &["strangers"], &["approvers"]] {
        let token = stack.token("eve", groups).unwrap();
        let reply = Prompt::new("hello").ask(&stack.url, &token).send().await.unwrap();
        assert_denied(&format!("{groups:?}"), &reply, "messages.create");
    }
}

#[tokio::test]
async fn the_results_of_a_batch_are_fetched_through_the_gateway() {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let params =
        json!({ "model": "claude-x", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let body = json!({ "requests": [{ "custom_id": "one", "params": params }] }).to_string();
    let made =
        Ask::post(format!("{}/v1/messages/batches", stack.url), body).bearer(&token).send().await.unwrap();
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    let results = made.get("results_url").and_then(|url| url.as_str()).unwrap().to_owned();
    let authority = stack.url.strip_prefix("http://").unwrap();
    assert!(results.contains(authority), "the caller's token would go to {results}");
    let path = results.split_once(authority).unwrap().1;
    let reply = Ask::get(format!("{}{path}", stack.url)).bearer(&token).send().await.unwrap();
    assert!(reply.text().contains(r#""custom_id":"one""#), "{}", reply.text());
}
