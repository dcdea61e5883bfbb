//! Every endpoint of the API: its name, the scope that it takes, and how its bodies are read.
//!
//! What is not in the table is refused, and so is every path that an upstream might read differently from us
//! (percent-encoding, `..`, `//`, `;`, a slash at the end): none of the clients sends one.

mod managed;
mod models;
mod organization;

use super::error::ErrorKind;

/// Longest path that is looked at, in bytes; the longest of the API's own has under 200.
pub const MAX_PATH: usize = 1024;

/// An endpoint: one method on one path.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// Name used in rules, records and messages (`messages.create`).
    pub name: &'static str,
    /// The right that it takes; `None`: no credentials are asked for.
    pub scope: Option<&'static str>,
    /// The HTTP method.
    pub method: &'static str,
    /// The path; `{}` stands for one segment.
    pub path: &'static str,
    /// How its bodies are read.
    pub kind: Kind,
}

impl Route {
    const fn open(method: &'static str, path: &'static str, name: &'static str, kind: Kind) -> Self {
        Self { name, scope: None, method, path, kind }
    }
}

/// How a route's bodies are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Messages request; the reply is a message or a stream of its events.
    Messages,
    /// A Messages request whose reply is a number.
    CountTokens,
    /// `requests[].params` are Messages requests; the reply is a [`Kind::Batch`].
    BatchCreate,
    /// The reply carries `results_url`, which must name the gateway.
    Batch,
    /// The reply is JSON lines, one result with a message each.
    BatchResults,
    /// A multipart request: opaque, the media policy decides. The reply is JSON.
    Upload,
    /// The reply is a file: opaque.
    Download,
    /// JSON both ways (a request may have no body): every string may be free text.
    Json,
    /// The reply is a stream of JSON events, in each of which every string may be free text.
    Events,
    /// Answered by the gateway itself, to say that it is there.
    Hello,
    /// A token is exchanged, given to a device or ended, or a client asks where; belongs to control.
    Token,
    /// A message of the Model Context Protocol, and its reply ([`crate::mcp`]).
    Mcp,
}

/// Why a path and method are refused. Each has its [`ErrorKind`] and says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such endpoint.
    #[error(
        "this gateway has no route for this path; it serves the documented endpoints of the Claude API and refuses all else: check the base URL and the path"
    )]
    Unknown,
    /// The endpoint exists, with other methods.
    #[error("this path does not take this method; check the method, or bring the client up to date")]
    Method,
    /// Not in plain form.
    #[error(
        "this path is not in its plain form; send it without percent-encoding, dot segments, double or trailing slashes or `;`"
    )]
    NotPlain,
}

impl Refusal {
    /// 404 for what does not exist, 403 for a method that is not allowed.
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::Unknown | Self::NotPlain => ErrorKind::NotFound,
            Self::Method => ErrorKind::Permission,
        }
    }
}

/// Finds the route of a method and a path (without its query).
///
/// Where a word of the API and a parameter could both stand (`/v1/organizations/spend_limits/effective`), the
/// word wins, whatever the method.
///
/// # Errors
/// See [`Refusal`].
pub fn route(method: &str, path: &str) -> Result<&'static Route, Refusal> {
    if !is_plain(path) {
        return Err(Refusal::NotPlain);
    }
    let found = all().find(|route| fits(route.path, path)).ok_or(Refusal::Unknown)?;
    all().find(|route| route.path == found.path && route.method == method).ok_or(Refusal::Method)
}

/// All routes, those that are called most first. Of two paths that fit the same request, the one with the word
/// comes before the one with the parameter.
pub fn all() -> impl Iterator<Item = &'static Route> {
    [models::ROUTES, models::OPEN, managed::ROUTES, organization::ROUTES].into_iter().flatten()
}

/// All scopes, each once, sorted.
pub fn scopes() -> Vec<&'static str> {
    let mut scopes: Vec<_> = all().filter_map(|route| route.scope).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// Whether every reader takes the path for the same one: segments of unreserved characters (RFC 3986, section 2.3)
/// and of `:` and `@`, none empty, none of dots alone.
pub(crate) fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    if path.len() > MAX_PATH {
        return false;
    }
    rest.is_empty()
        || rest.split('/').all(|segment| {
            segment.bytes().any(|b| b != b'.')
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:@".contains(&b))
        })
}

/// Whether a path is, or may become, the API's own.
pub(crate) fn claims(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/api/") || all().any(|route| fits(route.path, path))
}

fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    template.split('/').all(|want| segments.next().is_some_and(|have| want == have || want == "{}"))
        && segments.next().is_none()
}

/// Rows of `METHOD "path" "name" "scope" Kind;` below a common beginning of paths and of names.
macro_rules! table {
    ($prefix:literal, $group:literal; $($method:ident $path:literal $name:literal $scope:literal $kind:ident;)*) => {
        &[$(Route {
            name: concat!($group, $name),
            scope: Some(concat!($group, $scope)),
            method: stringify!($method),
            path: concat!($prefix, $path),
            kind: Kind::$kind,
        }),*]
    };
}
use table;

#[cfg(test)]
mod tests;
