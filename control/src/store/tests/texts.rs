//! What was said is found by its words, for as long as it is there.

use serde_json::{Value, json};
use sluice_engine::record::{Record, cut};

use super::{Kept, NOW, On, kept, record};
use crate::records::{Entry, fold};
use crate::search::{step, terms};
use crate::store::{Addition, Store, WhichSessions};

const DAY: u64 = 24 * 3600 * 1000;

/// Longer than blocks below the floor stay.
const LATER: u64 = NOW + 11 * 60 * 1000;

on_both! {
    words_and_phrases_find_the_sessions_in_which_they_were_said,
    what_is_asked_for_is_never_anything_but_words,
    a_text_that_retention_removes_is_not_found_and_one_that_is_sent_again_is,
    the_log_from_before_the_index_is_taken_in,
    replicas_that_follow_at_once_take_everything_in_once,
    a_text_of_many_parts_is_found_by_each_and_across_them,
}

/// What was said in a session, as control writes it.
async fn said(store: &dyn Store, exchange: &str, session: &str, at_ms: u64, body: &Value) -> Addition {
    let (body, mut blocks) = cut(&body.to_string());
    let mut one = Record { body: Some(body), session: Some(session.to_owned()), at_ms, ..record(exchange) };
    fold(std::slice::from_mut(&mut one), &mut blocks);
    let addition = Addition { entries: vec![Entry::Exchange(Box::new(one))], blocks, ..Addition::default() };
    store.add(addition.clone(), NOW).await.unwrap();
    addition
}

fn message(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

async fn follow(store: &dyn Store) {
    while step(store).await.unwrap() {}
}

/// Where each term of a search stands.
async fn texts(store: &dyn Store, text: &str) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    for term in terms(text) {
        all.push(store.texts_with(&term).await.unwrap().texts);
    }
    all
}

/// The sessions that are found, in the order of their names.
async fn found(store: &dyn Store, text: &str) -> String {
    let which = WhichSessions { texts: texts(store, text).await, limit: 100, ..WhichSessions::default() };
    assert!(!which.texts.is_empty(), "{text}");
    let mut all: Vec<String> =
        store.sessions(which).await.unwrap().into_iter().map(|session| session.session).collect();
    all.sort();
    all.join(" ")
}

async fn words_and_phrases_find_the_sessions_in_which_they_were_said(on: On) {
    let kept = kept(on).await;
    let store = &*kept.store;
    let long = format!("{} the needle at the end of a long text", "hay and straw ".repeat(60));
    said(store, "e1", "s1", NOW, &message("Please DROP the orders table of <email:k3v9q2>")).await;
    said(store, "e2", "s2", NOW, &message(&long)).await;
    said(
        store,
        "e3",
        "s2",
        NOW,
        &json!({"content": [
            {"type": "tool_use", "name": "Bash", "input": {"command": "rm -rf build/\nls"}},
            {"type": "thinking", "thinking": "unspoken ".repeat(40), "signature": "c2lnbmF0dXJl"},
        ]}),
    )
    .await;
    // The same long text in another session: a block that is there already.
    said(store, "e4", "s3", NOW, &message(&long)).await;
    assert_eq!(found(store, "orders").await, "", "the index follows");
    follow(store).await;
    for (asked, sessions) in [
        ("orders", "s1"),
        ("drop ORDERS", "s1"),
        ("\"drop orders\"", ""),
        ("\"drop the orders\"", "s1"),
        ("<email:k3v9q2>", "s1"),
        ("needle", "s2 s3"),
        ("\"long text\"", "s2 s3"),
        ("needle rm", "s2"),
        ("build/ \"rm -rf\"", "s2"),
        ("\"rf build ls\"", "s2"),
        ("bash", "s2"),
        ("need*", "s2 s3"),
        ("\"the nee", ""),
        // Forms, and what nobody is shown.
        ("unspoken", ""),
        ("tool_use", ""),
        ("c2lnbmF0dXJl", ""),
    ] {
        assert_eq!(found(store, asked).await, sessions, "{asked}");
    }
    // What a later turn adds is found, and what it repeats stands there once.
    said(
        store,
        "e5",
        "s1",
        NOW,
        &json!({"model": "m", "messages": [
            {"role": "user", "content": "Please DROP the orders table of <email:k3v9q2>"},
            {"role": "assistant", "content": "I would rather archive it"},
            {"role": "user", "content": "fine"},
        ]}),
    )
    .await;
    follow(store).await;
    assert_eq!((found(store, "archive").await, found(store, "orders").await), ("s1".into(), "s1".into()));
    let which = WhichSessions {
        texts: texts(store, "needle").await,
        person: Some("nobody".into()),
        limit: 9,
        ..WhichSessions::default()
    };
    assert!(store.sessions(which).await.unwrap().is_empty(), "all else must fit, too");
}

async fn what_is_asked_for_is_never_anything_but_words(on: On) {
    let kept = kept(on).await;
    let store = &*kept.store;
    said(store, "e1", "s1", NOW, &message("near the table said and or not")).await;
    follow(store).await;
    for (asked, sessions) in [
        ("table AND OR", "s1"),
        ("said NOT table", "s1"),
        ("near(table", ""),
        ("near( table", "s1"),
        ("said:table", ""),
        ("table' OR '1'='1", ""),
        ("table\\\\' & !x", ""),
        ("{said} : ^table", "s1"),
        ("table:* | x", ""),
        ("\"table\" + \"said\"", "s1"),
        ("tab\0le", ""),
        ("table\u{e000}said", "s1"),
        ("(((table", "s1"),
        ("table <-> said", "s1"),
    ] {
        assert_eq!(found(store, asked).await, sessions, "{asked}");
    }
}

async fn mark_all(kept: &Kept) {
    while !kept.store.mark(2, NOW).await.unwrap() {}
}

/// Everything that the index has of any text.
async fn nothing_left(store: &dyn Store) -> bool {
    let mut left = String::new();
    for word in ["secret", "hay", "user", "again"] {
        left.push_str(&found(store, word).await);
    }
    left.is_empty()
}

async fn a_text_that_retention_removes_is_not_found_and_one_that_is_sent_again_is(on: On) {
    let kept = kept(on).await;
    let store = &*kept.store;
    let old = message(&format!("secret {}", "hay again ".repeat(60)));
    said(store, "e1", "s1", NOW - 100 * DAY, &old).await;
    said(store, "e2", "s2", NOW - 100 * DAY, &message("short secret")).await;
    follow(store).await;
    assert_eq!(found(store, "secret").await, "s1 s2");
    mark_all(&kept).await;
    store.raise_floor(i64::try_from((NOW - 90 * DAY) / DAY).unwrap(), NOW).await.unwrap();
    // One is sent again before it goes, in a session of its own.
    said(store, "e3", "s3", NOW, &message("short secret")).await;
    while store.sweep(50, LATER).await.unwrap() > 0 {}
    assert_eq!(found(store, "hay").await, "");
    follow(store).await;
    assert_eq!(found(store, "secret").await, "s3");
    // All goes; then one comes again, and is found by the session that names it now.
    store.raise_floor(i64::try_from(NOW / DAY).unwrap() + 1, LATER).await.unwrap();
    while store.sweep(50, LATER + LATER - NOW).await.unwrap() > 0 {}
    assert!(nothing_left(store).await);
    said(store, "e4", "s4", NOW + 2 * DAY, &old).await;
    follow(store).await;
    assert_eq!((found(store, "hay").await, found(store, "\"secret hay\"").await), ("s4".into(), "s4".into()));
    assert!(kept.verify().await.sound);
}

async fn the_log_from_before_the_index_is_taken_in(on: On) {
    let kept = kept(on).await;
    let store = &*kept.store;
    for n in 0..450 {
        said(store, &format!("e{n}"), &format!("s{}", n % 7), NOW, &message(&format!("number {n} of many")))
            .await;
    }
    let before = store.indexed().await.unwrap();
    assert_eq!((before.done, before.last), (0, 450));
    assert!(step(store).await.unwrap(), "there is more");
    follow(store).await;
    assert_eq!(store.indexed().await.unwrap().done, 450);
    assert_eq!(found(store, "\"number 449\"").await, "s1");
    assert_eq!(found(store, "many").await, "s0 s1 s2 s3 s4 s5 s6");
}

async fn replicas_that_follow_at_once_take_everything_in_once(on: On) {
    let kept = kept(on).await;
    let store = &*kept.store;
    for n in 0..60 {
        said(store, &format!("e{n}"), "s1", NOW - 100 * DAY, &message(&format!("word{n} shared words")))
            .await;
    }
    let both = async || while step(store).await.unwrap() {};
    tokio::join!(both(), both(), both());
    assert_eq!(store.indexed().await.unwrap().done, 60);
    assert_eq!((found(store, "word59").await, found(store, "shared").await), ("s1".into(), "s1".into()));
    // What stood there twice would be left when it goes once.
    mark_all(&kept).await;
    store.raise_floor(i64::try_from(NOW / DAY).unwrap(), NOW).await.unwrap();
    while store.sweep(500, LATER).await.unwrap() > 0 {}
    said(store, "new", "s2", NOW, &message("else")).await;
    follow(store).await;
    assert_eq!((found(store, "shared").await, found(store, "else").await), (String::new(), "s2".into()));
}

async fn a_text_of_many_parts_is_found_by_each_and_across_them(on: On) {
    let kept = kept(on).await;
    let store = &*kept.store;
    let words: Vec<String> = (0..5000).map(|n| format!("w{n}")).collect();
    said(store, "e1", "s1", NOW - 100 * DAY, &message(&words.join(" "))).await;
    follow(store).await;
    for asked in ["w0", "w4999", "\"w1998 w1999 w2000 w2001\"", "w1 w4000"] {
        assert_eq!(found(store, asked).await, "s1", "{asked}");
    }
    mark_all(&kept).await;
    store.raise_floor(i64::try_from(NOW / DAY).unwrap(), NOW).await.unwrap();
    while store.sweep(50, LATER).await.unwrap() > 0 {}
    for asked in ["w0", "w1999", "w4999"] {
        assert_eq!(found(store, asked).await, "", "{asked}");
    }
}
