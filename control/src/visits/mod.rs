//! Visits: people who signed in in a browser, from the sign-in to the sign-out.
//!
//! ```text
//!  /signin ──► Attempt (cookie) ──► the provider ──► /signin/callback ──► Visit (store) + its id (cookie)
//! ```
//!
//! The store knows a visit by the SHA-256 of its id; only the browser has the id itself. So a copy of the database lets
//! nobody in. A visit is looked up at each use: signed out is gone, at once and on every replica.

mod attempt;
mod provider;
mod refusals;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sluice_engine::identity::{Lineage, Principal, TokenId, Verifier};
use sluice_engine::policy::document::{Duration, Policy};
use sluice_engine::record::Who;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub use attempt::{Attempt, own_place};
pub use provider::{Endpoints, Http, IdClaims, Provider, Relying, SignInError, shown};
pub use refusals::Refusals;

use crate::keys::{KeyError, random};

/// How exactly the last use of a visit is known, in milliseconds: a write for every click would be too many.
const SEEN_EVERY_MS: u64 = 60_000;

/// The policy asks somebody else by now, or otherwise.
const OTHER_POLICY: &str = "the policy lets people in otherwise";

/// How long a browser stays signed in under `--dev`, where no policy says it.
const DEV_STAY: Duration = Duration::hours(10);

/// How people sign in here, beside what the policy says.
pub struct SignIns {
    /// The URL under which browsers reach the service, without a slash at its end.
    pub public_url: String,
    /// Where the client's secret is, if it has one. Read at each use, since secrets rotate.
    pub secret: Option<PathBuf>,
    /// What is known of the provider.
    pub provider: Provider,
    /// Whether people may say themselves who they are (`sluice serve --dev`).
    pub dev: bool,
    /// Refused sign-ins that the log has, so that nobody fills it with them.
    pub refusals: Refusals,
    /// Binds attempts and forms to what this service, or another replica of it, has made.
    pub key: VisitKey,
}

impl SignIns {
    /// Whether browsers talk https to the service, so that cookies can be bound to that.
    pub fn secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The origin of our own pages (RFC 6454): the URL without its path.
    pub fn origin(&self) -> &str {
        let host = self.public_url.find("://").map_or(0, |scheme| scheme + 3);
        let end = self.public_url.get(host..).and_then(|rest| rest.find('/')).map(|path| host + path);
        end.and_then(|end| self.public_url.get(..end)).unwrap_or(&self.public_url)
    }

    /// The cookie that holds the id of a visit. `__Host-`: no other host and no plain http can set it (RFC 6265bis).
    pub fn cookie(&self) -> &'static str {
        if self.secure() { "__Host-sluice" } else { "sluice" }
    }

    /// The cookie that holds an attempt to sign in.
    pub fn attempt_cookie(&self) -> &'static str {
        if self.secure() { "__Host-sluice-signin" } else { "sluice-signin" }
    }

    /// The cookie of somebody who has signed out here, until they sign in again.
    pub fn left_cookie(&self) -> &'static str {
        if self.secure() { "__Host-sluice-left" } else { "sluice-left" }
    }

    /// Where the provider sends people back to.
    pub fn callback(&self) -> String {
        format!("{}/signin/callback", self.public_url)
    }

    /// What lets people in: a digest that changes when the policy says otherwise whom it asks, and how. A visit is over
    /// when it was begun under another.
    pub fn basis(&self, policy: &Policy) -> Option<String> {
        if self.dev {
            return Some("dev".to_owned());
        }
        let sign_in = policy.access.sign_in.as_ref()?;
        let issuer = policy.issuers.iter().find(|issuer| issuer.name == sign_in.issuer)?;
        // Plain data: it always serialises.
        let text = serde_json::to_string(&(sign_in, issuer)).ok()?;
        Some(digest(&text))
    }

    /// How long a browser may be idle, and stay signed in at all.
    pub fn limits(&self, policy: &Policy) -> Option<(Duration, Duration)> {
        if self.dev {
            return Some((DEV_STAY, DEV_STAY));
        }
        let sign_in = policy.access.sign_in.as_ref()?;
        let issuer = policy.issuers.iter().find(|issuer| issuer.name == sign_in.issuer)?;
        Some((sign_in.idle, sign_in.longest.min(issuer.max_lifetime)))
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Visit {
    /// Who it is; `expires_ms` is the end of the visit.
    pub principal: Principal,
    /// [`SignIns::basis`] at the beginning.
    pub basis: String,
    /// When the ID token was made, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_ms: Option<u64>,
    /// The ID token's `jti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When it was last used, in Unix milliseconds, to within a minute.
    pub seen_ms: u64,
}

impl Visit {
    /// Why it does not let its person in any more; `None`: it does.
    pub fn over(
        &self,
        sign_ins: &SignIns,
        policy: &Policy,
        people: &Verifier,
        now_ms: u64,
    ) -> Option<&'static str> {
        let Some((idle, _)) = sign_ins.limits(policy) else { return Some(OTHER_POLICY) };
        let Principal { issuer, subject, .. } = &self.principal;
        match () {
            () if now_ms >= self.principal.expires_ms => Some("its time was over"),
            () if now_ms >= self.seen_ms.saturating_add(idle.as_millis()) => Some("it was not used"),
            () if sign_ins.basis(policy).as_ref() != Some(&self.basis) => Some(OTHER_POLICY),
            () if people.check_revoked(issuer, subject, &self.lineage()).is_err() => Some("it was revoked"),
            () => None,
        }
    }

    /// The log's word for it: enough of the digest to find what belongs together, of nothing that lets anyone in.
    pub fn named(digest: &str) -> String {
        digest.chars().take(16).collect()
    }

    /// Who it is, as records name them.
    pub fn who(&self) -> Who {
        let Principal { issuer, subject, groups, .. } = self.principal.clone();
        Who { issuer, subject, groups }
    }

    /// Where it comes from: the ID token.
    pub fn lineage(&self) -> Lineage {
        let tokens = self.token.iter().map(|id| TokenId(self.principal.issuer.clone(), id.clone()));
        Lineage { tokens: tokens.collect(), issued_ms: self.made_ms }
    }

    /// Whether its use now is worth writing down.
    pub fn is_news(&self, now_ms: u64) -> bool {
        now_ms >= self.seen_ms.saturating_add(SEEN_EVERY_MS)
    }
}

/// The id of a visit: what the browser has and nobody else.
pub struct VisitId(Zeroizing<String>);

impl VisitId {
    /// A new one: 256 bits.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn make() -> Result<Self, KeyError> {
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(random::<32>()?))))
    }

    /// As a cookie has it; `None`: no id was ever made like this.
    pub fn read(text: &str) -> Option<Self> {
        let made = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        made.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// For the cookie.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What the store knows it by.
    pub fn digest(&self) -> String {
        digest(&self.0)
    }
}

/// Makes and checks what browsers carry for us. Replicas have the same.
pub struct VisitKey(Zeroizing<[u8; 32]>);

impl VisitKey {
    /// Derived from a secret that only control has, in all its replicas.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Zeroizing::new(mac(secret, &["sluice visits 1"])))
    }

    /// The token that forms of a visit carry, to show that they come from our own pages.
    pub fn csrf(&self, visit: &VisitId) -> String {
        self.derive("csrf", visit.secret())
    }

    /// Whether a form's token is that of the visit.
    pub fn is_csrf(&self, visit: &VisitId, given: &str) -> bool {
        self.csrf(visit).as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// 256 bits in base64url, that only this key can make of a text for a purpose.
    fn derive(&self, purpose: &str, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.0, &[purpose, text]))
    }
}

/// HMAC-SHA-256 over texts, each with its length, so that no two lists look alike.
fn mac(key: &[u8; 32], texts: &[&str]) -> [u8; 32] {
    // A key of this size fits: HMAC takes any.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for text in texts {
        mac.update(&(text.len() as u64).to_be_bytes());
        mac.update(text.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

#[cfg(test)]
mod tests;
