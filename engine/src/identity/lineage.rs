//! Where a token comes from, and what of that is revoked.
//!
//! ```text
//!  corp's token T ──exchange──► control's C1 ──exchange──► C2      C2 carries `from`: T, C1
//! ```
//!
//! A token that was made for another one carries the ids of all before it, so that one revocation ends them all,
//! wherever they are, without anybody having to be asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::claims::time_ms;
use crate::policy::bundle::Revocation;

/// The claim of control's tokens that names the tokens which were given for them, the first one first: pairs of an
/// issuer's name in the policy and an id.
pub const FROM: &str = "from";

/// The claim of control's tokens that says when the first of those was issued, in Unix seconds; 0 where it did not say. So
/// a token that is made in the moment in which its subject is revoked is out as well.
pub const SINCE: &str = "since";

/// Tokens that a token may come from: the claim stays small.
pub const MAX_LINEAGE: usize = 8;

/// Longest `jti`, in bytes, that is taken for an id; for others the token's digest is.
const MAX_ID: usize = 256;

/// Names a token: its `jti`; where it has none, `sha256:` and the digest of what is signed, or of the whole opaque token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenId(
    /// The issuer's name in the policy.
    pub String,
    /// The id.
    pub String,
);

/// Where a token comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lineage {
    /// The tokens that were given for it, the first one first, and itself.
    pub tokens: Vec<TokenId>,
    /// When the first of them was issued, in Unix milliseconds, where it said so.
    pub issued_ms: Option<u64>,
}

impl Lineage {
    /// What a token says of itself, and what names it where it has no id; the error says what is wrong with it. Only control's
    /// word counts for others' tokens.
    pub(super) fn read(
        claims: &Map<String, Value>,
        signed: &[u8],
        issuer: &str,
        is_own: bool,
    ) -> Result<Self, &'static str> {
        const WRONG: &str = "its `from` is not a list of at most eight pairs of an issuer and an id";
        let mut tokens: Vec<TokenId> = match claims.get(FROM).filter(|_| is_own) {
            None => Vec::new(),
            Some(from) => Vec::deserialize(from).map_err(|_| WRONG)?,
        };
        if tokens.len() > MAX_LINEAGE {
            return Err(WRONG);
        }
        let own = match claims.get("jti") {
            Some(Value::String(jti)) if is_id(jti) => jti.clone(),
            _ => format!("sha256:{:x}", Sha256::digest(signed)),
        };
        tokens.push(TokenId(issuer.to_owned(), own));
        let issued = if is_own && claims.contains_key(SINCE) { SINCE } else { "iat" };
        Ok(Self { tokens, issued_ms: time_ms(claims, issued).ok().flatten() })
    }
}

/// What is shut out, to be looked up.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    /// By issuer and folded subject: tokens made before this moment (Unix milliseconds) are refused.
    subjects: BTreeMap<String, BTreeMap<String, u64>>,
    /// By issuer.
    tokens: BTreeMap<String, BTreeSet<String>>,
}

impl Revoked {
    pub fn new(revocations: &[Revocation]) -> Self {
        let mut revoked = Self::default();
        for revocation in revocations {
            match revocation {
                Revocation::Subject { issuer, subject, before_ms } => {
                    let subjects = revoked.subjects.entry(issuer.clone()).or_default();
                    let latest = subjects.entry(folded(subject)).or_default();
                    *latest = (*latest).max(*before_ms);
                }
                Revocation::Token { issuer, id } => {
                    revoked.tokens.entry(issuer.clone()).or_default().insert(id.clone());
                }
            }
        }
        revoked
    }

    pub fn covers(&self, issuer: &str, subject: &str, lineage: &Lineage) -> bool {
        let is_out =
            |TokenId(issuer, id): &TokenId| self.tokens.get(issuer).is_some_and(|tokens| tokens.contains(id));
        if lineage.tokens.iter().any(is_out) {
            return true;
        }
        let before = self.subjects.get(issuer).filter(|subjects| !subjects.is_empty());
        let before = before.and_then(|subjects| subjects.get(&folded(subject)));
        // A token that does not say when it was made may have been made before.
        before.is_some_and(|before_ms| lineage.issued_ms.is_none_or(|issued_ms| issued_ms < *before_ms))
    }
}

fn is_id(jti: &str) -> bool {
    (1..=MAX_ID).contains(&jti.len()) && !jti.chars().any(char::is_control)
}

/// Some issuers write one subject (a mail address) in several cases of letters.
fn folded(subject: &str) -> String {
    subject.trim().to_lowercase()
}
