//! Is the log what was written?

mod found;
mod run;
mod session;

use std::collections::{BTreeMap, HashMap, HashSet};

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use sluice_engine::record::chain::{Problem, Verifier};
use sluice_engine::record::checkpoint::{Checkpoint, notes};

use super::{Entry, Through, intake::digests, writer_name};
use crate::store::{Head, Store, StoreError, Which};

pub use found::{Fault, Misplaced, SessionReport, Span, Unread, Wrong};
pub use session::{Bounds, verify_session};

const PAGE: u32 = 500;

/// Problems of one kind that are named; a log that is worse than that is bad enough.
const NAMED: usize = 1000;

/// What a verification found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing is wrong.
    pub sound: bool,
    /// Each writer's chain.
    pub writers: Vec<WriterReport>,
    /// How many blocks were checked.
    pub blocks: u64,
    /// Blocks that are not as they were written.
    pub block_problems: Vec<BlockProblem>,
    /// What retention has removed; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retained>,
}

/// What retention has removed, as the log itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retained {
    /// Texts that were last named before this, in Unix milliseconds, may be gone.
    pub before_ms: u64,
    /// Up to which entry of each chain.
    pub through: Vec<Through>,
    /// Blocks that entries up to there name, and that are gone.
    pub blocks: u64,
}

/// What was found in a writer's chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriterReport {
    /// The writer.
    pub writer: String,
    /// How many entries were read.
    pub entries: u64,
    /// The signed head, as a note; absent when it is not genuine.
    pub checkpoint: Option<String>,
    /// What is wrong, by place.
    pub problems: Vec<Problem>,
}

/// A block that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum BlockProblem {
    /// Its text is not what its digest says.
    #[error("block {digest} was altered")]
    Altered {
        /// Its digest.
        digest: String,
    },
    /// Something names it and it is not there.
    #[error("block {digest} was removed; {by} names it")]
    Removed {
        /// Its digest.
        digest: String,
        /// What names it.
        by: String,
    },
}

/// Reads the whole log and every block, and says what is wrong. `keys` are those of the writers; `against` are
/// checkpoints that were kept elsewhere.
///
/// # Errors
/// When the store cannot be read.
pub async fn verify(
    store: &dyn Store,
    keys: &[VerifyingKey],
    against: &[Checkpoint],
) -> Result<Report, StoreError> {
    // Heads first: what is written meanwhile comes after them, and is left to the next verification.
    let heads = store.heads().await?;
    let mut report = Report::default();
    let mut found = Found::default();
    for head in &heads {
        let key = keys.iter().find(|key| writer_name(key) == head.writer);
        report.writers.push(writer(store, head, key, against, &mut found).await?);
    }
    let mut gone: BTreeMap<&str, u64> = BTreeMap::new();
    for kept in against.iter().filter(|kept| !heads.iter().any(|head| head.writer == kept.writer)) {
        let to = gone.entry(&kept.writer).or_default();
        *to = kept.seq.max(*to);
    }
    for (writer, to) in gone {
        let problems = vec![Problem::Truncated { from: 1, to }];
        report.writers.push(WriterReport {
            writer: writer.to_owned(),
            entries: 0,
            checkpoint: None,
            problems,
        });
    }
    let mut lists: HashMap<String, Vec<String>> = HashMap::new();
    let mut cursor = 0;
    loop {
        let page = store.blocks_after(cursor, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        cursor = *last;
        for (_, block) in page {
            report.blocks += 1;
            let pieces = block.pieces().filter(|_| block.is_sound());
            if pieces.is_none() {
                report.block_problems.push(BlockProblem::Altered { digest: block.digest.clone() });
            }
            let names = digests(&pieces.unwrap_or_default()).into_iter().map(str::to_owned).collect();
            lists.insert(block.digest, names);
        }
    }
    let (kept, old): (Vec<_>, Vec<_>) = found.wanted.iter().partition(|wanted| !found.covers(wanted));
    let removed = lacking(&kept, &lists);
    report
        .block_problems
        .extend(removed.into_iter().map(|(digest, (by, _))| BlockProblem::Removed { digest, by }));
    if let Some((before_ms, through)) = found.retention() {
        let blocks = lacking(&old, &lists).len() as u64;
        report.retention = Some(Retained { before_ms, through, blocks });
    }
    report.block_problems.truncate(NAMED);
    report.sound = report.block_problems.is_empty() && report.writers.iter().all(|w| w.problems.is_empty());
    Ok(report)
}

async fn writer(
    store: &dyn Store,
    head: &Head,
    key: Option<&VerifyingKey>,
    against: &[Checkpoint],
    found: &mut Found,
) -> Result<WriterReport, StoreError> {
    let mut verifier = Verifier::new(&head.writer);
    let against = Kept::of(&head.writer, against);
    let signed = Checkpoint { writer: head.writer.clone(), seq: head.seq, hash: head.hash };
    let genuine = key.filter(|key| signed.is_signed(&head.signature, key));
    let mut entries = 0;
    let mut after = 0;
    loop {
        let which = Which { after, writer: Some(head.writer.clone()), limit: PAGE, ..Which::default() };
        let page = store.entries(which).await?;
        let Some(last) = page.last() else { break };
        after = i64::try_from(last.seq).unwrap_or(i64::MAX);
        for stored in page {
            // Written since the head was read; a head that is not genuine bounds nothing.
            if genuine.is_some() && stored.seq > head.seq && is_signed_later(store, head, key).await? {
                after = i64::MAX;
                break;
            }
            entries += 1;
            verifier.entry(stored.seq, stored.hash, stored.entry.as_bytes());
            if let Some(signature) = &stored.signature {
                verifier.signed(key.is_some_and(|key| verifier.here().is_signed(signature, key)));
            }
            if !against.fit(&verifier.here()) {
                verifier.signed(false);
            }
            if let Ok(entry) = serde_json::from_str(&stored.entry) {
                found.read(&entry, &stored.writer, stored.seq);
            }
        }
    }
    let reached = verifier.here().seq;
    let mut problems = verifier.finish(genuine.map(|_| &signed));
    problems.extend(against.cut_off(reached));
    problems.truncate(NAMED);
    let checkpoint = genuine.and_then(|key| {
        let signature = <[u8; 64]>::try_from(head.signature.as_slice()).ok()?;
        Some(signed.note(&signature, key))
    });
    Ok(WriterReport { writer: head.writer.clone(), entries, checkpoint, problems })
}

/// Checkpoints of one writer that were kept elsewhere.
#[derive(Debug, Default)]
pub struct Kept<'c> {
    by_seq: BTreeMap<u64, Vec<&'c Checkpoint>>,
}

impl<'c> Kept<'c> {
    /// Those of this writer.
    pub fn of(writer: &str, all: &'c [Checkpoint]) -> Self {
        let mut by_seq: BTreeMap<u64, Vec<&Checkpoint>> = BTreeMap::new();
        for kept in all.iter().filter(|kept| kept.writer == writer) {
            by_seq.entry(kept.seq).or_default().push(kept);
        }
        Self { by_seq }
    }

    /// Whether what was kept of this place, if anything, says the same.
    pub fn fit(&self, here: &Checkpoint) -> bool {
        self.by_seq.get(&here.seq).into_iter().flatten().all(|kept| *kept == here)
    }

    /// What a log that ends here lacks.
    pub fn cut_off(&self, reached: u64) -> Option<Problem> {
        let (last, _) = self.by_seq.last_key_value()?;
        (*last > reached).then_some(Problem::Truncated { from: reached + 1, to: *last })
    }
}

/// Opens checkpoints that were kept elsewhere: all notes in a text.
///
/// # Errors
/// The number, from one, of the first that is none, or that no writer of this log has signed; 0: there is none at all.
pub fn open_kept(text: &str, writers: &[VerifyingKey]) -> Result<Vec<Checkpoint>, usize> {
    let open = |(at, note)| {
        let mut opened = writers.iter().map(|key| Checkpoint::open(note, key));
        opened.find_map(Result::ok).ok_or(at + 1)
    };
    let opened: Vec<Checkpoint> = notes(text).enumerate().map(open).collect::<Result<_, usize>>()?;
    if opened.is_empty() { Err(0) } else { Ok(opened) }
}

/// Whether the writer has gone on since: its head now is genuine and further on.
async fn is_signed_later(
    store: &dyn Store,
    head: &Head,
    key: Option<&VerifyingKey>,
) -> Result<bool, StoreError> {
    let now = store.heads().await?.into_iter().find(|now| now.writer == head.writer && now.seq > head.seq);
    Ok(now.zip(key).is_some_and(|(now, key)| {
        Checkpoint { writer: now.writer, seq: now.seq, hash: now.hash }.is_signed(&now.signature, key)
    }))
}

/// What entries name, and what the log says of its own retention.
#[derive(Debug, Default)]
struct Found {
    wanted: Vec<Wanted>,
    before_ms: u64,
    through: BTreeMap<String, u64>,
}

/// A block that an entry names.
#[derive(Debug)]
struct Wanted {
    digest: String,
    writer: String,
    seq: u64,
}

impl Found {
    fn read(&mut self, entry: &Entry, writer: &str, seq: u64) {
        match entry {
            Entry::Exchange(record) => {
                let Some(body) = &record.body else { return };
                self.wanted.extend(digests(&body.pieces).into_iter().map(|digest| Wanted {
                    digest: digest.to_owned(),
                    writer: writer.to_owned(),
                    seq,
                }));
            }
            // An act that nobody signed is part of a log that is not sound, whatever it covers.
            Entry::Retention(act) => {
                self.before_ms = self.before_ms.max(act.before_ms);
                for Through { writer, seq } in &act.through {
                    let own = self.through.entry(writer.clone()).or_default();
                    *own = (*seq).max(*own);
                }
            }
            _ => {}
        }
    }

    /// Whether retention may have removed it.
    fn covers(&self, wanted: &Wanted) -> bool {
        self.through.get(&wanted.writer).is_some_and(|through| wanted.seq <= *through)
    }

    fn retention(&self) -> Option<(u64, Vec<Through>)> {
        let through = self.through.iter().map(|(writer, seq)| Through { writer: writer.clone(), seq: *seq });
        (!self.through.is_empty()).then(|| (self.before_ms, through.collect()))
    }
}

/// Which of these, and of what they name, are not there; and what names them, and the entry behind that.
fn lacking<'w>(
    wanted: &[&'w Wanted],
    lists: &HashMap<String, Vec<String>>,
) -> BTreeMap<String, (String, &'w Wanted)> {
    let mut lacking = BTreeMap::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut left: Vec<(&str, Option<&str>, &'w Wanted)> =
        wanted.iter().map(|wanted| (wanted.digest.as_str(), None, *wanted)).collect();
    while let Some((digest, list, by)) = left.pop() {
        if !seen.insert(digest) {
            continue;
        }
        match lists.get(digest) {
            Some(names) => left.extend(names.iter().map(|name| (name.as_str(), Some(digest), by))),
            None => {
                let entry = || format!("entry {}/{}", by.writer, by.seq);
                let named = list.map_or_else(entry, |list| format!("block {list}"));
                lacking.insert(digest.to_owned(), (named, by));
            }
        }
    }
    lacking
}
