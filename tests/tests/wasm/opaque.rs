//! Opaque tokens: the exchange waits until control has said whose they are.

use serde_json::{Value, json};
use sluice_tests::host::{Answer, Exchange, Host};
use sluice_tests::prompt::Prompt;

use super::world::{NOW, bundle, calls_to, headers, host, host_with, only_call, recorded, send, signed};

const INTROSPECT: &str = "/v1/introspect";

/// A host whose policy has an issuer of opaque tokens.
fn asking(mode: &str) -> Host {
    host_with(mode, &json!({"issuers": introspecting()}), &json!({}))
}

fn introspecting() -> Value {
    let mut issuers = json!(bundle("off", "first", NOW).policy.issuers);
    issuers[0]["introspection"] = json!({"url": "https://pam.example/introspect", "clientId": "sluice"});
    issuers
}

fn active(seconds: u64) -> Answer {
    let expires_ms = (NOW + seconds) * 1000;
    let principal: Value = json!({
        "issuer": "id", "subject": "ann", "groups": ["agents"], "scopes": null, "expiresMs": expires_ms,
    });
    Answer::ok(json!({"active": principal}).to_string())
}

fn refused() -> Answer {
    Answer::ok(json!({"refused": {"rule": "inactive", "message": "it is not good"}}).to_string())
}

fn answer(exchange: &mut Exchange<'_>, answer: &Answer) {
    let call = only_call(exchange, INTROSPECT);
    exchange.answer(&call, answer).unwrap();
}

#[test]
fn a_request_goes_on_once_control_has_said_whose_it_is_and_the_answer_is_kept() {
    for mode in ["off", "before-forward"] {
        let host = asking(mode);
        let mut exchange = host.exchange().unwrap();
        send(&mut exchange, &Prompt::new("hello"), "opaque");
        assert_eq!(exchange.sent_upstream().headers, None, "nothing moves before the answer");
        let call = only_call(&exchange, INTROSPECT);
        assert!(String::from_utf8_lossy(&call.body).contains("\"opaque\""));
        exchange.answer(&call, &active(60)).unwrap();
        if mode == "before-forward" {
            let asked = calls_to(&exchange, "/v1/exchanges");
            assert_eq!(asked.len(), 1, "{}", host.log());
            exchange.answer(&asked[0], &recorded()).unwrap();
        }
        let sent = exchange.sent_upstream();
        assert!(sent.ended && sent.text().contains("hello"), "{}", host.log());
        assert_eq!(sent.headers.unwrap().get("authorization"), None);

        let mut second = host.exchange().unwrap();
        send(&mut second, &Prompt::new("again"), "opaque");
        assert!(calls_to(&second, INTROSPECT).is_empty(), "known until its end");
        host.set_time((NOW + 61) * 1000);
        let mut third = host.exchange().unwrap();
        send(&mut third, &Prompt::new("again"), "opaque");
        assert_eq!(calls_to(&third, INTROSPECT).len(), 1, "and asked about again after it");
    }
}

#[test]
fn an_answer_may_come_before_between_and_after_the_parts_of_the_body() {
    let body = Prompt::new("hello").body();
    for parts in 0..3 {
        let host = asking("off");
        let mut exchange = host.exchange().unwrap();
        exchange.request_headers(&headers("opaque", body.len()), false).unwrap();
        for part in 0..3 {
            if part == parts {
                answer(&mut exchange, &active(60));
            }
            match part {
                0 => exchange.request_body(body.as_bytes(), false).map(|_| ()).unwrap(),
                1 => exchange.request_body(b"", true).map(|_| ()).unwrap(),
                _ => {}
            }
        }
        let sent = exchange.sent_upstream();
        assert!(sent.ended && sent.text().contains("hello"), "{parts}: {}", host.log());
    }
}

#[test]
fn nobodys_token_is_refused_and_not_asked_about_again_at_once() {
    let host = asking("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), "opaque");
    answer(&mut exchange, &refused());
    let reply = exchange.local_reply().unwrap();
    assert_eq!((reply.status(), exchange.sent_upstream().headers), (Some(401), None));
    assert!(reply.text().contains("it is not good"), "{}", reply.text());
    let mut second = host.exchange().unwrap();
    send(&mut second, &Prompt::new("hello"), "opaque");
    assert_eq!((second.local_reply().unwrap().status(), calls_to(&second, INTROSPECT).len()), (Some(401), 0));
    host.set_time((NOW + 6) * 1000);
    let mut third = host.exchange().unwrap();
    send(&mut third, &Prompt::new("hello"), "opaque");
    assert_eq!(calls_to(&third, INTROSPECT).len(), 1);
}

#[test]
fn without_an_answer_nobody_gets_in_and_the_client_comes_again() {
    let failures = [
        ("reset", Answer::Reset),
        ("timed out", Answer::timed_out()),
        ("away", Answer::status(503, "{}")),
        ("not JSON", Answer::ok("<html>")),
        ("a principal without an answer", Answer::status(401, r#"{"active":{}}"#)),
        ("one that is over", active(0)),
    ];
    for (what, failure) in failures {
        let host = asking("off");
        let mut exchange = host.exchange().unwrap();
        send(&mut exchange, &Prompt::new("hello"), "opaque");
        answer(&mut exchange, &failure);
        let reply = exchange.local_reply().unwrap_or_else(|| panic!("{what}: no reply"));
        assert_eq!(reply.status(), Some(503), "{what}");
        assert_eq!(reply.headers.as_ref().unwrap().get("x-should-retry").as_deref(), Some("true"), "{what}");
        assert_eq!((exchange.local_replies(), exchange.sent_upstream().headers), (1, None), "{what}");
        exchange.finish().unwrap();
    }
}

#[test]
fn an_answer_from_before_a_new_bundle_is_not_gone_by_since_the_bundle_may_revoke_it() {
    let host = asking("off");
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), "opaque");
    host.tick().unwrap();
    let mut newer = bundle("off", "second", NOW + 1);
    newer.policy.issuers = serde_json::from_value(introspecting()).unwrap();
    let poll = host.calls().into_iter().find(|call| call.path().starts_with("/v1/bundle")).unwrap();
    host.answer(&poll, &Answer::ok(serde_json::to_string(&signed(&newer)).unwrap())).unwrap();
    answer(&mut exchange, &active(60));
    assert_eq!(
        (exchange.local_reply().unwrap().status(), exchange.sent_upstream().headers),
        (Some(503), None)
    );
    let mut again = host.exchange().unwrap();
    send(&mut again, &Prompt::new("hello"), "opaque");
    assert_eq!(calls_to(&again, INTROSPECT).len(), 1, "nothing was kept");
}

#[test]
fn where_no_issuer_has_opaque_tokens_nobody_is_asked_and_a_client_may_leave_while_one_is() {
    let plain = host("off");
    let mut exchange = plain.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), "opaque");
    assert_eq!((exchange.local_reply().unwrap().status(), exchange.calls().len()), (Some(401), 0));

    let asked = asking("off");
    let mut exchange = asked.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), "opaque");
    assert_eq!(exchange.calls().len(), 1);
    exchange.finish().unwrap();
    asked.tick().unwrap();
}
