//! Forms as browsers send them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};

use super::failure::Failure;
use super::shell::Visitor;
use crate::http::{Control, Problem};

/// The fields of a form, the last of each name.
#[derive(Debug, Default)]
pub struct Form(HashMap<String, String>);

/// A form, and who sent it.
pub struct Sent {
    /// Who.
    pub visitor: Visitor,
    /// What is in it.
    pub form: Form,
}

impl Form {
    /// Reads a body of `application/x-www-form-urlencoded`.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        serde_urlencoded::from_bytes(body).map(Self).map_err(|_| Problem::bad_request("the form cannot be read"))
    }

    /// A field's text without the spaces around it; `None`: absent or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }
}

impl FromRequest<Arc<Control>> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, control: &Arc<Control>) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, control).await?;
        let body = Bytes::from_request(Request::from_parts(parts, body), control).await;
        let body = body.map_err(|error| Problem::new(error.status(), "the form is too large, or broke off"))?;
        Ok(Self { visitor, form: Form::read(&body)? })
    }
}
