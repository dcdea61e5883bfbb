//! Records on their way to control: bounded, in order, sent again until they are acknowledged.
//!
//! A record comes with the masked copy of its body as text, and is cut into blocks here, off the path of any exchange: on
//! ticks of the root context, some bytes at a time, whether control answers or not, so that what waited for control leaves
//! as soon as it is back. Only what is cut is sent. A worker that takes in more than its ticks cut must not pile it up: beyond
//! a bound the oldest are cut at once, on the path of whoever adds to them.

use std::collections::{HashSet, VecDeque};

use sluice_engine::record::{Block, Body, Piece, Record, cut};
use sluice_engine::wire::{Batch, BatchReply};

/// Records in one batch at the most.
const BATCH_RECORDS: usize = 256;
/// Bytes of blocks in one batch at the most, but for a single record that has more.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Bytes that one tick cuts at the most: the worker does nothing else meanwhile. A single copy that is longer is cut whole,
/// and stalls it about as long as its request did when it was judged.
/// Source: on ticks in Envoy's V8 this took 1.1 ms of an agent's conversations on average, and at worst 2.8 ms on a machine
/// that was busy with other things.
const CUT_BYTES: usize = 256 * 1024;
/// Bytes of copies that wait to be cut at the most; where the queue has little room, an eighth of it. Ticks cut as much in
/// a fifth of a second, so that this delays no record for longer than the next batch does.
const UNCUT_BYTES: usize = 8 * 1024 * 1024;
/// Digests of which we remember that control has them; beyond, all are forgotten, and blocks travel once more.
const KNOWN: usize = 100_000;

/// A record, and what its body became.
struct Entry {
    record: Record,
    content: Content,
    bytes: usize,
}

/// The body of a record.
enum Content {
    /// Its masked copy.
    Uncut(String),
    /// The blocks that the record names.
    Cut(Vec<Block>),
}

impl Entry {
    fn new(record: Record, masked: Option<String>) -> Self {
        let content = masked.map_or_else(|| Content::Cut(Vec::new()), Content::Uncut);
        let mut entry = Self { record, content, bytes: 0 };
        entry.weigh();
        entry
    }

    /// Bytes of its copy that are to be cut.
    fn uncut(&self) -> usize {
        match &self.content {
            Content::Uncut(masked) => masked.len(),
            Content::Cut(_) => 0,
        }
    }

    /// The blocks that its record names, once they are cut.
    fn blocks(&self) -> &[Block] {
        match &self.content {
            Content::Uncut(_) => &[],
            Content::Cut(blocks) => blocks,
        }
    }

    fn cut(&mut self) {
        if let Content::Uncut(masked) = &self.content {
            let (body, blocks) = cut(masked);
            self.record.body = Some(body);
            self.content = Content::Cut(blocks);
            self.weigh();
        }
    }

    fn weigh(&mut self) {
        const RECORD: usize = 1024;
        let blocks = self.blocks().iter().map(|block| block.text.len()).sum::<usize>();
        self.bytes = RECORD + self.uncut() + blocks + self.record.body.as_ref().map_or(0, inline_bytes);
    }
}

/// The batch that is not acknowledged yet. Sent again it holds the same records: control writes an id once.
struct Sent {
    id: String,
    records: usize,
    under_way: bool,
}

/// The queue of one VM.
pub struct Queue {
    entries: VecDeque<Entry>,
    /// How many of them, from the oldest on, are cut.
    ready: usize,
    /// Bytes of copies that are not.
    uncut: usize,
    bytes: usize,
    max_records: usize,
    max_bytes: usize,
    sent: Option<Sent>,
    known: HashSet<String>,
    /// Distinguishes the batches of this VM from those of others.
    vm: String,
    next: u64,
    /// Not before this moment, after a failure.
    retry_at_ms: u64,
}

impl Queue {
    /// An empty queue. `vm`: random, differs between VMs.
    pub fn new(vm: String, max_records: usize, max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            ready: 0,
            uncut: 0,
            bytes: 0,
            max_records,
            max_bytes,
            sent: None,
            known: HashSet::new(),
            vm,
            next: 0,
            retry_at_ms: 0,
        }
    }

    /// Whether new exchanges must be refused. What is already under way may still add its end: a record is
    /// never dropped.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= self.max_records || self.bytes >= self.max_bytes
    }

    /// Whether half of the room is taken: the rest is kept for callers who are known, so that strangers who knock
    /// while control is slow cannot have everybody refused.
    pub fn is_crowded(&self) -> bool {
        self.entries.len() >= self.max_records / 2 || self.bytes >= self.max_bytes / 2
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Records that wait, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Adds a record with the masked copy of its body.
    pub fn push(&mut self, record: Record, masked: Option<String>) {
        let entry = Entry::new(record, masked);
        self.bytes += entry.bytes;
        self.uncut += entry.uncut();
        self.entries.push_back(entry);
        self.pass_cut();
        while self.uncut > UNCUT_BYTES.min(self.max_bytes / 8) {
            self.cut_next();
        }
    }

    /// Whether more waits to be cut than one tick cuts.
    pub fn is_behind(&self) -> bool {
        self.uncut > CUT_BYTES
    }

    /// Whether a whole batch is cut: it need not wait for the next look.
    pub fn has_batch(&self) -> bool {
        self.ready >= BATCH_RECORDS || self.bytes.saturating_sub(self.uncut) >= BATCH_BYTES
    }

    /// Cuts what waits for it, as much as one tick may. Says whether anything waited.
    pub fn cut_some(&mut self) -> bool {
        let before = self.uncut;
        let ready = self.ready;
        while let Some(entry) = self.entries.get(self.ready) {
            let done = before - self.uncut;
            if done > 0 && done + entry.uncut() > CUT_BYTES {
                break;
            }
            self.cut_next();
        }
        self.ready > ready
    }

    /// Cuts the oldest that is not.
    fn cut_next(&mut self) {
        let Some(entry) = self.entries.get_mut(self.ready) else { return };
        self.uncut = self.uncut.saturating_sub(entry.uncut());
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        entry.cut();
        self.bytes += entry.bytes;
        self.pass_cut();
    }

    /// What has nothing to be cut, or is, is ready once all before it is.
    fn pass_cut(&mut self) {
        let cut = |entry: &&Entry| matches!(entry.content, Content::Cut(_));
        self.ready += self.entries.iter().skip(self.ready).take_while(cut).count();
    }

    /// The next batch, when there is one to send now.
    pub fn batch(&mut self, now_ms: u64) -> Option<Batch> {
        let again = self.sent.as_ref().map(|sent| sent.records);
        if self.is_under_way() || self.ready == 0 || now_ms < self.retry_at_ms {
            return None;
        }
        let mut batch = Batch { id: format!("{}-{}", self.vm, self.next), ..Batch::default() };
        let mut named: HashSet<&str> = HashSet::new();
        let mut bytes = 0;
        for entry in self.entries.iter().take(again.unwrap_or(BATCH_RECORDS.min(self.ready))) {
            if again.is_none() && bytes > 0 && bytes + entry.bytes > BATCH_BYTES {
                break;
            }
            bytes += entry.bytes;
            batch.records.push(entry.record.clone());
            let new = entry
                .blocks()
                .iter()
                .filter(|block| !self.known.contains(&block.digest) && named.insert(&block.digest));
            batch.blocks.extend(new.cloned());
        }
        self.sent = Some(Sent { id: batch.id.clone(), records: batch.records.len(), under_way: true });
        Some(batch)
    }

    /// Control has answered. Gives the number of records that it has written.
    pub fn answered(&mut self, reply: &BatchReply, now_ms: u64) -> usize {
        if !reply.missing.is_empty() {
            // Control lost what it once had; the same batch goes again with these, at once. If it misses what the
            // batch carried, sending that again at once would never end.
            if self.forget(&reply.missing) {
                self.set_under_way(false);
            } else {
                self.failed(now_ms);
            }
            return 0;
        }
        let Some(sent) = self.sent.take() else { return 0 };
        let written: Vec<Entry> = self.entries.drain(..sent.records.min(self.entries.len())).collect();
        for entry in written {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            self.learn(entry.blocks());
        }
        self.ready = self.ready.saturating_sub(sent.records);
        self.next += 1;
        sent.records
    }

    /// The batch did not arrive, or its answer did not: it is sent again, under the same id.
    pub fn failed(&mut self, now_ms: u64) {
        const PAUSE_MS: u64 = 500;
        self.set_under_way(false);
        self.retry_at_ms = now_ms + PAUSE_MS;
    }

    fn set_under_way(&mut self, under_way: bool) {
        if let Some(sent) = &mut self.sent {
            sent.under_way = under_way;
        }
    }

    fn is_under_way(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.under_way)
    }

    /// Whether a batch of this id is under way.
    pub fn is_sending(&self, id: &str) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.id == id)
    }

    /// Which of these blocks control may not have.
    pub fn unknown(&self, blocks: &[Block]) -> Vec<Block> {
        blocks.iter().filter(|block| !self.known.contains(&block.digest)).cloned().collect()
    }

    /// Control has these blocks.
    pub fn learn(&mut self, blocks: &[Block]) {
        if self.known.len() + blocks.len() > KNOWN {
            self.known.clear();
        }
        self.known.extend(blocks.iter().map(|block| block.digest.clone()));
    }

    /// Control does not have these blocks. Says whether one of them was held for known.
    pub fn forget(&mut self, digests: &[String]) -> bool {
        let known = digests.iter().filter(|digest| self.known.remove(*digest)).count();
        known > 0
    }
}

fn inline_bytes(body: &Body) -> usize {
    let size = |piece: &Piece| match piece {
        Piece::Text(text) => text.len(),
        Piece::Block(digest) => digest.len(),
    };
    body.pieces.iter().map(size).sum()
}

#[cfg(test)]
mod tests;
