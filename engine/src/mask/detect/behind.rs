//! Passwords that the place gives away in which they stand: an element of XML, words in front, a flag of a program, the
//! next cell of a table.

use super::assignment::{MAX_NAME, PASSWORD, Promise, SECRET, promise};
use super::keys::AWS_SECRET;
use super::value::{aws_secret, holds_other, password, secret};
use super::{Class, Found, found, unquoted};
use crate::mask::check::Mix;
use crate::mask::text::{LOOK_BACK, Text};
use crate::mask::words::{Words, context};

/// Longest value, in bytes: all of it is read for the verdict.
const MAX: usize = 256;

/// Longest name of a user in front of a password, in bytes.
const MAX_USER: usize = 64;

/// The value of the element that opens with the `<` at `at`: `<password>Tr0ub4dorX3</password>`. It has no blank in
/// it, and the element closes behind it.
pub(in crate::mask) fn element(text: &Text<'_>, at: usize) -> Option<Found> {
    let name = text.run(at + 1, MAX_NAME, |b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
    let promise = promise(text.get(at + 1, name)).filter(|_| text.at(name) == b'>')?;
    let start = name + 1;
    let end = text.run(start, MAX, |b| b > b' ' && b != b'<');
    let value = text.get(start, end);
    if value.is_empty() || text.at(end) != b'<' || text.at(end + 1) != b'/' || holds_other(value) {
        return None;
    }
    let kind = match promise {
        Promise::Password if password(value, true, false) => PASSWORD,
        Promise::AwsSecret if aws_secret(value) => AWS_SECRET,
        Promise::Secret | Promise::AwsSecret | Promise::Authorization if secret(value, true) => SECRET,
        _ => return None,
    };
    found(kind, start, end)
}

/// The password behind the words at `at`: `IDENTIFIED BY 'x'` and `PASSWORD 'x'` in SQL, `login y password x` of a
/// `.netrc`, `sshpass -p x`, and the cell of a table next to one that says `password`.
pub(in crate::mask) fn words(text: &Text<'_>, at: usize) -> Option<Found> {
    static LOGIN: Words = Words::new(&["login"]);
    static HOST: Words = Words::new(&["machine", "default"]);
    let words: [&[u8]; 3] = [b"identified by", b"password", b"sshpass -p"];
    let word = words.into_iter().find(|word| text.starts_with_any_case(at, word))?;
    let blank = at + word.len();
    if word == b"password"
        && let Some(found) = next_cell(text, blank)
    {
        return Some(found);
    }
    let place = text.run(blank, 4, |b| matches!(b, b' ' | b'\t'));
    if place == blank || text.word_before(at) {
        return None;
    }
    let quoted = text.at(place) == b'\'';
    let start = if quoted { place + 1 } else { place };
    let end = text.run(start, MAX, |b| b > b' ' && b != b'\'');
    let value = text.get(start, end);
    let flag = word.ends_with(b"-p");
    let sure = quoted && text.at(end) == b'\''
        || !quoted && (flag || context(text, at, LOOK_BACK, &LOGIN) && context(text, at, LOOK_BACK, &HOST));
    if sure && !holds_other(value) && password(value, quoted || flag, !flag) {
        found(PASSWORD, start, end)
    } else {
        None
    }
}

/// The cell behind the one that ends at `at`: `| password | Tr0ub4dor&3 |`. In tables stand types, algorithms and
/// descriptions too, so more is asked of it than elsewhere.
fn next_cell(text: &Text<'_>, at: usize) -> Option<Found> {
    let around = |b: u8| matches!(b, b' ' | b'*' | b'`');
    let bar = text.run(at, MAX_NAME, around);
    if text.at(bar) != b'|' {
        return None;
    }
    let start = text.run(bar + 1, MAX_NAME, around);
    let end = text.run(start, MAX, |b| b > b' ' && b != b'|' && b != b'`');
    let marks = text.get(start, end).iter().rev().take_while(|b| **b == b'*').count();
    let value = text.get(start, end - marks);
    let mix = Mix::of(value);
    let mixed = mix.digit && (mix.count() == 4 || mix.count() == 3 && value.len() >= 10);
    let closed = text.at(text.run(end, MAX_NAME, around)) == b'|';
    let one = mixed && closed && !holds_other(value) && !unquoted::is_call(value, b' ');
    if one && password(value, true, false) { found(PASSWORD, start, end - marks) } else { None }
}

/// Whether a user of `curl -u user:password` may stand in front of the `:` at `at`: a cheap first look.
pub(in crate::mask) fn may_be_user(bytes: &[u8], at: usize) -> bool {
    // In JSON a quotation mark stands in front of most.
    at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|b| of_user(*b))
        && bytes.get(at + 1).is_none_or(|b| *b > b' ' && !matches!(b, b':' | b'/'))
        && user_start(bytes, at).is_some()
}

fn of_user(byte: u8) -> bool {
    byte > b' '
        && !matches!(byte, b'"' | b'\'' | b'`' | b':' | b'=' | b',' | b';' | b'(' | b')' | b'[' | b']')
        && !matches!(byte, b'{' | b'}' | b'<' | b'>' | b'|')
}

/// Where the user starts in front of the `:` at `at`, when a flag is in front of it.
fn user_start(bytes: &[u8], at: usize) -> Option<usize> {
    let front = bytes.get(..at)?;
    let len = front.iter().rev().take(MAX_USER + 1).take_while(|b| of_user(**b)).count();
    let start = at - len;
    let quotes = usize::from(matches!(start.checked_sub(1).and_then(|at| front.get(at)), Some(b'"' | b'\'')));
    let flag = front.get(..start - quotes)?;
    let flag = flag.strip_suffix(b" ").or_else(|| flag.strip_suffix(b"="))?;
    let flagged = flag.ends_with(b"-u") || flag.ends_with(b"-U") || flag.ends_with(b"user");
    if flagged && (1..=MAX_USER).contains(&len) { Some(start) } else { None }
}

/// The password behind the `:` at `at`, behind a user that `curl` is given: `-u user:password`, `--user`,
/// `--proxy-user`. Other programs have other things there: `docker run -u 1000:1000`.
pub(in crate::mask) fn user(text: &Text<'_>, at: usize) -> Option<Found> {
    static CURL: Words = Words::new(&["curl"]);
    let user = user_start(text.get(0, text.len()), at)?;
    let start = at + 1;
    let quote = text.before(user);
    let end = match quote {
        b'"' | b'\'' => text.run(start, MAX, |b| Class::Quoted(quote).has(b)),
        _ => unquoted::end(text, start, MAX),
    };
    let value = text.get(start, end);
    let one = context(text, at, LOOK_BACK, &CURL) && !holds_other(value) && password(value, true, false);
    if one { found(PASSWORD, start, end) } else { None }
}
