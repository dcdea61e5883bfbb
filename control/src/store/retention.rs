//! Texts go when they are older than the policy keeps them.

use async_trait::async_trait;

use super::StoreError;

/// Retention, in small steps: each is a write of its own, so that replicas take turns and others are not kept waiting.
/// Times are Unix milliseconds, given by the caller.
///
/// Blocks are shared: one that an old entry names may be named by a new one, through lists. So every entry is looked at
/// once, in order, and each block remembers the last day on which one named it. What was last named before the floor
/// counts as gone from the moment on that the floor is raised: a sidecar that names it sends it again. It goes a while
/// later, when no write that was begun before is left.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Looks at `most` further entries; says whether none is left.
    async fn mark(&self, most: u32, now_ms: u64) -> Result<bool, StoreError>;

    /// Raises the floor to a day since 1970, and writes that into the log; says whether it was lower.
    async fn raise_floor(&self, day: i64, now_ms: u64) -> Result<bool, StoreError>;

    /// Removes `most` blocks below the floor; says how many there were.
    async fn sweep(&self, most: u32, now_ms: u64) -> Result<u64, StoreError>;

    /// Removes the previews of `most` holds that began before the floor and wait no more; says how many holds were looked at.
    async fn clear_previews(&self, most: u32) -> Result<u64, StoreError>;
}
