//! What pages are built on: somebody who is signed in in a browser.
//!
//! ```ignore
//! // A page. Whoever is not signed in is sent to /signin and comes back here.
//! async fn holds(visitor: Visitor, State(control): State<Arc<Control>>) -> Result<Response, Problem> {
//!     visitor.person.needs_auditor(&control)?;          // the same questions as in the API
//!     let csrf = &visitor.csrf;                         // into every form: <input type=hidden name=csrf value=...>
//!     ...                                               // or, for scripts, as the header x-csrf-token
//! }
//!
//! // A form that such a page has sent; `csrf` is checked and taken out before `T` is read.
//! async fn decide(Submitted { visitor, form }: Submitted<Decision>, ...) -> Result<Response, Problem> { ... }
//! ```
//!
//! `POST /signout` takes a form, too: `<form method=post action=/signout>` with `csrf` in it.
//!
//! The API's [`Person`] takes a visit as well as a token. A call that changes something then carries `x-csrf-token`, and
//! comes from a page of our own.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use sluice_engine::identity::Lineage;

use super::auth::Person;
use super::{Control, Guidance, Problem, browser};
use crate::visits::{VisitId, own_place};

/// The header by which scripts show that they are our own.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// The field by which forms do.
const CSRF_FIELD: &str = "csrf";

/// Somebody who is signed in in a browser. For calls that change something it wants [`CSRF_HEADER`]; a form without
/// scripts is read by [`Submitted`].
pub struct Visitor {
    /// Who it is.
    pub person: Person,
    /// What the visit rests on.
    pub lineage: Lineage,
    /// What forms and scripts of pages made for this visit carry. It stays the same as long as the visit.
    pub csrf: String,
}

/// A form that a page of ours has sent for a visitor.
pub struct Submitted<T> {
    /// Who sent it.
    pub visitor: Visitor,
    /// What is in it, without the token.
    pub form: T,
}

/// Why there is no visitor.
pub enum NoVisitor {
    /// Nobody is signed in: on to `/signin`, and then to this place.
    SignIn {
        /// A path of our own.
        place: String,
        /// Whether htmx asks, which follows only what it is told to.
        htmx: bool,
    },
    /// Somebody is, and may not do this, or the service cannot say.
    Problem(Problem),
}

impl IntoResponse for NoVisitor {
    fn into_response(self) -> Response {
        let (place, htmx) = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::SignIn { place, htmx } => (place, htmx),
        };
        let to = sign_in_at(&place);
        if !htmx {
            return browser::go(&to).unwrap_or_else(IntoResponse::into_response);
        }
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        response.headers_mut().extend(
            HeaderValue::try_from(to).ok().map(|to| (header::HeaderName::from_static("hx-redirect"), to)),
        );
        browser::unkept(response)
    }
}

impl From<Problem> for NoVisitor {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Who is signed in, before it is clear whether they sent this themselves.
struct SignedIn {
    id: VisitId,
    visitor: Visitor,
}

impl SignedIn {
    async fn find(headers: &HeaderMap, control: &Arc<Control>) -> Result<Option<Self>, Problem> {
        let found = browser::visit(headers, control).await?;
        Ok(found.map(|(id, visit)| {
            let csrf = control.sign_ins.key.csrf(&id);
            let lineage = visit.lineage();
            Self { id, visitor: Visitor { person: Person(visit.principal), lineage, csrf } }
        }))
    }

    /// With proof, for what changes something: our own page sent it, with our own token.
    fn prove(self, headers: &HeaderMap, token: Option<&str>, control: &Control) -> Result<Visitor, Problem> {
        browser::own_page(headers, &control.sign_ins)?;
        browser::csrf(control, &self.id, token)?;
        Ok(self.visitor)
    }
}

/// The visitor that a request comes from, with proof where its method changes something; `None`: nobody is signed in.
pub async fn visitor(
    method: &Method,
    headers: &HeaderMap,
    control: &Arc<Control>,
) -> Result<Option<Visitor>, Problem> {
    let Some(signed_in) = SignedIn::find(headers, control).await? else { return Ok(None) };
    if browser::is_safe(method) {
        return Ok(Some(signed_in.visitor));
    }
    let token = headers.get(CSRF_HEADER).and_then(|token| token.to_str().ok());
    signed_in.prove(headers, token, control).map(Some)
}

/// The address at which one signs in and comes back to a place of our own.
pub fn sign_in_at(place: &str) -> String {
    match place {
        "/" => "/signin".to_owned(),
        place => format!("/signin?{}", serde_urlencoded::to_string([("to", place)]).unwrap_or_default()),
    }
}

fn sign_in(method: &Method, uri: &axum::http::Uri, headers: &HeaderMap, control: &Control) -> NoVisitor {
    if headers.contains_key("hx-request") {
        return NoVisitor::SignIn { place: "/".to_owned(), htmx: true };
    }
    if browser::is_safe(method) {
        let place = uri.path_and_query().map_or("/", |place| place.as_str()).to_owned();
        return NoVisitor::SignIn { place, htmx: false };
    }
    // A form is not sent on to the provider: what it was about to do would be lost without a word, and browsers hold a
    // form's redirects to the content policy of its page.
    let detail = "your sign-in had ended before this was sent, and nothing was done";
    NoVisitor::Problem(Problem::new(StatusCode::UNAUTHORIZED, detail).guided(Guidance {
        heading: "Sign in first",
        detail: detail.into(),
        advice: "Then do it again: you come back to the page that you sent it from.".into(),
        href: sign_in_at(&own_place(browser::own_referrer(headers, &control.sign_ins).unwrap_or("/"))),
        label: "Sign in",
    }))
}

impl FromRequestParts<Arc<Control>> for Visitor {
    type Rejection = NoVisitor;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, NoVisitor> {
        let visitor = visitor(&parts.method, &parts.headers, control).await?;
        visitor.ok_or_else(|| sign_in(&parts.method, &parts.uri, &parts.headers, control))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Control>> for Submitted<T> {
    type Rejection = NoVisitor;

    async fn from_request(request: Request, control: &Arc<Control>) -> Result<Self, NoVisitor> {
        let (method, uri, headers) =
            (request.method().clone(), request.uri().clone(), request.headers().clone());
        let signed_in = SignedIn::find(&headers, control).await?;
        let signed_in = signed_in.ok_or_else(|| sign_in(&method, &uri, &headers, control))?;
        let body = Bytes::from_request(request, control).await.map_err(|error| {
            Problem::new(error.status(), "the form is too large, or broke off on its way")
        })?;
        let unreadable = || Problem::bad_request("the form cannot be read; load the page again");
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).map_err(|_| unreadable())?;
        let (tokens, fields): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| name == CSRF_FIELD);
        let header = headers.get(CSRF_HEADER).and_then(|token| token.to_str().ok());
        let token = match tokens.as_slice() {
            [] => header,
            [(_, token)] => Some(token.as_str()),
            _ => None,
        };
        let visitor = signed_in.prove(&headers, token, control)?;
        let text = serde_urlencoded::to_string(fields).map_err(|_| unreadable())?;
        let form = serde_urlencoded::from_str(&text).map_err(|_| unreadable())?;
        Ok(Self { visitor, form })
    }
}
