//! What control keeps, behind one trait.
//!
//! Promises that every implementation keeps, and the tests of this folder hold it to:
//!
//! 1. What a write returns is durable: it returns after the commit, and the commit is synced to the disk.
//! 2. A write is whole or did not happen: a record, its blocks and its hold go in one transaction.
//! 3. Writes of one hold happen one after the other, so that an approval is used once.
//! 4. Entries become visible in the order of their cursors, so that a reader who goes on from the last one misses
//!    none.

mod error;
pub mod postgres;
pub mod sqlite;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sluice_engine::budget::Counter;
use sluice_engine::record::chain::Hash;
use sluice_engine::record::{Block, Who};
use sluice_engine::wire::{HoldAsk, HoldDecision, ToolsSeen};

pub use error::StoreError;

use crate::grants::{Change, Grant, GrantState};
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

/// A decision by a person.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The hold's id.
    pub hold: String,
    /// Whether it goes on.
    pub approve: bool,
    /// Who decides.
    pub by: Who,
    /// Why.
    pub reason: Option<String>,
}

/// What came of a decision.
#[derive(Debug, Clone)]
pub enum Decided {
    /// It stands.
    Done(Hold),
    /// The hold was decided before, or had expired; this is how it stands.
    TooLate(Hold),
    /// No such hold.
    Unknown,
}

/// What came of a step that somebody took with a grant.
#[derive(Debug, Clone)]
pub enum Changed {
    /// It is as they wanted.
    Done(Grant),
    /// The step had no place any more; this is how the grant stands.
    TooLate(Grant),
    /// No such grant.
    Unknown,
}

/// What another replica has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News<'a> {
    /// This hold.
    Hold(&'a str),
    /// Some grant.
    Grants,
    /// Something may have been missed: anything.
    Missed,
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

/// Which sessions are listed, the latest first.
#[derive(Debug, Clone, Default)]
pub struct WhichSessions {
    /// Only this caller's.
    pub subject: Option<String>,
    /// Only those last seen before this moment, and at it those whose id is greater: where a page ended.
    pub before: Option<(u64, String)>,
    /// At most this many.
    pub limit: u32,
}

/// Is told of news.
pub type Heard = Box<dyn Fn(News<'_>) + Send + Sync>;
/// Which counters of budgets are read.
#[derive(Debug, Clone, Default)]
pub struct WhichSpending {
    /// What this reporter has counted itself is left out.
    pub except: Option<String>,
    /// Only counters that someone has changed since an answer that ended here.
    pub after: u64,
}

/// What control keeps. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes entries and blocks, and opens or joins a hold; returns the hold as it then stands for this asker.
    async fn add(&self, addition: Addition, now_ms: u64) -> Result<Option<Hold>, StoreError>;

    /// Asks for a hold's approval on behalf of an exchange; uses it up when it is there. `None`: no such hold.
    /// Where another exchange has used it up, the answer is a hold of its own.
    async fn claim(&self, hold: &str, exchange: &str, now_ms: u64) -> Result<Option<Hold>, StoreError>;

    /// Decides a hold, once.
    async fn decide(&self, decision: Decision, now_ms: u64) -> Result<Decided, StoreError>;

    /// Compares the tools that an MCP server lists with the definitions that are approved, opens a hold for each that is
    /// not, and names those tools.
    async fn tools_seen(&self, seen: ToolsSeen, now_ms: u64) -> Result<Vec<String>, StoreError>;

    /// Ends the holds whose time is over, and names them.
    async fn expire(&self, now_ms: u64) -> Result<Vec<String>, StoreError>;

    /// Writes a wish for a grant, or a grant that is live at once.
    async fn open_grant(&self, grant: Grant) -> Result<(), StoreError>;

    /// Takes a step with a grant, where it still has its place.
    async fn change_grant(&self, change: Change, now_ms: u64) -> Result<Changed, StoreError>;

    /// Writes down the ends of grants and wishes whose time is over; says how many.
    async fn end_grants(&self, now_ms: u64) -> Result<usize, StoreError>;

    /// A grant.
    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError>;

    /// Grants, the newest first; of one state, or all.
    async fn grants(&self, state: Option<GrantState>, limit: u32) -> Result<Vec<Grant>, StoreError>;

    /// Grants of a subject, of any issuer, that wait or are live: the newest first.
    async fn grants_of(&self, subject: &str, limit: u32) -> Result<Vec<Grant>, StoreError>;

    /// Makes a writer of the log known to those who verify it; does nothing when it is.
    async fn enrol(&self, writer: Enrolled) -> Result<(), StoreError>;

    /// The writers that are known.
    async fn enrolled(&self) -> Result<Vec<Enrolled>, StoreError>;

    /// A hold.
    async fn hold(&self, id: &str) -> Result<Option<Hold>, StoreError>;

    /// Holds, the newest first; of one state, or all.
    async fn holds(&self, state: Option<HoldDecision>, limit: u32) -> Result<Vec<Hold>, StoreError>;

    /// Which of these digests are not there.
    async fn missing(&self, digests: Vec<String>) -> Result<Vec<String>, StoreError>;

    /// The blocks with these digests, as far as they are there.
    async fn blocks(&self, digests: Vec<String>) -> Result<Vec<Block>, StoreError>;

    /// Blocks in the order of writing, behind a cursor, each with its own.
    async fn blocks_after(&self, cursor: i64, limit: u32) -> Result<Vec<(i64, Block)>, StoreError>;

    /// Entries.
    async fn entries(&self, which: Which) -> Result<Vec<Stored>, StoreError>;

    /// Sessions.
    async fn sessions(&self, which: WhichSessions) -> Result<Vec<Session>, StoreError>;

    /// Where each writer's chain stands.
    async fn heads(&self) -> Result<Vec<Head>, StoreError>;

    /// Hears of what other replicas have changed, for as long as that can be heard. Never returns where there are no
    /// other replicas.
    async fn listen(&self, heard: Heard) -> StoreError;
    /// Takes in what a reporter has counted of budgets in all. Told twice, or late, it changes nothing.
    async fn report_spending(
        &self,
        reporter: String,
        counters: Vec<Counter>,
        now_ms: u64,
    ) -> Result<(), StoreError>;

    /// What all reporters together have counted of windows that have not ended, and where this answer ends.
    async fn spending(&self, which: WhichSpending, now_ms: u64) -> Result<(u64, Vec<Counter>), StoreError>;

    /// Why the last write failed, as long as none has succeeded since.
    fn trouble(&self) -> Option<String>;

    /// Finishes the writes that were handed in and closes.
    async fn close(&self);
}

#[cfg(test)]
mod tests;
