//! What `sluice serve --dev` lets in: calls from this machine, to this machine.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use subtle::ConstantTimeEq as _;

use super::auth::bearer;
use super::{Control, Problem};

/// Refuses what names another host than this machine: a page of somebody else's, whose name was made to point here (DNS
/// rebinding), would else be taken for our own. An Envoy calls the service by its cluster's name: it shows that it is one by
/// the data-plane token, which no page knows.
pub async fn only_local(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let given = bearer(request.headers()).unwrap_or_default();
    if bool::from(given.as_bytes().ct_eq(control.data_token.as_bytes())) {
        return next.run(request).await;
    }
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let named = named.or_else(|| request.uri().authority().map(Authority::as_str)).unwrap_or_default();
    if is_local(named) {
        return next.run(request).await;
    }
    let why = "this service runs with --dev, for this machine alone: call it as 127.0.0.1 or localhost";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, why).into_response()
}

/// Whether a host, with or without a port, is this machine's loopback.
pub fn is_local(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    !authority.as_str().contains('@') && (loopback || host.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_names_of_the_loopback_are_local() {
        for local in ["127.0.0.1", "127.0.0.1:9901", "localhost:1", "LocalHost", "[::1]:9901", "127.9.9.9"] {
            assert!(is_local(local), "{local}");
        }
        for other in [
            "",
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "10.0.0.1",
            "127.0.0.1@evil.test",
            "0.0.0.0",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
