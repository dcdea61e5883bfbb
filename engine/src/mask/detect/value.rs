//! What a value looks like that a name or a place gives away: a password, a key, or what only stands for one.

use crate::mask::blocks::has_any;
use crate::mask::check::{Mix, changes_case, is_random};
use crate::mask::text::Text;
use crate::mask::words::Words;

/// Words that stand for a value, looked for anywhere in it.
static STOP_WORDS: Words = Words::new(&[
    "password",
    "passwd",
    "secret",
    "example",
    "changeme",
    "change_me",
    "placeholder",
    "redacted",
    "dummy",
    "your",
    "xxxx",
    "****",
    "....",
    "process.env",
    "getenv",
    "environ",
    "undefined",
    "null",
    "string",
    "required",
    "optional",
    "token",
    "${",
    "{{",
]);

/// Whether a word that stands for a value starts it.
pub(super) fn starts_with_stop_word(text: &Text<'_>, at: usize) -> bool {
    STOP_WORDS.stand_at(text, at)
}

/// Whether the value holds something that has a detector of its own, or is a mask.
pub(super) fn holds_other(value: &[u8]) -> bool {
    const STARTS: [&[u8]; 3] = [b"eyJ", b"-----BEGIN", b"[redacted"];
    STARTS.iter().any(|s| value.starts_with(s)) || value.array_windows().any(|w| w == b"://")
}

fn stands_for_a_value(value: &[u8]) -> bool {
    const WHOLE: [&[u8]; 12] = [
        b"true",
        b"false",
        b"none",
        b"nil",
        b"hidden",
        b"masked",
        b"test",
        b"admin",
        b"root",
        b"postgres",
        b"default",
        b"text",
    ];
    WHOLE.iter().any(|word| word.eq_ignore_ascii_case(value))
        || matches!(value.first(), Some(b'$' | b'<' | b'{' | b'%' | b'[' | b'(' | b'@' | b'&' | b'*' | b'#'))
            && value.iter().all(|b| b.is_ascii_alphanumeric() || b"$<>{}%[]()@&*#_.- :/|?".contains(b))
            && !(value.iter().any(u8::is_ascii_digit)
                && value.first() != Some(&b'$')
                && value.first() != Some(&b'{'))
        || holds_a_place(value)
        || STOP_WORDS.stand_in(value)
}

/// Whether something to fill in stands in it: `prefix-<your name>`.
fn holds_a_place(value: &[u8]) -> bool {
    let word = |part: &[u8]| match part.iter().position(|b| *b == b'>') {
        Some(end) => part.get(..end).is_some_and(|word| {
            word.len() > 2
                && word.iter().all(|b| b.is_ascii_alphabetic() || b"-_ /".contains(b))
                && !changes_case(word)
        }),
        None => false,
    };
    value.split(|b| *b == b'<').skip(1).any(word)
}

/// Whether a value can be a password: six characters or more, of two kinds or more, and no name or call in code.
pub(super) fn password(value: &[u8], quoted: bool, spaced: bool) -> bool {
    if value.len() < 6 {
        return false;
    }
    let spaces = if has_any(value, [b' ']) { value.iter().filter(|b| **b == b' ').count() } else { 0 };
    if spaces > 5 {
        return false;
    }
    let mix = Mix::of(value);
    let looks_like_one = if !quoted && (spaced && !(mix.digit && (mix.upper || mix.other)) || code(value)) {
        // `password: hunter2` in YAML is one, `password = password2` in code is not to be told from it: digits decide.
        mix.digit && mix.lower && !value.contains(&b'_') && !code(value)
    } else {
        mix.count() >= 2
            && (mix.digit
                || mix.upper && mix.lower && spaces == 0 && value.len() >= 8
                || mix.other && spaces == 0)
            && (spaces == 0 || mix.digit)
            && is_random(value, 2.0)
    };
    // What costs most comes last.
    looks_like_one && !stands_for_a_value(value)
}

/// Whether a value can be a key or a token: sixteen characters or more with digits and letters, random enough.
pub(super) fn secret(value: &[u8], sure: bool) -> bool {
    if value.len() < 16 {
        return false;
    }
    let mix = Mix::of(value);
    mix.digit
        && (mix.lower || mix.upper)
        && !value.contains(&b' ')
        && is_random(value, 3.0)
        && (!code(value) || sure)
        && !code_call(value)
        && !stands_for_a_value(value)
}

/// Whether it has the form of an AWS secret: 40 characters of base64, drawn from all of it.
pub(super) fn aws_secret(value: &[u8]) -> bool {
    let mix = Mix::of(value);
    value.len() == 40
        && mix.lower
        && mix.upper
        && value.iter().all(|b| b.is_ascii_alphanumeric() || b"/+".contains(b))
}

/// Whether it can stand behind `Bearer` or `Basic`, where hardly anything else stands.
pub(super) fn credentials(value: &[u8]) -> bool {
    let mix = Mix::of(value);
    value.len() >= 8
        && (mix.digit || mix.upper && mix.lower)
        && !stands_for_a_value(value)
        && is_random(value, 2.5)
}

/// Whether it is written as a name, a path of names or a call.
fn code(value: &[u8]) -> bool {
    let name = |part: &[u8]| {
        !part.first().is_some_and(u8::is_ascii_digit)
            && part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    let names = || value.split(|b| matches!(b, b'.' | b'>' | b'-')).all(name);
    code_call(value) || names() && (!value.iter().any(u8::is_ascii_digit) || value.contains(&b'.'))
}

fn code_call(value: &[u8]) -> bool {
    has_any(value, *b"()") && !Mix::of(value).digit
}
