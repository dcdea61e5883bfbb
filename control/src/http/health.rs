//! Is the service alive and ready; and what its own issuer publishes.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::tokens::{DEVICE_CODE, EXCHANGE, JWT_BEARER, REFRESH, SAML_BEARER};
use super::{Control, area};

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/.well-known/jwks.json", get(jwks));
    area(Router::new(), people)
}

/// `GET /livez`.
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 while bundles can be served and records written. Faults of the policy files and of issuers
/// are shown and do not make it unready: the last good policy and keys are in force.
pub async fn ready(State(control): State<Arc<Control>>) -> Response {
    let trouble = control.store.trouble();
    let closing = *control.closing.borrow();
    let ready = trouble.is_none() && !closing;
    let bundle = {
        let bundle = control.bundle.borrow();
        json!({"version": bundle.version, "issuedAtMs": bundle.issued_at_ms})
    };
    let policy = control.policy.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let issuers = control.issuers.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let body = json!({
        "ready": ready, "bundle": bundle, "policy": policy, "issuers": issuers,
        "store": trouble.unwrap_or_else(|| "ok".into()),
    });
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
}

/// `GET /.well-known/openid-configuration`.
pub async fn discovery(State(control): State<Arc<Control>>) -> Response {
    let issuer = &control.issuer.url;
    let body = json!({
        "issuer": issuer, "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "id_token_signing_alg_values_supported": ["EdDSA"], "subject_types_supported": ["public"],
        "response_types_supported": ["none"],
        "token_endpoint": format!("{issuer}/v1/oauth/token"),
        "revocation_endpoint": format!("{issuer}/v1/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none"],
        "token_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": [JWT_BEARER, SAML_BEARER, EXCHANGE, REFRESH, DEVICE_CODE],
    });
    ([(header::CACHE_CONTROL, "max-age=300")], Json(body)).into_response()
}

/// `GET /.well-known/jwks.json`.
pub async fn jwks(State(control): State<Arc<Control>>) -> Response {
    ([(header::CACHE_CONTROL, "max-age=300")], Json(json!({"keys": [control.issuer.jwk()]}))).into_response()
}
