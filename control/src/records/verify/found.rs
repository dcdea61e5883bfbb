//! What a verification of a session finds.

use serde::{Deserialize, Serialize};
use sluice_engine::record::chain::Problem;

use super::BlockProblem;

/// What a verification of a session found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionReport {
    /// Whether nothing is wrong in what was read.
    pub sound: bool,
    /// Whether everything was read.
    pub whole: bool,
    /// What was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// How many entries of the session were read.
    pub entries: u64,
    /// Who wrote them, and where in their chains.
    pub writers: Vec<Span>,
    /// How many texts were checked.
    pub blocks: u64,
    /// How many texts are gone by retention.
    pub removed: u64,
    /// What is wrong.
    pub problems: Vec<Fault>,
}

/// Where a session stands in a writer's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The writer.
    pub writer: String,
    /// The number of the session's first entry.
    pub from: u64,
    /// The number of its last.
    pub to: u64,
}

/// What was not read, since it is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum Unread {
    /// Entries of the session.
    #[error("its later entries")]
    Entries,
    /// Other entries.
    #[error("the log between its entries, where one that was taken out would be missed")]
    Between,
    /// Texts.
    #[error("some of its texts")]
    Blocks,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The exchange that it is in, or else next to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    /// Which one of the session that is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<usize>,
    /// Whether it is in no entry that is listed with the session: what was there may have been one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub between: bool,
    /// The writer in whose chain it is.
    pub writer: String,
    /// What is wrong.
    pub what: Wrong,
}

/// What can be wrong with a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(untagged)]
pub enum Wrong {
    /// With its entries.
    #[error(transparent)]
    Chain(Problem),
    /// With its texts.
    #[error(transparent)]
    Block(BlockProblem),
    /// With which entries the database says that it has.
    #[error(transparent)]
    Listed(Misplaced),
}

/// The database lists an entry with another session than the entry names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Misplaced {
    /// It is this session's, and is not listed with it.
    #[error("entry {seq} is of this session, and was hidden from it")]
    Hidden {
        /// Its number.
        seq: u64,
    },
    /// It is another one's.
    #[error("entry {seq} is of another session, and was put into this one")]
    Stranger {
        /// Its number.
        seq: u64,
    },
}
