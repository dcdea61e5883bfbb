use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;

use super::*;
use crate::otlp::Headers;
use crate::records::Entry;
use crate::reviews::record;
use crate::store::Addition;

const NOW: u64 = 1_795_000_000_000;

/// Status, headers, body.
type Answer = (StatusCode, HeaderMap, &'static str);

/// What a receiver of our own got, and how it answers: as it is told, or by what it gets.
#[derive(Clone, Default)]
struct Ear {
    got: Arc<Mutex<Vec<Value>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
    answers: Arc<Mutex<Vec<Answer>>>,
    /// Messages with this text in them are refused.
    poison: Arc<Mutex<Option<&'static str>>>,
}

impl Ear {
    async fn listen(&self) -> String {
        let ear = self.clone();
        let app = Router::new().fallback(async move |headers: HeaderMap, body: Bytes| {
            let message: Value = serde_json::from_slice(&body).unwrap();
            if ear.poison.lock().unwrap().is_some_and(|poison| message.to_string().contains(poison)) {
                return StatusCode::BAD_REQUEST.into_response();
            }
            let mut answers = ear.answers.lock().unwrap();
            let (status, more, said) =
                if answers.is_empty() { (StatusCode::OK, HeaderMap::new(), "{}") } else { answers.remove(0) };
            if status.is_success() {
                ear.got.lock().unwrap().push(message);
                ear.headers.lock().unwrap().push(headers);
            }
            (status, more, said).into_response()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        url
    }

    /// The exchanges whose spans arrived, in order.
    fn exchanges(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        let spans = got.iter().flat_map(|message| {
            message["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
        });
        let named = |span: Value| {
            let all = span["attributes"].as_array().unwrap();
            let id = all.iter().find(|one| one["key"] == "sluice.exchange.id").unwrap();
            id["value"]["stringValue"].as_str().unwrap().to_owned()
        };
        spans.map(named).collect()
    }
}

struct World {
    store: Arc<dyn Store>,
    ear: Ear,
    url: String,
    now: Arc<AtomicU64>,
    sending: Sending,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
        let store = crate::store::sqlite::Sqlite::open(&dir.path().join("test.db"), key).await.unwrap();
        let ear = Ear::default();
        let url = ear.listen().await;
        let now = Arc::new(AtomicU64::new(NOW));
        Self { store: Arc::new(store), ear, url, now, sending: Sending::default(), _dir: dir }
    }

    fn follower(&self, holder: &str) -> Follower {
        let clock = Arc::clone(&self.now);
        let headers = Headers { given: Headers::parse("x-key=hush").unwrap(), file: None };
        Follower {
            signal: Signal::Traces,
            target: Target::of(Signal::Traces, None, Some(&self.url), &headers).unwrap().unwrap(),
            client: Client::new(),
            store: Arc::clone(&self.store),
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
            holder: holder.to_owned(),
            resource: json!([]),
            sending: self.sending.clone(),
            page: PAGE,
        }
    }

    async fn write(&self, exchanges: &[&str]) {
        let record = |exchange: &&str| {
            Entry::Exchange(Box::new(record("close", NOW, json!({"exchange": exchange, "status": 200}))))
        };
        let entries = exchanges.iter().map(record).collect();
        self.store.add(Addition { entries, ..Addition::default() }, NOW).await.unwrap();
    }

    fn answers(&self, status: u16, headers: &[(&'static str, &'static str)], said: &'static str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        self.ear.answers.lock().unwrap().push((StatusCode::from_u16(status).unwrap(), map, said));
    }

    fn counted(&self) -> (u64, u64, u64) {
        let of = Of { signal: "traces" };
        let count = |family: &prometheus_client::metrics::family::Family<Of, _>| {
            let counter: &prometheus_client::metrics::counter::Counter = &family.get_or_create(&of);
            counter.get()
        };
        (count(&self.sending.sent), count(&self.sending.failed), count(&self.sending.dropped))
    }
}

/// Looks until there is nothing to do.
async fn all(follower: &mut Follower) {
    for _ in 0..100 {
        if follower.step().await.unwrap() == Step::Rest {
            return;
        }
    }
    panic!("it does not come to an end");
}

#[tokio::test]
async fn each_span_is_sent_once_also_over_a_restart_and_what_was_there_before_is_not() {
    let world = World::new().await;
    world.write(&["old"]).await;
    let mut follower = world.follower("a");
    all(&mut follower).await;
    assert!(world.ear.exchanges().is_empty(), "it begins at the end");
    world.write(&["e1", "e2"]).await;
    all(&mut follower).await;
    world.write(&["e3"]).await;
    // The same replica, started again, goes on at once.
    let mut again = world.follower("a");
    all(&mut again).await;
    all(&mut follower).await;
    assert_eq!(world.ear.exchanges(), ["e1", "e2", "e3"]);
    assert_eq!(world.counted(), (3, 0, 0));
    let headers = world.ear.headers.lock().unwrap();
    assert_eq!(headers[0]["content-type"], "application/json");
    assert_eq!(headers[0]["x-key"], "hush");
}

#[tokio::test]
async fn what_a_receiver_does_not_take_now_is_sent_later_and_never_left_out() {
    let world = World::new().await;
    let mut follower = world.follower("a");
    all(&mut follower).await;
    world.write(&["e1"]).await;
    for status in [429, 502, 503, 504, 500, 408, 401, 403, 404, 415, 302] {
        world.answers(status, &[("retry-after", "7")], "");
        assert_eq!(follower.step().await.unwrap(), Step::Failed(Some(7000)), "{status}");
    }
    assert!(world.ear.exchanges().is_empty());
    all(&mut follower).await;
    assert_eq!(world.ear.exchanges(), ["e1"]);
    assert_eq!(world.counted(), (1, 11, 0));
    // Nobody is there at all.
    world.write(&["e2"]).await;
    let mut lost = world.follower("a");
    lost.target =
        Target::of(Signal::Traces, None, Some("http://127.0.0.1:1"), &Headers::default()).unwrap().unwrap();
    assert_eq!(lost.step().await.unwrap(), Step::Failed(None));
    all(&mut follower).await;
    assert_eq!(world.ear.exchanges(), ["e1", "e2"]);
}

#[tokio::test]
async fn one_entry_that_a_receiver_refuses_keeps_no_other_back() {
    let world = World::new().await;
    let mut follower = world.follower("a");
    all(&mut follower).await;
    *world.ear.poison.lock().unwrap() = Some("bad");
    world.write(&["e1", "e2", "bad", "e4", "e5"]).await;
    all(&mut follower).await;
    assert_eq!(world.ear.exchanges(), ["e1", "e2", "e4", "e5"]);
    let (sent, _, dropped) = world.counted();
    assert_eq!((sent, dropped), (4, 1));
}

#[tokio::test]
async fn what_a_receiver_takes_in_part_is_not_sent_again() {
    let world = World::new().await;
    let mut follower = world.follower("a");
    all(&mut follower).await;
    world.write(&["e1", "e2", "e3"]).await;
    world.answers(200, &[], r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#);
    all(&mut follower).await;
    assert_eq!(world.ear.exchanges().len(), 3);
    assert_eq!(world.counted(), (1, 0, 2));
}

#[tokio::test]
async fn one_replica_sends_and_another_goes_on_when_it_is_gone() {
    let world = World::new().await;
    let (mut a, mut b) = (world.follower("a"), world.follower("b"));
    all(&mut a).await;
    world.write(&["e1"]).await;
    all(&mut a).await;
    world.write(&["e2"]).await;
    all(&mut b).await;
    assert_eq!(world.ear.exchanges(), ["e1"], "it is still a's turn");
    world.now.fetch_add(TURN.as_millis() as u64, Ordering::Relaxed);
    all(&mut b).await;
    assert_eq!(world.ear.exchanges(), ["e1", "e2"]);
    world.write(&["e3"]).await;
    all(&mut a).await;
    assert_eq!(world.ear.exchanges(), ["e1", "e2"], "now it is b's");
    let mut metrics = prometheus_client::registry::Registry::default();
    world.sending.register(&mut metrics);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics).unwrap();
    assert!(text.contains("otlp_behind_entries{signal=\"traces\"} 1"), "{text}");
}

#[tokio::test]
async fn entries_that_come_to_no_span_are_passed_by_without_a_message() {
    let world = World::new().await;
    let mut follower = world.follower("a");
    all(&mut follower).await;
    let open = Entry::Exchange(Box::new(record("open", NOW, json!({}))));
    world.store.add(Addition { entries: vec![open], ..Addition::default() }, NOW).await.unwrap();
    all(&mut follower).await;
    let at = world.store.followed("otlp.traces").await.unwrap();
    assert_eq!((at.done, at.end), (1, 1));
    assert!(world.ear.got.lock().unwrap().is_empty());
}

#[test]
fn pauses_grow_to_a_minute_and_are_as_long_as_a_receiver_asks() {
    let seconds = |failures, asked, random| pause(failures, asked, random).as_secs_f64();
    for (failures, longest) in [(1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (u32::MAX, 60.0)] {
        assert_eq!(seconds(failures, None, u32::MAX), longest);
        assert_eq!(seconds(failures, None, 0), longest / 2.0);
    }
    assert_eq!(seconds(1, Some(90_000), 0), 90.0);
    assert_eq!(seconds(1, Some(u64::MAX), 0), 3600.0);
}
