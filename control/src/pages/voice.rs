//! Who said or decided something, as pages show it.

use super::when::When;
use crate::approvals::DecidedBy;
use crate::holds::Comment;
use crate::records::text::{clean, clean_line};

/// Who, when, and why.
pub struct Ruled {
    /// Their subject, and whose right they used: `eve for ben`.
    pub by: String,
    pub at: When,
    pub reason: Option<String>,
}

impl Ruled {
    /// A decision.
    pub fn new(by: &DecidedBy, now: u64) -> Self {
        let whose = by.on_behalf.as_ref().map(|whose| format!(" for {}", whose.subject)).unwrap_or_default();
        Self {
            by: clean_line(&format!("{}{whose}", by.subject)),
            at: When::new(by.at_ms, now),
            reason: by.reason.as_deref().map(clean_line),
        }
    }

    /// A comment, which may have lines.
    pub fn comment(comment: &Comment, now: u64) -> Self {
        Self {
            by: clean_line(&comment.subject),
            at: When::new(comment.at_ms, now),
            reason: Some(clean(&comment.text)),
        }
    }
}
