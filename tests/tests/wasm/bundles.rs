//! Where the filter takes its bundle from, and which it keeps out.

use ed25519_dalek::SigningKey;
use serde_json::json;
use sluice_engine::policy::bundle::SignedBundle;
use sluice_tests::host::{Answer, Host, Shared};
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;

use super::world::{
    NOW, answer_with_stream, bundle, call_events, configuration, filter, host_with, send, signed, tick_after,
    token,
};

/// The message of the rule in force, told by a refused call; `None`: there is no bundle.
fn in_force(host: &Host) -> Option<String> {
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
    if let Some(reply) = exchange.local_reply() {
        assert_eq!(reply.status(), Some(503), "{}", reply.text());
        assert_eq!(reply.headers.unwrap().get("x-should-retry").as_deref(), Some("true"));
        return None;
    }
    answer_with_stream(&mut exchange);
    exchange.response_body(&call_events("Bash", &["{\"command\":\"rm -rf /\"}"]), false).unwrap();
    exchange.response_body(b"", true).unwrap();
    let said = Said::from_stream(&exchange.received().body).unwrap().text();
    exchange.finish().unwrap();
    ["first", "second"].iter().find(|word| said.contains(*word)).map(|word| (*word).to_owned())
}

/// Ticks until the filter asks for a bundle, and answers.
fn deliver(host: &Host, answer: &Answer) {
    for _ in 0..20 {
        if let Some(call) = host.calls_to("/v1/bundle").first() {
            host.answer(call, answer).unwrap();
            host.tick().unwrap();
            return;
        }
        host.set_time(host.time() + 1_000);
        host.tick().unwrap();
    }
    panic!("the filter never asked for a bundle:\n{}", host.log());
}

fn served(bundle: &SignedBundle) -> Answer {
    Answer::ok(serde_json::to_string(bundle).unwrap())
}

#[test]
fn without_a_bundle_nothing_passes() {
    let host = Host::new(filter(), &configuration(None)).unwrap();
    host.tick().unwrap();
    assert_eq!(in_force(&host), None);
    deliver(&host, &served(&signed(&bundle("off", "first", NOW))));
    assert_eq!(in_force(&host).as_deref(), Some("first"));
}

#[test]
fn an_inline_bundle_serves_until_control_has_a_newer_one() {
    let inline = signed(&bundle("off", "first", NOW));
    let host = Host::new(filter(), &configuration(Some(&inline))).unwrap();
    assert_eq!(in_force(&host).as_deref(), Some("first"));
    deliver(&host, &Answer::refused());
    assert_eq!(in_force(&host).as_deref(), Some("first"));
    deliver(&host, &served(&signed(&bundle("off", "second", NOW + 10))));
    assert_eq!(in_force(&host).as_deref(), Some("second"));
}

#[test]
fn a_bundle_that_is_forged_older_or_broken_is_kept_out() {
    let forged =
        SignedBundle::sign(&bundle("off", "second", NOW + 10), &SigningKey::from_bytes(&[4; 32])).unwrap();
    let good = signed(&bundle("off", "second", NOW + 10));
    let altered =
        SignedBundle { payload: good.payload.replace("second", "thirdx"), signature: good.signature };
    let mut future = bundle("off", "second", NOW + 10);
    future.format = 99;
    let cases = [
        ("forged", served(&forged)),
        ("altered", served(&altered)),
        ("older", served(&signed(&bundle("off", "second", NOW - 10)))),
        ("of another format", served(&signed(&future))),
        ("not JSON", Answer::ok("<html>")),
        ("empty", Answer::ok("")),
        ("reset", Answer::Reset),
        ("refused", Answer::refused()),
    ];
    for (what, answer) in cases {
        let inline = signed(&bundle("off", "first", NOW));
        let host = Host::new(filter(), &configuration(Some(&inline))).unwrap();
        deliver(&host, &answer);
        assert_eq!(in_force(&host).as_deref(), Some("first"), "{what}");
    }
}

#[test]
fn one_of_two_vms_polls_and_both_get_the_bundle() {
    let shared = Shared::default();
    let configuration = configuration(None);
    let one = Host::with_shared(filter(), &configuration, &shared).unwrap();
    let two = Host::with_shared(filter(), &configuration, &shared).unwrap();
    for _ in 0..5 {
        one.tick().unwrap();
        two.tick().unwrap();
    }
    let polls = one.calls_to("/v1/bundle").len() + two.calls_to("/v1/bundle").len();
    assert_eq!(polls, 1, "{} {}", one.log(), two.log());
    let poller = if one.calls_to("/v1/bundle").is_empty() { &two } else { &one };
    deliver(poller, &served(&signed(&bundle("off", "first", NOW))));
    for host in [&one, &two] {
        host.tick().unwrap();
        assert_eq!(in_force(host).as_deref(), Some("first"));
    }
}

#[test]
fn a_poller_that_dies_is_replaced() {
    let shared = Shared::default();
    let configuration = configuration(None);
    let one = Host::with_shared(filter(), &configuration, &shared).unwrap();
    let two = Host::with_shared(filter(), &configuration, &shared).unwrap();
    one.tick().unwrap();
    two.tick().unwrap();
    let other = if one.calls_to("/v1/bundle").is_empty() { &one } else { &two };
    // The poller is never ticked again; time goes on.
    for _ in 0..120 {
        other.set_time(other.time() + 1_000);
        other.tick().unwrap();
        if !other.calls_to("/v1/bundle").is_empty() {
            return;
        }
    }
    panic!("nobody took over");
}

/// The status of the filter's own answer to a request that may pass; `None`: it passed.
fn status(host: &Host) -> Option<u16> {
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), &token("agents"));
    let reply = exchange.local_reply();
    if let Some(reply) = &reply {
        assert_eq!(reply.json()["error"]["type"], "overloaded_error");
        assert_eq!(reply.headers.as_ref().unwrap().get("x-should-retry").as_deref(), Some("true"));
        assert!(reply.headers.as_ref().unwrap().get("retry-after").is_some());
        assert_eq!(exchange.sent_upstream().headers, None);
    } else {
        assert!(exchange.sent_upstream().ended);
    }
    exchange.finish().unwrap();
    reply.and_then(|reply| reply.status())
}

#[test]
fn while_control_is_away_enforcement_goes_on_until_the_bundle_is_too_old() {
    let host = host_with("off", &json!({ "limits": { "bundleAge": "60s" } }), &json!({}));
    let mut begun = host.exchange().unwrap();
    send(&mut begun, &Prompt::new("hello").streamed().tool("Bash"), &token("agents"));
    for second in 1..=60 {
        tick_after(&host, 1_000);
        for poll in host.calls_to("/v1/bundle") {
            let failure = if second % 2 == 0 { Answer::refused() } else { Answer::Reset };
            host.answer(&poll, &failure).unwrap();
        }
        if second % 20 == 0 {
            assert_eq!(in_force(&host).as_deref(), Some("first"), "after {second} s");
        }
    }
    tick_after(&host, 1_000);
    assert_eq!(status(&host), Some(503));
    // What began under it ends under it.
    answer_with_stream(&mut begun);
    begun.response_body(&call_events("Bash", &["{\"command\":\"rm -rf /\"}"]), true).unwrap();
    assert_eq!(Said::from_stream(&begun.received().body).unwrap().calls(), []);
    // The same policy, signed again, is good again.
    deliver(&host, &served(&signed(&bundle("off", "first", NOW + 61))));
    assert_eq!(status(&host), None);
    assert_eq!(in_force(&host).as_deref(), Some("first"));
}
