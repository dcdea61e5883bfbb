//! Is the log what was written?

use std::collections::HashSet;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use sluice_engine::record::chain::{Problem, Verifier};
use sluice_engine::record::checkpoint::Checkpoint;

use super::{Entry, intake::digests, writer_name};
use crate::store::{Head, Store, StoreError, Which};

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

/// Reads the whole log and every block, and says what is wrong. `keys` are those of the writers; `against` is a
/// checkpoint that was kept elsewhere.
///
/// # Errors
/// When the store cannot be read.
pub async fn verify(
    store: &dyn Store,
    keys: &[VerifyingKey],
    against: Option<&Checkpoint>,
) -> Result<Report, StoreError> {
    // Heads first: what is written meanwhile comes after them, and is left to the next verification.
    let heads = store.heads().await?;
    let mut report = Report::default();
    let mut present = HashSet::new();
    let mut wanted: Vec<(String, String)> = Vec::new();
    for head in &heads {
        let key = keys.iter().find(|key| writer_name(key) == head.writer);
        report.writers.push(writer(store, head, key, against, &mut wanted).await?);
    }
    if let Some(missing) = against.filter(|c| !heads.iter().any(|head| head.writer == c.writer)) {
        let gone = Problem::Truncated { from: 1, to: missing.seq };
        let writer = missing.writer.clone();
        report.writers.push(WriterReport { writer, entries: 0, checkpoint: None, problems: vec![gone] });
    }
    let mut cursor = 0;
    loop {
        let page = store.blocks_after(cursor, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        cursor = *last;
        for (_, block) in page {
            report.blocks += 1;
            match block.pieces().filter(|_| block.is_sound()) {
                Some(pieces) => wanted.extend(
                    digests(&pieces).into_iter().map(|d| (d.to_owned(), format!("block {}", block.digest))),
                ),
                None => report.block_problems.push(BlockProblem::Altered { digest: block.digest.clone() }),
            }
            present.insert(block.digest);
        }
    }
    wanted.retain(|(digest, _)| !present.contains(digest));
    wanted.sort();
    wanted.dedup_by(|a, b| a.0 == b.0);
    report.block_problems.extend(wanted.into_iter().map(|(digest, by)| BlockProblem::Removed { digest, by }));
    report.block_problems.truncate(NAMED);
    report.sound = report.block_problems.is_empty() && report.writers.iter().all(|w| w.problems.is_empty());
    Ok(report)
}

async fn writer(
    store: &dyn Store,
    head: &Head,
    key: Option<&VerifyingKey>,
    against: Option<&Checkpoint>,
    wanted: &mut Vec<(String, String)>,
) -> Result<WriterReport, StoreError> {
    let mut verifier = Verifier::new(&head.writer);
    let against = against.filter(|checkpoint| checkpoint.writer == head.writer);
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
            if against.is_some_and(|c| c.seq == stored.seq && *c != verifier.here()) {
                verifier.signed(false);
            }
            want(&stored.entry, &stored.writer, stored.seq, wanted);
        }
    }
    let reached = verifier.here().seq;
    let mut problems = verifier.finish(genuine.map(|_| &signed));
    if let Some(kept) = against.filter(|checkpoint| checkpoint.seq > reached) {
        problems.push(Problem::Truncated { from: reached + 1, to: kept.seq });
    }
    problems.truncate(NAMED);
    let checkpoint = genuine.and_then(|key| {
        let signature = <[u8; 64]>::try_from(head.signature.as_slice()).ok()?;
        Some(signed.note(&signature, key))
    });
    Ok(WriterReport { writer: head.writer.clone(), entries, checkpoint, problems })
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

fn want(entry: &str, writer: &str, seq: u64, wanted: &mut Vec<(String, String)>) {
    if let Ok(Entry::Exchange(record)) = serde_json::from_str(entry)
        && let Some(body) = &record.body
    {
        wanted.extend(
            digests(&body.pieces).into_iter().map(|d| (d.to_owned(), format!("entry {writer}/{seq}"))),
        );
    }
}
