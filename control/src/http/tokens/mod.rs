//! Tokens of control's own issuer: given, kept alive, ended. Reached at control, and at gateways, which pass these calls on.
//!
//! | path | what |
//! |---|---|
//! | `POST /v1/oauth/token` | a token for another, for a SAML assertion ([`assertion`]), for a refresh token, or for a device ([`token`]) |
//! | `POST /v1/oauth/revoke` | the end of a token or of a sign-in ([`revoke`]) |
//! | `POST /v1/oauth/device` | a code for a device ([`device`]) |
//! | `GET /v1/devices/{code}`, `POST /v1/devices/{code}/decision` | a person looks at a device, and lets it in or refuses it |
//! | `GET /device`, `POST /device` | the same in a browser ([`crate::pages`]) |
//! | `GET /.well-known/oauth-authorization-server` | where all that is (RFC 8414, [`discovery`]) |
//!
//! Claude Code falls back to `/oauth/token` and `/oauth/device_authorization` where discovery names another origin than the one
//! it was given, as behind a further proxy.

mod assertion;
pub(crate) mod device;
mod discovery;
mod give;
mod revoke;
mod token;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Control, Problem, area};

pub use device::{Allowing, ShownDevice};
pub use token::{DEVICE_CODE, EXCHANGE, JWT_BEARER, REFRESH, SAML_BEARER};

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

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(refused.status, refused.why)
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
    let people = Router::new()
        .route("/v1/oauth/token", post(token::token))
        .route("/oauth/token", post(token::token))
        .route("/v1/oauth/revoke", post(revoke::revoke))
        .route("/v1/oauth/device", post(device::ask))
        .route("/oauth/device_authorization", post(device::ask))
        .route("/v1/devices/{code}", get(device::show))
        .route("/v1/devices/{code}/decision", post(device::decide))
        .route("/.well-known/oauth-authorization-server", get(discovery::discovery));
    area(Router::new(), people)
}

/// An answer that nobody keeps.
fn unkept(body: serde_json::Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// 503: what should have been done was not.
fn unable(error: impl std::fmt::Display) -> Refused {
    tracing::error!(%error, "what was asked of a token could not be done");
    let why = "the service could not do this now; try again later".to_owned();
    Refused { status: StatusCode::SERVICE_UNAVAILABLE, error: "temporarily_unavailable", why }
}

/// A form, as the standards have it; JSON, as the Anthropic SDKs send it.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refused> {
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
