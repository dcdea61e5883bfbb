//! A wait for a decision that breaks is asked again by the root's timer, in the exchange's own name.

use sluice_tests::host::{Answer, Exchange, Host};
use sluice_tests::prompt::Prompt;

use super::world::{
    answer_with_json, answer_with_stream, call_events, hold, host, only_call, opened, send, tick_after,
    token, whole_call,
};

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Held {
    Request,
    Whole,
    Stream,
}

const ALL: [Held; 3] = [Held::Request, Held::Whole, Held::Stream];

/// Brings an exchange to its first wait on hold `h1`.
fn waiting(host: &Host, held: Held) -> Exchange<'_> {
    let mut exchange = host.exchange().unwrap();
    let text = if held == Held::Request { "ask one" } else { "hello" };
    let prompt = Prompt::new(text).tool("Bash").stream(held == Held::Stream);
    send(&mut exchange, &prompt, &token("agents"));
    match held {
        Held::Request => {}
        Held::Whole => {
            let body = whole_call("touch x");
            answer_with_json(&mut exchange, body.len());
            exchange.response_body(body.as_bytes(), true).unwrap();
        }
        Held::Stream => {
            answer_with_stream(&mut exchange);
            let events = call_events("Bash", &["{\"command\":\"touch x\"}"]);
            exchange.response_body(&events, false).unwrap();
            exchange.response_body(b"", true).unwrap();
        }
    }
    exchange.answer(&only_call(&exchange, "/v1/exchanges"), &opened("h1", "waiting")).unwrap();
    only_call(&exchange, "/v1/holds/h1/wait");
    exchange
}

fn assert_still_held(exchange: &Exchange<'_>, held: Held, what: &str) {
    assert_eq!(exchange.local_replies(), 0, "{held:?}, {what}");
    if held == Held::Request {
        assert_eq!(exchange.sent_upstream().headers, None, "{what}");
    }
    assert!(!exchange.received().text().contains("touch"), "{held:?}, {what}");
}

fn assert_went_on(exchange: &Exchange<'_>, held: Held, what: &str) {
    assert_eq!(exchange.local_replies(), 0, "{held:?}, {what}");
    let (sent, received) = (exchange.sent_upstream(), exchange.received());
    match held {
        Held::Request => assert!(sent.ended && sent.text().matches("ask one").count() == 1, "{what}"),
        _ => assert!(received.ended && received.text().matches("touch x").count() == 1, "{held:?}, {what}"),
    }
}

fn failures() -> [(&'static str, Answer); 7] {
    [
        ("reset", Answer::Reset),
        ("refused", Answer::refused()),
        ("timed out", Answer::timed_out()),
        ("a server error", Answer::status(500, "{}")),
        ("not JSON", Answer::ok("<html>")),
        ("cut JSON", Answer::ok("{\"id\":\"h1\",\"decision\":\"appro")),
        ("nothing", Answer::ok("")),
    ]
}

/// Approves what waits, through wait and use.
fn approve(exchange: &mut Exchange<'_>) {
    exchange.answer(&only_call(exchange, "/v1/holds/h1/wait"), &hold("h1", "approved")).unwrap();
    exchange.answer(&only_call(exchange, "/v1/holds/h1/use"), &hold("h1", "approved")).unwrap();
}

#[test]
fn a_wait_that_breaks_is_asked_again_and_goes_on_when_approved() {
    for held in ALL {
        for (what, failure) in failures() {
            let host = host("off");
            let mut exchange = waiting(&host, held);
            exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &failure).unwrap();
            assert_eq!(exchange.calls().len(), 0, "{held:?}, {what}: asked again without a pause");
            assert_still_held(&exchange, held, what);
            tick_after(&host, 1_000);
            assert_still_held(&exchange, held, what);
            approve(&mut exchange);
            assert_went_on(&exchange, held, what);
            exchange.finish().unwrap();
            tick_after(&host, 1_000);
        }
    }
}

#[test]
fn several_broken_waits_in_a_row_are_one_wait_to_the_client() {
    for held in ALL {
        let host = host("off");
        let mut exchange = waiting(&host, held);
        for (what, failure) in failures() {
            exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &failure).unwrap();
            tick_after(&host, 1_000);
            assert_still_held(&exchange, held, what);
            // A wait that ends well in between is followed by the next, without the root.
            exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &hold("h1", "waiting")).unwrap();
        }
        approve(&mut exchange);
        assert_went_on(&exchange, held, "after all");
    }
}

#[test]
fn an_approval_whose_use_breaks_is_used_again_for_the_same_exchange() {
    for held in ALL {
        for (what, failure) in failures() {
            let host = host("off");
            let mut exchange = waiting(&host, held);
            exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &hold("h1", "approved")).unwrap();
            let first = only_call(&exchange, "/v1/holds/h1/use?exchange=");
            exchange.answer(&first, &failure).unwrap();
            assert_still_held(&exchange, held, what);
            tick_after(&host, 1_000);
            let again = only_call(&exchange, "/v1/holds/h1/use?exchange=");
            assert_eq!(again.path(), first.path());
            exchange.answer(&again, &hold("h1", "approved")).unwrap();
            assert_went_on(&exchange, held, what);
        }
    }
}

#[test]
fn a_wait_that_cannot_even_be_sent_is_sent_later() {
    for held in ALL {
        let host = host("off");
        let mut exchange = waiting(&host, held);
        host.fail_dispatch(true);
        exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &hold("h1", "waiting")).unwrap();
        tick_after(&host, 1_000);
        assert_still_held(&exchange, held, "while nothing can be sent");
        host.fail_dispatch(false);
        tick_after(&host, 1_000);
        approve(&mut exchange);
        assert_went_on(&exchange, held, "when it can");
    }
}

#[test]
fn a_denial_after_a_broken_wait_is_a_denial() {
    for held in ALL {
        let host = host("off");
        let mut exchange = waiting(&host, held);
        exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &Answer::Reset).unwrap();
        tick_after(&host, 1_000);
        exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &hold("h1", "denied")).unwrap();
        let received = exchange.received();
        assert!(received.text().contains("abe denied it"), "{held:?}: {}", received.text());
        assert!(!received.text().contains("touch"), "{held:?}");
        let status = if held == Held::Request { 403 } else { 200 };
        assert_eq!((received.status(), received.ended), (Some(status), true), "{held:?}");
    }
}

#[test]
fn waits_that_break_until_patience_ends_end_like_one_that_nobody_decides() {
    for held in ALL {
        let host = host("off");
        let mut exchange = waiting(&host, held);
        for _ in 0..100 {
            let Some(call) = exchange.calls().first().cloned() else { break };
            exchange.answer(&call, &Answer::refused()).unwrap();
            tick_after(&host, 5_000);
        }
        assert_eq!(exchange.calls().len(), 0);
        let received = exchange.received();
        let status = if held == Held::Stream { 200 } else { 429 };
        assert_eq!((received.status(), received.ended), (Some(status), true), "{held:?}: {received:?}");
        assert!(received.text().contains("h1") && !received.text().contains("touch"), "{held:?}");
    }
}

#[test]
fn a_client_that_leaves_between_two_waits_is_not_asked_for_again() {
    for held in ALL {
        let host = host("off");
        let mut exchange = waiting(&host, held);
        exchange.answer(&only_call(&exchange, "/v1/holds/h1/wait"), &Answer::Reset).unwrap();
        exchange.finish().unwrap();
        tick_after(&host, 1_000);
        assert_eq!(host.calls_to("/v1/holds").len(), 0, "{held:?}");
    }
}

#[test]
fn a_client_that_leaves_while_the_root_asks_for_it_harms_nobody() {
    for held in ALL {
        let host = host("off");
        let mut exchange = waiting(&host, held);
        let mut other = waiting(&host, held);
        for one in [&mut exchange, &mut other] {
            one.answer(&only_call(one, "/v1/holds/h1/wait"), &Answer::Reset).unwrap();
        }
        tick_after(&host, 1_000);
        exchange.finish().unwrap();
        tick_after(&host, 1_000);
        approve(&mut other);
        assert_went_on(&other, held, "the other client's");
        other.finish().unwrap();
        tick_after(&host, 1_000);
    }
}
