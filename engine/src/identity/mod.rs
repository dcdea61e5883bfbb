//! A token becomes a principal.

use serde::{Deserialize, Serialize};

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
    /// The token's `exp`, in Unix milliseconds.
    pub expires_ms: u64,
}
