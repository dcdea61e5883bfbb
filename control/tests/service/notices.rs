//! Notices through the real binary: to a webhook, to Slack and back.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::{HeaderMap, Method, Request, Uri};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sluice_control::client::Client;

use super::harness::{Service, ask};

const SIGNING: &str = "hushhush-signing-secret-of-the-app";

/// What arrived, by path.
type Heard = Arc<Mutex<Vec<(String, HeaderMap, Value)>>>;

async fn receiver() -> (String, Heard) {
    let heard: Heard = Arc::default();
    let own = Arc::clone(&heard);
    let app = Router::new().fallback(async move |path: Uri, headers: HeaderMap, body: String| {
        let body = serde_json::from_str(&body).unwrap_or(Value::Null);
        own.lock().unwrap().push((path.path().to_owned(), headers, body));
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    (url, heard)
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The first message to a path that has this text in it.
async fn arrived(heard: &Heard, path: &str, text: &str) -> Value {
    until(&format!("{text} on {path}"), async || {
        let heard = heard.lock().unwrap();
        let found = heard.iter().find(|(at, _, body)| at == path && body.to_string().contains(text));
        found.map(|(_, _, body)| body.clone())
    })
    .await
}

/// A service with a webhook, a Slack channel and a channel without files.
async fn service(url: &str) -> Service {
    let service = Service::start().await;
    fs::create_dir(service.notices()).unwrap();
    let write = |file: &str, text: &str| fs::write(service.notices().join(file), text).unwrap();
    write("soc.url", &format!("{url}/hushhush-soc\n"));
    write("soc.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    write("owners.url", &format!("{url}/hushhush-slack\n"));
    write("owners.secret", SIGNING);
    fs::write(
        service.policy().join("notices.yaml"),
        "notices:\n  - { name: soc, to: webhook }\n  - { name: owners, to: slack, on: [hold.opened], groups: [approvers] }\n  \
         - { name: nobody, to: teams }\npeople:\n  \
         - { slack: U0BEN, issuer: own, subject: ben, groups: [approvers] }\n  \
         - { slack: U0ANA, issuer: own, subject: ana, groups: [approvers] }\n",
    )
    .unwrap();
    until("the policy is in force", async || {
        service.log().contains("nobody is told on this channel").then_some(())
    })
    .await;
    service
}

async fn open(service: &Service, key: &str) -> String {
    let (status, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&ask(key, "e"))).await;
    assert_eq!(status, 200, "{reply}");
    reply["hold"]["id"].as_str().unwrap().to_owned()
}

async fn state(service: &Service, hold: &str) -> Value {
    let ben = service.token("ben", "approvers");
    service.call(Method::GET, &format!("/v1/holds/{hold}"), &ben, None).await.1
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Slack's part: what it sends when somebody presses a button of a message, signed.
struct Press {
    body: String,
    timestamp: String,
    signature: String,
}

impl Press {
    fn new(message: &Value, word: &str, member: &str, reason: &str, answer: &str) -> Self {
        let blocks = message["blocks"].as_array().unwrap();
        let actions = blocks.iter().find(|block| block["type"] == "actions").unwrap();
        let button =
            actions["elements"].as_array().unwrap().iter().find(|own| own["action_id"] == word).unwrap();
        let payload = json!({
            "type": "block_actions", "user": {"id": member, "team_id": "T1"}, "actions": [button],
            "response_url": answer,
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}},
        });
        let form = BTreeMap::from([("payload", payload.to_string())]);
        Self::signed(serde_urlencoded::to_string(form).unwrap(), SIGNING)
    }

    fn signed(body: String, secret: &str) -> Self {
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
        let mut mac = <Hmac<sha2::Sha256> as Mac>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("v0:{timestamp}:{body}").as_bytes());
        let made = mac.finalize().into_bytes();
        let hex: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { body, timestamp, signature: format!("v0={hex}") }
    }

    async fn send(&self, service: &Service, channel: &str) -> u16 {
        let request = Request::post(format!("{}/v1/notices/{channel}/slack", service.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-slack-request-timestamp", &self.timestamp)
            .header("x-slack-signature", &self.signature)
            .body(self.body.clone().into_bytes())
            .unwrap();
        Client::new().send(request, Duration::from_secs(10), 1 << 20).await.unwrap().status.as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_who_broke_the_glass_is_told_without_previews_and_nothing_secret_is_logged() {
    let (url, heard) = receiver().await;
    let service = service(&url).await;
    let hold = open(&service, "k").await;
    let told = arrived(&heard, "/hushhush-soc", "hold.opened").await;
    assert_eq!(told["data"]["id"], hold.as_str());
    assert_eq!(told["data"]["url"], format!("http://sluice.test/holds/{hold}"));
    assert_eq!(told["data"]["effects"], json!(["write: INSERT"]));
    assert!(!told.to_string().contains("psql"), "a preview left: {told}");

    let oncall = service.token("olga", "oncall");
    let wish = json!({"name": "glass", "reason": "the site is down"});
    assert_eq!(service.call(Method::POST, "/v1/grants", &oncall, Some(&wish)).await.0, 201);
    arrived(&heard, "/hushhush-soc", "grant.breakGlass").await;
    arrived(&heard, "/hushhush-slack", "olga broke the glass").await;

    let operator = service.token("opal", "operators");
    let listed = until("the third channel fails", async || {
        let listed = said(&service.cli(&operator, &["notices", "ls"]));
        listed.contains("`nobody.url`").then_some(listed)
    })
    .await;
    assert!(listed.contains("delivered") && listed.contains("grant.breakGlass"), "{listed}");
    for text in [service.log(), listed] {
        assert!(!text.contains("hushhush") && !text.contains("whsec_M"), "a secret is in the open:\n{text}");
    }
    let bundle = service.bundle().await.to_string();
    assert!(!bundle.contains("U0BEN") && !bundle.contains("notices"), "control alone needs these");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_tests_a_channel_and_hears_what_came_of_it() {
    let (url, heard) = receiver().await;
    let service = service(&url).await;
    let operator = service.token("opal", "operators");
    let out = service.cli(&operator, &["notices", "test", "soc"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    arrived(&heard, "/hushhush-soc", "\"test\"").await;
    let out = service.cli(&operator, &["notices", "test", "nobody"]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("`nobody.url`"), "{}", said(&out));
    let out = service.cli(&operator, &["notices", "test", "none"]);
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    let (_, shown) = service.call(Method::GET, "/v1/notices?state=delivered", &operator, None).await;
    let id = shown["notices"][0]["id"].as_str().unwrap();
    let out = service.cli(&operator, &["notices", "retry", id]);
    assert_eq!(out.status.code(), Some(1), "only what is dead is tried again: {}", said(&out));
    for other in [service.token("ben", "approvers"), service.token("aud", "auditors")] {
        assert_eq!(service.call(Method::GET, "/v1/notices", &other, None).await.0, 403);
        assert_eq!(service.call(Method::POST, "/v1/notices/soc/test", &other, None).await.0, 403);
        assert_eq!(service.call(Method::POST, &format!("/v1/notices/{id}/retry"), &other, None).await.0, 403);
    }
    assert_eq!(service.call(Method::GET, "/v1/notices", "", None).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_in_slack_decides_as_the_person_whom_the_policy_names() {
    let (url, heard) = receiver().await;
    let service = service(&url).await;
    let elsewhere = format!("{url}/elsewhere");
    let hold = open(&service, "k").await;
    let message = arrived(&heard, "/hushhush-slack", &hold).await;

    // Whoever asked has no say, nor has anybody whom the policy does not name, nor is a reason left out.
    for (member, reason) in [("U0ANA", "mine"), ("U0EVE", "why not"), ("U0BEN", " ")] {
        let press = Press::new(&message, "approve", member, reason, &elsewhere);
        assert_eq!(press.send(&service, "owners").await, 200);
    }
    until("all three were answered nowhere", async || {
        (service.log().matches("wanted to be answered elsewhere").count() == 3).then_some(())
    })
    .await;
    assert_eq!(state(&service, &hold).await["state"], "waiting");

    let press = Press::new(&message, "approve", "U0BEN", "seen", &elsewhere);
    assert_eq!(press.send(&service, "owners").await, 200);
    let decided = until("the hold is decided", async || {
        let hold = state(&service, &hold).await;
        (hold["state"] != "waiting").then_some(hold)
    })
    .await;
    assert_eq!(decided["state"], "approved");
    let by = &decided["decided"];
    assert_eq!(
        (&by["issuer"], &by["subject"], &by["reason"]),
        (&json!("own"), &json!("ben"), &json!("seen"))
    );
    assert_eq!(press.send(&service, "owners").await, 401, "the same request comes once");
    let heard = heard.lock().unwrap();
    assert!(
        heard.iter().all(|(path, ..)| path != "/elsewhere"),
        "an answer went to an address that is not Slack's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_did_not_sign_is_refused() {
    let (url, heard) = receiver().await;
    let service = service(&url).await;
    let hold = open(&service, "k").await;
    let message = arrived(&heard, "/hushhush-slack", &hold).await;
    let good = || Press::new(&message, "deny", "U0BEN", "no", "https://hooks.slack.com/actions/x");
    let forged = Press::signed(good().body, "another secret");
    let old = Press { timestamp: "1531420618".into(), ..good() };
    let changed = Press { body: good().body.replace("deny", "approve"), ..good() };
    let bare = Press { signature: String::new(), ..good() };
    for (what, press, channel) in [
        ("another secret", &forged, "owners"),
        ("an old one", &old, "owners"),
        ("another body", &changed, "owners"),
        ("no signature", &bare, "owners"),
        ("another channel", &good(), "soc"),
        ("no channel", &good(), "none"),
    ] {
        assert_eq!(press.send(&service, channel).await, 401, "{what}");
    }
    // Signed, with a button that Sluice never made.
    let forged = good().body.replace("deny", "approve");
    assert_eq!(Press::signed(forged, SIGNING).send(&service, "owners").await, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(state(&service, &hold).await["state"], "waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_revoked_or_has_left_the_group_decides_nothing_from_slack() {
    let (url, heard) = receiver().await;
    let service = service(&url).await;
    let (auditor, operator) = (service.token("aud", "auditors"), service.token("opal", "operators"));
    let hold = open(&service, "k").await;
    let message = arrived(&heard, "/hushhush-slack", &hold).await;
    let path = format!("/v1/holds/{hold}");
    let stands = async || service.call(Method::GET, &path, &auditor, None).await.1["state"].clone();
    let press = async |reason: &str| {
        let press = Press::new(&message, "approve", "U0BEN", reason, "http://127.0.0.1:1/x");
        assert_eq!(press.send(&service, "owners").await, 200);
    };
    // A moment in which tokens are minted has no fractions.
    let later = async || tokio::time::sleep(Duration::from_millis(1100)).await;
    let ben = ["tokens", "revoke", "--issuer", "own", "--subject", "ben", "--reason", "stolen"];
    assert!(service.cli(&operator, &ben).status.success());
    until("the revocation is in force", async || {
        let revoked = service.bundle().await["revocations"].as_array().is_some_and(|all| !all.is_empty());
        revoked.then_some(())
    })
    .await;
    press("revoked").await;
    until("it was refused", async || service.log().contains("Your sign-ins were revoked").then_some(()))
        .await;
    assert_eq!(stands().await, "waiting");

    // Signed in anew, in another group.
    later().await;
    let staff = service.token("ben", "staff");
    assert_eq!(service.call(Method::GET, "/v1/whoami", &staff, None).await.0, 200);
    press("staff").await;
    until("both were answered nowhere", async || {
        (service.log().matches("wanted to be answered elsewhere").count() == 2).then_some(())
    })
    .await;
    assert_eq!(stands().await, "waiting");

    later().await;
    let approver = service.token("ben", "approvers");
    assert_eq!(service.call(Method::GET, "/v1/whoami", &approver, None).await.0, 200);
    press("back").await;
    until("the hold is decided", async || (stands().await == "approved").then_some(())).await;
}
