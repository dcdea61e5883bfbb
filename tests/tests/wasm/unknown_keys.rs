//! Tokens whose key no bundle has: refused with a retry, and control is asked to look, not too often.

use sluice_tests::host::{Answer, Host};
use sluice_tests::issuer::Issuer;
use sluice_tests::prompt::Prompt;

use super::world::{NOW, bundle, host, issuer, send, signed, tick_after, token_of};

/// The answer to a token that key `kid` has signed; `None`: the request passed.
fn refused(host: &Host, issuer: &Issuer) -> Option<(u16, String)> {
    let mut exchange = host.exchange().unwrap();
    send(&mut exchange, &Prompt::new("hello"), &token_of("ann", "agents", issuer));
    let reply = exchange.local_reply();
    assert_eq!(reply.is_none(), exchange.sent_upstream().ended);
    exchange.finish().unwrap();
    reply.map(|reply| {
        let retry = reply.headers.as_ref().unwrap().get("x-should-retry");
        (reply.status().unwrap(), retry.unwrap())
    })
}

fn come_again() -> Option<(u16, String)> {
    Some((401, "true".to_owned()))
}

#[test]
fn an_unknown_key_is_looked_for_once_a_second_at_most() {
    let host = host("off");
    let mut looked = 0;
    for n in 0..50 {
        let kid = format!("key-{}", n % 7 + 2);
        assert_eq!(refused(&host, &Issuer::new(&kid, 8)), come_again());
        assert_eq!(refused(&host, &Issuer::new(&kid, 9)), come_again());
        tick_after(&host, 100);
        for call in host.calls_to("/v1/issuers/refresh") {
            looked += 1;
            assert_eq!((call.json()["issuer"].as_str(), call.context), (Some("id"), 1));
            host.answer(&call, &Answer::status(202, "")).unwrap();
        }
    }
    assert!((4..=6).contains(&looked), "{looked} calls in 5 seconds");
}

#[test]
fn a_known_key_with_a_wrong_signature_is_refused_for_good() {
    let host = host("off");
    assert_eq!(refused(&host, &Issuer::new("key-1", 8)), Some((401, "false".to_owned())));
    tick_after(&host, 2_000);
    assert_eq!(host.calls_to("/v1/issuers/refresh").len(), 0);
}

#[test]
fn a_key_that_control_finds_is_good_at_the_next_try() {
    let host = host("off");
    let new = Issuer::new("key-2", 8);
    assert_eq!(refused(&host, &new), come_again());
    tick_after(&host, 200);
    let mut renewed = bundle("off", "first", NOW + 1);
    let keys = new.jwks().get("keys").and_then(serde_json::Value::as_array).cloned().unwrap();
    renewed.keys[0].keys.extend(keys);
    let served = Answer::ok(serde_json::to_string(&signed(&renewed)).unwrap());
    host.answer(&host.calls_to("/v1/bundle")[0], &served).unwrap();
    assert_eq!(refused(&host, &new), None);
    assert_eq!(refused(&host, &issuer()), None);
}
