//! Opaque tokens of a real issuer (`oidc-provider`), from the agent through Envoy to whoever is asked about them.

use std::time::{Duration, Instant};

use serde_json::Value;
use sluice_tests::client::{Ask, Reply};
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack};

use super::signin::{Ends, free_port, provider};

/// How long the policy lets an answer count.
const LONGEST: Duration = Duration::from_secs(5);

/// `agent:only-for-tests`, as HTTP has it.
const AGENT: &str = "Basic YWdlbnQ6b25seS1mb3ItdGVzdHM=";

/// A stack that takes opaque tokens of the provider, and nothing else of it; and the provider's address.
async fn stack() -> (Stack, Ends, String) {
    let control_port = free_port();
    let (provider, issuer) = provider(control_port);
    let policy = DEFAULT_POLICY.replace(
        "\nissuers:\n",
        &format!(
            "\nissuers:\n- name: pam\n  issuer: {issuer}\n  audiences: [sluice]\n  keys: none\n  claims: {{ subject: client_id }}\n  \
             introspection: {{ url: \"{issuer}/token/introspection\", clientId: sluice, longest: {}s }}\n",
            LONGEST.as_secs()
        ),
    );
    let secrets = provider.1.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::write(secrets.join("pam"), "only-for-tests\n").unwrap();
    let settings = Settings {
        policy: Policy::Text(policy),
        control_port,
        // One cache: how often the issuer is asked can be counted.
        workers: 1,
        serve: vec!["--introspection-secrets".to_owned(), secrets.display().to_string()],
        ..Settings::default()
    };
    (Stack::start(settings).await.unwrap(), provider, issuer)
}

async fn token(issuer: &str) -> String {
    let ask = Ask::form(format!("{issuer}/token"), "grant_type=client_credentials");
    let reply = ask.header("authorization", AGENT).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert!(!token.contains('.'), "opaque");
    token
}

async fn ask(stack: &Stack, token: &str) -> Reply {
    Prompt::new("hello").ask(&stack.url, token).send().await.unwrap()
}

/// How often gateways have asked control about a token.
async fn questions(stack: &Stack) -> u64 {
    let metrics = Ask::get(&stack.control().unwrap().metrics_url).send().await.unwrap().text();
    let of = |line: &&str| line.contains("http_requests_total{") && line.contains("\"/v1/introspect\"");
    metrics.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[tokio::test]
async fn an_opaque_token_gets_in_is_not_asked_about_each_time_and_is_refused_once_it_was_revoked_at_its_issuer()
 {
    let (stack, _provider, issuer) = stack().await;
    let (good, other) = (token(&issuer).await, token(&issuer).await);
    let begun = Instant::now();
    for _ in 0..5 {
        let reply = ask(&stack, &good).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let asked = questions(&stack).await;
    let most = 1 + begun.elapsed().as_secs() / LONGEST.as_secs();
    assert!((1..=most).contains(&asked), "{asked} questions, {most} at most");
    assert_eq!(ask(&stack, &other).await.status, 200);
    assert_eq!(ask(&stack, "nobodys").await.status, 401);

    // Nothing but the introspection endpoint was needed: no keys were looked for.
    let ready = Ask::get(format!("{}/readyz", stack.control().unwrap().url)).send().await.unwrap().json();
    assert_eq!(ready["issuers"]["pam"], serde_json::json!({"keys": 0}), "{ready}");

    let revoke = Ask::form(format!("{issuer}/token/revocation"), format!("token={good}"));
    assert_eq!(revoke.header("authorization", AGENT).send().await.unwrap().status, 200);
    let revoked = Instant::now();
    let refused = loop {
        let reply = ask(&stack, &good).await;
        if reply.status != 200 {
            break reply;
        }
        // What is promised is `longest`; a machine that is busy gets more.
        assert!(revoked.elapsed() < LONGEST + Duration::from_secs(20), "still taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!("refused {:?} after it was revoked", revoked.elapsed());
    assert_eq!(
        (refused.status, refused.header("x-should-retry")),
        (401, Some("false")),
        "{}",
        refused.text()
    );
    assert!(refused.text().contains("not good"), "{}", refused.text());
    assert_eq!(ask(&stack, &other).await.status, 200, "the other one is good still");

    // The record has who it was.
    let sessions = stack.control().unwrap().sluice(&["sessions", "ls", "--output", "json"]).unwrap();
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    let text = sessions.to_string();
    assert!(text.contains("\"issuer\":\"pam\"") && text.contains("\"subject\":\"agent\""), "{text}");
}
