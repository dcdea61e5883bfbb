//! Tokens become principals, or not.

mod claims;
mod keys;
mod lineage;

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::alg::{Ed25519, Es256, ModulusBits, Rsa, RsaPrivateKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{Algorithm, AlgorithmSignature};
use serde_json::{Value, json};

use super::*;
use sha2::{Digest as _, Sha256};

use crate::identity::{MAX_LINEAGE, MAX_TOKEN, TokenId};
use crate::policy::document::{Duration, KeySource};

const NOW: u64 = 1_800_000_000;
const ISS: &str = "https://login.example.com";

/// One RSA key for all tests: making one takes a second.
fn rsa() -> &'static RsaPrivateKey {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        Rsa::generate(&mut rand_core::OsRng, ModulusBits::TwoKibibytes).expect("an RSA key").0.into_inner()
    })
}

fn p256() -> <Es256 as Algorithm>::SigningKey {
    jwt_compact::alg::SigningKey::from_slice(&[7; 32]).expect("a P-256 key")
}

fn ed25519() -> <Ed25519 as Algorithm>::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[9; 32])
}

fn jwk(key: JsonWebKey<'_>, more: Value) -> Value {
    let mut jwk = serde_json::to_value(&key).expect("a JWK");
    for (name, value) in more.as_object().expect("an object") {
        jwk[name] = value.clone();
    }
    jwk
}

fn rsa_jwk(more: Value) -> Value {
    jwk((&rsa().to_public_key()).into(), more)
}

fn p256_jwk(more: Value) -> Value {
    jwk(p256().verifying_key().into(), more)
}

fn ed25519_jwk(more: Value) -> Value {
    jwk((&ed25519().verifying_key()).into(), more)
}

fn issuer(name: &str, iss: &str, audiences: &[&str]) -> Issuer {
    Issuer {
        name: name.into(),
        issuer: iss.into(),
        audiences: audiences.iter().map(|a| (*a).into()).collect(),
        keys: KeySource::Discovery,
        claims: ClaimPaths::default(),
        max_lifetime: Duration::hours(24),
        refresh: None,
        introspection: None,
        saml: None,
    }
}

fn verifier(keys: Vec<Value>) -> Verifier {
    revoking(keys, &[])
}

fn revoking(keys: Vec<Value>, revocations: &[Revocation]) -> Verifier {
    let keys = [IssuerKeys { issuer: "corp".into(), keys }];
    Verifier::new(&[issuer("corp", ISS, &["sluice", "gateway"])], &keys, revocations).0
}

/// The usual issuer, with a key of each kind.
fn usual() -> Verifier {
    verifier(vec![
        rsa_jwk(json!({"kid": "r1", "alg": "RS256", "use": "sig"})),
        rsa_jwk(json!({"kid": "r2"})),
        p256_jwk(json!({"kid": "e1", "alg": "ES256"})),
        ed25519_jwk(json!({"kid": "d1"})),
    ])
}

fn claims() -> Value {
    json!({"iss": ISS, "aud": "sluice", "sub": "ann", "groups": ["readers"], "iat": NOW, "exp": NOW + 600})
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn raw<A: Algorithm>(algorithm: &A, key: &A::SigningKey, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = algorithm.sign(key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_bytes()))
}

/// A token of the Ed25519 key.
fn token(claims: &Value) -> String {
    raw(&Ed25519, &ed25519(), r#"{"alg":"EdDSA","kid":"d1"}"#, &claims.to_string())
}

fn rule(result: Result<Principal, TokenError>) -> &'static str {
    result.as_ref().map_or_else(TokenError::rule, |_| "ok")
}

fn verify(claims: &Value) -> &'static str {
    rule(usual().verify(&token(claims), NOW * 1000))
}
