use std::fs;
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::Value;

use super::harness::{POLICY, Service, swap};

async fn until(what: &str, mut good: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !good().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn role(bundle: &Value) -> String {
    bundle["policy"]["roles"][0]["name"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_names_file_line_field_and_reason() {
    let service = Service::start().await;
    let before = service.bundle().await;
    let file = service.policy().join("more.yaml");
    fs::write(&file, "roles:\n  - name: x\n    scope: [a]\n").unwrap();
    until("the fault shows", async || {
        !service.ready().await["policy"]["faults"].as_array().unwrap().is_empty()
    })
    .await;
    let ready = service.ready().await;
    let fault = &ready["policy"]["faults"][0];
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["policy"]["rejectedTotal"], 1);
    assert!(fault["file"].as_str().unwrap().ends_with("more.yaml"), "{fault}");
    assert_eq!((fault["line"].as_u64(), fault["field"].as_str()), (Some(3), Some("roles[0].scope")));
    assert!(fault["why"].as_str().unwrap().contains("scope"), "{fault}");
    assert!(service.log().contains("the last good policy stays in force"));
    let after = service.bundle().await;
    assert_eq!(before["version"], after["version"]);

    fs::write(&file, "roles:\n  - name: x\n    scopes: [messages.create]\n").unwrap();
    until("the mended policy is in force", async || service.bundle().await["version"] != before["version"])
        .await;
    assert!(service.ready().await["policy"]["faults"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_bad_policy_at_the_first_start_ends_it_with_the_reason() {
    let service = Service::start().await;
    fs::write(service.policy().join("base.yaml"), "rules:\n  - name: x\n    action: hold\n").unwrap();
    let state = service.dir.path().join("other");
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["serve", "--listen", "127.0.0.1:0", "--state"])
        .arg(&state)
        .arg("--policy")
        .arg(service.policy())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("base.yaml:2: rules[0]"), "{said}");
}

#[tokio::test]
async fn a_mount_that_is_swapped_by_its_link_is_noticed_and_wakes_who_waits() {
    let mut service = Service::start().await;
    service.kill();
    fs::remove_file(service.policy().join("base.yaml")).unwrap();
    swap(&service.policy(), 1, POLICY);
    service.run().await;
    let before = service.bundle().await;
    assert_eq!(role(&before), "writer");
    let path = format!("/v1/bundle?after={}&wait=20", before["version"].as_str().unwrap());
    let waiting = service.filter(Method::GET, &path, None);
    let swapped = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let policy = POLICY.replace("name: writer\n", "name: editor\n").replace("[writer]", "[editor]");
        swap(&service.policy(), 2, &policy);
        Instant::now()
    };
    let ((status, signed), at) = tokio::join!(waiting, swapped);
    assert_eq!(status, 200);
    assert!(at.elapsed() < Duration::from_secs(2), "{:?}", at.elapsed());
    let bundle: Value = serde_json::from_str(signed["payload"].as_str().unwrap()).unwrap();
    assert_eq!(role(&bundle), "editor");
    assert_ne!(bundle["policyVersion"], before["policyVersion"]);
}

#[tokio::test]
async fn the_bundle_is_signed_renewed_and_only_for_sidecars() {
    let service = Service::start().await;
    fs::write(service.policy().join("age.yaml"), "limits:\n  bundleAge: 2s\n").unwrap();
    until("the age is in force", async || service.bundle().await["policy"]["limits"]["bundleAge"] == "2s")
        .await;
    let (_, signed) = service.filter(Method::GET, "/v1/bundle", None).await;
    let keys =
        service.cli("", &["keys", "show", "--output", "json", "--state", service.state().to_str().unwrap()]);
    let keys: Value = serde_json::from_slice(&keys.stdout).unwrap();
    let key = sluice_engine::policy::bundle::verifying_key(keys["bundleKeys"][0].as_str().unwrap()).unwrap();
    let signed: sluice_engine::policy::bundle::SignedBundle = serde_json::from_value(signed).unwrap();
    let bundle = signed.open(&[key]).unwrap();
    assert_eq!(bundle.keys[0].issuer, "own");

    let path = format!("/v1/bundle?after={}&issued={}&wait=10", bundle.version, bundle.issued_at_ms);
    let (status, renewed) = service.filter(Method::GET, &path, None).await;
    assert_eq!(status, 200);
    let renewed: sluice_engine::policy::bundle::SignedBundle = serde_json::from_value(renewed).unwrap();
    let renewed = renewed.open(&[key]).unwrap();
    assert_eq!(renewed.version, bundle.version);
    assert!(renewed.issued_at_ms > bundle.issued_at_ms);
    let (status, _) =
        service.filter(Method::GET, &format!("/v1/bundle?after={}", renewed.version), None).await;
    assert_eq!(status, 304);

    let person = service.token("ben", "auditors");
    for token in ["", "wrong", &person] {
        for path in ["/v1/bundle", "/v1/holds/x/wait?exchange=e"] {
            let method = if path == "/v1/bundle" { Method::GET } else { Method::POST };
            let (status, problem) = service.call(method, path, token, None).await;
            assert_eq!(status, 401, "{path}");
            assert!(problem["detail"].as_str().unwrap().contains("data-plane token"), "{problem}");
        }
    }
}

#[tokio::test]
async fn it_ends_in_order_and_lets_those_who_wait_go() {
    let mut service = Service::start().await;
    let version = service.bundle().await["version"].as_str().unwrap().to_owned();
    let (url, token) = (service.url.clone(), service.data_token());
    let waiting = tokio::spawn(async move {
        let url = format!("{url}/v1/bundle?after={version}&wait=60");
        let timeout = Duration::from_secs(30);
        let call = sluice_control::client::Call {
            method: Method::GET,
            url: &url,
            token: Some(&token),
            body: None,
            timeout,
            limit: 1 << 20,
        };
        sluice_control::client::Client::new().call(call).await.map(|answer| answer.status.as_u16())
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(service.terminate().await, Some(0));
    assert_eq!(waiting.await.unwrap().unwrap(), 304);
    assert!(service.log().contains("everything that was acknowledged is on disk"));
}
