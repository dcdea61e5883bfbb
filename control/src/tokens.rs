//! Tokens of control's own issuer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer;
use serde_json::json;

use crate::keys::{KeyError, Keys, random};

/// What a token says.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The issuer: control's public URL.
    pub issuer: String,
    /// Who it is for.
    pub subject: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// Scopes that it is narrowed to; empty: not narrowed.
    pub scopes: Vec<String>,
    /// Who shall accept it.
    pub audience: String,
    /// How long it lives, in seconds.
    pub lifetime: u64,
}

/// Signs a token (RFC 7519, EdDSA as in RFC 8037).
///
/// # Errors
/// [`KeyError::Random`].
pub fn mint(keys: &Keys, claims: &Claims, now_ms: u64) -> Result<String, KeyError> {
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": keys.issuer_kid()});
    let now = now_ms / 1000;
    let mut payload = json!({
        "iss": claims.issuer, "sub": claims.subject, "aud": claims.audience, "groups": claims.groups,
        "iat": now, "nbf": now, "exp": now.saturating_add(claims.lifetime),
        "jti": URL_SAFE_NO_PAD.encode(random::<16>()?),
    });
    if let (false, Some(members)) = (claims.scopes.is_empty(), payload.as_object_mut()) {
        members.insert("scope".into(), claims.scopes.join(" ").into());
    }
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&payload));
    let signature = URL_SAFE_NO_PAD.encode(keys.issuer.sign(signed.as_bytes()).to_bytes());
    Ok(format!("{signed}.{signature}"))
}
