//! A hold that nobody decides ends when the client's patience would, and a retry finds the same hold.

use serde_json::json;
use sluice_tests::host::{Exchange, Host, Sent};
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;

use super::world::{
    answer_with_json, answer_with_stream, call_block, events, hold, host, issuer, message_end, message_start,
    only_call, opened, send, text_block, token, token_of, whole_call,
};

/// As long as the least patient client waits for headers, less a margin: the default of `holdSeconds`.
const PATIENCE_MS: u64 = 270_000;

/// Answers each wait as control does when nobody decides: once its time is over. Gives the milliseconds that passed.
fn nobody_decides(host: &Host, exchange: &mut Exchange<'_>, id: &str) -> u64 {
    let start = host.time();
    for _ in 0..30 {
        if exchange.calls().is_empty() {
            return host.time() - start;
        }
        let call = only_call(exchange, &format!("/v1/holds/{id}/wait?seconds="));
        let seconds: u64 = call.path().rsplit_once('=').unwrap().1.parse().unwrap();
        assert!((1..=25).contains(&seconds), "{}", call.path());
        assert!(u64::from(call.timeout_ms) > seconds * 1000, "Envoy would give up before control answers");
        host.set_time(host.time() + seconds * 1000);
        exchange.answer(&call, &hold(id, "waiting")).unwrap();
    }
    panic!("it waits for ever");
}

fn key(exchange: &Exchange<'_>) -> String {
    let key = only_call(exchange, "/v1/exchanges").json()["hold"]["key"].as_str().unwrap().to_owned();
    assert_eq!(key.len(), 64);
    key
}

fn assert_come_again(reply: &Sent, id: &str) {
    assert_eq!(reply.status(), Some(429), "{}", reply.text());
    let headers = reply.headers.as_ref().unwrap();
    assert_eq!(headers.get("x-should-retry").as_deref(), Some("true"));
    let pause: u64 = headers.get("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&pause), "{pause}");
    assert_eq!(reply.json()["error"]["type"], "rate_limit_error");
    assert!(reply.text().contains(id) && reply.text().contains("approvers"), "{}", reply.text());
}

#[test]
fn a_held_request_that_nobody_decides_ends_in_a_retry_that_finds_the_same_hold() {
    let host = host("off");
    let prompt = Prompt::new("ask one").streamed();
    let mut first = host.exchange().unwrap();
    send(&mut first, &prompt, &token("agents"));
    let key_of_first = key(&first);
    first.answer(&only_call(&first, "/v1/exchanges"), &opened("h1", "waiting")).unwrap();
    assert_eq!(first.local_reply(), None);
    assert_eq!(nobody_decides(&host, &mut first, "h1"), PATIENCE_MS);
    assert_come_again(&first.local_reply().unwrap(), "h1");
    assert_eq!((first.local_replies(), first.sent_upstream().headers), (1, None));
    first.finish().unwrap();

    let retry = prompt.set("stream", json!(false)).set("max_tokens", json!(9));
    let mut second = host.exchange().unwrap();
    send(&mut second, &retry, &token("agents"));
    assert_eq!(key(&second), key_of_first);
    second.answer(&only_call(&second, "/v1/exchanges"), &opened("h1", "approved")).unwrap();
    assert!(second.sent_upstream().ended, "{:?}", second.local_reply());
    assert_eq!(second.sent_upstream().text(), retry.body());
}

#[test]
fn another_request_or_another_person_has_another_key() {
    let host = host("off");
    let key_of = |prompt: &Prompt, token: &str| {
        let mut exchange = host.exchange().unwrap();
        send(&mut exchange, prompt, token);
        let key = key(&exchange);
        exchange.finish().unwrap();
        key
    };
    let prompt = Prompt::new("ask one");
    let ann = token("agents");
    let own = key_of(&prompt, &ann);
    assert_eq!(key_of(&prompt, &ann), own);
    let others = [
        ("text", key_of(&Prompt::new("ask one more"), &ann)),
        ("model", key_of(&prompt.clone().set("model", json!("claude-other")), &ann)),
        ("tools", key_of(&prompt.clone().tool("Bash"), &ann)),
        ("rule", key_of(&Prompt::new("ask two"), &ann)),
        ("person", key_of(&prompt, &token_of("bob", "agents", &issuer()))),
    ];
    for (what, other) in others {
        assert_ne!(other, own, "{what}");
    }
}

/// A stream with a text, a held call, and a text behind it.
fn held_stream() -> Vec<u8> {
    let mut all = vec![message_start()];
    all.extend(text_block(0, &["I will write it. "]));
    all.extend(call_block(1, "Bash", &["{\"command\":", "\"touch x\"}"]));
    all.extend(text_block(2, &["That was it. "]));
    all.extend(message_end("tool_use"));
    events(&all)
}

#[test]
fn a_held_call_in_a_stream_that_nobody_decides_becomes_a_text_and_the_stream_goes_on() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
    answer_with_stream(&mut exchange);
    exchange.response_body(&held_stream(), false).unwrap();
    exchange.response_body(b"", true).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h7", "waiting")).unwrap();
    assert_eq!(nobody_decides(&host, &mut exchange, "h7"), PATIENCE_MS);
    let received = exchange.received();
    assert!(received.ended && !received.cut);
    assert_eq!((exchange.local_replies(), received.status()), (0, Some(200)));
    let said = Said::from_stream(&received.body).unwrap();
    assert_eq!(said.calls(), []);
    assert_eq!(said.stop_reason.as_deref(), Some("end_turn"));
    let text = said.text();
    assert!(text.starts_with("I will write it. [Sluice]") && text.ends_with("That was it. "), "{text}");
    assert!(text.contains("h7") && text.contains("approvers"), "{text}");
}

#[test]
fn a_call_that_comes_late_in_a_long_stream_is_waited_for_as_long_as_any() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
    answer_with_stream(&mut exchange);
    host.set_time(host.time() + 400_000);
    exchange.response_body(&held_stream(), true).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h1", "waiting")).unwrap();
    assert_eq!(nobody_decides(&host, &mut exchange, "h1"), PATIENCE_MS);
    assert!(exchange.received().text().contains("h1"));
}

#[test]
fn a_held_call_in_a_whole_reply_that_nobody_decides_ends_in_a_retry() {
    let host = host("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").tool("Bash"), &token("agents"));
    let body = whole_call("touch x");
    // The model has thought for a while: the client has waited for headers all that time.
    host.set_time(host.time() + 100_000);
    answer_with_json(&mut exchange, body.len());
    exchange.response_body(body.as_bytes(), true).unwrap();
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h1", "waiting")).unwrap();
    assert_eq!(nobody_decides(&host, &mut exchange, "h1"), PATIENCE_MS - 100_000);
    assert_come_again(&exchange.local_reply().unwrap(), "h1");
    assert!(!exchange.received().text().contains("touch"));
}
