//! Tokens of control's own issuer, and what becomes of tokens before their end.

pub mod device;
pub mod family;
pub mod introspection;
pub mod revocation;
pub mod saml;
pub mod source;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sluice_engine::identity::{FROM, Lineage, SINCE, VIA};

use crate::keys::{KeyError, random};

/// What a token says.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Who it is for.
    pub subject: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// Who acts on their behalf; `None`: they themselves.
    pub actor: Option<String>,
    /// Scopes that it is narrowed to; `None`: not narrowed.
    pub scopes: Option<Vec<String>>,
    /// Who shall accept it.
    pub audience: String,
    /// The issuer that vouched for the subject, by its name in the policy; `None`: control itself.
    pub via: Option<String>,
    /// Where the tokens come from that were given for it; `None`: none were.
    pub from: Option<Lineage>,
    /// How long it lives, in seconds.
    pub lifetime: u64,
}

/// A new id: 128 random bits.
///
/// # Errors
/// [`KeyError::Random`].
pub fn token_id() -> Result<String, KeyError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<16>()?))
}

/// A token, and the id by which it can be revoked.
#[derive(Debug)]
pub struct Minted {
    /// The token. Never logged.
    pub token: String,
    /// Its `jti`.
    pub id: String,
}

/// Control's own issuer.
pub struct Issuer {
    /// Control's public URL, as tokens carry it in `iss`.
    pub url: String,
    /// Signs.
    pub key: SigningKey,
}

impl Issuer {
    /// Signs a token (RFC 7519, EdDSA as in RFC 8037).
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn mint(&self, claims: &Claims, now_ms: u64) -> Result<Minted, KeyError> {
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid()});
        let now = now_ms / 1000;
        let id = token_id()?;
        let mut payload = json!({
            "iss": self.url, "sub": claims.subject, "aud": claims.audience, "groups": claims.groups,
            "iat": now, "nbf": now, "exp": now.saturating_add(claims.lifetime), "jti": id,
        });
        if let Some(members) = payload.as_object_mut() {
            members.extend(claims.scopes.iter().map(|scopes| ("scope".to_owned(), scopes.join(" ").into())));
            if let Some(from) = &claims.from {
                members.insert(FROM.to_owned(), json!(from.tokens));
                members.insert(SINCE.to_owned(), (from.issued_ms.unwrap_or_default() / 1000).into());
            }
            members.extend(claims.actor.iter().map(|actor| ("act".to_owned(), json!({"sub": actor}))));
            members.extend(claims.via.iter().map(|via| (VIA.to_owned(), via.as_str().into())));
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&payload));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).to_bytes());
        Ok(Minted { token: format!("{signed}.{signature}"), id })
    }

    /// The public key as a JSON Web Key (RFC 8037).
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": self.kid(), "x": URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes()),
        })
    }

    /// The key's id: the start of its SHA-256.
    pub fn kid(&self) -> String {
        let digest = Sha256::digest(self.key.verifying_key().as_bytes());
        URL_SAFE_NO_PAD.encode(digest).chars().take(16).collect()
    }
}
