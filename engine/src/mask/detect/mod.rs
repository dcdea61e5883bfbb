//! What recognises sensitive text. One file a family; each reads the candidate around a trigger that the scan
//! found, and answers with a span only when its checks hold.
//!
//! Detectors read through [`Text`](super::text::Text) and may look at most
//! [`LOOK_BACK`](super::text::LOOK_BACK) bytes back, so that a stream gives the same verdicts as the whole text.

pub(super) mod assignment;
pub(super) mod azure;
pub(super) mod behind;
pub(super) mod card;
mod cookie;
pub(super) mod email;
mod formats;
pub(super) mod iban;
pub(super) mod jwt;
pub(super) mod keys;
pub(super) mod network;
pub(super) mod number;
pub(super) mod packs;
pub(super) mod pem;
pub(super) mod phone;
pub(super) mod ssn;
pub(super) mod tld;
pub(super) mod unquoted;
pub(super) mod url;
mod value;
pub(super) mod wallet;
pub(super) mod wrap;

use super::blocks::{BLOCK, any_of, unquoted as unquoted_bytes};

/// A span that a detector claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The finding kind.
    pub(super) kind: &'static str,
    /// Where it starts in the view.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// How it goes on, should it be longer than a stream holds back.
    pub(super) tail: Tail,
}

/// How a finding goes on beyond what a stream holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// It does not: its length is bounded.
    None,
    /// With every byte of a class.
    Run(Class),
    /// As a private key does: it is one up to `sure`, which may lie inside a long line of it.
    Pem {
        /// See [`pem::Progress::sure`].
        sure: usize,
        /// See [`pem::Progress::inside`].
        inside: bool,
    },
}

/// Bytes that a long value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `[A-Za-z0-9_-]`.
    Token,
    /// The same and `.`.
    Dotted,
    /// The same and `/`, `+`, `=`, `%` and `~`.
    Wide,
    /// Up to this quote, or the end of the line.
    Quoted(u8),
    /// Up to white space, a quote, a bracket or a sign of code.
    Bare,
    /// Up to white space or a quote.
    Unquoted,
    /// The same, or a sign that stands between cookies.
    Cookie,
}

/// What ends a bare value, beside what ends an unquoted one.
const CODE_SIGNS: [u8; 13] = *b",;()[]{}<>&|\\";

/// Which bytes of a block belong to [`Class::Bare`].
pub(super) fn bare(block: &[u8; BLOCK]) -> u64 {
    unquoted_bytes(block) & !any_of(block, CODE_SIGNS)
}

/// Each byte's bits: the classes that it belongs to.
static CLASSES: [u8; 256] = {
    const fn among(byte: u8, signs: &[u8]) -> bool {
        let mut at = 0;
        while at < signs.len() {
            // `at` is below the length.
            #[allow(clippy::indexing_slicing)]
            if signs[at] == byte {
                return true;
            }
            at += 1;
        }
        false
    }
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        let token = byte.is_ascii_alphanumeric() || among(byte, b"-_");
        let printed = byte > b' ' && byte != 0x7F;
        let unquoted = printed && !among(byte, b"\"'`");
        let bits = [
            (TOKEN, token),
            (DOTTED, token || byte == b'.'),
            (WIDE, token || among(byte, b"./+=%~")),
            (BARE, unquoted && !among(byte, &CODE_SIGNS)),
            (UNQUOTED, unquoted),
            (COOKIE, unquoted && !among(byte, b",;<>\\")),
        ];
        let mut at = 0;
        while at < bits.len() {
            // `at` is below the length, and `byte` below 256.
            #[allow(clippy::indexing_slicing)]
            if bits[at].1 {
                classes[byte as usize] |= bits[at].0;
            }
            at += 1;
        }
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

const TOKEN: u8 = 1;
const DOTTED: u8 = 2;
const WIDE: u8 = 4;
const BARE: u8 = 8;
const UNQUOTED: u8 = 16;
const COOKIE: u8 = 32;

impl Class {
    /// Whether the byte belongs to it.
    #[inline]
    pub(super) fn has(self, byte: u8) -> bool {
        let bit = match self {
            Self::Token => TOKEN,
            Self::Dotted => DOTTED,
            Self::Wide => WIDE,
            Self::Bare => BARE,
            Self::Unquoted => UNQUOTED,
            Self::Cookie => COOKIE,
            Self::Quoted(quote) => return byte != quote && byte != b'\n' && byte != 0,
        };
        CLASSES.get(usize::from(byte)).copied().unwrap_or(0) & bit != 0
    }
}

/// A finding of bounded length.
pub(super) fn found(kind: &'static str, start: usize, end: usize) -> Option<Found> {
    Some(Found { kind, start, end, tail: Tail::None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_says_of_a_class_what_the_class_says_of_each_byte() {
        for byte in 0..=255 {
            let is = |class: Class| u64::from(class.has(byte));
            assert_eq!(bare(&[byte; BLOCK]) & 1, is(Class::Bare), "{byte}");
            assert_eq!(unquoted_bytes(&[byte; BLOCK]) & 1, is(Class::Unquoted), "{byte}");
        }
    }
}
