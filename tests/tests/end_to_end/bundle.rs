//! Policy changes: live within two seconds in every worker, and a mistake changes nothing.

use std::time::{Duration, Instant};

use sluice_tests::client::Connection;
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;
use sluice_tests::stack::{DEFAULT_POLICY, Settings, Stack};

/// The default policy with another message in its first rule.
fn changed(message: &str) -> String {
    let original = "Commands that destroy data or change who may do what are not for agents.";
    assert!(DEFAULT_POLICY.contains(original));
    DEFAULT_POLICY.replace(original, message)
}

fn destroying() -> Prompt {
    Prompt::new("call: Bash {\"command\":\"rm -rf /\"}").tool("Bash")
}

#[tokio::test]
async fn a_change_is_live_in_every_worker_within_two_seconds() {
    let stack = Stack::start(Settings { workers: 2, ..Settings::default() }).await.unwrap();
    let token = stack.token("ann", &["readers"]).unwrap();
    // Several connections, so that both workers have some.
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(Connection::open(&stack.url).await.unwrap());
    }
    for connection in &mut connections {
        assert_eq!(connection.send(destroying().ask(&stack.url, &token)).await.unwrap().status, 200);
    }
    stack.control().unwrap().write_policy(&changed("A new sentence.")).unwrap();
    let written = Instant::now();
    let mut live = 0;
    while live < connections.len() && written.elapsed() < Duration::from_secs(10) {
        live = 0;
        for connection in &mut connections {
            let reply = connection.send(destroying().ask(&stack.url, &token)).await.unwrap();
            live += usize::from(Said::read(&reply).unwrap().text().contains("A new sentence."));
        }
    }
    assert!(written.elapsed() < Duration::from_millis(2500), "live after {:?}", written.elapsed());
}

#[tokio::test]
async fn a_mistake_changes_nothing_and_says_where_it_is() {
    let stack = Stack::start(Settings::default()).await.unwrap();
    let token = stack.token("ann", &["readers"]).unwrap();
    let control = stack.control().unwrap();
    control.write_policy(&DEFAULT_POLICY.replace("action: deny", "acton: deny")).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let reply = destroying().ask(&stack.url, &token).send().await.unwrap();
    assert!(Said::read(&reply).unwrap().text().contains("no-destruction"), "{}", reply.text());
    let log = control.process().log();
    assert!(log.contains("policy.yaml") && log.contains("acton"), "{log}");
}

#[tokio::test]
async fn a_stream_that_runs_keeps_the_policy_that_it_began_with() {
    let stack = Stack::start(Settings::default()).await.unwrap();
    let token = stack.token("ann", &["readers"]).unwrap();
    let prompt = Prompt::new(&format!("say: {}\nchunk: 4\ndelay: 100", "word ".repeat(40))).streamed();
    let running = tokio::spawn(prompt.ask(&stack.url, &token).send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    stack.control().unwrap().write_policy(&changed("In mid-stream.")).unwrap();
    let said = Said::read(&running.await.unwrap().unwrap()).unwrap();
    assert_eq!(said.text().trim_end(), "word ".repeat(40).trim_end());
    assert_eq!(said.stop_reason.as_deref(), Some("end_turn"));
}
