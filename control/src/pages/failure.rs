//! What goes wrong, as a page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::shell::{Shell, Visitor};
use super::{guard, page};
use crate::http::{Control, Guidance, NoVisitor, Problem, visitor};

/// A page of its own: nobody is signed in, or there is one thing to do.
#[derive(Template)]
#[template(path = "failure.html")]
struct Alone {
    shell: Shell,
    what: What,
}

/// In the frame of somebody who is signed in.
#[derive(Template)]
#[template(path = "failure_framed.html")]
struct Framed {
    shell: Shell,
    what: What,
}

/// What went wrong, and what to do.
struct What {
    status: u16,
    heading: &'static str,
    detail: String,
    advice: String,
    href: String,
    label: &'static str,
}

/// A problem that is shown as a page, whatever the browser says that it wants.
#[derive(Clone)]
struct AsPage;

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
        match self {
            Self::SignIn(response) => *response,
            Self::Problem(problem) => {
                let mut response = problem.into_response();
                response.extensions_mut().insert(AsPage);
                response
            }
        }
    }
}

impl What {
    fn of(problem: Problem) -> Self {
        let Problem { status, detail, guidance, .. } = problem;
        if let Some(guidance) = guidance {
            let Guidance { heading, detail, advice, href, label } = *guidance;
            return Self { status, heading, detail: sentence(&detail), advice, href, label };
        }
        let detail = sentence(&detail);
        let (heading, advice) = match status {
            400 => ("That was not understood", "Go back, load the page again and repeat what you did."),
            401 => ("Sign in first", ""),
            403 => (
                "Not allowed",
                "Groups come from your identity provider, and take effect when you sign in anew.",
            ),
            404 => ("Not found", "It may have been moved or ended, or be for others to see."),
            409 => ("Somebody was faster", "Look at how it stands now."),
            413 => ("Too much at once", ""),
            429 => ("Too often", "Nothing is lost: wait a moment, then load the page again."),
            502 | 503 => ("Not at the moment", "Nothing was changed. Load the page again in a minute."),
            _ => (
                "Something went wrong",
                "Load the page again; when it stays so, tell whoever runs this service.",
            ),
        };
        let (href, label) = match status {
            401 => ("/signin", "Sign in"),
            _ => ("/", "Back to the start"),
        };
        Self { status, heading, detail, advice: advice.into(), href: href.into(), label }
    }
}

/// The detail of a problem begins as a part of a sentence.
pub fn sentence(detail: &str) -> String {
    let mut chars = detail.chars();
    let first: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if detail.ends_with(['.', '!', '?', ')']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// Shows problems as pages: those of pages, and to browsers that ask for one whatever answered. Everyone else gets them as
/// they are.
pub async fn readable(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let browses = accepts.is_some_and(|accepts| accepts.contains("text/html"));
    let asked = browses.then(|| (request.headers().clone(), request.uri().clone()));
    let mut response = next.run(request).await;
    let is_page = response.extensions_mut().remove::<AsPage>().is_some();
    let problem = response.extensions_mut().remove::<Problem>().filter(|_| is_page || browses);
    let Some(problem) = problem else { return response };
    let (headers, uri) = asked.unwrap_or_default();
    let status = response.status();
    let mut shown = (status, guard(drawn(&control, &headers, &uri, problem).await)).into_response();
    for name in [header::SET_COOKIE, header::RETRY_AFTER, header::ALLOW] {
        for value in response.headers().get_all(&name) {
            shown.headers_mut().append(name.clone(), value.clone());
        }
    }
    shown
}

async fn drawn(control: &Arc<Control>, headers: &HeaderMap, uri: &Uri, problem: Problem) -> Response {
    let alone = problem.guidance.is_some();
    let what = What::of(problem);
    let visitor = match alone {
        true => None,
        // What cannot be found out now is left out: this is about something else that went wrong.
        false => visitor(&Method::GET, headers, control).await.unwrap_or_default(),
    };
    match visitor.map(|visitor| Visitor::new(visitor, headers, uri)) {
        Some(visitor) => page(&Framed { shell: visitor.shell(control, what.heading, ""), what }),
        None => page(&Alone { shell: Shell::nobody(what.heading, headers), what }),
    }
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
