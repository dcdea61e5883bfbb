//! A stream flows: prose at once, a tool call when it is whole, errors and cuts as they are.

use std::time::{Duration, Instant};

use serde_json::json;
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;

use super::stack;

#[tokio::test]
async fn prose_reaches_the_client_while_the_model_still_writes() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let text = "word ".repeat(20);
    let prompt = Prompt::new(&format!("say: {text}\nchunk: 5\ndelay: 100")).streamed();
    let started = Instant::now();
    let mut reply = prompt.ask(&stack.url, &token).open().await.unwrap();
    let mut first = None;
    let mut body = Vec::new();
    while let Some(data) = reply.next().await.unwrap() {
        body.extend_from_slice(&data);
        if first.is_none() && String::from_utf8_lossy(&body).contains("word") {
            first = Some(started.elapsed());
        }
    }
    let (first, whole) = (first.unwrap(), started.elapsed());
    assert!(whole > Duration::from_secs(2), "{whole:?}");
    assert!(first < whole / 2, "the first word came after {first:?} of {whole:?}");
    assert_eq!(Said::from_stream(&body).unwrap().text().trim_end(), text.trim_end());
}

#[tokio::test]
async fn a_tool_call_that_may_go_arrives_whole_however_it_was_cut() {
    let stack = stack().await;
    let token = stack.token("ann", &["writers"]).unwrap();
    let input = json!({ "command": "echo \"é 漢 \\n\" && ls -la", "n": [1, 2.5, null] });
    for cut in ["chunk: 1", "chunk: 4", "frames: 3", "chunk: 500"] {
        let prompt = Prompt::new(&format!("say: first\ncall: Bash {input}\n{cut}")).streamed().tool("Bash");
        let reply = prompt.ask(&stack.url, &token).send().await.unwrap();
        let said = Said::read(&reply).unwrap();
        assert_eq!(said.calls(), [("Bash".to_owned(), input.clone())], "{cut}");
        assert_eq!(said.stop_reason.as_deref(), Some("tool_use"), "{cut}");
        assert_eq!(said.text(), "first");
    }
}

#[tokio::test]
async fn an_error_of_the_model_is_passed_on_as_it_is() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    for stream in [false, true] {
        let reply = Prompt::new("status: 529").stream(stream).ask(&stack.url, &token).send().await.unwrap();
        assert_eq!((reply.status, reply.error_type().as_str()), (529, "overloaded_error"));
        assert_eq!(reply.error_message(), "the stand-in was asked to refuse");
    }
    let prompt = Prompt::new("say: some words\nerror: overloaded_error").streamed();
    let said = Said::read(&prompt.ask(&stack.url, &token).send().await.unwrap()).unwrap();
    assert_eq!(said.error.unwrap().pointer("/type"), Some(&json!("overloaded_error")));
}

#[tokio::test]
async fn a_stream_that_breaks_off_breaks_off_for_the_client_too() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let prompt = Prompt::new("say: one two three four five six\nchunk: 4\ncut: 6\ndelay: 20").streamed();
    let reply = prompt.ask(&stack.url, &token).send().await;
    assert!(reply.is_err(), "the client was given an end that the model never wrote");
}

#[tokio::test]
async fn the_model_is_asked_for_an_encoding_that_can_be_read() {
    let stack = stack().await;
    let token = stack.token("ann", &["readers"]).unwrap();
    let ask = Prompt::new("encoding-1").ask(&stack.url, &token).header("accept-encoding", "gzip, br");
    assert_eq!(ask.send().await.unwrap().status, 200);
    let arrived = stack.arrived("encoding-1").await.unwrap();
    assert_eq!(arrived.first().unwrap().header("accept-encoding"), Some("identity"));
}
