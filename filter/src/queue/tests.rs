use std::collections::BTreeMap;

use sluice_engine::record::Stage;
use sluice_engine::record::assemble;
use sluice_engine::record::cut::LEAF;

use super::*;

/// A record with a number by which it is told from others.
fn record(n: u64) -> Record {
    Record {
        exchange: n.to_string(),
        stage: Stage::Open,
        at_ms: n,
        node: "n".into(),
        principal: None,
        session: None,
        agent: None,
        traceparent: None,
        route: "messages.create".into(),
        model: None,
        stream: false,
        actor: None,
        policy_version: "p".into(),
        roles: Vec::new(),
        calls: BTreeMap::new(),
        decisions: Vec::new(),
        findings: BTreeMap::new(),
        body: None,
        status: None,
        usage: None,
        stop_reason: None,
        duration_ms: None,
    }
}

/// A copy that becomes one block.
fn copy(of: &str) -> String {
    of.repeat(LEAF.div_ceil(of.len()))
}

fn block(of: &str) -> Block {
    Block::new(copy(of), false)
}

/// Adds a record whose copy becomes one block, and has it cut.
fn push_cut(queue: &mut Queue, n: u64, of: &str) {
    queue.push(record(n), Some(copy(of)));
    while queue.cut_some() {}
}

fn queue() -> Queue {
    Queue::new("vm".into(), 1000, 1 << 20)
}

fn numbers(batch: &Batch) -> Vec<u64> {
    batch.records.iter().map(|record| record.at_ms).collect()
}

fn digests(batch: &Batch) -> Vec<String> {
    let mut digests: Vec<_> = batch.blocks.iter().map(|block| block.digest.clone()).collect();
    digests.sort();
    digests
}

fn missing(blocks: &[&Block]) -> BatchReply {
    BatchReply { missing: blocks.iter().map(|block| block.digest.clone()).collect() }
}

#[test]
fn an_empty_queue_sends_nothing() {
    assert_eq!(queue().batch(0), None);
}

#[test]
fn records_leave_in_order_and_one_batch_at_a_time() {
    let mut queue = queue();
    (0..700).for_each(|n| queue.push(record(n), None));
    let mut seen = Vec::new();
    let mut ids = HashSet::new();
    let mut now_ms = 0;
    while let Some(batch) = queue.batch(now_ms) {
        assert!(batch.records.len() <= BATCH_RECORDS);
        assert_eq!(queue.batch(now_ms), None, "a second batch beside the first");
        // Every other answer is lost, and what comes meanwhile changes nothing about the batch.
        queue.failed(now_ms);
        assert_eq!(queue.batch(now_ms), None, "sent again without a pause");
        now_ms += 500;
        queue.push(record(700 + seen.len() as u64), None);
        assert_eq!(queue.batch(now_ms).as_ref(), Some(&batch));
        assert!(queue.is_sending(&batch.id));
        assert_eq!(queue.answered(&BatchReply::default(), now_ms), batch.records.len());
        assert!(!queue.is_sending(&batch.id) && ids.insert(batch.id.clone()), "an id was used twice");
        seen.extend(numbers(&batch));
        if seen.len() > 700 {
            break;
        }
    }
    assert_eq!(seen.get(..700), Some((0..700).collect::<Vec<_>>().as_slice()));
}

#[test]
fn an_answer_to_nothing_takes_nothing() {
    let mut queue = queue();
    queue.push(record(1), None);
    assert_eq!(queue.answered(&BatchReply::default(), 0), 0);
    assert_eq!(queue.batch(0).map(|batch| numbers(&batch)), Some(vec![1]));
}

#[test]
fn it_is_full_by_records_or_by_bytes_and_takes_what_was_under_way_all_the_same() {
    let large = "x".repeat(5000);
    let json = format!("{{\"a\":\"{}\"}}", "y,".repeat(100)).repeat(25);
    let cases = [
        ("records", Queue::new("vm".into(), 3, 1 << 20), 3, None),
        ("bytes of blocks", Queue::new("vm".into(), 1000, 12_000), 2, Some(large)),
        ("bytes of bodies", Queue::new("vm".into(), 1000, 12_000), 2, Some(json)),
        ("bytes of records", Queue::new("vm".into(), 1000, 4096), 4, None),
    ];
    for (what, mut queue, holds, copy) in cases {
        for n in 0..holds {
            assert!(!queue.is_full(), "{what}, {n}");
            queue.push(record(n), copy.clone());
        }
        assert!(queue.is_full(), "{what}");
        queue.push(record(holds), copy.clone());
        while queue.cut_some() {}
        assert!(queue.is_full(), "{what}: what is cut still counts");
        let batch = queue.batch(0).unwrap();
        assert_eq!(numbers(&batch), (0..=holds).collect::<Vec<_>>(), "{what}: something was dropped");
        assert!(queue.is_full(), "{what}: what is not acknowledged still counts");
        queue.answered(&BatchReply::default(), 0);
        assert!(!queue.is_full(), "{what}");
        assert_eq!((queue.size(), queue.uncut, queue.ready), ((0, 0), 0, 0), "{what}");
    }
}

#[test]
fn a_batch_is_bounded_by_bytes_but_a_single_record_always_fits() {
    let mut queue = Queue::new("vm".into(), 1000, usize::MAX);
    let sizes = [BATCH_BYTES * 2, BATCH_BYTES / 2, BATCH_BYTES / 3, BATCH_BYTES / 3, 10];
    for (n, size) in (0..).zip(sizes) {
        queue.push(record(n), Some(n.to_string().repeat(size)));
    }
    while queue.cut_some() {}
    let mut batches = Vec::new();
    while let Some(batch) = queue.batch(0) {
        batches.push(numbers(&batch));
        // A batch that was lost keeps its cut.
        queue.failed(0);
        assert_eq!(queue.batch(500).map(|again| numbers(&again)), Some(numbers(&batch)));
        queue.answered(&BatchReply::default(), 500);
        queue.retry_at_ms = 0;
    }
    assert_eq!(batches, [vec![0], vec![1, 2], vec![3, 4]]);
}

#[test]
fn a_block_travels_once_until_control_misses_it() {
    let mut queue = queue();
    let (a, b) = (block("a"), block("b"));
    push_cut(&mut queue, 1, "a");
    push_cut(&mut queue, 2, "b");
    push_cut(&mut queue, 3, "a");
    let first = queue.batch(0).unwrap();
    assert_eq!(first.blocks.len(), 2, "a block twice in one batch");
    assert_eq!(queue.unknown(&[a.clone(), b.clone()]), [a.clone(), b.clone()], "not acknowledged");
    queue.answered(&BatchReply::default(), 0);
    assert_eq!(queue.unknown(&[a.clone(), b.clone()]), []);

    push_cut(&mut queue, 4, "a");
    push_cut(&mut queue, 5, "b");
    let bare = queue.batch(0).unwrap();
    assert_eq!(digests(&bare), [""; 0]);
    assert_eq!(queue.answered(&missing(&[&b]), 0), 0);
    let again = queue.batch(0).unwrap();
    assert_eq!((&again.id, numbers(&again), digests(&again)), (&bare.id, vec![4, 5], vec![b.digest.clone()]));
    assert_eq!(queue.answered(&BatchReply::default(), 0), 2);
    assert_eq!(queue.batch(0), None);
}

#[test]
fn what_control_misses_although_it_was_sent_waits_for_the_pause() {
    let mut queue = queue();
    push_cut(&mut queue, 1, "a");
    let first = queue.batch(0).unwrap();
    assert_eq!(queue.answered(&missing(&[&block("a")]), 0), 0);
    assert_eq!(queue.batch(0), None);
    assert_eq!(queue.batch(500), Some(first));
}

#[test]
fn what_is_remembered_of_control_is_bounded() {
    let mut queue = queue();
    let blocks: Vec<Block> =
        (0..1000).map(|n| Block { digest: n.to_string(), text: String::new(), list: false }).collect();
    for round in 0..2 * KNOWN / blocks.len() {
        let own: Vec<Block> = blocks
            .iter()
            .map(|own| Block { digest: format!("{round}-{}", own.digest), ..own.clone() })
            .collect();
        queue.learn(&own);
        assert!(queue.known.len() <= KNOWN);
        assert_eq!(queue.unknown(&own), [], "the newest are known");
    }
}

#[test]
fn strangers_get_half_of_the_room() {
    let mut queue = Queue::new("vm".into(), 4, usize::MAX);
    queue.push(record(1), None);
    assert!(!queue.is_crowded());
    queue.push(record(2), None);
    assert!(queue.is_crowded() && !queue.is_full());
}

/// The body of a record in a batch, put together.
fn body(batch: &Batch, at: usize) -> String {
    let body = batch.records.get(at).and_then(|record| record.body.as_ref()).unwrap();
    let block = |digest: &str| batch.blocks.iter().find(|block| block.digest == digest);
    assemble(body, usize::MAX, block).unwrap()
}

#[test]
fn only_what_is_cut_leaves_and_in_order() {
    let mut queue = Queue::new("vm".into(), 1000, usize::MAX);
    let long = "x".repeat(CUT_BYTES / 2);
    (1..4).for_each(|n| queue.push(record(n), Some(format!("{n}{long}"))));
    // What has no copy need not be cut, and waits its turn.
    queue.push(record(4), None);
    assert!(queue.batch(0).is_none());
    assert!(queue.cut_some());
    let first = queue.batch(0).unwrap();
    assert_eq!(numbers(&first), [1]);
    assert!(body(&first, 0) == format!("1{long}"));
    // What is cut while a batch is under way is not part of it, nor when it is sent again.
    assert!(queue.cut_some());
    queue.failed(0);
    assert!(queue.batch(500).as_ref() == Some(&first));
    assert!(queue.cut_some() && !queue.cut_some());
    assert_eq!(queue.answered(&BatchReply::default(), 500), 1);
    let second = queue.batch(500).unwrap();
    assert_eq!(numbers(&second), [2, 3, 4]);
    assert!(body(&second, 0) == format!("2{long}") && body(&second, 1) == format!("3{long}"));
    assert_eq!(queue.answered(&BatchReply::default(), 500), 3);
    assert_eq!((queue.size(), queue.uncut, queue.ready), ((0, 0), 0, 0));
    queue.push(record(5), None);
    assert_eq!(queue.batch(500).map(|batch| numbers(&batch)), Some(vec![5]), "nothing is before it");
}

#[test]
fn a_tick_cuts_some_bytes_but_a_single_copy_always() {
    let mut queue = Queue::new("vm".into(), 1000, usize::MAX);
    let sizes = [CUT_BYTES / 4, CUT_BYTES / 4, CUT_BYTES / 2, 1, 3 * CUT_BYTES, CUT_BYTES, 0, 1];
    for (n, size) in (0..).zip(sizes) {
        queue.push(record(n), Some("x".repeat(size)));
    }
    let mut ticks = Vec::new();
    loop {
        let behind = queue.is_behind();
        if !queue.cut_some() {
            break;
        }
        ticks.push((queue.ready, behind));
    }
    assert_eq!(ticks, [(3, true), (4, true), (5, true), (7, true), (8, false)]);
    assert_eq!((queue.ready, queue.uncut), (8, 0));
}

#[test]
fn more_than_ticks_can_cut_is_cut_by_whoever_adds_to_it() {
    for (room, most) in [(usize::MAX, UNCUT_BYTES), (UNCUT_BYTES, UNCUT_BYTES / 8), (8, 1)] {
        let mut queue = Queue::new("vm".into(), 1000, room);
        for n in 0..20 {
            queue.push(record(n), Some("x".repeat(UNCUT_BYTES / 16 + 1)));
            let uncut: usize = queue.entries.iter().map(Entry::uncut).sum();
            assert_eq!(queue.uncut, uncut);
            assert!(uncut <= most, "{uncut} of {most}");
            let bytes: usize = queue.entries.iter().map(|entry| entry.bytes).sum();
            assert_eq!(queue.size(), (queue.entries.len(), bytes));
        }
        assert!(
            queue.entries.iter().skip(queue.ready).all(|entry| entry.uncut() > 0),
            "no more than is needed"
        );
        while queue.cut_some() {}
        let batch = queue.batch(0).unwrap();
        assert!(numbers(&batch).iter().copied().eq(0..batch.records.len() as u64));
    }
}

#[test]
fn nothing_of_a_copy_is_kept_once_it_is_cut() {
    let mut queue = queue();
    let json = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}", "x".repeat(4000));
    queue.push(record(1), Some(json.clone()));
    assert_eq!(queue.size().1, queue.uncut + 1024);
    assert!(queue.cut_some());
    assert_eq!(queue.uncut, 0);
    assert!(queue.entries.iter().all(|entry| matches!(entry.content, Content::Cut(_))));
    assert_eq!(body(&queue.batch(0).unwrap(), 0), json);
}

#[test]
fn a_batch_is_whole_by_records_or_by_bytes_that_are_cut() {
    let mut queue = Queue::new("vm".into(), 1000, usize::MAX);
    (1..BATCH_RECORDS as u64).for_each(|n| queue.push(record(n), None));
    assert!(!queue.has_batch());
    queue.push(record(0), None);
    assert!(queue.has_batch());

    let mut queue = Queue::new("vm".into(), 1000, usize::MAX);
    (0..4).for_each(|n| queue.push(record(n), Some("x".repeat(BATCH_BYTES / 4))));
    assert!(!queue.has_batch());
    while queue.cut_some() {}
    assert!(queue.has_batch());
}
