//! Who a person is, by the bearer token that they send to control.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use sluice_engine::identity::Principal;
use sluice_engine::policy::bundle::IssuerKeys;
use sluice_engine::policy::document::{Issuer, KeySource};

/// The issuers whose people may use control.
pub struct People {
    issuers: Vec<(Issuer, Vec<(String, VerifyingKey)>)>,
}

impl People {
    /// From the policy's issuers and their keys.
    pub fn new(issuers: &[Issuer], keys: &[IssuerKeys]) -> Self {
        let own = issuers.iter().filter(|issuer| issuer.keys == KeySource::Control);
        let issuers = own.map(|issuer| {
            let keys = keys.iter().filter(|keys| keys.issuer == issuer.name).flat_map(|keys| &keys.keys);
            (issuer.clone(), keys.filter_map(ed25519).collect())
        });
        Self { issuers: issuers.collect() }
    }

    /// Who the token speaks for.
    ///
    /// # Errors
    /// Why not, in words for the person who sent it.
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Principal, String> {
        let unreadable = || "the token is not a signed JWT; mint one with `sluice token mint`".to_owned();
        let (signed, signature) = token.rsplit_once('.').ok_or_else(unreadable)?;
        let (header, claims) = signed.split_once('.').ok_or_else(unreadable)?;
        let decode = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let header = decode(header).ok_or_else(unreadable)?;
        let claims = decode(claims).ok_or_else(unreadable)?;
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (issuer, keys) = self
            .issuers
            .iter()
            .find(|(issuer, _)| text(&claims, "iss").as_ref() == Some(&issuer.issuer))
            .ok_or("the token's `iss` is not an issuer in the policy; get a token from one that is")?;
        let kid = text(&header, "kid");
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .ok_or_else(unreadable)?;
        let genuine = keys.iter().any(|(known, key)| {
            kid.as_ref() == Some(known) && key.verify_strict(signed.as_bytes(), &signature).is_ok()
        });
        if !genuine || text(&header, "alg").as_deref() != Some("EdDSA") {
            return Err("the token was not signed by its issuer; get a new one".into());
        }
        let seconds = |name: &str| claims.get(name).and_then(Value::as_u64);
        let expires_ms =
            seconds("exp").ok_or("the token never expires; tokens need `exp`")?.saturating_mul(1000);
        if expires_ms.saturating_add(30_000) <= now_ms {
            return Err("the token has expired; get a new one".into());
        }
        if expires_ms > now_ms.saturating_add(issuer.max_lifetime.as_millis()).saturating_add(30_000) {
            return Err(format!(
                "the token lives longer than the policy's maxLifetime ({})",
                issuer.max_lifetime
            ));
        }
        if seconds("nbf").is_some_and(|nbf| nbf.saturating_mul(1000) > now_ms.saturating_add(30_000)) {
            return Err("the token is not valid yet; check the clocks".into());
        }
        let list = |name: &str| match claims.get(name) {
            Some(Value::Array(items)) => {
                Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>())
            }
            Some(Value::String(one)) => Some(vec![one.clone()]),
            _ => None,
        };
        if !list("aud").is_some_and(|aud| aud.iter().any(|a| issuer.audiences.contains(a))) {
            return Err(format!(
                "the token is not for this service: its `aud` has none of {:?}",
                issuer.audiences
            ));
        }
        Ok(Principal {
            issuer: issuer.name.clone(),
            subject: text(&claims, "sub").ok_or("the token names no subject (`sub`)")?,
            groups: list("groups").unwrap_or_default(),
            scopes: list("scope")
                .map(|list| list.iter().flat_map(|s| s.split(' ')).map(str::to_owned).collect()),
            expires_ms,
        })
    }
}

fn ed25519(jwk: &Value) -> Option<(String, VerifyingKey)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = URL_SAFE_NO_PAD.decode(text("x").filter(|_| text("crv") == Some("Ed25519"))?).ok()?;
    let key = VerifyingKey::from_bytes(&<[u8; 32]>::try_from(bytes).ok()?).ok()?;
    Some((text("kid")?.to_owned(), key))
}
