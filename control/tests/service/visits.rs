//! Visits: how long they last, where, and what is said when they end or never begin.

use serde_json::{Value, json};

use super::harness::{Service, sluice};
use super::postgres::database;
use super::provider::{Browser, Provider, Seen, seconds};
use super::signin::{csrf, me, service, wait_for_keys, why};

#[tokio::test]
async fn the_clients_secret_comes_from_a_file_and_may_change() {
    let provider = Provider::start().await;
    provider.wants("first");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "wrong\n").unwrap();
    let service =
        Service::start_as(&provider.policy(), &["--sign-in-secret-file", file.to_str().unwrap()]).await;
    wait_for_keys(&service).await;
    let mut browser = Browser::new(&service.url);
    let refused = browser.sign_in("/").await;
    assert!(why(&refused).contains("invalid_client"), "{refused:?}");
    std::fs::write(&file, "first\n").unwrap();
    assert_eq!(browser.sign_in("/").await.status, 303);
    assert!(!service.log().contains("first"));
}

#[tokio::test]
async fn a_visit_outlives_the_service_and_not_the_policy_that_let_it_in() {
    let provider = Provider::start().await;
    let mut service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    browser.sign_in("/").await;
    let token = csrf(&mut browser).await;
    let restart = async |service: &mut Service, policy: &str, browser: &Browser| {
        service.kill();
        std::fs::write(service.policy().join("base.yaml"), policy).unwrap();
        service.run().await;
        let mut again = Browser::new(&service.url);
        again.jar = browser.jar.clone();
        again
    };
    let policy = provider.policy();
    let mut again = restart(&mut service, &policy.replace("[operators]", "[others]"), &browser).await;
    assert_eq!(csrf(&mut again).await, token);
    let other = policy.replace("[web, cli]", "[web, cli, more]");
    assert_ne!(other, policy);
    let mut again = restart(&mut service, &other, &browser).await;
    assert_eq!(me(&mut again).await, None);
    let mut again = restart(&mut service, &policy, &browser).await;
    assert_eq!(me(&mut again).await, None, "it was ended, not set aside");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_is_one_on_all_replicas() {
    let provider = Provider::start().await;
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let shared = (database().await, directory);
    let policy = provider.policy();
    let (one, two) = tokio::join!(
        Service::start_all(Some(shared.clone()), &policy, &[]),
        Service::start_all(Some(shared), &policy, &[])
    );
    tokio::join!(wait_for_keys(&one), wait_for_keys(&two));
    // Begun at one, come back to the other.
    let mut browser = Browser::new(&one.url);
    let begun = browser.get("/signin").await;
    let back = browser.get(begun.location()).await.location().to_owned();
    let mut there = Browser::new(&two.url);
    there.jar = browser.jar.clone();
    assert_eq!(there.get(&back).await.status, 303);
    browser.jar = there.jar.clone();
    let token = csrf(&mut browser).await;
    assert_eq!(there.post("/signout", &format!("csrf={token}")).await.status, 200);
    assert_eq!(me(&mut browser).await, None, "signed out at one is signed out at all");
}

#[tokio::test]
async fn without_a_provider_nobody_signs_in_and_nobody_says_who_they_are() {
    let service = Service::start().await;
    let mut browser = Browser::new(&service.url);
    let seen = browser.get("/signin").await;
    assert_eq!(seen.status, 404, "{seen:?}");
    assert!(why(&seen).contains("access.signIn"));
    assert_eq!(browser.post("/signin", "subject=eve&groups=auditors").await.status, 405);
    assert_eq!(browser.get("/signin/callback?code=x&state=y").await.status, 400);
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_to_be() {
    let provider = Provider::start().await;
    let policy = provider.policy().replace(&provider.url, "http://127.0.0.1:1");
    let service = Service::start_as(&policy, &[]).await;
    let seen = Browser::new(&service.url).get("/signin").await;
    assert_eq!(seen.status, 502);
    assert!(why(&seen).contains("cannot be asked now"), "{}", why(&seen));
}

/// What a browser sees that asks for pages.
async fn page(browser: &mut Browser, url: &str) -> Seen {
    browser.send("GET", url, &[("accept", "text/html,*/*")], "").await
}

#[tokio::test]
async fn who_has_signed_out_stays_so_until_they_want_in_again_and_prove_anew_who_they_are() {
    let provider = Provider::start().await;
    let service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    let begun = browser.get("/signin").await;
    assert!(!begun.location().contains("prompt="), "usually the provider decides whether to ask");
    browser.sign_in("/").await;
    let form = format!("csrf={}", csrf(&mut browser).await);
    assert!(browser.post("/signout", &form).await.body.contains("You are signed out"));
    assert!(!browser.jar.contains_key("sluice"));
    // The provider still knows the browser, and would send it back in without a question.
    let led = browser.get("/holds").await;
    let out = browser.get(led.location()).await;
    assert!(out.status == 200 && out.body.contains("You are signed out"), "{out:?}");
    let again = "/signin?again=yes&#38;to=%2Fholds";
    assert!(out.body.contains(again), "{}", out.body);
    let begun = browser.get(&again.replace("&#38;", "&")).await;
    assert!(begun.location().contains("prompt=login"), "{begun:?}");
    let asked = browser.get(begun.location()).await;
    let back = browser.get(asked.location()).await;
    assert_eq!((back.status.as_u16(), back.location()), (303, "/holds"), "{back:?}");
    assert_eq!(browser.jar.len(), 1, "and is in as before: {:?}", browser.jar);
}

#[tokio::test]
async fn whoever_is_not_let_in_sees_a_page_that_says_why_and_what_to_do_and_programs_get_a_problem() {
    let provider = Provider::start().await;
    let service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    let failing = async |browser: &mut Browser| {
        let begun = browser.get("/signin?to=%2Fholds").await;
        let asked = browser.get(begun.location()).await;
        page(browser, asked.location()).await
    };
    let now = seconds();
    let lie = |claims: Value| provider.lies(claims);
    let say = |query: Option<&str>| provider.sends_back(query);
    for (claims, query, heading) in [
        (json!({}), Some("error=access_denied"), "The identity provider said no"),
        (json!({}), Some("error=temporarily_unavailable"), "The identity provider has trouble"),
        (json!({}), Some("error=login_required"), "The identity provider wants to ask you"),
        (json!({}), Some("error=unauthorized_client"), "The identity provider refused"),
        (json!({"exp": now - 60}), None, "The clocks do not agree"),
        (json!({"iat": now + 3600}), None, "The clocks do not agree"),
        (json!({"aud": "other"}), None, "That was no good sign-in"),
    ] {
        lie(claims.clone());
        say(query);
        let seen = failing(&mut browser).await;
        assert!(seen.header("content-type").starts_with("text/html"), "{seen:?}");
        assert!(seen.header("content-security-policy").contains("default-src 'none'"));
        assert!(seen.body.contains(heading), "{claims} {query:?}: {}", seen.body);
        assert!(seen.body.contains("href=\"/signin?to=%2Fholds\""), "on to where one wanted: {}", seen.body);
        assert!(!seen.body.contains("begin again at"), "the button says it");
    }
    lie(json!({}));
    say(None);
    let lost = page(&mut browser, "/signin/callback?code=x&state=y").await;
    assert!(lost.status == 400 && lost.body.contains("This sign-in cannot go on"), "{lost:?}");
    let program = browser.get("/signin/callback?code=x&state=y").await;
    assert_eq!(program.header("content-type"), "application/problem+json");
    assert!(why(&program).contains("begin again at /signin"));

    // Who is shut out is told so, and is in again as soon as the provider vouches anew.
    let operator = service.token("olga", "operators");
    let ana = ["tokens", "revoke", "--issuer", "corp", "--subject", "ana", "--reason", "left"];
    provider.knows("ana", &["staff"]);
    assert!(service.cli(&operator, &ana).status.success());
    provider.lies(json!({"iat": now - 60}));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let seen = failing(&mut browser).await;
        if seen.body.contains("You are shut out") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{seen:?}");
    }

    // What is no page and what one may not see, in the frame of who is signed in, and out of it.
    provider.lies(json!({}));
    provider.knows("ben", &["staff"]);
    assert!(page(&mut browser, "/nowhere").await.body.contains("Not found"));
    browser.sign_in("/").await;
    let nothing = page(&mut browser, "/nowhere").await;
    assert!(nothing.status == 404 && nothing.body.contains("<nav") && nothing.body.contains("Not found"));
    let barred = page(&mut browser, "/sessions").await;
    assert!(barred.status == 403 && barred.body.contains("You are ben, in staff."), "{}", barred.body);
}

#[tokio::test]
async fn sign_ins_and_sign_outs_stand_in_the_log_and_so_do_refused_ones_up_to_a_number() {
    let provider = Provider::start().await;
    provider.knows("aud", &["auditors"]);
    let service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    browser.sign_in("/").await;
    browser.sign_in("/").await;
    let form = format!("csrf={}", csrf(&mut browser).await);
    browser.post("/signout", &form).await;
    for _ in 0..30 {
        assert_eq!(browser.get("/signin/callback?code=x&state=y").await.status, 400);
    }
    let auditor = service.token("eve", "auditors");
    let export = |format: &str| {
        let out = service.cli(&auditor, &["records", "export", "--format", format]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let log = export("ndjson");
    let events: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap().pointer("/entry/signIn").cloned())
        .collect();
    let changes: Vec<&str> = events.iter().map(|event| event["change"].as_str().unwrap()).collect();
    assert_eq!(changes[..4], ["signedIn", "signedOut", "signedIn", "signedOut"], "{log}");
    assert_eq!(changes[4..], ["refused"; 10], "nobody fills the log");
    let first = &events[0];
    assert_eq!((&first["by"], &first["who"]["subject"]), (&json!("corp"), &json!("aud")));
    assert_eq!((&first["who"]["groups"], &first["address"]), (&json!(["auditors"]), &json!("127.0.0.1")));
    assert!(first["endsMs"].as_u64() > first["atMs"].as_u64());
    assert_eq!(events[1]["why"], "signed in anew");
    assert_eq!((&events[0]["visit"], &events[2]["visit"]), (&events[1]["visit"], &events[3]["visit"]));
    assert_eq!((&events[4]["why"], events[4].get("who")), (&json!("lost"), None));
    for event in &events {
        assert!(
            event["visit"].as_str().unwrap_or_default().len() <= 16,
            "not the whole of what is looked up"
        );
    }

    let ocsf = export("ocsf");
    let ocsf: Vec<Value> = ocsf.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ocsf: Vec<&Value> = ocsf.iter().filter(|event| event["class_uid"] == 3002).collect();
    let told = |at: usize, name: &str| ocsf[at][name].clone();
    assert_eq!((told(0, "type_uid"), told(0, "status_id")), (json!(300_201), json!(1)));
    assert_eq!(ocsf[0]["user"]["uid"], "corp/aud");
    assert_eq!(ocsf[0]["src_endpoint"]["ip"], "127.0.0.1");
    assert_eq!(
        (told(1, "type_uid"), told(1, "session")["uid"].clone()),
        (json!(300_202), events[0]["visit"].clone())
    );
    assert_eq!((told(4, "status_id"), told(4, "status_detail")), (json!(2), json!("lost")));
    let csv = export("csv");
    assert!(csv.contains("signed in") && csv.contains("by corp; from 127.0.0.1; visit "), "{csv}");
    let sound = service.cli(&auditor, &["records", "verify"]);
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stdout));
}
