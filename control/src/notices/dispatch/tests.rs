use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sluice_engine::policy::document::{Policy, Receiver};
use tokio::sync::watch;

use super::*;
use crate::grants::tests::wish;
use crate::notices::Notice;
use crate::policies::Published;
use crate::store::sqlite::Sqlite;

const NOW: u64 = 1_795_000_000_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver got: path, headers, body.
type Got = (String, HeaderMap, String);

/// How it answers: status and headers.
type Answer = (StatusCode, Vec<(&'static str, String)>);

/// A receiver of our own, which answers as it is told.
#[derive(Clone, Default)]
struct Ear {
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Ear {
    async fn listen(&self) -> String {
        let ear = self.clone();
        let app =
            Router::new().fallback(async move |path: axum::http::Uri, headers: HeaderMap, body: Bytes| {
                if path.path() == "/silent" {
                    std::future::pending::<()>().await;
                }
                let body = String::from_utf8(body.to_vec()).unwrap();
                ear.got.lock().unwrap().push((path.path().to_owned(), headers, body));
                let mut answers = ear.answers.lock().unwrap();
                let (status, more) =
                    if answers.is_empty() { (StatusCode::OK, vec![]) } else { answers.remove(0) };
                let mut answer = status.into_response();
                for (name, value) in more {
                    answer.headers_mut().insert(name, value.parse().unwrap());
                }
                answer
            });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        url
    }

    fn will_answer(&self, status: StatusCode, headers: &[(&'static str, String)]) {
        self.answers.lock().unwrap().push((status, headers.to_vec()));
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

struct World {
    dispatcher: Dispatcher,
    flights: Flights,
    ear: Ear,
    url: String,
    now: Arc<AtomicU64>,
    dir: tempfile::TempDir,
}

impl World {
    /// A service with these channels, all webhooks, whose files are there.
    async fn with(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store =
            Sqlite::open(&dir.path().join("test.db"), SigningKey::from_bytes(&[5; 32])).await.unwrap();
        let channel = |name: &&str| Channel {
            name: (*name).to_owned(),
            to: Receiver::Webhook,
            on: vec![],
            groups: vec![],
        };
        let policy = Policy { notices: names.iter().map(channel).collect(), ..Policy::default() };
        let now = Arc::new(AtomicU64::new(NOW));
        let clock = Arc::clone(&now);
        let (_, bundle) = watch::channel(Arc::new(Published::of(policy)));
        let dispatcher = Dispatcher {
            store: Arc::new(store),
            bundle,
            channels: Channels::new(Some(dir.path().into())),
            client: Client::new(),
            public_url: "https://sluice.example".into(),
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
        };
        let ear = Ear::default();
        let url = ear.listen().await;
        let world = Self { dispatcher, flights: Flights::default(), ear, url, now, dir };
        for name in names {
            world.write(&format!("{name}.url"), &format!("{}/{name}", world.url));
            world.write(&format!("{name}.secret"), SECRET);
        }
        world
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.dir.path().join(file), text).unwrap();
    }

    fn store(&self) -> &dyn Store {
        &*self.dispatcher.store
    }

    async fn news(&self, grant: &str) {
        self.store().open_grant(wish(grant, true, NOW)).await.unwrap();
    }

    /// One look, and the end of all that took off.
    async fn run(&mut self) {
        self.dispatcher.tick(&mut self.flights).await.unwrap();
        while !self.flights.all.is_empty() {
            self.flights.landed().await;
        }
    }

    async fn only(&self) -> Delivery {
        let [one] = self.store().deliveries(None, 9).await.unwrap().try_into().unwrap();
        one
    }

    /// The moment at which the one delivery is tried next.
    async fn next(&self) {
        self.now.store(self.only().await.due_ms, Ordering::Relaxed);
    }
}

/// By the specification, and not by our own code: `v1,` and base64 of HMAC-SHA256 over id, timestamp and body.
fn signed(secret: &str, got: &Got) -> String {
    let (_, headers, body) = got;
    let text = |name: &str| headers[name].to_str().unwrap();
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = <Hmac<sha2::Sha256> as Mac>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp")).as_bytes());
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn signatures(got: &Got) -> Vec<String> {
    got.1["webhook-signature"].to_str().unwrap().split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_notice_arrives_signed_and_once() {
    let mut world = World::with(&["soc"]).await;
    world.news("g").await;
    for _ in 0..3 {
        world.run().await;
    }
    let [got] = world.ear.got().try_into().unwrap();
    let body: Value = serde_json::from_str(&got.2).unwrap();
    assert_eq!(body["type"], "grant.breakGlass");
    assert_eq!(body["data"]["who"]["subject"], "ana");
    assert_eq!(signatures(&got), [signed(SECRET, &got)]);
    assert_eq!(got.1["webhook-timestamp"], (NOW / 1000).to_string().as_str());
    assert_eq!(got.1[header::CONTENT_TYPE], "application/json");
    let stands = world.only().await;
    assert_eq!((stands.state, stands.tries), (DeliveryState::Delivered, 1));
    assert_eq!(got.1["webhook-id"], stands.id.as_str());
}

#[tokio::test]
async fn what_is_refused_comes_again_with_the_same_id_and_a_fresh_signature() {
    let mut world = World::with(&["soc"]).await;
    world.news("g").await;
    world.ear.will_answer(StatusCode::SERVICE_UNAVAILABLE, &[]);
    world.ear.will_answer(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "7200".into())]);
    world.run().await;
    world.run().await;
    assert_eq!(world.ear.got().len(), 1, "its time has not come");
    world.next().await;
    world.run().await;
    let asked = world.only().await.due_ms - world.now.load(Ordering::Relaxed);
    assert!(asked >= 7_200_000, "the receiver asked for two hours and got {asked} ms");
    world.next().await;
    world.run().await;
    let got = world.ear.got();
    assert_eq!(got.len(), 3);
    assert!(got.iter().all(|one| one.1["webhook-id"] == got[0].1["webhook-id"] && one.2 == got[0].2));
    assert_ne!(got[2].1["webhook-timestamp"], got[0].1["webhook-timestamp"]);
    assert!(got.iter().all(|one| signatures(one) == [signed(SECRET, one)]));
    assert_eq!(world.only().await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_receiver_that_always_refuses_gets_ten_tries_and_again_when_somebody_says_so() {
    let mut world = World::with(&["soc"]).await;
    world.news("g").await;
    for _ in 0..10 {
        world.ear.will_answer(StatusCode::BAD_REQUEST, &[]);
    }
    for _ in 0..12 {
        world.run().await;
        world.next().await;
    }
    assert_eq!(world.ear.got().len(), 10);
    let dead = world.only().await;
    assert_eq!(dead.state, DeliveryState::Dead);
    assert_eq!(dead.trouble.as_deref(), Some("the receiver answered 400 Bad Request"));
    world.store().retry_delivery(&dead.id, world.now.load(Ordering::Relaxed)).await.unwrap();
    world.run().await;
    assert_eq!(world.ear.got().len(), 11);
    assert_eq!(world.only().await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut world = World::with(&["soc"]).await;
    let elsewhere = format!("{}/elsewhere", world.url);
    world.news("g").await;
    world.ear.will_answer(StatusCode::TEMPORARY_REDIRECT, &[("location", elsewhere)]);
    world.run().await;
    let got = world.ear.got();
    assert_eq!(got.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["/soc"]);
    assert_eq!(world.only().await.state, DeliveryState::Waiting);
}

#[tokio::test]
async fn a_silent_channel_keeps_no_other_waiting() {
    let mut world = World::with(&["silent", "soc"]).await;
    for n in 0..30 {
        world.news(&format!("g{n}")).await;
    }
    let start = Instant::now();
    while world.ear.got().len() < 30 {
        assert!(start.elapsed() < Duration::from_secs(10), "{} of 30", world.ear.got().len());
        world.dispatcher.tick(&mut world.flights).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(world.ear.got().iter().all(|one| one.0 == "/soc"));
    let silent = world.store().deliveries(None, 100).await.unwrap();
    let tried = silent.iter().filter(|own| own.channel == "silent" && own.tries > 0).count();
    assert_eq!(tried, AT_ONCE as usize, "no more of it than at once");
}

#[tokio::test]
async fn a_channel_without_its_files_waits_for_them() {
    let mut world = World::with(&["soc"]).await;
    let file = world.dir.path().join("soc.url");
    fs::remove_file(&file).unwrap();
    world.news("g").await;
    world.run().await;
    let waits = world.only().await;
    assert_eq!(waits.state, DeliveryState::Waiting);
    assert!(waits.trouble.unwrap().contains("`soc.url`"));
    world.write("soc.url", &format!("{}/soc", world.url));
    world.next().await;
    world.run().await;
    assert_eq!(world.only().await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_channel_that_left_the_policy_has_its_notices_wait_and_not_vanish() {
    let mut world = World::with(&[]).await;
    world.store().add_delivery("gone", Notice::test(NOW), NOW).await.unwrap();
    world.run().await;
    let waits = world.only().await;
    assert_eq!((waits.state, waits.tries), (DeliveryState::Waiting, 1));
    assert!(waits.trouble.unwrap().contains("no channel of this name"));
}

#[tokio::test]
async fn what_was_under_way_at_a_crash_is_sent_again() {
    let mut world = World::with(&["soc"]).await;
    world.news("g").await;
    // Taken, and then nothing: the process was killed.
    world.dispatcher.store.route_news(world.dispatcher.channels_now(), vec![], NOW).await.unwrap();
    let taking = Taking { channel: "soc".into(), most: 9, until_ms: NOW + 60_000 };
    assert_eq!(world.store().take_deliveries(taking, NOW).await.unwrap().len(), 1);
    world.run().await;
    assert_eq!(world.ear.got().len(), 0, "another may be sending it");
    world.next().await;
    world.run().await;
    assert_eq!(world.ear.got().len(), 1);
    assert_eq!(world.only().await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_secret_is_changed_without_a_gap() {
    const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let mut world = World::with(&["soc"]).await;
    for (grant, file) in [("a", format!("{NEW}\n{SECRET}\n")), ("b", NEW.to_owned())] {
        world.write("soc.secret", &file);
        world.news(grant).await;
        world.run().await;
    }
    let [both, new] = world.ear.got().try_into().unwrap();
    assert_eq!(signatures(&both), [signed(NEW, &both), signed(SECRET, &both)]);
    assert_eq!(signatures(&new), [signed(NEW, &new)]);
}
