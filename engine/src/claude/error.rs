//! The error envelope of the API, as every client of it reads errors.

use serde::Serialize;

/// What went wrong, in the API's own words where it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request cannot be read. Never for a denial: Claude Code re-sends it in up to six variants.
    InvalidRequest,
    /// No token, or not a good one.
    Authentication,
    /// Not allowed.
    Permission,
    /// No such endpoint.
    NotFound,
    /// The body is over the limit.
    TooLarge,
    /// The body is encoded in a way that cannot be looked into.
    Encoding,
    /// Too many requests, or an approval is still awaited: come again.
    RateLimit,
    /// A budget is used up.
    Billing,
    /// A fault of the gateway's own.
    Api,
    /// The gateway cannot decide now (no bundle, no control): come again.
    Unavailable,
    /// The API has too much to do: come again.
    Overloaded,
}

impl ErrorKind {
    /// `error.type` in the envelope.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest | Self::Encoding => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Permission => "permission_error",
            Self::NotFound => "not_found_error",
            Self::TooLarge => "request_too_large",
            Self::RateLimit => "rate_limit_error",
            Self::Billing => "billing_error",
            Self::Api => "api_error",
            Self::Unavailable | Self::Overloaded => "overloaded_error",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Authentication => 401,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::Encoding => 415,
            Self::RateLimit | Self::Billing => 429,
            Self::Api => 500,
            Self::Unavailable => 503,
            Self::Overloaded => 529,
        }
    }

    /// The value of `x-should-retry`, which the SDKs and Claude Code put above the status.
    pub const fn should_retry(self) -> bool {
        matches!(self, Self::RateLimit | Self::Unavailable | Self::Overloaded)
    }
}

/// The JSON body of an error reply.
pub fn envelope(kind: ErrorKind, message: &str, request_id: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Envelope<'a> {
        r#type: &'static str,
        error: Inner<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Inner<'a> {
        r#type: &'static str,
        message: &'a str,
    }
    let envelope = Envelope { r#type: "error", error: Inner { r#type: kind.name(), message }, request_id };
    // Strings alone always serialise; were it otherwise, a client still gets an error that it can read.
    serde_json::to_string(&envelope).unwrap_or_else(|_| {
        r#"{"type":"error","error":{"type":"api_error","message":"the error could not be written"}}"#.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_what_clients_of_the_api_read() {
        assert_eq!(
            envelope(ErrorKind::Permission, "rule `no-drop` refused it", Some("req_1")),
            r#"{"type":"error","error":{"type":"permission_error","message":"rule `no-drop` refused it"},"request_id":"req_1"}"#
        );
        assert_eq!(
            envelope(ErrorKind::Api, "x", None),
            r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#
        );
    }

    #[test]
    fn a_message_cannot_break_out_of_its_string() {
        let message = "\"},\n\u{0}\u{2028}\\ é";
        let read: serde_json::Value =
            serde_json::from_str(&envelope(ErrorKind::NotFound, message, Some("\"")))
                .expect("the envelope is JSON");
        assert_eq!(read["error"]["message"], message);
        assert_eq!(read["request_id"], "\"");
    }

    #[test]
    fn each_kind_has_the_status_type_and_retry_that_clients_expect() {
        for (kind, status, name, retry) in [
            (ErrorKind::InvalidRequest, 400, "invalid_request_error", false),
            (ErrorKind::Authentication, 401, "authentication_error", false),
            (ErrorKind::Permission, 403, "permission_error", false),
            (ErrorKind::NotFound, 404, "not_found_error", false),
            (ErrorKind::TooLarge, 413, "request_too_large", false),
            (ErrorKind::Encoding, 415, "invalid_request_error", false),
            (ErrorKind::RateLimit, 429, "rate_limit_error", true),
            (ErrorKind::Billing, 429, "billing_error", false),
            (ErrorKind::Api, 500, "api_error", false),
            (ErrorKind::Unavailable, 503, "overloaded_error", true),
            (ErrorKind::Overloaded, 529, "overloaded_error", true),
        ] {
            assert_eq!((kind.status(), kind.name(), kind.should_retry()), (status, name, retry));
        }
    }
}
