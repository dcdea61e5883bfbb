//! Cookies in headers: `Cookie: theme=dark; sid=4f9a...`, `Set-Cookie: sid=4f9a...; Path=/`.
//!
//! Source: RFC 6265 sections 4.1.1 and 4.2.1. What identifies a session is drawn at random: of cookies that are sent, all
//! are masked where one looks so; of one that is set, its value. Those that only say `theme=dark` pass.

use super::assignment::{MAX_NAME, SECRET};
use super::value::secret;
use super::{Class, Found, Tail};
use crate::mask::region::LIMIT;
use crate::mask::text::Text;

/// Within how many bytes one must look like a secret, and how much of each is looked at.
const MAX_PLAIN: usize = 256;
const SAMPLE: usize = 64;

/// The cookies that start at `start`, or the value of the one that is set there, if `wanted` says so; see
/// [`assignment::find`](super::assignment::find).
pub(in crate::mask) fn find(
    text: &Text<'_>,
    start: usize,
    is_set: bool,
    wanted: impl FnOnce(&'static str, usize) -> bool,
) -> Option<Found> {
    let mut wanted = Some(wanted);
    let mut last = None;
    let mut place = start;
    while let Some(from) = name_end(text, place) {
        let looked = text.run(from, SAMPLE, |b| Class::Cookie.has(b));
        if wanted.is_some() && secret(text.get(from, looked), true) {
            let front = if is_set { from } else { start };
            if !wanted.take().is_some_and(|wanted| wanted(SECRET, front)) {
                return None;
            }
        }
        let most = if wanted.is_some() { MAX_PLAIN } else { usize::MAX };
        let end = text.run(from, most, |b| Class::Cookie.has(b));
        last = Some((from, end));
        let far = if wanted.is_some() { end - start > MAX_PLAIN } else { end - start > LIMIT };
        if is_set || far || text.at(end) != b';' {
            break;
        }
        place = text.run(end + 1, 2, |b| b == b' ');
    }
    let (from, end) = last.filter(|_| wanted.is_none())?;
    let start = if is_set { from } else { start };
    Some(Found { kind: SECRET, start, end, tail: Tail::Run(Class::Cookie) })
}

/// Where the value starts of the cookie at `at`.
fn name_end(text: &Text<'_>, at: usize) -> Option<usize> {
    let end = text.run(at, MAX_NAME, |b| b.is_ascii_alphanumeric() || b"_-.!#$%&*+^|~".contains(&b));
    if end > at && text.at(end) == b'=' { Some(end + 1) } else { None }
}
