//! Several holds in one exchange, and streams that go on behind a hold.

use serde_json::json;
use sluice_tests::host::{Answer, Call, Exchange, Host};
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
        assert_eq!(first.json()["hold"]["node"], "wasmtime", "whoever decides reads where it comes from");
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

/// Control's word that a request was approved with these texts masked.
fn edited(id: &str, texts: &[&str]) -> serde_json::Value {
    json!({ "id": id, "decision": "edited", "by": "abe", "masked": texts })
}

/// The masked copy that a record names, put together from the blocks that came with it.
fn recorded(call: &Call) -> String {
    call.json()["blocks"].to_string() + &call.json()["record"].to_string()
}

#[test]
fn a_request_that_was_approved_with_more_masked_is_sent_and_recorded_so() {
    for mode in ["off", "background", "before-forward"] {
        let host = host(mode);
        let prompt = Prompt::new("ask one of Project Falcon, jane@example.com and caf\u{e9}");
        let mut exchange = sent(&host, &prompt);
        let first = only_call(&exchange, "/v1/exchanges");
        assert_eq!(first.json()["hold"]["editable"], json!(true));
        exchange.answer(&first, &opened("h1", "waiting")).unwrap();
        let texts = ["Project Falcon", "café"];
        let answer = Answer::ok(edited("h1", &texts).to_string());
        exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &answer).unwrap();
        assert_eq!(exchange.sent_upstream().headers, None, "a wait uses nothing up");
        exchange.answer(&only_call(&exchange, "/v1/holds/h1/use"), &answer).unwrap();
        if mode == "before-forward" {
            assert_eq!(exchange.sent_upstream().headers, None, "what is sent is not recorded yet");
            let again = only_call(&exchange, "/v1/exchanges");
            let record = &again.json()["record"];
            assert_eq!(
                (&record["stage"], &record["findings"]),
                (&json!("edited"), &json!({ "reviewer": 2 }))
            );
            let allowed = record["decisions"].as_array().unwrap().last().unwrap().clone();
            assert_eq!((&allowed["editedBy"], &allowed["hold"]), (&json!("abe"), &json!("h1")));
            assert!(!recorded(&again).contains("Falcon"), "{}", recorded(&again));
            exchange.answer(&again, &super::world::recorded()).unwrap();
        }
        let sent = exchange.sent_upstream();
        let body = sent.text();
        assert!(sent.ended && body.contains("ask one of [redacted:reviewer], <email:"), "{mode}: {body}");
        assert!(body.contains("and [redacted:reviewer]") && !body.contains("Falcon"), "{body}");
        assert_eq!(sent.headers.unwrap().get("content-length"), Some(body.len().to_string()));
        if mode == "background" {
            exchange.finish().unwrap();
            host.tick().unwrap();
            let batches = host.calls().into_iter().filter(|call| call.path() == "/v1/records");
            let stages: Vec<_> = batches
                .flat_map(|call| call.json()["records"].as_array().unwrap().clone())
                .map(|record| record["stage"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(stages, ["open", "edited", "close"]);
        }
    }
}

#[test]
fn a_body_that_nothing_else_changes_is_edited_too_and_two_holds_edit_together() {
    let host = host("off");
    let prompt = Prompt::new("ask two of Merlin").set("system", json!("ask one of Falcon"));
    let mut exchange = sent(&host, &prompt);
    let first = only_call(&exchange, "/v1/exchanges");
    let texts = if rule(&first) == "held-first" { ["Falcon", "Merlin"] } else { ["Merlin", "Falcon"] };
    let answer = |id: &str, text: &str| Answer::ok(json!({ "hold": edited(id, &[text]) }).to_string());
    exchange.answer(&first, &answer("h1", texts[0])).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &answer("h2", texts[1])).unwrap();
    let expected =
        prompt.body().replace("Falcon", "[redacted:reviewer]").replace("Merlin", "[redacted:reviewer]");
    assert_eq!(exchange.sent_upstream().text(), expected);
}

#[test]
fn nothing_is_sent_of_an_edited_request_that_is_not_as_its_approval_says() {
    for answer in [
        edited("h1", &["Merlin"]),
        edited("h1", &["Falcon", "Merlin"]),
        edited("h1", &[]),
        edited("h1", &["abc"]),
        json!({ "id": "h1", "decision": "approved", "by": "abe", "masked": ["Merlin"] }),
    ] {
        let host = host("before-forward");
        let mut exchange = sent(&host, &Prompt::new("ask one of Falcon"));
        let opened = Answer::ok(json!({ "hold": answer }).to_string());
        exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened).unwrap();
        let reply = exchange.local_reply().unwrap();
        assert_eq!((reply.status(), exchange.sent_upstream().headers), (Some(403), None), "{answer}");
        assert!(!reply.text().contains("Merlin"), "{}", reply.text());
        assert_eq!(reply.headers.unwrap().get("x-should-retry").as_deref(), Some("false"));
    }
}

#[test]
fn a_held_call_that_was_approved_with_changes_is_not_let_out() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
    answer_with_stream(&mut exchange);
    exchange.response_body(&long_stream(), true).unwrap();
    let first = only_call(&exchange, "/v1/exchanges");
    assert_eq!(first.json()["hold"]["editable"], json!(null));
    let answer = Answer::ok(json!({ "hold": edited("h1", &["touch one"]) }).to_string());
    exchange.answer(&first, &answer).unwrap();
    approve(&mut exchange, "h2");
    let text = exchange.received().text();
    assert!(!text.contains("touch one") && text.contains("cannot be made to it"), "{text}");
    assert!(text.contains("touch two"), "{text}");
}

/// What a filter of an older release makes of a word that it does not know.
#[test]
fn a_decision_that_a_filter_does_not_know_is_no_approval() {
    let host = host("off");
    let mut exchange = sent(&host, &Prompt::new("ask one"));
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h1", "from-the-future")).unwrap();
    assert_eq!(exchange.sent_upstream().headers, None);
    assert_eq!(exchange.local_reply().unwrap().status(), Some(503));
    let mut exchange = sent(&host, &Prompt::new("ask one"));
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h1", "waiting")).unwrap();
    let wait = only_call(&exchange, "/v1/holds/h1/wait");
    exchange.answer(&wait, &hold("h1", "from-the-future")).unwrap();
    assert_eq!(exchange.sent_upstream().headers, None);
    assert!(
        exchange.calls().iter().all(|call| !call.path().contains("/use")),
        "it asks for nothing to be used up"
    );
}
