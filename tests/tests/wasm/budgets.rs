//! Budgets: counted across VMs, settled at every kind of end, told to control and heard from it.

use serde_json::{Value, json};
use sluice_tests::host::{Answer, Exchange, Headers, Host, Sent, Shared};
use sluice_tests::prompt::Prompt;

use super::mcp;
use super::world::{
    NOW, answer_with_json, answer_with_stream, bundle, configuration, events, filter, message_end,
    message_start, send, signed, text_block, text_events, tick_after, token,
};

/// The plugin configuration with these budgets in its inline bundle.
fn budgets(budgets: &Value) -> String {
    let mut bundle = bundle("off", "first", NOW);
    let mut policy = json!(bundle.policy);
    policy["prices"] = json!([{ "name": "all", "models": ["claude-*"], "input": 3, "output": 15 }]);
    policy["budgets"] = budgets.clone();
    policy["mcp"] = json!([{ "name": "notes", "path": "/mcp/notes" }]);
    bundle.policy = serde_json::from_value(policy).unwrap();
    configuration(Some(&signed(&bundle)))
}

/// A host that has heard what others used.
fn host(own: &Value) -> Host {
    let host = Host::new(filter(), &budgets(own)).unwrap();
    hear(&host, &json!([]));
    host
}

/// Ticks until the filter reports, and gives what it says.
fn report(host: &Host) -> Value {
    for _ in 0..10 {
        tick_after(host, 200);
        if let Some(call) = host.calls_to("/v1/budgets").first() {
            let said = serde_json::from_slice(&call.body).unwrap();
            host.answer(call, &Answer::ok(json!({ "after": 7, "counters": [] }).to_string())).unwrap();
            return said;
        }
    }
    panic!("the filter never reported:\n{}", host.log());
}

/// Ticks until the filter reports, and answers what others have used.
fn hear(host: &Host, counters: &Value) {
    for _ in 0..10 {
        tick_after(host, 200);
        if let Some(call) = host.calls_to("/v1/budgets").first() {
            let answer = Answer::ok(json!({ "after": 7, "counters": counters }).to_string());
            host.answer(call, &answer).unwrap();
            return;
        }
    }
    panic!("the filter never asked:\n{}", host.log());
}

fn begin<'h>(host: &'h Host, prompt: &Prompt) -> Exchange<'h> {
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, prompt, &token("agents"));
    exchange
}

/// A whole exchange whose reply used this many tokens.
fn exchange(host: &Host, input: u64, output: u64) -> Option<Sent> {
    let mut exchange = begin(host, &Prompt::new("hello"));
    if exchange.local_reply().is_none() {
        let reply = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
            "stop_reason": "end_turn", "usage": { "input_tokens": input, "output_tokens": output },
        })
        .to_string();
        answer_with_json(&mut exchange, reply.len());
        exchange.response_body(reply.as_bytes(), true).unwrap();
    }
    let own = exchange.local_reply();
    exchange.finish().unwrap();
    own
}

fn header(sent: &Sent, name: &str) -> String {
    sent.headers.as_ref().and_then(|headers| headers.get(name)).unwrap_or_default()
}

fn day(limit: &str, value: Value) -> Value {
    let mut budget = json!({ "name": "day", "window": "24h" });
    budget[limit] = value;
    json!([budget])
}

/// What this VM's Envoy has told of its one counter.
fn used(host: &Host) -> (u64, u64, u64) {
    let said = report(host);
    let own = &said["counters"][0];
    let number = |pointer: &str| own.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    assert!(number("/reserved/outputTokens") == 0, "{said}");
    (number("/used/requests"), number("/used/inputTokens"), number("/used/outputTokens"))
}

#[test]
fn a_rate_is_counted_over_all_workers_and_frees_with_its_window() {
    let shared = Shared::default();
    let configuration = budgets(&json!([{ "name": "rate", "requests": 5, "window": "1m" }]));
    let one = Host::with_shared(filter(), &configuration, &shared).unwrap();
    let two = Host::with_shared(filter(), &configuration, &shared).unwrap();
    hear(&one, &json!([]));
    two.set_time(one.time());
    let passed = (0..10).filter(|n| exchange(if n % 2 == 0 { &one } else { &two }, 1, 1).is_none()).count();
    assert_eq!(passed, 5);
    let refused = exchange(&two, 1, 1).unwrap();
    assert_eq!(refused.status(), Some(429));
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    assert_eq!(header(&refused, "x-sluice-rule"), "rate");
    assert_eq!(header(&refused, "x-should-retry"), "true");
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    two.set_time(two.time() + wait * 1000);
    assert_eq!(exchange(&two, 1, 1), None, "the next window");
}

#[test]
fn a_reply_says_how_the_caller_stands() {
    let host = host(&json!([
        { "name": "rate", "requests": 5, "window": "1m" }, { "name": "hour", "requests": 3, "window": "1h" },
    ]));
    let mut exchange = begin(&host, &Prompt::new("hello"));
    answer_with_json(&mut exchange, 2);
    exchange.response_body(b"{}", true).unwrap();
    assert_eq!(header(&exchange.received(), "anthropic-ratelimit-requests-limit"), "3");
    assert_eq!(header(&exchange.received(), "anthropic-ratelimit-requests-remaining"), "2");
}

#[test]
fn a_budget_that_is_used_up_is_a_billing_error_until_its_window_ends() {
    let host = host(&json!([{ "name": "half-hour", "cost": "0.01", "window": "30m" }]));
    assert_eq!(exchange(&host, 1000, 1000), None);
    let refused = exchange(&host, 1, 1).unwrap();
    assert_eq!(refused.status(), Some(429));
    assert_eq!(refused.json()["error"]["type"], "billing_error");
    assert_eq!(header(&refused, "x-should-retry"), "false");
    assert_eq!(header(&refused, "anthropic-ratelimit-unified-status"), "rejected");
    assert!(refused.text().contains("0.02 of 0.01 US dollars in 30m"), "{}", refused.text());
    host.set_time(host.time() + 1_800_000);
    assert_eq!(exchange(&host, 1, 1), None);
}

#[test]
fn requests_under_way_cannot_overrun_a_budget_together() {
    let host = host(&day("outputTokens", json!(3000)));
    // Each may write 1024 tokens.
    let running: Vec<_> = (0..6).map(|_| begin(&host, &Prompt::new("hello"))).collect();
    let passed = running.iter().filter(|exchange| exchange.local_reply().is_none()).count();
    assert_eq!(passed, 3);
    let refused = running[5].local_reply().unwrap();
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    assert_eq!(header(&refused, "x-should-retry"), "true", "come again when one has ended");
    // Their clients leave before a reply: nothing was written.
    running.into_iter().for_each(|exchange| exchange.finish().unwrap());
    assert_eq!(exchange(&host, 1, 1), None);
}

#[test]
fn a_stream_counts_what_it_says_at_its_end_however_it_is_split() {
    let stream = text_events(&["hello"]);
    for size in [1, 7, stream.len()] {
        let host = host(&day("tokens", json!(100_000)));
        let mut exchange = begin(&host, &Prompt::new("hello").streamed());
        answer_with_stream(&mut exchange);
        for piece in stream.chunks(size) {
            exchange.response_body(piece, false).unwrap();
        }
        exchange.response_body(b"", true).unwrap();
        exchange.finish().unwrap();
        assert_eq!(used(&host), (1, 1, 9), "pieces of {size}");
    }
}

#[test]
fn a_stream_that_is_cut_counts_what_was_seen() {
    let host = host(&day("tokens", json!(100_000)));
    let mut exchange = begin(&host, &Prompt::new("hello").streamed());
    answer_with_stream(&mut exchange);
    let mut all = vec![message_start()];
    all.extend(text_block(0, &["word "; 300]));
    exchange.response_body(&events(&all), false).unwrap();
    exchange.finish().unwrap();
    let (requests, input, output) = used(&host);
    assert_eq!((requests, input), (1, 1));
    assert!((400..=600).contains(&output), "1500 bytes were seen, {output} tokens counted");
}

#[test]
fn what_is_refused_costs_its_request_and_an_error_of_the_api_no_tokens() {
    let host = host(&day("tokens", json!(100_000)));
    // A rule holds it, and control cannot be asked.
    let exchange = begin(&host, &Prompt::new("ask one"));
    for call in exchange.calls() {
        host.answer(&call, &Answer::Reset).unwrap();
    }
    assert_eq!(exchange.local_reply().unwrap().status(), Some(503));
    exchange.finish().unwrap();
    let mut failed = begin(&host, &Prompt::new("hello"));
    let head = Headers::from([(":status", "529"), ("content-type", "application/json")]);
    failed.response_headers(&head, false).unwrap();
    failed.response_body(b"{\"type\":\"error\"}", true).unwrap();
    failed.finish().unwrap();
    assert_eq!(used(&host), (2, 0, 0));
}

#[test]
fn a_reply_that_says_nothing_of_its_usage_counts_at_its_most() {
    let host = host(&day("tokens", json!(100_000)));
    let mut exchange = begin(&host, &Prompt::new("hello"));
    let reply = r#"{"type":"message","model":"claude-x","content":[]}"#;
    answer_with_json(&mut exchange, reply.len());
    exchange.response_body(reply.as_bytes(), true).unwrap();
    exchange.finish().unwrap();
    assert_eq!(used(&host).2, 1024);
}

#[test]
fn until_it_is_known_what_was_used_before_nothing_under_a_budget_passes() {
    let host = Host::new(filter(), &budgets(&day("tokens", json!(100)))).unwrap();
    let refused = exchange(&host, 1, 1).unwrap();
    assert_eq!(refused.status(), Some(503));
    assert_eq!(header(&refused, "x-should-retry"), "true");
    for answer in [Answer::Reset, Answer::refused(), Answer::ok("<html>")] {
        tick_after(&host, 1000);
        host.answer(&host.calls_to("/v1/budgets")[0], &answer).unwrap();
        assert_eq!(exchange(&host, 1, 1).unwrap().status(), Some(503));
    }
    // What was used before the start counts.
    tick_after(&host, 1000);
    let start_ms = host.time() - host.time() % 86_400_000;
    let spent = json!([{
        "key": { "budget": "day", "windowSeconds": 86_400, "startMs": start_ms,
            "holder": { "person": { "issuer": "id", "subject": "ann" } } },
        "used": { "requests": 4, "inputTokens": 60, "outputTokens": 40, "costMicroUsd": 0 }, "reserved": {},
    }]);
    hear_now(&host, &spent);
    let refused = exchange(&host, 1, 1).unwrap();
    assert!(refused.text().contains("100 of 100 tokens"), "{}", refused.text());
    // Control goes away: counting goes on with what is known.
    for _ in 0..50 {
        tick_after(&host, 1000);
        for call in host.calls_to("/v1/budgets") {
            host.answer(&call, &Answer::refused()).unwrap();
        }
    }
    assert_eq!(exchange(&host, 1, 1).unwrap().status(), Some(429));
}

fn hear_now(host: &Host, counters: &Value) {
    let call = host.calls_to("/v1/budgets").remove(0);
    host.answer(&call, &Answer::ok(json!({ "after": 7, "counters": counters }).to_string())).unwrap();
}

#[test]
fn each_report_says_all_that_was_counted_and_is_made_again_until_control_has_it() {
    let host = host(&day("tokens", json!(100_000)));
    exchange(&host, 5, 5);
    tick_after(&host, 1000);
    let lost = host.calls_to("/v1/budgets").remove(0);
    host.answer(&lost, &Answer::Reset).unwrap();
    exchange(&host, 5, 5);
    let said = report(&host);
    assert_eq!(said["counters"][0]["used"]["requests"], 2);
    assert_eq!(said["counters"][0]["used"]["inputTokens"], 10);
    assert_eq!(said["after"], 7);
    assert_eq!(report(&host)["counters"], json!([]), "what control has is not told again");
}

#[test]
fn one_worker_reports_for_all_and_another_takes_over() {
    let shared = Shared::default();
    let configuration = budgets(&day("tokens", json!(100_000)));
    let one = Host::with_shared(filter(), &configuration, &shared).unwrap();
    let two = Host::with_shared(filter(), &configuration, &shared).unwrap();
    one.tick().unwrap();
    two.tick().unwrap();
    assert_eq!(two.calls_to("/v1/budgets").len(), 0);
    let first = one.calls_to("/v1/budgets").remove(0);
    one.answer(&first, &Answer::ok(r#"{"after":1,"counters":[]}"#)).unwrap();
    assert_eq!(exchange(&two, 3, 4), None, "what one worker has heard all know");
    // The one that reports is never ticked again.
    two.set_time(two.time() + 10_000);
    two.tick().unwrap();
    let said: Value = serde_json::from_slice(&two.calls_to("/v1/budgets")[0].body).unwrap();
    let before: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(said["reporter"], before["reporter"], "one name for one Envoy");
    assert_eq!(said["counters"][0]["used"]["outputTokens"], 4);
}

#[test]
fn memory_does_not_grow_with_windows_that_have_ended() {
    let shared = Shared::default();
    let configuration = budgets(&json!([{ "name": "rate", "requests": 5, "window": "1s" }]));
    let host = Host::with_shared(filter(), &configuration, &shared).unwrap();
    hear(&host, &json!([]));
    let size = || shared.borrow().values().map(|(value, _)| value.len()).sum::<usize>();
    let mut largest = 0;
    for second in 0..2000 {
        host.set_time(host.time() + 1000);
        assert_eq!(exchange(&host, 1, 1), None);
        if second == 300 {
            largest = size();
        }
    }
    assert!(size() <= largest + 1000, "{} bytes, after 300 windows {largest}", size());
    // Nobody comes any more: the tables empty themselves.
    for _ in 0..5 {
        tick_after(&host, 100_000);
        for call in host.calls_to("/v1/budgets") {
            host.answer(&call, &Answer::ok(r#"{"after":1,"counters":[]}"#)).unwrap();
        }
    }
    let rows = shared.borrow().iter().filter(|(_, (value, _))| value.starts_with(b"{\"rows\":[{")).count();
    assert_eq!(rows, 0);
}

#[test]
fn what_a_worker_that_died_had_reserved_is_given_back_after_an_hour() {
    let host = host(&day("outputTokens", json!(1000)));
    // Never finished.
    let _hung = begin(&host, &Prompt::new("hello"));
    assert_eq!(report(&host)["counters"][0]["reserved"]["outputTokens"], 1024);
    assert_eq!(exchange(&host, 1, 1).unwrap().status(), Some(429));
    tick_after(&host, 6000);
    let again = report(&host);
    assert_eq!(again["counters"][0]["reserved"]["outputTokens"], 1024, "control is reminded of it: {again}");
    host.set_time(host.time() + 3_600_000);
    assert_eq!(report(&host)["counters"][0]["reserved"]["outputTokens"], 0);
}

#[test]
fn two_budgets_of_which_one_refuses_leave_the_other_as_it_was() {
    let host = host(&json!([
        { "name": "wide", "outputTokens": 2000, "window": "24h" },
        { "name": "narrow", "outputTokens": 1000, "window": "1h" },
    ]));
    let first = begin(&host, &Prompt::new("hello"));
    for _ in 0..5 {
        let refused = begin(&host, &Prompt::new("hello"));
        assert_eq!(header(&refused.local_reply().unwrap(), "x-sluice-rule"), "narrow");
        refused.finish().unwrap();
    }
    first.finish().unwrap();
    let counters = report(&host)["counters"].as_array().unwrap().clone();
    assert!(counters.iter().all(|own| own["reserved"]["outputTokens"] == 0), "{counters:?}");
}

#[test]
fn a_message_that_ends_twice_is_counted_once() {
    let host = host(&day("tokens", json!(100_000)));
    let mut exchange = begin(&host, &Prompt::new("hello").streamed());
    answer_with_stream(&mut exchange);
    let mut all = vec![message_start()];
    all.extend(message_end("end_turn"));
    all.extend(message_end("end_turn"));
    exchange.response_body(&events(&all), true).unwrap();
    exchange.finish().unwrap();
    assert_eq!(used(&host), (1, 1, 9), "counts are of the whole message, not of the event");
}

#[test]
fn a_call_of_an_mcp_tool_over_its_budget_is_answered_as_a_call() {
    let host = host(&json!([{ "name": "minute", "requests": 1, "window": "1m" }]));
    let mut first = host.exchange().unwrap();
    mcp::send(&mut first, &mcp::call("read", &json!({})));
    assert!(first.sent_upstream().ended, "{:?}", first.local_reply());
    let mut second = host.exchange().unwrap();
    mcp::send(&mut second, &mcp::call("read", &json!({})));
    let answer = second.local_reply().unwrap();
    let message: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((header(&answer, ":status").as_str(), &message["id"]), ("200", &json!(7)), "{message}");
    assert_eq!(message["result"]["isError"], true, "{message}");
    assert!(message.to_string().contains("minute"), "{message}");
}
