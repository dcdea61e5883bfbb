//! Where something may start: a first look that is fast, and wrong only by saying yes too often.

use super::blocks::{BLOCK, Marks, first, marks};
use super::detect::{assignment, azure, behind, email, number};

/// Finds the places where a detector must look.
pub(super) struct Starts {
    /// Hashes of the first three bytes of keys' prefixes; one bit each.
    fronts: Vec<u64>,
    /// Whether any word in capitals, and any pair of hexadecimal digits, must be looked at.
    words: bool,
    /// Whether every number must be looked at.
    numbers: bool,
    /// Whether keys of Azure are looked for.
    azure: bool,
}

/// Bits of [`Starts::fronts`].
const FRONTS: usize = 1 << 14;

fn front(a: u8, b: u8, c: u8) -> usize {
    let bytes = u32::from(a) | u32::from(b) << 8 | u32::from(c) << 16;
    (bytes.wrapping_mul(0x9E37_79B1) >> 18) as usize
}

impl Starts {
    pub(super) fn new(
        prefixes: impl Iterator<Item = &'static [u8]>,
        words: bool,
        numbers: bool,
        azure: bool,
    ) -> Self {
        let mut starts = Self { fronts: vec![0; FRONTS / 64], words, numbers, azure };
        for prefix in prefixes.chain([&b"eyJ"[..], b"pas", b"Pas", b"PAS", b"ide", b"Ide", b"IDE", b"ssh"]) {
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
    pub(super) fn next(&self, bytes: &[u8], from: usize, window: &mut Window) -> Option<(usize, u8)> {
        window.open(bytes, from);
        loop {
            while let Some(at) = window.next() {
                let byte = bytes.get(at).copied().unwrap_or(0);
                if self.may_start(bytes, at, byte) {
                    return Some((at, byte));
                }
            }
            if window.end >= bytes.len() {
                return None;
            }
            window.open(bytes, window.end);
        }
    }

    #[inline]
    fn may_start(&self, bytes: &[u8], at: usize, byte: u8) -> bool {
        let after = |step: usize| bytes.get(at + step).copied();
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {
                let (Some(b), Some(c)) = (after(1), after(2)) else { return true };
                let bit = front(byte, b, c);
                self.fronts.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
                    || c.is_ascii_digit()
                        && b.is_ascii_alphabetic()
                        && after(3).is_none_or(|d| d.is_ascii_digit())
                    || byte == b'B' && at.checked_sub(1).and_then(|i| bytes.get(i)) == Some(&b'-')
                    || self.azure && azure::may_start(bytes, at)
                    || self.words && may_be_packed(bytes, at)
            }
            b'<' => after(1).is_none_or(|b| b.is_ascii_alphabetic() || b.is_ascii_digit() || b == b'_'),
            b'[' => after(1).is_none_or(|b| b == b'r'),
            b':' if after(1).is_none_or(|b| b == b'/') => true,
            b'0'..=b'9' if self.numbers => true,
            b'0'..=b'9' if self.azure && azure::may_start(bytes, at) => true,
            b'0'..=b'9' if self.words => !number::stands_alone(bytes, at),
            b'0'..=b'9' => number::may_stand(bytes, at),
            b'=' => assignment::may_name(bytes, at),
            b':' => assignment::may_name(bytes, at) || behind::may_be_user(bytes, at),
            b'@' => email::may_stand(bytes, at),
            _ => true,
        }
    }
}

/// Whether the word at `at` may start a value of a pack: one in capitals, one with a digit near its front, a MAC
/// address, or a wallet's `bc1`. Says yes where the bytes end.
pub(super) fn may_be_packed(bytes: &[u8], at: usize) -> bool {
    let after = |step: usize| bytes.get(at + step).copied();
    let Some(first) = after(0) else { return true };
    let digit = |step: usize| after(step).is_none_or(|b| b.is_ascii_digit());
    first.is_ascii_uppercase()
        || [1, 2, 6].into_iter().any(digit)
        || matches!(after(2), Some(b':' | b'-')) && first.is_ascii_hexdigit()
}

/// The block of bytes that is looked at, and the places in it that are left: signs, and letters and digits that no
/// letter or digit stands in front of.
#[derive(Debug, Default)]
pub(super) struct Window {
    start: usize,
    end: usize,
    left: u64,
}

impl Window {
    /// Goes to a place, in this block or another.
    fn open(&mut self, bytes: &[u8], from: usize) {
        if self.start <= from && from < self.end {
            self.left &= u64::MAX << (from - self.start);
            return;
        }
        let rest = bytes.get(from..).unwrap_or_default();
        let Marks { alphanumeric, signs } = first(rest, marks);
        let before = from.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
        let left = signs | alphanumeric & !(alphanumeric << 1 | u64::from(before));
        *self = Self { start: from, end: from + BLOCK, left };
    }

    /// The next place.
    #[inline]
    fn next(&mut self) -> Option<usize> {
        let step = self.left.trailing_zeros();
        self.left &= self.left.wrapping_sub(1);
        if step < 64 { Some(self.start + step as usize) } else { None }
    }
}

#[cfg(test)]
impl Starts {
    /// All places at which something starts, whatever follows: what the blocks are to find.
    pub(super) fn candidates(bytes: &[u8]) -> Vec<(usize, u8)> {
        let word = |at: usize| at.checked_sub(1).is_some_and(|at| bytes[at].is_ascii_alphanumeric());
        let starts = |at: usize, b: u8| b"@<[=:".contains(&b) || b.is_ascii_alphanumeric() && !word(at);
        bytes.iter().copied().enumerate().filter(|(at, byte)| starts(*at, *byte)).collect()
    }

    /// Whether the first look passes over a place.
    pub(super) fn passes_over(&self, bytes: &[u8], at: usize, byte: u8) -> bool {
        !self.may_start(bytes, at, byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::tests::texts;

    /// From wherever the scan goes on, the blocks give the places that a look at each byte would.
    #[test]
    fn blocks_find_every_place_wherever_they_start() {
        let starts = Starts::new(std::iter::empty(), true, true, true);
        let all = |bytes: &[u8], from: usize| {
            let wanted = |(at, byte): &(usize, u8)| *at >= from && starts.may_start(bytes, *at, *byte);
            Starts::candidates(bytes).into_iter().filter(wanted).collect::<Vec<_>>()
        };
        for text in texts(300) {
            let bytes = text.as_bytes();
            for from in 0..bytes.len() {
                let mut window = Window::default();
                let (mut at, mut seen) = (from, Vec::new());
                while let Some(place) = starts.next(bytes, at, &mut window) {
                    at = place.0 + 1;
                    seen.push(place);
                }
                assert_eq!(seen, all(bytes, from), "{text:?} from {from}");
            }
            // Steps over regions of any length.
            for stride in [2, 5, 63, 64, 65, 130] {
                let mut window = Window::default();
                let mut at = 0;
                while let Some((place, _)) = starts.next(bytes, at, &mut window) {
                    assert_eq!(Some(place), all(bytes, at).first().map(|(at, _)| *at), "{text:?} from {at}");
                    at = place + stride;
                }
            }
        }
    }
}
