//! Who has which rights, beside what they used.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Service, record};

/// Has the service record an exchange of a caller.
pub async fn seen(service: &Service, subject: &str, groups: &[&str], at_ms: u64, more: &Value) {
    let mut record = record(&format!("{subject}{at_ms}"), "s", "open");
    record["atMs"] = at_ms.into();
    record["principal"] = json!({"issuer": "own", "subject": subject, "groups": groups});
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, said) =
        service.filter(Method::POST, "/v1/exchanges", Some(&json!({"record": record}))).await;
    assert_eq!(status, 200, "{said}");
}

async fn listed(service: &Service, token: &str, query: &str) -> (u16, Value) {
    let (status, said) = service.call(Method::GET, &format!("/v1/access{query}"), token, None).await;
    (status.as_u16(), said)
}

fn subjects(said: &Value) -> Vec<&str> {
    said["identities"].as_array().unwrap().iter().map(|one| one["subject"].as_str().unwrap()).collect()
}

const AT: u64 = 1_795_000_000_000;

#[tokio::test]
async fn what_each_identity_has_stands_beside_what_it_used() {
    let service = Service::start().await;
    seen(&service, "ana", &["writers"], AT, &json!({"roles": ["writer"], "model": "claude-x"})).await;
    seen(&service, "bob", &["nothing"], AT, &json!({"decisions": [{"rule": "scope", "action": "deny"}]}))
        .await;
    let auditor = service.token("eve", "auditors");
    let (_, all) = listed(&service, &auditor, "").await;
    assert_eq!(subjects(&all), ["ana", "bob"]);
    let ana = &all["identities"][0];
    assert_eq!(ana["rights"][0]["role"], "writer");
    assert_eq!(ana["rights"][0]["through"], json!([{"group": {"binding": "writers", "group": "writers"}}]));
    assert_eq!(ana["rights"][0]["used"], json!({"count": 1, "lastMs": AT}));
    assert_eq!(ana["used"]["models"]["names"]["claude-x"]["count"], 1);
    let bob = &all["identities"][1];
    assert_eq!((&bob["rights"], &bob["used"]["denied"]), (&json!([]), &json!(1)));
    assert_eq!(all["sinceMs"], AT);

    for (query, who) in [
        ("?group=writers", vec!["ana"]),
        ("?role=writer", vec!["ana"]),
        ("?subject=bob", vec!["bob"]),
        ("?subject=nobody", vec![]),
        ("?afterIssuer=own&afterSubject=ana", vec!["bob"]),
        ("?limit=1", vec!["ana"]),
    ] {
        assert_eq!(subjects(&listed(&service, &auditor, query).await.1), who, "{query}");
    }
    let shown = service.cli(&auditor, &["access", "show", "ana"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("role") && shown.contains("group writers") && shown.contains("used 1x"),
        "{shown}"
    );
    let ls = service.cli(&auditor, &["access", "ls"]);
    assert!(String::from_utf8_lossy(&ls.stdout).contains("bob"));
}

#[tokio::test]
async fn who_is_no_auditor_sees_nobody_but_themselves() {
    let service = Service::start().await;
    for subject in ["ana", "bob"] {
        seen(&service, subject, &["writers"], AT, &json!({})).await;
    }
    let ana = service.token("ana", "writers");
    for query in ["", "?subject=ana", "?limit=1000", "?afterSubject=ana"] {
        let (status, said) = listed(&service, &ana, query).await;
        assert_eq!((status, subjects(&said)), (200, vec!["ana"]), "{query}");
    }
    for query in ["?subject=bob", "?subject=Ana", "?issuer=other"] {
        assert_eq!(listed(&service, &ana, query).await.0, 403, "{query}");
    }
    assert_eq!(listed(&service, "", "").await.0, 401);
    // Who was never recorded has what the token at hand gives.
    let (_, new) = listed(&service, &service.token("new", "writers"), "").await;
    assert_eq!(new["identities"][0]["rights"][0]["role"], "writer", "{new}");
    let operator = service.token("opa", "operators");
    assert_eq!(subjects(&listed(&service, &operator, "").await.1), ["ana", "bob"]);
}
