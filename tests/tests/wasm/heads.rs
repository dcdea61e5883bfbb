//! Heads of requests that nobody's client sends.

use sluice_tests::prompt::Prompt;

use super::world::{headers, host, token};

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
