use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sluice_engine::wire::HoldDecision;

use super::sql::turn::{Turn, Write};
use super::*;
use crate::records::{Writers, enrolment, verify};
use crate::store::tests::{Kept, NOW, On, approval, asking, kept, with_body};
use crate::store::{Decided, Decision, Log, Store, Which};

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

async fn replica(kept: &Kept, n: u8) -> Box<dyn Store> {
    kept.place.open(&key(n)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_bring_the_tables_up_to_date_once() {
    let kept = kept(On::Postgres).await;
    kept.tamper("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    let url = kept.place.url();
    let starting = (10..16).map(|n| Postgres::connect(url, key(n)));
    for started in futures_util::future::join_all(starting).await {
        started.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_used_by_one_of_many_on_different_replicas() {
    let kept = kept(On::Postgres).await;
    let replicas = Arc::new([replica(&kept, 10).await, replica(&kept, 11).await, replica(&kept, 12).await]);
    for round in 0..10 {
        let hold = replicas[0].add(asking(&format!("k{round}"), "e"), NOW).await.unwrap().unwrap();
        let (one, two) = tokio::join!(
            replicas[1].decide(approval(&hold.id), NOW),
            replicas[2].decide(approval(&hold.id), NOW)
        );
        let done = [one.unwrap(), two.unwrap()].iter().filter(|d| matches!(d, Decided::Done(_))).count();
        assert_eq!(done, 1, "two people decide at once: one decision stands");
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..12_usize {
            let (replicas, id) = (Arc::clone(&replicas), hold.id.clone());
            tasks.spawn(async move { replicas[n % 3].claim(&id, &format!("e{n}"), NOW).await });
        }
        let told = tasks.join_all().await;
        let approved =
            told.into_iter().filter(|h| matches!(h, Ok(Some(h)) if h.state == HoldDecision::Approved));
        assert_eq!(approved.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_heard_of_on_the_other_replicas_at_once() {
    let kept = kept(On::Postgres).await;
    let (one, two) = (replica(&kept, 10).await, Arc::new(replica(&kept, 11).await));
    let heard: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let listening = {
        let (heard, two) = (Arc::clone(&heard), Arc::clone(&two));
        tokio::spawn(async move {
            let hear = move |news: News<'_>| {
                let hold = match news {
                    News::Hold(hold) => Some(hold.to_owned()),
                    News::Grants | News::Policy | News::Revocations | News::Withheld | News::Missed => None,
                };
                heard.lock().unwrap().push(hold);
            };
            two.listen(Box::new(hear)).await
        })
    };
    let until = async |found: &dyn Fn(&[Option<String>]) -> bool| {
        let start = Instant::now();
        while !found(&heard.lock().unwrap()) {
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", heard.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    until(&|heard| heard == [None]).await;
    let hold = one.add(asking("k", "e"), NOW).await.unwrap().unwrap();
    one.decide(approval(&hold.id), NOW).await.unwrap();
    until(&|heard| heard.contains(&Some(hold.id.clone()))).await;
    // What was told while the connection was away is made good: everyone looks again.
    kept.tamper("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'").await;
    until(&|heard| heard.iter().filter(|told| told.is_none()).count() == 2).await;
    listening.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_goes_on_from_its_cursor_misses_no_entry_of_any_replica() {
    let kept = kept(On::Postgres).await;
    let mut writing = tokio::task::JoinSet::new();
    for n in 0..3 {
        let replica = replica(&kept, 20 + n).await;
        writing.spawn(async move {
            for k in 0..100 {
                replica.add(with_body(&format!("{n}-{k}"), &"x".repeat(300)), NOW).await.unwrap();
            }
        });
    }
    let (mut after, mut seen) = (0, 0);
    let start = Instant::now();
    while seen < 300 {
        assert!(start.elapsed() < Duration::from_secs(60), "{seen} of 300 entries were seen");
        let which = Which { after, limit: 7, ..Which::default() };
        for entry in kept.store.entries(which).await.unwrap() {
            (after, seen) = (entry.cursor, seen + 1);
        }
    }
    writing.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chains_of_all_replicas_verify_on_each_and_a_stranger_counts_for_nothing() {
    let kept = kept(On::Postgres).await;
    let bundle = key(99);
    for n in [10, 11] {
        let replica = replica(&kept, n).await;
        replica.enrol(enrolment(&key(n).verifying_key(), &bundle)).await.unwrap();
        replica.add(with_body(&format!("e{n}"), &"x".repeat(300)), NOW).await.unwrap();
    }
    let writers = Writers { own: key(10).verifying_key(), voucher: bundle.verifying_key() };
    let check = async || {
        let keys = writers.keys(&*kept.store).await.unwrap();
        verify(&*kept.store, &keys, None).await.unwrap()
    };
    let report = check().await;
    assert!(report.sound, "{report:?}");
    assert_eq!(report.writers.len(), 2);
    // Somebody with the database and a key of their own.
    let stranger = replica(&kept, 66).await;
    stranger.enrol(enrolment(&key(66).verifying_key(), &key(66))).await.unwrap();
    stranger.add(with_body("e66", "forged"), NOW).await.unwrap();
    assert!(!check().await.sound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_loses_nothing_that_was_acknowledged() {
    let kept = kept(On::Postgres).await;
    let mut acknowledged = Vec::new();
    for n in 0..60 {
        if n % 5 == 0 {
            kept.tamper(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = 'sluice' AND datname = current_database()",
            )
            .await;
        }
        let exchange = format!("e{n}");
        if kept.store.add(with_body(&exchange, "text"), NOW).await.is_ok() {
            acknowledged.push(exchange);
        }
    }
    assert!(acknowledged.len() >= 48, "{} of 60", acknowledged.len());
    let which = Which { limit: 1000, ..Which::default() };
    let entries = kept.store.entries(which).await.unwrap();
    for exchange in acknowledged {
        let needle = format!("\"{exchange}\"");
        assert_eq!(entries.iter().filter(|e| e.entry.contains(&needle)).count(), 1, "{exchange}");
    }
    let report = kept.verify().await;
    assert!(report.sound, "{report:?}");
}

#[tokio::test]
async fn a_database_that_refuses_to_write_acknowledges_nothing_and_says_so() {
    let url = kept(On::Postgres).await.place.url().to_owned();
    let store = Postgres::connect(&url, key(5)).await.unwrap();
    store.write(Raw("SET default_transaction_read_only = on")).await.unwrap();
    assert!(store.add(with_body("e0", "text"), NOW).await.is_err());
    assert!(store.trouble().is_some_and(|why| why.contains("read-only")), "{:?}", store.trouble());
    store.write(Raw("SET default_transaction_read_only = off")).await.unwrap();
    store.add(with_body("e1", "text"), NOW).await.unwrap();
    assert_eq!(store.trouble(), None);
    let report = verify(&store, &[key(5).verifying_key()], None).await.unwrap();
    assert!(report.sound, "{report:?}");
    assert_eq!(report.writers[0].entries, 1);
}

#[tokio::test]
async fn text_with_a_nul_is_kept_as_it_is() {
    let kept = kept(On::Postgres).await;
    let mut addition = with_body("e\0x", "text");
    let block = sluice_engine::record::cut(&format!("no JSON \0 {}", "x".repeat(300))).1.remove(0);
    addition.blocks.push(block.clone());
    kept.store.add(addition, NOW).await.unwrap();
    assert_eq!(kept.store.blocks(vec![block.digest.clone()]).await.unwrap()[0].text, block.text);
    assert!(kept.verify().await.sound);
}

#[tokio::test]
async fn a_password_in_the_url_is_not_repeated() {
    for url in ["postgres://u:hunter2@127.0.0.1:1/x", "nonsense hunter2"] {
        let error = Postgres::connect(url, key(1)).await.err().unwrap().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// A statement on the writer's own connection.
struct Raw(&'static str);

impl Write for Raw {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        sqlx::query(self.0).fetch_all(&mut *turn.connection).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn voices_that_come_to_different_replicas_at_once_each_count_once() {
    let kept = kept(On::Postgres).await;
    let replicas = [replica(&kept, 10).await, replica(&kept, 11).await];
    for round in 0..10 {
        let mut asked = asking(&format!("k{round}"), "e");
        if let Some(ask) = &mut asked.ask {
            ask.quorum = 2;
        }
        let hold = replicas[0].add(asked, NOW).await.unwrap().unwrap();
        let (one, two) = tokio::join!(
            replicas[0].decide(approval(&hold.id), NOW),
            replicas[1].decide(approval(&hold.id), NOW)
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        let counted = [&one, &two].iter().filter(|said| matches!(said, Decided::Done(_))).count();
        assert_eq!(counted, 1, "one person is one voice wherever they speak: {one:?} {two:?}");
        let bea = Decision { by: crate::approvals::tests::who("bea", &["approvers"]), ..approval(&hold.id) };
        let no = Decision {
            approve: false,
            by: crate::approvals::tests::who("bob", &["approvers"]),
            ..approval(&hold.id)
        };
        let (yes, no) = tokio::join!(replicas[0].decide(bea, NOW), replicas[1].decide(no, NOW));
        let settled =
            [yes.unwrap(), no.unwrap()].into_iter().filter(|said| matches!(said, Decided::Done(_))).count();
        assert_eq!(settled, 1, "approved or denied, and not both");
    }
}
