//! What the service is measured against, on the real binary: run by `make bench-control`.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::harness::{Service, ask, sluice};
use super::postgres::database;

/// Connections of one address: fewer than the service lets it have.
const OF_ONE: usize = 2_000;
/// Holds that wait at once.
const HOLDS: usize = 10_000;
/// Of these, how many are decided, one after the other.
const DECIDED: usize = 100;
/// Sidecars that poll the bundle.
const POLLERS: usize = 1_000;
/// How long the service is looked at while nothing happens.
const IDLE: Duration = Duration::from_secs(30);
/// How often the bundle changes.
const CHANGES: usize = 10;

/// One call on a connection of its own, as a filter keeps one for each long poll; the answer's body.
async fn call(stream: &mut TcpStream, method: &str, path: &str, token: &str) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: control\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if read.len() >= end + 4 + length {
                return read[end + 4..].to_vec();
            }
        }
        let got = stream.read(&mut buffer).await.unwrap();
        assert!(got > 0, "the connection ended");
        read.extend_from_slice(&buffer[..got]);
    }
}

/// A connection of the `n`th caller: an address may have so many, so that they have several.
async fn connect(service: &Service, n: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let host = u8::try_from(2 + n / OF_ONE).unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
    socket.connect(service.url.trim_start_matches("http://").parse().unwrap()).await.unwrap()
}

/// A field of `/proc/PID/status`, in MiB.
fn memory(service: &Service, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Processor time that was used so far, in seconds; Linux counts in hundredths.
fn processor(service: &Service) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", service.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn shown(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("p50 {:.1?}, p99 {:.1?}, most {:.1?}", at(0.5), at(0.99), at(1.0))
}

/// Holds are opened and wait at one replica; decisions come to the other, which may be the same.
async fn waiting(name: &str, waits: &Service, decides: &Service) {
    let (data, ben) = (waits.data_token(), decides.token("ben", "approvers"));
    let mut ids = Vec::with_capacity(HOLDS);
    for chunk in (0..HOLDS).collect::<Vec<_>>().chunks(200) {
        let open = chunk.iter().map(|n| async move {
            let body = ask(&format!("k{n}"), &format!("e{n}"));
            let (status, reply) = waits.filter(Method::POST, "/v1/exchanges", Some(&body)).await;
            assert_eq!(status, 200, "{reply}");
            reply["hold"]["id"].as_str().unwrap().to_owned()
        });
        ids.extend(futures_util::future::join_all(open).await);
    }
    let idle = memory(waits, "VmRSS");
    let (heard, mut hears) = mpsc::unbounded_channel();
    let mut polls = JoinSet::new();
    for (chunk, some) in ids.chunks(500).enumerate() {
        for (n, id) in some.iter().enumerate() {
            let (mut stream, id, data, heard) =
                (connect(waits, chunk * 500 + n).await, id.clone(), data.clone(), heard.clone());
            polls.spawn(async move {
                let path = format!("/v1/holds/{id}/wait?seconds=60");
                loop {
                    let said = call(&mut stream, "POST", &path, &data).await;
                    if !String::from_utf8_lossy(&said).contains("waiting") {
                        let _gone = heard.send((id, Instant::now()));
                        return;
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (now, most) = (memory(waits, "VmRSS"), memory(waits, "VmHWM"));
    let mut times = Vec::new();
    for id in ids.iter().step_by(HOLDS / DECIDED) {
        let at = Instant::now();
        let path = format!("/v1/holds/{id}/decision");
        let yes = json!({"approve": true, "reason": "seen"});
        let (status, said) = decides.call(Method::POST, &path, &ben, Some(&yes)).await;
        assert_eq!(status, 200, "{said}");
        let (told, when) = hears.recv().await.unwrap();
        assert_eq!(told, *id);
        times.push(when.duration_since(at));
    }
    println!("{name}: {HOLDS} holds wait: {now:.0} MiB ({idle:.0} before, at most {most:.0})");
    println!("{name}: from sending a decision to who waits: {}", shown(times));
    polls.abort_all();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench-control"]
async fn holds_that_wait() {
    let alone = Service::start().await;
    waiting("SQLite", &alone, &alone).await;
    drop(alone);
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    let database = database().await;
    let (one, two) =
        tokio::join!(Service::replica(&database, &directory), Service::replica(&database, &directory));
    waiting("PostgreSQL, another replica", &one, &two).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench-control"]
async fn pollers_of_the_bundle() {
    let service = Service::start().await;
    let data = service.data_token();
    let (heard, mut hears) = mpsc::unbounded_channel();
    let mut polls = JoinSet::new();
    for n in 0..POLLERS {
        let (mut stream, data, heard) = (connect(&service, n).await, data.clone(), heard.clone());
        polls.spawn(async move {
            let mut version = String::new();
            loop {
                let path = format!("/v1/bundle?after={version}&wait=25");
                let said = call(&mut stream, "GET", &path, &data).await;
                // An empty answer: nothing is new.
                let Ok(signed) = serde_json::from_slice::<serde_json::Value>(&said) else { continue };
                let when = Instant::now();
                let bundle: serde_json::Value =
                    serde_json::from_str(signed["payload"].as_str().unwrap()).unwrap();
                version = bundle["version"].as_str().unwrap().to_owned();
                let _gone = heard.send((n, when));
            }
        });
    }
    for _ in 0..POLLERS {
        hears.recv().await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (used, at) = (processor(&service), Instant::now());
    tokio::time::sleep(IDLE).await;
    let share = (processor(&service) - used) / at.elapsed().as_secs_f64() * 100.0;
    println!("{POLLERS} pollers, idle: {share:.1} % of a core, {:.0} MiB", memory(&service, "VmRSS"));
    let mut times = Vec::new();
    for n in 0..CHANGES {
        // A grant that is live at once changes the bundle; its end, two seconds later, changes it again.
        let token = service.token(&format!("ola{n}"), "oncall");
        let body = json!({"name": "glass", "reason": "measured"});
        let at = Instant::now();
        let (status, said) = service.call(Method::POST, "/v1/grants", &token, Some(&body)).await;
        assert_eq!(status, 201, "{said}");
        for _ in 0..POLLERS {
            let (_, when) = hears.recv().await.unwrap();
            times.push(when.duration_since(at));
        }
        for _ in 0..POLLERS {
            hears.recv().await.unwrap();
        }
    }
    println!("{POLLERS} pollers, from sending a change to each of them: {}", shown(times));
    polls.abort_all();
}
