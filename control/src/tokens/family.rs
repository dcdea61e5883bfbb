//! Sign-ins that last: families of refresh tokens (RFC 6749, section 6).
//!
//! A refresh token is good once and gives the next one. One that is shown again was copied, by a thief or from one: the
//! whole family ends (RFC 9700, section 4.14.2).

use serde::{Deserialize, Serialize};
use sluice_engine::policy::document::{KeySource, Policy};

use super::source::Source;
use crate::records::Entry;

/// By what refresh tokens are known.
pub const PREFIX: &str = "slr_";

/// How often a family is refreshed at the most: its hashes are kept until its end.
pub const ROTATIONS: i64 = 2000;

/// A sign-in that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Family {
    /// Its id: tokens that it gives name it in `from`, so that they end with it.
    pub id: String,
    /// What it rests on: groups and scopes as they were then.
    pub source: Source,
    /// When it began, in Unix milliseconds.
    pub created_ms: u64,
    /// When it ends, whatever happens.
    pub ends_ms: u64,
}

impl Family {
    /// When it ends by the policy as it is now; `None`: at once, since the issuer has no refresh any more.
    pub fn ends_by(&self, policy: &Policy) -> Option<u64> {
        let limit = longest(policy, &self.source.who.issuer)?;
        Some(self.ends_ms.min(self.created_ms.saturating_add(limit)))
    }
}

/// How long a sign-in with tokens of this issuer may last, in milliseconds; `None`: not beyond one token.
pub fn longest(policy: &Policy, issuer: &str) -> Option<u64> {
    let issuer = policy.issuers.iter().find(|own| own.name == issuer && own.keys != KeySource::Control)?;
    Some(issuer.refresh?.as_millis())
}

/// One refresh token becomes the next.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The hash of the one that was shown.
    pub shown: String,
    /// The hash of the next one.
    pub next: String,
    /// What the log says of the token that is given beside it.
    pub entry: Entry,
    /// When.
    pub now_ms: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The next one is good.
    Done,
    /// The one that was shown had been used: its family has ended.
    Reused,
    /// There is no such family any more.
    Gone,
}
