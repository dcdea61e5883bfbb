//! A store as a file, and back.

use super::place::postgres;
use super::{NOW, On, approval, asking, kept, with_body};
use crate::records::{Entry, verify};
use crate::store::{Log, Store, StoreError, Which, transfer};

async fn texts(store: &dyn Store) -> Vec<(i64, String, Option<Vec<u8>>)> {
    let which = Which { limit: 1000, ..Which::default() };
    let entries = store.entries(which).await.unwrap();
    entries.into_iter().map(|own| (own.cursor, own.entry, own.signature)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_becomes_a_file_and_a_postgresql_again_and_goes_on() {
    let from = kept(On::Postgres).await;
    // Text that PostgreSQL's own text could not hold, and what has an order by which it was written.
    for n in 0..150 {
        from.store
            .add(with_body(&format!("e{n}"), &format!("{n} \0 é {}", "x".repeat(400))), NOW)
            .await
            .unwrap();
    }
    let hold = from.store.add(asking("k", "e1"), NOW).await.unwrap().unwrap();
    from.store.decide(approval(&hold.id), NOW).await.unwrap();
    from.store.add(asking("k2", "e2"), NOW).await.unwrap();
    from.store.raise_floor(3, NOW).await.unwrap();
    let written = texts(&*from.store).await;

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy.db");
    transfer::to_file(from.place.url(), &file, from.key.clone()).await.unwrap();
    let copy = crate::store::sqlite::Sqlite::open_to_read(&file).await.unwrap();
    assert_eq!(texts(&copy).await, written);
    assert!(verify(&copy, &[from.key.verifying_key()], &[]).await.unwrap().sound);
    copy.close().await;

    let url = postgres::database().await;
    transfer::to_postgres(&file, &url, from.key.clone()).await.unwrap();
    let to = crate::store::postgres::Postgres::connect(&url, from.key.clone()).await.unwrap();
    assert_eq!(texts(&to).await, written);
    let held = crate::store::Holds::hold(&to, &hold.id).await.unwrap().unwrap();
    assert_eq!(held, crate::store::Holds::hold(&*from.store, &hold.id).await.unwrap().unwrap());
    // It goes on: numbers are drawn behind those that came along, and the waiting hold is decided.
    to.add(with_body("after", "more"), NOW).await.unwrap();
    let all = texts(&to).await;
    assert!(all.last().unwrap().0 > written.last().unwrap().0);
    assert!(matches!(serde_json::from_str(&all.last().unwrap().1).unwrap(), Entry::Exchange(_)));
    assert!(verify(&to, &[from.key.verifying_key()], &[]).await.unwrap().sound);
    // Once is enough.
    let again = transfer::to_postgres(&file, &url, from.key.clone()).await;
    assert!(matches!(again, Err(StoreError::Occupied)), "{again:?}");
    to.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_is_one_moment_also_while_others_write() {
    let from = std::sync::Arc::new(kept(On::Postgres).await);
    let writing = std::sync::Arc::clone(&from);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writer = tokio::spawn(async move {
        let mut n = 0;
        while !*stopped.borrow() {
            writing.store.add(with_body(&format!("e{n}"), &"y".repeat(300)), NOW).await.unwrap();
            n += 1;
        }
    });
    let dir = tempfile::tempdir().unwrap();
    for n in 0..3 {
        let file = dir.path().join(format!("{n}.db"));
        transfer::to_file(from.place.url(), &file, from.key.clone()).await.unwrap();
        let copy = crate::store::sqlite::Sqlite::open_to_read(&file).await.unwrap();
        let report = verify(&copy, &[from.key.verifying_key()], &[]).await.unwrap();
        assert!(report.sound, "{report:?}");
        copy.close().await;
    }
    stop.send_replace(true);
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_differs_is_named_and_nothing_is_left_behind() {
    let from = kept(On::Postgres).await;
    from.store.add(with_body("e", "text"), NOW).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    from.tamper("ALTER TABLE holds ADD COLUMN extra TEXT").await;
    let said = transfer::to_file(from.place.url(), &dir.path().join("a.db"), from.key.clone()).await;
    assert!(said.unwrap_err().to_string().contains("holds.extra"));
    from.tamper("ALTER TABLE holds DROP COLUMN extra; DROP TABLE said").await;
    let said = transfer::to_file(from.place.url(), &dir.path().join("b.db"), from.key.clone()).await;
    assert!(said.unwrap_err().to_string().contains("no table said"));
}
