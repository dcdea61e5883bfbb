//! Calls to control that fail in every way, clients that leave, and replies that must come once.

use sluice_tests::host::{Answer, Headers};
use sluice_tests::prompt::Prompt;

use super::world::{answer_with_stream, call_events, calls_to, host, recorded, send, token};

#[test]
fn nothing_goes_upstream_before_the_record_is_written() {
    let host = host("before-forward");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), &token("agents"));
    let calls = calls_to(&exchange, "/v1/exchanges");
    assert_eq!(calls.len(), 1, "{}", host.log());
    assert_eq!(exchange.sent_upstream().headers, None);
    assert_eq!(
        calls[0].headers.get("authorization").as_deref(),
        Some("Bearer data-plane-token-of-the-tests")
    );
    exchange.answer(&calls[0], &recorded()).unwrap();
    let sent = exchange.sent_upstream();
    assert!(sent.ended);
    assert_eq!(sent.headers.unwrap().get("authorization"), None);
}

#[test]
fn a_record_that_cannot_be_written_ends_in_one_refusal_with_a_retry() {
    let failures = [
        ("reset", Answer::Reset),
        ("refused", Answer::refused()),
        ("timed out", Answer::timed_out()),
        ("a server error", Answer::status(500, "{}")),
        ("not JSON", Answer::ok("<html>")),
        ("nothing", Answer::ok("")),
        ("unauthorised", Answer::status(401, "{}")),
    ];
    for (what, failure) in failures {
        let host = host("before-forward");
        let mut exchange = host.exchange().unwrap();
        send(&mut exchange, &Prompt::new("hello"), &token("agents"));
        exchange.answer(&calls_to(&exchange, "/v1/exchanges")[0], &failure).unwrap();
        let reply = exchange.local_reply().unwrap_or_else(|| panic!("{what}: no reply"));
        assert_eq!(reply.status(), Some(503), "{what}");
        assert_eq!(reply.headers.as_ref().unwrap().get("x-should-retry").as_deref(), Some("true"), "{what}");
        assert_eq!((exchange.local_replies(), exchange.sent_upstream().headers), (1, None), "{what}");
        exchange.finish().unwrap();
    }
}

#[test]
fn a_call_that_cannot_even_be_made_refuses_too() {
    let host = host("before-forward");
    host.fail_dispatch(true);
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), &token("agents"));
    assert_eq!(exchange.local_reply().unwrap().status(), Some(503));
    assert_eq!(exchange.sent_upstream().headers, None);
}

#[test]
fn a_held_call_waits_through_long_polls_and_goes_on_when_approved() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
    assert!(exchange.sent_upstream().ended, "{}", host.log());
    answer_with_stream(&mut exchange);
    exchange.response_body(&call_events("Bash", &["{\"command\":\"touch x\"}"]), false).unwrap();
    exchange.response_body(b"", true).unwrap();
    let asked = calls_to(&exchange, "/v1/exchanges");
    assert_eq!(asked.len(), 1, "{}", host.log());
    assert!(!exchange.received().text().contains("touch"));
    exchange.answer(&asked[0], &Answer::ok(r#"{"hold":{"id":"h1","decision":"waiting"}}"#)).unwrap();
    let waits = calls_to(&exchange, "/v1/holds/h1/wait");
    assert_eq!(waits.len(), 1, "{}", host.log());
    exchange.answer(&waits[0], &Answer::ok(r#"{"id":"h1","decision":"waiting"}"#)).unwrap();
    let waits = calls_to(&exchange, "/v1/holds/h1/wait");
    exchange.answer(&waits[0], &Answer::ok(r#"{"id":"h1","decision":"approved","by":"abe"}"#)).unwrap();
    let received = exchange.received();
    assert!(received.text().contains("touch x") && received.ended, "{}", received.text());
}

#[test]
fn a_client_that_leaves_at_any_point_leaves_nothing_behind() {
    for step in 0..6 {
        let host = host("before-forward");
        let mut exchange = host.exchange().unwrap();
        if step > 0 {
            let body = Prompt::new("hello").streamed().body();
            exchange.request_headers(&super::world::headers(&token("agents"), body.len()), false).unwrap();
            if step > 1 {
                exchange.request_body(body.as_bytes(), step > 2).unwrap();
            }
        }
        if step > 3 {
            let call = calls_to(&exchange, "/v1/exchanges");
            exchange.answer(&call[0], &recorded()).unwrap();
            answer_with_stream(&mut exchange);
        }
        if step > 4 {
            exchange.response_body(b"event: message_start\nda", false).unwrap();
        }
        exchange.finish().unwrap();
        assert!(
            host.calls().iter().all(|call| call.context == 1),
            "a call outlived its stream (step {step})"
        );
        host.tick().unwrap();
    }
}

#[test]
fn an_answer_of_the_filter_passes_through_its_own_callbacks_once() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), "not-a-token");
    let reply = exchange.local_reply().unwrap();
    assert_eq!((reply.status(), exchange.local_replies()), (Some(401), 1));
    assert_eq!(reply.json()["error"]["type"], "authentication_error");
    exchange.finish().unwrap();
}

#[test]
fn a_reply_that_cannot_be_read_does_not_pass() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), &token("agents"));
    let headers = Headers::from([
        (":status", "200"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ]);
    exchange.response_headers(&headers, false).unwrap();
    exchange.response_body(b"\x1f\x8bjane.doe@example.com", true).unwrap();
    let received = exchange.received();
    assert!(!received.text().contains("jane.doe@"), "{received:?}");
    assert_ne!(received.status(), Some(200));
}
