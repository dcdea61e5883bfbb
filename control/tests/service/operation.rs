//! What operators rely on: metrics, limits, backups, checkpoints kept elsewhere, settings, and a store in trouble.

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use sluice_control::client::{Answer, Call, Client};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::harness::{Service, ask, record, sluice};
use super::postgres::database;

async fn get(url: &str, token: Option<&str>) -> Answer {
    send(Method::GET, url, token, None).await
}

async fn send(method: Method, url: &str, token: Option<&str>, body: Option<String>) -> Answer {
    let timeout = Duration::from_secs(10);
    Client::new().call(Call { method, url, token, body, timeout, limit: 1 << 20 }).await.unwrap()
}

async fn write(service: &Service, exchange: &str) {
    let body = json!({"record": record(exchange, "s1", "open")});
    let (status, said) = service.filter(Method::POST, "/v1/exchanges", Some(&body)).await;
    assert_eq!(status, 200, "{said}");
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn run(arguments: &[&str], state: &Path) -> Output {
    sluice().args(arguments).arg("--state").arg(state).output().unwrap()
}

async fn until<F: AsyncFnMut() -> bool>(what: &str, mut done: F) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn prometheus_is_answered_at_an_address_of_its_own_and_nowhere_else() {
    let service = Service::start_set(vec![("SLUICE_METRICS_LISTEN", "127.0.0.1:0".into())]).await;
    write(&service, "e1").await;
    service.filter(Method::POST, "/v1/exchanges", Some(&ask("k", "e2"))).await;
    assert_eq!(get(&format!("{}/nowhere/at/all", service.url), None).await.status, 404);
    let log = service.log();
    let (_, rest) = log.split_once("metrics=").unwrap();
    let address = rest.split_whitespace().next().unwrap();
    let answer = get(&format!("http://{address}/metrics"), None).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for sample in [
        "sluice_records_written_total{entry=\"exchange\"} 1",
        "sluice_records_written_total{entry=\"hold\"} 1",
        "sluice_hold_changes_total{change=\"opened\"} 1",
        "sluice_holds_waiting 1",
        "sluice_grants_live 0",
        "sluice_store_trouble 0",
        "sluice_issuer_keys{issuer=\"own\"} 1",
        "sluice_http_requests_total{method=\"POST\",route=\"/v1/exchanges\",status=\"200\"} 2",
        "sluice_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
    ] {
        assert!(text.contains(sample), "{sample} is not in\n{text}");
    }
    assert_eq!(get(&format!("{}/metrics", service.url), None).await.status, 404);
    assert_eq!(get(&format!("http://{address}/v1/holds"), None).await.status, 404);
}

#[tokio::test]
async fn who_calls_too_often_waits_and_sidecars_and_probes_do_not() {
    let settings = vec![("SLUICE_PERSON_RATE", "2".to_owned()), ("SLUICE_PEER_RATE", "5".to_owned())];
    let service = Service::start_set(settings).await;
    let url = format!("{}/v1/holds", service.url);
    let ann = service.token("ann", "approvers");
    let mut refused = None;
    for _ in 0..40 {
        let answer = get(&url, Some(&ann)).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status, 200);
    }
    let refused = refused.expect("forty calls at two a second");
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert_eq!(refused.headers["retry-after"], "1");
    // Another token is the same person, and another person is not.
    assert_eq!(get(&url, Some(&service.token("ann", "approvers"))).await.status, 429);
    assert_eq!(get(&url, Some(&service.token("ben", "approvers"))).await.status, 200);
    // Guessing costs the address more: ten calls each.
    let mut statuses = Vec::new();
    for n in 0..15 {
        statuses.push(get(&url, Some(&format!("guess-{n}"))).await.status.as_u16());
    }
    assert!(statuses.contains(&401) && statuses.contains(&429), "{statuses:?}");
    for _ in 0..60 {
        assert_eq!(service.filter(Method::GET, "/v1/bundle", None).await.0, 200);
        assert_eq!(get(&format!("{}/livez", service.url), None).await.status, 200);
    }
}

#[tokio::test]
async fn what_is_refused_is_a_problem_with_words_also_by_the_framework() {
    let service = Service::start().await;
    let token = service.token("ann", "staff");
    let large = "x".repeat(100 << 10);
    let cases = [
        (Method::POST, "/v1/grants", Some(large), 413),
        (Method::GET, "/v1/holds/%ff", None, 400),
        (Method::DELETE, "/v1/grants", None, 405),
        (Method::GET, "/v1/nothing", None, 404),
        (Method::POST, "/v1/grants", Some("{".to_owned()), 400),
        (Method::GET, "/v1/grants?limit=many", None, 400),
    ];
    for (method, path, body, status) in cases {
        let answer = send(method.clone(), &format!("{}{path}", service.url), Some(&token), body).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{method} {path}: {text}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{method} {path}: {text}");
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["status"], status, "{text}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{text}");
    }
}

#[tokio::test]
async fn a_backup_of_a_running_service_is_restored_and_what_was_lost_shows() {
    let kept = tempfile::tempdir().unwrap();
    let (checkpoints, backup) = (kept.path().join("checkpoints"), kept.path().join("backup"));
    let settings = vec![
        ("SLUICE_CHECKPOINT_FILE", checkpoints.display().to_string()),
        ("SLUICE_CHECKPOINT_EVERY", "1s".to_owned()),
    ];
    let mut service = Service::start_set(settings).await;
    for n in 0..5 {
        write(&service, &format!("before-{n}")).await;
    }
    let backup = backup.to_str().unwrap();
    // With the policy in force, which is the log's first entry.
    let made = run(&["backup", backup, "--with-keys"], &service.state());
    assert!(made.status.success() && said(&made).contains("6 entries"), "{}", said(&made));
    let again = run(&["backup", backup, "--with-keys"], &service.state());
    assert_eq!(again.status.code(), Some(2), "nothing is written over: {}", said(&again));
    for n in 0..5 {
        write(&service, &format!("after-{n}")).await;
    }
    // The last checkpoint is kept when the service ends.
    assert_eq!(service.terminate().await, Some(0));
    let checkpoints = checkpoints.to_str().unwrap();
    let whole = run(&["records", "verify", "--checkpoints", checkpoints], &service.state());
    assert!(whole.status.success(), "{}", said(&whole));

    let state = kept.path().join("restored");
    let restored = run(&["restore", backup], &state);
    assert!(restored.status.success(), "{}", said(&restored));
    let alone = run(&["records", "verify"], &state);
    assert!(alone.status.success() && said(&alone).contains("7 entries"), "{}", said(&alone));
    let against = run(&["records", "verify", "--checkpoints", checkpoints], &state);
    assert_eq!(against.status.code(), Some(1), "{}", said(&against));
    assert!(said(&against).contains("cut off: entries 8 to 11"), "{}", said(&against));
    let over = run(&["restore", backup], &state);
    assert_eq!(over.status.code(), Some(2), "nothing is written over: {}", said(&over));

    // It goes on, and says by itself what happened.
    let mut restored = Service::start().await;
    restored.kill();
    std::fs::remove_dir_all(restored.state()).unwrap();
    std::fs::rename(&state, restored.state()).unwrap();
    restored.run().await;
    write(&restored, "again").await;
    let auditor = restored.token("aud", "auditors");
    let export = said(&restored.cli(&auditor, &["records", "export", "--format", "csv"]));
    assert!(export.contains("restored from a backup") && export.contains("again"), "{export}");
    assert!(restored.cli(&auditor, &["records", "verify"]).status.success());
}

#[tokio::test]
async fn a_backup_that_was_touched_or_lacks_its_keys_is_not_restored() {
    let mut service = Service::start().await;
    write(&service, "e1").await;
    let kept = tempfile::tempdir().unwrap();
    let place = |name: &str| kept.path().join(name);
    let text = |name: &str| place(name).display().to_string();
    let made = run(&["backup", &text("bare")], &service.state());
    assert!(made.status.success(), "{}", said(&made));
    let bare = run(&["restore", &text("bare")], &place("new"));
    assert_eq!(bare.status.code(), Some(2));
    assert!(said(&bare).contains("is not there") && !place("new/sluice.db").exists(), "{}", said(&bare));

    // Somebody rewrites the copy, and the digest that describes it.
    let url = format!("sqlite://{}", place("bare/sluice.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE entries SET entry = replace(entry, 'ana', 'bob')")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    service.kill();
    let touched = run(&["restore", &text("bare")], &service.state());
    assert!(said(&touched).contains("there already"), "{}", said(&touched));
    std::fs::remove_file(service.state().join("sluice.db")).unwrap();
    for beside in ["sluice.db-wal", "sluice.db-shm"] {
        let _gone = std::fs::remove_file(service.state().join(beside));
    }
    let touched = run(&["restore", &text("bare")], &service.state());
    assert!(said(&touched).contains("is not what backup.json says"), "{}", said(&touched));
    let manifest = place("bare/backup.json");
    let mut described: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    let digest = {
        use sha2::Digest as _;
        format!("{:x}", sha2::Sha256::digest(std::fs::read(place("bare/sluice.db")).unwrap()))
    };
    described["databaseSha256"] = json!(digest);
    std::fs::write(&manifest, described.to_string()).unwrap();
    let touched = run(&["restore", &text("bare")], &service.state());
    assert!(said(&touched).contains("not what was written"), "{}", said(&touched));
    assert!(!service.state().join("sluice.db").exists(), "nothing is left behind");
}

#[tokio::test]
async fn a_webhook_gets_each_checkpoint_and_the_log_that_was_cut_off_does_not_fit_it() {
    let received = std::sync::Arc::new(std::sync::Mutex::new(Vec::<Value>::new()));
    let into = std::sync::Arc::clone(&received);
    let hook = axum::Router::new().fallback(move |headers: axum::http::HeaderMap, body: String| {
        let mut all = into.lock().unwrap();
        assert_eq!(headers["authorization"], "Bearer a-token-for-it");
        all.push(serde_json::from_str(&body).unwrap());
        // The first time it fails: it is sent again.
        std::future::ready(if all.len() == 1 {
            axum::http::StatusCode::BAD_GATEWAY
        } else {
            axum::http::StatusCode::OK
        })
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/checkpoints", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, hook).await });
    let kept = tempfile::tempdir().unwrap();
    let token = kept.path().join("token");
    std::fs::write(&token, "a-token-for-it\n").unwrap();
    let mut service = Service::start_set(vec![
        ("SLUICE_CHECKPOINT_URL", url),
        ("SLUICE_CHECKPOINT_TOKEN_FILE", token.display().to_string()),
        ("SLUICE_CHECKPOINT_EVERY", "1s".to_owned()),
    ])
    .await;
    for n in 0..3 {
        write(&service, &format!("e{n}")).await;
    }
    // The log's first entry is the policy in force.
    until("no checkpoint of the last entry came", async || {
        let all = received.lock().unwrap();
        all.len() > 1 && all.last().is_some_and(|last| last["seq"] == 4)
    })
    .await;
    service.kill();
    let notes: String = received
        .lock()
        .unwrap()
        .iter()
        .map(|sent| sent["checkpoint"].as_str().unwrap().to_owned() + "\n")
        .collect();
    let file = kept.path().join("notes");
    std::fs::write(&file, notes).unwrap();
    let file = file.to_str().unwrap();
    let whole = run(&["records", "verify", "--checkpoints", file], &service.state());
    assert!(whole.status.success(), "{}", said(&whole));

    // Somebody cuts the log off, and keeps an older signed head for the purpose.
    let url = format!("sqlite://{}", service.state().join("sluice.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let cut = "DELETE FROM entries WHERE seq > 1;
               UPDATE heads SET seq = 1, hash = (SELECT hash FROM entries WHERE seq = 1),
                 signature = (SELECT signature FROM entries WHERE seq = 1)";
    sqlx::raw_sql(cut).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert!(run(&["records", "verify"], &service.state()).status.success(), "alone it looks sound");
    let against = run(&["records", "verify", "--checkpoints", file], &service.state());
    assert_eq!(against.status.code(), Some(1));
    assert!(said(&against).contains("entries 2 to 4"), "{}", said(&against));
}

#[tokio::test]
async fn settings_come_from_flags_then_the_environment_then_the_file() {
    let mut service = Service::start().await;
    service.kill();
    let (state, policy) = (service.state(), service.policy());
    let file = service.dir.path().join("sluice.yaml");
    let write = |more: &str| {
        let text =
            format!("state: {}\npolicy: {}\nlisten: 127.0.0.1:0\n{more}", state.display(), policy.display());
        std::fs::write(&file, text).unwrap();
    };
    let start = |more: &[&str], variable: Option<&str>| {
        let mut command = sluice();
        command.arg("serve").arg("--config").arg(&file).args(more);
        command.envs(variable.map(|url| ("SLUICE_PUBLIC_URL", url)));
        let log = std::fs::File::create(service.dir.path().join("its-log")).unwrap();
        command.stderr(log).stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let log = || std::fs::read_to_string(service.dir.path().join("its-log")).unwrap();
    write("public-url: http://in.file\n");
    for (flags, variable, url) in [
        (&[][..], None, "http://in.file"),
        (&[][..], Some("http://in.environment"), "http://in.environment"),
        (&["--public-url", "http://flag"][..], Some("http://in.environment"), "http://flag"),
    ] {
        let mut child = start(flags, variable);
        until("it does not serve", async || log().contains("sluice control serves")).await;
        let said = log();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(said.contains(&format!("url=\"{url}\"")), "{url}: {said}");
    }
    write("publik-url: http://in.file\n");
    let status = start(&[], None).wait().unwrap();
    assert_eq!(status.code(), Some(2));
    assert!(log().contains("there is no setting `publik-url`"), "{}", log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_waits_at_a_replica_that_ends_goes_on_at_another() {
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let database = database().await;
    let mut one = Service::replica(&database, &directory).await;
    let two = Service::replica(&database, &directory).await;
    let (_, reply) = one.filter(Method::POST, "/v1/exchanges", Some(&ask("k", "e1"))).await;
    let id = reply["hold"]["id"].as_str().unwrap().to_owned();
    let wait = format!("/v1/holds/{id}/wait?seconds=30");
    let (url, token) = (format!("{}{wait}", one.url), one.data_token());
    let waiting = tokio::spawn(async move { send(Method::POST, &url, Some(&token), None).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(one.terminate().await, Some(0));
    // Whoever waits is told to ask again, and is not cut off.
    let answer = waiting.await.unwrap();
    let state: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status.as_u16(), &state["decision"]), (200, &json!("waiting")));
    let ruling = json!({"approve": true, "reason": "seen"});
    let path = format!("/v1/holds/{id}/decision");
    assert_eq!(two.call(Method::POST, &path, &two.token("ben", "approvers"), Some(&ruling)).await.0, 200);
    let (_, state) = two.filter(Method::POST, &wait, None).await;
    assert_eq!(state["decision"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_is_said_in_readiness_and_nothing_is_acknowledged() {
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let database = database().await;
    let service = Service::replica(&database, &directory).await;
    write(&service, "before").await;
    let (server, name) = database.rsplit_once('/').unwrap();
    let mut other = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    let away = format!(
        "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    );
    sqlx::raw_sql(AssertSqlSafe(away)).execute(&mut other).await.unwrap();
    let body = json!({"record": record("meanwhile", "s1", "open")});
    let (status, said) = service.filter(Method::POST, "/v1/exchanges", Some(&body)).await;
    assert_eq!(status, 503, "{said}");
    let ready = get(&format!("{}/readyz", service.url), None).await;
    assert_eq!(ready.status, 503);
    let back = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    sqlx::raw_sql(AssertSqlSafe(back)).execute(&mut other).await.unwrap();
    // Nobody writes meanwhile: the service finds out by itself.
    until("it is not ready again", async || {
        get(&format!("{}/readyz", service.url), None).await.status == 200
    })
    .await;
    write(&service, "after").await;
    let auditor = service.token("aud", "auditors");
    let export = said_of_export(&service, &auditor);
    assert!(export.contains("after") && !export.contains("meanwhile"), "{export}");
}

fn said_of_export(service: &Service, auditor: &str) -> String {
    said(&service.cli(auditor, &["records", "export"]))
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_what_needs_it_and_says_so() {
    let service = Service::start().await;
    let (_, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&ask("k", "e1"))).await;
    let id = reply["hold"]["id"].as_str().unwrap();
    let url = format!("sqlite://{}", service.state().join("sluice.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE holds SET ask = '{'").execute(&mut connection).await.unwrap();
    // The service tries small writes while there is trouble, so that readiness comes and goes.
    until("readiness does not say it", async || {
        let (status, said) = service.filter(Method::POST, "/v1/exchanges", Some(&ask("k", "e2"))).await;
        assert_eq!(status, 503, "{said}");
        assert!(said["detail"].as_str().unwrap().contains("nothing was written"), "{said}");
        let ready = service.ready().await;
        ready["ready"] == false && ready["store"].as_str().is_some_and(|why| why.contains("cannot be read"))
    })
    .await;
    assert_eq!(service.filter(Method::POST, &format!("/v1/holds/{id}/wait"), None).await.0, 503);
}

#[tokio::test]
async fn short_texts_stand_in_blocks_too_so_that_they_can_go_without_a_change_of_the_log() {
    let service = Service::start().await;
    let (body, blocks) = sluice_engine::record::cut(r#"{"content":"a short reply"}"#);
    assert!(blocks.is_empty());
    for (path, sent) in [("/v1/exchanges", "record"), ("/v1/records", "records")] {
        let mut record = record(&format!("e-{sent}"), "s1", "open");
        record["body"] = json!(body);
        let body = match sent {
            "record" => json!({"record": record}),
            _ => json!({"id": "b", "records": [record]}),
        };
        let (status, said) = service.filter(Method::POST, path, Some(&body)).await;
        assert_eq!(status, 200, "{said}");
    }
    let auditor = service.token("aud", "auditors");
    let entries = said(&service.cli(&auditor, &["records", "export"]));
    assert!(entries.contains("e-record") && entries.contains("e-records"), "{entries}");
    assert!(!entries.contains("short reply"), "{entries}");
    assert!(said(&service.cli(&auditor, &["replay", "s1"])).contains("a short reply"));
    assert!(service.cli(&auditor, &["records", "verify"]).status.success());
}
