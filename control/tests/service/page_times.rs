//! How long pages take on a store with 100,000 exchanges: run by `make bench-pages`. `BENCH_PAGES` names pages by a part
//! of their name, for those alone.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};
use sluice_engine::record::cut;

use super::harness::{Service, ask, sluice};
use super::postgres::database;
use super::provider::Browser;

/// Exchanges in the store, where `BENCH_EXCHANGES` names no other number.
const EXCHANGES: usize = 100_000;
/// Exchanges of a session; so there are 5,000 sessions.
const TURNS: usize = 20;
/// Exchanges of the one long session.
const LONG: usize = 200;
/// People.
const PEOPLE: usize = 300;
/// Holds that wait.
const HOLDS: usize = 500;
/// Exchanges in one batch.
const BATCH: usize = 200;
/// How often each page is fetched.
const TIMES: usize = 40;
/// Words that are spoken.
const WORDS: usize = 4000;
/// Each page's bar, in milliseconds.
const BAR: u128 = 100;

const POLICY: &str = r#"
issuers:
- { name: own, issuer: "http://127.0.0.1:1", audiences: [sluice], keys: control }
roles:
- { name: writer, scopes: ["messages.*"], models: ["*"] }
- { name: reader, scopes: [messages.create], models: ["claude-haiku-*"] }
bindings:
- { name: writers, groups: [writers], roles: [writer] }
- { name: readers, groups: [readers], roles: [reader] }
rules:
- { name: no-destruction, when: { effects: [destroy] }, action: deny }
- { name: writes, when: { effects: [write] }, action: hold, approval: { groups: [approvers] } }
access: { auditors: [auditors], operators: [operators], authors: [authors] }
"#;

/// Numbers that look like chance and are the same in every run: SplitMix64 (Steele, Lea, Flood: Fast Splittable
/// Pseudorandom Number Generators, 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    /// A few words are common and most are rare, as in speech.
    fn words(&mut self, count: usize) -> String {
        let word = |n: usize| format!("w{}", n * n / WORDS);
        let words: Vec<String> = (0..count).map(|_| word(self.below(WORDS))).collect();
        words.join(" ")
    }
}

/// A session on its way.
struct Talk {
    session: String,
    person: usize,
    messages: Vec<Value>,
}

impl Talk {
    fn new(session: String, person: usize) -> Self {
        Self { session, person, messages: Vec::new() }
    }

    /// The records and blocks of its next exchange.
    fn turn(&mut self, n: usize, at_ms: u64, chance: &mut Chance) -> (Vec<Value>, Vec<Value>) {
        let rare = if n.is_multiple_of(1000) { " needle in the hay" } else { "" };
        let length = 20 + chance.below(60);
        let said = format!("the task is {}{rare}", chance.words(length));
        self.messages.push(json!({"role": "user", "content": said}));
        let call = json!({"type": "tool_use", "id": format!("toolu_{n}"), "name": "Bash", "input": {"command": format!("ls {}", chance.words(3))}});
        let answered = json!([{"type": "text", "text": format!("the answer is {}", chance.words(30))}, call]);
        let request = json!({"model": "claude-sonnet-4-5", "max_tokens": 4096, "messages": self.messages});
        let reply = json!({"role": "assistant", "content": answered, "stop_reason": "tool_use"});
        self.messages.push(json!({"role": "assistant", "content": answered}));
        let group = if self.person.is_multiple_of(3) { "readers" } else { "writers" };
        let model = if n.is_multiple_of(5) { "claude-haiku-4-5" } else { "claude-sonnet-4-5" };
        let (mut records, mut blocks) = (Vec::new(), Vec::new());
        for (stage, body) in [("open", request), ("close", reply)] {
            let (body, named) = cut(&body.to_string());
            let mut record = json!({
                "exchange": format!("{n:032x}"), "stage": stage, "atMs": at_ms, "node": "sidecar-1", "session": self.session,
                "route": "messages.create", "policyVersion": "p", "model": model, "stream": true, "roles": ["writer"],
                "principal": {"issuer": "own", "subject": format!("person-{:03}@example.com", self.person), "groups": [group, "staff"]},
                "body": body,
            });
            if stage == "close" {
                record["status"] = json!(200);
                record["durationMs"] = json!(500 + chance.below(5000));
                record["calls"] = json!({"Bash": 1});
                record["usage"] = json!({"inputTokens": 900, "outputTokens": 80, "cacheReadInputTokens": 700, "cacheCreationInputTokens": 0, "costMicroUsd": 4200});
            } else if n.is_multiple_of(7) {
                record["findings"] = json!({"email": 2});
            }
            if stage == "close" && n.is_multiple_of(50) {
                record["decisions"] = json!([{"rule": "no-destruction", "action": "deny", "part": "toolCall", "tool": "Bash", "effects": ["destroy"]}]);
            }
            records.push(record);
            blocks.extend(named.into_iter().map(|block| serde_json::to_value(block).unwrap()));
        }
        (records, blocks)
    }
}

/// How many exchanges the store gets.
fn exchanges() -> usize {
    let asked = std::env::var("BENCH_EXCHANGES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(EXCHANGES)
}

/// Fills the store through the service's own API, as sidecars do.
async fn fill(service: &Service) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    // The last three weeks.
    let start = now - 21 * 86_400_000;
    let count = exchanges();
    let step = 21 * 86_400_000 / count as u64;
    let mut chance = Chance(1);
    let mut long = Talk::new("the-long-session".into(), 7);
    let mut talks: Vec<Talk> = Vec::new();
    let (mut records, mut blocks) = (Vec::new(), Vec::new());
    for n in 0..count {
        // 50 sessions go on at a time.
        if talks.len() < 50 {
            talks.push(Talk::new(format!("session-{n:05}"), chance.below(PEOPLE)));
        }
        let at_ms = start + n as u64 * step;
        let at = n % talks.len();
        let (own, named) = match n.is_multiple_of((count / LONG).max(1)) {
            true => long.turn(n, at_ms, &mut chance),
            false => talks[at].turn(n, at_ms, &mut chance),
        };
        if talks[at].messages.len() >= 2 * TURNS {
            talks.swap_remove(at);
        }
        records.extend(own);
        blocks.extend(named);
        if (n + 1).is_multiple_of(BATCH) {
            let batch = json!({"id": format!("batch-{n}"), "records": std::mem::take(&mut records), "blocks": std::mem::take(&mut blocks)});
            let (status, reply) = service.filter(Method::POST, "/v1/records", Some(&batch)).await;
            assert!(status == 200 && reply.get("missing").is_none(), "{reply}");
        }
    }
    for n in 0..HOLDS {
        let (status, reply) = service
            .filter(Method::POST, "/v1/exchanges", Some(&ask(&format!("k{n}"), &format!("h{n}"))))
            .await;
        assert_eq!(status, 200, "{reply}");
    }
    for n in 0..40 {
        let path = format!("/v1/bundle?node=sidecar-{n}&filter=0.1.0&after=x");
        assert_eq!(service.filter(Method::GET, &path, None).await.0, 200);
    }
}

async fn measure(name: &str, service: &Service) {
    let at = Instant::now();
    fill(service).await;
    println!("\n{name}: {} exchanges written in {:.0?}", exchanges(), at.elapsed());
    let mut browser = Browser::new(&service.url);
    let form = "subject=rita&groups=auditors,operators,approvers,authors";
    let seen = browser.post("/signin?to=/holds", form).await;
    assert_eq!(seen.status, 303, "{seen:?}");
    loop {
        let seen = browser.get("/v1/sessions?text=needle&limit=1").await;
        let seen: Value = serde_json::from_str(&seen.body).unwrap();
        if seen["searched"]["behind"] == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("{name}: in the index {:.0?} after the first was sent", at.elapsed());
    let holds: Value = serde_json::from_str(&browser.get("/v1/holds?limit=1").await.body).unwrap();
    let hold = format!("/holds/{}", holds["holds"][0]["id"].as_str().unwrap());
    let listed: Value = serde_json::from_str(&browser.get("/v1/sessions?limit=900").await.body).unwrap();
    let sessions = listed["sessions"].as_array().unwrap();
    let session = format!("/sessions/{}", sessions[sessions.len() / 2]["session"].as_str().unwrap());
    let chain = format!("{session}/chain");
    let last = sessions.last().unwrap();
    let older = format!("/sessions?before={}:{}", last["lastMs"], last["session"].as_str().unwrap());
    let today = listed["sessions"][0]["lastMs"].as_u64().unwrap();
    let (since, until) = (today - 3 * 86_400_000, today - 2 * 86_400_000);
    let mut end = "/sessions/the-long-session".to_owned();
    while let Some((_, rest)) =
        browser.get(&end).await.body.split_once("class=\"button\" href=\"/sessions/the-long-session?after=")
    {
        let cursor = rest.split('"').next().unwrap();
        end = format!("/sessions/the-long-session?after={cursor}");
    }
    let within = format!("/sessions?since={since}&until={until}");
    let pages: Vec<(&str, &str)> = vec![
        ("overview, 7 days", "/overview?days=7"),
        ("overview, 90 days", "/overview?days=90"),
        ("sessions", "/sessions"),
        ("sessions, an older page", &older),
        ("sessions of a person", "/sessions?person=person-123"),
        ("sessions of nobody", "/sessions?person=nobody"),
        ("sessions of a group", "/sessions?group=writers"),
        ("sessions with a model", "/sessions?model=claude-haiku-4-5"),
        ("sessions with a tool", "/sessions?tool=Bash"),
        ("sessions with a rule", "/sessions?rule=no-destruction"),
        ("sessions with a finding", "/sessions?finding=email"),
        ("sessions with a denial", "/sessions?verdict=denied"),
        ("sessions with a hold: none", "/sessions?verdict=held"),
        ("sessions of some days", &within),
        ("text: a rare word", "/sessions?text=needle"),
        ("text: a usual word", "/sessions?text=w2999"),
        ("text: a word in every text", "/sessions?text=the"),
        ("text: a phrase", "/sessions?text=%22needle+in+the+hay%22"),
        ("text: a phrase of common words", "/sessions?text=%22the+task+is%22"),
        ("text: three words", "/sessions?text=w2999+w2000+w17"),
        ("text: the beginning of a word", "/sessions?text=need*"),
        ("text: a word that nobody said", "/sessions?text=unheard"),
        (
            "text and four filters",
            "/sessions?text=w2999&person=person-1&group=writers&tool=Bash&finding=email",
        ),
        ("session of 20 exchanges", &session),
        ("session of 200 exchanges", "/sessions/the-long-session"),
        ("chain of a session of 20 exchanges", &chain),
        ("the last part of it", &end),
        ("holds, 500 waiting", "/holds"),
        ("a hold", &hold),
        ("access", "/access"),
        ("policy", "/policy"),
        ("try the policy", "/policy/trial"),
        ("fleet", "/fleet"),
    ];
    println!("\n| page | median | p99 | KiB | |\n|---|---|---|---|---|");
    let wanted = std::env::var("BENCH_PAGES").unwrap_or_default();
    for (what, path) in pages.into_iter().filter(|(what, _)| what.contains(&wanted)) {
        let mut times = Vec::new();
        let mut size = 0;
        for n in 0..TIMES + 3 {
            let at = Instant::now();
            let seen = browser.get(path).await;
            let took = at.elapsed();
            assert_eq!(seen.status, 200, "{path}: {}", seen.body);
            size = seen.body.len();
            // The first ones find nothing in memory.
            if n >= 3 {
                times.push(took);
            }
        }
        times.sort();
        let at = |share: usize| times[(times.len() - 1) * share / 100].as_micros();
        let over = if at(99) > BAR * 1000 { "over" } else { "" };
        let ms = |micros: u128| format!("{:.1} ms", micros as f64 / 1000.0);
        println!("| {what} | {} | {} | {} | {over} |", ms(at(50)), ms(at(99)), size >> 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench-pages"]
async fn pages_on_a_hundred_thousand_exchanges() {
    let args = ["--dev", "--public-url", "http://127.0.0.1:1", "--person-rate", "0", "--peer-rate", "0"];
    if std::env::var("BENCH_ON").as_deref() != Ok("postgres") {
        let alone = Service::start_all(None, POLICY, &args).await;
        measure("SQLite", &alone).await;
    }
    if std::env::var("BENCH_ON").as_deref() != Ok("sqlite") {
        let keys = tempfile::tempdir().unwrap();
        let directory = keys.path().join("keys");
        assert!(sluice().args(["keys", "make"]).arg(&directory).status().unwrap().success());
        let on = Service::start_all(Some((database().await, directory)), POLICY, &args).await;
        measure("PostgreSQL", &on).await;
    }
}
