//! Tokens that are shut out before their end: by whoever has them, and by operators.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Service, sluice};
use super::postgres::database;
use super::tokens::{EXCHANGE, FORM, JWT, claims, exchange, form, identity, service};

async fn revoke(service: &Service, token: &str) -> u16 {
    service.post("/v1/oauth/revoke", FORM, &form(&[("token", token)])).await.0.as_u16()
}

/// Whether a token is taken at control's API.
async fn is_taken(service: &Service, token: &str) -> bool {
    let (status, answer) = service.call(Method::GET, "/v1/sessions", token, None).await;
    assert!([200, 401].contains(&status.as_u16()), "{status} {answer}");
    status == 200
}

/// Waits until a token is refused.
async fn refused(service: &Service, token: &str) -> Duration {
    let start = Instant::now();
    while is_taken(service, token).await {
        // What is promised is 2 s; a machine that is busy gets more.
        assert!(start.elapsed() < Duration::from_secs(10), "still taken");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

async fn exchanged(service: &Service, token: &str) -> String {
    let fields = [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", JWT)];
    let (status, answer) = exchange(service, &fields).await;
    assert_eq!(status, 200, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_that_is_given_back_ends_with_all_that_was_exchanged_for_it_and_nothing_else() {
    let service = service().await;
    let corp = identity("ana", None, 600);
    let (first, other) = (exchanged(&service, &corp).await, exchanged(&service, &corp).await);
    let second = exchanged(&service, &first).await;
    assert_eq!(claims(&second)["from"].as_array().unwrap().len(), 2);

    assert_eq!(revoke(&service, &first).await, 200);
    refused(&service, &first).await;
    assert!(!is_taken(&service, &second).await, "it came from the one that was given back");
    assert!(is_taken(&service, &other).await && is_taken(&service, &corp).await);
    let fields = [("grant_type", EXCHANGE), ("subject_token", second.as_str()), ("subject_token_type", JWT)];
    assert_eq!(exchange(&service, &fields).await.1["error"], "invalid_grant");

    // The token of the identity provider, too, and all that comes from it.
    let out = service.cli(&corp, &["tokens", "revoke", "--own"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    refused(&service, &other).await;
    assert!(!is_taken(&service, &corp).await);

    // It outlives the service.
    let mut service = service;
    service.kill();
    service.run().await;
    assert!(!is_taken(&service, &other).await);
}

#[tokio::test]
async fn what_is_no_token_is_well_revoked_and_what_says_no_token_is_not() {
    let service = service().await;
    for token in ["", "nonsense", "a.b.c"] {
        assert_eq!(revoke(&service, token).await, 200, "{token}");
    }
    assert_eq!(service.post("/v1/oauth/revoke", FORM, "").await.0, 400);
    assert_eq!(service.post("/v1/oauth/revoke", "text/plain", "token=x").await.0, 400);
    assert_eq!(service.post("/v1/oauth/revoke", FORM, "token=a&token=b").await.0, 400);
    assert_eq!(service.bundle().await["revocations"], json!([]));
}

#[tokio::test]
async fn an_operator_shuts_out_a_subject_with_all_that_was_issued_before() {
    let service = service().await;
    let operator = service.token("olga", "operators");
    let ana = identity("ana", None, 600);
    let taken = exchanged(&service, &ana).await;
    let ben = identity("ben", None, 600);
    // Tokens say when they were made in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let revoke =
        ["tokens", "revoke", "--issuer", "corp", "--subject", "ANA", "--reason", "left", "--output", "json"];
    let out = service.cli(&operator, &revoke);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    refused(&service, &taken).await;
    assert!(!is_taken(&service, &ana).await);
    assert!(is_taken(&service, &ben).await);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(is_taken(&service, &identity("ana", None, 600)).await, "who signs in again gets in again");

    let listed = service.cli(&operator, &["tokens", "revoked"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("what ANA (corp) had before") && listed.contains("left"), "{listed}");
    let auditor = identity("eve", None, 600);
    for (format, word) in
        [("ndjson", "\"revocation\""), ("csv", "tokens of ANA (corp) revoked"), ("ocsf", "Revoke Tokens")]
    {
        let export = service.cli(&auditor, &["records", "export", "--format", format]);
        assert!(String::from_utf8(export.stdout).unwrap().contains(word), "{format}");
    }
}

#[tokio::test]
async fn only_operators_revoke_tokens_of_others_and_only_what_can_be_meant() {
    let service = service().await;
    let operator = service.token("olga", "operators");
    let good = json!({"issuer": "corp", "token": "t1", "reason": "lost"});
    let post = async |token: &str, body: &Value| {
        service.call(Method::POST, "/v1/revocations", token, Some(body)).await.0.as_u16()
    };
    assert_eq!(post("", &good).await, 401);
    for group in ["auditors", "writers", "approvers"] {
        assert_eq!(post(&service.token("eve", group), &good).await, 403, "{group}");
    }
    assert_eq!(
        service.call(Method::GET, "/v1/revocations", &service.token("ana", "writers"), None).await.0,
        403
    );
    assert_eq!(
        service.call(Method::GET, "/v1/revocations", &service.token("eve", "auditors"), None).await.0,
        200
    );
    let with = |change: Value| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for bad in [
        json!({"issuer": "corpp"}),
        json!({"subject": "ana"}),
        json!({"token": ""}),
        json!({"token": "a\u{0}b"}),
        json!({"token": "x".repeat(257)}),
        json!({"beforeMs": 5}),
        json!({"token": null, "subject": "ana", "beforeMs": u64::MAX}),
        json!({"token": null}),
        json!({"reason": " "}),
        json!({"more": 1}),
    ] {
        assert_eq!(post(&operator, &with(bad.clone())).await, 400, "{bad}");
    }
    assert_eq!(post(&operator, &good).await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_on_one_replica_is_in_the_bundle_of_the_others() {
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let database = database().await;
    let (one, two) =
        tokio::join!(Service::replica(&database, &directory), Service::replica(&database, &directory));
    let token = one.token("eve", "auditors");
    assert!(is_taken(&two, &token).await);
    let start = Instant::now();
    assert_eq!(revoke(&one, &token).await, 200);
    refused(&two, &token).await;
    println!("a revocation reached the other replica in {:?}", start.elapsed());
    let shut = claims(&token)["jti"].clone();
    assert_eq!(two.bundle().await["revocations"], json!([{"token": {"issuer": "own", "id": shut}}]));
}
