//! A SAML assertion that is shown for a token (RFC 7522, section 3).

use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::json;
use sluice_engine::identity::{SKEW_MS, TokenError, has_audience};

use super::{Control, Refused};
use crate::tokens::revocation::AFTER_END_MS;
use crate::tokens::saml::{Document, Unproved, Wrong};
use crate::tokens::source::{self, Source};

/// RFC 7522, section 2.1: base64url; padding should not be there.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What somebody has shown for a token.
pub struct Shown {
    /// What it says.
    pub source: Source,
    /// When all that is given for it ends at the latest, in Unix milliseconds, where the issuer says so.
    pub until_ms: Option<u64>,
    /// It is good once: by what it is remembered, and until when.
    pub once: Option<(String, u64)>,
}

impl From<Source> for Shown {
    fn from(source: Source) -> Self {
        Self { source, until_ms: None, once: None }
    }
}

/// What a good assertion says. It is not used up yet.
pub async fn shown(control: &Control, given: &str) -> Result<Shown, Refused> {
    let bytes = BASE64.decode(given).map_err(|_| grant("the assertion is not base64url"))?;
    let document = Document::take(&bytes).map_err(wrong)?;
    let assertion = document.read().map_err(wrong)?;
    let place = format!("{}/v1/oauth/token", control.issuer.url);
    if assertion.recipient != place {
        return Err(grant(format!("the assertion is for another place: its `Recipient` must be {place}")));
    }
    let bundle = Arc::clone(&control.bundle.borrow());
    let all = bundle.policy.issuers.iter().filter(|own| own.issuer == assertion.issuer);
    let signers: Vec<_> = all.filter_map(|own| Some((own, own.saml.as_ref()?))).collect();
    let meant = signers.iter().find(|(own, _)| has_audience(&assertion.claims, &own.audiences));
    let (issuer, saml) = meant
        .or(signers.first())
        .ok_or_else(|| grant("the assertion's issuer is none of those in the policy that sign assertions"))?;
    control.signatures.check(&document, &saml.certificates).await.map_err(|why| match why {
        Unproved::Forged => grant(format!("no certificate of issuer `{}` signed the assertion", issuer.name)),
        Unproved::Unable(why) => {
            tracing::error!(why, "the signature of an assertion could not be checked");
            let why = "the service cannot check signatures of SAML assertions now; whoever runs it finds the reason in its log";
            Refused {
                status: StatusCode::SERVICE_UNAVAILABLE,
                error: "temporarily_unavailable",
                why: why.to_owned(),
            }
        }
    })?;
    let now = (control.clock)();
    // As it is now: what was revoked meanwhile counts.
    let verified = control.bundle.borrow().people.asserted(&issuer.name, &assertion.claims, now);
    let verified = verified.map_err(|why| match why {
        TokenError::Malformed(why) => grant(format!("the assertion is not taken: {why}")),
        why => grant(why.to_string()),
    })?;
    if assertion.session_ends_ms.is_some_and(|ends| ends.saturating_add(SKEW_MS) <= now) {
        return Err(grant("the session that the assertion is about has ended; sign in again"));
    }
    let source = Source::from(verified);
    let hash = source::hash(&json!([assertion.issuer, assertion.id]).to_string());
    let once = Some((hash, source.expires_ms.saturating_add(AFTER_END_MS)));
    Ok(Shown { source, until_ms: assertion.session_ends_ms, once })
}

fn grant(why: impl Into<String>) -> Refused {
    Refused::new("invalid_grant", why)
}

fn wrong(why: Wrong) -> Refused {
    grant(why.to_string())
}
