use super::*;

type Row = (u64, Hash, Vec<u8>);

fn log(count: u64) -> (Vec<Row>, Checkpoint) {
    let mut rows = Vec::new();
    let mut hash = genesis("w");
    for seq in 1..=count {
        let entry = format!("{{\"n\":{seq}}}").into_bytes();
        hash = link(&hash, seq, &entry);
        rows.push((seq, hash, entry));
    }
    (rows, Checkpoint { writer: "w".into(), seq: count, hash })
}

fn verify(rows: &[Row], head: Option<&Checkpoint>) -> Vec<Problem> {
    let mut verifier = Verifier::new("w");
    for (seq, hash, entry) in rows {
        verifier.entry(*seq, *hash, entry);
    }
    verifier.finish(head)
}

#[test]
fn a_whole_log_has_no_problems() {
    let (rows, head) = log(100);
    assert_eq!(verify(&rows, Some(&head)), []);
    assert_eq!(verify(&[], None), []);
}

#[test]
fn a_part_is_proved_by_what_is_signed_behind_it() {
    let (mut rows, _) = log(100);
    let whole = rows.clone();
    let part = |rows: &[Row]| {
        let (seq, hash, _) = rows[29].clone();
        let mut verifier = Verifier::behind(Checkpoint { writer: "w".into(), seq, hash });
        for (seq, hash, entry) in &rows[30..40] {
            verifier.entry(*seq, *hash, entry);
        }
        verifier.signed(verifier.here().hash == whole[39].1);
        let here = verifier.here();
        verifier.finish(Some(&here))
    };
    assert_eq!(part(&rows), []);
    // Rewritten before the part and in it, up to the signature: what was signed says otherwise.
    rows[9].2 = b"{}".to_vec();
    for at in 9..40 {
        rows[at].1 = link(&rows[at - 1].1, rows[at].0, &rows[at].2);
    }
    assert_eq!(part(&rows), [Problem::Rewritten { after: 31, seq: 40 }]);
}

#[test]
fn an_altered_entry_is_named() {
    let (mut rows, head) = log(100);
    rows[41].2 = b"{\"n\":0}".to_vec();
    assert_eq!(verify(&rows, Some(&head)), [Problem::Altered { seq: 42 }]);
}

#[test]
fn an_altered_entry_with_a_hash_to_match_breaks_the_next() {
    let (mut rows, head) = log(100);
    rows[41].2 = b"{\"n\":0}".to_vec();
    rows[41].1 = link(&rows[40].1, 42, &rows[41].2);
    assert_eq!(verify(&rows, Some(&head)), [Problem::Altered { seq: 43 }]);
}

#[test]
fn removed_entries_are_named() {
    let (mut rows, head) = log(100);
    rows.drain(9..12);
    let removed = Problem::Removed { from: 10, to: 12 };
    assert_eq!(removed.to_string(), "entries 10 to 12 were removed");
    assert_eq!(Problem::Removed { from: 10, to: 10 }.to_string(), "entry 10 was removed");
    assert_eq!(verify(&rows, Some(&head)), [removed]);
}

#[test]
fn removed_and_renumbered_entries_are_found() {
    let (mut rows, head) = log(10);
    rows.remove(4);
    for row in rows.iter_mut().skip(4) {
        row.0 -= 1;
    }
    let problems = verify(&rows, Some(&head));
    assert!(problems.contains(&Problem::Truncated { from: 10, to: 10 }), "{problems:?}");
    assert!(problems.len() > 1);
}

#[test]
fn entries_that_changed_places_are_told_from_altered_ones() {
    let (mut rows, head) = log(100);
    let (a, b) = (rows[20].clone(), rows[21].clone());
    rows[20] = (21, b.1, b.2);
    rows[21] = (22, a.1, a.2);
    let moved = [Problem::Moved { seq: 21, belongs: 22 }, Problem::Moved { seq: 22, belongs: 21 }];
    assert_eq!(verify(&rows, Some(&head)), moved);
}

#[test]
fn a_log_that_was_cut_off_is_found_by_its_head() {
    let (mut rows, head) = log(100);
    rows.truncate(90);
    assert_eq!(verify(&rows, Some(&head)), [Problem::Truncated { from: 91, to: 100 }]);
    rows.clear();
    assert_eq!(verify(&rows, Some(&head)), [Problem::Truncated { from: 1, to: 100 }]);
}

#[test]
fn a_log_that_was_rewritten_to_the_end_is_found_by_its_head() {
    let (mut rows, head) = log(10);
    rows[4].2 = b"{}".to_vec();
    for at in 4..10 {
        rows[at].1 = link(&rows[at - 1].1, rows[at].0, &rows[at].2);
    }
    assert_eq!(verify(&rows, Some(&head)), [Problem::Rewritten { after: 1, seq: 10 }]);
}

#[test]
fn a_signature_on_the_way_bounds_where_a_log_was_rewritten() {
    let (mut rows, head) = log(10);
    let (whole, _) = log(10);
    rows[4].2 = b"{}".to_vec();
    for at in 4..10 {
        rows[at].1 = link(&rows[at - 1].1, rows[at].0, &rows[at].2);
    }
    let mut verifier = Verifier::new("w");
    for (at, (seq, hash, entry)) in rows.iter().enumerate() {
        verifier.entry(*seq, *hash, entry);
        if seq % 3 == 0 {
            verifier.signed(*hash == whole[at].1);
        }
    }
    assert_eq!(verifier.finish(Some(&head)).first(), Some(&Problem::Rewritten { after: 4, seq: 6 }));
}

#[test]
fn entries_behind_the_head_and_a_missing_head_are_problems() {
    let (rows, mut head) = log(10);
    head.seq = 8;
    head.hash = rows[7].1;
    assert_eq!(verify(&rows, Some(&head)), [Problem::Unsigned { from: 9, to: 10 }]);
    assert_eq!(verify(&rows, None), [Problem::NoHead]);
}

#[test]
fn the_log_of_another_writer_does_not_pass() {
    let (rows, head) = log(3);
    let mut verifier = Verifier::new("v");
    for (seq, hash, entry) in &rows {
        verifier.entry(*seq, *hash, entry);
    }
    assert!(verifier.finish(Some(&head)).contains(&Problem::Altered { seq: 1 }));
}

#[test]
fn a_hash_reads_back_from_its_digits() {
    let hash = genesis("w");
    assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
    assert_eq!(Hash::parse("zz"), None);
    assert_eq!(Hash::parse(&"+1".repeat(32)), None);
}
