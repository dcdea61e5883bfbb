use super::*;
use crate::holds::tests::ask;
use crate::reviews::record;
use crate::store::tests::{On, kept};
use crate::store::{Addition, Which};

const AT: u64 = 1_795_000_000_000;

fn texts(said: &[Said]) -> Vec<(&str, &str)> {
    said.iter().map(|said| (said.body.as_str(), said.severity.1)).collect()
}

#[test]
fn each_decision_that_is_not_plainly_to_allow_is_told() {
    let record = record(
        "open",
        AT,
        json!({"decisions": [
            {"rule": "plain", "action": "allow"},
            {"rule": "no-rm", "action": "deny", "tool": "Bash", "part": "toolCall", "effects": ["destroy"]},
            {"rule": "watch", "action": "deny", "observed": true},
            {"rule": "tool", "action": "deny", "tool": "WebFetch", "leftOut": true},
            {"rule": "writes", "action": "hold", "hold": "h1"},
            {"rule": "writes", "action": "allow", "hold": "h1"},
        ]}),
    );
    assert_eq!(
        texts(&decisions(&record)),
        [
            ("rule `no-rm` denied tool `Bash`", "WARN"),
            ("rule `watch` would deny this exchange", "INFO"),
            ("rule `tool` left out tool `WebFetch`", "INFO"),
            ("rule `writes` held this exchange", "INFO"),
            ("rule `writes` allowed this exchange", "INFO"),
        ]
    );
}

/// From the store, so that what is written is what is read.
#[tokio::test]
async fn what_happens_to_a_hold_is_told_in_the_trace_of_its_exchange_and_with_the_same_id_each_time() {
    let kept = kept(On::Sqlite).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let open = record("open", AT, json!({"exchange": "e1", "traceparent": trace, "session": "s1"}));
    let addition = Addition {
        entries: vec![Entry::Exchange(Box::new(open))],
        ask: Some(ask("k", "e1")),
        ..Addition::default()
    };
    kept.store.add(addition, AT).await.unwrap();
    let entries = kept.store.entries(Which { limit: 10, ..Which::default() }).await.unwrap();
    let told = records(&*kept.store, &entries).await.unwrap();
    assert_eq!(told.len(), 1, "an exchange that is plainly allowed is no event: {told:?}");
    let hold = &told[0];
    assert_eq!(
        (&hold["eventName"], &hold["body"]["stringValue"]),
        (&json!("sluice.hold"), &json!("hold opened"))
    );
    assert_eq!(hold["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hold["timeUnixNano"], nanos(AT));
    let names: Vec<_> =
        hold["attributes"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    for name in ["sluice.hold.rule", "sluice.hold.at_ms", "log.record.uid", "gen_ai.conversation.id"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    // What the hold would show a reviewer stays here.
    assert!(!hold.to_string().contains("psql"), "{hold}");
    assert_eq!(records(&*kept.store, &entries).await.unwrap(), told);
}

#[test]
fn names_of_fields_are_written_as_attributes_are() {
    assert_eq!(snake("policyVersion"), "policy_version");
    assert_eq!(snake("atMs"), "at_ms");
    assert_eq!(snake("rule"), "rule");
}
