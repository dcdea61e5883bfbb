use std::collections::BTreeMap;

use sluice_engine::record::Stage;

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

fn block(text: &str) -> Block {
    Block::new(text.to_owned(), false)
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
    (0..700).for_each(|n| queue.push(record(n), Vec::new()));
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
        queue.push(record(700 + seen.len() as u64), Vec::new());
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
    queue.push(record(1), Vec::new());
    assert_eq!(queue.answered(&BatchReply::default(), 0), 0);
    assert_eq!(queue.batch(0).map(|batch| numbers(&batch)), Some(vec![1]));
}

#[test]
fn it_is_full_by_records_or_by_bytes_and_takes_what_was_under_way_all_the_same() {
    let large = "x".repeat(5000);
    let body = Body { pieces: vec![Piece::Text(large.clone())] };
    let cases = [
        ("records", Queue::new("vm".into(), 3, 1 << 20), 3, record(0), Vec::new()),
        ("bytes of blocks", Queue::new("vm".into(), 1000, 12_000), 2, record(0), vec![block(&large)]),
        (
            "bytes of bodies",
            Queue::new("vm".into(), 1000, 12_000),
            2,
            Record { body: Some(body), ..record(0) },
            Vec::new(),
        ),
        ("bytes of records", Queue::new("vm".into(), 1000, 4096), 4, record(0), Vec::new()),
    ];
    for (what, mut queue, holds, record, blocks) in cases {
        for n in 0..holds {
            assert!(!queue.is_full(), "{what}, {n}");
            queue.push(record.clone(), blocks.clone());
        }
        assert!(queue.is_full(), "{what}");
        queue.push(record.clone(), blocks.clone());
        let batch = queue.batch(0).unwrap();
        assert_eq!(batch.records.len(), holds + 1, "{what}: something was dropped");
        assert!(queue.is_full(), "{what}: what is not acknowledged still counts");
        queue.answered(&BatchReply::default(), 0);
        assert!(!queue.is_full(), "{what}");
        assert_eq!((queue.entries.len(), queue.bytes), (0, 0), "{what}");
    }
}

#[test]
fn a_batch_is_bounded_by_bytes_but_a_single_record_always_fits() {
    let mut queue = Queue::new("vm".into(), 1000, usize::MAX);
    let sizes = [BATCH_BYTES * 2, BATCH_BYTES / 2, BATCH_BYTES / 3, BATCH_BYTES / 3, 10];
    for (n, size) in (0..).zip(sizes) {
        queue.push(record(n), vec![block(&n.to_string().repeat(size))]);
    }
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
    queue.push(record(1), vec![a.clone(), b.clone()]);
    queue.push(record(2), vec![a.clone()]);
    let first = queue.batch(0).unwrap();
    assert_eq!(first.blocks.len(), 2, "a block twice in one batch");
    assert_eq!(queue.unknown(&[a.clone(), b.clone()]), [a.clone(), b.clone()], "not acknowledged");
    queue.answered(&BatchReply::default(), 0);
    assert_eq!(queue.unknown(&[a.clone(), b.clone()]), []);

    queue.push(record(3), vec![a.clone(), b.clone()]);
    let bare = queue.batch(0).unwrap();
    assert_eq!(digests(&bare), [""; 0]);
    assert_eq!(queue.answered(&missing(&[&b]), 0), 0);
    let again = queue.batch(0).unwrap();
    assert_eq!((&again.id, numbers(&again), digests(&again)), (&bare.id, vec![3], vec![b.digest.clone()]));
    assert_eq!(queue.answered(&BatchReply::default(), 0), 1);
    assert_eq!(queue.batch(0), None);
}

#[test]
fn what_control_misses_although_it_was_sent_waits_for_the_pause() {
    let mut queue = queue();
    let a = block("a");
    queue.push(record(1), vec![a.clone()]);
    let first = queue.batch(0).unwrap();
    assert_eq!(queue.answered(&missing(&[&a]), 0), 0);
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
    queue.push(record(1), Vec::new());
    assert!(!queue.is_crowded());
    queue.push(record(2), Vec::new());
    assert!(queue.is_crowded() && !queue.is_full());
}
