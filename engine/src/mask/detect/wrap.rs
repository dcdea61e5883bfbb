//! Keys that are written in pieces: broken at the end of a line, as terminals, mails and editors do, or in groups.

use super::keys;
use crate::mask::check::{Mix, changes_case, plausible};
use crate::mask::region::LIMIT;
use crate::mask::text::Text;

/// Shortest piece that is taken for the rest of a key, and how much of it is looked at, in bytes.
const PIECE: usize = 8;
const SAMPLE: usize = 16;

/// Most bytes of white space and quotation marks in front of a line.
const MAX_INDENT: usize = 8;

/// Where the rest of a key that started at `start` and ends with a line at `end` stands: it looks drawn at random,
/// fills its line, and is no key of its own. Close to what a stream holds back nothing is joined.
pub(in crate::mask) fn rest(
    text: &Text<'_>,
    start: usize,
    end: usize,
    class: impl Fn(u8) -> bool,
) -> Option<(usize, usize)> {
    if end - start > LIMIT - 4 * SAMPLE || !matches!(text.at(end), b'\r' | b'\n') {
        return None;
    }
    let line = text.run(end, 2, |b| matches!(b, b'\r' | b'\n'));
    let from = text.run(line, MAX_INDENT, |b| matches!(b, b' ' | b'\t' | b'>' | b'|'));
    let sample = text.get(from, text.run(from, SAMPLE, &class));
    let mix = Mix::of(sample);
    let drawn = mix.digit && mix.lower && mix.upper && changes_case(sample) && plausible(sample);
    if sample.len() < PIECE || !drawn || keys::starts(text, from) {
        return None;
    }
    let to = text.run(from, usize::MAX, &class);
    // A name that something is done with is no piece of a key.
    let ends = matches!(
        text.at(to),
        0 | b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b'`' | b',' | b';' | b'}' | b'<'
    );
    if ends { Some((from, to)) } else { None }
}

/// The end of `total` characters in groups of four with one space or hyphen in front of each.
pub(in crate::mask) fn groups(
    text: &Text<'_>,
    from: usize,
    total: usize,
    class: impl Fn(u8) -> bool,
) -> Option<usize> {
    let separator = text.at(from);
    if !matches!(separator, b' ' | b'-') {
        return None;
    }
    let mut place = from;
    for _ in 0..total / 4 {
        if text.at(place) != separator || text.run(place + 1, 4, &class) != place + 5 {
            return None;
        }
        place += 5;
    }
    let body = text.get(from, place);
    let mix = Mix::of(body);
    if mix.digit && mix.upper && plausible(body) && !text.word_at(place) { Some(place) } else { None }
}
