//! Where a value without quotes ends: `DB_PASSWORD=Zq8vB2&mN5xKp7wR`, `f(password=x, y)`, `?password=x&user=y`.
//!
//! A sign is no end: passwords have them. A value goes on to white space, a quotation mark or the end of the line,
//! and ends before only where what follows is surely not of it: the next of a list of assignments (`&user=`,
//! `;Database=`, `,user:`), a mark of HTML that closes or breaks, or a mask. Signs in front of the blank are those of
//! the sentence or the code around it, not of the value.

use crate::mask::blocks::{BLOCK, any_of, below, unquoted};
use crate::mask::check::changes_case;
use crate::mask::masks;
use crate::mask::region::LIMIT;
use crate::mask::text::Text;

/// Longest name of a next assignment, and longest mark of HTML, in bytes.
const MAX_NEXT: usize = 32;

/// Most signs at a value's end that are not of it.
const MAX_SIGNS: usize = 3;

/// The end of the value that starts at `start`, of which at most `max` bytes are read. Beyond what a stream holds
/// back nothing ends a value but its class, since that is how the stream drops it.
pub(in crate::mask) fn end(text: &Text<'_>, start: usize, max: usize) -> usize {
    let (mut end, most, near) = (start, start.saturating_add(max), start + LIMIT - 2 * MAX_NEXT);
    loop {
        let (inside, signs) = text.block(end, |block| (unquoted(block), any_of(block, *b"&;,<[")));
        let count = (inside.trailing_ones() as usize).min(most - end);
        let mut signs = signs & below(count);
        let cut = std::iter::from_fn(|| {
            let at = end + signs.trailing_zeros() as usize;
            let is_left = signs != 0;
            signs &= signs.wrapping_sub(1);
            is_left.then_some(at)
        });
        if let Some(at) = cut.take_while(|at| *at < near).find(|at| cuts(text, *at)) {
            end = at;
            break;
        }
        end += count;
        if count < BLOCK || end == most {
            break;
        }
    }
    if end < most {
        text.reaches(end);
    }
    if end - start > LIMIT {
        return end;
    }
    let around = |b: &&u8| b".:,;)]}>([{<&|\\".contains(b);
    end - text.get(start, end).iter().rev().take_while(around).count().min(MAX_SIGNS)
}

/// Whether what follows the sign at `at` is not of the value.
fn cuts(text: &Text<'_>, at: usize) -> bool {
    match text.at(at) {
        b'&' => next(text, at + 1, b"=", false),
        b';' => next(text, at + 1, b"=", true),
        b',' => next(text, at + 1, b"=:", false),
        b'<' => closes(text, at) || masks::starts(text, at),
        _ => masks::starts(text, at),
    }
}

/// Whether a name and one of `signs` stand at `at`. In lists with `;` names have blanks in them (`User Id=`).
fn next(text: &Text<'_>, at: usize, signs: &[u8], blanks: bool) -> bool {
    let of_name = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b) || blanks && b == b' ';
    let end = text.run(at, MAX_NEXT, of_name);
    let name = text.get(at, end);
    let has = |class: fn(&u8) -> bool| name.iter().any(class);
    // What is drawn at random is none: `&mN5=`.
    let drawn = changes_case(name) && name.len() < 6
        || has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && !drawn
        && signs.contains(&text.at(end))
        && text.at(end + 1) != b'='
}

/// Whether HTML closes an element or breaks the line at `at`: `</td>`, `<br/>`.
fn closes(text: &Text<'_>, at: usize) -> bool {
    if text.starts_with(at + 1, b"br") {
        return matches!(text.at(at + 3), b'>' | b'/' | b' ');
    }
    let end = text.run(at + 2, MAX_NEXT, |b| b.is_ascii_alphanumeric() || b"-:_.".contains(&b));
    text.at(at + 1) == b'/' && end > at + 2 && text.at(end) == b'>'
}

/// Whether a value without quotes is a call, an element or a type in code: `sha256(pw1)`, `args[1]`, `Vec<u8>`. A
/// path of names stands in front of the bracket, and nothing that a password would have behind it.
pub(in crate::mask) fn is_call(value: &[u8], behind: u8) -> bool {
    let Some(open) = value.iter().position(|b| matches!(b, b'(' | b'[' | b'{' | b'<')) else { return false };
    let (name, rest) = value.split_at_checked(open).unwrap_or((value, &[]));
    let digits = name.iter().any(u8::is_ascii_digit);
    let named = name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_.:->!?&*".contains(b))
        && !(digits && name.iter().any(u8::is_ascii_uppercase));
    let close = match rest.first() {
        Some(b'(') => b')',
        Some(b'[') => b']',
        Some(b'{') => b'}',
        _ => b'>',
    };
    // The signs at the end are off already, and brackets among them.
    let closed = match rest.iter().rposition(|b| *b == close) {
        Some(at) => matches!(rest.get(at + 1), None | Some(b'.' | b'?' | b'(' | b'[' | b',' | b';' | b')')),
        None => b")]}>,".contains(&behind) || matches!(behind, b'"' | b'\'' | b'`'),
    };
    named && closed
}
