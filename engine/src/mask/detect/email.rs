//! Email addresses.
//!
//! Sources: RFC 5321 section 4.5.3.1 (lengths), RFC 5322 section 3.4.1 (the characters of `dot-atom`, of which
//! those that people use), RFC 1035 section 2.3.1 (labels). The top-level domain must be one that can exist; see
//! [`tld`](super::tld). `git@host:path`, `package@1.2.3` and `icon@2x.png` are no addresses.

use super::{Found, found, tld};
use crate::mask::text::Text;

/// The finding kind.
pub(in crate::mask) const KIND: &str = "email";

/// Longest local part, in bytes (RFC 5321). Of a longer run its last 64 bytes are taken.
pub(in crate::mask) const MAX_LOCAL: usize = 64;

/// Longest domain, in bytes (RFC 5321).
const MAX_DOMAIN: usize = 255;

/// Accounts of version control systems, which stand in URLs for everyone.
const SHARED: [&[u8]; 4] = [b"git", b"hg", b"svn", b"gerrit"];

/// An address around the `@` at `at`, whose local part starts at `start`; see [`local_start`].
pub(in crate::mask) fn find(text: &Text<'_>, at: usize, start: usize) -> Option<Found> {
    let local = text.get(start, at);
    if local.is_empty()
        || local.last() == Some(&b'.')
        || !local.iter().any(u8::is_ascii_alphanumeric) && local.is_ascii()
    {
        return None;
    }
    let end = domain_end(text, at + 1)?;
    let shared = SHARED.iter().any(|s| s.eq_ignore_ascii_case(local));
    let path = text.at(end) == b':' && matches!(text.at(end + 1), b'/' | b'~');
    if shared || path { None } else { found(KIND, start, end) }
}

/// Whether an `@` has what an address has next to it: a cheap first look.
pub(in crate::mask) fn may_stand(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(|b| is_local(*b) || !b.is_ascii());
    let after = bytes.get(at + 1).is_none_or(|b| b.is_ascii_alphanumeric() || !b.is_ascii());
    before && after
}

/// Where the local part in front of the end of `bytes` starts: at most [`MAX_LOCAL`] bytes back, not before `floor`,
/// with a letter or digit first.
pub(in crate::mask) fn local_start(bytes: &[u8], floor: usize) -> usize {
    let floor = floor.max(bytes.len().saturating_sub(MAX_LOCAL));
    let mut start = bytes.len();
    while start > floor {
        let byte = bytes.get(start - 1).copied().unwrap_or(0);
        if is_local(byte) {
            start -= 1;
        } else if start - 1 > floor && letter_before(bytes, start) {
            start -= 2;
        } else {
            break;
        }
    }
    while start < bytes.len() && bytes.get(start).is_some_and(|b| b.is_ascii_punctuation()) {
        start += 1;
    }
    start
}

/// Whether a letter of the Latin, Greek or Cyrillic script (two bytes of UTF-8) ends at `end`.
fn letter_before(bytes: &[u8], end: usize) -> bool {
    let pair = (end.checked_sub(2).and_then(|i| bytes.get(i)), end.checked_sub(1).and_then(|i| bytes.get(i)));
    matches!(pair, (Some(0xC3..=0xD1), Some(0x80..=0xBF)))
}

/// Whether an ASCII byte may stand in a local part.
pub(in crate::mask) fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._+-%'!#$^~".contains(&byte)
}

/// Where the domain that starts at `at` ends: labels of letters, digits and hyphens, two or more, the last of which
/// is a top-level domain. Trailing labels that are none are dropped: `mail bob@example.com.Then` ends at `.com`.
fn domain_end(text: &Text<'_>, at: usize) -> Option<usize> {
    let mut end = None;
    let mut place = at;
    let mut labels = 0;
    loop {
        let start = place;
        // A label in Chinese, Japanese or Korean ends with a dot: behind a domain without one stands the sentence.
        let wide = wide_label(text, place);
        if wide > place {
            labels += 1;
            place = wide + 1;
            if place - at < MAX_DOMAIN { continue } else { break }
        }
        while place - at < MAX_DOMAIN {
            place += match text.at(place) {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' => 1,
                0xC3..=0xD1 => 2,
                _ => break,
            };
        }
        let label = text.get(start, place);
        if label.is_empty() || label.len() > 63 || label.first() == Some(&b'-') {
            break;
        }
        labels += 1;
        if labels > 1 && tld::exists(label.strip_suffix(b"-").unwrap_or(label)) {
            end = Some(if label.ends_with(b"-") { place - 1 } else { place });
        }
        if text.at(place) != b'.' || place - at >= MAX_DOMAIN {
            break;
        }
        place += 1;
    }
    end
}

/// The end of a label of three-byte letters that starts at `at`, when a dot follows; otherwise `at`.
fn wide_label(text: &Text<'_>, at: usize) -> usize {
    let mut place = at;
    while place - at < 63 {
        match (text.at(place), text.at(place + 1)) {
            (0xE3, 0x80) => break,
            (0xE3..=0xED, _) => place += 3,
            _ => break,
        }
    }
    if place > at && text.at(place) == b'.' { place } else { at }
}
