//! Who a token speaks for.

use super::Principal;
use serde_json::{Map, Value};

use super::claims;
use super::key::{Key, KeyProblem, is_known};
use super::lineage::{Lineage, Revoked};
use super::token::{MAX_TOKEN, Untrusted, object_of};
use crate::policy::bundle::{IssuerKeys, Revocation};
use crate::policy::document::{ClaimPaths, Issuer, KeySource};

/// How far clocks may differ, in milliseconds.
pub const SKEW_MS: u64 = 30_000;
/// The claim of control's tokens that names the issuer, as the policy does, of the token that was exchanged.
pub const VIA: &str = "via";
/// How many keys are tried for a token without `kid`: a signature costs up to 2 ms inside Envoy.
const MAX_TRIES: usize = 8;

/// Why a token is refused. Each says what to do; none carries the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token at all, or not one that can be read in only one way.
    #[error("the token cannot be read: {0}; send a signed JWT from an issuer in the policy")]
    Malformed(&'static str),
    /// No issuer of the policy has this `iss`.
    #[error("the token's `iss` is not an issuer in the policy; get a token from one that is")]
    Issuer,
    /// None of the issuer's keys has this `kid`.
    #[error(
        "issuer `{issuer}` has published no key `{kid}`; if it has just changed its keys, try again in some seconds"
    )]
    UnknownKey {
        /// The issuer's name in the policy.
        issuer: String,
        /// The `kid` that the token names: printable, at most 256 bytes, chosen by the caller.
        kid: String,
    },
    /// The issuer's keys are not for the algorithm that the token claims.
    #[error(
        "the token's algorithm is not one that the keys of issuer `{issuer}` are for; accepted are RS256 to RS512, PS256 to PS512, ES256 and EdDSA, each with its own kind of key"
    )]
    Algorithm {
        /// The issuer's name in the policy.
        issuer: String,
    },
    /// Not signed by the key.
    #[error("the token's signature was not made by a key of issuer `{issuer}`; get a new token")]
    Signature {
        /// The issuer's name in the policy.
        issuer: String,
    },
    /// For somebody else.
    #[error(
        "the token is not for this gateway: its `aud` has none of the audiences of issuer `{issuer}` in the policy"
    )]
    Audience {
        /// The issuer's name in the policy.
        issuer: String,
    },
    /// Without an end.
    #[error("the token has no `exp`: tokens that never expire are refused; get a short-lived one")]
    NoExpiry,
    /// Ended.
    #[error("the token has expired; get a new one")]
    Expired,
    /// Not yet begun, or made in the future.
    #[error("the token is not valid yet (`nbf` or `iat` is in the future); check the clocks")]
    NotYetValid,
    /// Ends too late.
    #[error("the token lives longer than the policy's {limit} for issuer `{issuer}`; get a short-lived one")]
    TooLongLived {
        /// The issuer's name in the policy.
        issuer: String,
        /// The longest life, as written in the policy.
        limit: String,
    },
    /// An opaque token that is not good at its issuer.
    #[error("issuer `{issuer}` says that this token is not good, or not any more; get a new one")]
    Inactive {
        /// The issuer's name in the policy.
        issuer: String,
    },
    /// Bound to a key of its holder (DPoP, RFC 9449; mutual TLS, RFC 8705): as a mere bearer's it would be good in the
    /// hands of a thief.
    #[error(
        "the token is bound to a key (`cnf`), which this gateway does not ask for; get a bearer token from issuer `{issuer}`"
    )]
    Bound {
        /// The issuer's name in the policy.
        issuer: String,
    },
    /// Shut out.
    #[error("the token or its subject has been revoked; sign in again, or ask an operator")]
    Revoked,
}

impl TokenError {
    /// A short code for records and metrics.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Issuer => "issuer",
            Self::UnknownKey { .. } => "unknown_key",
            Self::Algorithm { .. } => "algorithm",
            Self::Signature { .. } => "signature",
            Self::Audience { .. } => "audience",
            Self::NoExpiry => "no_expiry",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::TooLongLived { .. } => "too_long_lived",
            Self::Inactive { .. } => "inactive",
            Self::Bound { .. } => "bound",
            Self::Revoked => "revoked",
        }
    }
}

/// Checks tokens against the issuers of a policy and their keys. Immutable: a new bundle makes a new one.
pub struct Verifier {
    issuers: Vec<Known>,
    revoked: Revoked,
}

/// What a token that was verified says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who it speaks for.
    pub principal: Principal,
    /// Where it comes from.
    pub lineage: Lineage,
    /// Whether control made it.
    pub is_own: bool,
}

struct Known {
    name: String,
    /// Its opaque tokens are asked about.
    introspects: bool,
    /// Control's own: its tokens may speak for principals of other issuers.
    is_control: bool,
    iss: String,
    audiences: Vec<String>,
    paths: ClaimPaths,
    max_lifetime: crate::policy::document::Duration,
    keys: Vec<Key>,
}

impl Verifier {
    /// Reads the keys. A key that cannot be used is left out and reported, and so is an issuer without any: its
    /// tokens are refused, the others' are not.
    pub fn new(
        issuers: &[Issuer],
        keys: &[IssuerKeys],
        revocations: &[Revocation],
    ) -> (Self, Vec<KeyProblem>) {
        let mut problems = Vec::new();
        let issuers = issuers
            .iter()
            .map(|issuer| {
                let published = keys.iter().filter(|k| k.issuer == issuer.name).flat_map(|k| &k.keys);
                Known {
                    name: issuer.name.clone(),
                    introspects: issuer.introspection.is_some(),
                    is_control: issuer.keys == KeySource::Control,
                    iss: issuer.issuer.clone(),
                    audiences: issuer.audiences.clone(),
                    paths: issuer.claims.clone(),
                    max_lifetime: issuer.max_lifetime,
                    keys: match issuer.keys {
                        KeySource::None => Vec::new(),
                        _ => read_keys(&issuer.name, published, &mut problems),
                    },
                }
            })
            .collect();
        (Self { issuers, revoked: Revoked::new(revocations) }, problems)
    }

    /// The principal that a token speaks for at `now_ms`.
    ///
    /// The issuer is found by `iss`, and among issuers that share it by `aud`, the first in the policy's order
    /// winning; nothing else in the token is looked at before its signature holds.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Principal, TokenError> {
        self.read(token, now_ms).map(|verified| verified.principal)
    }

    /// The same, with where the token comes from.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn read(&self, token: &str, now_ms: u64) -> Result<Verified, TokenError> {
        let token = Untrusted::read(token).map_err(TokenError::Malformed)?;
        let iss = token.claims.get("iss").and_then(|iss| iss.as_str()).ok_or(TokenError::Issuer)?;
        let candidates = || self.issuers.iter().filter(|known| known.iss == iss);
        let meant = candidates().find(|known| claims::has_audience(&token.claims, &known.audiences));
        let issuer = meant.or_else(|| candidates().next()).ok_or(TokenError::Issuer)?;
        issuer.check_signature(&token)?;
        if meant.is_none() {
            return Err(TokenError::Audience { issuer: issuer.name.clone() });
        }
        self.vouched(issuer, &token.claims, token.signed, now_ms)
    }

    /// Whether a token is one that only its issuer can read, and there is an issuer to ask.
    pub fn is_to_be_asked_about(&self, token: &str) -> bool {
        token.len() <= MAX_TOKEN
            && token.split('.').count() != 3
            && self.issuers.iter().any(|own| own.introspects)
    }

    /// The same of an opaque token, by what the introspection endpoint of the issuer of this name has answered (RFC 7662,
    /// section 2.2).
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn introspected(
        &self,
        issuer: &str,
        token: &str,
        answer: &[u8],
        now_ms: u64,
    ) -> Result<Verified, TokenError> {
        let inactive = || TokenError::Inactive { issuer: issuer.to_owned() };
        let known = self.issuers.iter().find(|known| known.introspects && known.name == issuer);
        let known = known.ok_or(TokenError::Issuer)?;
        let claims = object_of(answer).ok_or(TokenError::Malformed(
            "its issuer's answer is not a JSON object without duplicate keys",
        ))?;
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(inactive());
        }
        if claims.get("iss").is_some_and(|iss| iss.as_str() != Some(&known.iss)) {
            return Err(TokenError::Issuer);
        }
        if claims.contains_key("aud") && !claims::has_audience(&claims, &known.audiences) {
            return Err(TokenError::Audience { issuer: known.name.clone() });
        }
        self.vouched(known, &claims, token.as_bytes(), now_ms)
    }

    /// The same of what the issuer of this name has asserted and signed in another form than a JWT, as claims. The caller has
    /// checked the signature and `iss`.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn asserted(
        &self,
        issuer: &str,
        claims: &Map<String, Value>,
        now_ms: u64,
    ) -> Result<Verified, TokenError> {
        let known = self.issuers.iter().find(|known| known.name == issuer).ok_or(TokenError::Issuer)?;
        if !claims::has_audience(claims, &known.audiences) {
            return Err(TokenError::Audience { issuer: known.name.clone() });
        }
        self.vouched(known, claims, &[], now_ms)
    }

    /// What claims say that `known` vouches for; `signed`: what was signed, where it was a JWT.
    fn vouched(
        &self,
        known: &Known,
        claims: &Map<String, Value>,
        signed: &[u8],
        now_ms: u64,
    ) -> Result<Verified, TokenError> {
        // RFC 7800: whoever shows it must prove that they have a key, which nobody here asks them to.
        if claims.contains_key("cnf") {
            return Err(TokenError::Bound { issuer: known.name.clone() });
        }
        let expires_ms = known.check_times(claims, now_ms)?;
        let principal = Principal {
            issuer: self.vouching(known, claims)?,
            subject: claims::subject(claims, &known.paths).map_err(TokenError::Malformed)?,
            groups: claims::groups(claims, &known.paths).map_err(TokenError::Malformed)?,
            scopes: claims::scopes(claims, &known.paths).map_err(TokenError::Malformed)?,
            actor: claims::actor(claims).map_err(TokenError::Malformed)?,
            expires_ms,
        };
        let lineage =
            Lineage::read(claims, signed, &known.name, known.is_control).map_err(TokenError::Malformed)?;
        self.check_revoked(&principal.issuer, &principal.subject, &lineage)?;
        Ok(Verified { principal, lineage, is_own: known.is_control })
    }

    /// Refuses what is shut out: the subject, or a token that this one comes from.
    ///
    /// # Errors
    /// [`TokenError::Revoked`].
    pub fn check_revoked(&self, issuer: &str, subject: &str, lineage: &Lineage) -> Result<(), TokenError> {
        if self.revoked.covers(issuer, subject, lineage) { Err(TokenError::Revoked) } else { Ok(()) }
    }

    /// The issuer of the principal: who exchanged a token at control is still who the first issuer said.
    fn vouching(&self, issuer: &Known, claims: &Map<String, Value>) -> Result<String, TokenError> {
        match claims.get(VIA).filter(|_| issuer.is_control) {
            None => Ok(issuer.name.clone()),
            Some(via) => {
                let via = self.issuers.iter().find(|known| via.as_str() == Some(&known.name));
                Ok(via.ok_or(TokenError::Issuer)?.name.clone())
            }
        }
    }
}

impl Known {
    fn check_signature(&self, token: &Untrusted<'_>) -> Result<(), TokenError> {
        let algorithm = token.algorithm.as_str();
        if !is_known(algorithm) {
            return Err(TokenError::Algorithm { issuer: self.name.clone() });
        }
        // A key that was published without an id may be any: it is tried as well.
        let named = self.keys.iter().filter(|k| token.kid.is_none() || k.kid.is_none() || k.kid == token.kid);
        let usable: Vec<_> = named.filter(|key| key.takes(algorithm)).take(MAX_TRIES).collect();
        if usable.iter().any(|key| key.made(algorithm, token.signed, &token.signature)) {
            return Ok(());
        }
        let issuer = self.name.clone();
        match &token.kid {
            Some(kid) if !self.keys.iter().any(|key| key.kid.as_ref() == Some(kid)) => {
                Err(TokenError::UnknownKey { issuer, kid: kid.clone() })
            }
            _ if usable.is_empty() => Err(TokenError::Algorithm { issuer }),
            _ => Err(TokenError::Signature { issuer }),
        }
    }

    /// Checks `exp`, `nbf` and `iat`; gives `exp` in milliseconds.
    fn check_times(&self, claims: &Map<String, Value>, now_ms: u64) -> Result<u64, TokenError> {
        let time = |name, wrong| claims::time_ms(claims, name).map_err(|()| TokenError::Malformed(wrong));
        let expires_ms = time("exp", "its `exp` is not a time")?.ok_or(TokenError::NoExpiry)?;
        if expires_ms.saturating_add(SKEW_MS) <= now_ms {
            return Err(TokenError::Expired);
        }
        let latest_start = now_ms.saturating_add(SKEW_MS);
        let issued_ms = time("iat", "its `iat` is not a time")?;
        for start in [time("nbf", "its `nbf` is not a time")?, issued_ms] {
            if start.is_some_and(|start| start > latest_start) {
                return Err(TokenError::NotYetValid);
            }
        }
        // Seen from its start as well: what was issued before a moment is over one such life after it.
        let since_ms =
            issued_ms.map_or(latest_start, |issued_ms| latest_start.min(issued_ms.saturating_add(SKEW_MS)));
        if expires_ms > since_ms.saturating_add(self.max_lifetime.as_millis()) {
            let limit = self.max_lifetime.to_string();
            return Err(TokenError::TooLongLived { issuer: self.name.clone(), limit });
        }
        Ok(expires_ms)
    }
}

fn read_keys<'k>(
    issuer: &str,
    published: impl Iterator<Item = &'k serde_json::Value>,
    problems: &mut Vec<KeyProblem>,
) -> Vec<Key> {
    let mut keys = Vec::new();
    for jwk in published {
        match Key::read(jwk) {
            Ok(key) => keys.extend(key),
            Err(why) => {
                let kid = jwk.get("kid").and_then(|kid| kid.as_str()).map(str::to_owned);
                let key = kid.as_ref().map_or("a key without `kid`".into(), |kid| format!("key `{kid}`"));
                problems.push(KeyProblem { issuer: issuer.to_owned(), kid, why: format!("{key}: {why}") });
            }
        }
    }
    if keys.is_empty() {
        let why = "it has no key that can check a signature; its tokens are refused until it has".into();
        problems.push(KeyProblem { issuer: issuer.to_owned(), kid: None, why });
    }
    keys
}

#[cfg(test)]
mod tests;
