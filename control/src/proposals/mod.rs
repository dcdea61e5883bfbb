//! Policy that lives in the store: one author proposes a change, another accepts it.
//!
//! ```text
//!                    another author accepts
//!   documents ─► open ─────────────────────► accepted: in force on every replica
//!                 ├─ another author refuses ► rejected
//!                 ├─ who proposed ──────────► withdrawn
//!                 └─ another was accepted ──► stale: propose it anew, on top of that one
//! ```
//!
//! What is in force is signed with the key that signs bundles, so that whoever has only the database puts no policy in
//! force.

mod follow;
mod stored;
mod text;
mod tried;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_engine::record::Who;

use crate::approvals::{DecidedBy, same_person};
use crate::trial::diff::Change;

pub use follow::{Origin, begin, follow, record};
pub use stored::StoredPolicy;
pub use text::{FileChange, Line, Whole, changed_lines};
pub use tried::{Tried, digest_of, try_out};

/// Texts by their file names.
pub type Documents = BTreeMap<String, String>;

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProposalState {
    /// Nobody has decided.
    Open,
    /// It came into force.
    Accepted,
    /// Another author refused it.
    Rejected,
    /// Who proposed it took it back.
    Withdrawn,
    /// Another policy came into force first.
    Stale,
}

impl ProposalState {
    /// The word for it, in stores and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Stale => "stale",
        }
    }

    /// The state of this name.
    pub fn parse(word: &str) -> Option<Self> {
        use ProposalState::{Accepted, Open, Rejected, Stale, Withdrawn};
        [Open, Accepted, Rejected, Withdrawn, Stale].into_iter().find(|state| state.word() == word)
    }
}

/// A policy that somebody would put in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: ProposalState,
    /// Who proposed it, when and why.
    pub by: DecidedBy,
    /// The number of the policy that it was written for; when another is in force, it is stale.
    pub base: u64,
    /// Hexadecimal SHA-256 over names and texts of the documents: what is accepted.
    pub digest: String,
    /// The version that the policy would have.
    pub version: String,
    /// What it would change, from the policy that it was written for.
    pub changes: Vec<Change>,
    /// Whether something would be loosened, or may be.
    pub loosened: bool,
    /// What is probably not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How many cases came along; all of them came out as expected.
    pub cases: usize,
    /// The whole policy, by file name; cases (`*.test.yaml`) among them. Empty in lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: Documents,
    /// Who accepted, refused or withdrew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<DecidedBy>,
}

/// What somebody does with a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Puts it in force: the policy as it is then stored.
    Accept(StoredPolicy),
    /// Refuses it.
    Reject,
    /// Takes it back.
    Withdraw,
}

/// Why somebody may not do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalBar {
    /// They proposed it.
    Own,
    /// Somebody else proposed it.
    NotOwn,
}

impl Proposal {
    /// Why somebody may not do this with it; `None`: they may. That they are an author is for others to know.
    pub fn bars(&self, act: &Act, who: &Who) -> Option<ProposalBar> {
        match act {
            // The subject alone counts, since one person may have several issuers.
            Act::Accept(_) | Act::Reject => {
                same_person(&self.by.subject, &who.subject).then_some(ProposalBar::Own)
            }
            Act::Withdraw => {
                let own = (&self.by.issuer, &self.by.subject) == (&who.issuer, &who.subject);
                (!own).then_some(ProposalBar::NotOwn)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_proposes_never_accepts_and_nobody_else_withdraws() {
        let who = |issuer: &str, subject: &str| Who {
            issuer: issuer.into(),
            subject: subject.into(),
            groups: vec!["authors".into()],
        };
        let proposal = Proposal {
            id: "p".into(),
            state: ProposalState::Open,
            by: DecidedBy::new(&who("corp", "ana@example.com"), 1, None),
            base: 1,
            digest: String::new(),
            version: String::new(),
            changes: vec![],
            loosened: false,
            warnings: vec![],
            cases: 0,
            documents: Documents::new(),
            decided: None,
        };
        for (person, rejects, withdraws) in [
            (who("corp", "ana@example.com"), Some(ProposalBar::Own), None),
            (who("other", "ana@example.com"), Some(ProposalBar::Own), Some(ProposalBar::NotOwn)),
            (who("corp", " ANA@example.com"), Some(ProposalBar::Own), Some(ProposalBar::NotOwn)),
            (who("corp", "ben"), None, Some(ProposalBar::NotOwn)),
        ] {
            assert_eq!(proposal.bars(&Act::Reject, &person), rejects, "{person:?}");
            assert_eq!(proposal.bars(&Act::Withdraw, &person), withdraws, "{person:?}");
        }
    }
}
