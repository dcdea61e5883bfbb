//! Keys of providers, told by their literal prefix, length and alphabet.
//!
//! Sources: each provider's published token format or its entry among GitHub's secret scanning partners (2025);
//! where a provider publishes none, the format that its console hands out. A key needs a plausible body
//! ([`plausible`]): `sk-ant-your-key-here` passes.
//!
//! Classic tokens of GitHub and npm end with a checksum: the CRC-32 of the 30 characters in front, in six of base 62
//! (GitHub, "Behind GitHub's new authentication token formats", 2021; npm's tokens are made the same way). Where it is
//! right, nothing else is asked. Where it is wrong, the body must mix small letters, capitals and digits, as drawn
//! ones do: filler and made-up examples pass. It does not pass for the checksum alone, which guards nothing: whoever
//! changes the last six characters can compute them again. Fine-grained tokens (`github_pat_`) have one too, of which
//! GitHub does not say how it is made; it is not read.

use super::formats::{Body, FORMATS, Format};
use super::{Found, Tail, found, wrap};
use crate::mask::check::{Mix, changes_case, crc32, plausible};
use crate::mask::text::{Text, is_token};

/// How much of a body is looked at to tell whether it is a key, in bytes.
const SAMPLE: usize = 64;

/// Shortest first piece of a body that is broken at the end of a line.
const PIECE: usize = 8;

/// Finding kinds of this family, with repetitions.
pub(in crate::mask) fn kinds() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|f| f.kind).chain([AWS_SECRET, TELEGRAM])
}

/// What the keys of kinds that are on start with.
pub(in crate::mask) fn prefixes(on: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static [u8]> {
    FORMATS.iter().filter(move |f| on(f.kind)).map(|f| f.prefix.as_bytes())
}

/// Formats by the first two bytes of their prefix, as [`row`] has them.
pub(in crate::mask) struct Keys {
    rows: Vec<Vec<Front>>,
}

/// How many rows there are, and the row of prefixes that start with two bytes.
const ROWS: usize = 256;

fn row(first: u8, second: u8) -> usize {
    usize::from(first.wrapping_mul(37).wrapping_add(second))
}

/// The first four bytes of a format's prefix, or all of it, as a word.
#[derive(Clone, Copy)]
struct Front {
    word: u32,
    mask: u32,
    format: &'static Format,
}

impl Front {
    fn of(format: &'static Format) -> Self {
        let mut bytes = [0; 4];
        let mut mask = [0; 4];
        for ((byte, slot), bits) in format.prefix.bytes().zip(&mut bytes).zip(&mut mask) {
            *slot = byte;
            *bits = u8::MAX;
        }
        Self { word: u32::from_le_bytes(bytes), mask: u32::from_le_bytes(mask), format }
    }
}

impl Keys {
    /// The formats whose kinds are on.
    pub(in crate::mask) fn new(on: impl Fn(&str) -> bool) -> Self {
        let mut rows = vec![Vec::new(); ROWS];
        for format in FORMATS.iter().filter(|f| on(f.kind)) {
            let front = format.prefix.as_bytes().first_chunk::<2>();
            if let Some(row) = front.and_then(|[a, b]| rows.get_mut(row(*a, *b))) {
                row.push(Front::of(format));
            }
        }
        Self { rows }
    }

    /// A key that starts at `at`.
    pub(in crate::mask) fn find(&self, text: &Text<'_>, at: usize) -> Option<Found> {
        let fronts = self.rows.get(row(text.at(at), text.at(at + 1)))?;
        let word = text.get(at, at + 4).first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
        // Close to the end of the text each prefix is read byte by byte.
        let fits = |front: &&Front| word.is_none_or(|word| word & front.mask == front.word);
        fronts.iter().filter(fits).find_map(|front| matches(text, at, front.format))
    }
}

/// Whether a key or a token seems to start at `at`.
pub(in crate::mask) fn starts(text: &Text<'_>, at: usize) -> bool {
    text.starts_with(at, b"eyJ") || FORMATS.iter().any(|f| text.starts_with(at, f.prefix.as_bytes()))
}

fn matches(text: &Text<'_>, at: usize, format: &Format) -> Option<Found> {
    if !text.starts_with(at, format.prefix.as_bytes()) {
        return None;
    }
    let from = at + format.prefix.len();
    let sample = text.get(from, text.run(from, SAMPLE, |b| format.body.has(b)));
    if format.body == Body::Upper
        && let Some(end) = wrap::groups(text, from, format.min, |b| format.body.has(b))
    {
        return found(format.kind, at, end);
    }
    if sample.len() < format.min.min(PIECE) || !looks_drawn(format.body, sample, format.min) {
        return None;
    }
    let mut end = match (format.max, format.body) {
        (0, Body::Token) => text.token_end(from),
        (0, body) => text.run(from, usize::MAX, |b| body.has(b)),
        (max, body) => text.run(from, max + 1, |b| body.has(b)),
    };
    let mut len = end.saturating_sub(from);
    while let Some((start, stop)) = wrap::rest(text, at, end, |b| format.body.has(b)) {
        end = stop;
        len += stop - start;
    }
    // A full stop at the end belongs to the sentence, unless the value is longer than a stream can look back on.
    if matches!(format.body, Body::Dotted | Body::Wide) && end - at <= crate::mask::region::LIMIT {
        let marks = text.get(from, end).iter().rev().take_while(|b| matches!(b, b'.' | b'/')).count();
        end -= marks;
        len -= marks.min(len);
    }
    if len < format.min || format.max != 0 && len > format.max {
        return None;
    }
    // A bounded format that goes on is another thing (a digest, a longer identifier).
    if format.max != 0 && text.at(end).is_ascii_alphanumeric() {
        return None;
    }
    let tail = if format.max == 0 { format.body.tail() } else { Tail::None };
    Some(Found { kind: format.kind, start: at, end, tail })
}

/// Whether the front of a body looks drawn at random, as far as its alphabet leaves a doubt.
fn looks_drawn(body: Body, sample: &[u8], min: usize) -> bool {
    let mixed = match body {
        Body::Upper => return min < 20 || plausible(sample),
        Body::Base62 | Body::Word => true,
        Body::Checked if sample.len() == CHECKED => {
            let mix = Mix::of(sample);
            if checksum_holds(sample) {
                return true;
            }
            mix.lower && mix.upper && mix.digit
        }
        Body::Checked => true,
        Body::Hex => Mix::of(sample).digit,
        Body::Mixed => {
            let mix = Mix::of(sample);
            mix.digit && (mix.lower || mix.upper) || sample.len() >= 16 && changes_case(sample)
        }
        Body::Token | Body::Dotted | Body::Wide => {
            let mix = Mix::of(sample);
            mix.digit || mix.lower && mix.upper
        }
    };
    mixed && plausible(sample)
}

/// Characters of the body of a classic token of GitHub or npm, of which the last six are its checksum.
const CHECKED: usize = 36;

/// Whether the last six characters are the CRC-32 of those in front, in base 62 with leading zeros.
fn checksum_holds(body: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((payload, checksum)) = body.split_last_chunk::<6>() else { return false };
    let mut rest = crc32(payload);
    let digits = checksum.iter().rev().all(|byte| {
        let digit = DIGITS.get((rest % 62) as usize);
        rest /= 62;
        digit == Some(byte)
    });
    digits && rest == 0
}

/// Finding kind of AWS access key ids.
pub(in crate::mask) const AWS_ID: &str = "aws_access_key";

/// Finding kind of Telegram's bot tokens.
pub(in crate::mask) const TELEGRAM: &str = "telegram_token";

/// A bot token: 8 to 10 digits that end at `colon`, `:`, and 35 characters that start with `A` (Telegram Bot API).
pub(in crate::mask) fn telegram(text: &Text<'_>, at: usize, colon: usize) -> Option<Found> {
    if !(8..=10).contains(&(colon - at)) || text.at(colon + 1) != b'A' {
        return None;
    }
    let end = text.run(colon + 1, 36, is_token);
    if end - colon == 36 && plausible(text.get(colon, end)) { found(TELEGRAM, at, end) } else { None }
}

/// Finding kind of the secret half of an AWS access key.
pub(in crate::mask) const AWS_SECRET: &str = "aws_secret_key";

/// The secret that stands next to an access key id, as in credential files and spreadsheets: 40 characters of
/// base64 with lower case, upper case and digits, within a few bytes of separators or a name.
pub(in crate::mask) fn aws_secret(text: &Text<'_>, at: usize) -> Option<Found> {
    let byte = |b: u8| b.is_ascii_alphanumeric() || b == b'/' || b == b'+';
    let end = text.run(at, 41, byte);
    let body = text.get(at, end);
    let mix = Mix::of(body);
    let ok = body.len() == 40 && mix.lower && mix.upper && mix.digit && text.at(end) != b'=';
    if ok { found(AWS_SECRET, at, end) } else { None }
}

/// Whether a body's checksum holds, for tests that make tokens.
#[cfg(test)]
pub(in crate::mask) fn checked(body: &str) -> bool {
    checksum_holds(body.as_bytes())
}

/// Kind, prefix, alphabet, shortest and longest body of each format, for tests that make keys.
#[cfg(test)]
pub(in crate::mask) fn formats() -> Vec<(&'static str, &'static str, &'static str, usize, usize)> {
    let alphabet = |body: Body| match body {
        Body::Hex => "0123456789abcdef",
        Body::Upper => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        _ => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    };
    FORMATS.iter().map(|f| (f.kind, f.prefix, alphabet(f.body), f.min, f.max)).collect()
}
