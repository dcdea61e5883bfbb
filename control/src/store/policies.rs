//! Policy that lives in the store, and proposals to change it.

use async_trait::async_trait;
use sluice_engine::record::Who;

use super::StoreError;
use crate::proposals::{Act, Proposal, ProposalBar, ProposalState, StoredPolicy};

/// What came of a new proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposed {
    /// It is open.
    Done,
    /// It was written for another policy than the one in force, whose number this is.
    Stale(u64),
    /// As many are open as may be.
    Full,
}

/// What came of an act on a proposal.
#[derive(Debug, Clone)]
pub enum Acted {
    /// It is as they wanted.
    Done(Proposal),
    /// They may not.
    Barred(ProposalBar),
    /// It was decided before; this is how it stands.
    TooLate(Proposal),
    /// No such proposal.
    Unknown,
}

/// Policies and proposals. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Policies: Send + Sync {
    /// The policy in force, when its number is above this one.
    async fn policy_after(&self, number: u64) -> Result<Option<StoredPolicy>, StoreError>;

    /// The policy of this number, in force now or once.
    async fn policy(&self, number: u64) -> Result<Option<StoredPolicy>, StoreError>;

    /// The numbers of policies that are or were in force and since when, in Unix milliseconds; the latest first.
    async fn policies(&self, limit: u32) -> Result<Vec<(u64, u64)>, StoreError>;

    /// Stores the first policy, unless there is one. `version`: as records carry it.
    async fn begin_policy(&self, policy: StoredPolicy, version: String) -> Result<(), StoreError>;

    /// Writes a proposal.
    async fn propose(&self, proposal: Proposal) -> Result<Proposed, StoreError>;

    /// Accepts, refuses or withdraws a proposal, once. What is accepted is in force; what else was open is stale.
    async fn act(
        &self,
        proposal: &str,
        act: Act,
        by: Who,
        reason: Option<String>,
        now_ms: u64,
    ) -> Result<Acted, StoreError>;

    /// A proposal, with its documents.
    async fn proposal(&self, id: &str) -> Result<Option<Proposal>, StoreError>;

    /// Proposals without their documents, the newest first; of one state, or all.
    async fn proposals(&self, state: Option<ProposalState>, limit: u32) -> Result<Vec<Proposal>, StoreError>;
}
