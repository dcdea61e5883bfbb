//! Secrets that a name in front gives away: `password=`, `"clientSecret": `, `AWS_SECRET_ACCESS_KEY=`,
//! `Authorization: Bearer `.
//!
//! The value must look like one: long enough, mixed or random enough, no word that stands for a value, no variable,
//! call or type. The names are those that frameworks, clouds and databases use in their own documentation.

use super::keys::AWS_SECRET;
use super::{Class, Found, Tail, found, unquoted};
use crate::mask::check::{Mix, changes_case, entropy};
use crate::mask::region::LIMIT;
use crate::mask::text::{LOOK_BACK, Text};
use crate::mask::words::{Endings, Words, context};

/// The finding kind of passwords.
pub(in crate::mask) const PASSWORD: &str = "password";
/// The finding kind of everything else that a name gives away.
pub(in crate::mask) const SECRET: &str = "secret";

/// Longest name that is read, in bytes.
const MAX_NAME: usize = 64;

/// Longest value of an element, or behind words, in bytes: all of it is read for the verdict.
const MAX_ELEMENT: usize = 256;

/// Ends of names, lower case, without `_`, `-` and `.`.
static PASSWORDS: Endings = Endings::new(&[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passwort",
    "kennwort",
    "contraseña",
    "contrasena",
    "senha",
    "motdepasse",
    "userpass",
    "dbpass",
]);
static SECRETS: Endings = Endings::new(&[
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
    "accountkey",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "sharedaccesskey",
    "sharedaccesssignature",
    "subscriptionkey",
    "credential",
    "authorization",
    "apitoken",
    "bearer",
    "xapikey",
    "appkey",
    "servicekey",
    "hmackey",
    "keybase",
    "sessionkey",
    "cookiekey",
    "jwtkey",
    "cryptkey",
    "cipherkey",
    "aeskey",
    "deploykey",
    "functionkey",
    "storagekey",
    "deterministickey",
    "credentials",
]);
static AWS_SECRETS: Endings = Endings::new(&["secretaccesskey", "awssecretkey", "awssecret"]);
/// Ends of names that are none of these.
static OTHERS: Endings = Endings::new(&[
    "pagetoken",
    "nexttoken",
    "continuationtoken",
    "synctoken",
    "maxtoken",
    "stoptoken",
    "eostoken",
    "padtoken",
    "unktoken",
    "publickey",
]);

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

/// How much of a value is looked at, in bytes.
const SAMPLE: usize = 64;

/// What the name of an assignment promises.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Promise {
    Password,
    Secret,
    AwsSecret,
    Authorization,
}

/// The value behind the `=` or `:` at `at`, if `wanted` says so of its kind and the place where it starts. It is asked
/// before the value is read to its end: else what is not wanted would be read once for each name in it.
pub(in crate::mask) fn find(
    text: &Text<'_>,
    at: usize,
    wanted: impl FnOnce(&'static str, usize) -> bool,
) -> Option<Found> {
    let promise = promise(text.behind(at, MAX_NAME))?;
    let spaced = text.before(at) == b' ' || text.at(at + 1) == b' ';
    let mut place = text.run(at + 1, 2, |b| matches!(b, b'=' | b'>' | b'~'));
    place = text.run(place, 4, |b| matches!(b, b' ' | b'\t'));
    let quote = text.at(place);
    let quoted = matches!(quote, b'"' | b'\'' | b'`');
    if quoted {
        place += 1;
    }
    let mut scheme = false;
    for word in [&b"Bearer "[..], b"bearer ", b"Basic ", b"basic ", b"Token ", b"token ", b"ApiKey "] {
        if text.starts_with(place, word) {
            place += word.len();
            scheme = true;
            break;
        }
    }
    if STOP_WORDS.stand_at(text, place) {
        return None;
    }
    // In a comparison stands code.
    let class = match quoted {
        true => Class::Quoted(quote),
        false if text.at(at + 1) == b'=' => Class::Bare,
        false => Class::Unquoted,
    };
    let mut end = value_end(text, place, SAMPLE, class);
    let sample = text.get(place, end);
    if class == Class::Unquoted && unquoted::is_call(sample, text.at(end)) {
        return None;
    }
    if quoted && sample.contains(&b' ') && promise != Promise::Password || holds_other(sample) {
        return None;
    }
    let kind = match promise {
        Promise::Password if password(sample, quoted, spaced) => PASSWORD,
        Promise::AwsSecret if aws_secret(sample) => AWS_SECRET,
        Promise::Authorization if scheme && credentials(sample) || secret(sample, true) => SECRET,
        Promise::Secret | Promise::AwsSecret if secret(sample, quoted || !spaced || scheme) => SECRET,
        _ => return None,
    };
    if !wanted(kind, place) {
        return None;
    }
    if end - place + 4 > SAMPLE {
        end = value_end(text, place, usize::MAX, class);
    }
    Some(Found { kind, start: place, end, tail: Tail::Run(class) })
}

/// The end of a value, of which at most `max` bytes are read, without the sentence's own marks, unless it is longer
/// than a stream can look back on.
fn value_end(text: &Text<'_>, start: usize, max: usize, class: Class) -> usize {
    if class == Class::Unquoted {
        return unquoted::end(text, start, max);
    }
    let end = text.run(start, max, |b| class.has(b));
    if class != Class::Bare || end - start > LIMIT {
        return end;
    }
    end - text.get(start, end).iter().rev().take_while(|b| matches!(b, b'.' | b':')).count().min(3)
}

/// The value of the element that opens with the `<` at `at`: `<password>Tr0ub4dorX3</password>`. It has no blank in
/// it, and the element closes behind it.
pub(in crate::mask) fn element(text: &Text<'_>, at: usize) -> Option<Found> {
    let name = text.run(at + 1, MAX_NAME, |b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b));
    let promise = promise(text.get(at + 1, name)).filter(|_| text.at(name) == b'>')?;
    let start = name + 1;
    let end = text.run(start, MAX_ELEMENT, |b| b > b' ' && b != b'<');
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

/// The password behind the words at `at`: `IDENTIFIED BY 'x'` and `PASSWORD 'x'` in SQL, and `login y password x`
/// of a `.netrc`.
pub(in crate::mask) fn behind_words(text: &Text<'_>, at: usize) -> Option<Found> {
    static LOGIN: Words = Words::new(&["login"]);
    static HOST: Words = Words::new(&["machine", "default"]);
    let words: [&[u8]; 2] = [b"identified by", b"password"];
    let word = words.into_iter().find(|word| text.starts_with_any_case(at, word))?;
    let blank = at + word.len();
    let place = text.run(blank, 4, |b| matches!(b, b' ' | b'\t'));
    if place == blank || text.word_before(at) {
        return None;
    }
    let quoted = text.at(place) == b'\'';
    let start = if quoted { place + 1 } else { place };
    let end = text.run(start, MAX_ELEMENT, |b| b > b' ' && b != b'\'');
    let value = text.get(start, end);
    let sure = quoted && text.at(end) == b'\''
        || !quoted && context(text, at, LOOK_BACK, &LOGIN) && context(text, at, LOOK_BACK, &HOST);
    if sure && !holds_other(value) && password(value, quoted, true) {
        found(PASSWORD, start, end)
    } else {
        None
    }
}

/// Whether the last letters in front of the `=` or `:` at `at` are those of a name above: a cheap first look.
pub(in crate::mask) fn may_name(bytes: &[u8], at: usize) -> bool {
    let mut end = at;
    while let Some(byte) = end.checked_sub(1).and_then(|i| bytes.get(i)) {
        if byte.is_ascii_alphabetic() {
            break;
        }
        if *byte >= 0x80 {
            return true;
        }
        if at - end > 4 || !around_name(*byte) {
            return false;
        }
        end -= 1;
    }
    let Some([a, b, c]) = end.checked_sub(3).and_then(|from| bytes.get(from..end)) else { return false };
    // The last are the bytes of `ña`, with the bit that makes letters small.
    matches!(
        &[a | 0x20, b | 0x20, c | 0x20],
        b"ord"
            | b"swd"
            | b"pwd"
            | b"ase"
            | b"ort"
            | b"ass"
            | b"ret"
            | b"ken"
            | b"key"
            | b"ure"
            | b"ial"
            | b"als"
            | b"nha"
            | b"ena"
            | b"sse"
            | b"ion"
            | b"rer"
            | b"sig"
            | b"\xE3\xB1a"
    )
}

/// What may stand between a name and its `=` or `:`, a number that belongs to the name included.
fn around_name(byte: u8) -> bool {
    matches!(byte, b' ' | b'"' | b'\'' | b'`' | b']' | b':' | b'*' | b'_' | b'0'..=b'9')
}

/// What a name at the end of `behind` promises, quotes and brackets around it aside.
fn promise(behind: &[u8]) -> Option<Promise> {
    let mut end = behind.len();
    let mut skipped = 0;
    while let Some(byte) = end.checked_sub(1).and_then(|i| behind.get(i)) {
        if !around_name(*byte) || skipped > 4 {
            break;
        }
        end -= 1;
        skipped += 1;
    }
    // The name without signs, in lower case, at the end of its room.
    let mut room = [0_u8; MAX_NAME];
    let letters = behind
        .get(..end)?
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.') || **b >= 0x80)
        .filter(|b| !matches!(b, b'_' | b'-' | b'.'));
    let mut len = 0;
    for (slot, byte) in room.iter_mut().rev().zip(letters) {
        *slot = byte.to_ascii_lowercase();
        len += 1;
    }
    let name = room.get(MAX_NAME - len..)?;
    if OTHERS.of(name).is_some() {
        None
    } else if PASSWORDS.of(name).is_some() || name.ends_with(b"pass") && len > 4 && len < 20 {
        Some(Promise::Password)
    } else if name.ends_with(b"authorization") {
        Some(Promise::Authorization)
    } else if AWS_SECRETS.of(name).is_some() {
        Some(Promise::AwsSecret)
    } else if SECRETS.of(name).is_some() || name == b"sig" {
        Some(Promise::Secret)
    } else {
        None
    }
}

/// Whether the value holds something that has a detector of its own, or is a mask.
fn holds_other(value: &[u8]) -> bool {
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
fn password(value: &[u8], quoted: bool, spaced: bool) -> bool {
    let spaces = value.iter().filter(|b| **b == b' ').count();
    if value.len() < 6 || spaces > 5 {
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
            && entropy(value) >= 2.0
    };
    // What costs most comes last.
    looks_like_one && !stands_for_a_value(value)
}

/// Whether a value can be a key or a token: sixteen characters or more with digits and letters, random enough.
fn secret(value: &[u8], sure: bool) -> bool {
    if value.len() < 16 {
        return false;
    }
    let mix = Mix::of(value);
    mix.digit
        && (mix.lower || mix.upper)
        && !value.contains(&b' ')
        && entropy(value) >= 3.0
        && (!code(value) || sure)
        && !code_call(value)
        && !stands_for_a_value(value)
}

/// Whether it has the form of an AWS secret: 40 characters of base64, drawn from all of it.
fn aws_secret(value: &[u8]) -> bool {
    let mix = Mix::of(value);
    value.len() == 40
        && mix.lower
        && mix.upper
        && value.iter().all(|b| b.is_ascii_alphanumeric() || b"/+".contains(b))
}

/// Whether it can stand behind `Bearer` or `Basic`, where hardly anything else stands.
fn credentials(value: &[u8]) -> bool {
    let mix = Mix::of(value);
    value.len() >= 8
        && (mix.digit || mix.upper && mix.lower)
        && !stands_for_a_value(value)
        && entropy(value) >= 2.5
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
    value.iter().any(|b| matches!(b, b'(' | b')')) && !value.iter().any(u8::is_ascii_digit)
}
