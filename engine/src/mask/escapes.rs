//! Where a text and its view differ: escapes and characters that stand for others.

use super::blocks::{BLOCK, is_plain};
use super::fold::{Fold, fold};

/// Zero-width characters are dropped in runs of up to this many; one more stands for a space, so that what a
/// stream holds back stays bounded.
const MAX_INVISIBLE: u8 = 16;

/// Longest escape that is read: `&#x1D7FF;` and `\\\\\\\\u0040`.
const MAX_ESCAPE: usize = 14;

/// Backslashes that may stand in front of an escaped character (JSON in JSON in JSON).
const MAX_BACKSLASHES: usize = 8;

/// What stands at a special place of the text.
pub(super) enum Special {
    /// `len` bytes stand for one byte, or for nothing.
    Replaced { len: usize, with: Option<u8> },
    /// The text ends inside what may be an escape.
    Cut,
}

/// The next place at or after `from` where text and view differ.
pub(super) fn next_special(
    bytes: &[u8],
    from: usize,
    complete: bool,
    invisible: u8,
) -> Option<(usize, Special)> {
    let mut at = from;
    let mut invisible = invisible;
    loop {
        let rest = bytes.get(at..)?;
        let skip = plain_len(rest);
        if skip > 0 {
            invisible = 0;
        }
        at += skip;
        let rest = bytes.get(at..)?;
        let byte = *rest.first()?;
        match special(rest, byte, complete, invisible) {
            Ok(special) => return Some((at, special)),
            Err(len) => {
                invisible = 0;
                at += len;
            }
        }
    }
}

/// Bytes at the front that cannot start anything special; a block at a time.
fn plain_len(bytes: &[u8]) -> usize {
    let blocks = bytes.as_chunks::<BLOCK>().0.iter().take_while(|block| is_plain(block)).count();
    let at = blocks * BLOCK;
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| *b >= 0x80 || matches!(b, b'\\' | b'&' | b'%')).unwrap_or(rest.len())
}

/// What starts at the front of `rest`, or how many bytes to step over.
fn special(rest: &[u8], byte: u8, complete: bool, invisible: u8) -> Result<Special, usize> {
    match byte {
        b'\\' => backslash(rest, complete),
        b'&' => entity(rest, complete),
        b'%' => percent(rest, complete),
        0xC2 | 0xCD | 0xD9 | 0xDB | 0xE0..=0xE3 | 0xEF | 0xF0 | 0xF3 => {
            let Some(char) = first_char(rest) else { return Err(1) };
            let len = char.len_utf8();
            match fold(char) {
                Fold::Same => Err(len),
                Fold::Drop if invisible >= MAX_INVISIBLE => Ok(Special::Replaced { len, with: Some(b' ') }),
                Fold::Drop => Ok(Special::Replaced { len, with: None }),
                Fold::To(byte) => Ok(Special::Replaced { len, with: Some(byte) }),
            }
        }
        0xC0..=0xDF => Err(2),
        0xE0..=0xEF => Err(3),
        0xF0.. => Err(4),
        _ => Err(1),
    }
}

fn first_char(bytes: &[u8]) -> Option<char> {
    let len = match bytes.first()? {
        0..=0x7F => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    };
    std::str::from_utf8(bytes.get(..len)?).ok()?.chars().next()
}

/// `\n`, `\"`, `\u0040`, and the signs that Markdown escapes in values, with up to [`MAX_BACKSLASHES`] backslashes in front.
fn backslash(rest: &[u8], complete: bool) -> Result<Special, usize> {
    let run = rest.iter().take(MAX_BACKSLASHES).take_while(|b| **b == b'\\').count();
    let cut = || if complete { Err(run) } else { Ok(Special::Cut) };
    let one = |byte: u8| Ok(Special::Replaced { len: run + 1, with: Some(byte) });
    match rest.get(run) {
        None => cut(),
        Some(b'n' | b'r') => one(b'\n'),
        Some(b't') => one(b'\t'),
        Some(b'"') => one(b'"'),
        Some(sign @ (b'/' | b'_' | b'.' | b'-' | b'+' | b'@' | b'(' | b')' | b'*')) => one(*sign),
        Some(b'u') => {
            let mut value = 0_u32;
            let mut seen = 0;
            for byte in rest.iter().skip(run + 1).take(4) {
                match char::from(*byte).to_digit(16) {
                    Some(digit) => value = value * 16 + digit,
                    None => return Err(run + 1),
                }
                seen += 1;
            }
            if seen < 4 { cut() } else { replacement(value, run + 5).map_err(|_| run) }
        }
        Some(_) => Err(run),
    }
}

/// `&#64;`, `&#x40;`, `&commat;`.
fn entity(rest: &[u8], complete: bool) -> Result<Special, usize> {
    const NAMED: [(&[u8], u32); 14] = [
        (b"commat", 0x40),
        (b"period", 0x2E),
        (b"nbsp", 0x20),
        (b"amp", 0x26),
        (b"lt", 0x3C),
        (b"gt", 0x3E),
        (b"quot", 0x22),
        (b"hyphen", 0x2D),
        (b"dash", 0x2D),
        (b"lowbar", 0x5F),
        (b"plus", 0x2B),
        (b"num", 0x23),
        (b"shy", 0xAD),
        (b"zwnj", 0x200C),
    ];
    let body = rest.get(1..).unwrap_or_default();
    let body = body.get(..MAX_ESCAPE - 2).unwrap_or(body);
    let cut = || if complete { Err(1) } else { Ok(Special::Cut) };
    if let Some(number) = body.strip_prefix(b"#") {
        let (digits, radix) = match number.first() {
            Some(b'x' | b'X') => (number.get(1..).unwrap_or_default(), 16),
            _ => (number, 10),
        };
        let count = digits.iter().take(8).take_while(|b| char::from(**b).is_digit(radix)).count();
        let value = digits
            .iter()
            .take(count)
            .fold(0_u32, |v, b| v.saturating_mul(radix) + char::from(*b).to_digit(radix).unwrap_or(0));
        let head = if radix == 16 { 3 } else { 2 };
        return match digits.get(count) {
            None if head + count + 1 < MAX_ESCAPE => cut(),
            Some(b';') if count > 0 => replacement(value, head + count + 1),
            _ => Err(1),
        };
    }
    let count = body.iter().take_while(|b| b.is_ascii_lowercase()).count();
    let name = body.get(..count).unwrap_or_default();
    match body.get(count) {
        Some(b';') => match NAMED.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => replacement(*value, count + 2),
            None => Err(1),
        },
        None if NAMED.iter().any(|(n, _)| n.starts_with(name)) => cut(),
        _ => Err(1),
    }
}

/// `%40`.
fn percent(rest: &[u8], complete: bool) -> Result<Special, usize> {
    let mut value = 0;
    for at in 1..=2 {
        match rest.get(at).map(|b| char::from(*b).to_digit(16)) {
            Some(Some(digit)) => value = value * 16 + digit,
            Some(None) => return Err(1),
            None if complete => return Err(1),
            None => return Ok(Special::Cut),
        }
    }
    replacement(value, 3)
}

/// A character that was written as an escape of `len` bytes. Only what folds to printable ASCII is read.
fn replacement(value: u32, len: usize) -> Result<Special, usize> {
    let Some(char) = char::from_u32(value) else { return Err(1) };
    match fold(char) {
        Fold::To(byte) => Ok(Special::Replaced { len, with: Some(byte) }),
        Fold::Drop => Ok(Special::Replaced { len, with: Some(b' ') }),
        Fold::Same if char == '\n' || char == '\t' || (' '..='~').contains(&char) => {
            Ok(Special::Replaced { len, with: u8::try_from(value).ok() })
        }
        Fold::Same => Err(1),
    }
}
