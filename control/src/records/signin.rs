//! What the log says of people who sign in in a browser.

use serde::{Deserialize, Serialize};
use sluice_engine::record::Who;

use crate::visits::Visit;

/// Somebody signed in or out, or was refused. A visit's end by its time is none: the end stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignInEvent {
    /// What happened.
    pub change: SignInChange,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Who vouches, by the issuer's name in the policy; `dev` where people say themselves who they are.
    pub by: String,
    /// Who it is; absent where nobody was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// The visit that begins or ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<String>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<u64>,
    /// The address that asked: a proxy's, where one stands before the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The device that was let in or refused: its code, and what it says that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Why it ended like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Refused ones before this one of which the log has no more than their number.
    #[serde(default, skip_serializing_if = "is_none")]
    pub left_out: u64,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignInChange {
    /// A visit begins.
    SignedIn,
    /// A visit is over.
    SignedOut,
    /// Nobody was let in.
    Refused,
    /// A person let a device in, which gets its token when it next asks.
    DeviceLetIn,
    /// A person refused a device.
    DeviceRefused,
}

impl SignInChange {
    /// The words for it, in exports.
    pub fn words(self) -> &'static str {
        match self {
            Self::SignedIn => "signed in",
            Self::SignedOut => "signed out",
            Self::Refused => "sign-in refused",
            Self::DeviceLetIn => "device let in",
            Self::DeviceRefused => "device refused",
        }
    }
}

impl SignInEvent {
    /// Something happened, of which nothing more is known.
    pub fn new(change: SignInChange, by: &str, at_ms: u64) -> Self {
        Self {
            change,
            at_ms,
            by: by.to_owned(),
            who: None,
            visit: None,
            ends_ms: None,
            address: None,
            device: None,
            why: None,
            left_out: 0,
        }
    }

    /// A visit begins or ends.
    pub fn of(change: SignInChange, digest: &str, visit: &Visit, at_ms: u64) -> Self {
        let by = if visit.basis == "dev" { "dev" } else { &visit.principal.issuer };
        Self {
            who: Some(visit.who()),
            visit: Some(Visit::named(digest)),
            ends_ms: Some(visit.principal.expires_ms),
            ..Self::new(change, by, at_ms)
        }
    }
}
