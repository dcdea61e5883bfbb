//! `kill -9` under load, again and again. `CRASHES` says how often; `make crashes` does it a hundred times.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use sluice_control::client::{Call, Client};
use sluice_engine::record::cut;

use super::harness::{Service, record, sluice};
use super::postgres::database;

/// Sidecars that send batches at once.
const SIDECARS: usize = 6;

fn crashes() -> usize {
    std::env::var("CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// A batch of two exchanges with new text.
fn batch(id: &str) -> Value {
    let mut batch = json!({"id": id, "records": [], "blocks": []});
    for k in 0..2 {
        let exchange = format!("{id}-{k}");
        let text = format!("{exchange} {}", "text ".repeat(100));
        let (body, blocks) = cut(&json!({"messages": [{"role": "user", "content": text}]}).to_string());
        let mut open = record(&exchange, id, "open");
        open["body"] = json!(body);
        batch["records"].as_array_mut().unwrap().push(open);
        batch["blocks"].as_array_mut().unwrap().extend(blocks.iter().map(|block| json!(block)));
    }
    batch
}

/// Sends batches until the service is gone; gives the ids of those that were acknowledged.
async fn send(url: String, token: String, name: String, count: Arc<AtomicUsize>) -> Vec<String> {
    let client = Client::new();
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let id = format!("{name}-{n}");
        let call = Call {
            method: Method::POST,
            url: &format!("{url}/v1/records"),
            token: Some(&token),
            body: Some(batch(&id).to_string()),
            timeout: Duration::from_secs(10),
            limit: 1 << 20,
        };
        match client.call(call).await {
            Ok(answer) if answer.status == 200 => {
                acknowledged.push(id);
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => panic!("{}", answer.status),
            Err(_) => break,
        }
    }
    acknowledged
}

async fn crash_again_and_again(mut service: Service) {
    let mut acknowledged = Vec::new();
    for round in 0..crashes() {
        let count = Arc::new(AtomicUsize::new(0));
        let sidecars: Vec<_> = (0..SIDECARS)
            .map(|n| {
                let name = format!("r{round}-s{n}");
                tokio::spawn(send(service.url.clone(), service.data_token(), name, Arc::clone(&count)))
            })
            .collect();
        // Each round is cut at another moment.
        while count.load(Ordering::Relaxed) < 4 + (round * 7) % 40 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        service.kill();
        for sidecar in sidecars {
            acknowledged.extend(sidecar.await.unwrap());
        }
        service.run().await;
    }
    let auditor = service.token("aud", "auditors");
    let verified = service.cli(&auditor, &["records", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let export = service.cli(&auditor, &["records", "export"]);
    let export = String::from_utf8_lossy(&export.stdout);
    let there: std::collections::HashMap<&str, usize> = export
        .lines()
        .filter_map(|line| line.split_once("\"exchange\":\""))
        .fold(std::collections::HashMap::new(), |mut there, (_, rest)| {
            *there.entry(rest.split('"').next().unwrap()).or_default() += 1;
            there
        });
    for exchange in acknowledged.iter().flat_map(|id| [format!("{id}-0"), format!("{id}-1")]) {
        assert_eq!(there.get(exchange.as_str()), Some(&1), "{exchange}");
    }
    println!("{} crashes; all of {} acknowledged batches are there, once", crashes(), acknowledged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_kill_9_is_there_after_on_sqlite() {
    crash_again_and_again(Service::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_kill_9_is_there_after_on_postgresql() {
    let keys = tempfile::tempdir().unwrap();
    let directory = keys.path().join("keys");
    assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
    crash_again_and_again(Service::replica(&database().await, &directory).await).await;
}
