//! JSON Web Tokens.
//!
//! Source: RFC 7515 section 7.1 and RFC 7516 section 7.1 (compact serialisations), RFC 7519. The header must decode
//! to JSON that names an algorithm.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Class, Found, Tail, wrap};
use crate::mask::region::LIMIT;
use crate::mask::text::{Text, is_token};

/// The finding kind.
pub(in crate::mask) const KIND: &str = "jwt";

/// Longest header that is read, in characters.
const MAX_HEADER: usize = 2048;

/// A token whose `eyJ` (base64url of `{"`) stands at `at`.
pub(in crate::mask) fn find(text: &Text<'_>, at: usize) -> Option<Found> {
    if !text.starts_with(at, b"eyJ") || (text.before(at) == b'-' || text.word_before(at)) {
        return None;
    }
    let dot = text.run(at, MAX_HEADER + 1, is_token);
    if dot - at > MAX_HEADER || dot - at < 16 || text.at(dot) != b'.' || !has_algorithm(text.get(at, dot)) {
        return None;
    }
    let mut end = text.run(dot + 1, usize::MAX, |b| Class::Dotted.has(b));
    while let Some((_, stop)) = wrap::rest(text, at, end, |b| Class::Dotted.has(b)) {
        end = stop;
    }
    if end - at <= LIMIT {
        end -= text.get(dot, end).iter().rev().take_while(|b| **b == b'.').count();
    }
    if end < dot + 8 {
        return None;
    }
    Some(Found { kind: KIND, start: at, end, tail: Tail::Run(Class::Dotted) })
}

fn has_algorithm(header: &[u8]) -> bool {
    URL_SAFE_NO_PAD.decode(header).is_ok_and(|json| {
        json.windows(5).any(|w| w == b"\"alg\"")
            && json.iter().rev().find(|b| !b.is_ascii_whitespace()) == Some(&b'}')
    })
}
