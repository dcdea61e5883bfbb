//! Refresh tokens, devices that wait for tokens, and assertions that were used.

use async_trait::async_trait;

use super::StoreError;
use crate::records::{Entry, SignInEvent};
use crate::tokens::device::{Device, Poll};
use crate::tokens::family::{Family, Rotated, Rotation};
use crate::tokens::source::Source;

/// Families of refresh tokens, and devices. Times are Unix milliseconds, given by the caller; secrets come as hashes.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Begins a family with its first refresh token, and writes what the log says of it.
    async fn open_family(&self, family: Family, hash: String, entry: Entry) -> Result<(), StoreError>;

    /// The family of a refresh token, used or not, as long as it is live.
    async fn family(&self, hash: &str, now_ms: u64) -> Result<Option<Family>, StoreError>;

    /// One refresh token becomes the next, once.
    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, StoreError>;

    /// A device asks. `false`: too many wait, or its code is taken.
    async fn open_device(&self, device: Device, hash: String) -> Result<bool, StoreError>;

    /// The device that waits with this code.
    async fn device(&self, user_code: &str, now_ms: u64) -> Result<Option<Device>, StoreError>;

    /// Lets a device in that waits, by what a person showed; or refuses it; and writes in the log who did. Whether it
    /// still waited at the time of the event.
    async fn decide_device(
        &self,
        user_code: String,
        source: Option<Source>,
        event: SignInEvent,
    ) -> Result<bool, StoreError>;

    /// What a device is told that polls.
    async fn poll_device(&self, hash: String, now_ms: u64) -> Result<Poll, StoreError>;

    /// Uses an assertion up, by the hash of what it is known by, and remembers it until a moment. `false`: it was used before,
    /// here or at another replica.
    async fn use_assertion(&self, hash: String, until_ms: u64) -> Result<bool, StoreError>;

    /// Forgets families, devices and used assertions whose time is over.
    async fn forget_tokens(&self, now_ms: u64) -> Result<(), StoreError>;
}
