//! Published keys (RFC 7517), each bound to the algorithms that it may be used with.

use jwt_compact::alg::{Ed25519, Es256, Rsa, RsaPublicKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmSignature};
use serde::Deserialize as _;
use serde_json::Value;

/// Smallest RSA modulus, in bits (RFC 7518, section 3.3).
const MIN_RSA_BITS: usize = 2048;

/// What RSA keys are for; the first two where the key does not say.
const RSA: &[&str] = &["RS256", "PS256", "RS384", "PS384", "RS512", "PS512"];
const P256: &[&str] = &["ES256"];
/// RFC 9864 names Ed25519 what RFC 8037 named EdDSA: one algorithm with two names.
const ED25519: &[&str] = &["EdDSA", "Ed25519"];

/// A published key that no token can be checked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("issuer `{issuer}`: {why}")]
pub struct KeyProblem {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// The key's id, where it is about one that has one.
    pub kid: Option<String>,
    /// What is wrong, and with which key.
    pub why: String,
}

/// Whether any kind of key is for the algorithm.
pub(super) fn is_known(algorithm: &str) -> bool {
    RSA.contains(&algorithm) || P256.contains(&algorithm) || ED25519.contains(&algorithm)
}

/// A public key and what it may be used with.
pub(super) struct Key {
    /// Its id, where it has one.
    pub kid: Option<String>,
    public: Public,
    algorithms: Vec<&'static str>,
}

enum Public {
    Rsa(Box<RsaPublicKey>),
    P256(Box<<Es256 as Algorithm>::VerifyingKey>),
    Ed25519(Box<<Ed25519 as Algorithm>::VerifyingKey>),
}

impl Key {
    /// Reads a JSON Web Key. `None`: not meant for signatures (`use: enc`), which is nothing to complain of.
    ///
    /// With `alg` the key is bound to that algorithm alone. Without it an RSA key takes RS256 and PS256; for the
    /// other types there is one choice.
    pub fn read(jwk: &Value) -> Result<Option<Self>, String> {
        let text = |field: &str| jwk.get(field).and_then(Value::as_str);
        if text("use") == Some("enc") {
            return Ok(None);
        }
        if text("use").is_some_and(|usage| usage != "sig") {
            return Err("its `use` is neither `sig` nor `enc`".into());
        }
        if let Some(operations) = jwk.get("key_ops").and_then(Value::as_array)
            && !operations.iter().any(|operation| operation == "verify")
        {
            return Ok(None);
        }
        let kty = text("kty").ok_or("it has no `kty`")?;
        let choice: &[&str] = match (kty, text("crv")) {
            ("RSA", _) => RSA,
            ("EC", Some("P-256")) => P256,
            ("OKP", Some("Ed25519")) => ED25519,
            ("EC" | "OKP", crv) => {
                let crv = crv.unwrap_or("none");
                return Err(format!("curve {crv} is not supported; supported are P-256 and Ed25519"));
            }
            ("oct", _) => {
                return Err("it is a shared secret (`kty: oct`), which must not be published".into());
            }
            _ => return Err(format!("`kty` {kty} is not supported; supported are RSA, EC and OKP")),
        };
        let algorithms = match text("alg") {
            Some("EdDSA" | "Ed25519") if kty == "OKP" => choice.to_vec(),
            Some(alg) => match choice.iter().find(|known| **known == alg) {
                Some(known) => vec![*known],
                None => return Err(format!("`alg` {alg} is not supported for this kind of key")),
            },
            None => choice.iter().copied().take(2).collect(),
        };
        let public = Public::read(kty, jwk)?;
        Ok(Some(Self { kid: text("kid").map(str::to_owned), public, algorithms }))
    }

    /// Whether tokens that claim `algorithm` may be checked with the key.
    pub fn takes(&self, algorithm: &str) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether the key made the signature with an algorithm that it is bound to.
    pub fn made(&self, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
        if !self.takes(algorithm) {
            return false;
        }
        match &self.public {
            Public::Rsa(key) => {
                algorithm.parse::<Rsa>().is_ok_and(|rsa| check(&rsa, key.as_ref(), signed, signature))
            }
            Public::P256(key) => check(&Es256, key.as_ref(), signed, signature),
            // Not `check`: the strict form also refuses keys of small order and signatures that several keys fit.
            Public::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
        }
    }
}

impl Public {
    fn read(kty: &str, jwk: &Value) -> Result<Self, String> {
        let key: JsonWebKey<'_> = JsonWebKey::deserialize(jwk)
            .map_err(|_| "its numbers are missing or not base64url".to_owned())?;
        if let JsonWebKey::Rsa { modulus, .. } = &key {
            let bits = bits(modulus);
            if bits < MIN_RSA_BITS {
                return Err(format!("an RSA key of {bits} bits is too short; use at least {MIN_RSA_BITS}"));
            }
        }
        match kty {
            "RSA" => RsaPublicKey::try_from(&key).ok().map(|key| Self::Rsa(Box::new(key))),
            "EC" => (&key).try_into().ok().map(|key| Self::P256(Box::new(key))),
            _ => (&key).try_into().ok().map(|key| Self::Ed25519(Box::new(key))),
        }
        .ok_or_else(|| "its numbers do not make a public key (RSA above 4096 bits is not read)".to_owned())
    }
}

fn check<A: Algorithm>(algorithm: &A, key: &A::VerifyingKey, signed: &[u8], signature: &[u8]) -> bool {
    if A::Signature::LENGTH.is_some_and(|length| length.get() != signature.len()) {
        return false;
    }
    A::Signature::try_from_slice(signature)
        .is_ok_and(|signature| algorithm.verify_signature(&signature, key, signed))
}

/// How many bits a big-endian number has.
fn bits(number: &[u8]) -> usize {
    let significant = number.iter().skip_while(|byte| **byte == 0);
    let mut count = significant.clone().count() * 8;
    if let Some(first) = significant.clone().next() {
        count -= first.leading_zeros() as usize;
    }
    count
}
