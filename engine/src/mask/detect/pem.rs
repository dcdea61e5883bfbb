//! Private keys in PEM: from `-----BEGIN ... PRIVATE KEY-----` to its end, whole or unfinished, also with line
//! numbers, quotes or list marks in front of each line, and on one line.
//!
//! Sources: RFC 7468 (labels and encapsulation), RFC 1421 section 4.4 (headers inside), OpenSSH's PROTOCOL.key,
//! RFC 9580 section 6.2 (OpenPGP `PRIVATE KEY BLOCK`), PuTTY and SSH2 key files are out of scope. Public keys and
//! certificates are no findings.

use super::{Found, Tail};
use crate::mask::text::Text;

/// The finding kind.
pub(in crate::mask) const KIND: &str = "private_key";

/// Longest label between the dashes.
const MAX_LABEL: usize = 48;

/// Headers (`Proc-Type`, `DEK-Info`, `Version`) stand within this many bytes of the beginning.
const HEADERS: usize = 256;

/// Characters in a row that are taken for a part of a key wherever they stand.
const LONG: usize = 24;

/// White space that may stand between two lines.
const MAX_GAP: usize = 64;

/// Where reading a body got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mask) struct Progress {
    /// Everything before belongs to the key, whatever follows.
    pub(in crate::mask) sure: usize,
    /// Whether `sure` lies inside a long line of base64.
    pub(in crate::mask) inside: bool,
    /// Where the key ends, as far as there is text.
    pub(in crate::mask) end: usize,
}

/// A key whose `BEGIN` stands at `at`, with dashes in front of it, starting not before `floor`.
pub(in crate::mask) fn find(text: &Text<'_>, at: usize, floor: usize) -> Option<Found> {
    let dashes = text.behind(at, 5).iter().rev().take_while(|b| **b == b'-').count();
    let start = at - dashes;
    if dashes < 5 || start < floor || !text.starts_with(at, b"BEGIN ") {
        return None;
    }
    let end = text.run(at, MAX_LABEL + 6, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
    let label = text.get(at, end);
    if !text.starts_with(end, b"-----") || !label.windows(11).any(|w| w == b"PRIVATE KEY") {
        return None;
    }
    let body = end + 5;
    let progress = read(text, body, body + HEADERS, false);
    Some(Found {
        kind: KIND,
        start,
        end: progress.end,
        tail: Tail::Pem { sure: progress.sure, inside: progress.inside },
    })
}

/// Reads a body on from `from`; headers may stand before `headers`; `inside` says that `from` lies inside a long
/// line of base64.
pub(in crate::mask) fn read(text: &Text<'_>, from: usize, headers: usize, inside: bool) -> Progress {
    let mut progress = Progress { sure: from, inside, end: from };
    let mut place = from;
    if inside {
        place = text.run(place, usize::MAX, is_base64);
        progress = Progress { sure: place, inside: true, end: place };
    }
    loop {
        let gap = text.run(place, MAX_GAP, |b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
        let mut word = text.run(gap, MAX_LABEL, is_mark);
        if text.at(word) == b'-' && text.at(word + 1) != b'-' {
            word += 1;
        }
        if text.starts_with(word, b"-----END ") || text.starts_with(gap, b"-----END ") {
            let at = if text.starts_with(gap, b"-----END ") { gap } else { word };
            let label =
                text.run(at + 9, MAX_LABEL, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
            let end = text.run(label, 5, |b| b == b'-');
            // A line that is cut off is not sure yet.
            let sure = if text.looked_past_end() { progress.sure } else { end };
            return Progress { sure, end, ..progress };
        }
        let end = text.run(word, usize::MAX, is_base64);
        if end - word >= LONG {
            progress = Progress { sure: end, inside: true, end };
        } else if word < headers && end > word && matches!(text.at(end), b':' | b'-') {
            // A header, to the end of its line.
            let line = text.run(end, 2 * MAX_LABEL, |b| b != b'\n' && b != 0);
            if text.at(line) != b'\n' {
                return progress;
            }
            progress = Progress { sure: line, inside: false, end: line };
            place = line;
            continue;
        } else if end > word {
            // A short line is the key's last, or the marks of a line: it ends the line or stands in front of the end.
            let after = text.run(end, MAX_GAP, |b| matches!(b, b' ' | b'\t' | b'\r'));
            let last = matches!(text.at(after), b'\n' | 0 | b'"' | b'\'' | b'`')
                || text.starts_with(after, b"-----");
            if !last {
                return progress;
            }
            progress.end = end;
            if !text.looked_past_end() {
                progress = Progress { sure: end, inside: false, end };
            }
        } else if !matches!(text.at(word), b'\n' | b'\r') {
            return progress;
        }
        // What is left is an empty line, with or without marks.
        place = end;
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// What may stand in front of a line: its number and a sign, quotes, marks of lists, diffs and comments.
fn is_mark(byte: u8) -> bool {
    byte.is_ascii_digit()
        || b" \t|:>#*\"',;+/".contains(&byte)
        || matches!(byte, 0xE2 | 0x86 | 0x92 | 0x94 | 0x82)
}
