use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use sluice_engine::policy::document::Policy;

use super::*;

/// An identity provider whose key and health a test sets.
#[derive(Clone, Default)]
struct Provider {
    kid: Arc<Mutex<String>>,
    down: Arc<Mutex<bool>>,
    asked: Arc<AtomicUsize>,
    base: Arc<Mutex<String>>,
}

async fn provider() -> Provider {
    let provider = Provider::default();
    *provider.kid.lock().unwrap() = "one".into();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    *provider.base.lock().unwrap() = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(async |State(p): State<Provider>| {
                let base = p.base.lock().unwrap().clone();
                json!({"issuer": base, "jwks_uri": format!("{base}/keys")}).to_string()
            }),
        )
        .route(
            "/keys",
            get(async |State(p): State<Provider>| {
                p.asked.fetch_add(1, Ordering::SeqCst);
                if *p.down.lock().unwrap() {
                    return Err(StatusCode::INTERNAL_SERVER_ERROR);
                }
                let kid = p.kid.lock().unwrap().clone();
                let secret = json!({"kty": "oct", "k": "c2VjcmV0"});
                Ok(json!({"keys": [{"kty": "EC", "kid": kid, "d": "private"}, secret]}).to_string())
            }),
        )
        .with_state(provider.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    provider
}

fn loaded(issuers: Value) -> Arc<Loaded> {
    let policy: Policy = serde_json::from_value(json!({ "issuers": issuers })).unwrap();
    Arc::new(Loaded { policy, version: String::new(), files: Vec::new(), warnings: Vec::new() })
}

struct Running {
    keys: watch::Receiver<Vec<IssuerKeys>>,
    asks: mpsc::Sender<Refresh>,
    statuses: Statuses,
    _policy: watch::Sender<Arc<Loaded>>,
}

fn run(policy: Arc<Loaded>) -> Running {
    let statuses = Statuses::default();
    let (keyring, keys) = Keyring::new(json!({"kty": "OKP", "kid": "own"}), &policy, Arc::clone(&statuses));
    let (sender, receiver) = watch::channel(policy);
    let (asks, asked) = mpsc::channel(8);
    tokio::spawn(keyring.run(receiver, asked));
    Running { keys, asks, statuses, _policy: sender }
}

async fn until(keys: &mut watch::Receiver<Vec<IssuerKeys>>, kid: &str) -> Vec<IssuerKeys> {
    let has = |all: &Vec<IssuerKeys>| all.iter().flat_map(|k| &k.keys).any(|k| k["kid"] == kid);
    let wait = tokio::time::timeout(Duration::from_secs(8), keys.wait_for(has));
    wait.await.expect("the key came in time").unwrap().clone()
}

#[tokio::test]
async fn keys_are_discovered_and_private_parts_stay_out() {
    let provider = provider().await;
    let base = provider.base.lock().unwrap().clone();
    let mut running = run(loaded(json!([
        {"name": "corp", "issuer": base, "audiences": ["sluice"]},
        {"name": "own", "issuer": "http://127.0.0.1", "audiences": ["sluice"], "keys": "control"},
        {"name": "flat", "issuer": "x", "audiences": ["sluice"], "keys": {"jwks": {"keys": [{"kty": "RSA", "kid": "flat"}]}}},
    ])));
    let all = until(&mut running.keys, "one").await;
    let corp = all.iter().find(|k| k.issuer == "corp").unwrap();
    assert_eq!(corp.keys, [json!({"kty": "EC", "kid": "one"})]);
    assert_eq!(all.iter().find(|k| k.issuer == "own").unwrap().keys[0]["kid"], "own");
    assert_eq!(all.iter().find(|k| k.issuer == "flat").unwrap().keys[0]["kid"], "flat");
}

#[tokio::test]
async fn an_unknown_key_id_brings_the_new_key_and_never_a_flood() {
    let provider = provider().await;
    let base = provider.base.lock().unwrap().clone();
    let mut running = run(loaded(json!([{"name": "corp", "issuer": base, "audiences": ["sluice"]}])));
    until(&mut running.keys, "one").await;
    *provider.kid.lock().unwrap() = "two".into();
    for _ in 0..50 {
        running.asks.send(Refresh { issuer: "corp".into(), kid: "two".into() }).await.unwrap();
    }
    until(&mut running.keys, "two").await;
    for kid in ["two", "two", "nobody's", "nobody's"] {
        running.asks.send(Refresh { issuer: "corp".into(), kid: kid.into() }).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(provider.asked.load(Ordering::SeqCst), 2, "one fetch at the start, one for all who asked");
}

#[tokio::test]
async fn a_failed_fetch_keeps_the_old_keys() {
    let provider = provider().await;
    let base = provider.base.lock().unwrap().clone();
    let mut running = run(loaded(json!([{"name": "corp", "issuer": base, "audiences": ["sluice"]}])));
    until(&mut running.keys, "one").await;
    *provider.down.lock().unwrap() = true;
    running.asks.send(Refresh { issuer: "corp".into(), kid: "two".into() }).await.unwrap();
    for _ in 0..100 {
        if running.statuses.lock().unwrap()["corp"].error.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let status = running.statuses.lock().unwrap()["corp"].clone();
    assert!(status.error.unwrap().contains("500"));
    assert_eq!(status.keys, 1);
    assert_eq!(running.keys.borrow()[0].keys[0]["kid"], "one");
}
