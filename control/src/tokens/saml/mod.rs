//! SAML 2.0 assertions, for which control gives tokens of its own (RFC 7522).
//!
//! ```text
//!  bytes ──plain──► a text that two parsers read alike ──pinned──► no key in it but our own name for one
//!        ──read──► what it says, in one shape ──Signatures──► xmlsec1: signed by a pinned certificate
//! ```
//!
//! XML signatures are checked over a form of the document that must be made first, and cover what they refer to: who reads
//! another element than was signed, or by another parser, believes a forger (signature wrapping; CVE-2025-25291). So only one
//! shape is taken: the assertion itself is the root, its one signature stands directly in it and refers to the root alone, and
//! whatever two parsers could see differently is refused before either sees it. The same text goes to both.
//!
//! | module | what |
//! |---|---|
//! | [`document`] | bytes become such a text |
//! | [`read`] | the text becomes an [`Assertion`] |
//! | [`signature`] | the signature, by the program `xmlsec1` |

mod document;
mod read;
mod signature;

use std::path::Path;

use serde_json::{Map, Value};
use sluice_engine::policy::document::Policy;

pub use document::{Document, LARGEST};
pub use signature::{PROGRAM, Signatures, Unproved};

/// Why an assertion is not taken, in words for whoever sent it. It never quotes the assertion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the assertion is not taken: {0}")]
pub struct Wrong(String);

impl Wrong {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What an assertion says, before anybody has looked at its signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// Its id: a name of ASCII letters, digits, `_`, `-` and `.`.
    pub id: String,
    /// The issuer's entity ID.
    pub issuer: String,
    /// The only place that may take it.
    pub recipient: String,
    /// As the claims of a token: `iss`, `sub` (the NameID), `aud`, `exp` (the earliest end), `iat`, `nbf` and `jti`; each attribute
    /// under its `Name`, a text or a list of them.
    pub claims: Map<String, Value>,
    /// When the session at the issuer ends, in Unix milliseconds, where it says so.
    pub session_ends_ms: Option<u64>,
}

/// What keeps the assertions of a policy from being checked here: a sentence, where there is something.
pub fn lacking(policy: &Policy, program: &Path) -> Option<String> {
    let issuer = policy.issuers.iter().find(|issuer| issuer.saml.is_some())?;
    (!program.is_file()).then(|| {
        format!(
            "issuer `{}` signs SAML assertions, and the program that checks them is not at {}: install Debian's xmlsec1, or say \
             where it is with `sluice serve --xmlsec1`; until then they are all refused",
            issuer.name,
            program.display()
        )
    })
}

#[cfg(test)]
mod tests;
