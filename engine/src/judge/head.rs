//! What a request's head says of its body, before the body is there; and what a caller reads whose hold nobody
//! decided in time.

use super::{Case, Refusal};
use crate::claude::error::ErrorKind;
use crate::wire::HoldAsk;

impl Case {
    /// Whether a body can be read. `encodings`: every value of `content-encoding`; `length`: of `content-length`.
    ///
    /// # Errors
    /// 415 for an encoded body, 413 for one that is too large.
    pub fn check_head(&self, encodings: &[&str], length: Option<u64>) -> Result<(), Refusal> {
        in_plain_text(encodings)?;
        self.check_size(length.unwrap_or(0))
    }

    /// Whether a body of this many bytes is taken.
    ///
    /// # Errors
    /// 413.
    pub fn check_size(&self, bytes: u64) -> Result<(), Refusal> {
        let limit = self.runtime.limits.body_bytes;
        if bytes <= limit {
            return Ok(());
        }
        let message = format!(
            "the body is larger than the {limit} bytes that policy allows; send less, or ask for a higher `limits.bodyBytes`"
        );
        Err(Refusal::new(ErrorKind::TooLarge, "size", message))
    }
}

/// Whether a body is as it was written. `encodings`: every value of `content-encoding`.
///
/// # Errors
/// 415.
pub fn in_plain_text(encodings: &[&str]) -> Result<(), Refusal> {
    let identity = |value: &&str| value.is_empty() || value.eq_ignore_ascii_case("identity");
    if encodings.iter().all(identity) {
        return Ok(());
    }
    let message =
        "the body is encoded, and what cannot be read is not forwarded; send it without content-encoding";
    Err(Refusal::new(ErrorKind::Encoding, "encoding", message))
}

/// What the caller reads when nobody decided a hold while it could wait. `hold`: the hold's id, where it is known.
pub fn undecided(ask: &HoldAsk, hold: Option<&str>) -> Refusal {
    let message = format!(
        "rule `{}` holds this until someone of {} approves it (hold {}): {}. Nobody has decided yet; ask again",
        ask.rule,
        ask.approvers.join(", "),
        hold.unwrap_or("not yet known"),
        ask.message.trim_end_matches('.')
    );
    Refusal::new(ErrorKind::RateLimit, &ask.rule, message)
}
