//! Signing in, as far as it happens here: under `--dev`; and signed out.

use askama::Template;
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
}

/// What `--dev` asks. The form is sent to where it came from, query included.
pub fn who_are_you() -> Response {
    guard(page(&SignIn { shell: Shell::nobody("Sign in") }))
}

/// Somebody has signed out.
pub fn signed_out() -> Response {
    guard(page(&SignedOut { shell: Shell::nobody("Signed out") }))
}
