use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Service, ask};

async fn open(service: &Service, key: &str, exchange: &str) -> Value {
    let (status, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&ask(key, exchange))).await;
    assert_eq!(status, 200, "{reply}");
    reply["hold"].clone()
}

async fn wait(service: &Service, id: &str, exchange: &str, seconds: u32) -> Value {
    let path = format!("/v1/holds/{id}/wait?seconds={seconds}&exchange={exchange}");
    let (status, state) = service.filter(Method::POST, &path, None).await;
    assert_eq!(status, 200, "{state}");
    state
}

fn said(out: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[tokio::test]
async fn a_hold_survives_kill_9_while_someone_waits_and_is_approved_after() {
    let mut service = Service::start().await;
    let hold = open(&service, "k", "e1").await;
    let id = hold["id"].as_str().unwrap().to_owned();
    assert_eq!(hold["decision"], "waiting");
    let url = service.url.clone();
    let token = service.data_token();
    let cut = tokio::spawn(async move {
        let url = format!("{url}/v1/holds/{id}/wait?seconds=30&exchange=e1");
        let call = sluice_control::client::Call {
            method: Method::POST,
            url: &url,
            token: Some(&token),
            body: None,
            timeout: Duration::from_secs(30),
            limit: 1 << 20,
        };
        sluice_control::client::Client::new().call(call).await.is_err()
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    service.kill();
    assert!(cut.await.unwrap(), "the wait broke");
    service.run().await;

    // The client's retry is another exchange; it comes back to the same hold.
    let again = open(&service, "k", "e2").await;
    assert_eq!(again["id"], hold["id"]);
    let id = hold["id"].as_str().unwrap();
    let ben = service.token("ben", "approvers");
    let waiting = wait(&service, id, "e2", 20);
    let approved = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let at = Instant::now();
        let out = service.cli(&ben, &["holds", "approve", id, "--reason", "checked the statement"]);
        assert!(out.status.success(), "{}", said(&out));
        at
    };
    let (state, at) = tokio::join!(waiting, approved);
    assert_eq!(state["decision"], "approved");
    assert_eq!((&state["by"], &state["reason"]), (&json!("ben"), &json!("checked the statement")));
    assert!(at.elapsed() < Duration::from_secs(2));
    // Killed again before the answer got through: the same exchange hears the same, another one does not.
    service.kill();
    service.run().await;
    assert_eq!(wait(&service, id, "e2", 0).await["decision"], "approved");
    let other = wait(&service, id, "e3", 0).await;
    assert_eq!(other["decision"], "waiting");
    assert_ne!(other["id"], hold["id"]);
}

#[tokio::test]
async fn a_hundred_who_wait_for_one_approval_use_it_once() {
    let service = std::sync::Arc::new(Service::start().await);
    let id = open(&service, "k", "e0").await["id"].as_str().unwrap().to_owned();
    let mut waits = tokio::task::JoinSet::new();
    for n in 0..100 {
        let (service, id) = (std::sync::Arc::clone(&service), id.clone());
        waits.spawn(async move { wait(&service, &id, &format!("e{n}"), 4).await });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ben = service.token("ben", "approvers");
    let body = json!({"approve": true, "reason": "once"});
    let path = format!("/v1/holds/{id}/decision");
    let (status, hold) = service.call(Method::POST, &path, &ben, Some(&body)).await;
    assert_eq!(status, 200, "{hold}");
    let mut approved = 0;
    let mut others = std::collections::BTreeSet::new();
    while let Some(state) = waits.join_next().await {
        let state = state.unwrap();
        if state["decision"] == "approved" {
            approved += 1;
        } else {
            assert_eq!(state["decision"], "waiting");
            others.insert(state["id"].to_string());
        }
    }
    assert_eq!(approved, 1);
    assert_eq!(others.len(), 1, "the others wait together, for another decision");
}

#[tokio::test]
async fn only_the_right_people_see_and_decide_a_hold() {
    let service = Service::start().await;
    let id = open(&service, "k", "e1").await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/holds/{id}");
    let decision = format!("{path}/decision");
    let yes = json!({"approve": true, "reason": "fine"});
    let requester = service.token("ana", "approvers");
    let stranger = service.token("eve", "writers");
    let auditor = service.token("aud", "auditors");
    let ben = service.token("ben", "approvers");

    let (status, problem) = service.call(Method::POST, &decision, &requester, Some(&yes)).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("someone else"), "{problem}");
    assert_eq!(service.call(Method::GET, &path, &stranger, None).await.0, 404);
    assert_eq!(service.call(Method::POST, &decision, &stranger, Some(&yes)).await.0, 404);
    assert_eq!(service.call(Method::GET, &path, &auditor, None).await.0, 200);
    assert_eq!(service.call(Method::POST, &decision, &auditor, Some(&yes)).await.0, 403);
    assert_eq!(service.call(Method::GET, &path, "", None).await.0, 401);
    assert_eq!(service.call(Method::GET, &path, &service.data_token(), None).await.0, 401);
    let forged = format!("{}x", ben);
    assert_eq!(service.call(Method::GET, &path, &forged, None).await.0, 401);

    let (status, problem) =
        service.call(Method::POST, &decision, &ben, Some(&json!({"approve": true}))).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("reason"), "{problem}");
    let no = json!({"approve": false, "reason": "not on production"});
    assert_eq!(service.call(Method::POST, &decision, &ben, Some(&no)).await.0, 200);
    let (status, problem) = service.call(Method::POST, &decision, &ben, Some(&yes)).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("denied by ben"), "{problem}");
    // The client's retry without streaming hears the same.
    let retry = open(&service, "k", "e2").await;
    assert_eq!((&retry["decision"], &retry["reason"]), (&json!("denied"), &json!("not on production")));
}

#[tokio::test]
async fn a_token_narrowed_to_other_scopes_decides_nothing() {
    let service = Service::start().await;
    let id = open(&service, "k", "e1").await["id"].as_str().unwrap().to_owned();
    let state = service.state();
    let mint =
        ["token", "mint", "--subject", "ben", "--group", "approvers", "--scope", "messages.*", "--state"];
    let mut args = mint.to_vec();
    args.push(state.to_str().unwrap());
    let token = String::from_utf8(service.cli("", &args).stdout).unwrap();
    let yes = json!({"approve": true, "reason": "fine"});
    let (status, problem) =
        service.call(Method::POST, &format!("/v1/holds/{id}/decision"), token.trim(), Some(&yes)).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("holds.decide"), "{problem}");
}

#[tokio::test]
async fn a_wait_without_its_exchange_is_refused() {
    let service = Service::start().await;
    let id = open(&service, "k", "e1").await["id"].as_str().unwrap().to_owned();
    let (status, problem) =
        service.filter(Method::POST, &format!("/v1/holds/{id}/wait?seconds=1"), None).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("exchange"), "{problem}");
}

#[tokio::test]
async fn the_command_line_shows_holds_to_those_who_may_decide() {
    let service = Service::start().await;
    let id = open(&service, "k", "e1").await["id"].as_str().unwrap().to_owned();
    let ben = service.token("ben", "approvers");
    let listed = said(&service.cli(&ben, &["holds", "ls"]));
    assert!(listed.contains(&id) && listed.contains("write: INSERT") && listed.contains("ana"), "{listed}");
    let shown = said(&service.cli(&ben, &["holds", "show", &id]));
    assert!(shown.contains("psql -c 'INSERT'") && shown.contains("writes need approval"), "{shown}");
    let out = service.cli(&ben, &["holds", "deny", &id]);
    assert_eq!(out.status.code(), Some(2), "a reason is missing: {}", said(&out));
    let out = service.cli(&ben, &["holds", "deny", &id, "--reason", "no"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    let out = service.cli(&ben, &["holds", "approve", &id, "--reason", "yes"]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    let out = service.cli("", &["holds", "ls"]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("SLUICE_TOKEN"));
    let eve = service.token("eve", "writers");
    assert!(said(&service.cli(&eve, &["holds", "ls"])).contains("nothing here"));
}
