//! Holds: a write waits for a second person, exactly once, whatever fails meanwhile.

use std::time::Duration;

use serde_json::json;
use sluice_tests::client::Reply;
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;
use sluice_tests::stack::{Settings, Stack};

use super::stack;

/// A prompt that makes the stand-in write; the mark tells one test's hold from another's.
fn write(mark: &str) -> Prompt {
    let input = json!({ "sql": format!("INSERT INTO {mark} VALUES (1)") });
    Prompt::new(&format!("call: query_db {input}")).tool("query_db")
}

fn calls(reply: &Reply) -> Vec<(String, serde_json::Value)> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    Said::read(reply).unwrap().calls()
}

/// Sends the prompt in the background.
fn send(stack: &Stack, prompt: &Prompt, token: &str) -> tokio::task::JoinHandle<Reply> {
    let ask = prompt.ask(&stack.url, token);
    tokio::spawn(async move { ask.send().await.unwrap() })
}

#[tokio::test]
async fn an_approved_write_reaches_the_agent_streamed_or_not() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    for (stream, mark) in [(false, "held_plain"), (true, "held_stream")] {
        let waiting = send(stack, &write(mark).stream(stream), &writer);
        let hold = control.wait_for_hold(mark).await.unwrap();
        assert_eq!((hold.rule.as_str(), hold.subject.as_str()), ("writes-need-a-second-person", "wanda"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!waiting.is_finished(), "it went on before it was approved");
        control.decide("approve", &hold.id, "looks right", &approver).unwrap();
        let calls = calls(&waiting.await.unwrap());
        assert_eq!(
            calls,
            [("query_db".to_owned(), json!({ "sql": format!("INSERT INTO {mark} VALUES (1)") }))]
        );
        assert!(control.holds().unwrap().iter().all(|other| other.id != hold.id));
    }
}

#[tokio::test]
async fn a_denied_write_is_told_with_its_reason_and_the_answer_is_remembered() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    let prompt = write("held_denied").streamed();
    let waiting = send(stack, &prompt, &writer);
    let hold = control.wait_for_hold("held_denied").await.unwrap();
    control.decide("deny", &hold.id, "not on a Friday", &approver).unwrap();
    let said = Said::read(&waiting.await.unwrap()).unwrap();
    assert_eq!(said.calls(), []);
    assert!(said.text().contains("not on a Friday"), "{}", said.text());
    // The fallback of a client that gave up on the stream.
    let again = prompt.stream(false).ask(&stack.url, &writer).send().await.unwrap();
    let said = Said::read(&again).unwrap();
    assert_eq!(said.calls(), []);
    assert!(said.text().contains("not on a Friday"), "{}", said.text());
}

#[tokio::test]
async fn nobody_approves_their_own_request_and_nobody_outside_the_group_approves() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let both = stack.token("wanda", &["writers", "approvers"]).unwrap();
    let outsider = stack.token("olga", &["auditors", "operators", "authors"]).unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    let waiting = send(stack, &write("held_own"), &both);
    let hold = control.wait_for_hold("held_own").await.unwrap();
    for (who, token) in [("the requester", &both), ("an outsider", &outsider)] {
        assert!(control.decide("approve", &hold.id, "please", token).is_err(), "{who} approved");
    }
    assert!(!waiting.is_finished());
    control.decide("approve", &hold.id, "fine", &approver).unwrap();
    assert_eq!(calls(&waiting.await.unwrap()).len(), 1);
}

#[tokio::test]
async fn an_approval_counts_once_and_for_exactly_that() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    let waiting = send(stack, &write("held_once"), &writer);
    let first = control.wait_for_hold("held_once").await.unwrap();
    control.decide("approve", &first.id, "once", &approver).unwrap();
    assert_eq!(calls(&waiting.await.unwrap()).len(), 1);
    let waiting = send(stack, &write("held_once"), &writer);
    let second = control.wait_for_hold("held_once").await.unwrap();
    assert_ne!(first.id, second.id);
    control.decide("deny", &second.id, "not twice", &approver).unwrap();
    assert_eq!(calls(&waiting.await.unwrap()), []);
}

#[tokio::test]
async fn a_hold_survives_control_being_killed() {
    let mut stack = Stack::start(Settings::default()).await.unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    let waiting = send(&stack, &write("held_kill"), &writer);
    let hold = stack.control().unwrap().wait_for_hold("held_kill").await.unwrap();
    stack.control_mut().unwrap().kill();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stack.control_mut().unwrap().restart().await.unwrap();
    let control = stack.control().unwrap();
    control.decide("approve", &hold.id, "still good", &approver).unwrap();
    let mut reply = waiting.await.unwrap();
    // A client is told to come again when the wait itself broke; then it joins the same hold.
    if reply.status != 200 {
        assert_eq!(reply.header("x-should-retry"), Some("true"), "{}", reply.text());
        reply = write("held_kill").ask(&stack.url, &writer).send().await.unwrap();
    }
    assert_eq!(calls(&reply).len(), 1);
}

#[tokio::test]
async fn a_client_that_left_finds_the_decision_when_it_comes_again() {
    let stack = stack().await;
    let control = stack.control().unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    let waiting = send(stack, &write("held_left"), &writer);
    let hold = control.wait_for_hold("held_left").await.unwrap();
    waiting.abort();
    let _ = waiting.await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    control.decide("approve", &hold.id, "for the retry", &approver).unwrap();
    let reply = write("held_left").ask(&stack.url, &writer).send().await.unwrap();
    assert_eq!(calls(&reply).len(), 1);
}
