//! A session under another policy: by the API, on the page, by the command.

use std::fs;

use axum::http::Method;
use serde_json::{Value, json};
use sluice_engine::record::cut;

use super::harness::{Service, record};
use super::provider::{Browser, Provider};
use super::simulate::exchange;

/// A policy under which the recorded exchanges come to what the record says.
const POLICY: &str = r#"
issuers:
- { name: own, issuer: "http://sluice.test", audiences: [sluice], keys: control }
roles:
- { name: all, scopes: ["messages.*"], models: ["*"] }
bindings:
- { name: writers, groups: [writers], roles: [all] }
access: { auditors: [auditors], operators: [operators], authors: [authors] }
"#;

/// Stricter, and it masks what nobody has masked before.
fn stricter() -> String {
    let rules = r#"
rules:
- { name: no-destruction, when: { effects: [destroy] }, action: deny }
- { name: writes, when: { effects: [write] }, action: hold, approval: { groups: [approvers] } }
"#;
    format!("{POLICY}{rules}")
}

async fn recorded(service: &Service) {
    for (id, command) in [("e1", "rm -r x"), ("e2", "ls"), ("e3", "touch x")] {
        exchange(service, id, "s1", command).await;
    }
}

async fn compared(service: &Service, token: &str, other: &Value) -> (u16, Value) {
    let (status, said) = service.call(Method::POST, "/v1/sessions/s1/comparison", token, Some(other)).await;
    (status.as_u16(), said)
}

#[tokio::test]
async fn each_exchange_of_a_session_stands_under_both_policies() {
    let service = Service::start_as(POLICY, &[]).await;
    recorded(&service).await;
    let auditor = service.token("aud", "auditors");
    let (status, said) = compared(&service, &auditor, &json!({"documents": {"a.yaml": stricter()}})).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(
        (&said["exchanges"], &said["different"], &said["stricter"], &said["looser"]),
        (&json!(3), &json!(2), &json!(2), &json!(0)),
        "{said}"
    );
    let first = &said["compared"][0];
    assert_eq!(first["was"]["verdict"], "allow");
    assert_eq!(
        (&first["now"]["verdict"], &first["now"]["rule"], &first["now"]["effects"]),
        (&json!("deny"), &json!("no-destruction"), &json!(["destroy"])),
        "{said}"
    );
    assert_eq!(said["compared"][1]["now"]["verdict"], "allow");
    assert_eq!(said["compared"][2]["now"]["rule"], "writes");

    // The policy in force comes to what it came to.
    let (_, said) = compared(&service, &auditor, &json!({})).await;
    assert_eq!((&said["exchanges"], &said["different"]), (&json!(3), &json!(0)), "{said}");
}

#[tokio::test]
async fn a_mask_in_the_record_is_no_difference_and_a_value_that_was_left_is_one() {
    let service = Service::start_as(POLICY, &[]).await;
    let said = "mail <email:k3v9q2>, [redacted:us_ssn] and jane.doe@example.com";
    let request = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": said}]});
    let (body, blocks) = cut(&request.to_string());
    let mut open = record("e1", "s1", "open");
    open["body"] = serde_json::to_value(body).unwrap();
    open["findings"] = json!({"email": 1});
    let batch = json!({"id": "b", "records": [open], "blocks": blocks});
    let (status, reply) = service.filter(Method::POST, "/v1/records", Some(&batch)).await;
    assert_eq!(status, 200, "{reply}");
    let (_, said) = compared(&service, &service.token("aud", "auditors"), &json!({})).await;
    assert_eq!(said["compared"][0]["was"]["masks"], json!({"email": 1}), "{said}");
    assert_eq!(
        said["compared"][0]["now"]["masks"],
        json!({"email": 1}),
        "only what stood there unmasked: {said}"
    );
    assert_eq!((&said["different"], &said["stricter"]), (&json!(1), &json!(0)), "{said}");
}

#[tokio::test]
async fn a_proposal_and_an_older_policy_of_the_store_are_found_by_name() {
    let service = Service::from_store(None).await;
    recorded(&service).await;
    let author = service.token("ana", "authors");
    let body = json!({"documents": {"base.yaml": stricter()}, "reason": "stricter"});
    let (status, proposal) = service.call(Method::POST, "/v1/policy/proposals", &author, Some(&body)).await;
    assert_eq!(status, 201, "{proposal}");
    let auditor = service.token("aud", "auditors");
    let (_, said) = compared(&service, &auditor, &json!({"proposal": proposal["id"]})).await;
    assert_eq!((&said["policy"], &said["different"]), (&proposal["version"], &json!(2)), "{said}");
    let (status, kept) = service.call(Method::GET, "/v1/policy/versions", &auditor, None).await;
    assert_eq!((status.as_u16(), &kept["versions"][0]["number"]), (200, &json!(1)), "{kept}");
    // That one gives its role no model: every request would be refused, and the record says that none was.
    let (_, said) = compared(&service, &auditor, &json!({"number": 1})).await;
    assert_eq!(
        (&said["different"], &said["compared"][0]["now"]["rule"]),
        (&json!(3), &json!("model")),
        "{said}"
    );

    for (other, status) in [
        (json!({"number": 9}), 404),
        (json!({"proposal": "none"}), 404),
        (json!({"number": 1, "proposal": proposal["id"]}), 400),
        (json!({"documents": {"a.yaml": "rolls: []"}}), 422),
        (json!({"documents": {"a.yaml": ""}, "more": 1}), 400),
    ] {
        assert_eq!(compared(&service, &auditor, &other).await.0, status, "{other}");
    }
    // It shows what was recorded: authors who are no auditors do not get it.
    assert_eq!(compared(&service, &author, &json!({"number": 1})).await.0, 403);
    let (status, _) = service.call(Method::POST, "/v1/sessions/none/comparison", &auditor, None).await;
    assert_eq!(status, 404);

    let told = service.cli(&auditor, &["policy", "versions"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("1       2"), "{told:?}");
}

#[tokio::test]
async fn the_command_and_the_page_show_the_differences_first() {
    let provider = Provider::start().await;
    provider.knows("aud", &["auditors"]);
    let service = Service::start_as(&format!("{}{}", provider.policy().split("roles:").next().unwrap(), {
        let rest = POLICY.split_once("roles:").unwrap().1.replace("authors: [authors] }", &format!(
            "authors: [authors], signIn: {{ issuer: corp, clientId: web, commandLineClientId: cli, scopes: [groups] }} }}"
        ));
        format!("roles:{rest}")
    }), &[])
    .await;
    recorded(&service).await;
    let hostile = "<script>alert(1)</script>";
    exchange(&service, "e4", "s1", &format!("touch '{hostile}'")).await;
    let file = service.dir.path().join("new.yaml");
    fs::write(&file, stricter()).unwrap();
    let auditor = service.token("aud", "auditors");
    let told = service.cli(&auditor, &["sessions", "compare", "s1", "--policy", file.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        text.contains("3 of 4 exchanges would come to something else: 3 to a stricter verdict"),
        "{told:?}"
    );
    assert!(text.contains("   1  allow -> deny by no-destruction (Bash, destroy)"), "{text}");
    let told = service.cli(&auditor, &["sessions", "compare", "s1"]);
    assert!(
        String::from_utf8_lossy(&told.stdout).contains("nothing would change in 4 exchanges"),
        "{told:?}"
    );

    for _ in 0..100 {
        if service.ready().await["issuers"]["corp"]["keys"] == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut browser = Browser::new(&service.url);
    browser.sign_in("/").await;
    let page = browser.get("/sessions/s1/compare?with=current").await;
    assert!(page.status == 200 && page.body.contains("Nothing would change."), "{}", page.body);
    let me: Value = serde_json::from_str(&browser.get("/v1/whoami").await.body).unwrap();
    let form = |policy: &str| {
        serde_urlencoded::to_string([("csrf", me["csrf"].as_str().unwrap()), ("policy", policy)]).unwrap()
    };
    let page = browser.post("/sessions/s1/compare", &form(&stricter())).await;
    assert_eq!(page.status, 200, "{}", page.body);
    for words in ["allow becomes deny", "no-destruction", "href=\"#exchange-3\"", "&lt;script&gt;alert"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(!page.body.contains(hostile));
    let page = browser.post("/sessions/s1/compare", &form("rolls: []")).await;
    assert!(page.body.contains("not in order") && page.body.contains("pasted.yaml:1"), "{}", page.body);
    // A form that another site sends.
    let forged = browser.post("/sessions/s1/compare", "policy=x").await;
    assert_eq!(forged.status, 403);
}
