//! `POST /v1/oauth/revoke` (RFC 7009): whoever has a token may end it, and with it what was exchanged for it; with a refresh
//! token the whole sign-in.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use sluice_engine::policy::bundle::Revocation;
use sluice_engine::record::Who;

use super::super::introspect::verified;
use super::token::end;
use super::{Control, Refused, read, unable, unkept};
use crate::tokens::family;
use crate::tokens::introspection::Unverified;
use crate::tokens::revocation::{AFTER_END_MS, Revoked};
use crate::tokens::source;

/// What is sent. The hint (RFC 7009, section 2.1) is not needed: a token says itself what it is.
#[derive(Deserialize, Default)]
struct Ask {
    token: Option<String>,
}

/// `POST /v1/oauth/revoke`. What is no good token any more is well revoked (section 2.2).
pub async fn revoke(
    State(control): State<Arc<Control>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    give_back(&control, &headers, &body).await.map_err(IntoResponse::into_response)?;
    Ok(unkept(json!({})))
}

async fn give_back(control: &Control, headers: &HeaderMap, body: &[u8]) -> Result<(), Refused> {
    let ask: Ask = read(headers, body)?;
    let token = ask.token.ok_or_else(|| Refused::new("invalid_request", "`token` is missing"))?;
    let now = (control.clock)();
    if token.starts_with(family::PREFIX) {
        return match control.store.family(&source::hash(&token), now).await.map_err(unable)? {
            Some(family) => end(control, family, now).await,
            None => Ok(()),
        };
    }
    let verified = match verified(control, &token).await {
        Ok(verified) => verified,
        Err(Unverified::Refused(_)) => return Ok(()),
        Err(Unverified::Away) => return Err(unable("its issuer is away")),
    };
    let Some(own) = verified.lineage.tokens.last() else { return Ok(()) };
    let principal = verified.principal;
    let until_ms = principal.expires_ms.max(now).saturating_add(AFTER_END_MS);
    let holder = Who { issuer: principal.issuer, subject: principal.subject, groups: principal.groups };
    let revoked = Revoked {
        what: Revocation::Token { issuer: own.0.clone(), id: own.1.clone() },
        by: holder.clone(),
        holder: Some(holder),
        reason: None,
        at_ms: now,
        until_ms,
    };
    match control.store.revoke(revoked).await.map_err(unable)? {
        Some(_) => {
            control.revocations_changed.notify_one();
            Ok(())
        }
        None => Err(unable("so many tokens of holders are revoked that no more are taken")),
    }
}
