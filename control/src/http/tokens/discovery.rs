//! `GET /.well-known/oauth-authorization-server` (RFC 8414): where tokens are given, for clients that know a base URL alone.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::super::sidecars::DataPlane;
use super::super::{Control, Problem, Query};
use super::{DEVICE_CODE, EXCHANGE, JWT_BEARER, REFRESH, SAML_BEARER, unkept};

/// `GET /.well-known/oauth-authorization-server`. A gateway says under which base URL its client knows it (`base`); every
/// endpoint is then below it, since Claude Code uses those of its own origin alone.
pub async fn discovery(
    gateway: Result<DataPlane, Problem>,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Response {
    let base = query.get("base").filter(|base| gateway.is_ok() && is_base(base));
    let base = base.unwrap_or(&control.issuer.url);
    unkept(json!({
        "issuer": base,
        "token_endpoint": format!("{base}/v1/oauth/token"),
        "revocation_endpoint": format!("{base}/v1/oauth/revoke"),
        "device_authorization_endpoint": format!("{base}/v1/oauth/device"),
        "grant_types_supported": [DEVICE_CODE, REFRESH, JWT_BEARER, SAML_BEARER, EXCHANGE],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
    }))
}

/// A scheme and an authority, and nothing that could be read in another way.
fn is_base(base: &str) -> bool {
    let authority = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    authority.is_some_and(|authority| {
        (1..=255).contains(&authority.len())
            && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
    })
}
