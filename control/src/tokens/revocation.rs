//! What is shut out before its end, on its way into the bundle.

use serde::{Deserialize, Serialize};
use sluice_engine::policy::bundle::Revocation;
use sluice_engine::record::Who;

use crate::store::{Store, StoreError};

/// How long a revocation is remembered of which it is not known when what it shuts out ends: the longest life that a policy
/// may allow (30 days), and a day for what was exchanged at the last moment and for clocks.
pub const REMEMBERED_MS: u64 = 31 * 24 * 3600 * 1000;

/// The same for a token whose end is known: what was exchanged for it in its last moment lives an hour, and clocks differ by
/// half a minute.
pub const AFTER_END_MS: u64 = 3700 * 1000;

/// A revocation as it is kept, listed, and written in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// What is shut out.
    pub what: Revocation,
    /// Whose it is, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Who>,
    /// Who did it.
    pub by: Who,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// When it is forgotten: nothing that it shuts out could still be taken.
    pub until_ms: u64,
}

impl Revoked {
    /// Whether a holder gave a token of theirs back.
    pub fn is_by_holder(&self) -> bool {
        self.holder.as_ref() == Some(&self.by)
    }

    /// Everything of the same holder up to now, in the place of one token more.
    pub fn widened(self) -> Self {
        let Some(holder) = &self.holder else { return self };
        let what = Revocation::Subject {
            issuer: holder.issuer.clone(),
            subject: holder.subject.clone(),
            before_ms: self.at_ms,
        };
        Self { what, until_ms: self.at_ms.saturating_add(REMEMBERED_MS), ..self }
    }
}

/// What is shut out now, in an order of its own: the same revocations make the same bundle.
///
/// # Errors
/// See [`StoreError`].
pub async fn now_revoked(store: &dyn Store, now_ms: u64) -> Result<Vec<Revocation>, StoreError> {
    store.forget_revocations(now_ms).await?;
    let mut revoked = store.revoked(now_ms).await?;
    revoked.sort();
    Ok(revoked)
}
