//! `POST /v1/oauth/token`: a token of control's own, for something else.
//!
//! | grant | as in | what is shown |
//! |---|---|---|
//! | `jwt-bearer` | RFC 7523, section 2.1 | a token of an issuer in the policy, by the Anthropic SDKs and Claude Code, as JSON |
//! | `token-exchange` | RFC 8693 | the same by anything else, as a form |
//! | `saml2-bearer` | RFC 7522 | a SAML assertion ([`assertion`](super::assertion)); by RFC 8693, too |
//! | `refresh_token` | RFC 6749, section 6 | a refresh token |
//! | `device_code` | RFC 8628, section 3.4 | the code of a device that a person has let in |
//!
//! The new token speaks for the same principal: the same issuer, subject and groups. It may be narrowed, never
//! widened, and what was exchanged once cannot be made to live longer by exchanging it again. It carries where it comes
//! from, so that it ends with the tokens that were given for it when one of them is revoked.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sluice_engine::identity::covers;
use sluice_engine::policy::bundle::Revocation;

use super::super::introspect::verified;
use super::assertion::{Shown, shown};
use super::give::{Gift, give, own_issuer, renew};
use super::{Control, Refused, read, unable, unkept};
use crate::tokens::device::Poll;
use crate::tokens::family::{Family, Rotated};
use crate::tokens::introspection::Unverified;
use crate::tokens::revocation::{AFTER_END_MS, Revoked};
use crate::tokens::source::{self, Source};

/// RFC 7523.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 7522.
pub const SAML_BEARER: &str = "urn:ietf:params:oauth:grant-type:saml2-bearer";
/// RFC 8693.
pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 6749, section 6.
pub const REFRESH: &str = "refresh_token";
/// RFC 8628.
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 8693, section 3: what is taken and given.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";

/// The scope by which a refresh token is asked for (OpenID Connect Core 1.0, section 11).
const OFFLINE: &str = "offline_access";

/// What is asked for. Fields of other grants and extensions are passed over, as RFC 6749 (section 3.2) wants.
#[derive(Deserialize, Default)]
struct Ask {
    grant_type: Option<String>,
    assertion: Option<String>,
    subject_token: Option<String>,
    subject_token_type: Option<String>,
    actor_token: Option<String>,
    requested_token_type: Option<String>,
    scope: Option<String>,
    refresh_token: Option<String>,
    device_code: Option<String>,
}

/// `POST /v1/oauth/token`.
pub async fn token(
    State(control): State<Arc<Control>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let ask: Ask = read(&headers, &body).map_err(IntoResponse::into_response)?;
    let answer = match ask.grant_type.as_deref() {
        Some(REFRESH) => refresh(&control, &ask).await,
        Some(DEVICE_CODE) => poll(&control, &ask).await,
        _ => exchange(&control, &ask).await,
    };
    answer.map(unkept).map_err(IntoResponse::into_response)
}

async fn exchange(control: &Control, ask: &Ask) -> Result<serde_json::Value, Refused> {
    let (given, exchanged) = presented(ask)?;
    let Shown { source, until_ms, once } = match given {
        Given::Token(token) => {
            let verified = verified(control, token).await.map_err(|why| match why {
                Unverified::Refused(why) => Refused::new("invalid_grant", why.to_string()),
                Unverified::Away => unable("its issuer is away"),
            })?;
            Source::from(verified).into()
        }
        Given::Assertion(assertion) => shown(control, assertion).await?,
    };
    let now = (control.clock)();
    let (scopes, lasting) = narrowed(source.scopes.as_deref(), ask.scope.as_deref())?;
    if let Some((hash, until_ms)) = once
        && !control.store.use_assertion(hash, until_ms).await.map_err(unable)?
    {
        let why = "the assertion was used before, and is good once; get a new one";
        return Err(Refused::new("invalid_grant", why));
    }
    let gift = Gift { source, scopes, lasting, device: None, until_ms };
    let mut answer = give(control, gift, now).await?;
    if let Some(members) = answer.as_object_mut() {
        members.extend(exchanged.then(|| ("issued_token_type".to_owned(), ACCESS_TOKEN.into())));
    }
    Ok(answer)
}

/// A device asks whether it was let in.
async fn poll(control: &Control, ask: &Ask) -> Result<serde_json::Value, Refused> {
    let code = ask.device_code.as_deref().ok_or_else(|| lacks("device_code"))?;
    let now = (control.clock)();
    match control.store.poll_device(source::hash(code), now).await.map_err(unable)? {
        Poll::Pending => {
            Err(Refused::new("authorization_pending", "nobody has let this device in yet; ask again"))
        }
        Poll::SlowDown => {
            Err(Refused::new("slow_down", "ask less often: five seconds more between two questions"))
        }
        Poll::Denied => Err(Refused::new("access_denied", "a person refused this device")),
        Poll::Gone => Err(Refused::new("expired_token", "this code is not good any more; begin again")),
        Poll::Approved(device) => {
            let refused =
                || Refused::new("access_denied", "the sign-in of whoever let this device in has ended");
            let device = *device;
            let source = device.source.ok_or_else(refused)?;
            let stands = {
                let people = &control.bundle.borrow().people;
                people.check_revoked(&source.who.issuer, &source.who.subject, &source.from).is_ok()
            };
            if !stands || source.is_own && source.expires_ms <= now {
                return Err(refused());
            }
            let asked = device.scopes.as_ref().map(|scopes| scopes.join(" "));
            let (scopes, _) = narrowed(source.scopes.as_deref(), asked.as_deref())?;
            let account = source.who.subject.clone();
            let device = Some(device.client.unwrap_or_default());
            let mut answer =
                give(control, Gift { source, scopes, lasting: true, device, until_ms: None }, now).await?;
            if let Some(members) = answer.as_object_mut() {
                // What Claude Code shows and has confirmed before it keeps the token.
                members.insert("email".to_owned(), account.into());
            }
            Ok(answer)
        }
    }
}

async fn refresh(control: &Control, ask: &Ask) -> Result<serde_json::Value, Refused> {
    let shown = ask.refresh_token.as_deref().ok_or_else(|| lacks("refresh_token"))?;
    let ended = || Refused::new("invalid_grant", "this sign-in has ended; sign in again");
    let now = (control.clock)();
    let hash = source::hash(shown);
    let mut family = control.store.family(&hash, now).await.map_err(unable)?.ok_or_else(ended)?;
    {
        let bundle = control.bundle.borrow();
        let source = &family.source;
        let stands = bundle.people.check_revoked(&source.who.issuer, &source.who.subject, &source.from);
        stands.map_err(|why| Refused::new("invalid_grant", why.to_string()))?;
        family.ends_ms = family.ends_by(&bundle.policy).filter(|ends| *ends > now).ok_or_else(ended)?;
    }
    let (scopes, _) = narrowed(family.source.scopes.as_deref(), ask.scope.as_deref())?;
    let (rotated, answer) = renew(control, &family, scopes, hash, now).await?;
    match rotated {
        Rotated::Done => Ok(answer),
        Rotated::Gone => Err(ended()),
        Rotated::Reused => {
            end(control, family, now).await?;
            let why = "this refresh token was used before, so somebody else may have it: the sign-in has ended; sign in again";
            Err(Refused::new("invalid_grant", why))
        }
    }
}

/// Ends a family with all that it has given.
pub async fn end(control: &Control, family: Family, now_ms: u64) -> Result<(), Refused> {
    let issuer = own_issuer(control)?.name;
    let revoked = Revoked {
        what: Revocation::Token { issuer, id: family.id },
        holder: Some(family.source.who.clone()),
        by: family.source.who,
        reason: None,
        at_ms: now_ms,
        until_ms: family.ends_ms.max(now_ms).saturating_add(AFTER_END_MS),
    };
    let taken = control.store.revoke(revoked).await.map_err(unable)?;
    taken.ok_or_else(|| unable("so many tokens of holders are revoked that no more are taken"))?;
    control.revocations_changed.notify_one();
    Ok(())
}

fn lacks(field: &str) -> Refused {
    Refused::new("invalid_request", format!("`{field}` is missing"))
}

/// What is presented.
enum Given<'a> {
    /// A token.
    Token(&'a str),
    /// A SAML assertion.
    Assertion(&'a str),
}

/// What is presented, and whether by a token exchange.
fn presented(ask: &Ask) -> Result<(Given<'_>, bool), Refused> {
    let assertion = || ask.assertion.as_deref().ok_or_else(|| lacks("assertion"));
    match ask.grant_type.as_deref() {
        Some(JWT_BEARER) => Ok((Given::Token(assertion()?), false)),
        Some(SAML_BEARER) => Ok((Given::Assertion(assertion()?), false)),
        Some(EXCHANGE) => {
            let token = ask.subject_token.as_deref().ok_or_else(|| lacks("subject_token"))?;
            let given = match ask.subject_token_type.as_deref() {
                Some(JWT | ACCESS_TOKEN | ID_TOKEN) => Given::Token(token),
                Some(SAML2) => Given::Assertion(token),
                None => return Err(lacks("subject_token_type")),
                Some(_) => {
                    let why =
                        format!("`subject_token_type` takes {JWT}, {ACCESS_TOKEN}, {ID_TOKEN} or {SAML2}");
                    return Err(Refused::new("invalid_request", why));
                }
            };
            if ask.actor_token.is_some() {
                let why = "acting for somebody else is not supported: leave `actor_token` out";
                return Err(Refused::new("invalid_request", why));
            }
            if !matches!(ask.requested_token_type.as_deref(), None | Some(ACCESS_TOKEN | JWT)) {
                let why = format!("`requested_token_type` takes {ACCESS_TOKEN} or {JWT}");
                return Err(Refused::new("invalid_request", why));
            }
            Ok((given, true))
        }
        None => Err(lacks("grant_type")),
        Some(_) => Err(Refused::new(
            "unsupported_grant_type",
            format!("`grant_type` takes {JWT_BEARER}, {SAML_BEARER}, {EXCHANGE}, {REFRESH} or {DEVICE_CODE}"),
        )),
    }
}

/// The scopes of the new token: those of the old one, or those of them that are asked for; and whether the sign-in is to
/// last.
pub fn narrowed(own: Option<&[String]>, asked: Option<&str>) -> Result<(Option<Vec<String>>, bool), Refused> {
    let mut asked: Vec<String> =
        asked.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
    let before = asked.len();
    asked.retain(|scope| scope != OFFLINE);
    let lasting = asked.len() < before;
    if asked.is_empty() {
        return Ok((own.map(<[String]>::to_vec), lasting));
    }
    let Some(own) = own else { return Ok((Some(asked), lasting)) };
    match asked.iter().find(|scope| !own.iter().any(|own| covers(own, scope))) {
        Some(_) => {
            Err(Refused::new("invalid_scope", "a scope that is asked for is not among those of the token"))
        }
        None => Ok((Some(asked), lasting)),
    }
}
