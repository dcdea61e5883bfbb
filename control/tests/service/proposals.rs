//! Policy that lives in the store: proposed by one author, accepted by another.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::harness::{POLICY, Service, sluice};
use super::postgres::database;

fn said(out: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// The policy of all tests with something in it replaced.
fn changed(from: &str, to: &str) -> String {
    let policy = POLICY.replace(from, to);
    assert_ne!(policy, POLICY);
    policy
}

async fn propose(service: &Service, token: &str, policy: &str, more: &Value) -> (u16, Value) {
    let mut body = json!({"documents": {"base.yaml": policy}, "reason": "needed"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, said) = service.call(Method::POST, "/v1/policy/proposals", token, Some(&body)).await;
    (status.as_u16(), said)
}

async fn act(service: &Service, token: &str, proposal: &Value, what: &str, body: &Value) -> (u16, Value) {
    let path = format!("/v1/policy/proposals/{}/{what}", proposal["id"].as_str().unwrap());
    let (status, said) = service.call(Method::POST, &path, token, Some(body)).await;
    (status.as_u16(), said)
}

fn accepting(proposal: &Value) -> Value {
    json!({"digest": proposal["digest"], "reason": "read it"})
}

async fn until_role(service: &Service, name: &str) {
    let start = Instant::now();
    while service.bundle().await["policy"]["roles"][0]["name"] != name {
        assert!(start.elapsed() < Duration::from_secs(10), "the policy does not come into force");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_proposal_is_in_force_once_another_author_has_accepted_what_they_saw() {
    let mut service = Service::from_store(None).await;
    let (ana, bea) = (service.token("ana", "authors"), service.token("bea", "authors"));
    let policy = changed("name: writer\n", "name: editor\n").replace("[writer]", "[editor]");
    let (status, proposal) = propose(&service, &ana, &policy, &json!({})).await;
    assert_eq!(
        (status, &proposal["state"], &proposal["base"]),
        (201, &json!("open"), &json!(1)),
        "{proposal}"
    );
    assert!(!proposal["changes"].as_array().unwrap().is_empty(), "{proposal}");
    until_role(&service, "writer").await;

    let own = Some(service.token(" ANA", "authors"));
    let auditor = service.token("aud", "auditors,operators");
    for (token, digest, status, words) in [
        (&ana, &proposal["digest"], 403, "yourself"),
        (own.as_ref().unwrap(), &proposal["digest"], 403, "yourself"),
        (&auditor, &proposal["digest"], 403, "access.authors"),
        (&bea, &json!("0".repeat(64)), 409, "digest"),
    ] {
        let body = json!({"digest": digest, "reason": "yes"});
        let (got, told) = act(&service, token, &proposal, "accept", &body).await;
        assert_eq!(got, status, "{told}");
        assert!(told["detail"].as_str().unwrap().contains(words), "{told}");
    }
    let no_reason = json!({"digest": proposal["digest"]});
    assert_eq!(act(&service, &bea, &proposal, "accept", &no_reason).await.0, 400);
    let (status, accepted) = act(&service, &bea, &proposal, "accept", &accepting(&proposal)).await;
    assert_eq!((status, &accepted["state"]), (200, &json!("accepted")), "{accepted}");
    until_role(&service, "editor").await;
    assert_eq!(act(&service, &bea, &proposal, "accept", &accepting(&proposal)).await.0, 409, "once");

    // It survives kill -9, and the files say nothing any more.
    service.kill();
    std::fs::write(service.policy().join("base.yaml"), "nonsense: [").unwrap();
    service.run().await;
    until_role(&service, "editor").await;
    let (_, current) = service.call(Method::GET, "/v1/policy", &bea, None).await;
    assert_eq!((&current["number"], &current["fromStore"]), (&json!(2), &json!(true)), "{current}");
    assert_eq!(current["documents"]["base.yaml"], policy);
    assert_eq!(current["policy"]["roles"][0]["name"], "editor");
    let auditor = service.token("aud", "auditors");
    let export = said(&service.cli(&auditor, &["records", "export"]));
    for change in ["proposed", "accepted", "inForce"] {
        assert!(export.contains(&format!("\"change\":\"{change}\"")), "{change}: {export}");
    }
    for format in ["ocsf", "csv"] {
        let export = said(&service.cli(&auditor, &["records", "export", "--format", format]));
        assert!(export.to_lowercase().contains("policy accepted"), "{format}: {export}");
    }
    assert!(service.cli(&auditor, &["records", "verify"]).status.success());
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_the_list() {
    let service = Service::from_store(None).await;
    let ana = service.token("ana", "authors");
    let wrong = changed("roles: [writer]", "roles: [writter]");
    let (status, told) = propose(&service, &ana, &wrong, &json!({})).await;
    assert_eq!(status, 422, "{told}");
    assert!(told["faults"].as_array().unwrap().iter().any(|fault| fault["file"] == "base.yaml"), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("writter"), "{told}");
    let cases = "policy: [base.yaml]\ncases:\n- name: nobody writes\n  principal: {groups: [writers]}\n  \
                 expect: {verdict: hold}\n";
    let more = json!({"documents": {"base.yaml": POLICY, "base.test.yaml": cases}});
    let (status, told) = propose(&service, &ana, POLICY, &more).await;
    assert_eq!(status, 422, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("case `nobody writes` failed"), "{told}");
    for (more, status) in [
        (json!({"documents": {}}), 422),
        (json!({"documents": {"../x.yaml": POLICY}}), 422),
        (json!({"reason": " "}), 400),
        (json!({"more": 1}), 400),
        (json!({"base": 7}), 409),
    ] {
        assert_eq!(propose(&service, &ana, POLICY, &more).await.0, status, "{more}");
    }
    assert_eq!(propose(&service, &service.token("eve", "staff"), POLICY, &json!({})).await.0, 403);
    assert_eq!(propose(&service, "", POLICY, &json!({})).await.0, 401);
}

#[tokio::test]
async fn what_was_written_for_another_policy_is_stale() {
    let service = Service::from_store(None).await;
    let (ana, bea) = (service.token("ana", "authors"), service.token("bea", "authors"));
    let (_, first) = propose(&service, &ana, &changed("longest: 4h", "longest: 1h"), &json!({})).await;
    let (_, second) =
        propose(&service, &bea, &changed("longest: 4h", "longest: 2h"), &json!({"base": 1})).await;
    let (_, third) = propose(&service, &bea, &changed("longest: 4h", "longest: 3h"), &json!({})).await;
    assert_eq!(act(&service, &ana, &third, "withdraw", &json!({})).await.0, 403, "not hers");
    assert_eq!(act(&service, &bea, &third, "reject", &json!({"reason": "x"})).await.0, 403, "her own");
    assert_eq!(act(&service, &ana, &third, "reject", &json!({})).await.0, 400, "a reason");
    assert_eq!(
        act(&service, &ana, &third, "reject", &json!({"reason": "too long"})).await.1["state"],
        "rejected"
    );
    assert_eq!(act(&service, &bea, &first, "accept", &accepting(&first)).await.0, 200);
    let (status, told) = act(&service, &ana, &second, "accept", &accepting(&second)).await;
    assert_eq!(status, 409, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("propose it anew"), "{told}");
    let (status, told) =
        propose(&service, &bea, &changed("longest: 4h", "longest: 2h"), &json!({"base": 1})).await;
    assert_eq!(status, 409, "{told}");
    let (_, anew) =
        propose(&service, &bea, &changed("longest: 4h", "longest: 2h"), &json!({"base": 2})).await;
    assert_eq!(act(&service, &bea, &anew, "withdraw", &json!({})).await.1["state"], "withdrawn");
    let (_, listed) = service.call(Method::GET, "/v1/policy/proposals", &ana, None).await;
    let mut states: Vec<_> =
        listed["proposals"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["accepted", "rejected", "stale", "withdrawn"]);
    assert!(listed["proposals"][0]["documents"].is_null(), "lists carry no documents");
}

#[tokio::test]
async fn where_files_rule_nothing_is_proposed_and_their_changes_are_in_the_log() {
    let service = Service::start().await;
    let ana = service.token("ana", "authors");
    let (status, told) = propose(&service, &ana, POLICY, &json!({})).await;
    assert_eq!(status, 409, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("--policy-from-store"), "{told}");
    let (_, current) = service.call(Method::GET, "/v1/policy", &ana, None).await;
    assert_eq!((&current["fromStore"], current["documents"].is_null()), (&json!(false), true), "{current}");
    assert_eq!(service.call(Method::GET, "/v1/policy", &service.token("eve", "staff"), None).await.0, 403);
    let before = current["version"].as_str().unwrap().to_owned();
    std::fs::write(service.policy().join("base.yaml"), changed("longest: 4h", "longest: 1h")).unwrap();
    let start = Instant::now();
    let auditor = service.token("aud", "auditors");
    loop {
        let export = said(&service.cli(&auditor, &["records", "export"]));
        assert!(export.contains(&before), "{export}");
        if export.matches("\"change\":\"inForce\"").count() == 2 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{export}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_command_line_proposes_a_directory_shows_what_changes_and_accepts() {
    let service = Service::from_store(None).await;
    let (ana, bea) = (service.token("ana", "authors"), service.token("bea", "authors"));
    let folder = service.dir.path().join("next");
    let folder_arg = folder.to_str().unwrap();
    let out = service.cli(&ana, &["policy", "current", "--save", folder_arg]);
    assert!(out.status.success() && said(&out).contains("policy 1"), "{}", said(&out));
    let policy = std::fs::read_to_string(folder.join("base.yaml")).unwrap();
    assert_eq!(policy, POLICY);
    std::fs::write(folder.join("base.yaml"), policy.replace("longest: 4h", "longest: 8h")).unwrap();
    std::fs::write(
        folder.join("base.test.yaml"),
        "cases:\n- name: others write nothing\n  principal: {groups: [staff]}\n  expect: {verdict: deny}\n",
    )
    .unwrap();
    let out =
        service.cli(&ana, &["policy", "propose", folder_arg, "--base", "1", "--reason", "longer nights"]);
    let told = said(&out);
    assert!(out.status.success(), "{told}");
    assert!(told.contains("4h became 8h") && told.contains("1 came out as expected"), "{told}");
    let id = told.lines().last().unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(said(&service.cli(&bea, &["policy", "proposals"])).contains("loosens, or may"));
    let shown = said(&service.cli(&bea, &["policy", "proposal", &id]));
    let digest = shown.lines().find_map(|line| line.strip_prefix("digest")).unwrap().trim().to_owned();
    let accept = |token: &str| {
        service.cli(token, &["policy", "accept", &id, "--digest", &digest, "--reason", "agreed"])
    };
    assert_eq!(accept(&ana).status.code(), Some(1));
    let out = accept(&bea);
    assert!(out.status.success() && said(&out).contains("is accepted"), "{}", said(&out));
    let again = service.cli(&ana, &["policy", "current", "--save", folder_arg]);
    assert_eq!(again.status.code(), Some(2), "nothing is overwritten: {}", said(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_replicas_take_what_was_accepted_and_none_takes_what_was_not() {
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let shared = Some((database().await, directory));
    let (one, two) = tokio::join!(Service::from_store(shared.clone()), Service::from_store(shared.clone()));
    let (ana, bea) = (one.token("ana", "authors"), two.token("bea", "authors"));
    let policy = changed("name: writer\n", "name: editor\n").replace("[writer]", "[editor]");
    let (status, proposal) = propose(&one, &ana, &policy, &json!({})).await;
    assert_eq!(status, 201, "{proposal}");
    // Two authors accept at once, on two replicas: it comes into force once.
    let body = accepting(&proposal);
    let cat = one.token("cat", "authors");
    let (first, second) = tokio::join!(
        act(&one, &cat, &proposal, "accept", &body),
        act(&two, &bea, &proposal, "accept", &body)
    );
    let mut codes = [first.0, second.0];
    codes.sort_unstable();
    assert_eq!(codes, [200, 409], "{first:?} {second:?}");
    tokio::join!(until_role(&one, "editor"), until_role(&two, "editor"));
    assert_eq!(one.bundle().await["policyVersion"], two.bundle().await["policyVersion"]);

    // Whoever has only the database puts no policy in force.
    let (url, _) = shared.unwrap();
    let forged =
        "INSERT INTO policies SELECT 3, at_ms, replace(documents, 'editor', 'thief'), signature FROM policies
                  WHERE number = 2";
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(forged).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let start = Instant::now();
    while !one.log().contains("not vouched for") {
        assert!(start.elapsed() < Duration::from_secs(10), "{}", one.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until_role(&one, "editor").await;
}
