//! What goes wrong, as a page.

use askama::Template;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::shell::Shell;
use crate::http::Problem;

#[derive(Template)]
#[template(path = "failure.html")]
struct Page {
    shell: Shell,
    status: u16,
    heading: &'static str,
    detail: String,
    next: Option<(&'static str, &'static str)>,
}

/// A problem, shown as a page.
pub struct Failure(Problem);

impl<P: Into<Problem>> From<P> for Failure {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Problem { status, detail, .. } = self.0;
        let heading = match status {
            400 => "That was not understood",
            401 => "Sign in first",
            403 => "Not allowed",
            404 => "Not found",
            409 => "Somebody was faster",
            413 => "Too much at once",
            429 => "Too many",
            503 => "Not at the moment",
            _ => "Something went wrong",
        };
        let next = match status {
            401 => Some(("/signin", "Sign in")),
            _ => Some(("/", "Back to the start")),
        };
        let page = Page { shell: Shell::nobody(heading), status, heading, detail: sentence(&detail), next };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match page.render() {
            Ok(text) => (status, Html(text)).into_response(),
            Err(_) => broken(),
        }
    }
}

/// The detail of a problem begins as a part of a sentence.
fn sentence(detail: &str) -> String {
    let mut chars = detail.chars();
    let first: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if detail.ends_with(['.', '!', '?', ')']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// Nothing is at this path: a page for browsers, a problem for everyone else.
pub async fn not_found(headers: HeaderMap) -> Response {
    let problem = Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path");
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") { Failure(problem).into_response() } else { problem.into_response() }
}

/// A page that could not be rendered.
pub fn broken() -> Response {
    let problem = Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the page could not be made; the log of the service says why",
    );
    problem.into_response()
}
