//! Errors as RFC 9457 problem details: what happened, and what to do.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::records::IntakeError;
use crate::store::StoreError;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error as callers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem, in few words.
    pub title: String,
    /// What happened, why, and what to do.
    pub detail: String,
    /// When coming again makes sense, in seconds; sent as `retry-after`.
    #[serde(skip)]
    pub retry_after: Option<u64>,
    /// What a page says beyond that.
    #[serde(skip)]
    pub guidance: Option<Box<Guidance>>,
}

/// How a problem is put to a person in a browser: what programs have no use for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guidance {
    /// What happened, in few words.
    pub heading: &'static str,
    /// The same as the problem's own detail, without what only programs need.
    pub detail: String,
    /// What to do, in whole sentences; empty: the button says it.
    pub advice: String,
    /// Where the button leads, a path of our own.
    pub href: String,
    /// What it says.
    pub label: &'static str,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        Self { status: status.as_u16(), title, detail: detail.into(), retry_after: None, guidance: None }
    }

    /// 400.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 503 for a call that the end of the service cut short.
    pub fn ending() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the service is ending; try again in a moment")
    }

    /// With what a page says beyond it.
    pub fn guided(self, guidance: Guidance) -> Self {
        Self { guidance: Some(Box::new(guidance)), ..self }
    }

    /// A body that is not what the path takes. The parser's own words are left out: they quote the body.
    pub fn unreadable(what: &str, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::bad_request(format!("the body is not {what}: see line {line}, column {column}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Strings and a number: they always serialise.
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        // For who shows it to a browser.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed in the store");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store did not take or give what was asked for, and nothing was written; try again, and see the \
             log of the service and /readyz",
        )
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Store(error) => error.into(),
            other => Self::bad_request(other.to_string()),
        }
    }
}
