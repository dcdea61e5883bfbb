//! Heads of requests: what nobody's client sends, and what is kept of them.

use sluice_tests::prompt::Prompt;

use super::world::{headers, host, only_call, token};

#[test]
fn a_header_that_is_not_utf_8_is_still_seen() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    let body = Prompt::new("hello").body();
    let mut head = headers(&token("agents"), body.len());
    head.add("content-encoding", b"gzip\xff");
    exchange.request_headers(&head, false).unwrap();
    assert_eq!(exchange.local_reply().unwrap().status(), Some(415));
}

/// What the record of a request's beginning says of its trace, where these headers say something of it.
fn recorded_trace(traces: &[&str]) -> Option<String> {
    let host = host("before-forward");
    let mut exchange = host.exchange().unwrap();
    let body = Prompt::new("hello").body();
    let mut head = headers(&token("agents"), body.len());
    for trace in traces {
        head.add("traceparent", trace.as_bytes());
    }
    exchange.request_headers(&head, false).unwrap();
    exchange.request_body(body.as_bytes(), true).unwrap();
    let call = only_call(&exchange, "/v1/exchanges");
    call.json()["record"]["traceparent"].as_str().map(str::to_owned)
}

#[test]
fn the_record_names_the_callers_span_where_there_is_one_and_no_other_text_in_its_place() {
    let span = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(recorded_trace(&[span]).as_deref(), Some(span));
    assert_eq!(recorded_trace(&[]), None);
    assert_eq!(recorded_trace(&[span, span]), None, "two are none");
    assert_eq!(recorded_trace(&["00-ana@example.com"]), None);
}
