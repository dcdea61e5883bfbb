//! Rights with an end, from the wish to the end.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Service, sluice};
use super::postgres::database;

/// Waits until the bundle has so many grants; gives them.
async fn in_bundle(service: &Service, count: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let bundle = service.bundle().await;
        let grants = bundle["grants"].as_array().unwrap().clone();
        if grants.len() == count {
            return grants;
        }
        // What is promised is 2 s; a machine that is busy gets more.
        assert!(start.elapsed() < Duration::from_secs(10), "{grants:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn wish(service: &Service, token: &str, body: &Value) -> (u16, Value) {
    let (status, grant) = service.call(Method::POST, "/v1/grants", token, Some(body)).await;
    (status.as_u16(), grant)
}

fn said(out: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[tokio::test]
async fn a_grant_is_asked_for_approved_live_in_the_bundle_and_taken_back() {
    let service = Service::start().await;
    let (ana, ben) = (service.token("ana", "staff"), service.token("ben", "approvers"));
    let offered = said(&service.cli(&ana, &["grants", "offered"]));
    assert!(offered.contains("writing") && !offered.contains("glass"), "{offered}");
    let asked = service.cli(&ana, &["grants", "request", "writing", "--for", "1h", "--reason", "a fix"]);
    assert!(said(&asked).contains("waits for a member of approvers"), "{}", said(&asked));
    let id = said(&asked).split_whitespace().next().unwrap().to_owned();
    assert_eq!(in_bundle(&service, 0).await, [Value::Null; 0], "a wish gives nothing");

    // Not by herself, in whatever spelling; not by someone who may not.
    for (who, group, why) in [
        ("ana", "approvers", "yourself"),
        ("ANA ", "approvers", "yourself"),
        ("eve", "staff", "no grant with this id"),
    ] {
        let out = service.cli(&service.token(who, group), &["grants", "approve", &id, "--reason", "x"]);
        assert_eq!(out.status.code(), Some(1), "{who}");
        assert!(said(&out).contains(why), "{}", said(&out));
    }
    let out = service.cli(&ben, &["grants", "approve", &id]);
    assert!(said(&out).contains("reason"), "the policy wants a reason: {}", said(&out));
    let out = service.cli(&ben, &["grants", "approve", &id, "--reason", "agreed"]);
    assert!(said(&out).contains("is live"), "{}", said(&out));
    let grants = in_bundle(&service, 1).await;
    assert_eq!(grants[0]["subject"], "ana");
    assert_eq!(grants[0]["role"], "writer");
    let life = grants[0]["untilMs"].as_u64().unwrap() - grants[0]["fromMs"].as_u64().unwrap();
    assert_eq!(life, 3_600_000);
    assert_eq!(
        service.cli(&ben, &["grants", "deny", &id, "--reason", "x"]).status.code(),
        Some(1),
        "decided once"
    );

    let operator = service.token("opa", "operators");
    let out = service.cli(&operator, &["grants", "revoke", &id, "--reason", "over"]);
    assert!(out.status.success(), "{}", said(&out));
    in_bundle(&service, 0).await;

    // All of it is in the log, which verifies.
    let auditor = service.token("aud", "auditors");
    let export = said(&service.cli(&auditor, &["records", "export"]));
    for state in ["waiting", "live", "revoked"] {
        assert!(export.contains(&format!("\"state\":\"{state}\"")), "{state}: {export}");
    }
    assert!(service.cli(&auditor, &["records", "verify"]).status.success());
}

#[tokio::test]
async fn breaking_the_glass_is_live_at_once_stands_in_the_log_and_ends_by_itself() {
    let service = Service::start().await;
    let oncall = service.token("ola", "oncall");
    let (status, grant) =
        wish(&service, &oncall, &json!({"name": "glass", "reason": "production is down"})).await;
    assert_eq!((status, &grant["state"]), (201, &json!("live")), "{grant}");
    in_bundle(&service, 1).await;
    in_bundle(&service, 0).await;
    let auditor = service.token("aud", "auditors");
    let export = said(&service.cli(&auditor, &["records", "export"]));
    assert!(export.contains("\"breakGlass\":true") && export.contains("\"state\":\"ended\""), "{export}");
    assert!(service.log().contains("somebody broke the glass"));
}

#[tokio::test]
async fn what_may_not_be_asked_for_is_refused_with_the_reason() {
    let service = Service::start().await;
    let staff = service.token("ana", "staff");
    for (token, body, status, why) in [
        (&staff, json!({"name": "glass", "reason": "r"}), 403, "offers you no grant"),
        (&staff, json!({"name": "nothing", "reason": "r"}), 403, "offers you no grant"),
        (&staff, json!({"name": "writing", "reason": " "}), 400, "needs a reason"),
        (&staff, json!({"name": "writing", "reason": "r", "seconds": 0}), 400, "at most 4h"),
        (&staff, json!({"name": "writing", "reason": "r", "seconds": 14_401}), 400, "at most 4h"),
        (&staff, json!({"name": "writing", "reason": "r", "forever": true}), 400, "line 1"),
        (&"".to_owned(), json!({"name": "writing", "reason": "r"}), 401, "token"),
    ] {
        let (got, said) = wish(&service, token, &body).await;
        assert_eq!(got, status, "{body}: {said}");
        assert!(said.to_string().contains(why), "{body}: {said}");
    }
    for _ in 0..20 {
        assert_eq!(wish(&service, &staff, &json!({"name": "writing", "reason": "r"})).await.0, 201);
    }
    assert_eq!(wish(&service, &staff, &json!({"name": "writing", "reason": "r"})).await.0, 429);
}

#[tokio::test]
async fn a_grant_is_had_once_and_seen_by_who_has_it_not_by_a_namesake() {
    let service = Service::start().await;
    let oncall = service.token("ola", "oncall");
    let body = json!({"name": "glass", "reason": "down"});
    let (_, grant) = wish(&service, &oncall, &body).await;
    let (status, said) = wish(&service, &oncall, &body).await;
    assert_eq!(status, 409, "{said}");
    let id = grant["id"].as_str().unwrap();
    // The same subject, written otherwise: perhaps the same person, and not for us to say.
    let namesake = service.token("OLA", "oncall");
    assert_eq!(service.cli(&namesake, &["grants", "show", id]).status.code(), Some(1));
    assert_eq!(service.cli(&namesake, &["grants", "revoke", id]).status.code(), Some(1));
    assert!(service.cli(&oncall, &["grants", "revoke", id]).status.success());
    assert_eq!(wish(&service, &oncall, &body).await.0, 201, "taken back, it may be asked for again");
}

#[tokio::test]
async fn what_the_policy_no_longer_offers_is_not_approved() {
    let mut service = Service::start().await;
    let (_, grant) =
        wish(&service, &service.token("ana", "staff"), &json!({"name": "writing", "reason": "r"})).await;
    let id = grant["id"].as_str().unwrap();
    let ben = service.token("ben", "approvers");
    let policy = super::harness::POLICY;
    for changed in [
        policy.replace("  - name: writing", "  - name: other"),
        policy.replace("longest: 4h", "longest: 1h"),
        policy.replace("      groups: [approvers]", "      groups: [others]"),
    ] {
        assert_ne!(changed, policy);
        service.kill();
        std::fs::write(service.policy().join("base.yaml"), changed).unwrap();
        service.run().await;
        let out = service.cli(&ben, &["grants", "approve", id, "--reason", "x"]);
        assert_eq!(out.status.code(), Some(1), "{}", said(&out));
        assert!(said(&out).contains("no longer offers this"), "{}", said(&out));
    }
    assert!(service.cli(&ben, &["grants", "deny", id, "--reason", "changed"]).status.success());
}

#[tokio::test]
async fn a_grant_survives_kill_9() {
    let mut service = Service::start().await;
    let (_, grant) =
        wish(&service, &service.token("ana", "staff"), &json!({"name": "writing", "reason": "r"})).await;
    let id = grant["id"].as_str().unwrap().to_owned();
    let ben = service.token("ben", "approvers");
    assert!(service.cli(&ben, &["grants", "approve", &id, "--reason", "x"]).status.success());
    service.kill();
    service.run().await;
    assert_eq!(in_bundle(&service, 1).await[0]["id"], id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_one_replica_approves_is_in_the_bundle_of_the_other() {
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let database = database().await;
    let (one, two) =
        tokio::join!(Service::replica(&database, &directory), Service::replica(&database, &directory));
    let (_, grant) = wish(&one, &one.token("ana", "staff"), &json!({"name": "writing", "reason": "r"})).await;
    let id = grant["id"].as_str().unwrap();
    assert!(
        two.cli(&two.token("ben", "approvers"), &["grants", "approve", id, "--reason", "x"]).status.success()
    );
    let (first, second) = tokio::join!(in_bundle(&one, 1), in_bundle(&two, 1));
    assert_eq!(first, second);
}
