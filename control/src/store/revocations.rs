//! What is shut out before its end.

use async_trait::async_trait;
use sluice_engine::policy::bundle::Revocation;

use super::StoreError;
use crate::tokens::revocation::Revoked;

/// Revocations. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// Shuts out, and says what it came to: a holder who gives back token after token ends everything that they have, so
    /// that the bundle stays small. `None`: so many of holders are remembered that no more are taken.
    async fn revoke(&self, revoked: Revoked) -> Result<Option<Revoked>, StoreError>;

    /// Everything that is shut out.
    async fn revoked(&self, now_ms: u64) -> Result<Vec<Revocation>, StoreError>;

    /// The same with who did it and why, the newest first.
    async fn revocations(&self, now_ms: u64, limit: u32) -> Result<Vec<Revoked>, StoreError>;

    /// Forgets what is over.
    async fn forget_revocations(&self, now_ms: u64) -> Result<(), StoreError>;
}
