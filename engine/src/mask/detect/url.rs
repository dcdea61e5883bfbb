//! Passwords in the user part of a URL: `postgres://app:S3cr3t@db.internal/orders`.
//!
//! Source: RFC 3986 section 3.2.1. A password may hold an `@` that nobody encoded: the last one counts. Words and
//! variables that stand for a password pass.

use super::{Found, found};
use crate::mask::text::Text;

/// The finding kind.
pub(in crate::mask) const KIND: &str = "url_password";

/// Longest user part and host that are read, in bytes.
const MAX: usize = 320;

const PLACEHOLDERS: [&str; 16] = [
    "password",
    "passwd",
    "pass",
    "pwd",
    "pw",
    "secret",
    "changeme",
    "xxx",
    "xxxx",
    "xxxxx",
    "xxxxxx",
    "user",
    "token",
    "yourpassword",
    "your-password",
    "your_password",
];

/// What stands behind `://`.
pub(in crate::mask) enum Authority {
    /// A password.
    Password(Found),
    /// A placeholder for one; the scan goes on behind it.
    Placeholder(usize),
    /// Neither.
    None,
}

/// Reads the authority that starts at `at`, right behind `://`.
pub(in crate::mask) fn find(text: &Text<'_>, at: usize) -> Authority {
    let mut colon = None;
    let mut sign = None;
    let mut place = at;
    while place - at < MAX {
        match text.at(place) {
            b':' if colon.is_none() => colon = Some(place),
            b'@' => sign = Some(place),
            0..=b' '
            | b'/'
            | b'?'
            | b'#'
            | b'"'
            | b'\''
            | b'`'
            | b'<'
            | b'>'
            | b'\\'
            | b'['
            | b']'
            | b'|'
            | 0x7F => break,
            _ => {}
        }
        place += 1;
    }
    let (Some(colon), Some(sign)) = (colon, sign) else { return Authority::None };
    if colon >= sign {
        return Authority::None;
    }
    let start = colon + 1;
    let password = text.get(start, sign);
    if password.is_empty() || password.len() > 256 {
        return Authority::None;
    }
    if placeholder(password) {
        return Authority::Placeholder(sign + 1);
    }
    found(KIND, start, sign).map_or(Authority::None, Authority::Password)
}

fn placeholder(password: &[u8]) -> bool {
    let variable = password.starts_with(b"$") || password.starts_with(b"{") || password.starts_with(b"%(");
    let filler = password.iter().all(|b| matches!(b, b'*' | b'.' | b'x' | b'X' | b'-' | b'_'));
    let percent = password == b"%s" || password == b"%v";
    variable || filler || percent || PLACEHOLDERS.iter().any(|p| p.as_bytes().eq_ignore_ascii_case(password))
}
