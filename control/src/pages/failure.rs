//! What goes wrong, as a page.

use askama::Template;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use super::guard;
use super::shell::Shell;
use crate::http::{NoVisitor, Problem};

#[derive(Template)]
#[template(path = "failure.html")]
struct Page {
    shell: Shell,
    status: u16,
    heading: &'static str,
    detail: String,
    next: Option<(&'static str, &'static str)>,
}

/// Why a page is not shown.
pub enum Failure {
    /// Something is wrong, shown as a page.
    Problem(Problem),
    /// Nobody is signed in: on to where they can.
    SignIn(Box<Response>),
}

impl<P: Into<Problem>> From<P> for Failure {
    fn from(problem: P) -> Self {
        Self::Problem(problem.into())
    }
}

impl From<NoVisitor> for Failure {
    fn from(why: NoVisitor) -> Self {
        match why {
            NoVisitor::Problem(problem) => Self::Problem(problem),
            sign_in @ NoVisitor::SignIn { .. } => Self::SignIn(Box::new(sign_in.into_response())),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Problem { status, detail, .. } = match self {
            Self::Problem(problem) => problem,
            Self::SignIn(response) => return *response,
        };
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
pub fn sentence(detail: &str) -> String {
    let mut chars = detail.chars();
    let first: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if detail.ends_with(['.', '!', '?', ')']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// Shows problems as pages to browsers that ask for one, whatever answered; everyone else gets them as they are.
pub async fn readable(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let browses = accepts.is_some_and(|accepts| accepts.contains("text/html"));
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>().filter(|_| browses) else {
        return response;
    };
    let mut shown = guard(Failure::Problem(problem).into_response());
    for cookie in response.headers().get_all(header::SET_COOKIE) {
        shown.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    shown
}

/// Nothing is at this path.
pub fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// A page that could not be rendered.
pub fn broken() -> Response {
    let problem = Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the page could not be made; the log of the service says why",
    );
    problem.into_response()
}
