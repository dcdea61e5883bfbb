//! What identities have used.

use serde_json::json;
use sluice_engine::policy::bundle::{Bundle, FORMAT};
use sluice_engine::policy::compile::Compiled;

use super::{NOW, On, kept};
use crate::records::Entry;
use crate::reviews::{Usage, Use, catch_up, record};
use crate::store::{Addition, Backlog, WhichUsage};

on_both! {
    use_is_added_up_with_the_records_and_counted_once,
    many_identities_in_one_write_page_in_their_order,
    entries_from_before_are_added_up_once_by_whoever_comes_first,
    a_row_that_cannot_be_read_keeps_no_record_from_being_written,
}

fn open(subject: &str, at_ms: u64) -> Entry {
    let more = json!({"exchange": format!("{subject}{at_ms}"), "roles": ["reader"], "model": "m\0",
        "principal": {"issuer": "own", "subject": subject, "groups": ["staff"]}});
    Entry::Exchange(Box::new(record("open", at_ms, more)))
}

fn batch(n: u8, entries: Vec<Entry>) -> Addition {
    Addition { batch: Some([n; 32]), entries, ..Addition::default() }
}

async fn use_is_added_up_with_the_records_and_counted_once(on: On) {
    let kept = kept(on).await;
    assert_eq!(kept.store.usage_since().await.unwrap(), None);
    for (n, at) in [(1, NOW + 5), (2, NOW), (2, NOW)] {
        kept.store.add(batch(n, vec![open("ana\0", at)]), NOW).await.unwrap();
    }
    let usage = kept.store.usage("own", "ana\0").await.unwrap().unwrap();
    assert_eq!((usage.exchanges, usage.first_ms, usage.last_ms), (2, NOW, NOW + 5));
    assert_eq!(usage.roles.names["reader"], Use { count: 2, last_ms: NOW + 5 });
    assert_eq!(usage.models.names["m\0"].count, 2);
    assert_eq!(kept.store.usage_since().await.unwrap(), Some(NOW));
    assert_eq!(kept.store.usage("other", "ana\0").await.unwrap(), None);
}

async fn many_identities_in_one_write_page_in_their_order(on: On) {
    let kept = kept(on).await;
    let entries = (0..100).map(|n| open(&format!("s{n:03}"), NOW)).collect();
    kept.store.add(batch(1, entries), NOW).await.unwrap();
    kept.store.add(batch(2, vec![open("s001", NOW)]), NOW).await.unwrap();
    let mut seen: Vec<Usage> = Vec::new();
    loop {
        let after = seen.last().map(|usage| (usage.issuer.clone(), usage.subject.clone()));
        let page = kept.store.usages(WhichUsage { after, limit: 30 }).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen.len(), 100);
    assert!(seen.is_sorted_by_key(|usage| usage.subject.clone()));
    assert_eq!((seen[0].exchanges, seen[1].exchanges), (1, 2));
}

async fn entries_from_before_are_added_up_once_by_whoever_comes_first(on: On) {
    let kept = kept(on).await;
    let entries = (0..700).map(|n| open("ana", NOW + n)).collect();
    kept.store.add(batch(1, entries), NOW).await.unwrap();
    // As the migration finds a log that is there already.
    kept.tamper("DELETE FROM usage; UPDATE usage_backlog SET until = 600").await;
    kept.store.add(batch(2, vec![open("ana", NOW + 1000)]), NOW).await.unwrap();
    let backlog = kept.store.usage_backlog().await.unwrap();
    assert_eq!(backlog, Some(Backlog { after: 0, until: 600 }));
    let bundle = Bundle {
        format: FORMAT,
        version: String::new(),
        policy_version: String::new(),
        issued_at_ms: 0,
        policy: serde_json::from_value(json!({})).unwrap(),
        keys: Vec::new(),
        tenant_key: String::new(),
        grants: Vec::new(),
        revocations: Vec::new(),
        withheld: Vec::new(),
    };
    let compiled = Compiled::new(&bundle).unwrap();
    let (one, two) = tokio::join!(catch_up(&*kept.store, &compiled), catch_up(&*kept.store, &compiled));
    one.unwrap();
    two.unwrap();
    assert_eq!(kept.store.usage_backlog().await.unwrap(), None);
    let usage = kept.store.usage("own", "ana").await.unwrap().unwrap();
    assert_eq!(usage.exchanges, 601, "what was written since is counted by who wrote it");
    // Who read the backlog before somebody else did it adds nothing.
    kept.store.add_usage(backlog.unwrap(), 600, vec![usage]).await.unwrap();
    assert_eq!(kept.store.usage("own", "ana").await.unwrap().unwrap().exchanges, 601);
}

async fn a_row_that_cannot_be_read_keeps_no_record_from_being_written(on: On) {
    let kept = kept(on).await;
    kept.store.add(batch(1, vec![open("ana", NOW)]), NOW).await.unwrap();
    kept.tamper("UPDATE usage SET detail = 'x'").await;
    kept.store.add(batch(2, vec![open("ana", NOW)]), NOW).await.unwrap();
    assert_eq!(kept.store.usage("own", "ana").await.unwrap().unwrap().exchanges, 1);
}
