//! What a token of control's own is given for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sluice_engine::identity::{Lineage, Principal, Verified};
use sluice_engine::record::Who;
use zeroize::Zeroizing;

use crate::keys::{KeyError, random};

/// A token that was verified, and what may be given for it: never more than it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Who it speaks for.
    pub who: Who,
    /// Who acts on their behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The scopes that it is narrowed to; absent: not narrowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Where it comes from, itself included.
    pub from: Lineage,
    /// Whether control made it: what was exchanged once does not live longer by being exchanged again.
    pub is_own: bool,
    /// Its end, in Unix milliseconds.
    pub expires_ms: u64,
}

impl From<Verified> for Source {
    fn from(Verified { principal, lineage, is_own }: Verified) -> Self {
        Self {
            who: Who { issuer: principal.issuer, subject: principal.subject, groups: principal.groups },
            actor: principal.actor,
            scopes: principal.scopes,
            from: lineage,
            is_own,
            expires_ms: principal.expires_ms,
        }
    }
}

impl Source {
    /// A principal that was verified otherwise than by a token of control's own.
    pub fn of(principal: Principal, from: Lineage) -> Self {
        Verified { principal, lineage: from, is_own: false }.into()
    }
}

/// An opaque token, of which control keeps only the hash.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A new one: 256 random bits behind a prefix by which people and scanners know what they have found.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn draw(prefix: &str) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(random::<32>()?);
        Ok(Self(Zeroizing::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(*bytes)))))
    }

    /// The token. Never logged.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> String {
        hash(&self.0)
    }
}

/// What is kept of an opaque token that was shown: its SHA-256. With 256 random bits nobody finds it from that, and
/// looking for it by its hash takes no time that depends on how much of it is right.
pub fn hash(token: &str) -> String {
    format!("{:x}", Sha256::digest(token.as_bytes()))
}
