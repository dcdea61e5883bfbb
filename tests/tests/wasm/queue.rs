//! Records on their way: bounded, in order, never dropped, written once.

use serde_json::{Value, json};
use sluice_tests::host::{Answer, Call, Host};
use sluice_tests::prompt::Prompt;

use super::world::{host_with, only_call, recorded, send, tick_after, token};

/// One exchange from its first byte to its last: two records. Gives the status of a refusal, if it was refused.
fn exchange(host: &Host, text: &str) -> Option<u16> {
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new(text), &token("agents"));
    let reply = exchange.local_reply();
    if let Some(reply) = &reply {
        assert_eq!(reply.headers.as_ref().unwrap().get("x-should-retry").as_deref(), Some("true"));
        assert_eq!(exchange.sent_upstream().headers, None);
    }
    exchange.finish().unwrap();
    reply.and_then(|reply| reply.status())
}

fn host(queue: usize) -> Host {
    host_with("background", &json!({}), &json!({ "queueRecords": queue }))
}

/// The batch that is under way.
fn batch(host: &Host) -> Call {
    let calls = host.calls_to("/v1/records");
    assert_eq!(calls.len(), 1, "{calls:?}\n{}", host.log());
    calls[0].clone()
}

fn records(call: &Call) -> Vec<Value> {
    call.json()["records"].as_array().unwrap().clone()
}

fn digests(call: &Call) -> Vec<String> {
    let json = call.json();
    let blocks = json["blocks"].as_array().cloned().unwrap_or_default();
    blocks.iter().map(|block| block["digest"].as_str().unwrap().to_owned()).collect()
}

fn stages(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["stage"].as_str().unwrap()).collect()
}

#[test]
fn a_full_queue_refuses_until_control_acknowledges_and_nothing_is_lost() {
    let host = host(4);
    assert_eq!(exchange(&host, "first"), None);
    // Begun before the queue was full: its end is still recorded.
    let mut begun = host.exchange().unwrap();
    send(&mut begun, &Prompt::new("begun"), &token("agents"));
    assert_eq!(exchange(&host, "second"), None);
    assert_eq!(exchange(&host, "third"), Some(503));
    begun.finish().unwrap();
    tick_after(&host, 200);
    let sent = batch(&host);
    assert_eq!(exchange(&host, "while it is under way"), Some(503));
    host.answer(&sent, &Answer::ok("{}")).unwrap();
    assert_eq!(exchange(&host, "third again"), None);
    tick_after(&host, 200);
    let mut all = records(&sent);
    let next = batch(&host);
    assert_ne!(next.json()["id"], sent.json()["id"]);
    all.extend(records(&next));
    assert_eq!(stages(&all), ["open", "close", "open", "open", "close", "close", "open", "close"]);
    let at = |n: usize| all[n]["exchange"].as_str().unwrap();
    assert_eq!([at(0), at(2), at(3), at(6)], [at(1), at(5), at(4), at(7)]);
    assert_eq!(host.metric("sluice_records_acknowledged_total"), 6);
}

#[test]
fn a_batch_whose_answer_is_lost_goes_again_with_the_same_id_and_the_same_records() {
    let host = host(100);
    assert_eq!(exchange(&host, "first"), None);
    tick_after(&host, 200);
    let sent = batch(&host);
    for failure in [
        Answer::Reset,
        Answer::refused(),
        Answer::timed_out(),
        Answer::ok("<html>"),
        Answer::ok(""),
        Answer::status(500, "{}"),
        Answer::status(401, "{}"),
    ] {
        host.answer(&batch(&host), &failure).unwrap();
        assert_eq!(host.calls_to("/v1/records").len(), 0, "sent again without a pause");
        assert_eq!(exchange(&host, "meanwhile"), None);
        tick_after(&host, 1_000);
        let again = batch(&host);
        assert_eq!((&again.json()["id"], records(&again)), (&sent.json()["id"], records(&sent)));
        assert_eq!(digests(&again), digests(&sent));
    }
    host.answer(&batch(&host), &Answer::ok("{}")).unwrap();
    let rest = batch(&host);
    assert_ne!(rest.json()["id"], sent.json()["id"]);
    assert_eq!(records(&rest).len(), 14, "what happened meanwhile follows");
}

#[test]
fn a_batch_that_cannot_be_sent_waits() {
    let host = host(100);
    assert_eq!(exchange(&host, "first"), None);
    host.fail_dispatch(true);
    tick_after(&host, 1_000);
    tick_after(&host, 1_000);
    host.fail_dispatch(false);
    tick_after(&host, 1_000);
    assert_eq!(stages(&records(&batch(&host))), ["open", "close"]);
}

/// A text that is long enough to be a block.
fn long() -> String {
    "All work and no play makes a dull day. ".repeat(100)
}

#[test]
fn a_block_travels_once_and_again_when_control_misses_it() {
    let host = host(100);
    assert_eq!(exchange(&host, &long()), None);
    tick_after(&host, 200);
    let first = batch(&host);
    let known = digests(&first);
    assert!(!known.is_empty());
    host.answer(&first, &Answer::ok("{}")).unwrap();
    assert_eq!(exchange(&host, &long()), None);
    tick_after(&host, 200);
    let second = batch(&host);
    assert_eq!(digests(&second), [""; 0]);
    host.answer(&second, &Answer::ok(json!({ "missing": known }).to_string())).unwrap();
    let again = batch(&host);
    assert_eq!((&again.json()["id"], records(&again)), (&second.json()["id"], records(&second)));
    assert_eq!(digests(&again), known);
    host.answer(&again, &Answer::ok("{}")).unwrap();
    assert_eq!(host.calls_to("/v1/records").len(), 0);
    assert_eq!(host.metric("sluice_records_acknowledged_total"), 4);
}

#[test]
fn bodies_are_cut_on_ticks_that_do_little_else_until_all_are() {
    let host = host(1_000);
    assert_eq!(host.tick_period(), 200);
    let text = long().repeat(15);
    assert_eq!(exchange(&host, &text), None);
    assert_eq!(host.tick_period(), 200, "what one tick can cut waits for it");
    (1..12).for_each(|_| assert_eq!(exchange(&host, &text), None));
    assert_eq!(host.tick_period(), 2, "more comes sooner");
    // What waits weighs as much before it is cut.
    tick_after(&host, 0);
    let bytes = host.metric("sluice_queue_bytes");
    assert!(bytes > 12 * text.len() as u64, "{bytes}");
    let first = batch(&host);
    assert!(records(&first).len() < 24, "more than a tick may cut");
    assert_eq!(host.tick_period(), 2);
    host.answer(&first, &Answer::ok("{}")).unwrap();
    let polls = host.calls().len();
    let mut ticks = 0;
    while host.tick_period() == 2 {
        host.tick().unwrap();
        ticks += 1;
        assert_eq!(
            host.calls().len(),
            polls,
            "a tick that cuts sends no part of a batch and asks for nothing"
        );
    }
    assert!((2..20).contains(&ticks), "{ticks}");
    tick_after(&host, 200);
    assert_eq!(host.tick_period(), 200);
    let rest = batch(&host);
    assert_eq!(digests(&rest), [""; 0], "control has the blocks");
    let all = [records(&first), records(&rest)].concat();
    assert_eq!(stages(&all), ["open", "close"].repeat(12));
    host.answer(&rest, &Answer::ok("{}")).unwrap();
    tick_after(&host, 200);
    assert_eq!((host.metric("sluice_queue_records"), host.metric("sluice_queue_bytes")), (0, 0));
}

#[test]
fn a_whole_batch_leaves_as_soon_as_it_is_cut() {
    let host = host(1_000);
    let text = long().repeat(2);
    (0..300).for_each(|_| assert_eq!(exchange(&host, &text), None));
    tick_after(&host, 0);
    let first = batch(&host);
    host.answer(&first, &Answer::ok("{}")).unwrap();
    let mut ticks = 0;
    while host.calls_to("/v1/records").is_empty() {
        host.tick().unwrap();
        ticks += 1;
        assert!(ticks < 20, "not before the next look");
    }
    assert_eq!(records(&batch(&host)).len(), 256);
}

#[test]
fn a_root_that_is_replaced_stays_until_all_is_cut_and_at_control() {
    let idle = host(100);
    assert!(idle.end().unwrap());
    assert_eq!(idle.tick_period(), 0, "nobody ticks any more");

    let host = host(100);
    let text = long().repeat(30);
    (0..4).for_each(|_| assert_eq!(exchange(&host, &text), None));
    assert!(!host.end().unwrap());
    let mut all = Vec::new();
    for _ in 0..20 {
        if let [call] = host.calls_to("/v1/records").as_slice() {
            assert!(!host.has_ended());
            all.extend(records(call));
            host.answer(call, &Answer::ok("{}")).unwrap();
        }
        tick_after(&host, 200);
    }
    assert_eq!(stages(&all), ["open", "close"].repeat(4));
    assert!(host.has_ended());
    assert_eq!(host.tick_period(), 0);
}

#[test]
fn all_else_is_looked_after_in_time_while_bodies_are_cut() {
    let host = host(1_000);
    let text = long().repeat(30);
    let mut looked = 0;
    for _ in 0..60 {
        (0..4).for_each(|_| assert_eq!(exchange(&host, &text), None));
        tick_after(&host, 50);
        assert_eq!(host.tick_period(), 2, "more comes than one tick cuts");
        if let [poll] = host.calls_to("/v1/bundle").as_slice() {
            looked += 1;
            host.answer(poll, &Answer::Reset).unwrap();
        }
    }
    // A poll that fails waits 500 ms, and then for the next look.
    assert_eq!(looked, 3000 / 600);
}

#[test]
fn a_control_that_misses_what_it_was_sent_is_not_sent_it_without_a_pause() {
    let host = host(100);
    assert_eq!(exchange(&host, &long()), None);
    tick_after(&host, 200);
    let first = batch(&host);
    let missing = Answer::ok(json!({ "missing": digests(&first) }).to_string());
    host.answer(&first, &missing).unwrap();
    assert_eq!(host.calls_to("/v1/records").len(), 0);
    tick_after(&host, 1_000);
    let again = batch(&host);
    assert_eq!(again.json()["id"], first.json()["id"]);
    assert_eq!(digests(&again), digests(&first));
}

#[test]
fn before_forwarding_too_a_block_travels_once_and_again_when_control_misses_it() {
    let host = host_with("before-forward", &json!({}), &json!({}));
    let mut first = host.exchange().unwrap();
    send(&mut first, &Prompt::new(&long()), &token("agents"));
    let known = digests(&only_call(&first, "/v1/exchanges"));
    assert!(!known.is_empty());
    first.answer(&only_call(&first, "/v1/exchanges"), &recorded()).unwrap();
    let mut second = host.exchange().unwrap();
    send(&mut second, &Prompt::new(&long()), &token("agents"));
    let asked = only_call(&second, "/v1/exchanges");
    assert_eq!(digests(&asked), [""; 0]);
    let missing = Answer::ok(json!({ "missing": known }).to_string());
    second.answer(&asked, &missing).unwrap();
    assert_eq!(second.sent_upstream().headers, None, "control has written nothing yet");
    tick_after(&host, 200);
    let again = only_call(&second, "/v1/exchanges");
    assert_eq!(digests(&again), known);
    assert_eq!(again.json()["record"], asked.json()["record"]);
    second.answer(&again, &recorded()).unwrap();
    assert!(second.sent_upstream().ended);
    // Whoever misses even what was just sent cannot be recorded with.
    let mut third = host.exchange().unwrap();
    send(&mut third, &Prompt::new(&long()), &token("agents"));
    third.answer(&only_call(&third, "/v1/exchanges"), &missing).unwrap();
    tick_after(&host, 200);
    third.answer(&only_call(&third, "/v1/exchanges"), &missing).unwrap();
    assert_eq!(third.local_reply().unwrap().status(), Some(503));
    assert_eq!(third.sent_upstream().headers, None);
}
