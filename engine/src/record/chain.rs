//! The chain: each entry of a writer's log carries a hash over everything before it.
//!
//! ```text
//! hash(0) = SHA-256("sluice-chain/1 writer" 0x00 writer)
//! hash(n) = SHA-256("sluice-chain/1 entry" 0x00 hash(n-1) n as 8 bytes, big-endian  SHA-256(entry's bytes))
//! ```
//!
//! The inner digest lets an entry's text go one day without breaking the chain behind it. The chain alone shows
//! what was altered by someone who did not rewrite everything after it; the signed head ([`super::checkpoint`])
//! shows the rest.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::checkpoint::Checkpoint;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// From 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes().chunks_exact(2);
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash before a writer's first entry.
pub fn genesis(writer: &str) -> Hash {
    let mut sha = Sha256::new();
    sha.update(b"sluice-chain/1 writer\0");
    sha.update(writer.as_bytes());
    Hash(sha.finalize().into())
}

/// The hash of entry `seq` (the first is 1), given that of the one before it.
pub fn link(before: &Hash, seq: u64, entry: &[u8]) -> Hash {
    link_digest(before, seq, &Hash(Sha256::digest(entry).into()))
}

fn link_digest(before: &Hash, seq: u64, entry: &Hash) -> Hash {
    let mut sha = Sha256::new();
    sha.update(b"sluice-chain/1 entry\0");
    sha.update(before.0);
    sha.update(seq.to_be_bytes());
    sha.update(entry.0);
    Hash(sha.finalize().into())
}

/// What is wrong with a log, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Problem {
    /// The entry's text is not what was written.
    #[error("entry {seq} was altered")]
    Altered {
        /// Its number.
        seq: u64,
    },
    /// The entry stands where another one belongs.
    #[error("entry {seq} was moved: it belongs at {belongs}")]
    Moved {
        /// Where it stands.
        seq: u64,
        /// Where it was written.
        belongs: u64,
    },
    /// Entries are not there.
    #[error("{} removed", were(.from, .to))]
    Removed {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Entries at the end are not there.
    #[error("the log was cut off: entries {from} to {to}, which the signed head covers, are gone")]
    Truncated {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The same number twice, or going back.
    #[error("entry {seq} stands twice or out of order")]
    OutOfOrder {
        /// Its number.
        seq: u64,
    },
    /// The hashes fit each other, and not what was signed.
    #[error(
        "the log was rewritten somewhere from entry {after} to {seq}: the signature at {seq} is over another hash"
    )]
    Rewritten {
        /// The last entry that a signature vouches for, plus one.
        after: u64,
        /// The entry with the signature that does not fit.
        seq: u64,
    },
    /// Entries that no signature covers.
    #[error("entries {from} to {to} come after the signed head: they were not written by the service")]
    Unsigned {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// There are entries and no signed head that is genuine.
    #[error("the signed head is gone, or its signature is not the writer's")]
    NoHead,
}

/// So many entries, before what was done to them.
fn were(from: &u64, to: &u64) -> String {
    if from == to { format!("entry {from} was") } else { format!("entries {from} to {to} were") }
}

/// How many misfits are remembered to tell a moved entry from an altered one; it takes the cube of it in hashes.
const MISFITS: usize = 64;

/// Reads a writer's log, from its first entry on or a part of it, and says what is wrong with it.
#[derive(Debug)]
pub struct Verifier {
    writer: String,
    seq: u64,
    hash: Hash,
    vouched: u64,
    problems: Vec<Problem>,
    misfits: Vec<Misfit>,
}

/// An entry whose hash does not follow from what stands before it.
#[derive(Debug)]
struct Misfit {
    seq: u64,
    before: Hash,
    hash: Hash,
    entry: Hash,
}

impl Verifier {
    /// For a writer's log.
    pub fn new(writer: &str) -> Self {
        Self {
            writer: writer.to_owned(),
            seq: 0,
            hash: genesis(writer),
            vouched: 0,
            problems: Vec::new(),
            misfits: Vec::new(),
        }
    }

    /// For the part of a writer's log behind this entry, whose hash is taken as it is stored: what is signed further on
    /// vouches for it.
    pub fn behind(at: Checkpoint) -> Self {
        let Checkpoint { writer, seq, hash } = at;
        Self { writer, seq, hash, vouched: seq, problems: Vec::new(), misfits: Vec::new() }
    }

    /// The next entry as it is stored: its number, its stored hash, its exact bytes.
    pub fn entry(&mut self, seq: u64, hash: Hash, entry: &[u8]) {
        if seq <= self.seq {
            self.problems.push(Problem::OutOfOrder { seq });
            return;
        }
        let gap = seq > self.seq + 1;
        if gap {
            self.problems.push(Problem::Removed { from: self.seq + 1, to: seq - 1 });
        }
        // Behind a gap there is nothing to check this one against; it starts the chain anew.
        if !gap && link(&self.hash, seq, entry) != hash {
            if self.misfits.len() < MISFITS {
                let entry = Hash(Sha256::digest(entry).into());
                self.misfits.push(Misfit { seq, before: self.hash, hash, entry });
            } else {
                self.problems.push(Problem::Altered { seq });
            }
        }
        self.seq = seq;
        self.hash = hash;
    }

    /// What someone signed about the entry given last: the head at that time. Call it after [`Verifier::entry`].
    pub fn signed(&mut self, genuine: bool) {
        if genuine {
            self.vouched = self.seq;
        } else {
            self.problems.push(Problem::Rewritten { after: self.vouched + 1, seq: self.seq });
        }
    }

    /// The checkpoint of the entry given last, as its writer would sign it.
    pub fn here(&self) -> Checkpoint {
        Checkpoint { writer: self.writer.clone(), seq: self.seq, hash: self.hash }
    }

    /// Ends the log with its head, whose signature the caller has checked. `None`: there is none.
    pub fn finish(mut self, head: Option<&Checkpoint>) -> Vec<Problem> {
        match head {
            None if self.seq > 0 => self.problems.push(Problem::NoHead),
            None => {}
            Some(head) if head.seq > self.seq => {
                self.problems.push(Problem::Truncated { from: self.seq + 1, to: head.seq });
            }
            Some(head) if head.seq < self.seq => {
                self.problems.push(Problem::Unsigned { from: head.seq + 1, to: self.seq });
            }
            Some(head) if head.hash != self.hash || head.writer != self.writer => {
                self.problems.push(Problem::Rewritten { after: self.vouched + 1, seq: self.seq });
            }
            Some(_) => {}
        }
        self.tell_moved_from_altered();
        self.problems.sort_by_key(Problem::place);
        self.problems
    }

    /// An entry that was moved still carries the hash that it got at its place. The place is one where the chain
    /// misfits as well: where a hash that stands there leads, with this entry, to this entry's hash. An entry that
    /// fits at its own number once the others are back at theirs only follows from the move.
    fn tell_moved_from_altered(&mut self) {
        let known: Vec<Hash> = self.misfits.iter().flat_map(|m| [m.before, m.hash]).collect();
        let fits = |misfit: &Misfit, seq| {
            known.iter().any(|before| link_digest(before, seq, &misfit.entry) == misfit.hash)
        };
        let mut moved = Vec::new();
        let mut altered = Vec::new();
        for misfit in &self.misfits {
            let mut places = self.misfits.iter().map(|m| m.seq).filter(|&seq| seq != misfit.seq);
            match places.find(|&seq| fits(misfit, seq)) {
                Some(belongs) => moved.push(Problem::Moved { seq: misfit.seq, belongs }),
                None => altered.push(misfit),
            }
        }
        altered.retain(|misfit| moved.is_empty() || !fits(misfit, misfit.seq));
        self.problems.extend(altered.into_iter().map(|m| Problem::Altered { seq: m.seq }));
        self.problems.append(&mut moved);
    }
}

impl Problem {
    fn place(&self) -> u64 {
        match self {
            Self::Altered { seq } | Self::Moved { seq, .. } | Self::OutOfOrder { seq } => *seq,
            Self::Removed { from, .. } | Self::Truncated { from, .. } | Self::Unsigned { from, .. } => *from,
            Self::Rewritten { seq, .. } => *seq,
            Self::NoHead => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests;
