//! Backups of a PostgreSQL, and a file that gets smaller.

use std::path::Path;
use std::process::Output;

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Service, ask, record, sluice};
use super::postgres::database;

async fn write(service: &Service, exchange: &str) {
    let body = json!({"record": record(exchange, "s1", "open")});
    let (status, said) = service.filter(Method::POST, "/v1/exchanges", Some(&body)).await;
    assert_eq!(status, 200, "{said}");
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn run(arguments: &[&str], state: &Path, database: Option<&str>) -> Output {
    let mut command = sluice();
    command.args(arguments).arg("--state").arg(state);
    // Not as an argument: it may carry a password.
    command.envs(database.map(|url| ("SLUICE_DATABASE", url)));
    command.output().unwrap()
}

fn make_keys(directory: &Path) {
    assert!(sluice().args(["keys", "make"]).arg(directory).status().unwrap().success());
}

#[tokio::test]
async fn a_postgresql_with_two_replicas_is_backed_up_while_they_run_and_restored_into_another() {
    let dir = tempfile::tempdir().unwrap();
    let (keys, backup) = (dir.path().join("keys"), dir.path().join("backup"));
    make_keys(&keys);
    let url = database().await;
    let (one, two) = (Service::replica(&url, &keys).await, Service::replica(&url, &keys).await);
    for n in 0..4 {
        write(&one, &format!("one-{n}")).await;
        write(&two, &format!("two-{n}")).await;
    }
    let (_, hold) = one.filter(Method::POST, "/v1/exchanges", Some(&ask("k", "held"))).await;
    let hold = hold["hold"]["id"].as_str().unwrap().to_owned();
    let shared = ["--shared-keys", keys.to_str().unwrap()];
    let made = run(
        &[&["backup", backup.to_str().unwrap(), "--with-keys"], &shared[..]].concat(),
        &one.state(),
        Some(&url),
    );
    // Eight records, the hold, and the policy in force at each of the two.
    assert!(made.status.success() && said(&made).contains("11 entries"), "{}", said(&made));
    let again = run(&[&["backup", backup.to_str().unwrap()], &shared[..]].concat(), &one.state(), Some(&url));
    assert_eq!(again.status.code(), Some(2), "nothing is written over: {}", said(&again));
    drop((one, two));

    // Into another PostgreSQL: the log goes on, and what waited waits.
    let other = database().await;
    let state = dir.path().join("restored");
    let restore = ["restore", backup.to_str().unwrap()];
    let restored = run(&restore, &state, Some(&other));
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(!state.join("sluice.db").exists(), "the database is the PostgreSQL");
    let occupied = run(&restore, &state, Some(&other));
    assert!(
        occupied.status.code() == Some(2) && said(&occupied).contains("has a log already"),
        "{}",
        said(&occupied)
    );
    let service = Service::replica(&other, &state).await;
    write(&service, "after").await;
    let ben = service.token("ben", "approvers");
    let (_, waiting) = service.call(Method::GET, &format!("/v1/holds/{hold}"), &ben, None).await;
    assert_eq!(waiting["state"], "waiting", "{waiting}");
    let auditor = service.token("ada", "auditors");
    let verified = service.cli(&auditor, &["records", "verify", "--output", "json"]);
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(report["sound"], true, "{report}");
    let all: u64 =
        report["writers"].as_array().unwrap().iter().map(|own| own["entries"].as_u64().unwrap()).sum();
    // What was there, that it was restored, the policy in force and one more.
    assert_eq!(all, 14, "{report}");

    // Into a file, for one machine.
    let file = dir.path().join("file");
    let restored = run(&restore, &file, None);
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(run(&["records", "verify"], &file, None).status.success());
}

#[tokio::test]
async fn what_was_removed_is_given_back_to_the_disk_and_not_under_a_running_service() {
    let mut service = Service::start().await;
    for n in 0..5 {
        write(&service, &format!("e{n}")).await;
    }
    let compact =
        |service: &Service| run(&["records", "compact", "--output", "json"], &service.state(), None);
    let running = compact(&service);
    assert_eq!(running.status.code(), Some(2), "{}", said(&running));
    assert_eq!(service.terminate().await, Some(0));
    let url = format!("sqlite://{}", service.state().join("sluice.db").display());
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let fill =
        "CREATE TABLE much AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
                SELECT randomblob(1000) FROM n; DROP TABLE much";
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let done = compact(&service);
    let sizes: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", said(&done)));
    let size = |name: &str| sizes[name].as_u64().unwrap();
    assert!(size("bytesBefore") > size("bytesAfter") + 1_900_000, "{sizes}");
    assert!(run(&["records", "verify"], &service.state(), None).status.success());
    service.run().await;
    write(&service, "after").await;
    let nowhere = tempfile::tempdir().unwrap();
    assert!(said(&run(&["records", "compact"], nowhere.path(), None)).contains("VACUUM FULL"));
}
