//! Tokens of other issuers, exchanged for those of control.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sluice_control::tokens::{Claims, Issuer};

use super::harness::Service;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// An identity provider whose keys stand in the policy.
pub fn corp() -> Issuer {
    let key = ed25519_dalek::SigningKey::from_bytes(&[42; 32]);
    Issuer { url: "https://corp.example".into(), key }
}

pub async fn service() -> Service {
    let mut service = Service::start().await;
    let policy = json!({"issuers": [{
        "name": "corp", "issuer": "https://corp.example", "audiences": ["sluice"], "keys": {"jwks": {"keys": [corp().jwk()]}},
    }]});
    fs::write(service.policy().join("corp.yaml"), policy.to_string()).unwrap();
    service.kill();
    service.run().await;
    service
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

pub fn identity(subject: &str, scopes: Option<&[&str]>, lifetime: u64) -> String {
    acting(subject, None, scopes, lifetime)
}

/// The same for somebody who acts on the subject's behalf.
fn acting(subject: &str, actor: Option<&str>, scopes: Option<&[&str]>, lifetime: u64) -> String {
    let claims = Claims {
        subject: subject.into(),
        actor: actor.map(str::to_owned),
        groups: vec!["auditors".into()],
        scopes: scopes.map(|scopes| scopes.iter().map(|s| (*s).into()).collect()),
        audience: "sluice".into(),
        via: None,
        from: None,
        lifetime,
    };
    corp().mint(&claims, now_ms()).unwrap().token
}

pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub fn form(fields: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(fields).unwrap()
}

pub async fn exchange(service: &Service, fields: &[(&str, &str)]) -> (u16, Value) {
    let (status, answer) = service.post("/v1/oauth/token", FORM, &form(fields)).await;
    (status.as_u16(), answer)
}

#[tokio::test]
async fn an_identity_token_becomes_one_of_controls_for_the_same_principal() {
    let service = service().await;
    // As the Anthropic SDKs send it.
    let body = json!({
        "grant_type": JWT_BEARER, "assertion": identity("ana", None, 600), "federation_rule_id": "fdrl_x",
        "organization_id": "3f8e0b1c-0000-0000-0000-000000000000",
    });
    let (status, answer) = service.post("/v1/oauth/token", "application/json", &body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let token = answer["access_token"].as_str().unwrap();
    let claims = claims(token);
    for (name, value) in [("sub", "ana"), ("via", "corp"), ("iss", "http://sluice.test"), ("aud", "sluice")] {
        assert_eq!(claims[name], value, "{name}");
    }
    // It is taken where tokens are taken, and is who it was.
    let (status, _) = service.call(Method::GET, "/v1/sessions", token, None).await;
    assert_eq!(status, 200);
    let export = service.cli(token, &["records", "export"]);
    let export = String::from_utf8(export.stdout).unwrap();
    assert!(export.contains("\"issuer\":\"corp\",\"subject\":\"ana\""), "{export}");
    assert!(!export.contains(token.rsplit('.').next().unwrap()), "the token itself is written nowhere");
}

#[tokio::test]
async fn who_acts_on_anothers_behalf_stays_named_and_decides_nothing_in_their_name() {
    let service = service().await;
    let shown = acting("ana", Some("agent-7"), None, 600);
    let fields = [("grant_type", EXCHANGE), ("subject_token", shown.as_str()), ("subject_token_type", JWT)];
    let (status, answer) = exchange(&service, &fields).await;
    assert_eq!(status, 200, "{answer}");
    let given = answer["access_token"].as_str().unwrap();
    assert_eq!(claims(given)["act"], json!({"sub": "agent-7"}));
    for token in [shown.as_str(), given] {
        for (method, path) in
            [(Method::GET, "/v1/sessions"), (Method::GET, "/v1/holds"), (Method::POST, "/v1/grants")]
        {
            let (status, problem) = service.call(method, path, token, Some(&json!({}))).await;
            assert_eq!(status, 403, "{path}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains("on another's behalf"), "{problem}");
        }
    }
    let export = service.cli(&identity("ana", None, 600), &["records", "export"]);
    let export = String::from_utf8(export.stdout).unwrap();
    assert!(export.contains("\"actor\":\"agent-7\""), "{export}");
}

#[tokio::test]
async fn a_token_exchange_narrows_and_never_widens() {
    let service = service().await;
    let narrow = identity("ana", Some(&["messages.create", "batches.*"]), 600);
    let ask = |scope: &'static str| {
        let fields =
            [("grant_type", EXCHANGE), ("subject_token", narrow.as_str()), ("subject_token_type", JWT)];
        fields.into_iter().chain([("scope", scope)]).collect::<Vec<_>>()
    };
    let (status, answer) = exchange(&service, &ask("batches.read")).await;
    assert_eq!((status, &answer["scope"]), (200, &json!("batches.read")), "{answer}");
    assert_eq!(answer["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    let whole = identity("ana", None, 600);
    let fields = [
        ("grant_type", EXCHANGE),
        ("subject_token", whole.as_str()),
        ("subject_token_type", JWT),
        ("scope", "*"),
    ];
    let (_, answer) = exchange(&service, &fields).await;
    let (status, _) =
        service.call(Method::GET, "/v1/sessions", answer["access_token"].as_str().unwrap(), None).await;
    assert_eq!(status, 403, "a star covers nothing, here as at the gateway");
    for scope in ["files.read", "batches.read files.read", "*", "messages.*"] {
        let (status, answer) = exchange(&service, &ask(scope)).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_scope")), "{scope}: {answer}");
    }
}

#[tokio::test]
async fn a_token_that_was_exchanged_does_not_live_longer_by_being_exchanged_again() {
    let service = service().await;
    let own = service.token("ana", "auditors");
    let left = claims(&own)["exp"].as_u64().unwrap();
    let fields = [("grant_type", EXCHANGE), ("subject_token", own.as_str()), ("subject_token_type", JWT)];
    let (status, answer) = exchange(&service, &fields).await;
    assert_eq!(status, 200, "{answer}");
    assert!(claims(answer["access_token"].as_str().unwrap())["exp"].as_u64().unwrap() <= left);
}

#[tokio::test]
async fn what_cannot_be_exchanged_is_refused_in_the_words_of_the_standard() {
    let service = service().await;
    let good = identity("ana", None, 600);
    let stranger =
        Issuer { url: "https://corp.example".into(), key: ed25519_dalek::SigningKey::from_bytes(&[1; 32]) };
    let forged = stranger.mint(
        &Claims { subject: "ana".into(), audience: "sluice".into(), lifetime: 60, ..Claims::default() },
        now_ms(),
    );
    let forged = forged.unwrap().token;
    let bearer = |token| vec![("grant_type", JWT_BEARER), ("assertion", token)];
    for (fields, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", JWT_BEARER)], "invalid_request"),
        (bearer("nonsense"), "invalid_grant"),
        (bearer(&forged), "invalid_grant"),
        (bearer(&identity("ana", None, 0).chars().take(20).collect::<String>()), "invalid_grant"),
        (vec![("grant_type", EXCHANGE), ("subject_token", &good)], "invalid_request"),
        (
            vec![("grant_type", EXCHANGE), ("subject_token", &good), ("subject_token_type", "urn:x")],
            "invalid_request",
        ),
        (
            vec![
                ("grant_type", EXCHANGE),
                ("subject_token", &good),
                ("subject_token_type", JWT),
                ("actor_token", &good),
            ],
            "invalid_request",
        ),
        (vec![("grant_type", JWT_BEARER), ("assertion", &good), ("assertion", &forged)], "invalid_request"),
    ] {
        let (status, answer) = exchange(&service, &fields).await;
        assert_eq!((status, &answer["error"]), (400, &json!(error)), "{answer}");
        assert!(!answer.to_string().contains(good.get(..30).unwrap()), "a token is not repeated");
    }
    let (status, answer) = service.post("/v1/oauth/token", "text/plain", "x").await;
    assert_eq!((status.as_u16(), &answer["error"]), (400, &json!("invalid_request")));
}
