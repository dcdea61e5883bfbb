//! Where a span stands: its trace, its own id, and the span that it is part of. The same each time it is asked.

use sha2::{Digest, Sha256};

/// The bits of a span's flags which say that its parent ran elsewhere (`SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and
/// `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`).
const REMOTE: u32 = 0x300;

/// Where the span of an exchange stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The trace: 32 hexadecimal digits.
    pub trace: String,
    /// The span: 16 hexadecimal digits.
    pub span: String,
    /// The caller's span.
    pub parent: Option<String>,
    /// The span's flags; of the caller's, those that W3C has.
    pub flags: u32,
}

impl Place {
    /// The span of an exchange, within the trace of the caller's where they sent one. Otherwise the trace has the
    /// exchange's own id, which is as long.
    pub fn of(exchange: &str, traceparent: Option<&str>) -> Self {
        let digest = format!("{:x}", Sha256::digest(exchange.as_bytes()));
        let span = digest.get(..16).unwrap_or_default().to_owned();
        let mut parts = traceparent.unwrap_or_default().split('-').skip(1);
        if let (Some(trace), Some(parent), Some(flags)) = (parts.next(), parts.next(), parts.next()) {
            let flags = u32::from_str_radix(flags, 16).unwrap_or_default();
            return Self {
                trace: trace.to_owned(),
                span,
                parent: Some(parent.to_owned()),
                flags: flags | REMOTE,
            };
        }
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let fits =
            exchange.len() == 32 && exchange.bytes().all(is_hex) && exchange.bytes().any(|byte| byte != b'0');
        let trace = if fits { exchange } else { digest.get(32..).unwrap_or_default() };
        Self { trace: trace.to_owned(), span, parent: None, flags: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_begins_with_the_exchange_or_goes_on_where_the_caller_is() {
        let exchange = "0af7651916cd43dd8448eb211c80319c";
        let own = Place::of(exchange, None);
        assert_eq!((own.trace.as_str(), own.parent.as_deref(), own.flags), (exchange, None, 0));
        let within = Place::of(exchange, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert_eq!(within.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(within.parent.as_deref(), Some("00f067aa0ba902b7"));
        assert_eq!(within.flags, 0x301);
        assert_eq!(own.span, within.span, "the span is the exchange's");
        assert_ne!(own.span, Place::of("0af7651916cd43dd8448eb211c80319d", None).span);
    }

    #[test]
    fn whatever_an_exchange_is_called_the_ids_have_their_form() {
        for exchange in ["", "e1", &"0".repeat(32), &"G".repeat(32), &"é".repeat(16)] {
            let place = Place::of(exchange, None);
            assert_eq!((place.trace.len(), place.span.len()), (32, 16), "{exchange}");
            assert!(place.trace.bytes().chain(place.span.bytes()).all(|byte| byte.is_ascii_hexdigit()));
            assert!(place.trace.bytes().any(|byte| byte != b'0'));
        }
    }
}
