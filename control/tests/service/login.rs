//! `sluice login`: the command line signs in with the browser.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};

use super::harness::{Service, sluice};
use super::provider::{Browser, Provider};

/// The command, with a place of its own for tokens.
fn command(home: &Path, service: &Service, args: &[&str]) -> std::process::Command {
    let mut command = sluice();
    command.args(args).env("SLUICE_URL", &service.url).env("XDG_CONFIG_HOME", home);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(home: &Path, service: &Service, args: &[&str]) -> Output {
    command(home, service, args).output().unwrap()
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Begins a sign-in; gives the address that it prints.
async fn begin(home: &Path, service: &Service) -> (Child, String) {
    let mut child = command(home, service, &["login", "--no-browser"]).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let (child, page) = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(out).lines();
        lines.next();
        let page = lines.next().unwrap().unwrap().trim().to_owned();
        // Still read, so that the command can go on writing.
        std::thread::spawn(move || lines.for_each(drop));
        (child, page)
    })
    .await
    .unwrap();
    (child, page)
}

async fn end(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_once_needs_no_token_for_the_commands_that_follow() {
    let provider = Provider::start().await;
    provider.knows("aud", &["auditors"]);
    let service = Service::start_as(&provider.policy(), &[]).await;
    let home = tempfile::tempdir().unwrap();
    let before = run(home.path(), &service, &["whoami"]);
    assert_eq!(before.status.code(), Some(2));
    assert!(said(&before).contains("sluice login"), "{}", said(&before));

    let (child, page) = begin(home.path(), &service).await;
    let mut browser = Browser::new(&service.url);
    let back = browser.get(&page).await.location().to_owned();
    assert!(back.starts_with("http://127.0.0.1:"), "{back}");
    // Somebody else's answer is not listened to, and ends nothing.
    let forged = back.replace("state=", "state=x").replace("code=", "code=x");
    assert_eq!(browser.get(&forged).await.status, 200);
    let done = browser.get(&back).await;
    assert!(done.status == 200 && done.body.contains("Go back to the terminal"), "{done:?}");
    let out = end(child).await;
    assert!(out.status.success(), "{}", said(&out));

    let file = home.path().join("sluice/tokens.json");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let me = run(home.path(), &service, &["whoami", "--output", "json"]);
    let me: Value = serde_json::from_slice(&me.stdout).unwrap();
    assert_eq!(
        (&me["subject"], &me["issuer"], &me["access"]),
        (&json!("aud"), &json!("corp"), &json!(["auditors"]))
    );
    assert!(me.get("csrf").is_none());
    assert!(run(home.path(), &service, &["sessions", "ls"]).status.success(), "an auditor's right");
    let text = said(&run(home.path(), &service, &["whoami"]));
    assert!(text.contains("You are aud (corp), in auditors"), "{text}");

    // What is given counts before what is kept.
    let other = command(home.path(), &service, &["whoami"])
        .env("SLUICE_TOKEN", service.token("ben", "staff"))
        .output();
    assert!(said(&other.unwrap()).contains("You are ben (own)"));
    // A file that others can read is not used.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(said(&run(home.path(), &service, &["whoami"])).contains("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Of another service there is none.
    let elsewhere =
        command(home.path(), &service, &["whoami", "--url", "http://127.0.0.1:1"]).output().unwrap();
    assert!(said(&elsewhere).contains("no token"), "{}", said(&elsewhere));

    let kept = std::fs::read_to_string(&file).unwrap();
    let ended: Value = serde_json::from_str(&kept).unwrap();
    let mut ended = ended.clone();
    ended[&service.url]["expiresMs"] = json!(1);
    std::fs::write(&file, ended.to_string()).unwrap();
    assert!(said(&run(home.path(), &service, &["whoami"])).contains("has ended"));
    assert!(said(&run(home.path(), &service, &["logout"])).contains("Forgotten"));
    assert!(!std::fs::read_to_string(&file).unwrap().contains("token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_goes_wrong_keeps_no_token() {
    let provider = Provider::start().await;
    let service = Service::start_as(&provider.policy(), &[]).await;
    let home = tempfile::tempdir().unwrap();
    for (lie, back, why) in [
        (json!({"nonce": "other"}), None, "nonce"),
        (json!({"aud": "web"}), None, "another client"),
        (json!({"exp": 1}), None, "expired"),
        (json!({}), Some("error=access_denied"), "access_denied"),
        (json!({}), Some("iss=http://evil.test&code=x"), "another issuer"),
    ] {
        provider.lies(lie.clone());
        provider.sends_back(back);
        let (child, page) = begin(home.path(), &service).await;
        let mut browser = Browser::new(&service.url);
        let to = browser.get(&page).await.location().to_owned();
        browser.get(&to).await;
        let out = end(child).await;
        assert!(!out.status.success() && said(&out).contains(why), "{lie}: {}", said(&out));
        assert!(!home.path().join("sluice/tokens.json").exists());
    }
    let none = Service::start().await;
    let out = run(home.path(), &none, &["login", "--no-browser"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(said(&out).contains("commandLineClientId"), "{}", said(&out));
}

/// Begins a sign-in with a code; gives the code.
async fn begin_device(home: &Path, service: &Service) -> (Child, String) {
    let mut child = command(home, service, &["login", "--device"]).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let code = lines.nth(3).unwrap().trim().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        (child, code)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_without_a_browser_signs_in_with_a_code_that_somebody_lets_in_elsewhere() {
    let service = Service::start().await;
    let home = tempfile::tempdir().unwrap();
    let ana = service.token("ana", "auditors");
    let (child, code) = begin_device(home.path(), &service).await;
    let shown = service.cli(&ana, &["tokens", "device", "show", &code]);
    assert!(said(&shown).contains("sluice login") && said(&shown).contains("ana (own)"), "{}", said(&shown));
    assert!(service.cli(&ana, &["tokens", "device", "approve", &code]).status.success());
    let out = end(child).await;
    assert!(out.status.success(), "{}", said(&out));
    let me = said(&run(home.path(), &service, &["whoami"]));
    assert!(me.contains("You are ana (own), in auditors"), "{me}");
    assert!(run(home.path(), &service, &["sessions", "ls"]).status.success(), "an auditor's right");
    assert!(said(&run(home.path(), &service, &["logout"])).contains("Forgotten"));

    let (child, code) = begin_device(home.path(), &service).await;
    assert!(service.cli(&ana, &["tokens", "device", "deny", &code]).status.success());
    let out = end(child).await;
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("refused"), "{}", said(&out));
    assert!(!std::fs::read_to_string(home.path().join("sluice/tokens.json")).unwrap().contains("ana"));
}

/// A service that answers polls with these errors, one after the other; when each poll came.
async fn stand_in(life: u64, errors: &'static [&'static str]) -> (String, Arc<Mutex<Vec<Instant>>>) {
    let polls = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&polls);
    let poll = async move || {
        let mut kept = kept.lock().unwrap();
        let error = errors.get(kept.len()).or(errors.last()).unwrap();
        kept.push(Instant::now());
        (axum::http::StatusCode::BAD_REQUEST, axum::Json(json!({"error": error})))
    };
    let ask = async move || {
        axum::Json(json!({
            "device_code": "d", "user_code": "BCDF-GHJK", "verification_uri": "http://127.0.0.1/device",
            "expires_in": life, "interval": 1,
        }))
    };
    let app = axum::Router::new()
        .route("/v1/oauth/device", axum::routing::post(ask))
        .route("/v1/oauth/token", axum::routing::post(poll));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, polls)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_asks_as_slowly_as_it_is_told_and_no_longer_than_the_code_is_good() {
    let home = tempfile::tempdir().unwrap();
    let login = async |url: String| {
        let home = home.path().to_owned();
        let run = move || {
            let mut command = sluice();
            command.args(["login", "--device", "--url", &url]).env("XDG_CONFIG_HOME", home);
            command.output().unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let (url, polls) =
        stand_in(60, &["authorization_pending", "slow_down", "authorization_pending", "oops"]).await;
    let out = login(url).await;
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    let polls = polls.lock().unwrap().clone();
    assert_eq!(polls.len(), 4, "an error that is none of the known ones ends it");
    let pause = |n: usize| polls[n + 1].duration_since(polls[n]).as_secs_f64();
    assert!(pause(0) >= 0.9 && pause(1) >= 5.9 && pause(2) >= 5.9, "slower from then on: {polls:?}");

    let (url, polls) = stand_in(2, &["authorization_pending"]).await;
    let out = login(url).await;
    assert!(out.status.code() == Some(2) && said(&out).contains("before the code ended"), "{}", said(&out));
    assert!(polls.lock().unwrap().len() <= 4);
}
