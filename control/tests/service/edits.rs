//! A hold is approved with more masked: by the command line, the API and the page.

use std::process::Output;

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Service, ask};

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

const PREVIEW: &str = "Summarise the plan of Project Falcon for <email:x4m2k9t7v1qz>, due on May 5.";

/// Opens the hold of a request, with these fields of its question beside the usual ones.
async fn open(service: &Service, key: &str, more: &Value) -> String {
    let mut body = ask(key, &format!("e of {key}"));
    let hold = body["hold"].as_object_mut().unwrap();
    for name in ["tool", "effects"] {
        hold.remove(name);
    }
    hold.extend(json!({"part": "prompt", "preview": PREVIEW, "editable": true}).as_object().unwrap().clone());
    hold.extend(more.as_object().unwrap().clone());
    let (status, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&body)).await;
    assert_eq!(status, 200, "{reply}");
    reply["hold"]["id"].as_str().unwrap().to_owned()
}

async fn decide(service: &Service, id: &str, token: &str, more: &Value) -> (u16, Value) {
    let mut body = json!({"approve": true, "reason": "without the name"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let path = format!("/v1/holds/{id}/decision");
    let (status, said) = service.call(Method::POST, &path, token, Some(&body)).await;
    (status.as_u16(), said)
}

#[tokio::test]
async fn the_command_line_names_texts_and_the_sidecar_hears_of_them() {
    let service = Service::start().await;
    let ben = service.token("ben", "approvers");
    let id = open(&service, "k", &json!({})).await;
    let file = service.dir.path().join("texts");
    std::fs::write(&file, "May 5\n\nnot in it\n").unwrap();
    let args = ["holds", "approve", &id, "--reason", "no names", "--mask", "Project Falcon", "--mask-file"];
    let out = service.cli(&ben, &[&args[..], &[file.to_str().unwrap()]].concat());
    assert!(out.status.success(), "{}", said(&out));
    assert!(
        said(&out).contains("is edited") && said(&out).contains("`not in it` is not in what is shown"),
        "{}",
        said(&out)
    );
    assert!(!said(&out).contains("`May 5`"), "{}", said(&out));
    let (_, told) = service.filter(Method::POST, &format!("/v1/holds/{id}/wait?seconds=1"), None).await;
    let masked = json!(["Project Falcon", "May 5", "not in it"]);
    assert_eq!((&told["decision"], &told["masked"], &told["by"]), (&json!("edited"), &masked, &json!("ben")));
    let (_, used) = service.filter(Method::POST, &format!("/v1/holds/{id}/use?exchange=e"), None).await;
    assert_eq!(used["masked"], masked);
    let shown = said(&service.cli(&ben, &["holds", "show", &id]));
    assert!(shown.contains("approved, with more masked") && shown.contains("Project Falcon"), "{shown}");
    let listed = said(&service.cli(&ben, &["holds", "ls", "--state", "approved"]));
    assert!(listed.contains(&id) && listed.contains("edited"), "{listed}");
    // The log says that it was edited and by whom, and not what was masked.
    let auditor = service.token("aud", "auditors");
    let export = said(&service.cli(&auditor, &["records", "export"]));
    assert!(export.contains("\"change\":\"approved\"") && export.contains("\"masked\":3"), "{export}");
    assert!(!export.contains("Falcon"), "{export}");
    let csv = said(&service.cli(&auditor, &["records", "export", "--format", "csv"]));
    assert!(csv.contains("3 texts masked"), "{csv}");
    assert!(service.cli(&auditor, &["records", "verify"]).status.success());
}

#[tokio::test]
async fn what_cannot_be_masked_is_refused_before_it_counts() {
    let service = Service::start().await;
    let ben = service.token("ben", "approvers");
    let id = open(&service, "k", &json!({"grantSeconds": 60})).await;
    let many: Vec<String> = (0..33).map(|n| format!("text {n}")).collect();
    for (more, status, words) in [
        (json!({"masked": ["abc"]}), 400, "4 characters"),
        (json!({"masked": ["Falcon", "   "]}), 400, "4 characters"),
        (json!({"masked": ["x".repeat(4097)]}), 400, "4096"),
        (json!({"masked": many}), 400, "at most 32"),
        (json!({"masked": ["jane@example.com"]}), 400, "masked already"),
        (json!({"masked": ["Falcon"], "approve": false}), 400, "leave out `masked`"),
        (json!({"masked": ["Falcon"], "pass": {"seconds": 30}}), 400, "leave out `masked`"),
    ] {
        let (got, told) = decide(&service, &id, &ben, &more).await;
        assert_eq!(got, status, "{more:.60}: {told}");
        assert!(told["detail"].as_str().unwrap().contains(words), "{more:.60}: {told}");
    }
    // Nobody edits their own, nor who may not decide it.
    for (who, groups, status) in [("ana", "approvers", 403), ("eve", "staff", 404)] {
        let token = service.token(who, groups);
        assert_eq!(decide(&service, &id, &token, &json!({"masked": ["Falcon"]})).await.0, status, "{who}");
    }
    // A mask that is shown may be a part of what is named.
    let (status, hold) = decide(&service, &id, &ben, &json!({"masked": ["for <email:x4m2k9t7v1qz>"]})).await;
    assert_eq!((status, &hold["state"]), (200, &json!("edited")), "{hold}");

    let call = open(&service, "call", &json!({"part": "toolCall", "tool": "Bash", "editable": false})).await;
    let (status, told) = decide(&service, &call, &ben, &json!({"masked": ["Falcon"]})).await;
    assert_eq!(status, 409, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("another call"), "{told}");
    let old = open(&service, "old", &json!({"editable": false})).await;
    let (status, told) = decide(&service, &old, &ben, &json!({"masked": ["Falcon"]})).await;
    assert_eq!(status, 409, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("older release"), "{told}");
    // Both wait on, to be approved as they are.
    assert_eq!(decide(&service, &old, &ben, &json!({})).await.1["state"], "approved");
    let wish =
        service.cli(&service.token("ana", "staff"), &["grants", "request", "writing", "--reason", "a fix"]);
    let wish = said(&wish).split_whitespace().next().unwrap().to_owned();
    let body = json!({"approve": true, "reason": "x", "masked": ["Falcon"]});
    let (status, told) =
        service.call(Method::POST, &format!("/v1/grants/{wish}/decision"), &ben, Some(&body)).await;
    assert_eq!(status, 400, "{told}");
}

#[tokio::test]
async fn an_edited_approval_survives_kill_9_and_stays_with_the_conversation() {
    let mut service = Service::start().await;
    let ben = service.token("ben", "approvers");
    let id = open(&service, "k", &json!({"thread": "t1"})).await;
    assert_eq!(decide(&service, &id, &ben, &json!({"masked": ["Project Falcon"]})).await.0, 200);
    service.kill();
    service.run().await;
    let (_, used) = service.filter(Method::POST, &format!("/v1/holds/{id}/use?exchange=e1"), None).await;
    assert_eq!((&used["decision"], &used["masked"]), (&json!("edited"), &json!(["Project Falcon"])));
    service.kill();
    service.run().await;
    let later = |key: &str, editable: bool| {
        let mut body = ask(key, key);
        let more = json!({"part": "prompt", "thread": "t1", "history": true, "editable": editable});
        body["hold"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let (_, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&later("k2", true))).await;
    assert_eq!(reply["hold"]["masked"], json!(["Project Falcon"]), "{reply}");
    // A sidecar of an older release must not take it for an approval: it has no such word.
    let (_, reply) = service.filter(Method::POST, "/v1/exchanges", Some(&later("k3", false))).await;
    assert_eq!(reply["hold"]["decision"], "edited", "{reply}");
}
