//! Sixty-four bytes at a time: which of them belong to a class, as the bits of a word. The lowest bit is the first
//! byte's.
//!
//! In wasm with the instructions of `simd128`, which every Envoy that Sluice runs in has; elsewhere with eight bytes in
//! a word. `make test-v8` runs the tests of the former.

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// Which bytes of a block are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// `[A-Za-z0-9]`.
    pub(super) alphanumeric: u64,
    /// `@`, `<`, `[`, `=`, `:`.
    pub(super) signs: u64,
}

/// The marks of a block.
pub(super) fn marks(block: &[u8; BLOCK]) -> Marks {
    lanes::marks(block)
}

/// Which bytes of a block are `[A-Za-z]`.
pub(super) fn letters(block: &[u8; BLOCK]) -> u64 {
    lanes::letters(block)
}

/// Whether a block is ASCII without `\`, `&` and `%`: all that can start an escape or a folded character.
pub(super) fn is_plain(block: &[u8; BLOCK]) -> bool {
    lanes::is_plain(block)
}

#[cfg(target_arch = "wasm32")]
mod lanes {
    use core::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u8x16_sub, u64x2, v128, v128_or,
    };

    use super::{BLOCK, Marks};

    #[target_feature(enable = "simd128")]
    fn load(bytes: &[u8; 16]) -> v128 {
        let [low, high] = [bytes.first_chunk::<8>(), bytes.last_chunk::<8>()]
            .map(|half| half.map_or(0, |half| u64::from_le_bytes(*half)));
        u64x2(low, high)
    }

    #[target_feature(enable = "simd128")]
    fn any_of<const N: usize>(bytes: v128, of: [u8; N]) -> v128 {
        of.into_iter().fold(u8x16_splat(0), |any, byte| v128_or(any, u8x16_eq(bytes, u8x16_splat(byte))))
    }

    #[target_feature(enable = "simd128")]
    fn is_letter(bytes: v128) -> v128 {
        u8x16_lt(u8x16_sub(v128_or(bytes, u8x16_splat(0x20)), u8x16_splat(b'a')), u8x16_splat(26))
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn letters(block: &[u8; BLOCK]) -> u64 {
        let of = |bytes: &[u8; 16]| u64::from(u8x16_bitmask(is_letter(load(bytes))));
        block.as_chunks::<16>().0.iter().rev().fold(0, |letters, bytes| letters << 16 | of(bytes))
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn marks(block: &[u8; BLOCK]) -> Marks {
        let mut marks = Marks::default();
        for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
            let bytes = load(bytes);
            let letters = is_letter(bytes);
            let digits = u8x16_lt(u8x16_sub(bytes, u8x16_splat(b'0')), u8x16_splat(10));
            let signs = any_of(bytes, *b"@<[=:");
            marks.alphanumeric |= u64::from(u8x16_bitmask(v128_or(letters, digits))) << (16 * index);
            marks.signs |= u64::from(u8x16_bitmask(signs)) << (16 * index);
        }
        marks
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn is_plain(block: &[u8; BLOCK]) -> bool {
        let special = block.as_chunks::<16>().0.iter().fold(u8x16_splat(0), |special, bytes| {
            let bytes = load(bytes);
            v128_or(special, v128_or(any_of(bytes, *b"\\&%"), bytes))
        });
        // The high bit is set where a byte is one of the three, or beyond ASCII.
        u8x16_bitmask(special) == 0
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod lanes {
    use super::{BLOCK, Marks};

    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;

    /// The high bit of each byte below 0x80 that is at least `from` and at most `to`; those above 0x7F have none.
    fn within(word: u64, from: u8, to: u8) -> u64 {
        let low = word & !HIGHS;
        let least = low + ONES * u64::from(0x80 - from);
        let beyond = low + ONES * u64::from(0x7F - to);
        least & !beyond & !word & HIGHS
    }

    /// The high bits of the eight bytes, side by side.
    fn gather(highs: u64) -> u64 {
        (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }

    fn words(block: &[u8; BLOCK]) -> impl Iterator<Item = u64> {
        block.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn any_of<const N: usize>(word: u64, of: [u8; N]) -> u64 {
        of.into_iter().fold(0, |any, byte| any | within(word, byte, byte))
    }

    fn is_letter(word: u64) -> u64 {
        within(word | (ONES * 0x20), b'a', b'z')
    }

    pub(super) fn letters(block: &[u8; BLOCK]) -> u64 {
        let each = words(block).enumerate();
        each.fold(0, |letters, (index, word)| letters | gather(is_letter(word)) << (8 * index))
    }

    pub(super) fn marks(block: &[u8; BLOCK]) -> Marks {
        let mut marks = Marks::default();
        for (index, word) in words(block).enumerate() {
            let alphanumeric = is_letter(word) | within(word, b'0', b'9');
            marks.alphanumeric |= gather(alphanumeric) << (8 * index);
            marks.signs |= gather(any_of(word, *b"@<[=:")) << (8 * index);
        }
        marks
    }

    pub(super) fn is_plain(block: &[u8; BLOCK]) -> bool {
        words(block).fold(0, |special, word| special | any_of(word, *b"\\&%") | (word & HIGHS)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place of a block, among bytes that are in no class and among bytes that are in one.
    #[test]
    fn a_block_is_marked_as_its_bytes_are() {
        for around in [b' ', b'a', b'@', 0xC3] {
            for byte in 0..=255 {
                for at in 0..BLOCK {
                    let mut block = [around; BLOCK];
                    block[at] = byte;
                    let bits = |is: fn(&u8) -> bool| {
                        block.iter().enumerate().fold(0_u64, |bits, (i, b)| bits | u64::from(is(b)) << i)
                    };
                    let expected = Marks {
                        alphanumeric: bits(u8::is_ascii_alphanumeric),
                        signs: bits(|b| b"@<[=:".contains(b)),
                    };
                    assert_eq!(marks(&block), expected, "{byte} at {at}");
                    assert_eq!(letters(&block), bits(u8::is_ascii_alphabetic), "{byte} at {at}");
                    let plain = block.iter().all(|b| b.is_ascii() && !b"\\&%".contains(b));
                    assert_eq!(is_plain(&block), plain, "{byte} at {at}");
                }
            }
        }
    }
}
