//! What was used by day, what sessions can be found by, and which sidecars are seen.

use serde_json::json;

use super::{Kept, NOW, On, kept};
use crate::records::Entry;
use crate::store::{Addition, By, Mark, Sidecar, Store, Verdicts, WhichSessions};

on_both! {
    days_add_up_by_group_model_rule_kind_and_latency,
    sessions_are_found_by_what_occurs_in_them,
    of_a_sidecar_what_was_seen_last_stays,
}

const DAY: u64 = 86_400_000;

fn entry(exchange: &str, session: &str, subject: &str, more: serde_json::Value) -> Entry {
    let mut record = json!({
        "exchange": exchange, "stage": "close", "atMs": NOW, "node": "n", "session": session, "route": "messages.create",
        "policyVersion": "p", "principal": {"issuer": "corp", "subject": subject, "groups": ["writers", "staff"]},
    });
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    Entry::Exchange(Box::new(serde_json::from_value(record).unwrap()))
}

async fn write(store: &dyn Store, entries: Vec<Entry>) {
    store.add(Addition { entries, ..Addition::default() }, NOW).await.unwrap();
}

async fn three(store: &dyn Store) {
    let usage = json!({"inputTokens": 5, "cacheReadInputTokens": 2, "outputTokens": 3, "costMicroUsd": 9});
    let deny = json!({"rule": "no-drop", "action": "deny", "tool": "Bash"});
    let observed = json!({"rule": "watch", "action": "deny", "observed": true});
    write(
        store,
        vec![
            entry("a", "s1", "Ana@example.com", json!({"stage": "open", "model": "asked-for-only"})),
            entry(
                "a",
                "s1",
                "Ana@example.com",
                json!({"model": "m", "usage": usage, "durationMs": 100, "decisions": [deny, observed], "findings": {"email": 2}}),
            ),
            entry("b", "s2", "b_n@example.com", json!({"model": "m", "usage": usage, "durationMs": 3000, "calls": {"Read": 1}})),
        ],
    )
    .await;
    // In a transaction of its own: sums grow.
    write(store, vec![entry("c", "s3", "cleo@example.com", json!({"findings": {"email": 1}}))]).await;
}

async fn days_add_up_by_group_model_rule_kind_and_latency(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    three(&*store).await;
    let all = store.days(NOW / DAY).await.unwrap();
    let of = |by, name: &str| all.iter().find(|one| one.by == by && one.name == name).map(|one| one.sums);
    let total = of(By::All, "").unwrap();
    assert_eq!((total.times, total.denied, total.held), (1, 1, 0), "what only observes counts for nothing");
    assert_eq!((total.input_tokens, total.output_tokens, total.cost_micro_usd), (14, 6, 18));
    assert_eq!(of(By::Group, "staff").unwrap().output_tokens, 6);
    assert_eq!(of(By::Model, "m").unwrap().times, 2);
    assert_eq!(of(By::Model, "asked-for-only"), None, "a name that a caller made up");
    assert_eq!(of(By::Rule, "no-drop").unwrap().denied, 1);
    assert_eq!(of(By::Rule, "watch"), None);
    assert_eq!(of(By::Finding, "email").unwrap().times, 3);
    assert_eq!(of(By::Latency, "128").unwrap().times, 1);
    assert_eq!(of(By::Latency, "4096").unwrap().times, 1);
    assert_eq!(store.days(NOW / DAY + 1).await.unwrap(), vec![]);
}

async fn sessions_are_found_by_what_occurs_in_them(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    three(&*store).await;
    let found = async |which: WhichSessions| {
        let sessions = store.sessions(WhichSessions { limit: 10, ..which }).await.unwrap();
        let mut ids: Vec<String> = sessions.into_iter().map(|session| session.session).collect();
        ids.sort();
        ids.join(" ")
    };
    let mark =
        |mark, value: &str| WhichSessions { marks: vec![(mark, value.into())], ..WhichSessions::default() };
    assert_eq!(found(mark(Mark::Group, "writers")).await, "s1 s2 s3");
    assert_eq!(found(mark(Mark::Model, "m")).await, "s1 s2");
    assert_eq!(found(mark(Mark::Tool, "Bash")).await, "s1", "decided about");
    assert_eq!(found(mark(Mark::Tool, "Read")).await, "s2", "called");
    assert_eq!(found(mark(Mark::Rule, "no-drop")).await, "s1");
    assert_eq!(found(mark(Mark::Finding, "email")).await, "s1 s3");
    let both = vec![(Mark::Finding, "email".into()), (Mark::Model, "m".into())];
    assert_eq!(found(WhichSessions { marks: both, ..WhichSessions::default() }).await, "s1");
    let person = |text: &str| WhichSessions { person: Some(text.into()), ..WhichSessions::default() };
    assert_eq!(found(person("ana@")).await, "s1", "in whatever case");
    assert_eq!(found(person("b_n")).await, "s2");
    assert_eq!(found(person("%")).await, "", "no pattern");
    let verdicts = |verdicts| WhichSessions { verdicts: Some(verdicts), ..WhichSessions::default() };
    assert_eq!(found(verdicts(Verdicts::Denied)).await, "s1");
    assert_eq!(found(verdicts(Verdicts::Allowed)).await, "s2 s3");
    assert_eq!(found(WhichSessions { since_ms: Some(NOW + 1), ..WhichSessions::default() }).await, "");
    assert_eq!(found(WhichSessions { until_ms: Some(NOW), ..WhichSessions::default() }).await, "");
}

async fn of_a_sidecar_what_was_seen_last_stays(on: On) {
    let Kept { store, place: _place, .. } = kept(on).await;
    let seen = |bundle: &str, seen_ms| Sidecar {
        node: "n".into(),
        filter: "1".into(),
        bundle: bundle.into(),
        issued_ms: 1,
        first_ms: seen_ms,
        seen_ms,
        trouble: format!("{bundle} was kept out"),
        trouble_ms: seen_ms,
        queued: 7,
    };
    for (bundle, at) in [("old", NOW), ("new", NOW + 5), ("late", NOW + 2)] {
        store.see_sidecars(vec![seen(bundle, at)]).await.unwrap();
    }
    let [one] = store.sidecars(NOW).await.unwrap().try_into().unwrap();
    assert_eq!((one.bundle.as_str(), one.first_ms, one.seen_ms), ("new", NOW, NOW + 5));
    assert_eq!((one.trouble.as_str(), one.trouble_ms, one.queued), ("new was kept out", NOW + 5, 7));
    assert_eq!(store.sidecars(NOW + 6).await.unwrap(), vec![]);
}
