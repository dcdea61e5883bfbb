//! `--dev`: a service that believes who you say you are.

use serde_json::json;

use super::harness::{POLICY, Service, sluice};
use super::provider::Browser;
use super::signin::me;

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
