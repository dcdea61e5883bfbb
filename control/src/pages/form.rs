//! Forms as browsers send them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use sluice_engine::policy::document::Duration;

use super::failure::Failure;
use super::shell::Visitor;
use crate::http::{Control, Problem, Submitted};

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
        serde_urlencoded::from_bytes(body)
            .map(Self)
            .map_err(|_| Problem::bad_request("the form cannot be read"))
    }

    /// A field's text without the spaces around it; `None`: absent or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// A length of time in seconds; `None`: absent or empty.
    pub fn seconds(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let time = Duration::parse(text)
            .ok_or_else(|| Problem::bad_request("the time is a number with a unit: `30m`, `4h`, `1d`"))?;
        Ok(Some(time.as_seconds()))
    }

    /// A field exactly as it was sent.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The numbers of fields that are called so with a number behind: `pick-3` and `pick-7`; in order.
    pub fn numbered(&self, name: &str) -> Vec<u32> {
        let numbers = self.0.keys().filter_map(|key| key.strip_prefix(name)?.strip_prefix('-')?.parse().ok());
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        numbers
    }
}

impl FromRequest<Arc<Control>> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, control: &Arc<Control>) -> Result<Self, Failure> {
        let (headers, uri) = (request.headers().clone(), request.uri().clone());
        let sent = Submitted::<HashMap<String, String>>::from_request(request, control).await?;
        Ok(Self { visitor: Visitor::new(sent.visitor, &headers, &uri), form: Form(sent.form) })
    }
}
