//! Who is calling: which tokens are taken, and what becomes of them.

use serde_json::{Value, json};
use sluice_tests::client::Reply;
use sluice_tests::issuer::{Issuer, now};
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, STAND_IN_KEY, Settings, Stack};
use tokio::sync::OnceCell;

static STACK: OnceCell<Stack> = OnceCell::const_new();

fn issuer() -> Issuer {
    Issuer::new("key-1", 7)
}

/// The default policy with one more issuer, whose keys are here.
async fn stack() -> &'static Stack {
    STACK
        .get_or_init(|| async {
            let other = format!(
                "issuers:\n- name: acme\n  issuer: https://id.acme.example\n  audiences: [sluice]\n  keys:\n    jwks: {}\n",
                issuer().jwks()
            );
            let policy = Policy::Text(DEFAULT_POLICY.replacen("issuers:\n", &other, 1));
            Stack::start(Settings { policy, ..Settings::default() }).await.unwrap()
        })
        .await
}

fn claims() -> Value {
    json!({
        "iss": "https://id.acme.example",
        "aud": "sluice",
        "sub": "jo@acme.example",
        "groups": ["readers"],
        "iat": now(),
        "exp": now() + 600,
    })
}

fn with(change: Value) -> Value {
    let mut claims = claims();
    for (name, value) in change.as_object().unwrap() {
        claims.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    claims
}

fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

async fn try_token(token: &str) -> Reply {
    Prompt::new("hello").ask(&stack().await.url, token).send().await.unwrap()
}

fn assert_refused(what: &str, reply: &Reply) {
    assert_eq!(reply.status, 401, "{what}: {}", reply.text());
    assert_eq!(reply.error_type(), "authentication_error", "{what}");
    assert_eq!(reply.header("x-should-retry"), Some("false"), "{what}");
    assert_eq!(reply.json().pointer("/type").and_then(Value::as_str), Some("error"), "{what}");
}

#[tokio::test]
async fn a_token_of_controls_own_issuer_is_taken() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    assert_eq!(try_token(&token).await.status, 200);
}

#[tokio::test]
async fn a_token_of_a_configured_issuer_is_taken_with_one_or_several_audiences() {
    for aud in [json!("sluice"), json!(["other", "sluice"])] {
        let reply = try_token(&issuer().sign(&with(json!({ "aud": aud })))).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

#[tokio::test]
async fn a_token_may_stand_in_either_header_or_in_both() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let url = format!("{}/v1/messages", stack.url);
    let body = Prompt::new("either header").body();
    let post = || sluice_tests::client::Ask::post(&url, body.clone());
    for ask in [
        post().bearer(&token),
        post().header("authorization", &format!("bearer {token}")),
        post().header("x-api-key", &token),
        post().bearer(&token).header("x-api-key", &token),
    ] {
        let reply = ask.send().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let other = stack.token("ben", &["readers"]).unwrap();
    let reply = post().bearer(&token).header("x-api-key", &other).send().await.unwrap();
    assert_refused("two tokens", &reply);
    assert_refused("no token", &post().send().await.unwrap());
}

#[tokio::test]
async fn the_model_sees_the_gateways_key_and_never_the_callers_token() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let reply = Prompt::new("whose key arrives").ask(&stack.url, &token).send().await.unwrap();
    assert_eq!(reply.status, 200);
    let arrived = stack.arrived("whose key arrives").await.unwrap();
    let arrived = arrived.first().unwrap();
    assert_eq!(arrived.header("x-api-key"), Some(STAND_IN_KEY));
    assert_eq!(arrived.header("authorization"), None);
    assert!(arrived.headers.iter().all(|(_, value)| !value.contains(&token)));
}

#[tokio::test]
async fn what_a_token_must_say_is_checked() {
    let cases = [
        ("expired", with(json!({ "exp": now() - 60 }))),
        ("without an end", without("exp")),
        ("an end that is no number", with(json!({ "exp": "tomorrow" }))),
        ("a life beyond the issuer's limit", with(json!({ "exp": now() + 25 * 3600 }))),
        ("not yet good", with(json!({ "nbf": now() + 300 }))),
        ("for someone else", with(json!({ "aud": "other" }))),
        ("for nobody", without("aud")),
        ("of an unknown issuer", with(json!({ "iss": "https://evil.example" }))),
        ("of no issuer", without("iss")),
        ("of nobody", without("sub")),
    ];
    for (what, claims) in cases {
        assert_refused(what, &try_token(&issuer().sign(&claims)).await);
    }
}

#[tokio::test]
async fn what_a_token_is_signed_with_is_checked() {
    let issuer = issuer();
    let good = issuer.sign(&claims());
    let (text, _) = good.rsplit_once('.').unwrap();
    let cases = [
        ("another key of the same name", Issuer::new("key-1", 8).sign(&claims())),
        ("a key that nobody published", Issuer::new("key-2", 8).sign(&claims())),
        ("no algorithm", issuer.sign_with_header(&json!({ "alg": "none", "kid": "key-1" }), &claims())),
        ("another algorithm", issuer.sign_with_header(&json!({ "alg": "HS256", "kid": "key-1" }), &claims())),
        ("no signature", format!("{text}.")),
        ("not a token", "sk-ant-api03-0123456789".to_owned()),
    ];
    for (what, token) in cases {
        assert_refused(what, &try_token(&token).await);
    }
}

#[tokio::test]
async fn a_token_that_was_good_is_refused_once_it_has_expired() {
    // The skew is 30 s: this one ended 28 s ago.
    let token = issuer().sign(&with(json!({ "exp": now() - 28 })));
    assert_eq!(try_token(&token).await.status, 200);
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_refused("expired meanwhile", &try_token(&token).await);
}
