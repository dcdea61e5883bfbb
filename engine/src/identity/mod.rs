//! A token becomes a principal.
//!
//! * [`credential`]: the token among a request's headers.
//! * [`Verifier`]: who a token speaks for, by the issuers' keys and the clock.
//! * [`Cache`]: verdicts by token digest, since a signature costs milliseconds inside Envoy.

mod cache;
mod claims;
mod credential;
mod key;
mod lineage;
mod token;
mod verify;

pub use cache::{Cache, Digest};
pub use claims::has_audience;
pub use credential::{CredentialError, credential};
pub use key::KeyProblem;
pub use lineage::{FROM, Lineage, MAX_LINEAGE, SINCE, TokenId};
pub use token::MAX_TOKEN;
pub use verify::{SKEW_MS, TokenError, VIA, Verified, Verifier};

use serde::{Deserialize, Serialize};

/// Whether a scope that a token is narrowed to covers another: the scope itself, or a group of them (`batches.*`).
pub fn covers(own: &str, scope: &str) -> bool {
    match own.strip_suffix(".*") {
        Some(group) => scope.strip_prefix(group).is_some_and(|rest| rest.starts_with('.')),
        None => own == scope,
    }
}

/// Whether two subjects are one person. The subject alone counts, whatever the issuer and the case: one person has
/// tokens of several issuers, and some providers take `Ana@example.com` and `ana@example.com` for one account.
pub fn same_person(a: &str, b: &str) -> bool {
    plain_subject(a) == plain_subject(b)
}

/// A subject without what does not make another person of it: case, and space around it.
pub fn plain_subject(subject: &str) -> String {
    subject.trim().to_lowercase()
}

/// Who is calling, as verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// The verified subject.
    pub subject: String,
    /// Groups from the token.
    pub groups: Vec<String>,
    /// Scopes from the token; `None` when the token carries no such claim and so does not narrow.
    pub scopes: Option<Vec<String>>,
    /// Who acts on the subject's behalf: the token's `act.sub` (RFC 8693, section 4.1); `None`: the subject itself.
    pub actor: Option<String>,
    /// The token's `exp`, in Unix milliseconds.
    pub expires_ms: u64,
}
