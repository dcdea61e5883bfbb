//! How a detector reads: byte by byte, with a note when it looked past the end.
//!
//! That note is what makes streaming exact. A verdict that never looked past the end of what is there cannot
//! depend on what comes next; one that did is held back and asked again.

use std::cell::Cell;

use super::blocks::{BLOCK, first};

/// How far back, in bytes of the view, a detector may look. A stream keeps this much of what has left.
pub(super) const LOOK_BACK: usize = 128;

/// Most `_` in a row that are emphasis, as in `___so___`.
const EMPHASIS: usize = 3;

/// Bytes to read, with what stands in front of them.
pub(super) struct Text<'t> {
    bytes: &'t [u8],
    past_end: Cell<bool>,
    token: Cell<(usize, usize)>,
}

impl<'t> Text<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        Self { bytes, past_end: Cell::new(false), token: Cell::new((0, 0)) }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The byte at `at`; 0 past the end, which is noted.
    #[inline]
    pub(super) fn at(&self, at: usize) -> u8 {
        match self.bytes.get(at) {
            Some(byte) => *byte,
            None => {
                self.past_end.set(true);
                0
            }
        }
    }

    /// The byte in front of `at`; 0 at the start.
    #[inline]
    pub(super) fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).and_then(|at| self.bytes.get(at)).copied().unwrap_or(0)
    }

    /// Bytes that are known to be there.
    pub(super) fn get(&self, start: usize, end: usize) -> &'t [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Up to `count` bytes in front of `at`, never more than [`LOOK_BACK`].
    pub(super) fn behind(&self, at: usize, count: usize) -> &'t [u8] {
        self.get(at.saturating_sub(count.min(LOOK_BACK)), at)
    }

    /// What `of` says of the block that starts at `at`; behind the end stand zeros.
    #[inline]
    pub(super) fn block<T>(&self, at: usize, of: impl FnOnce(&[u8; BLOCK]) -> T) -> T {
        first(self.bytes.get(at..).unwrap_or_default(), of)
    }

    /// Whether `word` stands at `at`.
    pub(super) fn starts_with(&self, at: usize, word: &[u8]) -> bool {
        word.iter().enumerate().all(|(i, b)| self.at(at + i) == *b)
    }

    /// Whether `word` (lower case) stands at `at`. Case does not matter.
    pub(super) fn starts_with_any_case(&self, at: usize, word: &[u8]) -> bool {
        word.iter().enumerate().all(|(i, b)| self.at(at + i).to_ascii_lowercase() == *b)
    }

    /// The end of the bytes from `at` on that satisfy `class`, at most `max` of them.
    pub(super) fn run(&self, at: usize, max: usize, class: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let count = rest.iter().take(max).take_while(|b| class(**b)).count();
        if count == rest.len() && count < max {
            self.past_end.set(true);
        }
        at + count
    }

    /// The same, where the class says which bytes of a block belong to it. Zeros do not.
    pub(super) fn run_of(&self, at: usize, max: usize, class: impl Fn(&[u8; BLOCK]) -> u64) -> usize {
        let mut end = at;
        let most = at.saturating_add(max);
        loop {
            let count = (self.block(end, &class).trailing_ones() as usize).min(most - end);
            end += count;
            if count < BLOCK || end == most {
                break;
            }
        }
        if end < most {
            self.reaches(end);
        }
        end
    }

    /// Notes that the end of the text was seen at `at`, if that is where it is.
    pub(super) fn reaches(&self, at: usize) {
        if at >= self.len() {
            self.past_end.set(true);
        }
    }

    /// The end of the run of `[A-Za-z0-9_-]` that goes through `at`. Remembered, so that many candidates in one
    /// long token cost one pass.
    pub(super) fn token_end(&self, at: usize) -> usize {
        let (start, end) = self.token.get();
        if start <= at && at < end {
            self.reaches(end);
            return end;
        }
        let end = self.run(at, usize::MAX, is_token);
        self.token.set((at, end));
        end
    }

    /// Whether a word goes on in front of `at`. Up to three `_` that nothing is written in front of are emphasis.
    pub(super) fn word_before(&self, at: usize) -> bool {
        let marks = self.behind(at, EMPHASIS).iter().rev().take_while(|b| **b == b'_').count();
        is_word(self.before(at - marks))
    }

    /// The same behind `at`.
    pub(super) fn word_at(&self, at: usize) -> bool {
        is_word(self.at(self.run(at, EMPHASIS, |b| b == b'_')))
    }

    /// Forgets the note.
    pub(super) fn begin(&self) {
        self.past_end.set(false);
    }

    /// Whether anything past the end was asked for since [`Text::begin`].
    pub(super) fn looked_past_end(&self) -> bool {
        self.past_end.get()
    }
}

/// `[A-Za-z0-9_-]`: the alphabet of base64url and of most keys.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// `[A-Za-z0-9_]`.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
