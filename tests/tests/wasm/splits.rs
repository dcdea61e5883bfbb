//! However bytes are cut, the same thing happens.

use serde_json::json;
use sluice_tests::host::Headers;
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;

use super::world::{answer_with_stream, call_events, headers, host, send, text_events, token};

/// What the client reads when the reply arrives in two parts, cut at `at`.
fn read_cut_at(stream: &[u8], at: usize, tools: &[&str]) -> Said {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    let prompt = tools.iter().fold(Prompt::new("hello").streamed(), |prompt, tool| prompt.tool(tool));
    send(&mut exchange, &prompt, &token("agents"));
    assert!(exchange.sent_upstream().ended, "{:?}\n{}", exchange.local_reply(), host.log());
    answer_with_stream(&mut exchange);
    let (first, second) = stream.split_at(at);
    exchange.response_body(first, false).unwrap();
    exchange.response_body(second, false).unwrap();
    exchange.response_body(b"", true).unwrap();
    let received = exchange.received();
    assert!(received.ended && !received.cut);
    exchange.finish().unwrap();
    Said::from_stream(&received.body).unwrap()
}

#[test]
fn a_value_in_a_stream_is_masked_wherever_the_bytes_are_cut() {
    let pieces = ["Write to jane.", "doe@exam", "ple.com or pay with 4111 11", "11 1111 1111, thanks é漢."];
    let stream = text_events(&pieces);
    let whole = read_cut_at(&stream, stream.len(), &[]).text();
    assert!(whole.starts_with("Write to ") && whole.ends_with(", thanks é漢."), "{whole}");
    assert!(!whole.contains("jane.doe@") && !whole.contains("1111 1111"), "{whole}");
    for at in 0..stream.len() {
        assert_eq!(read_cut_at(&stream, at, &[]).text(), whole, "cut at {at}");
    }
}

#[test]
fn a_refused_call_is_refused_wherever_the_bytes_are_cut() {
    let stream = call_events("Bash", &["{\"command\":\"r", "m -rf \\u", "002f\"}"]);
    for at in 0..stream.len() {
        let said = read_cut_at(&stream, at, &["Bash"]);
        assert_eq!(said.calls(), [], "cut at {at}");
        assert_eq!(said.stop_reason.as_deref(), Some("end_turn"), "cut at {at}");
    }
}

#[test]
fn a_call_that_may_go_arrives_whole_wherever_the_bytes_are_cut() {
    let stream = call_events("Bash", &["", "{\"comm", "and\":\"ls \\", "u00e9\"}"]);
    for at in 0..stream.len() {
        let said = read_cut_at(&stream, at, &["Bash"]);
        assert_eq!(said.calls(), [("Bash".to_owned(), json!({ "command": "ls é" }))], "cut at {at}");
    }
}

#[test]
fn a_request_is_judged_alike_however_it_arrives() {
    let body = Prompt::new("card 4111 1111 1111 1111").body();
    let token = token("agents");
    let mut seen = Vec::new();
    for cuts in [vec![], vec![1], vec![body.len() / 2], (1..body.len()).collect::<Vec<_>>()] {
        let host = host("off");
        let mut exchange = host.exchange().unwrap();
        exchange.request_headers(&headers(&token, body.len()), false).unwrap();
        let mut rest = body.as_bytes();
        let mut from = 0;
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut - from);
            exchange.request_body(piece, false).unwrap();
            assert_eq!(exchange.sent_upstream().headers, None, "a part of the request went on unjudged");
            (rest, from) = (tail, cut);
        }
        exchange.request_body(rest, true).unwrap();
        let sent = exchange.sent_upstream();
        let length = sent.headers.as_ref().and_then(|headers| headers.get("content-length"));
        assert_eq!(length, Some(sent.body.len().to_string()));
        seen.push(sent.text());
    }
    // HTTP/2: no piece says that it is the last; the trailers do.
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    exchange.request_headers(&headers(&token, body.len()), false).unwrap();
    exchange.request_body(body.as_bytes(), false).unwrap();
    assert_eq!(exchange.sent_upstream().headers, None);
    exchange.request_trailers(&Headers::from([("x-end", "yes")])).unwrap();
    seen.push(exchange.sent_upstream().text());
    assert!(seen.iter().all(|body| body == &seen[0] && !body.contains("4111 1111")), "{seen:?}");
}
