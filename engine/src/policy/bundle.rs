//! The bundle: everything the filter runs on, in one signed document.
//!
//! Control signs the exact bytes of [`SignedBundle::payload`] with Ed25519; the filter checks them against the
//! keys in its plugin configuration before it reads them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::document::Policy;

/// The newest format, and all before it are read. A bundle is written in the oldest that has all it says
/// ([`Bundle::format_needed`]), so that a filter that cannot know a restriction keeps the bundle out instead of passing
/// over it: format 2 has [`Bundle::withheld`].
pub const FORMAT: u32 = 2;

/// Everything the filter runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// See [`FORMAT`].
    pub format: u32,
    /// Digest of what decides: policy, keys, grants, revocations. Two bundles with one version decide alike.
    pub version: String,
    /// Digest of the policy alone, as records carry it.
    pub policy_version: String,
    /// When control made it, in Unix milliseconds. A filter never goes back to an older one.
    pub issued_at_ms: u64,
    /// The policy, merged and checked.
    pub policy: Policy,
    /// The keys of each issuer in the policy, by issuer name.
    pub keys: Vec<IssuerKeys>,
    /// 32 bytes, base64: keys of pseudonyms and sealed masks are derived from it.
    pub tenant_key: String,
    /// Rights with an end.
    pub grants: Vec<Grant>,
    /// Subjects and tokens that are shut out at once.
    pub revocations: Vec<Revocation>,
    /// What access reviews have taken back of what bindings give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
}

impl Bundle {
    /// The oldest format that has everything this bundle says.
    pub fn format_needed(&self) -> u32 {
        if self.withheld.is_empty() { 1 } else { 2 }
    }
}

/// What an access review has taken back: a role of one identity, or part of it. It takes from what bindings give, not
/// from grants: those have been approved for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Withheld {
    /// Its id in control.
    pub id: String,
    /// The issuer that vouches for who it is about, by its name in the policy.
    pub issuer: String,
    /// Who it is about; another spelling of the same subject ([`same_person`](crate::identity::same_person)) is meant too.
    pub subject: String,
    /// The role, by name.
    pub role: String,
    /// What of it; absent: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// Part of a role, as globs: what fits one of them is not given by this role, whatever its lists say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Part {
    /// Scopes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Models.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Tools, also those that run at the provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
}

impl Part {
    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.models.is_empty() && self.tools.is_empty()
    }
}

/// The public keys of an issuer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerKeys {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// JSON Web Keys, as published.
    pub keys: Vec<serde_json::Value>,
}

/// A role for a subject, with an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Its id in control.
    pub id: String,
    /// The issuer that vouches for who has it, by its name in the policy.
    pub issuer: String,
    /// Who has it.
    pub subject: String,
    /// The role, by name.
    pub role: String,
    /// When it starts, in Unix milliseconds.
    pub from_ms: u64,
    /// When it ends, in Unix milliseconds. The filter knows the end, even when control is away.
    pub until_ms: u64,
}

/// Something that is shut out at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Revocation {
    /// Every token of this subject that was issued before the moment (Unix milliseconds), and what was exchanged for one.
    Subject {
        /// The issuer that vouches for the subject, by its name in the policy.
        issuer: String,
        /// The subject, in any case of letters.
        subject: String,
        /// Tokens with an earlier `iat` are refused, and those without one.
        before_ms: u64,
    },
    /// This token, and what was exchanged for it.
    Token {
        /// Its issuer, by its name in the policy.
        issuer: String,
        /// Its id: see [`Lineage`](crate::identity::Lineage).
        id: String,
    },
}

/// A bundle as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedBundle {
    /// The JSON of a [`Bundle`], as text; these exact bytes are signed.
    pub payload: String,
    /// Ed25519 over [`SignedBundle::payload`], base64.
    pub signature: String,
}

/// Why a bundle is kept out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// No key in the plugin configuration made the signature.
    #[error("the bundle's signature was made by none of the keys in the plugin configuration (`bundleKeys`)")]
    Signature,
    /// Not a bundle.
    #[error("the bundle cannot be read: {0}")]
    Unreadable(String),
    /// Written by a control service of another generation.
    #[error(
        "the bundle has format {0}, this filter reads formats up to {FORMAT}: bring filter and control to one release"
    )]
    Format(u32),
    /// A key that is not an Ed25519 public key.
    #[error("`{0}` is not an Ed25519 public key in base64 (32 bytes)")]
    Key(String),
}

impl SignedBundle {
    /// Signs a bundle.
    ///
    /// # Errors
    /// [`BundleError::Unreadable`] when it does not serialise (it always does).
    pub fn sign(bundle: &Bundle, key: &SigningKey) -> Result<Self, BundleError> {
        let payload = serde_json::to_string(bundle).map_err(|e| BundleError::Unreadable(e.to_string()))?;
        let signature = BASE64.encode(key.sign(payload.as_bytes()).to_bytes());
        Ok(Self { payload, signature })
    }

    /// Checks the signature against each of `keys`, then reads the bundle.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn open(&self, keys: &[VerifyingKey]) -> Result<Bundle, BundleError> {
        let signature = BASE64
            .decode(&self.signature)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .ok_or(BundleError::Signature)?;
        if !keys.iter().any(|key| key.verify_strict(self.payload.as_bytes(), &signature).is_ok()) {
            return Err(BundleError::Signature);
        }
        let bundle: Bundle =
            serde_json::from_str(&self.payload).map_err(|e| BundleError::Unreadable(e.to_string()))?;
        if !(1..=FORMAT).contains(&bundle.format) {
            return Err(BundleError::Format(bundle.format));
        }
        Ok(bundle)
    }
}

/// Reads an Ed25519 public key in base64.
///
/// # Errors
/// [`BundleError::Key`].
pub fn verifying_key(text: &str) -> Result<VerifyingKey, BundleError> {
    let bytes = BASE64.decode(text.trim()).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
    bytes
        .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
        .ok_or_else(|| BundleError::Key(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn bundle(format: u32) -> Bundle {
        Bundle {
            format,
            version: "v1".into(),
            policy_version: "p1".into(),
            issued_at_ms: 7,
            policy: Policy::default(),
            keys: Vec::new(),
            tenant_key: String::new(),
            grants: Vec::new(),
            withheld: Vec::new(),
            revocations: vec![Revocation::Token { issuer: "corp".into(), id: "t1".into() }],
        }
    }

    #[test]
    fn what_a_review_took_back_needs_the_format_that_has_it_and_nothing_else_does() {
        let mut bundle = bundle(FORMAT);
        assert_eq!(bundle.format_needed(), 1);
        assert!(!serde_json::to_string(&bundle).expect("JSON").contains("withheld"));
        bundle.withheld.push(Withheld {
            id: "w".into(),
            issuer: "corp".into(),
            subject: "ann".into(),
            role: "reader".into(),
            part: None,
        });
        assert_eq!(bundle.format_needed(), 2);
        let signed = SignedBundle::sign(&bundle, &key(1)).expect("signed");
        assert_eq!(signed.open(&[key(1).verifying_key()]), Ok(bundle));
    }

    #[test]
    fn a_bundle_signed_by_one_of_the_keys_opens_as_it_was() {
        let signed = SignedBundle::sign(&bundle(FORMAT), &key(1)).expect("signed");
        let keys = [key(2).verifying_key(), key(1).verifying_key()];
        assert_eq!(signed.open(&keys), Ok(bundle(FORMAT)));
    }

    #[test]
    fn a_bundle_that_was_changed_or_signed_by_another_stays_shut() {
        let signed = SignedBundle::sign(&bundle(FORMAT), &key(1)).expect("signed");
        let keys = [key(1).verifying_key()];
        let changed = SignedBundle { payload: signed.payload.replace("t1", "t2"), ..signed.clone() };
        let spaced = SignedBundle { payload: format!("{} ", signed.payload), ..signed.clone() };
        let unsigned = SignedBundle { signature: String::new(), ..signed.clone() };
        for bad in [changed, spaced, unsigned] {
            assert_eq!(bad.open(&keys), Err(BundleError::Signature));
        }
        assert_eq!(signed.open(&[key(2).verifying_key()]), Err(BundleError::Signature));
        assert_eq!(signed.open(&[]), Err(BundleError::Signature));
    }

    #[test]
    fn a_bundle_of_another_format_or_with_unknown_restrictions_stays_shut() {
        let keys = [key(1).verifying_key()];
        let signed = SignedBundle::sign(&bundle(FORMAT + 1), &key(1)).expect("signed");
        assert_eq!(signed.open(&keys), Err(BundleError::Format(FORMAT + 1)));

        let good = SignedBundle::sign(&bundle(FORMAT), &key(1)).expect("signed");
        for (place, with) in [
            (r#""policy":{"#, r#""policy":{"newRestriction":1,"#),
            (r#""grants":["#, r#""newRestriction":1,"grants":["#),
        ] {
            let payload = good.payload.replacen(place, with, 1);
            let signature = BASE64.encode(key(1).sign(payload.as_bytes()).to_bytes());
            let signed = SignedBundle { payload, signature };
            assert!(
                matches!(signed.open(&keys), Err(BundleError::Unreadable(why)) if why.contains("newRestriction"))
            );
        }
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        let public = key(1).verifying_key();
        let text = format!(" {}\n", BASE64.encode(public.as_bytes()));
        assert_eq!(verifying_key(&text), Ok(public));
        for text in ["", "AAAA", "not base64"] {
            assert_eq!(verifying_key(text), Err(BundleError::Key(text.into())));
        }
    }
}
