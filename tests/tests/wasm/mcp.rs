//! Messages of MCP, however they are cut, and what becomes of them when control is away.

use serde_json::{Value, json};
use sluice_tests::host::{Answer, Exchange, Headers, Host};

use super::world::{answer_with_json, answer_with_stream, calls_to, hold, host_with, opened, token};

const MAIL: &str = "jane.doe@example.com";

fn mcp_host(mode: &str, more: &Value) -> Host {
    let mut server = json!({ "name": "notes", "path": "/mcp/notes" });
    server.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host_with(mode, &json!({ "mcp": [server] }), &json!({}))
}

fn headers(method: &str, length: usize) -> Headers {
    Headers::from([
        (":method", method),
        (":path", "/mcp/notes"),
        (":authority", "gateway.example"),
        (":scheme", "http"),
        ("content-type", "application/json"),
        ("content-length", length.to_string().as_str()),
        ("mcp-session-id", "s1"),
        ("authorization", format!("Bearer {}", token("agents")).as_str()),
        ("cookie", "a=b"),
    ])
}

pub fn send(exchange: &mut Exchange<'_>, message: &Value) {
    let body = message.to_string();
    exchange.request_headers(&headers("POST", body.len()), false).unwrap();
    exchange.request_body(body.as_bytes(), false).unwrap();
    exchange.request_body(b"", true).unwrap();
}

pub fn call(tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

fn said(text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "result": { "content": [{ "type": "text", "text": text }] } })
}

#[test]
fn a_call_goes_on_without_the_callers_credentials_and_its_result_comes_back_masked() {
    let host = mcp_host("off", &json!({}));
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &call("read", &json!({})));
    let sent = exchange.sent_upstream();
    assert!(sent.ended, "{:?} {}", exchange.local_reply(), host.log());
    let head = sent.headers.unwrap();
    assert_eq!((head.get("authorization"), head.get("cookie")), (None, None));
    assert_eq!(head.get("mcp-session-id").as_deref(), Some("s1"));
    let reply = said(&format!("by {MAIL}")).to_string();
    answer_with_json(&mut exchange, reply.len());
    exchange.response_body(reply.as_bytes(), true).unwrap();
    let received = exchange.received();
    assert!(received.text().contains("by <email:") && !received.text().contains(MAIL), "{}", received.text());
    let length = received.headers.as_ref().unwrap().get("content-length");
    assert_eq!(length, Some(received.body.len().to_string()));
}

#[test]
fn a_token_goes_on_where_policy_passes_it() {
    let host = mcp_host("off", &json!({ "passToken": true }));
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &call("read", &json!({})));
    let head = exchange.sent_upstream().headers.unwrap();
    assert!(head.get("authorization").is_some() && head.get("cookie").is_none());
}

#[test]
fn a_streamed_result_is_masked_wherever_the_bytes_are_cut() {
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "data": MAIL } });
    let stream = format!(
        "id: 1\r\ndata: {note}\r\n\r\n: hi\n\nevent: message\ndata: {}\n\n",
        said(&format!("é {MAIL}"))
    );
    let read = |at: usize| {
        let host = mcp_host("off", &json!({}));
        let mut exchange = host.exchange().unwrap();
        send(&mut exchange, &call("read", &json!({})));
        answer_with_stream(&mut exchange);
        let (first, second) = stream.as_bytes().split_at(at);
        exchange.response_body(first, false).unwrap();
        exchange.response_body(second, false).unwrap();
        exchange.response_body(b"", true).unwrap();
        let received = exchange.received();
        assert!(received.ended && !received.cut);
        exchange.finish().unwrap();
        received.text()
    };
    let whole = read(stream.len());
    assert!(whole.contains("é <email:") && whole.contains("id: 1\n") && !whole.contains(MAIL), "{whole}");
    for at in 0..stream.len() {
        assert_eq!(read(at), whole, "cut at {at}");
    }
}

#[test]
fn a_held_call_waits_for_control_and_a_refusal_is_a_result() {
    for (decision, passes) in [("approved", true), ("denied", false)] {
        let host = mcp_host("off", &json!({}));
        let mut exchange = host.exchange().unwrap();
        send(&mut exchange, &call("sql", &json!({ "sql": "INSERT INTO t VALUES (1)" })));
        assert_eq!(exchange.sent_upstream().headers, None);
        exchange.answer(&calls_to(&exchange, "/v1/exchanges")[0], &opened("h1", "waiting")).unwrap();
        exchange.answer(&calls_to(&exchange, "/v1/holds/h1/wait")[0], &hold("h1", decision)).unwrap();
        if passes {
            exchange.answer(&calls_to(&exchange, "/v1/holds/h1/use")[0], &hold("h1", decision)).unwrap();
        }
        assert_eq!(exchange.sent_upstream().ended, passes, "{decision}");
        if !passes {
            let reply = exchange.local_reply().unwrap();
            assert_eq!((reply.status(), exchange.local_replies()), (Some(200), 1));
            assert_eq!((&reply.json()["id"], &reply.json()["result"]["isError"]), (&json!(7), &json!(true)));
        }
    }
}

#[test]
fn a_client_that_waited_as_long_as_policy_says_is_told_to_call_again() {
    let host = mcp_host("off", &json!({ "wait": "50s" }));
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &call("sql", &json!({ "sql": "INSERT INTO t VALUES (1)" })));
    exchange.answer(&calls_to(&exchange, "/v1/exchanges")[0], &opened("h1", "waiting")).unwrap();
    host.set_time(host.time() + 51_000);
    exchange.answer(&calls_to(&exchange, "/v1/holds/h1/wait")[0], &hold("h1", "waiting")).unwrap();
    let reply = exchange.local_reply().unwrap();
    assert!(
        reply.text().contains("Nobody has decided yet") && reply.text().contains("isError"),
        "{}",
        reply.text()
    );
}

#[test]
fn a_list_waits_for_what_control_knows_of_its_definitions_and_fails_closed() {
    let watched = json!({ "definitions": { "approval": { "groups": ["approvers"] } } });
    let list = json!({ "jsonrpc": "2.0", "id": 7, "result": { "tools": [{ "name": "read" }, { "name": "write" }] } });
    for stream in [false, true] {
        for answer in [Some(json!({ "unapproved": ["read"] })), None] {
            let host = mcp_host("off", &watched);
            let mut exchange = host.exchange().unwrap();
            send(&mut exchange, &json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" }));
            if stream {
                answer_with_stream(&mut exchange);
                exchange.response_body(format!("data: {list}\n\n").as_bytes(), false).unwrap();
                exchange.response_body(b"", true).unwrap();
            } else {
                answer_with_json(&mut exchange, list.to_string().len());
                exchange.response_body(list.to_string().as_bytes(), true).unwrap();
            }
            assert!(!exchange.received().text().contains("read"), "it left before control was asked");
            let asked = calls_to(&exchange, "/v1/exchanges");
            let question: Value = serde_json::from_slice(&asked[0].body).unwrap();
            assert_eq!(question["tools"]["tools"].as_array().unwrap().len(), 2, "{question}");
            let known = answer.is_some();
            let answer = answer.map_or(Answer::Reset, |answer| Answer::ok(answer.to_string()));
            exchange.answer(&asked[0], &answer).unwrap();
            let told =
                exchange.local_reply().map_or_else(|| exchange.received().text(), |reply| reply.text());
            assert_eq!(told.contains(r#""name":"write""#), known, "stream {stream}: {told}");
            assert!(!told.contains(r#""name":"read""#), "{told}");
            assert!(known || told.contains("control service is away"), "stream {stream}: {told}");
        }
    }
}

#[test]
fn refusals_before_the_message_is_known_are_errors_of_json_rpc() {
    let host = mcp_host("off", &json!({}));
    for (method, token, status) in [("PUT", token("agents"), 403), ("POST", "bad".to_owned(), 401)] {
        let mut exchange = host.exchange().unwrap();
        let mut headers = headers(method, 2);
        headers.replace("authorization", format!("Bearer {token}").as_bytes());
        exchange.request_headers(&headers, false).unwrap();
        let reply = exchange.local_reply().unwrap();
        assert_eq!(reply.status(), Some(status), "{}", reply.text());
        assert_eq!((&reply.json()["jsonrpc"], &reply.json()["id"]), (&json!("2.0"), &Value::Null));
    }
}

#[test]
fn what_is_encoded_or_too_large_is_refused_unread() {
    let host = mcp_host("off", &json!({}));
    for (name, value, status) in [("content-encoding", "gzip", 415), ("content-length", "99999999", 413)] {
        let mut exchange = host.exchange().unwrap();
        let mut headers = headers("POST", 2);
        headers.replace(name, value.as_bytes());
        exchange.request_headers(&headers, false).unwrap();
        let reply = exchange.local_reply().unwrap();
        assert_eq!((reply.status(), &reply.json()["jsonrpc"]), (Some(status), &json!("2.0")));
    }
}
