//! What waits for a person.

use async_trait::async_trait;
use sluice_engine::record::Who;
use sluice_engine::wire::{HoldDecision, ToolsSeen};

use super::StoreError;
use crate::approvals::{Bar, Span};
use crate::holds::Hold;

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
    /// For a time, and not only this once.
    pub span: Option<Span>,
    /// With an approval: texts that are masked before it goes on.
    pub masked: Vec<String>,
}

/// What came of a decision.
#[derive(Debug, Clone)]
pub enum Decided {
    /// It counts. The hold waits on where more must approve.
    Done(Hold),
    /// They may not decide it.
    Barred(Bar),
    /// The hold was decided before, or had expired; this is how it stands.
    TooLate(Hold),
    /// No such hold.
    Unknown,
}

/// Holds. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Holds: Send + Sync {
    /// Asks for a hold's approval on behalf of an exchange; uses it up when it is there. `None`: no such hold.
    /// Where another exchange has used it up, the answer is a hold of its own.
    async fn claim(&self, hold: &str, exchange: &str, now_ms: u64) -> Result<Option<Hold>, StoreError>;

    /// Takes in what somebody says about a hold that waits; decides it where that is enough.
    async fn decide(&self, decision: Decision, now_ms: u64) -> Result<Decided, StoreError>;

    /// Compares the tools that an MCP server lists with the definitions that are approved, opens a hold for each that is
    /// not, and names those tools.
    async fn tools_seen(&self, seen: ToolsSeen, now_ms: u64) -> Result<Vec<String>, StoreError>;

    /// Ends the holds whose time is over, and names them.
    async fn expire(&self, now_ms: u64) -> Result<Vec<String>, StoreError>;

    /// A hold.
    async fn hold(&self, id: &str) -> Result<Option<Hold>, StoreError>;

    /// Holds, the newest first; of one state, or all. Those that were approved have those that were edited among them.
    async fn holds(&self, state: Option<HoldDecision>, limit: u32) -> Result<Vec<Hold>, StoreError>;
}
