//! The log: entries, their chain, the blocks that they name, and what listings show of them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sluice_engine::record::Block;
use sluice_engine::record::chain::Hash;
use sluice_engine::wire::HoldAsk;

use super::StoreError;
use crate::holds::Hold;
use crate::records::Entry;

/// Everything that one write adds.
#[derive(Debug, Clone, Default)]
pub struct Addition {
    /// Identifies a batch: one that was written before is not written again.
    pub batch: Option<[u8; 32]>,
    /// Entries of the log, in order.
    pub entries: Vec<Entry>,
    /// Blocks that they name; one that is there already is left alone.
    pub blocks: Vec<Block>,
    /// A hold to open or to join.
    pub ask: Option<HoldAsk>,
}

/// An entry as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Grows with every entry; where an export goes on.
    pub cursor: i64,
    /// The writer whose chain it is part of.
    pub writer: String,
    /// Its number there.
    pub seq: u64,
    /// The chain's hash at it.
    pub hash: Hash,
    /// Its exact text.
    pub entry: String,
    /// The writer's signature, on the last entry of a commit.
    pub signature: Option<Vec<u8>>,
}

/// Where a writer's chain stands, signed.
#[derive(Debug, Clone)]
pub struct Head {
    /// The writer.
    pub writer: String,
    /// The number of its last entry.
    pub seq: u64,
    /// The hash at it.
    pub hash: Hash,
    /// Ed25519 over the checkpoint.
    pub signature: Vec<u8>,
}

/// A writer of the log, as the store has it. Whoever can write to the database can write this, too: only the
/// signature says that it is one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The writer.
    pub writer: String,
    /// Its Ed25519 public key, 32 bytes.
    pub key: Vec<u8>,
    /// By the key that signs bundles.
    pub signature: Vec<u8>,
}

/// Which entries are read, always in the order of writing.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Those behind this cursor.
    pub after: i64,
    /// Those of one session, or of one exchange without a session.
    pub session: Option<String>,
    /// Those of one exchange.
    pub exchange: Option<String>,
    /// Those of one writer, by number, for verification.
    pub writer: Option<String>,
    /// At most this many.
    pub limit: u32,
}

/// A session as listings show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The session's id, or that of the exchange where the client sends no session.
    pub session: String,
    /// Whether the client sent the id.
    pub named: bool,
    /// The issuer of the caller's token; empty when there was no verified caller.
    pub issuer: String,
    /// The caller; empty when there was no verified caller.
    pub subject: String,
    /// The first record, in Unix milliseconds.
    pub first_ms: u64,
    /// The last record, in Unix milliseconds.
    pub last_ms: u64,
    /// Exchanges that were opened.
    pub exchanges: u64,
    /// Decisions that refused something.
    pub denied: u64,
    /// Decisions that held something.
    pub held: u64,
    /// Findings in the traffic.
    pub findings: u64,
    /// Tokens of prompts, cached ones included.
    pub input_tokens: u64,
    /// Tokens that the model wrote.
    pub output_tokens: u64,
}

/// What a session can be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A group of its caller.
    Group,
    /// A model that answered.
    Model,
    /// A tool that was called or decided about.
    Tool,
    /// A rule that decided.
    Rule,
    /// A kind of finding.
    Finding,
}

impl Mark {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Group, Self::Model, Self::Tool, Self::Rule, Self::Finding];

    /// The word for it, in stores and questions.
    pub fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Rule => "rule",
            Self::Finding => "finding",
        }
    }
}

/// Decisions that a session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdicts {
    /// Something was refused.
    Denied,
    /// Something was held.
    Held,
    /// Neither.
    Allowed,
}

/// Which sessions are listed, the latest first.
#[derive(Debug, Clone, Default)]
pub struct WhichSessions {
    /// Only this caller's.
    pub subject: Option<String>,
    /// Only callers in whose names this stands, in whatever case.
    pub person: Option<String>,
    /// Only those in which each of these occurs.
    pub marks: Vec<(Mark, String)>,
    /// Only those in which one of each of these texts was said ([`super::Texts::texts_with`]).
    pub texts: Vec<Vec<i64>>,
    /// Only those with such decisions.
    pub verdicts: Option<Verdicts>,
    /// Only those last seen at this moment or later.
    pub since_ms: Option<u64>,
    /// Only those first seen before this moment.
    pub until_ms: Option<u64>,
    /// Only those last seen before this moment, and at it those whose id is greater: where a page ended.
    pub before: Option<(u64, String)>,
    /// At most this many.
    pub limit: u32,
}

/// The log. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Log: Send + Sync {
    /// Writes entries and blocks, and opens or joins a hold; returns the hold as it then stands for this asker.
    async fn add(&self, addition: Addition, now_ms: u64) -> Result<Option<Hold>, StoreError>;

    /// Which of these digests are not there.
    async fn missing(&self, digests: Vec<String>) -> Result<Vec<String>, StoreError>;

    /// The blocks with these digests, as far as they are there.
    async fn blocks(&self, digests: Vec<String>) -> Result<Vec<Block>, StoreError>;

    /// Blocks in the order of writing, behind a cursor, each with its own.
    async fn blocks_after(&self, cursor: i64, limit: u32) -> Result<Vec<(i64, Block)>, StoreError>;

    /// Entries.
    async fn entries(&self, which: Which) -> Result<Vec<Stored>, StoreError>;

    /// The latest entry by which retention says what it removes.
    async fn last_retention(&self) -> Result<Option<Stored>, StoreError>;

    /// Sessions.
    async fn sessions(&self, which: WhichSessions) -> Result<Vec<Session>, StoreError>;

    /// Where each writer's chain stands.
    async fn heads(&self) -> Result<Vec<Head>, StoreError>;

    /// Makes a writer of the log known to those who verify it; does nothing when it is.
    async fn enrol(&self, writer: Enrolled) -> Result<(), StoreError>;

    /// The writers that are known.
    async fn enrolled(&self) -> Result<Vec<Enrolled>, StoreError>;
}
