//! A reviewer approves a request with more masked: the model gets it so, in that turn and in all that follow.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::client::Reply;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack};

const SESSION: &str = "7d3f9a52-0c1e-4b8e-9a55-2f60c7d1e0ed";

/// A stack whose policy holds prompts about plans.
async fn holding(mode: &str) -> Stack {
    let rule = "rules:\n- name: plans\n  when: { part: [prompt], text: 'secret plan' }\n  action: hold\n  \
                approval: { groups: [approvers] }\n";
    let policy = DEFAULT_POLICY
        .replacen("rules:\n", rule, 1)
        .replace("mode: before-forward", &format!("mode: {mode}"));
    Stack::start(Settings { policy: Policy::Text(policy), ..Settings::default() }).await.unwrap()
}

fn send(stack: &Stack, messages: &[Value], stream: bool) -> tokio::task::JoinHandle<Reply> {
    let token = stack.token("wanda", &["writers"]).unwrap();
    let prompt = Prompt::with_messages(json!(messages)).stream(stream);
    let ask = prompt.ask(&stack.url, &token).header("x-claude-code-session-id", SESSION);
    tokio::spawn(async move { ask.send().await.unwrap() })
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

fn model(text: &str) -> Value {
    json!({ "role": "assistant", "content": text })
}

/// The body that reached the model last with this mark in it.
async fn arrived(stack: &Stack, mark: &str) -> String {
    stack.arrived(mark).await.unwrap().last().unwrap().body.clone()
}

#[tokio::test]
async fn what_a_reviewer_has_masked_never_reaches_the_model_in_this_turn_nor_in_the_next() {
    for mode in ["before-forward", "background"] {
        let mut stack = holding(mode).await;
        let approver = stack.token("abe", &["approvers"]).unwrap();
        let mut talk =
            vec![user("turn-1: the secret plan of Project Falcon, for jane@example.com: launch in May")];
        let waiting = send(&stack, &talk, true);
        let hold = stack.control().unwrap().wait_for_hold("secret plan").await.unwrap();
        let mail =
            hold.preview.split(' ').find(|word| word.starts_with("<email:")).unwrap().trim_end_matches(':');
        let approve = |hold: &str, texts: &[&str]| {
            let mut args = vec!["holds", "approve", hold, "--reason", "without names"];
            texts.iter().for_each(|text| args.extend(["--mask", text]));
            stack.control().unwrap().run(&args, &approver).unwrap()
        };
        // Text, and text with a mask in it, as they are shown.
        approve(&hold.id, &["Project Falcon", &format!("for {mail}")]);
        assert_eq!(waiting.await.unwrap().status, 200);
        let body = arrived(&stack, "turn-1").await;
        assert!(
            body.contains("the secret plan of [redacted:reviewer], [redacted:reviewer]: launch in May"),
            "{body}"
        );

        // The client sends what it knows, and nobody is asked again.
        talk.extend([model("understood"), user("turn-2: and Project\u{200b} Falcon, what of it?")]);
        let reply = send(&stack, &talk, false).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let body = arrived(&stack, "turn-2").await;
        assert!(!body.contains("Falcon") && body.contains("secret plan of [redacted:reviewer]"), "{body}");
        assert!(body.contains("turn-2: and [redacted:reviewer], what of it?"), "{body}");

        // A second message is held and approved as it is; the first stays as it was approved. Nor does it end with control.
        talk.extend([model("nothing"), user("turn-3: another secret plan")]);
        let waiting = send(&stack, &talk, false);
        let hold = stack.control().unwrap().wait_for_hold("another secret plan").await.unwrap();
        approve(&hold.id, &[]);
        assert_eq!(waiting.await.unwrap().status, 200);
        stack.control_mut().unwrap().kill();
        stack.control_mut().unwrap().restart().await.unwrap();
        talk.extend([model("noted"), user("turn-4: go on")]);
        let mut reply = send(&stack, &talk, true).await.unwrap();
        for _ in 0..50 {
            if reply.status != 503 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            reply = send(&stack, &talk, true).await.unwrap();
        }
        assert_eq!(reply.status, 200, "{}", reply.text());
        for mark in ["turn-3", "turn-4"] {
            let body = arrived(&stack, mark).await;
            assert!(!body.contains("Falcon"), "{mark}: {body}");
            assert!(
                body.contains("secret plan of [redacted:reviewer]") && body.contains("another secret plan"),
                "{body}"
            );
        }
        recorded(&stack).await;
    }
}

/// The record has what was sent, and by whom it was edited.
async fn recorded(stack: &Stack) {
    let control = stack.control().unwrap();
    let mut replay = String::new();
    for _ in 0..100 {
        replay = control.sluice(&["replay", SESSION]).unwrap();
        if replay.matches("more was masked, as abe wanted").count() >= 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(replay.contains("with 2 texts masked: without names"), "{replay}");
    assert!(replay.matches("more was masked, as abe wanted").count() >= 4, "{replay}");
    assert!(replay.contains("of [redacted:reviewer], [redacted:reviewer]:"), "{replay}");
    assert!(!replay.contains("Falcon"), "{replay}");
    control.sluice(&["records", "verify"]).unwrap();
}

#[tokio::test]
async fn a_text_that_is_not_there_lets_nothing_reach_the_model_and_the_approval_is_no_other_requests() {
    let stack = holding("before-forward").await;
    let control = stack.control().unwrap();
    let approver = stack.token("abe", &["approvers"]).unwrap();
    let talk = [user("turn-x: the secret plan of Falcon")];
    let waiting = send(&stack, &talk, true);
    let hold = control.wait_for_hold("turn-x").await.unwrap();
    control.run(&["holds", "approve", &hold.id, "--reason", "x", "--mask", "Merlin"], &approver).unwrap();
    let reply = waiting.await.unwrap();
    assert_eq!((reply.status, reply.header("x-should-retry")), (403, Some("false")), "{}", reply.text());
    assert!(reply.error_message().contains("nothing was sent"), "{}", reply.text());
    assert!(!reply.text().contains("Merlin"), "{}", reply.text());
    assert!(stack.arrived("turn-x").await.unwrap().is_empty());
    // The client asks again: a new question, and nobody's approval is left.
    let waiting = send(&stack, &talk, true);
    let again = control.wait_for_hold("turn-x").await.unwrap();
    assert_ne!(again.id, hold.id);
    control.run(&["holds", "approve", &again.id, "--reason", "x", "--mask", "Falcon"], &approver).unwrap();
    assert_eq!(waiting.await.unwrap().status, 200);
    assert!(arrived(&stack, "turn-x").await.contains("plan of [redacted:reviewer]\""));
}
