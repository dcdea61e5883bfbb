//! The caller's place in a trace, as W3C Trace Context has it (<https://www.w3.org/TR/trace-context/>).

/// The length of a `traceparent` of version 00; later ones begin like it.
const LENGTH: usize = 55;

/// What is kept of a `traceparent` header: version, trace, span and flags, and nothing else of what a caller may have put
/// there. `None` when it is none; then a trace begins here.
pub fn traceparent(header: &str) -> Option<String> {
    let (head, rest) = header.split_at_checked(LENGTH)?;
    let mut parts = head.split('-');
    let mut part = |length: usize| {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        parts.next().filter(|part| part.len() == length && part.bytes().all(hex))
    };
    let (version, trace, span, _flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let later = version != "00" && rest.starts_with('-');
    let whole = rest.is_empty() || later;
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    (version != "ff" && whole && !zero(trace) && !zero(span)).then(|| head.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_is_taken_as_it_is_and_what_a_later_version_adds_is_left_out() {
        assert_eq!(traceparent(GOOD).as_deref(), Some(GOOD));
        let later = GOOD.replacen("00-", "cc-", 1);
        assert_eq!(traceparent(&format!("{later}-what-the-future-will-be-like")), Some(later));
    }

    #[test]
    fn what_is_no_trace_is_none() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-alice@example.com-4111-1111-1111-1111-aaaaaaaaaaaaaa",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0é",
        ] {
            assert_eq!(traceparent(bad), None, "{bad}");
        }
    }
}
