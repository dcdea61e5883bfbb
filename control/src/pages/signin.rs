//! Signing in, as far as it happens here: under `--dev`; and signed out.

use askama::Template;
use axum::http::HeaderMap;
use axum::response::Response;

use super::shell::Shell;
use super::{guard, page};

#[derive(Template)]
#[template(path = "signin.html")]
struct SignIn {
    shell: Shell,
}

#[derive(Template)]
#[template(path = "signedout.html")]
struct SignedOut {
    shell: Shell,
    again: String,
    provider: Option<String>,
}

/// What `--dev` asks. The form is sent to where it came from, query included.
pub fn who_are_you(headers: &HeaderMap) -> Response {
    guard(page(&SignIn { shell: Shell::nobody("Sign in", headers) }))
}

/// Somebody has signed out. `again`: where they sign in again; `provider`: where they sign out at the identity provider.
pub fn signed_out(headers: &HeaderMap, again: String, provider: Option<String>) -> Response {
    guard(page(&SignedOut { shell: Shell::nobody("Signed out", headers), again, provider }))
}
