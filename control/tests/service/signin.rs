//! People sign in in a browser, at an identity provider, and out again.

use serde_json::{Value, json};

use super::harness::{POLICY, Service, sluice};
use super::postgres::database;
use super::provider::{Browser, Provider, Seen, seconds};

async fn service(provider: &Provider) -> Service {
    let service = Service::start_as(&provider.policy(), &[]).await;
    wait_for_keys(&service).await;
    service
}

async fn wait_for_keys(service: &Service) {
    for _ in 0..100 {
        if service.ready().await["issuers"]["corp"]["keys"] == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the issuer's key did not come: {}", service.log());
}

async fn me(browser: &mut Browser) -> Option<Value> {
    let seen = browser.get("/v1/whoami").await;
    (seen.status == 200).then(|| serde_json::from_str(&seen.body).unwrap())
}

async fn csrf(browser: &mut Browser) -> String {
    me(browser).await.unwrap()["csrf"].as_str().unwrap().to_owned()
}

fn why(seen: &Seen) -> String {
    let problem: Value = serde_json::from_str(&seen.body).unwrap_or_else(|_| panic!("{seen:?}"));
    problem["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_signs_in_is_who_the_provider_says_and_signs_out() {
    let provider = Provider::start().await;
    provider.knows("aud", &["auditors", "staff"]);
    let service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    assert_eq!(me(&mut browser).await, None);
    let back = browser.sign_in("/v1/sessions%3Flimit%3D2").await;
    assert_eq!((back.status.as_u16(), back.location()), (303, "/v1/sessions?limit=2"), "{back:?}");
    assert_eq!((back.header("cache-control"), back.header("referrer-policy")), ("no-store", "no-referrer"));
    assert_eq!(browser.jar.len(), 1, "the attempt's cookie is taken back: {:?}", browser.jar);
    let me = me(&mut browser).await.unwrap();
    assert_eq!(me["issuer"], "corp");
    assert_eq!((&me["subject"], &me["groups"]), (&json!("aud"), &json!(["auditors", "staff"])));
    assert_eq!(me["access"], json!(["auditors"]));
    assert_eq!(browser.get("/v1/sessions").await.status, 200, "what an auditor may see");
    assert_eq!(browser.get("/v1/grants").await.status, 200);

    let form = format!("csrf={}", me["csrf"].as_str().unwrap());
    let mut kept = browser.clone();
    let out = browser.post("/signout", &form).await;
    assert_eq!(out.status, 200, "{out:?}");
    assert!(!browser.jar.contains_key("sluice"));
    assert_eq!(kept.get("/v1/whoami").await.status, 401, "the cookie is worth nothing any more");
    assert!(!service.log().contains(kept.jar.values().next().unwrap()), "no id of a visit is logged");
}

#[tokio::test]
async fn what_a_browser_changes_needs_proof_that_our_own_page_sent_it() {
    let provider = Provider::start().await;
    let service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    browser.sign_in("/").await;
    let token = csrf(&mut browser).await;
    let mut other = Browser::new(&service.url);
    other.sign_in("/").await;
    let others = csrf(&mut other).await;
    let same = ("sec-fetch-site", "same-origin");
    let own = ("origin", "http://sluice.test");
    let [mine, others_own, none] = [token.as_str(), &others, ""].map(|token| ("x-csrf-token", token));
    let wish = r#"{"name":"writing","reason":"r"}"#;
    for (headers, status) in [
        (vec![], 403),
        (vec![same], 403),
        (vec![mine], 403),
        (vec![same, none], 403),
        (vec![same, others_own], 403),
        (vec![("sec-fetch-site", "cross-site"), mine], 403),
        (vec![("sec-fetch-site", "same-site"), mine], 403),
        (vec![("sec-fetch-site", "none"), mine], 403),
        (vec![("sec-fetch-site", "cross-site"), own, mine], 403),
        (vec![("origin", "http://evil.test"), mine], 403),
        (vec![("origin", "http://sluice.test.evil.test"), mine], 403),
        (vec![("origin", "null"), mine], 403),
        (vec![same, mine], 201),
        (vec![own, mine], 201),
    ] {
        let seen = browser.send("POST", "/v1/grants", &headers, wish).await;
        assert_eq!(seen.status, status, "{headers:?}: {seen:?}");
    }
    // Of a form: the token once, in its field.
    for form in ["", "csrf=", &format!("csrf={others}"), &format!("csrf={token}&csrf={token}"), "a=b"] {
        assert_eq!(browser.post("/signout", form).await.status, 403, "{form}");
    }
    let form = format!("csrf={token}");
    let foreign = browser.send("POST", "/signout", &[("origin", "http://evil.test")], &form).await;
    assert_eq!(foreign.status, 403);
    assert!(me(&mut browser).await.is_some(), "nobody else signs anybody out");
    // A token says who it is by itself, and needs no proof; nor does it borrow the visit's rights.
    let bearer = format!("Bearer {}", service.token("ben", "staff"));
    let seen = browser.send("POST", "/v1/grants", &[("authorization", &bearer)], wish).await;
    assert_eq!(seen.status, 201, "{seen:?}");
    let seen = browser.send("GET", "/v1/whoami", &[("authorization", "Bearer x")], "").await;
    assert_eq!(seen.status, 401, "a bad token is not made good by a cookie");
}

#[tokio::test]
async fn an_attempt_is_good_once_and_in_its_own_browser() {
    let provider = Provider::start().await;
    let service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    let begun = browser.get("/signin").await;
    let back = browser.get(begun.location()).await.location().to_owned();

    // An attacker sends their own answer to somebody else: in another browser it is worth nothing.
    let mut victim = Browser::new(&service.url);
    let seen = victim.get(&back).await;
    assert_eq!(seen.status, 400, "{seen:?}");
    assert!(why(&seen).contains("not begun in this browser"));
    victim.get("/signin").await;
    assert_eq!(victim.get(&back).await.status, 400, "nor where another attempt is under way");
    for altered in [
        back.replace("state=", "state=x"),
        back.split("&state").next().unwrap().to_owned(),
        back.replace("code=", "c="),
    ] {
        assert!(browser.clone().get(&altered).await.status.is_client_error(), "{altered}");
    }
    let mut copy = browser.clone();
    assert_eq!(browser.get(&back).await.status, 303);
    assert!(me(&mut browser).await.is_some());
    assert_eq!(browser.get(&back).await.status, 400, "the attempt is used up");
    let replayed = copy.get(&back).await;
    assert_eq!(replayed.status, 403, "the provider takes a code once: {replayed:?}");
    assert!(why(&replayed).contains("invalid_grant"));
    assert_eq!(me(&mut copy).await, None);
}

#[tokio::test]
async fn a_visit_gets_an_id_that_nobody_knew_before() {
    let provider = Provider::start().await;
    let service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    let planted = "A".repeat(43);
    browser.jar.insert("sluice".into(), planted.clone());
    browser.sign_in("/").await;
    let first = browser.jar["sluice"].clone();
    assert_ne!(first, planted);
    browser.sign_in("/").await;
    assert_ne!(browser.jar["sluice"], first);
    let mut old = Browser::new(&service.url);
    old.jar.insert("sluice".into(), first.clone());
    assert_eq!(me(&mut old).await, None, "who signs in anew has left the old visit");
    // Two cookies of one name: somebody else has set one of them.
    let mine = browser.jar["sluice"].clone();
    for cookie in [format!("sluice={mine}; sluice={first}"), format!("sluice={first}; sluice={mine}")] {
        let seen = Browser::new(&service.url).send("GET", "/v1/whoami", &[("cookie", &cookie)], "").await;
        assert_eq!(seen.status, 401);
    }
    let data = std::fs::read(service.state().join("sluice.db")).unwrap();
    let log = std::fs::read(service.state().join("sluice.db-wal")).unwrap_or_default();
    let has = |data: &[u8]| data.windows(43).any(|window| window == mine.as_bytes());
    assert!(!has(&data) && !has(&log), "whoever has the database has no visit");
}

#[tokio::test]
async fn an_id_token_that_is_not_for_this_sign_in_lets_nobody_in() {
    let provider = Provider::start().await;
    let service = service(&provider).await;
    let mut browser = Browser::new(&service.url);
    let now = seconds();
    for (claims, reason) in [
        (json!({"nonce": "another"}), "nonce"),
        (json!({"nonce": null}), "nonce"),
        (json!({"aud": "other"}), "audience"),
        (json!({"aud": ["web", "x"], "azp": "x"}), "azp"),
        (json!({"exp": now - 60}), "expired"),
        (json!({"exp": null}), "never expire"),
        (json!({"iat": now + 3600}), "not valid yet"),
        (json!({"iss": "http://evil.test"}), "not an issuer"),
        (json!({"iss": "http://sluice.test", "aud": "sluice"}), "published no key"),
        (json!({"sub": null}), "no subject"),
        (json!({"groups": {"a": 1}}), "groups"),
    ] {
        provider.lies(claims.clone());
        let back = browser.sign_in("/").await;
        assert_eq!(back.status, 403, "{claims}: {back:?}");
        assert!(why(&back).contains(reason), "{claims}: {}", why(&back));
        assert!(browser.jar.is_empty(), "{claims}");
    }
    provider.lies(json!({}));
    for answer in
        [json!({"access_token": "t", "token_type": "Bearer"}), json!({"error": "server_error"}), json!([])]
    {
        provider.answers(Some(answer.clone()));
        let back = browser.sign_in("/").await;
        assert!([403, 502].contains(&back.status.as_u16()), "{answer}: {back:?}");
    }
    provider.answers(None);
    for (query, said) in [
        ("error=access_denied", "access_denied"),
        ("error=%3Cscript%3Ealert(1)%3C/script%3E", "scriptalert1script"),
        ("iss=http%3A%2F%2Fevil.test&code=x", "another issuer"),
        ("code=", "no code"),
    ] {
        provider.sends_back(Some(query));
        let back = browser.sign_in("/").await;
        assert_eq!(back.status, 403, "{query}: {back:?}");
        assert!(why(&back).contains(said), "{query}: {}", why(&back));
    }
    provider.sends_back(None);
    assert_eq!(browser.sign_in("/").await.status, 303, "an honest one does");
    for secret in ["code0", "opaque"] {
        assert!(!service.log().contains(secret), "no code or token is logged");
    }
}

#[tokio::test]
async fn one_goes_nowhere_but_to_pages_of_our_own() {
    let provider = Provider::start().await;
    let service = service(&provider).await;
    for place in [
        "//evil.test",
        "https://evil.test",
        "/%5Cevil.test",
        "/%09/evil.test",
        "%5C%5Cevil.test",
        "/signin",
        "javascript:1",
    ] {
        let back = Browser::new(&service.url).sign_in(place).await;
        assert_eq!((back.status.as_u16(), back.location()), (303, "/"), "{place}");
    }
}

#[tokio::test]
async fn a_key_that_the_provider_has_just_begun_to_use_is_fetched() {
    let provider = Provider::start().await;
    let service = service(&provider).await;
    provider.changes_key();
    // Filters are not let down by a fetch for each of them: a fetch comes two seconds after the last.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(Browser::new(&service.url).sign_in("/").await.status, 303);
}

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

async fn dev() -> Service {
    Service::start_as(POLICY, &["--dev", "--public-url", "http://127.0.0.1"]).await
}

#[tokio::test]
async fn dev_believes_whoever_is_on_this_machine_and_nobody_else() {
    let service = dev().await;
    assert!(service.log().contains("THIS SERVICE IS OPEN"));
    let mut browser = Browser::new(&service.url);
    let form = browser.get("/signin?to=/holds").await;
    assert!(form.status == 200 && form.body.contains("Who are you?"));
    assert!(form.header("content-security-policy").contains("default-src 'none'"));
    let inside = browser.post("/signin?to=/holds", "subject=ana&groups=auditors,+staff").await;
    assert_eq!((inside.status.as_u16(), inside.location()), (303, "/holds"), "{inside:?}");
    let me = me(&mut browser).await.unwrap();
    assert_eq!((&me["subject"], &me["groups"]), (&json!("ana"), &json!(["auditors", "staff"])));
    assert_eq!(me["issuer"], "own", "as `sluice token mint` would name them");

    let mut other = Browser::new(&service.url);
    for (headers, path, status) in [
        (vec![("sec-fetch-site", "cross-site")], "/signin", 403),
        (vec![("origin", "http://evil.test")], "/signin", 403),
        (vec![], "/signin", 403),
        (vec![("host", "evil.test"), ("sec-fetch-site", "same-origin")], "/signin", 421),
    ] {
        let seen = other.send("POST", path, &headers, "subject=eve").await;
        assert_eq!(seen.status, status, "{headers:?}");
    }
    assert_eq!(other.post("/signin", "subject=+").await.status, 400);
    assert_eq!(other.post("/signin?to=//evil.test", "subject=eve").await.location(), "/");

    // Sidecars need no token; pages of others are no sidecars.
    let mut bare = Browser::new(&service.url);
    assert_eq!(bare.get("/v1/bundle").await.status, 200);
    for header in
        [("origin", "http://evil.test"), ("sec-fetch-site", "same-origin"), ("host", "evil.test:80")]
    {
        assert!(bare.send("GET", "/v1/bundle", &[header], "").await.status.is_client_error(), "{header:?}");
    }
}

#[tokio::test]
async fn dev_does_not_start_where_others_could_call() {
    for args in [["--listen", "0.0.0.0:0"], ["--public-url", "https://sluice.example"]] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("policy.yaml"), POLICY).unwrap();
        let mut command = sluice();
        command.args(["serve", "--dev"]).args(args).arg("--state").arg(dir.path().join("state"));
        if args[0] != "--listen" {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let out = command.arg("--policy").arg(dir.path().join("policy.yaml")).output().unwrap();
        assert_eq!(out.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&out.stderr).contains("for this machine alone"), "{out:?}");
    }
    let service = Service::start().await;
    assert_eq!(
        Browser::new(&service.url).get("/v1/bundle").await.status,
        401,
        "without --dev nothing is open"
    );
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
