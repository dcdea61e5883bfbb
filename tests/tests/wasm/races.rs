//! What arrives while control is asked, and the ends that trailers make.

use sluice_tests::host::{Action, Headers};
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;

use super::world::{
    answer_with_json, answer_with_stream, call_events, headers, hold, host, only_call, opened, recorded,
    send, text_events, token, whole_call,
};

fn trailers() -> Headers {
    Headers::from([("x-end", "yes")])
}

#[test]
fn what_arrives_while_control_is_asked_does_not_overtake_the_answer() {
    let body = Prompt::new("card 4111 1111 1111 1111").body();
    // How the body ends: with its last bytes, with an empty piece, or with trailers.
    for end in ["bytes", "empty", "trailers"] {
        let host = host("before-forward");
        let mut exchange = host.exchange().unwrap();
        let mut head = headers(&token("agents"), body.len());
        if end == "trailers" {
            head.remove("content-length");
        }
        assert_eq!(exchange.request_headers(&head, false).unwrap(), Action::Pause);
        let (first, second) = body.as_bytes().split_at(20);
        assert_eq!(exchange.request_body(first, false).unwrap(), Action::Pause);
        assert_eq!(exchange.calls().len(), 0, "control is asked about what is not whole");
        assert_eq!(exchange.request_body(second, end == "bytes").unwrap(), Action::Pause);
        match end {
            "empty" => assert_eq!(exchange.request_body(b"", true).unwrap(), Action::Pause),
            "trailers" => assert_eq!(exchange.request_trailers(&trailers()).unwrap(), Action::Pause),
            _ => {}
        }
        let asked = only_call(&exchange, "/v1/exchanges");
        // The end is told once more while the call is pending.
        assert_eq!(exchange.request_body(b"", true).unwrap(), Action::Pause, "{end}");
        assert_eq!(exchange.sent_upstream(), Default::default(), "{end}");
        exchange.answer(&asked, &recorded()).unwrap();
        let sent = exchange.sent_upstream();
        let head = sent.headers.as_ref().unwrap();
        assert_eq!(head.get("content-length"), Some(sent.body.len().to_string()), "{end}");
        assert_eq!(sent.text().matches("\"messages\"").count(), 1, "{}", sent.text());
        assert!(sent.ended && !sent.text().contains("4111"), "{}", sent.text());
        assert_ne!(sent.body.len(), body.len(), "the length was that of another body");
        assert_eq!(sent.trailers.is_some(), end == "trailers");
        assert_eq!(exchange.local_replies(), 0);
    }
}

#[test]
fn an_answer_that_comes_twice_or_late_moves_nothing_again() {
    let host = host("before-forward");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), &token("agents"));
    let asked = only_call(&exchange, "/v1/exchanges");
    exchange.answer(&asked, &recorded()).unwrap();
    assert!(exchange.answer(&asked, &recorded()).is_err(), "the host itself has only one answer");
    let sent = exchange.sent_upstream();
    answer_with_stream(&mut exchange);
    exchange.response_body(&text_events(&["Hello. "]), true).unwrap();
    assert_eq!(exchange.sent_upstream(), sent);
    assert_eq!(Said::from_stream(&exchange.received().body).unwrap().text(), "Hello. ");
}

#[test]
fn trailers_end_a_whole_reply() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").tool("Bash"), &token("agents"));
    let body = whole_call("rm -rf /");
    answer_with_json(&mut exchange, body.len());
    assert_eq!(exchange.response_body(body.as_bytes(), false).unwrap(), Action::Pause);
    assert_eq!(exchange.received().headers, None);
    assert_eq!(exchange.response_trailers(&trailers()).unwrap(), Action::Continue);
    let received = exchange.received();
    assert!(received.ended && received.trailers.is_some());
    assert!(received.text().contains("no-destruction") && !received.text().contains("rm -rf"));
    let length = received.headers.as_ref().unwrap().get("content-length");
    assert_eq!(length, Some(received.body.len().to_string()));
}

#[test]
fn trailers_end_a_whole_reply_that_is_held() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").tool("Bash"), &token("agents"));
    let body = whole_call("touch x");
    answer_with_json(&mut exchange, body.len());
    exchange.response_body(body.as_bytes(), false).unwrap();
    assert_eq!(exchange.response_trailers(&trailers()).unwrap(), Action::Pause);
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h1", "approved")).unwrap();
    let received = exchange.received();
    assert!(received.ended && received.trailers.is_some());
    assert_eq!(received.text(), body);
}

#[test]
fn trailers_end_a_stream() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed(), &token("agents"));
    answer_with_stream(&mut exchange);
    exchange.response_body(&text_events(&["Write to jane.doe@", "example.com"]), false).unwrap();
    assert_eq!(exchange.response_trailers(&trailers()).unwrap(), Action::Continue);
    let received = exchange.received();
    assert!(received.ended && received.trailers.is_some());
    let said = Said::from_stream(&received.body).unwrap();
    assert!(said.text().starts_with("Write to ") && !said.text().contains("jane.doe@"), "{}", said.text());
}

#[test]
fn trailers_end_a_stream_that_is_held() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
    answer_with_stream(&mut exchange);
    let events = call_events("Bash", &["{\"command\":\"touch x\"}"]);
    exchange.response_body(&events, false).unwrap();
    assert_eq!(exchange.response_trailers(&trailers()).unwrap(), Action::Pause);
    let asked = only_call(&exchange, "/v1/exchanges");
    assert!(!exchange.received().ended && !exchange.received().text().contains("touch"));
    exchange.answer(&asked, &opened("h1", "waiting")).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &hold("h1", "approved")).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/holds/h1/use"), &hold("h1", "approved")).unwrap();
    let received = exchange.received();
    assert!(received.ended && received.trailers.is_some());
    assert_eq!(received.text(), String::from_utf8(events).unwrap());
}

#[test]
fn trailers_end_a_stream_that_was_cut_in_the_middle_of_a_value() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed(), &token("agents"));
    answer_with_stream(&mut exchange);
    let events = text_events(&["My card is 4111 1111 11", "11 1111, thanks. "]);
    let whole = String::from_utf8(events).unwrap();
    let (before, _) = whole.split_once("11 1111, thanks").unwrap();
    exchange.response_body(before.as_bytes(), false).unwrap();
    assert_eq!(exchange.response_trailers(&trailers()).unwrap(), Action::Continue);
    let received = exchange.received();
    assert!(received.ended, "the client would wait for ever");
}
