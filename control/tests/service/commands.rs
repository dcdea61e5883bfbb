//! What pages show has a command, too.

use axum::http::Method;
use serde_json::Value;

use super::harness::{Service, ask};
use super::simulate::exchange;

fn out(told: &std::process::Output) -> String {
    assert!(told.status.success(), "{told:?}");
    String::from_utf8_lossy(&told.stdout).into_owned()
}

#[tokio::test]
async fn an_exchange_and_the_conversation_around_a_hold_are_shown() {
    let service = Service::start().await;
    exchange(&service, "e1", "s1", "touch x").await;
    let auditor = service.token("aud", "auditors");
    let text = out(&service.cli(&auditor, &["records", "exchange", "e1"]));
    assert!(text.contains("hello") && text.contains("touch x"), "{text}");
    let json = out(&service.cli(&auditor, &["records", "exchange", "e1", "--output", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["reply"]["content"][0]["name"], "Bash");
    assert_eq!(service.cli(&auditor, &["records", "exchange", "none"]).status.code(), Some(1));

    let (_, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&ask("k1", "e1"))).await;
    let hold = reply["hold"]["id"].as_str().unwrap();
    let ben = service.token("ben", "approvers");
    let text = out(&service.cli(&ben, &["holds", "conversation", hold]));
    assert!(text.contains("touch x"), "who may decide reads what was said: {text}");
    let other = service.token("eve", "others");
    assert_eq!(service.cli(&other, &["holds", "conversation", hold]).status.code(), Some(1));
    let (_, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&ask("k2", "e9"))).await;
    let text = out(&service.cli(&ben, &["holds", "conversation", reply["hold"]["id"].as_str().unwrap()]));
    assert!(text.contains("nothing of it is recorded yet"), "{text}");
}

#[tokio::test]
async fn a_request_is_tried_on_the_policy_in_force() {
    let service = Service::start().await;
    let auditor = service.token("aud", "auditors");
    let asked = ["policy", "try", "--group", "writers", "--prompt", "mail jane.doe@example.com"];
    let text = out(&service.cli(&auditor, &asked));
    assert!(text.contains("verdict") && text.contains("deny by model"), "the role lists no model: {text}");
    let json = out(&service.cli(&auditor, &[&asked[..], &["--output", "json"]].concat()));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["roles"][0]["role"], "writer");
    // The policy itself is one call.
    let (status, policy) = service.call(Method::GET, "/v1/policy", &auditor, None).await;
    assert_eq!((status.as_u16(), &policy["policy"]["roles"][0]["name"]), (200, &"writer".into()), "{policy}");
}

#[tokio::test]
async fn sessions_are_found_by_words_that_were_said() {
    let service = Service::start().await;
    exchange(&service, "e1", "s1", "touch made-here").await;
    exchange(&service, "e2", "s2", "ls").await;
    let auditor = service.token("aud", "auditors");
    let search = async |text: &str| {
        let query = serde_urlencoded::to_string([("text", text)]).unwrap();
        service.call(Method::GET, &format!("/v1/sessions?{query}"), &auditor, None).await
    };
    loop {
        let (status, said) = search("hello").await;
        assert_eq!(status, 200, "{said}");
        if said["searched"]["behind"] == 0 {
            assert_eq!(said["sessions"].as_array().unwrap().len(), 2, "{said}");
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (_, said) = search("hello \"touch made\" mad*").await;
    assert_eq!(said["sessions"][0]["session"], "s1", "{said}");
    assert_eq!(said["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(said["searched"]["terms"], serde_json::json!(["hello", "\"touch made\"", "mad*"]));
    for hostile in ["\"", "' OR 1=1 --", "NEAR(", "a:* & !b", "\u{0}", "*"] {
        let (status, said) = search(hostile).await;
        assert_eq!((status.as_u16(), &said["sessions"]), (200, &serde_json::json!([])), "{hostile}: {said}");
    }
    let (status, _) = search(&"w ".repeat(17)).await;
    assert_eq!(status, 400, "more than can be answered at once");
    let text = out(&service.cli(&auditor, &["sessions", "ls", "--text", "\"touch made\""]));
    assert!(text.contains("s1") && !text.contains("s2"), "{text}");
}
