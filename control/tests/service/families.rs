//! Sign-ins that last, and devices that people let in.

use std::fs;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::Service;
use super::provider::{Browser, Provider};
use super::tokens::{EXCHANGE, FORM, JWT, claims, corp, exchange, form, identity};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn service(refresh: Option<&str>) -> Service {
    let mut service = Service::start().await;
    let mut issuer = json!({
        "name": "corp", "issuer": "https://corp.example", "audiences": ["sluice"], "keys": {"jwks": {"keys": [corp().jwk()]}},
    });
    if let Some(refresh) = refresh {
        issuer["refresh"] = json!(refresh);
    }
    fs::write(service.policy().join("corp.yaml"), json!({"issuers": [issuer]}).to_string()).unwrap();
    service.kill();
    service.run().await;
    service
}

async fn lasting(service: &Service, token: &str) -> Value {
    let fields = [
        ("grant_type", EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", JWT),
        ("scope", "offline_access"),
    ];
    let (status, answer) = exchange(service, &fields).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn refresh(service: &Service, token: &Value) -> (u16, Value) {
    exchange(service, &[("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())]).await
}

async fn is_taken(service: &Service, answer: &Value) -> bool {
    let token = answer["access_token"].as_str().unwrap();
    service.call(Method::GET, "/v1/sessions", token, None).await.0 == 200
}

async fn refused(service: &Service, answer: &Value) {
    let start = std::time::Instant::now();
    while is_taken(service, answer).await {
        assert!(start.elapsed() < Duration::from_secs(10), "still taken");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_sign_in_is_refreshed_with_what_the_source_gave_and_ends_when_a_used_token_is_shown_again() {
    let service = service(Some("8h")).await;
    let first = lasting(&service, &identity("ana", None, 600)).await;
    let (status, second) = refresh(&service, &first["refresh_token"]).await;
    assert_eq!(status, 200, "{second}");
    assert!(is_taken(&service, &first).await && is_taken(&service, &second).await);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let (one, two) =
        (claims(first["access_token"].as_str().unwrap()), claims(second["access_token"].as_str().unwrap()));
    for name in ["sub", "via", "groups", "from", "since"] {
        assert_eq!(one[name], two[name], "{name}");
    }

    let (status, refused_answer) = refresh(&service, &first["refresh_token"]).await;
    assert_eq!((status, &refused_answer["error"]), (400, &json!("invalid_grant")), "{refused_answer}");
    assert_eq!(refresh(&service, &second["refresh_token"]).await.0, 400, "the family has ended");
    refused(&service, &second).await;
    assert!(!is_taken(&service, &first).await, "and all that it gave");
    let export = service.cli(&identity("eve", None, 600), &["records", "export"]);
    let export = String::from_utf8(export.stdout).unwrap();
    assert!(!export.contains("slr_") && export.contains("\"revocation\""), "{export}");
}

#[tokio::test]
async fn a_refresh_token_is_given_where_the_policy_lets_a_sign_in_last_and_never_for_a_token_of_controls_own()
{
    let short = service(None).await;
    assert_eq!(lasting(&short, &identity("ana", None, 600)).await["refresh_token"], Value::Null);
    let service = service(Some("1s")).await;
    let fields = [
        ("grant_type", EXCHANGE),
        ("subject_token", &identity("ana", None, 600)),
        ("subject_token_type", JWT),
    ];
    assert_eq!(exchange(&service, &fields).await.1["refresh_token"], Value::Null, "nobody asked");
    let answer = lasting(&service, &identity("ana", None, 600)).await;
    assert_eq!(answer["expires_in"], 1, "nor does a token live longer than the sign-in");
    let again = lasting(&service, answer["access_token"].as_str().unwrap()).await;
    assert_eq!(again["refresh_token"], Value::Null);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (status, ended) = refresh(&service, &answer["refresh_token"]).await;
    assert_eq!((status, &ended["error"]), (400, &json!("invalid_grant")), "its end is its end");
}

#[tokio::test]
async fn a_sign_in_ends_when_it_is_given_back_or_its_source_is_revoked() {
    let service = service(Some("8h")).await;
    let revoke = async |token: &str| {
        assert_eq!(service.post("/v1/oauth/revoke", FORM, &form(&[("token", token)])).await.0, 200);
    };
    let answer = lasting(&service, &identity("ana", None, 600)).await;
    revoke(answer["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refresh(&service, &answer["refresh_token"]).await.0, 400);
    refused(&service, &answer).await;

    let source = identity("ana", None, 600);
    let answer = lasting(&service, &source).await;
    revoke(&source).await;
    assert_eq!(refresh(&service, &answer["refresh_token"]).await.0, 400);

    let answer = lasting(&service, &identity("ana", None, 600)).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let operator = service.token("olga", "operators");
    let out = service
        .cli(&operator, &["tokens", "revoke", "--issuer", "corp", "--subject", "ana", "--reason", "left"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    refused(&service, &answer).await;
    assert_eq!(refresh(&service, &answer["refresh_token"]).await.0, 400);
}

async fn device(service: &Service) -> Value {
    let (status, answer) =
        service.post("/oauth/device_authorization", FORM, "surface=claude_code&later=1").await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn poll(service: &Service, device: &Value) -> (u16, Value) {
    let code = device["device_code"].as_str().unwrap();
    exchange(service, &[("grant_type", DEVICE), ("device_code", code)]).await
}

#[tokio::test]
async fn a_person_lets_a_device_in_by_its_code_and_it_gets_their_token_once() {
    let service = service(Some("8h")).await;
    let ana = identity("ana", None, 600);
    let asked = device(&service).await;
    let code = asked["user_code"].as_str().unwrap();
    assert_eq!(asked["verification_uri"], "http://sluice.test/device");
    assert!(asked["verification_uri_complete"].as_str().unwrap().ends_with(code));
    assert_eq!((&asked["interval"], &asked["expires_in"]), (&json!(5), &json!(600)));
    assert_eq!(poll(&service, &asked).await.1["error"], "authorization_pending");
    assert_eq!(poll(&service, &asked).await.1["error"], "slow_down");

    let shown = service.cli(&ana, &["tokens", "device", "show", &code.to_lowercase()]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("claude_code") && shown.contains(code), "{shown}");
    let out = service.cli(&ana, &["tokens", "device", "approve", code]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let again = service.cli(&ana, &["tokens", "device", "deny", code]);
    assert_eq!(again.status.code(), Some(1), "decided once");

    // Told to slow down, it comes after ten seconds.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (status, answer) = poll(&service, &asked).await;
    assert_eq!((status, &answer["email"]), (200, &json!("ana")), "{answer}");
    assert!(is_taken(&service, &answer).await);
    assert_eq!(claims(answer["access_token"].as_str().unwrap())["via"], "corp");
    assert_eq!(refresh(&service, &answer["refresh_token"]).await.0, 200);
    assert_eq!(poll(&service, &asked).await.1["error"], "expired_token", "a code is good once");
    let export = service.cli(&identity("eve", None, 600), &["records", "export"]);
    let export = String::from_utf8(export.stdout).unwrap();
    assert!(export.contains("\"device\":\"claude_code\"") && !export.contains("sld_"), "{export}");
}

#[tokio::test]
async fn a_device_that_is_refused_and_one_let_in_with_a_token_that_was_revoked_get_nothing() {
    let service = service(Some("8h")).await;
    let ana = identity("ana", None, 600);
    for (verdict, revoke) in [("deny", false), ("approve", true)] {
        let asked = device(&service).await;
        let out = service.cli(&ana, &["tokens", "device", verdict, asked["user_code"].as_str().unwrap()]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        if revoke {
            assert_eq!(service.post("/v1/oauth/revoke", FORM, &form(&[("token", &ana)])).await.0, 200);
            let start = std::time::Instant::now();
            while service.call(Method::GET, "/v1/sessions", &ana, None).await.0 == 200 {
                assert!(start.elapsed() < Duration::from_secs(10));
            }
        }
        assert_eq!(poll(&service, &asked).await.1["error"], "access_denied", "{verdict}");
    }
}

#[tokio::test]
async fn what_a_device_gets_is_never_more_than_the_token_that_let_it_in() {
    let service = service(Some("8h")).await;
    let asked = device(&service).await;
    let code = asked["user_code"].as_str().unwrap();
    let narrow = identity("ana", Some(&["messages.create"]), 600);
    assert_eq!(service.cli(&narrow, &["tokens", "device", "approve", code]).status.code(), Some(1));
    let narrow = identity("ana", Some(&["messages.create", "devices.decide"]), 600);
    assert!(service.cli(&narrow, &["tokens", "device", "approve", code]).status.success());
    let (_, answer) = poll(&service, &asked).await;
    assert_eq!(answer["scope"], "messages.create devices.decide");

    let asked = device(&service).await;
    let own = service.token("ana", "auditors");
    assert!(
        service
            .cli(&own, &["tokens", "device", "approve", asked["user_code"].as_str().unwrap()])
            .status
            .success()
    );
    let (_, answer) = poll(&service, &asked).await;
    assert_eq!(answer["refresh_token"], Value::Null, "a token of control's own does not live on in a device");
    let end = |token: &str| claims(token)["exp"].as_u64().unwrap();
    assert!(end(answer["access_token"].as_str().unwrap()) <= end(&own));
}

#[tokio::test]
async fn codes_are_not_to_be_guessed() {
    let service = service(None).await;
    let asked = device(&service).await;
    let code = asked["user_code"].as_str().unwrap();
    let ana = identity("ana", None, 600);
    assert_eq!(service.call(Method::GET, &format!("/v1/devices/{code}"), "", None).await.0, 401);
    for _ in 0..10 {
        assert_eq!(service.call(Method::GET, "/v1/devices/BBBB-BBBB", &ana, None).await.0, 404);
    }
    let path = format!("/v1/devices/{code}");
    assert_eq!(service.call(Method::GET, &path, &ana, None).await.0, 429, "even the right one");
    assert_eq!(service.call(Method::GET, &path, &identity("ben", None, 600), None).await.0, 200);
}

#[tokio::test]
async fn discovery_names_the_base_url_that_a_gateway_says_and_that_of_control_to_all_others() {
    let service = service(None).await;
    let path = "/.well-known/oauth-authorization-server?base=http://gw.example:8080";
    let (_, told) = service.filter(Method::GET, path, None).await;
    assert_eq!(told["issuer"], "http://gw.example:8080");
    assert_eq!(told["device_authorization_endpoint"], "http://gw.example:8080/v1/oauth/device");
    let (_, told) = service.call(Method::GET, path, "", None).await;
    assert_eq!(told["issuer"], "http://sluice.test", "a stranger's word is nothing");
    let bad = "/.well-known/oauth-authorization-server?base=http://gw.example/%22";
    assert_eq!(service.filter(Method::GET, bad, None).await.1["issuer"], "http://sluice.test");
}

/// A person who is signed in in a browser, and the service.
async fn signed_in(provider: &Provider, policy: &str) -> (Service, Browser) {
    provider.knows("ana", &["auditors", "staff"]);
    let service = Service::start_as(policy, &[]).await;
    for _ in 0..100 {
        if service.ready().await["issuers"]["corp"]["keys"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let browser = Browser::new(&service.url);
    (service, browser)
}

/// What a form of a page carries.
fn csrf(page: &str) -> String {
    page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_in_a_browser_sees_what_asks_confirms_and_nothing_is_let_in_before() {
    let provider = Provider::start().await;
    let lasting =
        provider.policy().replace("audiences: [web, cli]", "audiences: [web, cli]\n    refresh: 8h");
    let (service, mut browser) = signed_in(&provider, &lasting).await;
    let asks = "client_id=%3Cscript%3Ealert(1)%3C%2Fscript%3E&scope=messages.create+models.read";
    let (status, asked) = service.post("/v1/oauth/device", FORM, asks).await;
    assert_eq!(status, 200, "{asked}");
    let code = asked["user_code"].as_str().unwrap();
    let place = format!("/device?user_code={code}");
    let sent = browser.get(&place).await;
    assert!(sent.location().starts_with("/signin?to=%2Fdevice"), "{sent:?}");
    let back = browser.sign_in(&format!("/device%3Fuser_code%3D{code}")).await;
    assert_eq!(back.location(), place);
    let typed = browser.get(&format!("/device?user_code=+{}+", code.to_lowercase().replace('-', ""))).await;
    assert!(typed.body.contains(code), "as people type it: {}", typed.body);
    let page = browser.get(&place).await;
    assert!(
        page.body.contains("&#60;script&#62;alert(1)") && !page.body.contains("<script>"),
        "{}",
        page.body
    );
    let guarded = page.header("content-security-policy");
    assert!(
        guarded.contains("frame-ancestors 'none'") && guarded.contains("form-action 'self'"),
        "{guarded}"
    );
    for told in [
        code,
        "ana",
        "(corp)",
        "auditors, staff",
        "messages.create, models.read",
        "8h from now",
        "127.0.0.1",
        "If somebody sent you the code",
    ] {
        assert!(page.body.contains(told), "{told}: {}", page.body);
    }
    assert_eq!(poll(&service, &asked).await.1["error"], "authorization_pending", "a look lets nothing in");

    let csrf = csrf(&page.body);
    let form = |csrf: &str, code: &str| format!("csrf={csrf}&user_code={code}&verdict=allow");
    assert_eq!(browser.post("/device", &form("wrong", code)).await.status, 403);
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(browser.send("POST", "/device", &foreign, &form(&csrf, code)).await.status, 403);
    assert_eq!(browser.post("/device", &form(&csrf, "BBBB-BBBB")).await.status, 404);
    let unclear = format!("csrf={csrf}&user_code={code}&verdict=maybe");
    assert_eq!(browser.post("/device", &unclear).await.status, 400);
    let done = browser.post("/device", &form(&csrf, code)).await;
    assert!(done.status == 200 && done.body.contains("The device is in"), "{done:?}");
    let again = browser.get(&place).await;
    assert!(again.status == 404 && again.body.contains("No device waits"), "used up: {again:?}");
    assert!(again.body.contains("name=\"user_code\""), "and another can be typed");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (status, answer) = poll(&service, &asked).await;
    assert_eq!((status, &answer["email"]), (200, &json!("ana")), "{answer}");
    let claims = claims(answer["access_token"].as_str().unwrap());
    assert_eq!((&claims["via"], &claims["scope"]), (&json!("corp"), &json!("messages.create models.read")));

    let auditor = service.token("eve", "auditors");
    let export = String::from_utf8(service.cli(&auditor, &["records", "export"]).stdout).unwrap();
    let decided = export.lines().find(|line| line.contains("deviceLetIn")).unwrap();
    assert!(decided.contains(code) && decided.contains("\"subject\":\"ana\""), "{decided}");
}

#[tokio::test]
async fn a_page_without_a_code_asks_for_one_and_one_that_is_refused_gives_nothing() {
    let provider = Provider::start().await;
    let (service, mut browser) = signed_in(&provider, &provider.policy()).await;
    browser.sign_in("/device").await;
    let page = browser.get("/device").await;
    assert!(page.status == 200 && page.body.contains("action=\"/device\""), "{page:?}");
    let asked = device(&service).await;
    let code = asked["user_code"].as_str().unwrap();
    let page = browser.get(&format!("/device?user_code={code}")).await;
    assert!(page.body.contains("1h, in one token"), "the policy lets no sign-in last: {}", page.body);
    let form = format!("csrf={}&user_code={code}&verdict=deny", csrf(&page.body));
    // Without the visit nothing happens, and one comes back to where the form was.
    let mut nobody = Browser::new(&service.url);
    let headers = [
        ("sec-fetch-site", "same-origin"),
        ("accept", "text/html"),
        ("referer", "http://sluice.test/device?user_code=x"),
    ];
    let seen = nobody.send("POST", "/device", &headers, &form).await;
    assert_eq!(seen.status, 401, "{seen:?}");
    assert!(seen.body.contains("/signin?to=%2Fdevice%3Fuser_code%3Dx"), "{}", seen.body);
    let evil = [headers[0], headers[1], ("referer", "http://sluice.test.evil.test/x")];
    let seen = nobody.send("POST", "/device", &evil, &form).await;
    assert!(seen.body.contains("href=\"/signin\"") && !seen.body.contains("evil"), "{}", seen.body);
    let refused = browser.post("/device", &form).await;
    assert!(refused.status == 200 && refused.body.contains("The device was refused"), "{refused:?}");
    assert_eq!(poll(&service, &asked).await.1["error"], "access_denied");
    // Ten wrong codes, and the right one is not looked at any more.
    let asked = device(&service).await;
    for _ in 0..10 {
        let wrong = browser.get("/device?user_code=BBBB-BBBB").await;
        assert!(wrong.status == 404 && wrong.body.contains("aria-invalid"), "{wrong:?}");
    }
    let code = asked["user_code"].as_str().unwrap();
    let page = browser.get(&format!("/device?user_code={code}")).await;
    assert!(page.status == 429 && page.body.contains("wait ten minutes"), "{page:?}");
}

#[tokio::test]
async fn a_device_that_could_get_nothing_is_told_so_before_anybody_lets_it_in() {
    let provider = Provider::start().await;
    // Its `keys: control` is of another service.
    let policy = provider.policy().replace("issuer: http://sluice.test", "issuer: http://other.test");
    let (service, _) = signed_in(&provider, &policy).await;
    let (status, refused) = service.post("/v1/oauth/device", FORM, "").await;
    assert_eq!(status, 400, "{refused}");
    assert!(refused["error_description"].as_str().unwrap().contains("keys: control"), "{refused}");
}
