//! People sign in in a browser, at an identity provider, and out again.

use serde_json::{Value, json};

use super::harness::Service;
use super::provider::{Browser, Provider, Seen, seconds};

pub async fn service(provider: &Provider) -> Service {
    let service = Service::start_as(&provider.policy(), &[]).await;
    wait_for_keys(&service).await;
    service
}

pub async fn wait_for_keys(service: &Service) {
    for _ in 0..100 {
        if service.ready().await["issuers"]["corp"]["keys"] == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the issuer's key did not come: {}", service.log());
}

pub async fn me(browser: &mut Browser) -> Option<Value> {
    let seen = browser.get("/v1/whoami").await;
    (seen.status == 200).then(|| serde_json::from_str(&seen.body).unwrap())
}

pub async fn csrf(browser: &mut Browser) -> String {
    me(browser).await.unwrap()["csrf"].as_str().unwrap().to_owned()
}

pub fn why(seen: &Seen) -> String {
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
        (json!({"act": {"sub": "admin"}}), "on another's behalf"),
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
