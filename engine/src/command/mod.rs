//! What a command would do: the effect of SQL and of shell text.

use serde::{Deserialize, Serialize};

/// What a command would do, from the least to the most that it takes to be sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Only looks.
    Read,
    /// Opens, ends or steers a transaction or session.
    Transaction,
    /// Adds or changes data.
    Write,
    /// Creates or alters structure.
    Define,
    /// Removes data or structure beyond single rows.
    Destroy,
    /// Changes who may do what.
    Grant,
    /// Changes the system itself: settings, users, processes, programs on the server.
    Administer,
    /// Not understood; never taken for a read.
    Unknown,
}
impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}
#[allow(missing_docs)]
pub struct Reading {
    pub statements: Vec<Statement>,
}
#[allow(missing_docs)]
pub struct Statement {
    pub effect: Effect,
    pub why: String,
}
#[allow(missing_docs)]
pub fn sql(_: &str) -> Reading {
    Reading { statements: vec![] }
}
#[allow(missing_docs)]
pub fn shell(_: &str) -> Reading {
    Reading { statements: vec![] }
}
