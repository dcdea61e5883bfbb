//! Opaque tokens, by what their issuer says of them.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{Method, header};
use axum::routing::post;
use axum::{Router, extract::State};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{POLICY, Service};
use super::tokens::{EXCHANGE, claims, corp, exchange};

/// An issuer that introspects: what it answers next, and what it was asked.
#[derive(Clone, Default)]
struct Pam(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    answer: Value,
    status: u16,
    /// Credentials and body of each question.
    asked: Vec<(String, String)>,
}

impl Pam {
    async fn start() -> (Self, String) {
        let pam = Self::default();
        let app = Router::new().route("/introspect", post(answer)).with_state(pam.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/introspect", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        (pam, url)
    }

    fn says(&self, answer: Value) {
        let mut inner = self.0.lock().unwrap();
        (inner.answer, inner.status) = (answer, 200);
    }

    fn fails(&self, status: u16) {
        self.0.lock().unwrap().status = status;
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().asked.clone()
    }
}

async fn answer(
    State(pam): State<Pam>,
    headers: axum::http::HeaderMap,
    body: String,
) -> (axum::http::StatusCode, String) {
    let credentials = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
    let mut inner = pam.0.lock().unwrap();
    inner.asked.push((credentials, body));
    let text = inner.answer.as_str().map_or_else(|| inner.answer.to_string(), str::to_owned);
    (axum::http::StatusCode::from_u16(inner.status).unwrap(), text)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn good(change: Value) -> Value {
    let mut good = json!({
        "active": true, "sub": "ana", "exp": now() + 600, "iat": now(), "aud": ["other", "sluice"],
        "realm": {"roles": ["auditors"]}, "scope": "openid records.read", "jti": "o1",
    });
    good.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    good.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    good
}

async fn service() -> (Service, Pam, TempDir) {
    let (pam, url) = Pam::start().await;
    let issuer = json!({
        "name": "pam", "issuer": "https://pam.example", "audiences": ["sluice"], "claims": {"groups": "realm.roles"},
        "keys": {"jwks": {"keys": [corp().jwk()]}},
        "introspection": {"url": url, "clientId": "slu ice", "longest": "30s"},
    });
    let policy = POLICY.replacen("issuers:\n", &format!("issuers:\n  - {issuer}\n"), 1);
    let secrets = tempfile::tempdir().unwrap();
    fs::write(secrets.path().join("pam"), "s3:cret\n").unwrap();
    let directory = secrets.path().to_str().unwrap();
    (Service::start_as(&policy, &["--introspection-secrets", directory]).await, pam, secrets)
}

async fn whose(service: &Service, token: &str) -> (u16, Value) {
    let (status, answer) =
        service.filter(Method::POST, "/v1/introspect", Some(&json!({"token": token}))).await;
    (status.as_u16(), answer)
}

#[tokio::test]
async fn an_opaque_token_is_who_its_issuer_says_for_no_longer_than_the_policy_lets_an_answer_count() {
    let (service, pam, _secrets) = service().await;
    pam.says(good(json!({})));
    let (status, answer) = whose(&service, "opaque+token=").await;
    assert_eq!(status, 200, "{answer}");
    let principal = &answer["active"];
    assert_eq!((&principal["issuer"], &principal["subject"]), (&json!("pam"), &json!("ana")), "{answer}");
    assert_eq!(
        (&principal["groups"], &principal["scopes"]),
        (&json!(["auditors"]), &json!(["records.read"]))
    );
    let left = principal["expiresMs"].as_u64().unwrap() / 1000 - now();
    assert!((25..=30).contains(&left), "{left}");
    let asked = pam.asked();
    assert_eq!(asked[0].0, "Basic c2x1JTIwaWNlOnMzJTNBY3JldA==", "slu%20ice:s3%3Acret");
    assert_eq!(asked[0].1, "token=opaque%2Btoken%3D&token_type_hint=access_token");

    pam.says(good(json!({"exp": now() + 5})));
    let left = whose(&service, "t").await.1["active"]["expiresMs"].as_u64().unwrap() / 1000;
    assert!(left <= now() + 5, "no longer than the token itself");

    // People use control with such a token, and exchange it.
    pam.says(good(json!({})));
    assert_eq!(service.call(Method::GET, "/v1/sessions", "opaque", None).await.0, 200);
    let at = "urn:ietf:params:oauth:token-type:access_token";
    let fields = [("grant_type", EXCHANGE), ("subject_token", "opaque"), ("subject_token_type", at)];
    let (status, answer) = exchange(&service, &fields).await;
    assert_eq!(status, 200, "{answer}");
    let claims = claims(answer["access_token"].as_str().unwrap());
    assert_eq!((&claims["via"], &claims["from"]), (&json!("pam"), &json!([["pam", "o1"]])));
    assert_eq!(service.filter(Method::POST, "/v1/introspect", None).await.0, 400);
    assert_eq!(service.call(Method::POST, "/v1/introspect", "x", Some(&json!({"token": "t"}))).await.0, 401);
}

#[tokio::test]
async fn what_an_issuer_does_not_vouch_for_in_every_point_is_nobodys() {
    let (service, pam, _secrets) = service().await;
    for (answer, rule) in [
        (json!({"active": false}), "inactive"),
        (json!({}), "inactive"),
        (good(json!({"active": "true"})), "inactive"),
        (good(json!({"exp": null})), "no_expiry"),
        (good(json!({"exp": now() - 60})), "expired"),
        (good(json!({"exp": now() + 90_000})), "too_long_lived"),
        (good(json!({"nbf": now() + 90})), "not_yet_valid"),
        (good(json!({"aud": "other"})), "audience"),
        (good(json!({"iss": "https://other.example"})), "issuer"),
        (good(json!({"sub": null})), "malformed"),
        (good(json!({"realm": {"roles": [1]}})), "malformed"),
        (json!("{\"active\":false,\"active\":true,\"sub\":\"ana\",\"exp\":9999999999}"), "malformed"),
        (json!([]), "malformed"),
    ] {
        pam.says(answer.clone());
        let (status, told) = whose(&service, "t").await;
        assert_eq!((status, &told["refused"]["rule"]), (200, &json!(rule)), "{answer} {told}");
        assert_eq!(service.call(Method::GET, "/v1/sessions", "t", None).await.0, 401);
    }
    // Without an audience the answer counts: the issuer gave it to a client of its own (RFC 7662, section 2.2).
    pam.says(good(json!({"aud": null})));
    assert_eq!(whose(&service, "t").await.1["active"]["subject"], "ana");
}

#[tokio::test]
async fn while_the_issuer_is_away_nobody_gets_in_and_all_are_told_to_come_again() {
    let (service, pam, secrets) = service().await;
    for status in [401, 500, 302] {
        pam.fails(status);
        assert_eq!(whose(&service, "t").await.0, 503, "{status}");
        assert_eq!(service.call(Method::GET, "/v1/sessions", "t", None).await.0, 503);
    }
    fs::remove_file(secrets.path().join("pam")).unwrap();
    pam.says(good(json!({})));
    assert_eq!(whose(&service, "t").await.0, 503, "without a secret nobody is asked");
    let before = pam.asked().len();
    let own = service.token("eve", "auditors");
    assert_eq!(service.call(Method::GET, "/v1/sessions", &own, None).await.0, 200, "a JWT needs no question");
    assert_eq!(pam.asked().len(), before);
}

#[tokio::test]
async fn an_opaque_token_is_revoked_as_any_other() {
    let (service, pam, _secrets) = service().await;
    pam.says(good(json!({"jti": null})));
    assert_eq!(whose(&service, "opaque").await.1["active"]["subject"], "ana");
    let (status, _) = service.post("/v1/oauth/revoke", "application/json", r#"{"token":"opaque"}"#).await;
    assert_eq!(status, 200);
    let start = std::time::Instant::now();
    while whose(&service, "opaque").await.1["refused"]["rule"] != "revoked" {
        assert!(start.elapsed() < std::time::Duration::from_secs(10));
    }
    assert_eq!(whose(&service, "another").await.1["active"]["subject"], "ana");
}
