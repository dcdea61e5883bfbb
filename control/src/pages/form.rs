//! Forms as browsers send them.

use std::collections::HashMap;

use crate::http::Problem;

/// The fields of a form, the last of each name.
pub struct Form(HashMap<String, String>);

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
