//! Keys of Azure, which carry their mark inside instead of in front.
//!
//! Sources: GitHub's secret scanning partners (`azure_active_directory_application_secret`: three characters, a digit,
//! `Q~`, and 31 to 34 more); Microsoft's highly identifiable secrets, version 2, as in its open-source
//! security-utilities (84 letters and digits with `JQQJ99` at the 52nd, for Azure OpenAI, Storage, Search and others;
//! some end with two more and `==`). Older keys have no mark and are found by the name in front of them.

use super::{Found, found};
use crate::mask::check::{Mix, plausible};
use crate::mask::text::{Text, is_token};

/// The finding kind.
pub(in crate::mask) const KIND: &str = "azure_key";

/// What an application secret has behind its fourth character, and how many characters it has.
const SECRET_MARK: &[u8; 2] = b"Q~";
const SECRET_FRONT: usize = 4;
const SECRET: std::ops::RangeInclusive<usize> = 37..=40;

/// Where a key has its mark, and how many characters it has.
const KEY_MARK: &[u8; 6] = b"JQQJ99";
const KEY_FRONT: usize = 52;
const KEY: usize = 84;

/// Whether the word at `at` may have one of the marks where it belongs: a cheap first look. Says yes where the bytes
/// end.
#[inline]
pub(in crate::mask) fn may_start(bytes: &[u8], at: usize) -> bool {
    const ONES: u32 = 0x0101_0101;
    let near = bytes.get(at + 1..).and_then(|rest| rest.first_chunk::<4>());
    // A byte of it is zero where a `Q` stands, of which a secret has one there.
    let word = near.map_or(0, |four| u32::from_le_bytes(*four) ^ (ONES * u32::from(b'Q')));
    let secret = word.wrapping_sub(ONES) & !word & (ONES << 7) != 0;
    secret || bytes.get(at + KEY_FRONT).is_none_or(|b| *b == b'J')
}

/// A key whose first letter or digit stands at `at`. Signs that an application secret may start with stay outside.
pub(in crate::mask) fn find(text: &Text<'_>, at: usize) -> Option<Found> {
    if !may_start(text.get(0, text.len()), at) {
        return None;
    }
    secret(text, at).or_else(|| key(text, at))
}

fn secret(text: &Text<'_>, at: usize) -> Option<Found> {
    let marked =
        |step: &usize| text.at(at + step - 1).is_ascii_digit() && text.starts_with(at + step, SECRET_MARK);
    let front = text.run(at, SECRET_FRONT, in_secret) - at;
    let step = (1..=front).find(marked)?;
    let end = text.run(at, SECRET.end() + 2, in_secret);
    // A full stop at the end belongs to the sentence.
    let end = if text.before(end) == b'.' { end - 1 } else { end };
    let fits = SECRET.contains(&(end - at + SECRET_FRONT - step));
    if fits && plausible(text.get(at, end)) { found(KIND, at, end) } else { None }
}

fn key(text: &Text<'_>, at: usize) -> Option<Found> {
    let end = text.run(at, KEY + 3, |b| b.is_ascii_alphanumeric());
    if end - at < KEY || text.get(at + KEY_FRONT, at + KEY_FRONT + KEY_MARK.len()) != KEY_MARK {
        return None;
    }
    let padded = end - at == KEY + 2 && text.starts_with(end, b"==");
    let mix = Mix::of(text.get(at, end));
    let drawn = mix.lower && mix.upper && mix.digit;
    let end = if padded { end + 2 } else { end };
    if drawn && (padded || end - at == KEY) && !text.word_at(end) { found(KIND, at, end) } else { None }
}

fn in_secret(byte: u8) -> bool {
    is_token(byte) || matches!(byte, b'.' | b'~')
}
