use serde_json::json;
use sluice_engine::record::{Record, cut};

use super::sql::turn::{Turn, Write};
use super::*;
use crate::records::{Entry, verify};
use crate::store::tests::{NOW, On, kept, record, with_body};
use crate::store::{Addition, Log, Store};

#[tokio::test]
async fn a_disk_that_is_full_acknowledges_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::from_bytes(&[5; 32]);
    let store = Sqlite::open(&dir.path().join("test.db"), key.clone()).await.unwrap();
    store.add(with_body("e0", "small"), NOW).await.unwrap();
    assert_eq!(store.trouble(), None);
    // The writer's own connection cannot grow the file: what a full disk does.
    let large = |n: u64| with_body(&format!("big{n}"), &format!("{n}").repeat(3_000_000));
    store.write(Raw("PRAGMA max_page_count = 1")).await.unwrap();
    assert!(store.add(large(1), NOW).await.is_err());
    assert!(store.trouble().is_some_and(|why| why.contains("full")), "{:?}", store.trouble());
    store.write(Raw("PRAGMA max_page_count = 1000000000")).await.unwrap();
    store.add(large(2), NOW).await.unwrap();
    assert_eq!(store.trouble(), None);
    let report = verify(&store, &[key.verifying_key()], &[]).await.unwrap();
    assert!(report.sound, "{report:?}");
    assert_eq!(report.writers[0].entries, 2);
}

#[tokio::test]
async fn a_fifty_turn_conversation_costs_its_growth_on_disk_too() {
    let empty = kept(On::Sqlite).await;
    empty.store.close().await;
    let empty = std::fs::metadata(empty.place.path()).unwrap().len();
    let kept = kept(On::Sqlite).await;
    let words = |count: usize, seed: usize| -> String {
        (0..count).map(|n| format!("word{} ", (n * 7919 + seed * 104_729) % 100_000)).collect()
    };
    let mut messages = vec![json!({"role": "user", "content": words(60, 0)})];
    let mut text = 0;
    for turn in 1..=50 {
        let body = json!({"system": words(1500, 9), "tools": [{"description": words(3000, 11)}], "messages": messages});
        text = body.to_string().len();
        let (body, blocks) = cut(&body.to_string());
        let open = Record { body: Some(body), ..record(&format!("e{turn}")) };
        let mut missing =
            kept.store.missing(blocks.iter().map(|b| b.digest.clone()).collect()).await.unwrap();
        missing.sort();
        let blocks = blocks.into_iter().filter(|b| missing.binary_search(&b.digest).is_ok()).collect();
        let entries = vec![Entry::Exchange(Box::new(open))];
        kept.store.add(Addition { entries, blocks, ..Addition::default() }, NOW).await.unwrap();
        messages.push(json!({"role": "assistant", "content": words(25, turn)}));
        messages.push(json!({"role": "user", "content": words(220, turn + 1000)}));
    }
    let report = kept.verify().await;
    assert!(report.sound, "{report:?}");
    kept.store.close().await;
    // Records, indexes, signatures and half-filled pages included; 50 whole bodies would be 30 times the text.
    let file = std::fs::metadata(kept.place.path()).unwrap().len() - empty;
    let ratio = file as f64 / text as f64;
    println!("{file} bytes of database for {text} bytes of text: {ratio:.2}");
    assert!(ratio < 2.0, "{file} bytes of database for {text} bytes of text: {ratio:.2}");
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
