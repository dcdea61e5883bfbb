//! What issuers said last of people.

use async_trait::async_trait;

use super::StoreError;
use crate::approvals::Vouched;

/// What issuers said last of people, as far as control has heard it.
#[async_trait]
pub trait Vouches: Send + Sync {
    /// Keeps what an issuer said, unless it has said something since. Ends the delegations of groups that the person is not
    /// in any more, and writes that in the log.
    async fn hear(&self, vouched: Vouched, now_ms: u64) -> Result<(), StoreError>;

    /// What was said last; `None`: nothing was heard.
    async fn vouched(&self, issuer: &str, subject: &str) -> Result<Option<Vouched>, StoreError>;
}
