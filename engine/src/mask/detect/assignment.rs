//! Secrets that a name in front gives away: `password=`, `"clientSecret": `, `AWS_SECRET_ACCESS_KEY=`,
//! `Authorization: Bearer `, `Cookie: `.
//!
//! The value must look like one; see [`value`](super::value). The names are those that frameworks, clouds and databases use in their own documentation.

use super::keys::AWS_SECRET;
use super::value::{aws_secret, credentials, holds_other, password, secret, starts_with_stop_word};
use super::{Class, Found, Tail, bare, cookie, unquoted};
use crate::mask::region::LIMIT;
use crate::mask::text::Text;
use crate::mask::words::Endings;

/// The finding kind of passwords.
pub(in crate::mask) const PASSWORD: &str = "password";
/// The finding kind of everything else that a name gives away.
pub(in crate::mask) const SECRET: &str = "secret";

/// Longest name that is read, in bytes.
pub(super) const MAX_NAME: usize = 64;

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

/// Shortest key that a comma ends, in bytes.
const KEY: usize = 16;

/// How much of a value is looked at, in bytes.
const SAMPLE: usize = 64;

/// What the name of an assignment promises.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    Password,
    Secret,
    AwsSecret,
    Authorization,
    /// Cookies, with names of their own.
    Cookies,
    /// One that is set, with attributes behind it.
    Cookie,
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
    if matches!(promise, Promise::Cookies | Promise::Cookie) {
        return cookie::find(text, place, promise == Promise::Cookie, wanted);
    }
    let mut scheme = false;
    for word in [&b"Bearer "[..], b"bearer ", b"Basic ", b"basic ", b"Token ", b"token ", b"ApiKey "] {
        if text.starts_with(place, word) {
            place += word.len();
            scheme = true;
            break;
        }
    }
    if starts_with_stop_word(text, place) {
        return None;
    }
    // In a comparison stands code.
    let class = match quoted {
        true => Class::Quoted(quote),
        false if text.at(at + 1) == b'=' => Class::Bare,
        false => Class::Unquoted,
    };
    let mut end = value_end(text, place, SAMPLE, class);
    let drawn = class == Class::Unquoted && matches!(promise, Promise::Secret | Promise::AwsSecret);
    if drawn {
        end = key_end(text, place, end, KEY);
    }
    let sample = text.get(place, end);
    if quoted && sample.contains(&b' ') && promise != Promise::Password {
        return None;
    }
    let kind = match promise {
        Promise::Password if password(sample, quoted, spaced) => PASSWORD,
        Promise::AwsSecret if aws_secret(sample) => AWS_SECRET,
        Promise::Authorization if scheme && credentials(sample) || secret(sample, true) => SECRET,
        Promise::Secret | Promise::AwsSecret if secret(sample, quoted || !spaced || scheme) => SECRET,
        _ => return None,
    };
    let call = || class == Class::Unquoted && unquoted::is_call(sample, text.at(end));
    if holds_other(sample) || call() || !wanted(kind, place) {
        return None;
    }
    if end - place + 4 > SAMPLE {
        end = value_end(text, place, usize::MAX, class);
        if drawn && end - place <= LIMIT {
            end = key_end(text, place, end, SAMPLE - 4);
        }
    }
    Some(Found { kind, start: place, end, tail: Tail::Run(class) })
}

/// Where the key or token ends that a value up to `end` starts with: keys have no comma in them, as passwords do, so
/// one of `least` characters or more ends in front of it.
fn key_end(text: &Text<'_>, start: usize, end: usize, least: usize) -> usize {
    let key = text.get(start, end).iter().take_while(|b| Class::Wide.has(**b)).count();
    let ends = matches!(text.get(start, end).get(key), Some(b',' | b';'));
    if ends && key >= least { start + key } else { end }
}

/// The end of a value, of which at most `max` bytes are read, without the sentence's own marks, unless it is longer
/// than a stream can look back on.
fn value_end(text: &Text<'_>, start: usize, max: usize, class: Class) -> usize {
    if class == Class::Unquoted {
        return unquoted::end(text, start, max);
    }
    if class != Class::Bare {
        return text.run(start, max, |b| class.has(b));
    }
    let end = text.run_of(start, max, bare);
    if end - start > LIMIT {
        return end;
    }
    end - text.get(start, end).iter().rev().take_while(|b| matches!(b, b'.' | b':')).count().min(3)
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
            | b"kie"
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
pub(super) fn promise(behind: &[u8]) -> Option<Promise> {
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
    } else if name.ends_with(b"cookie") {
        Some(if name.ends_with(b"setcookie") { Promise::Cookie } else { Promise::Cookies })
    } else if AWS_SECRETS.of(name).is_some() {
        Some(Promise::AwsSecret)
    } else if SECRETS.of(name).is_some() || name == b"sig" {
        Some(Promise::Secret)
    } else {
        None
    }
}
