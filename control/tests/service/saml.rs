//! SAML assertions for tokens, signed by an identity provider that nobody here wrote (npm `saml`).

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use serde_json::{Value, json};
use sluice_engine::wire;

use super::harness::{POLICY, Service, sluice};
use super::postgres::database;
use super::tokens::{EXCHANGE, claims, exchange};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:saml2-bearer";
const IDP: &str = "https://idp.example/metadata";

/// A key and its certificate, as PEM.
static KEY: LazyLock<(String, String)> = LazyLock::new(|| {
    let key = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap();
    let private = key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
    let pair = rcgen::KeyPair::from_pem(&private).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["idp.example".into()]).unwrap().self_signed(&pair);
    (private, certificate.unwrap().pem())
});

/// An assertion about `ana` as the provider signs it, changed in these options.
fn assertion(change: Value) -> String {
    let mut options = json!({
        "key": KEY.0, "cert": KEY.1, "issuer": IDP, "lifetimeInSeconds": 300, "audiences": "sluice",
        "recipient": "http://sluice.test/v1/oauth/token", "nameIdentifier": "ana", "sessionIndex": "_s",
        "attributes": {"https://idp.example/groups": ["auditors", "staff"], "mail": "ana@example.com"},
    });
    options.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/provider/assertion.mjs");
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients/provider");
    let mut child = Command::new("node")
        .arg(clients)
        .arg(modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node, and the clients that `make clients` installs");
    serde_json::to_writer(child.stdin.take().unwrap(), &options).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    URL_SAFE_NO_PAD.encode(out.stdout)
}

fn policy() -> String {
    let issuer = json!({
        "name": "idp", "issuer": IDP, "audiences": ["sluice"], "keys": "none", "refresh": "8h",
        "saml": {"certificates": [KEY.1]}, "claims": {"groups": "https://idp.example/groups"},
    });
    POLICY.replacen("issuers:\n", &format!("issuers:\n  - {issuer}\n"), 1)
}

async fn service() -> Service {
    Service::start_as(&policy(), &[]).await
}

async fn shown(service: &Service, assertion: &str) -> (u16, Value) {
    exchange(service, &[("grant_type", GRANT), ("assertion", assertion)]).await
}

#[tokio::test]
async fn an_assertion_becomes_a_token_for_whom_it_is_about_once() {
    let service = service().await;
    let assertion_1 = assertion(json!({"uid": "one"}));
    let (status, answer) = shown(&service, &assertion_1).await;
    assert_eq!((status, &answer["expires_in"]), (200, &json!(3600)), "{answer}");
    let token = answer["access_token"].as_str().unwrap();
    let said = claims(token);
    for (name, value) in [
        ("sub", json!("ana")),
        ("via", json!("idp")),
        ("groups", json!(["auditors", "staff"])),
        ("from", json!([["idp", "_one"]])),
    ] {
        assert_eq!(said[name], value, "{name}");
    }
    assert_eq!(service.call(Method::GET, "/v1/sessions", token, None).await.0, 200, "it is taken");

    // The same id again is the same assertion, however it is written.
    for again in [assertion_1, assertion(json!({"uid": "one", "nameIdentifier": "eve"}))] {
        let (status, told) = shown(&service, &again).await;
        assert_eq!((status, &told["error"]), (400, &json!("invalid_grant")), "{told}");
        assert!(told["error_description"].as_str().unwrap().contains("used before"), "{told}");
    }

    // By token exchange, narrowed, with padding, and to last.
    let padded = STANDARD.encode(URL_SAFE_NO_PAD.decode(assertion(json!({}))).unwrap());
    let padded = padded.replace('+', "-").replace('/', "_");
    let fields = [
        ("grant_type", EXCHANGE),
        ("subject_token", padded.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
        ("scope", "offline_access messages.create"),
    ];
    let (status, answer) = exchange(&service, &fields).await;
    assert_eq!((status, &answer["scope"]), (200, &json!("messages.create")), "{answer}");
    let refresh = answer["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(exchange(&service, &fields).await.0, 200);
    // A wish that is refused does not use it up.
    let kept = assertion(json!({}));
    let fields = [
        ("grant_type", EXCHANGE),
        ("subject_token", kept.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
        ("requested_token_type", "urn:x"),
    ];
    assert_eq!(exchange(&service, &fields).await.0, 400);
    assert_eq!(shown(&service, &kept).await.0, 200);
}

#[tokio::test]
async fn what_was_given_for_an_assertion_ends_with_it_when_it_is_revoked() {
    let service = service().await;
    let token = shown(&service, &assertion(json!({"uid": "gone"}))).await.1["access_token"].clone();
    let token = token.as_str().unwrap();
    let operator = service.token("olga", "operators");
    let out = service
        .cli(&operator, &["tokens", "revoke", "--issuer", "idp", "--id", "_gone", "--reason", "stolen"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let start = std::time::Instant::now();
    while service.call(Method::GET, "/v1/sessions", token, None).await.0 != 401 {
        assert!(start.elapsed() < std::time::Duration::from_secs(10));
    }
}

#[tokio::test]
async fn an_assertion_that_is_wrong_in_one_point_gets_nothing() {
    let service = service().await;
    let stranger = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap();
    let stranger = stranger.to_pkcs8_pem(LineEnding::LF).unwrap().to_string();
    let good = assertion(json!({}));
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(&good).unwrap()).unwrap();
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    for (assertion, word) in [
        (assertion(json!({"audiences": "other"})), "audience"),
        (assertion(json!({"audiences": []})), "audience"),
        (
            assertion(json!({"recipient": "https://other.example/v1/oauth/token"})),
            "must be http://sluice.test/v1/oauth/token",
        ),
        (assertion(json!({"recipient": "http://sluice.test/v1/oauth/token/"})), "another place"),
        (assertion(json!({"lifetimeInSeconds": -60})), "expired"),
        (assertion(json!({"lifetimeInSeconds": 90_000})), "lives longer"),
        (assertion(json!({"issuer": "https://other.example"})), "none of those"),
        (assertion(json!({"key": stranger})), "no certificate of issuer `idp` signed"),
        (assertion(json!({"signatureAlgorithm": "rsa-sha1"})), "not signed by RSA"),
        (assertion(json!({"digestAlgorithm": "sha1"})), "digest"),
        (assertion(json!({"attributes": {"https://idp.example/groups": ["a", "b\u{7}"]}})), "taken"),
        (assertion(json!({"nameIdentifier": ""})), "subject"),
        (encoded(&text.replace(">ana<", ">eve<")), "no certificate"),
        (encoded(&text.replace(">ana<", ">an<!---->a<")), "comments"),
        (encoded(&format!("<!DOCTYPE a [<!ENTITY a \"x\">]>{text}")), "document types"),
        (encoded("nonsense"), "well-formed"),
        ("non sense".into(), "base64url"),
        (String::new(), "well-formed"),
    ] {
        let (status, told) = shown(&service, &assertion).await;
        assert_eq!((status, &told["error"]), (400, &json!("invalid_grant")), "{word}: {told}");
        let why = told["error_description"].as_str().unwrap();
        assert!(why.contains(word), "{word}: {why}");
        assert!(!why.contains("eve") && !why.contains("ana"), "nothing of it is repeated: {why}");
    }
    assert_eq!(shown(&service, &good).await.0, 200, "what it was made of is good");
    assert_eq!(exchange(&service, &[("grant_type", GRANT)]).await.1["error"], "invalid_request");
    let huge = "A".repeat(70_000);
    assert_eq!(shown(&service, &huge).await.0, 413);
}

#[tokio::test]
async fn without_the_program_assertions_are_refused_and_serve_and_check_say_so() {
    let service = Service::start_as(&policy(), &["--xmlsec1", "/nowhere/xmlsec1"]).await;
    let (status, told) = shown(&service, &assertion(json!({}))).await;
    assert_eq!((status, &told["error"]), (503, &json!("temporarily_unavailable")), "{told}");
    assert!(told["error_description"].as_str().unwrap().contains("SAML"), "{told}");
    assert!(service.log().contains("not at /nowhere/xmlsec1: install Debian's xmlsec1"), "{}", service.log());
    let check = |program: &str| {
        let mut check = sluice();
        check.args(["policy", "check", "--xmlsec1", program]).arg(service.policy());
        let out = check.output().unwrap();
        assert!(out.status.success());
        String::from_utf8(out.stdout).unwrap()
    };
    assert!(check("/nowhere/xmlsec1").contains("install Debian's xmlsec1"));
    assert!(!check("/bin/sh").contains("xmlsec1"));
}

#[tokio::test]
async fn sidecars_hear_nothing_of_assertions_but_know_the_issuer() {
    let service = service().await;
    let (status, bundle) = service.filter(Method::GET, wire::BUNDLE, None).await;
    assert_eq!(status, 200);
    let payload = bundle["payload"].as_str().unwrap();
    assert!(payload.contains("\"name\":\"idp\"") && !payload.contains("CERTIFICATE"), "{payload}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_used_once_at_all_replicas_together() {
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let shared = Some((database().await, directory));
    let policy = policy();
    let (one, two) = tokio::join!(
        Service::start_all(shared.clone(), &policy, &[]),
        Service::start_all(shared, &policy, &[])
    );
    let assertion = assertion(json!({}));
    let all = futures_util::future::join_all(
        (0..8).map(|n| shown(if n % 2 == 0 { &one } else { &two }, &assertion)),
    );
    let all = all.await;
    assert_eq!(all.iter().filter(|(status, _)| *status == 200).count(), 1, "{all:?}");
}
