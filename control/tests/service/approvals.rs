//! Several voices, teams, delegations, comments and approvals for a time, as people use them.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Service, ask};

fn said(out: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Opens a hold with these fields of its question beside the usual ones.
async fn open(service: &Service, key: &str, more: &Value) -> Value {
    let mut body = ask(key, &format!("e of {key}"));
    body["hold"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&body)).await;
    assert_eq!(status, 200, "{reply}");
    reply["hold"].clone()
}

async fn decide(service: &Service, id: &str, token: &str, body: &Value) -> (u16, Value) {
    let path = format!("/v1/holds/{id}/decision");
    let (status, said) = service.call(Method::POST, &path, token, Some(body)).await;
    (status.as_u16(), said)
}

fn yes() -> Value {
    json!({"approve": true, "reason": "seen"})
}

#[tokio::test]
async fn two_people_of_another_team_must_approve() {
    let service = Service::start().await;
    let hold = open(&service, "k", &json!({"quorum": 2, "teams": ["team-a"]})).await;
    let id = hold["id"].as_str().unwrap();
    for (who, groups, status, words) in [
        ("ana", "approvers", 403, "someone else"),
        ("bob", "approvers,team-a", 403, "team-a"),
        ("opa", "operators,auditors", 403, "members of approvers"),
        ("ben", "approvers,team-b", 200, "waiting"),
        ("BEN", "approvers", 409, "already"),
        ("bea", "approvers", 200, "approved"),
        ("bia", "approvers", 409, "by bea"),
    ] {
        let (got, told) = decide(&service, id, &service.token(who, groups), &yes()).await;
        assert_eq!(got, status, "{who}: {told}");
        assert!(told.to_string().contains(words), "{who}: {told}");
    }
    let shown = said(&service.cli(&service.token("bea", "approvers"), &["holds", "show", id]));
    for words in
        ["2 different people of approvers; nobody of team-a", "approved", "by ben: seen", "by bea: seen"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let export = said(&service.cli(&service.token("aud", "auditors"), &["records", "export"]));
    assert!(
        export.contains("\"change\":\"agreed\"") && export.contains("\"change\":\"approved\""),
        "{export}"
    );
}

#[tokio::test]
async fn a_grant_may_want_two_people_and_nobody_of_the_team() {
    let service = Service::start().await;
    let ana = service.token("ana", "staff,team-a");
    let asked = said(&service.cli(&ana, &["grants", "request", "paired", "--reason", "a fix"]));
    let id = asked.split_whitespace().next().unwrap().to_owned();
    let approve = |who: &str, groups: &str| {
        let out = service.cli(&service.token(who, groups), &["grants", "approve", &id, "--reason", "seen"]);
        (out.status.code(), said(&out))
    };
    for (who, groups, code, words) in [
        ("bob", "approvers,team-a", 1, "team-a"),
        ("ben", "approvers", 0, "1 more must approve"),
        ("ben", "approvers", 1, "already"),
        ("bea", "approvers,team-b", 0, "is live"),
    ] {
        let (got, told) = approve(who, groups);
        assert_eq!(got, Some(code), "{who}: {told}");
        assert!(told.contains(words), "{who}: {told}");
    }
}

#[tokio::test]
async fn a_right_is_handed_over_until_a_time_used_in_its_givers_name_and_ended() {
    let service = Service::start().await;
    let (ben, eve) = (service.token("ben", "approvers"), service.token("eve", "staff"));
    let hand = |token: &str, to: &str, group: &str, time: &str| {
        let args = ["holds", "delegate", "--to", to, "--group", group, "--for", time, "--reason", "away"];
        let out = service.cli(token, &args);
        (out.status.code(), said(&out))
    };
    for (token, to, group, time, words) in [
        (&ben, "eve", "owners", "1h", "not in owners"),
        (&ben, "BEN ", "approvers", "1h", "another person"),
        (&ben, "eve", "approvers", "31d", "at most 30d"),
        (&ben, "eve", "approvers", "0s", "at most 30d"),
        (&eve, "carl", "approvers", "1h", "not in approvers"),
    ] {
        let (code, told) = hand(token, to, group, time);
        assert!(code != Some(0) && told.contains(words), "{to} {group} {time}: {told}");
    }
    let id = open(&service, "k", &json!({})).await["id"].as_str().unwrap().to_owned();
    assert_eq!(decide(&service, &id, &eve, &yes()).await.0, 404, "not hers to see");
    let (code, told) = hand(&ben, "eve", "approvers", "1h");
    assert_eq!(code, Some(0), "{told}");
    let delegation = told.split(':').next().unwrap().to_owned();
    // She has the right and cannot hand it on.
    assert!(hand(&eve, "carl", "approvers", "1h").1.contains("not in approvers"));
    assert!(said(&service.cli(&eve, &["holds", "ls"])).contains(&id));
    let (status, hold) = decide(&service, &id, &eve, &yes()).await;
    assert_eq!((status, &hold["decided"]["for"]["subject"]), (200, &json!("ben")), "{hold}");
    assert!(said(&service.cli(&ben, &["holds", "show", &id])).contains("by eve for ben"));

    // Nor does it reach what its giver asked for.
    let own = json!({"who": {"issuer": "own", "subject": "Ben", "groups": ["approvers"]}});
    let own = open(&service, "own", &own).await["id"].as_str().unwrap().to_owned();
    let (status, told) = decide(&service, &own, &eve, &yes()).await;
    assert_eq!(status, 403, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("ben handed you"), "{told}");

    let listed = said(&service.cli(&eve, &["holds", "delegations"]));
    assert!(listed.contains(&delegation) && listed.contains("live"), "{listed}");
    assert!(
        said(&service.cli(&service.token("cat", "approvers"), &["holds", "delegations"]))
            .contains("nothing here")
    );
    let stranger = service.cli(&service.token("cat", "approvers"), &["holds", "undelegate", &delegation]);
    assert_eq!(stranger.status.code(), Some(1));
    assert!(service.cli(&ben, &["holds", "undelegate", &delegation, "--reason", "back"]).status.success());
    let next = open(&service, "next", &json!({})).await["id"].as_str().unwrap().to_owned();
    assert_eq!(decide(&service, &next, &eve, &yes()).await.0, 404, "ended at once");
    let auditor = service.token("aud", "auditors");
    for format in ["ndjson", "ocsf", "csv"] {
        let export = said(&service.cli(&auditor, &["records", "export", "--format", format]));
        assert!(export.to_lowercase().contains("delegation"), "{format}: {export}");
    }
}

#[tokio::test]
async fn one_decision_lets_the_same_go_on_for_a_time_and_is_taken_back_at_once() {
    let service = Service::start().await;
    let ben = service.token("ben", "approvers");
    let offered = json!({"grantSeconds": 3600});
    let once = open(&service, "once", &json!({})).await["id"].as_str().unwrap().to_owned();
    let (status, told) =
        decide(&service, &once, &ben, &json!({"approve": true, "reason": "x", "pass": {"seconds": 60}}))
            .await;
    assert_eq!(status, 400, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("grantFor"), "{told}");
    let id = open(&service, "k", &offered).await["id"].as_str().unwrap().to_owned();
    for (approve, seconds) in [(true, 0), (true, 3601), (false, 60)] {
        let body = json!({"approve": approve, "reason": "x", "pass": {"seconds": seconds}});
        assert_eq!(decide(&service, &id, &ben, &body).await.0, 400, "{body}");
    }
    let out = service.cli(&ben, &["holds", "approve", &id, "--for", "1h", "--reason", "a migration"]);
    assert!(out.status.success() && said(&out).contains("is the pass"), "{}", said(&out));
    let listed = said(&service.cli(&ben, &["holds", "passes"]));
    let pass = listed.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap().to_owned();
    assert!(listed.contains("Bash: write") && listed.contains("ana"), "{listed}");
    assert_eq!(open(&service, "next", &offered).await["decision"], "approved");
    assert_eq!(
        open(&service, "plain", &json!({})).await["decision"],
        "waiting",
        "policy no longer offers it"
    );
    let stranger = service.token("eve", "staff");
    assert_eq!(service.cli(&stranger, &["holds", "revoke", &pass]).status.code(), Some(1));
    assert!(service.cli(&ben, &["holds", "revoke", &pass, "--reason", "done"]).status.success());
    assert_eq!(open(&service, "after", &offered).await["decision"], "waiting");
    let auditor = service.token("aud", "auditors");
    for format in ["ndjson", "ocsf", "csv"] {
        let export = said(&service.cli(&auditor, &["records", "export", "--format", format]));
        assert!(export.contains(&pass), "{format}: {export}");
    }
    assert!(service.cli(&auditor, &["records", "verify"]).status.success());
}

#[tokio::test]
async fn whoever_may_see_a_hold_may_comment_on_it() {
    let service = Service::start().await;
    let id = open(&service, "k", &json!({})).await["id"].as_str().unwrap().to_owned();
    let (ben, eve) = (service.token("ben", "approvers"), service.token("eve", "staff"));
    let comment = |token: &str, text: &str| service.cli(token, &["holds", "comment", &id, text]);
    assert!(comment(&ben, "is this the test database?").status.success());
    assert!(comment(&service.token("aud", "auditors"), "noted").status.success());
    assert_eq!(comment(&eve, "hello").status.code(), Some(1), "not hers to see");
    assert_eq!(comment(&ben, "  ").status.code(), Some(2));
    assert_eq!(comment(&ben, &"x".repeat(4001)).status.code(), Some(2));
    let shown = said(&service.cli(&ben, &["holds", "show", &id]));
    assert!(shown.contains("ben: is this the test database?") && shown.contains("aud: noted"), "{shown}");
    let path = format!("/v1/holds/{id}/comments");
    assert_eq!(service.call(Method::GET, &path, &eve, None).await.0, 404);
    let (_, whole) = service.call(Method::GET, &path, &ben, None).await;
    assert_eq!(whole["comments"].as_array().unwrap().len(), 2);
    let (status, _) = service.call(Method::POST, &path, &ben, Some(&json!({"text": "a", "html": "b"}))).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_right_that_was_handed_over_ends_when_its_giver_is_heard_to_have_left_the_group() {
    let service = Service::start().await;
    let hold = open(&service, "k", &json!({})).await;
    let id = hold["id"].as_str().unwrap();
    let (ben, eve) = (service.token("ben", "approvers"), service.token("eve", "staff"));
    let give =
        ["holds", "delegate", "--to", "eve", "--group", "approvers", "--for", "8h", "--reason", "away"];
    let given = service.cli(&ben, &give);
    assert!(given.status.success(), "{}", said(&given));
    assert_eq!(service.call(Method::GET, &format!("/v1/holds/{id}"), &eve, None).await.0, 200);
    // The issuer's next token, some seconds later, says otherwise.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let left = service.token("ben", "staff");
    assert_eq!(service.call(Method::GET, "/v1/whoami", &left, None).await.0, 200);
    let (status, told) = decide(&service, id, &eve, &yes()).await;
    assert!(status == 403 || status == 404, "{status} {told}");
    // And the old token, which still says so, hands over nothing new.
    let again = service.cli(&ben, &give);
    assert!(
        again.status.code() == Some(1) && said(&again).contains("not in approvers any more"),
        "{}",
        said(&again)
    );
    let listed =
        said(&service.cli(&service.token("aud", "auditors"), &["holds", "delegations", "--output", "json"]));
    assert!(listed.contains("by what own said at") && listed.contains("\"subject\":\"control\""), "{listed}");
}
