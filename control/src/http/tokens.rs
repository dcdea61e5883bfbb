//! `POST /v1/oauth/token`: a token of an issuer in the policy becomes one of control's own.
//!
//! | grant | as in | who sends it |
//! |---|---|---|
//! | `jwt-bearer` | RFC 7523, section 2.1 | the Anthropic SDKs and Claude Code with an identity token, as JSON |
//! | `token-exchange` | RFC 8693 | anything else, as a form |
//!
//! The new token speaks for the same principal: the same issuer, subject and groups. It may be narrowed, never
//! widened, and what was exchanged once cannot be made to live longer by exchanging it again.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;
use sluice_engine::identity::{Principal, covers};
use sluice_engine::policy::document::KeySource;
use sluice_engine::record::Who;

use super::{Control, area};
use crate::records::{Entry, TokenEvent};
use crate::store::Addition;
use crate::tokens::Claims;

/// RFC 7523.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 8693.
pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// RFC 8693, section 3: what is taken and given.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// How long a new token lives at the most, in seconds: clients come again well before, with what they exchanged.
const LIFETIME: u64 = 3600;

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
}

/// An error as RFC 6749, section 5.2, has it.
struct Refused {
    status: StatusCode,
    error: &'static str,
    why: String,
}

impl Refused {
    fn new(error: &'static str, why: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, why: why.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "error_description": self.why});
        (self.status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new().route("/v1/oauth/token", post(token));
    area(Router::new(), people)
}

/// `POST /v1/oauth/token`.
pub async fn token(
    State(control): State<Arc<Control>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    exchange(&control, &headers, &body).await.map_err(IntoResponse::into_response)
}

async fn exchange(control: &Control, headers: &HeaderMap, body: &[u8]) -> Result<Response, Refused> {
    let ask = read(headers, body)?;
    let (given, exchanged) = presented(&ask)?;
    let now = (control.clock)();
    let principal = control.bundle.borrow().people.verify(given, now);
    let principal = principal.map_err(|why| Refused::new("invalid_grant", why.to_string()))?;
    let scopes = narrowed(&principal, ask.scope.as_deref())?;
    let (audience, longest, from_control) = {
        let bundle = control.bundle.borrow();
        let own = bundle.policy.issuers.iter().find(|own| own.keys == KeySource::Control);
        let own = own.filter(|own| own.issuer == control.issuer.url).ok_or_else(|| {
            Refused::new(
                "invalid_request",
                format!(
                    "tokens cannot be exchanged here: the policy has no issuer with `keys: control` and `issuer: {}`",
                    control.issuer.url
                ),
            )
        })?;
        let audience = own.audiences.first().cloned().unwrap_or_default();
        (audience, own.max_lifetime.as_seconds(), is_of(given, &own.issuer))
    };
    let left = principal.expires_ms.saturating_sub(now) / 1000;
    let lifetime = if from_control { left } else { LIFETIME }.min(longest);
    let claims = Claims {
        subject: principal.subject.clone(),
        groups: principal.groups.clone(),
        scopes: scopes.clone(),
        audience,
        via: Some(principal.issuer.clone()),
        lifetime,
    };
    let unable = |why: String| {
        tracing::error!(why, "a token could not be exchanged");
        let why = "the service could not do this now; try again later".to_owned();
        Refused { status: StatusCode::SERVICE_UNAVAILABLE, error: "temporarily_unavailable", why }
    };
    let minted = control.issuer.mint(&claims, now).map_err(|error| unable(error.to_string()))?;
    // Written before it is given away.
    let event = TokenEvent {
        id: minted.id,
        at_ms: now,
        who: Who { issuer: principal.issuer, subject: principal.subject, groups: principal.groups },
        scopes: scopes.clone(),
        expires_ms: now.saturating_add(lifetime.saturating_mul(1000)),
    };
    let entries = vec![Entry::Token(Box::new(event))];
    let written = control.store.add(Addition { entries, ..Addition::default() }, now).await;
    written.map_err(|error| unable(error.to_string()))?;
    let mut answer = json!({"access_token": minted.token, "token_type": "Bearer", "expires_in": lifetime});
    if let Some(members) = answer.as_object_mut() {
        members.extend(scopes.map(|scopes| ("scope".to_owned(), scopes.join(" ").into())));
        members.extend(exchanged.then(|| ("issued_token_type".to_owned(), ACCESS_TOKEN.into())));
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// A form, as the standards have it; JSON, as the Anthropic SDKs send it.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Ask, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // The parsers' own words are left out: they may quote a token.
    let wrong =
        |what| Refused::new("invalid_request", format!("the body is not {what}, or names a field twice"));
    match kind.to_ascii_lowercase().as_str() {
        "application/json" => serde_json::from_slice(body).map_err(|_| wrong("a JSON object of strings")),
        "application/x-www-form-urlencoded" => {
            serde_urlencoded::from_bytes(body).map_err(|_| wrong("a form"))
        }
        _ => Err(Refused::new(
            "invalid_request",
            "send a form (application/x-www-form-urlencoded), or JSON (application/json)",
        )),
    }
}

/// The token that is presented, and whether by a token exchange.
fn presented(ask: &Ask) -> Result<(&str, bool), Refused> {
    let lacks = |field: &str| Refused::new("invalid_request", format!("`{field}` is missing"));
    match ask.grant_type.as_deref() {
        Some(JWT_BEARER) => Ok((ask.assertion.as_deref().ok_or_else(|| lacks("assertion"))?, false)),
        Some(EXCHANGE) => {
            let token = ask.subject_token.as_deref().ok_or_else(|| lacks("subject_token"))?;
            match ask.subject_token_type.as_deref() {
                Some(JWT | ACCESS_TOKEN | ID_TOKEN) => {}
                None => return Err(lacks("subject_token_type")),
                Some(_) => {
                    let why = format!("`subject_token_type` takes {JWT}, {ACCESS_TOKEN} or {ID_TOKEN}");
                    return Err(Refused::new("invalid_request", why));
                }
            }
            if ask.actor_token.is_some() {
                let why = "acting for somebody else is not supported: leave `actor_token` out";
                return Err(Refused::new("invalid_request", why));
            }
            if !matches!(ask.requested_token_type.as_deref(), None | Some(ACCESS_TOKEN | JWT)) {
                let why = format!("`requested_token_type` takes {ACCESS_TOKEN} or {JWT}");
                return Err(Refused::new("invalid_request", why));
            }
            Ok((token, true))
        }
        None => Err(lacks("grant_type")),
        Some(_) => Err(Refused::new(
            "unsupported_grant_type",
            format!("`grant_type` takes {JWT_BEARER} or {EXCHANGE}"),
        )),
    }
}

/// The scopes of the new token: those of the old one, or those of them that are asked for.
fn narrowed(principal: &Principal, asked: Option<&str>) -> Result<Option<Vec<String>>, Refused> {
    let Some(asked) = asked else { return Ok(principal.scopes.clone()) };
    let asked: Vec<String> = asked.split_ascii_whitespace().map(str::to_owned).collect();
    let Some(own) = &principal.scopes else { return Ok(Some(asked)) };
    match asked.iter().find(|scope| !own.iter().any(|own| covers(own, scope))) {
        Some(_) => {
            Err(Refused::new("invalid_scope", "a scope that is asked for is not among those of the token"))
        }
        None => Ok(Some(asked)),
    }
}

/// Whether a token that was verified carries this `iss`.
fn is_of(token: &str, issuer: &str) -> bool {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice::<serde_json::Value>(&claims).ok());
    claims.is_some_and(|claims| claims.get("iss").and_then(|iss| iss.as_str()) == Some(issuer))
}
