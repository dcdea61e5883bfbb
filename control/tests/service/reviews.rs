//! Access reviews: from the start to what is taken back.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use super::access::seen;
use super::harness::{Service, sluice};
use super::postgres::database;

const REVIEWS: &str = "
reviews:
- name: quarterly
  reviewers: [leads]
  deadline: 1h
  reminders: [3598s]
- name: short
  reviewers: [leads]
  deadline: 3s
- name: nothing
  reviewers: [leads]
  scope: { groups: [nobody] }
";

const AT: u64 = 1_795_000_000_000;

fn said(out: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Waits for something to be so.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        // What is promised is two seconds; a machine that is busy gets more.
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Adds a file to the policy, and waits until it is in force.
async fn with_policy(service: &Service, text: &str) {
    std::fs::write(service.policy().join("reviews.yaml"), text).unwrap();
    let auditor = service.token("eve", "auditors");
    until("the policy is in force", async || {
        let (_, said) = service.call(Method::GET, "/v1/reviews", &auditor, None).await;
        said["offered"].as_array().is_some_and(|offered| !offered.is_empty()).then_some(())
    })
    .await;
}

/// A service with reviews, in which ana, bob and the reviewer herself have a role.
async fn service() -> Service {
    let service = Service::start().await;
    for subject in ["ana", "bob", "lea"] {
        seen(&service, subject, &["writers"], AT, &json!({"roles": ["writer"]})).await;
    }
    with_policy(&service, REVIEWS).await;
    service
}

async fn call(service: &Service, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let (status, said) = service.call(Method::POST, path, token, Some(body)).await;
    (status.as_u16(), said)
}

async fn started(service: &Service, name: &str) -> String {
    let (status, review) =
        call(service, &service.token("opa", "operators"), "/v1/reviews", &json!({"name": name})).await;
    assert_eq!(status, 201, "{review}");
    review["id"].as_str().unwrap().to_owned()
}

/// Whose roles the bundle withholds, once it is so many.
async fn withheld(service: &Service, count: usize) -> Vec<Value> {
    until("the bundle withholds so much", async || {
        let bundle = service.bundle().await;
        let withheld = bundle["withheld"].as_array().cloned().unwrap_or_default();
        (withheld.len() == count).then(|| {
            assert_eq!(
                bundle["format"],
                if count == 0 { 1 } else { 2 },
                "older filters keep such a bundle out"
            );
            assert!(bundle["policy"]["reviews"].is_null(), "filters have no use for reviews");
            withheld
        })
    })
    .await
}

#[tokio::test]
async fn a_review_goes_from_its_start_over_decisions_to_the_bundle_and_to_evidence() {
    let service = service().await;
    let (lea, operator) = (service.token("lea", "leads"), service.token("opa", "operators"));
    let begun = service.cli(&operator, &["reviews", "start", "quarterly"]);
    assert!(begun.status.success(), "{}", said(&begun));
    let listed = service.cli(&lea, &["reviews", "ls", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let review = &listed["reviews"][0];
    assert_eq!((&review["items"], &review["decides"]), (&json!(3), &json!(true)));
    let id = review["id"].as_str().unwrap();
    let next = said(&service.cli(&lea, &["reviews", "next", id]));
    assert!(next.contains("ana") && next.contains("the group writers"), "{next}");

    until("the reviewers are reminded", async || {
        service.log().contains("an access review waits for its reviewers").then_some(())
    })
    .await;

    // Everything but her own: one revoked, one kept.
    let out = service.cli(&lea, &["reviews", "revoke", id, "1", "--reason", "has left the team"]);
    assert!(said(&out).contains("1 revoked"), "{}", said(&out));
    assert_eq!(withheld(&service, 1).await[0]["subject"], "ana");
    let out = service.cli(&lea, &["reviews", "certify", id, "--all", "--reason", "needed"]);
    assert!(said(&out).contains("1 certified"), "her own is left: {}", said(&out));
    assert!(said(&service.cli(&lea, &["reviews", "next", id])).contains("nothing is left"));
    assert!(said(&service.cli(&operator, &["reviews", "close", id])).contains("1 items are not decided"));
    let mia = service.token("mia", "leads");
    let out = service
        .cli(&mia, &["reviews", "reduce", id, "3", "--model", "claude-opus-*", "--reason", "never used"]);
    assert!(said(&out).contains("1 reduced"), "{}", said(&out));
    let both = withheld(&service, 2).await;
    assert_eq!(both[1]["part"], json!({"models": ["claude-opus-*"]}));
    // She changes her mind, while the review is open.
    let out = service.cli(&mia, &["reviews", "certify", id, "3", "--reason", "needed after all"]);
    assert!(out.status.success(), "{}", said(&out));
    withheld(&service, 1).await;
    let out = service.cli(&operator, &["reviews", "close", id, "--reason", "done"]);
    assert!(said(&out).contains("closed"), "{}", said(&out));

    // Evidence: a table, and a report that is verified without the service.
    let table = said(&service.cli(&lea, &["reviews", "evidence", id, "--format", "csv"]));
    assert!(table.contains("has left the team") && table.contains("lea (own)"), "{table}");
    let report = service.cli(&lea, &["reviews", "evidence", id]);
    let file = service.dir.path().join("report.json");
    std::fs::write(&file, &report.stdout).unwrap();
    let verify = |file: &std::path::Path| {
        let mut command = sluice();
        command.args(["reviews", "verify"]).arg(file).arg("--state").arg(service.state());
        command.output().unwrap()
    };
    let genuine = verify(&file);
    assert!(genuine.status.success(), "{}", said(&genuine));
    assert!(
        said(&genuine).contains("3 items: 2 certified, 1 revoked, 0 reduced, 0 open"),
        "{}",
        said(&genuine)
    );
    assert!(said(&genuine).contains("log at the start") && said(&genuine).contains("log at the end"));
    std::fs::write(&file, String::from_utf8_lossy(&report.stdout).replace("has left", "has stay")).unwrap();
    assert_eq!(verify(&file).status.code(), Some(1), "an altered report");

    // All of it is in the log, which verifies.
    let auditor = service.token("eve", "auditors");
    let log = said(&service.cli(&auditor, &["records", "export"]));
    for change in ["started", "revoked", "certified", "reduced", "reminded", "closed"] {
        assert!(log.contains(&format!("\"change\":\"{change}\"")), "{change}: {log}");
    }
    assert!(service.cli(&auditor, &["records", "verify"]).status.success());
    for format in ["csv", "ocsf"] {
        assert!(said(&service.cli(&auditor, &["records", "export", "--format", format])).contains("revoked"));
    }

    // What was taken back is shown to her, and given back by an operator who is someone else.
    let ana = said(&service.cli(&service.token("ana", "writers"), &["access", "show"]));
    assert!(ana.contains("taken back by a review"), "{ana}");
    let item = format!("{id}-1");
    for (who, group, why) in
        [("ana", "operators", "yourself"), ("lea", "leads", "operator"), ("eve", "auditors", "operator")]
    {
        let out = service.cli(&service.token(who, group), &["access", "lift", &item, "--reason", "x"]);
        assert_eq!(out.status.code(), Some(1), "{who}");
        assert!(said(&out).contains(why), "{}", said(&out));
    }
    let out = service.cli(&operator, &["access", "lift", &item, "--reason", "she is back"]);
    assert!(out.status.success(), "{}", said(&out));
    withheld(&service, 0).await;
    assert!(said(&service.cli(&auditor, &["records", "export"])).contains("\"change\":\"lifted\""));
}

#[tokio::test]
async fn who_may_not_is_refused_with_the_reason_and_nothing_is_decided() {
    let service = service().await;
    for (who, name, status) in [
        (("lea", "leads"), "quarterly", 403),
        (("eve", "auditors"), "quarterly", 403),
        (("opa", "operators"), "unknown", 404),
        (("opa", "operators"), "nothing", 409),
    ] {
        let token = service.token(who.0, who.1);
        let (got, said) = call(&service, &token, "/v1/reviews", &json!({"name": name})).await;
        assert_eq!(got, status, "{said}");
    }
    let id = started(&service, "quarterly").await;
    let operator = service.token("opa", "operators");
    let (again, said) = call(&service, &operator, "/v1/reviews", &json!({"name": "quarterly"})).await;
    assert_eq!(again, 409, "{said}");

    let path = format!("/v1/reviews/{id}/decisions");
    let verdict = |items: Value, choice: &str, reason: &str| json!({"items": items, "choice": choice, "reason": reason});
    let lea = service.token("lea", "leads");
    let reduce = |part: Value| json!({"items": [1], "choice": "reduce", "reason": "r", "part": part});
    for (token, body, status, why) in [
        (&lea, verdict(json!([3]), "certify", "r"), 403, "yourself"),
        (&lea, verdict(json!([1, 2, 3]), "certify", "r"), 403, "nothing was decided"),
        (&service.token("LEA ", "leads"), verdict(json!([3]), "certify", "r"), 403, "yourself"),
        (&service.token("eve", "auditors"), verdict(json!([1]), "certify", "r"), 403, "members of leads"),
        (&operator, verdict(json!([1]), "certify", "r"), 403, "members of leads"),
        (&service.token("ana", "writers"), verdict(json!([2]), "certify", "r"), 404, "no review"),
        (&lea, verdict(json!([1]), "certify", " "), 400, "reason"),
        (&lea, verdict(json!([]), "certify", "r"), 400, "numbers"),
        (&lea, verdict(json!([99]), "certify", "r"), 404, "no item 99"),
        (&lea, verdict(json!([1]), "keep", "r"), 400, "line 1"),
        (&lea, verdict(json!([1]), "reduce", "r"), 400, "say what is taken back"),
        (&lea, reduce(json!({"models": ["{a}"]})), 400, "no pattern"),
        (&lea, reduce(json!({"betas": ["a"]})), 400, "line 1"),
        (&lea, json!({"items": [1], "choice": "revoke", "reason": "r", "part": {}}), 400, "goes with"),
    ] {
        let (got, said) = call(&service, token, &path, &body).await;
        assert_eq!(got, status, "{body}: {said}");
        assert!(said.to_string().contains(why), "{body}: {said}");
    }
    assert_eq!(call(&service, "", &path, &verdict(json!([1]), "revoke", "r")).await.0, 401);
    let (_, review) = service.call(Method::GET, &format!("/v1/reviews/{id}"), &lea, None).await;
    assert_eq!(review["progress"]["open"], 3);
    let stranger = service.token("ana", "writers");
    for path in
        [format!("/v1/reviews/{id}"), format!("/v1/reviews/{id}/items"), format!("/v1/reviews/{id}/evidence")]
    {
        assert_eq!(service.call(Method::GET, &path, &stranger, None).await.0, 404, "{path}");
    }
    let (_, listed) = service.call(Method::GET, "/v1/reviews", &stranger, None).await;
    assert_eq!(listed, json!({"reviews": [], "offered": []}));

    // Who was taken out of the reviewers decides no more.
    std::fs::write(service.policy().join("reviews.yaml"), REVIEWS.replace("leads", "chiefs")).unwrap();
    until("the new reviewers count", async || {
        (call(&service, &lea, &path, &verdict(json!([1]), "certify", "r")).await.0 == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_nobody_attests_by_the_deadline_is_revoked() {
    let service = service().await;
    let id = started(&service, "short").await;
    let lea = service.token("lea", "leads");
    let path = format!("/v1/reviews/{id}/decisions");
    let keep = json!({"items": [1], "choice": "certify", "reason": "needed"});
    assert_eq!(call(&service, &lea, &path, &keep).await.0, 200);
    let taken = withheld(&service, 2).await;
    assert_eq!((&taken[0]["subject"], &taken[1]["subject"]), (&json!("bob"), &json!("lea")));
    let closed = until("the review is over", async || {
        let (_, review) = service.call(Method::GET, &format!("/v1/reviews/{id}"), &lea, None).await;
        (review["state"] == "closed").then_some(review)
    })
    .await;
    assert_eq!((&closed["progress"]["certified"], &closed["progress"]["revoked"]), (&json!(1), &json!(2)));
    let (status, late) = call(&service, &lea, &path, &keep).await;
    assert_eq!(status, 409, "{late}");
    let log = said(&service.cli(&service.token("eve", "auditors"), &["records", "export"]));
    assert_eq!(log.matches("\"change\":\"unattested\"").count(), 2);
}

#[tokio::test]
async fn a_grant_is_an_item_of_its_own_and_revoked_at_once() {
    let service = service().await;
    let staff = service.token("ana", "staff");
    let wish = json!({"name": "writing", "reason": "a fix"});
    let (_, grant) = call(&service, &staff, "/v1/grants", &wish).await;
    let grant = grant["id"].as_str().unwrap();
    let approve = json!({"approve": true, "reason": "agreed"});
    let approver = service.token("ben", "approvers");
    assert_eq!(call(&service, &approver, &format!("/v1/grants/{grant}/decision"), &approve).await.0, 200);
    until("the grant is live", async || {
        (service.bundle().await["grants"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    let id = started(&service, "quarterly").await;
    let lea = service.token("lea", "leads");
    let (_, items) = service.call(Method::GET, &format!("/v1/reviews/{id}/items"), &lea, None).await;
    let of_grant = items["items"].as_array().unwrap().iter().find(|item| item["grant"] == grant).unwrap();
    let revoke = json!({"items": [of_grant["n"]], "choice": "revoke", "reason": "over"});
    let (status, said) = call(&service, &lea, &format!("/v1/reviews/{id}/decisions"), &revoke).await;
    assert_eq!(status, 200, "{said}");
    until("the grant is gone", async || {
        service.bundle().await["grants"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
    withheld(&service, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_is_due_starts_once_on_two_replicas_and_a_decision_on_one_is_in_the_bundle_of_the_other()
 {
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let database = database().await;
    let (one, two) =
        tokio::join!(Service::replica(&database, &directory), Service::replica(&database, &directory));
    seen(&one, "ana", &["writers"], AT, &json!({"roles": ["writer"]})).await;
    let recurring = "reviews:\n- { name: daily, every: 1d, deadline: 1h, reviewers: [leads] }\n";
    tokio::join!(with_policy(&one, recurring), with_policy(&two, recurring));
    let lea = one.token("lea", "leads");
    let review = until("it has started", async || {
        let (_, listed) = two.call(Method::GET, "/v1/reviews", &lea, None).await;
        listed["reviews"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!(review["startedBy"], Value::Null, "it was due");
    // Both have looked again by now, and more than once.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (_, listed) = one.call(Method::GET, "/v1/reviews", &lea, None).await;
    assert_eq!(listed["reviews"].as_array().unwrap().len(), 1, "{listed}");
    let log = said(&one.cli(&one.token("eve", "auditors"), &["records", "export"]));
    assert_eq!(log.matches("\"change\":\"started\"").count(), 1);

    let path = format!("/v1/reviews/{}/decisions", review["id"].as_str().unwrap());
    let revoke = json!({"items": [1], "choice": "revoke", "reason": "r"});
    assert_eq!(call(&one, &lea, &path, &revoke).await.0, 200);
    let (first, second) = tokio::join!(withheld(&one, 1), withheld(&two, 1));
    assert_eq!(first, second);
}
