//! Where something may start: a first look that is fast, and wrong only by saying yes too often.

use super::detect::{assignment, number};

/// What a byte starts, in the low half; what may follow it, in the high half.
const ALWAYS: u16 = 1;
const NUMBER: u16 = 2;
const WORD: u16 = 4;
const BEGIN: u16 = 8;

static CLASSES: [u16; 256] = classes();

const fn classes() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let b = byte as u8;
        let starts = match b {
            b'@' | b'<' | b'[' | b'=' | b':' => ALWAYS,
            b'0'..=b'9' => NUMBER,
            b'B' => WORD | BEGIN,
            b'a'..=b'z' | b'A'..=b'Z' => WORD,
            _ => 0,
        };
        let allows = match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => ALWAYS,
            b'_' => ALWAYS | NUMBER | WORD,
            b'-' => ALWAYS | NUMBER | WORD | BEGIN,
            _ => ALWAYS | NUMBER | WORD,
        };
        // `byte` is below 256.
        #[allow(clippy::indexing_slicing)]
        {
            table[byte] = starts | allows << 8;
        }
        byte += 1;
    }
    table
}

#[inline]
fn class(byte: u8) -> u16 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Finds the places where a detector must look.
pub(super) struct Starts {
    /// Hashes of the first three bytes of keys' prefixes; one bit each.
    fronts: Vec<u64>,
    /// Whether any word in capitals, and any pair of hexadecimal digits, must be looked at.
    words: bool,
    /// Whether every number must be looked at.
    numbers: bool,
}

/// Bits of [`Starts::fronts`].
const FRONTS: usize = 1 << 14;

fn front(a: u8, b: u8, c: u8) -> usize {
    let bytes = u32::from(a) | u32::from(b) << 8 | u32::from(c) << 16;
    (bytes.wrapping_mul(0x9E37_79B1) >> 18) as usize
}

impl Starts {
    pub(super) fn new(prefixes: impl Iterator<Item = &'static [u8]>, words: bool, numbers: bool) -> Self {
        let mut starts = Self { fronts: vec![0; FRONTS / 64], words, numbers };
        for prefix in prefixes.chain([&b"eyJ"[..]]) {
            match *prefix {
                [a, b, c, ..] => starts.mark(front(a, b, c)),
                [a, b] => (0..=255).for_each(|c| starts.mark(front(a, b, c))),
                _ => {}
            }
        }
        starts
    }

    fn mark(&mut self, bit: usize) {
        if let Some(word) = self.fronts.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    /// The next place at or after `from` at which something may start, and the byte that stands there.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, u8)> {
        let before = from.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(0);
        let mut gate = class(before) >> 8;
        for (step, byte) in bytes.get(from..)?.iter().enumerate() {
            let class = class(*byte);
            let hit = class & gate & 0xFF;
            gate = class >> 8;
            if hit != 0 && self.may_start(bytes, from + step, *byte, hit) {
                return Some((from + step, *byte));
            }
        }
        None
    }

    #[inline]
    fn may_start(&self, bytes: &[u8], at: usize, byte: u8, hit: u16) -> bool {
        let after = |step: usize| bytes.get(at + step).copied();
        if hit & WORD != 0 {
            let (Some(b), Some(c)) = (after(1), after(2)) else { return true };
            let bit = front(byte, b, c);
            return hit & BEGIN != 0
                || self.fronts.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
                || c.is_ascii_digit() && b.is_ascii_alphabetic()
                || self.words && (byte.is_ascii_uppercase() || byte.is_ascii_hexdigit() || byte == b'b');
        }
        match byte {
            b'<' => after(1).is_none_or(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            b'[' => after(1).is_none_or(|b| b == b'r'),
            b':' if after(1).is_none_or(|b| b == b'/') => true,
            b'0'..=b'9' => self.numbers || !number::stands_alone(bytes, at),
            b':' | b'=' => assignment::may_name(bytes, at),
            _ => true,
        }
    }
}

#[cfg(test)]
impl Starts {
    /// All places of which the table alone says that something may start.
    pub(super) fn candidates(bytes: &[u8]) -> Vec<(usize, u8)> {
        let mut gate = class(0) >> 8;
        let mut places = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            if class(*byte) & gate & 0xFF != 0 {
                places.push((at, *byte));
            }
            gate = class(*byte) >> 8;
        }
        places
    }

    /// Whether the first look passes over a place of the table.
    pub(super) fn passes_over(&self, bytes: &[u8], at: usize, byte: u8) -> bool {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(0);
        !self.may_start(bytes, at, byte, class(byte) & (class(before) >> 8) & 0xFF)
    }
}
