//! Strings: where they end, what they say, how to change a part of one.

use std::ops::Range;

use super::{JsonError, Splices};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many of the eight bytes stand in front of the first quote, backslash or control character. By the usual "has a
/// zero byte" arithmetic; the lowest byte that it marks is always right.
fn marked(word: u64) -> usize {
    let zero = |w: u64| w.wrapping_sub(ONES) & !w;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let found = (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control) & HIGHS;
    (found.trailing_zeros() / 8) as usize
}

/// The offset, from `at` on, of the first quote, backslash or control character.
fn special(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let plain = marked(u64::from_le_bytes(*chunk));
        if plain < 8 {
            return Some(at + plain);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).map(|n| at + n)
}

/// From the first byte after the opening quote: the offset after the closing one, and whether there are escapes.
pub(super) fn scan(bytes: &[u8], start: usize) -> Result<(usize, bool), JsonError> {
    let mut at = start;
    let mut escaped = false;
    loop {
        at = special(bytes, at).ok_or(JsonError::Syntax(bytes.len()))?;
        match bytes.get(at) {
            Some(b'"') => return Ok((at + 1, escaped)),
            Some(b'\\') => {
                escaped = true;
                at += escape(bytes.get(at..).unwrap_or_default()).map_err(|bad| bad.at(at))?.1;
            }
            _ => return Err(JsonError::Syntax(at)),
        }
    }
}

enum BadEscape {
    Syntax,
    Surrogate,
}

impl BadEscape {
    fn at(self, at: usize) -> JsonError {
        match self {
            Self::Syntax => JsonError::Syntax(at),
            Self::Surrogate => JsonError::Surrogate(at),
        }
    }
}

/// The character that the escape at the start of `bytes` stands for, and the escape's length.
fn escape(bytes: &[u8]) -> Result<(char, usize), BadEscape> {
    let simple = |c| Ok((c, 2));
    match bytes.get(1).ok_or(BadEscape::Syntax)? {
        b'"' => simple('"'),
        b'\\' => simple('\\'),
        b'/' => simple('/'),
        b'b' => simple('\u{8}'),
        b'f' => simple('\u{c}'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'u' => {
            let first = unit(bytes, 2)?;
            match first {
                0xd800..=0xdbff => {
                    if bytes.get(6..8) != Some(b"\\u") {
                        return Err(BadEscape::Surrogate);
                    }
                    let second = unit(bytes, 8)?;
                    if !(0xdc00..=0xdfff).contains(&second) {
                        return Err(BadEscape::Surrogate);
                    }
                    let c = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    char::from_u32(c).map(|c| (c, 12)).ok_or(BadEscape::Surrogate)
                }
                _ => char::from_u32(first).map(|c| (c, 6)).ok_or(BadEscape::Surrogate),
            }
        }
        _ => Err(BadEscape::Syntax),
    }
}

/// The four hexadecimal digits from `at` on.
fn unit(bytes: &[u8], at: usize) -> Result<u32, BadEscape> {
    let digits = bytes.get(at..at + 4).ok_or(BadEscape::Syntax)?;
    digits.iter().try_fold(0, |sum, &b| {
        let digit = char::from(b).to_digit(16).ok_or(BadEscape::Syntax)?;
        Ok(sum * 16 + digit)
    })
}

/// The pieces of a scanned string: each with its offset, its length, and what it says (`None`: itself).
fn pieces(inner: &str) -> impl Iterator<Item = (usize, &str, Option<char>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = inner.get(at..).filter(|rest| !rest.is_empty())?;
        // In a scanned string nothing but backslashes is special.
        let (piece, says) = match special(rest.as_bytes(), 0) {
            Some(0) => {
                // `scan` let the string pass, so the escape is a good one.
                let (says, length) = escape(rest.as_bytes()).unwrap_or(('\u{fffd}', rest.len()));
                (rest.get(..length).unwrap_or(rest), Some(says))
            }
            Some(end) => (rest.get(..end).unwrap_or(rest), None),
            None => (rest, None),
        };
        let start = at;
        at += piece.len();
        Some((start, piece, says))
    })
}

/// What a scanned string says. Copies eight bytes at a time: pieces between escapes are short in logs and code, and
/// a call for each costs more than the bytes.
pub(super) fn resolve(inner: &str) -> String {
    let bytes = inner.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = match rest.first_chunk::<8>() {
            Some(chunk) => {
                out.extend_from_slice(chunk);
                let plain = marked(u64::from_le_bytes(*chunk));
                out.truncate(out.len() + plain - 8);
                plain
            }
            None => {
                let plain = rest.iter().position(|b| *b == b'\\').unwrap_or(rest.len());
                out.extend_from_slice(rest.get(..plain).unwrap_or_default());
                plain
            }
        };
        at += plain;
        if let Some(rest) = rest.get(plain..).filter(|rest| rest.first() == Some(&b'\\')) {
            // `scan` let the string pass, so the escape is a good one.
            let (says, length) = escape(rest).unwrap_or(('\u{fffd}', rest.len()));
            match u8::try_from(says) {
                Ok(byte) if byte.is_ascii() => out.push(byte),
                _ => out.extend_from_slice(says.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            at += length;
        }
    }
    // Escapes stand for whole characters, so what was UTF-8 still is.
    String::from_utf8(out).unwrap_or_default()
}

/// See [`super::Value::splice`]. `base`: where `inner` stands in the document.
pub(super) fn splice<'e>(
    inner: &str,
    base: usize,
    escaped: bool,
    edits: impl IntoIterator<Item = (Range<usize>, &'e str)>,
    splices: &mut Splices,
) {
    if !escaped {
        for (span, with) in edits {
            splices.replace(base + span.start..base + span.end, escape_text(with));
        }
        return;
    }
    let mut map = Map { pieces: pieces(inner), resolved: 0, raw: 0, next: None, length: inner.len() };
    for (span, with) in edits {
        let start = map.raw_of(span.start);
        let end = map.raw_of(span.end);
        splices.replace(base + start..base + end, escape_text(with));
    }
}

/// Walks pieces to turn growing offsets in the resolved text into offsets in the raw one.
struct Map<'s, I: Iterator<Item = (usize, &'s str, Option<char>)>> {
    pieces: I,
    /// The resolved and the raw offset of `next`.
    resolved: usize,
    raw: usize,
    next: Option<(&'s str, Option<char>)>,
    length: usize,
}

impl<'s, I: Iterator<Item = (usize, &'s str, Option<char>)>> Map<'s, I> {
    fn raw_of(&mut self, resolved: usize) -> usize {
        loop {
            let Some((piece, says)) = self.next else {
                match self.pieces.next() {
                    Some((raw, piece, says)) => {
                        self.raw = raw;
                        self.next = Some((piece, says));
                        continue;
                    }
                    None => return self.length,
                }
            };
            let width = says.map_or(piece.len(), char::len_utf8);
            let inside = resolved.saturating_sub(self.resolved);
            if inside < width {
                // Inside an escape there is no offset; its start is the only one.
                return self.raw + if says.is_none() { inside } else { 0 };
            }
            self.resolved += width;
            self.next = None;
        }
    }
}

fn escape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(text, &mut out);
    out
}

fn push_escaped(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = special(rest.as_bytes(), 0) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// Appends `text` as a JSON string, quotes included.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    push_escaped(text, out);
    out.push('"');
}
