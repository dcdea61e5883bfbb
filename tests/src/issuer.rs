//! An issuer of tokens whose keys a test holds: it can sign what no honest issuer would.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

/// An issuer with one Ed25519 key.
#[derive(Debug)]
pub struct Issuer {
    key: SigningKey,
    kid: String,
}

impl Issuer {
    /// An issuer whose key is made from `seed`.
    pub fn new(kid: &str, seed: u8) -> Self {
        Self { key: SigningKey::from_bytes(&[seed; 32]), kid: kid.to_owned() }
    }

    /// Its keys, as a JWK Set.
    pub fn jwks(&self) -> Value {
        let x = BASE64URL.encode(self.key.verifying_key().as_bytes());
        json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x },
        ] })
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with_header(&json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.kid }), claims)
    }

    /// A token with any header.
    pub fn sign_with_header(&self, header: &Value, claims: &Value) -> String {
        let text =
            format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()));
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        format!("{text}.{}", BASE64URL.encode(signature))
    }
}

/// The time, in Unix seconds.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
