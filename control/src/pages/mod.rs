//! Web pages: what reviewers, auditors and operators look at.
//!
//! A page calls the function that answers the HTTP API and shows what it gives: what a person may see is decided there,
//! once. Everything is rendered here (`templates/`), and works without scripts where a form will do; scripts
//! (`assets/`) add keys, live queues and the player. Nothing is inline, so that the content policy can forbid it:
//! whatever text gets into a page, it stays text.
//!
//! One file a page. `shell` is the frame around them, `text` how recorded text is shown, `failure` what goes wrong.

mod access;
mod assets;
mod chain;
mod compare;
mod delegations;
mod device;
mod effect;
mod failure;
mod fleet;
mod form;
mod holds;
mod identities;
mod identity;
mod number;
mod overview;
mod passes;
mod policy;
mod proposals;
mod propose;
mod review;
mod reviews;
mod ruling;
mod sessions;
mod shell;
mod signin;
mod text;
mod timeline;
mod voice;
mod when;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::http::Control;
use crate::http::compare::LARGEST;

pub use failure::readable;
pub use signin::{signed_out, who_are_you};

/// What a page may load: what this service serves, and nothing written into the page itself.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                              connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The largest form with many items: two hundred, each with a reason.
const FORM_BYTES: usize = 1 << 20;

/// The pages.
pub fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/", get(shell::start))
        .route("/theme", post(shell::theme))
        .route("/holds", get(holds::queue))
        .route("/holds/changes", get(holds::changes))
        .route("/holds/queue", get(holds::queue_part))
        .route("/holds/{id}", get(holds::show))
        .route("/holds/{id}/state", get(holds::state_part))
        .route("/holds/{id}/decision", post(holds::decide))
        .route("/holds/{id}/comments", post(holds::comment))
        .route("/sessions", get(sessions::list))
        .route("/sessions/verify", post(sessions::verify))
        .route("/sessions/{id}", get(timeline::show))
        .route("/sessions/{id}/chain", get(chain::show))
        .route("/sessions/{id}/compare", get(compare::show).merge(pasting()))
        .route("/overview", get(overview::show))
        .route("/access", get(access::show))
        .route("/access/grants", post(access::request))
        .route("/access/grants/{id}/decision", post(access::decide))
        .route("/access/grants/{id}/revoke", post(access::revoke))
        .route("/access/passes", get(passes::list))
        .route("/access/passes/{id}", get(passes::show))
        .route("/access/passes/{id}/revoke", post(passes::revoke))
        .route("/access/delegations", get(delegations::list).post(delegations::give))
        .route("/access/delegations/{id}/end", post(delegations::end))
        .route("/access/reviews", get(reviews::list).post(reviews::start))
        .route("/access/reviews/{id}", get(review::show))
        .route(
            "/access/reviews/{id}/decisions",
            post(ruling::decide).layer(DefaultBodyLimit::max(FORM_BYTES)),
        )
        .route("/access/reviews/{id}/close", post(reviews::close))
        .route("/access/identities", get(identities::list))
        .route("/access/identity", get(identity::show))
        .route("/access/withheld/{id}/lift", post(identity::lift))
        .route("/policy", get(policy::show))
        .route("/policy/proposals/new", get(propose::form))
        .route("/policy/proposals/{id}", get(proposals::show))
        .route("/policy/proposals/{id}/decision", post(proposals::decide))
        .route(
            "/policy/proposals",
            get(proposals::list).post(propose::propose).layer(DefaultBodyLimit::max(propose::FORM_BYTES)),
        )
        .route("/policy/trial", get(policy::form).post(policy::trial))
        .route("/fleet", get(fleet::show))
        .route("/device", get(device::look).post(device::decide))
        .route("/assets/{file}", get(assets::file))
        .layer(middleware::from_fn(guarded))
}

/// A form that carries a whole policy.
fn pasting() -> MethodRouter<Arc<Control>> {
    post(compare::pasted).layer(DefaultBodyLimit::max(LARGEST))
}

/// Adds what keeps a page from being made to do what it does not say.
async fn guarded(request: Request, next: Next) -> Response {
    guard(next.run(request).await)
}

fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What one person saw is for no cache, nor for whoever sits down next.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A template as an answer.
fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page was not rendered");
            failure::broken()
        }
    }
}
