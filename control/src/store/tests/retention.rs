use super::*;

const DAY: u64 = 24 * 3600 * 1000;

/// Longer than blocks below the floor stay.
const LATER: u64 = NOW + 11 * 60 * 1000;

on_both! {
    texts_that_only_old_entries_name_go_and_the_log_stays_sound,
    what_is_sent_or_named_again_stays,
    what_retention_does_not_cover_is_missed,
    an_act_that_nobody_signed_covers_nothing,
    clocks_that_go_wrong_move_the_floor_for_nobody,
    previews_of_old_holds_go_and_what_was_decided_stays,
}

fn text(seed: &str) -> String {
    format!("{seed} ").repeat(200)
}

/// An exchange on that day, about a text.
fn on_day(exchange: &str, at_ms: u64, words: &str) -> Addition {
    let mut addition = with_body(exchange, &text(words));
    for entry in &mut addition.entries {
        if let Entry::Exchange(record) = entry {
            record.at_ms = at_ms;
        }
    }
    addition
}

fn digests(addition: &Addition) -> Vec<String> {
    addition.blocks.iter().map(|block| block.digest.clone()).collect()
}

/// The same without its blocks: a sidecar knows that they are there.
fn known(addition: &Addition) -> Addition {
    Addition { blocks: Vec::new(), ..addition.clone() }
}

fn floor(keep_days: u64) -> i64 {
    i64::try_from((NOW - keep_days * DAY) / DAY).unwrap()
}

async fn mark_all(kept: &Kept) {
    while !kept.store.mark(2, NOW).await.unwrap() {}
}

async fn sweep_all(kept: &Kept, now: u64) -> u64 {
    let mut all = 0;
    loop {
        // At least as many as entries come in between, or it would not see their end.
        match kept.store.sweep(50, now).await.unwrap() {
            0 => return all,
            some => all += some,
        }
    }
}

async fn texts_that_only_old_entries_name_go_and_the_log_stays_sound(on: On) {
    let kept = kept(on).await;
    let old = on_day("old", NOW - 100 * DAY, "only the old one says this");
    let shared = on_day("shared", NOW - 100 * DAY, "both say this");
    let mut again = known(&shared);
    if let Entry::Exchange(record) = &mut again.entries[0] {
        (record.exchange, record.at_ms) = ("again".into(), NOW - DAY);
    }
    for addition in [old.clone(), shared.clone(), again, on_day("new", NOW, "only the new one says this")] {
        kept.store.add(addition, NOW).await.unwrap();
    }
    mark_all(&kept).await;
    assert!(kept.store.raise_floor(floor(90), NOW).await.unwrap());
    assert!(!kept.store.raise_floor(floor(90), NOW).await.unwrap(), "once");
    assert_eq!(sweep_all(&kept, NOW).await, 0, "what is under way may still name it");
    let gone = sweep_all(&kept, LATER).await;
    assert_eq!(gone, old.blocks.len() as u64);
    assert_eq!(kept.store.missing(digests(&shared)).await.unwrap(), Vec::<String>::new());
    let report = kept.verify().await;
    assert!(report.sound, "{report:?}");
    let retention = report.retention.unwrap();
    assert_eq!((retention.through[0].seq, retention.blocks), (2, 1), "{retention:?}");
    assert_eq!(report.writers[0].entries, 5, "the act is an entry of its own");
}

async fn what_is_sent_or_named_again_stays(on: On) {
    let kept = kept(on).await;
    let (sent, named) =
        (on_day("e1", NOW - 100 * DAY, "sent again"), on_day("e2", NOW - 100 * DAY, "named again"));
    kept.store.add(sent.clone(), NOW).await.unwrap();
    kept.store.add(named.clone(), NOW).await.unwrap();
    mark_all(&kept).await;
    kept.store.raise_floor(floor(90), NOW).await.unwrap();
    let gone = kept.store.missing(digests(&sent)).await.unwrap();
    assert_eq!(gone, digests(&sent), "a sidecar is asked to send it again");
    let mut again = on_day("e3", NOW, "sent again");
    kept.store.add(again.clone(), NOW).await.unwrap();
    assert_eq!(kept.store.missing(digests(&sent)).await.unwrap(), Vec::<String>::new());
    // It was looked at before the floor was raised, and is written after.
    again = known(&on_day("e4", NOW, "named again"));
    kept.store.add(again, NOW).await.unwrap();
    assert_eq!(sweep_all(&kept, LATER).await, 0);
    let report = kept.verify().await;
    assert!(report.sound, "{report:?}");
    // Gone and sent again: it is there again.
    kept.store.raise_floor(floor(0) + 1, LATER).await.unwrap();
    assert!(sweep_all(&kept, LATER + 11 * 60 * 1000).await > 0);
    kept.store.add(on_day("e5", NOW + DAY, "sent again"), NOW + DAY).await.unwrap();
    assert_eq!(kept.store.missing(digests(&sent)).await.unwrap(), Vec::<String>::new());
    assert!(kept.verify().await.sound);
}

async fn what_retention_does_not_cover_is_missed(on: On) {
    let kept = kept(on).await;
    kept.store.add(on_day("old", NOW - 100 * DAY, "old"), NOW).await.unwrap();
    let new = on_day("new", NOW, "new");
    kept.store.add(new.clone(), NOW).await.unwrap();
    mark_all(&kept).await;
    kept.store.raise_floor(floor(90), NOW).await.unwrap();
    sweep_all(&kept, LATER).await;
    assert!(kept.verify().await.sound);
    let digest = sluice_engine::record::chain::Hash::parse(&new.blocks[0].digest).unwrap().0;
    kept.tamper(&format!("DELETE FROM blocks WHERE digest = {}", kept.bytes(&digest))).await;
    let report = kept.verify().await;
    assert!(!report.sound);
    assert!(
        matches!(&report.block_problems[..], [BlockProblem::Removed { digest, .. }] if *digest == new.blocks[0].digest),
        "{report:?}"
    );
}

async fn an_act_that_nobody_signed_covers_nothing(on: On) {
    let kept = kept(on).await;
    let new = on_day("new", NOW, "incriminating");
    kept.store.add(new, NOW).await.unwrap();
    kept.tamper("DELETE FROM blocks").await;
    let writer = writer_name(&kept.key.verifying_key());
    let head = kept.store.heads().await.unwrap().remove(0);
    let act = crate::records::RetentionEvent {
        at_ms: NOW,
        before_ms: NOW,
        through: vec![crate::records::Through { writer: writer.clone(), seq: 1 }],
    };
    let entry = Entry::Retention(Box::new(act)).to_json();
    // Whoever has the database can do all of this but sign.
    let hash = sluice_engine::record::chain::link(&head.hash, 2, entry.as_bytes());
    kept.tamper(&format!(
        "INSERT INTO entries (writer, seq, hash, entry) VALUES ('{writer}', 2, {hash}, '{entry}');
         UPDATE heads SET seq = 2, hash = {hash}",
        hash = kept.bytes(&hash.0)
    ))
    .await;
    let report = kept.verify().await;
    assert!(!report.sound, "{report:?}");
}

async fn clocks_that_go_wrong_move_the_floor_for_nobody(on: On) {
    let kept = kept(on).await;
    // From the future: as old as today. From the past behind it: no older than what stands before it in the log.
    let (future, past) = (on_day("e1", NOW + 4000 * DAY, "future"), on_day("e2", 0, "past"));
    kept.store.add(future, NOW).await.unwrap();
    kept.store.add(past, NOW).await.unwrap();
    mark_all(&kept).await;
    kept.store.raise_floor(floor(90), NOW).await.unwrap();
    assert_eq!(sweep_all(&kept, LATER).await, 0);
    kept.store.raise_floor(floor(0) + 1, LATER).await.unwrap();
    assert!(sweep_all(&kept, LATER + 11 * 60 * 1000).await > 1, "both go together, when today is over");
    let report = kept.verify().await;
    assert!(report.sound, "{report:?}");
}

async fn previews_of_old_holds_go_and_what_was_decided_stays(on: On) {
    let kept = kept(on).await;
    let old = NOW - 100 * DAY;
    let mut ids = Vec::new();
    for (key, at) in [("a", old), ("b", old), ("c", old), ("waits", old + 1), ("new", NOW)] {
        let hold = kept.store.add(asking(key, key), at).await.unwrap().unwrap();
        if key != "waits" {
            kept.store.decide(approval(&hold.id), at).await.unwrap();
        }
        ids.push(hold.id);
    }
    let ask = |id: String| {
        let store = &kept.store;
        async move { store.hold(&id).await.unwrap().unwrap() }
    };
    let preview = ask(ids[0].clone()).await.ask.preview;
    assert_eq!(kept.store.clear_previews(100).await.unwrap(), 0, "nothing is too old");
    kept.store.raise_floor(floor(90), NOW).await.unwrap();
    while kept.store.clear_previews(2).await.unwrap() > 0 {}
    for (id, gone) in ids.iter().zip([true, true, true, false, false]) {
        let hold = ask(id.clone()).await;
        assert_eq!(hold.ask.preview != preview, gone, "{hold:?}");
        assert_eq!(hold.ask.rule, "writes", "who asked for what, and what was decided, stays");
    }
    assert_eq!(ask(ids[0].clone()).await.state, HoldDecision::Approved);
    // The one that waited is over: now it goes too.
    kept.store.expire(NOW).await.unwrap();
    assert_eq!(kept.store.clear_previews(100).await.unwrap(), 1);
    assert!(ask(ids[3].clone()).await.ask.preview.contains("removed"));
    assert_eq!(ask(ids[4].clone()).await.ask.preview, preview);
    assert!(kept.verify().await.sound);
}
