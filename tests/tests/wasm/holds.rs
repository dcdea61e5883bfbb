//! Several holds in one exchange, and streams that go on behind a hold.

use serde_json::json;
use sluice_tests::host::{Call, Exchange, Host};
use sluice_tests::prompt::Prompt;

use super::world::{
    answer_with_stream, call_block, events, hold, host, message_end, message_start, only_call, opened, send,
    text_block, token,
};

/// An exchange that has sent this request.
fn sent<'h>(host: &'h Host, prompt: &Prompt) -> Exchange<'h> {
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, prompt, &token("agents"));
    exchange
}

fn rule(call: &Call) -> String {
    call.json()["hold"]["rule"].as_str().unwrap().to_owned()
}

#[test]
fn two_hold_rules_are_asked_one_after_the_other() {
    for mode in ["off", "background", "before-forward"] {
        let host = host(mode);
        let prompt = Prompt::new("ask two").set("system", json!("ask one"));
        let mut exchange = sent(&host, &prompt);
        let first = only_call(&exchange, "/v1/exchanges");
        assert_eq!(first.json()["record"].is_object(), mode == "before-forward");
        exchange.answer(&first, &opened("h1", "waiting")).unwrap();
        exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &hold("h1", "approved")).unwrap();
        exchange.answer(&only_call(&exchange, "/v1/holds/h1/use"), &hold("h1", "approved")).unwrap();
        assert_eq!(exchange.sent_upstream().headers, None, "one approval is not two");
        let second = only_call(&exchange, "/v1/exchanges");
        let mut rules = [rule(&first), rule(&second)];
        rules.sort();
        assert_eq!(rules, ["held-first", "held-second"]);
        assert_ne!(second.json()["hold"]["key"], first.json()["hold"]["key"]);
        assert_eq!(second.json()["record"], json!(null), "the record is written once");
        exchange.answer(&second, &opened("h2", "waiting")).unwrap();
        assert_eq!(exchange.sent_upstream().headers, None);
        exchange.answer(&only_call(&exchange, "/v1/holds/h2/wait"), &hold("h2", "approved")).unwrap();
        exchange.answer(&only_call(&exchange, "/v1/holds/h2/use"), &hold("h2", "approved")).unwrap();
        assert_eq!((exchange.sent_upstream().text(), exchange.calls().len()), (prompt.body(), 0));
    }
}

#[test]
fn the_second_hold_can_still_refuse() {
    let host = host("off");
    let mut exchange = sent(&host, &Prompt::new("ask two").set("system", json!("ask one")));
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h1", "approved")).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h2", "denied")).unwrap();
    let reply = exchange.local_reply().unwrap();
    assert_eq!((reply.status(), exchange.sent_upstream().headers), (Some(403), None));
    assert_eq!(reply.headers.unwrap().get("x-should-retry").as_deref(), Some("false"));
}

#[test]
fn an_approval_that_another_exchange_used_sends_this_one_back_to_wait() {
    let host = host("off");
    let mut exchange = sent(&host, &Prompt::new("ask one"));
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h1", "waiting")).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &hold("h1", "approved")).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/holds/h1/use"), &hold("h2", "waiting")).unwrap();
    assert_eq!(exchange.sent_upstream().headers, None);
    exchange.answer(&only_call(&exchange, "/v1/holds/h2/wait"), &hold("h2", "approved")).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/holds/h2/use"), &hold("h2", "approved")).unwrap();
    assert!(exchange.sent_upstream().ended);
}

/// Text, a held call, text, a second held call, text.
fn long_stream() -> Vec<u8> {
    let mut all = vec![message_start()];
    all.extend(text_block(0, &["First I write. ", "Déjà vu 漢字. "]));
    all.extend(call_block(1, "Bash", &["{\"comm", "and\":\"touch ", "one\"}"]));
    all.extend(text_block(2, &["Then I say more. ", "And more. "]));
    all.extend(call_block(3, "Bash", &["{\"command\":\"touch two\"}"]));
    all.extend(text_block(4, &["That was all. "]));
    all.extend(message_end("tool_use"));
    events(&all)
}

fn approve(exchange: &mut Exchange<'_>, id: &str) {
    exchange.answer(&only_call(exchange, "/v1/exchanges"), &opened(id, "waiting")).unwrap();
    exchange.answer(&only_call(exchange, &format!("/v1/holds/{id}/wait")), &hold(id, "approved")).unwrap();
    exchange.answer(&only_call(exchange, &format!("/v1/holds/{id}/use")), &hold(id, "approved")).unwrap();
}

#[test]
fn a_stream_held_in_the_middle_arrives_byte_for_byte_whatever_upstream_sends_meanwhile() {
    let stream = long_stream();
    // In pieces of many sizes, the last with the end or before it.
    for (size, empty_end) in [(1, true), (7, false), (100, true), (stream.len(), false), (stream.len(), true)]
    {
        let host = host("off");
        let mut exchange = host.exchange().unwrap();
        send(&mut exchange, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
        answer_with_stream(&mut exchange);
        let count = stream.len().div_ceil(size);
        for (n, piece) in stream.chunks(size).enumerate() {
            exchange.response_body(piece, n + 1 == count && !empty_end).unwrap();
        }
        if empty_end {
            exchange.response_body(b"", true).unwrap();
        }
        let before = exchange.received();
        assert!(!before.ended && !before.text().contains("touch") && stream.starts_with(&before.body));
        approve(&mut exchange, "h1");
        let between = exchange.received();
        assert!(!between.ended && !between.text().contains("touch two") && stream.starts_with(&between.body));
        approve(&mut exchange, "h2");
        let received = exchange.received();
        assert_eq!(received.text(), String::from_utf8(stream.clone()).unwrap(), "pieces of {size}");
        assert!(received.ended && !received.cut);
        exchange.finish().unwrap();
    }
}

#[test]
fn a_stream_that_is_approved_before_upstream_has_ended_flows_on() {
    let stream = long_stream();
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
    answer_with_stream(&mut exchange);
    for (n, piece) in stream.chunks(50).enumerate() {
        exchange.response_body(piece, false).unwrap();
        let asked = exchange.calls().iter().any(|call| call.path() == "/v1/exchanges");
        if asked && n % 4 == 0 {
            approve(&mut exchange, &format!("h{n}"));
        }
    }
    assert!(exchange.received().text().contains("touch two"), "approved too late to tell");
    exchange.response_body(b"", true).unwrap();
    let received = exchange.received();
    assert_eq!(received.text(), String::from_utf8(stream).unwrap());
    assert!(received.ended);
}
