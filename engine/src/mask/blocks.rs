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

/// Which of the bytes are letters and digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    /// `[a-z]`.
    pub(super) lower: u64,
    /// `[A-Z]`.
    pub(super) upper: u64,
    /// `[0-9]`.
    pub(super) digit: u64,
}

/// The kinds of a block's bytes.
pub(super) fn kinds(block: &[u8; BLOCK]) -> Kinds {
    lanes::kinds(block)
}

/// Which bytes of a block are one of these.
#[inline]
pub(super) fn any_of<const N: usize>(block: &[u8; BLOCK], of: [u8; N]) -> u64 {
    lanes::any_of(block, of)
}

/// Whether one of these is among some bytes.
pub(super) fn has_any<const N: usize>(bytes: &[u8], of: [u8; N]) -> bool {
    bytes.chunks(BLOCK).any(|part| first(part, |block| any_of(block, of)) & below(part.len()) != 0)
}

/// Which bytes of a block can stand in a value without quotes: no control, blank, delete or quotation mark.
pub(super) fn unquoted(block: &[u8; BLOCK]) -> u64 {
    lanes::unquoted(block)
}

/// What `of` says of the first block of some bytes; behind their end stand zeros.
#[inline]
pub(super) fn first<T>(bytes: &[u8], of: impl FnOnce(&[u8; BLOCK]) -> T) -> T {
    match bytes.first_chunk::<BLOCK>() {
        Some(block) => of(block),
        None => {
            let mut last = [0; BLOCK];
            last.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
            of(&last)
        }
    }
}

/// The bits of a block's first bytes, so many of them.
#[inline]
pub(super) fn below(count: usize) -> u64 {
    if count >= BLOCK { u64::MAX } else { (1 << count) - 1 }
}

/// Whether a block is ASCII without `\`, `&` and `%`: all that can start an escape or a folded character.
pub(super) fn is_plain(block: &[u8; BLOCK]) -> bool {
    lanes::is_plain(block)
}

#[cfg(target_arch = "wasm32")]
mod lanes {
    use core::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_gt, u8x16_lt, u8x16_splat, u8x16_sub, u64x2, v128, v128_andnot,
        v128_or,
    };

    use super::{BLOCK, Kinds, Marks};

    #[target_feature(enable = "simd128")]
    fn load(bytes: &[u8; 16]) -> v128 {
        let [low, high] = [bytes.first_chunk::<8>(), bytes.last_chunk::<8>()]
            .map(|half| half.map_or(0, |half| u64::from_le_bytes(*half)));
        u64x2(low, high)
    }

    #[target_feature(enable = "simd128")]
    fn is_any_of<const N: usize>(bytes: v128, of: [u8; N]) -> v128 {
        of.into_iter().fold(u8x16_splat(0), |any, byte| v128_or(any, u8x16_eq(bytes, u8x16_splat(byte))))
    }

    #[target_feature(enable = "simd128")]
    fn within(bytes: v128, from: u8, count: u8) -> v128 {
        u8x16_lt(u8x16_sub(bytes, u8x16_splat(from)), u8x16_splat(count))
    }

    #[target_feature(enable = "simd128")]
    fn is_letter(bytes: v128) -> v128 {
        within(v128_or(bytes, u8x16_splat(0x20)), b'a', 26)
    }

    /// The bits of the bytes that are in a class.
    #[target_feature(enable = "simd128")]
    #[inline]
    fn bits(block: &[u8; BLOCK], class: impl Fn(v128) -> v128) -> u64 {
        let of = |bytes: &[u8; 16]| u64::from(u8x16_bitmask(class(load(bytes))));
        block.as_chunks::<16>().0.iter().rev().fold(0, |bits, bytes| bits << 16 | of(bytes))
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn letters(block: &[u8; BLOCK]) -> u64 {
        bits(block, |bytes| is_letter(bytes))
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn kinds(block: &[u8; BLOCK]) -> Kinds {
        Kinds {
            lower: bits(block, |bytes| within(bytes, b'a', 26)),
            upper: bits(block, |bytes| within(bytes, b'A', 26)),
            digit: bits(block, |bytes| within(bytes, b'0', 10)),
        }
    }

    #[target_feature(enable = "simd128")]
    #[inline]
    pub(super) fn any_of<const N: usize>(block: &[u8; BLOCK], of: [u8; N]) -> u64 {
        bits(block, |bytes| is_any_of(bytes, of))
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn unquoted(block: &[u8; BLOCK]) -> u64 {
        bits(block, |bytes| v128_andnot(u8x16_gt(bytes, u8x16_splat(b' ')), is_any_of(bytes, *b"\x7F\"'`")))
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn marks(block: &[u8; BLOCK]) -> Marks {
        let mut marks = Marks::default();
        for (index, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
            let bytes = load(bytes);
            let letters = is_letter(bytes);
            let digits = within(bytes, b'0', 10);
            let signs = is_any_of(bytes, *b"@<[=:");
            marks.alphanumeric |= u64::from(u8x16_bitmask(v128_or(letters, digits))) << (16 * index);
            marks.signs |= u64::from(u8x16_bitmask(signs)) << (16 * index);
        }
        marks
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn is_plain(block: &[u8; BLOCK]) -> bool {
        let special = block.as_chunks::<16>().0.iter().fold(u8x16_splat(0), |special, bytes| {
            let bytes = load(bytes);
            v128_or(special, v128_or(is_any_of(bytes, *b"\\&%"), bytes))
        });
        // The high bit is set where a byte is one of the three, or beyond ASCII.
        u8x16_bitmask(special) == 0
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod lanes {
    use super::{BLOCK, Kinds, Marks};

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

    fn is_any_of<const N: usize>(word: u64, of: [u8; N]) -> u64 {
        // Bytes that are zero once the wanted one is taken off.
        let is = |byte: u8| {
            let rest = word ^ (ONES * u64::from(byte));
            !(((rest & !HIGHS) + !HIGHS) | rest) & HIGHS
        };
        of.into_iter().fold(0, |any, byte| any | is(byte))
    }

    fn is_letter(word: u64) -> u64 {
        within(word | (ONES * 0x20), b'a', b'z')
    }

    /// The bits of the bytes that are in a class.
    #[inline]
    fn bits(block: &[u8; BLOCK], class: impl Fn(u64) -> u64) -> u64 {
        let each = words(block).enumerate();
        each.fold(0, |bits, (index, word)| bits | gather(class(word)) << (8 * index))
    }

    pub(super) fn letters(block: &[u8; BLOCK]) -> u64 {
        bits(block, is_letter)
    }

    pub(super) fn kinds(block: &[u8; BLOCK]) -> Kinds {
        Kinds {
            lower: bits(block, |word| within(word, b'a', b'z')),
            upper: bits(block, |word| within(word, b'A', b'Z')),
            digit: bits(block, |word| within(word, b'0', b'9')),
        }
    }

    #[inline]
    pub(super) fn any_of<const N: usize>(block: &[u8; BLOCK], of: [u8; N]) -> u64 {
        bits(block, |word| is_any_of(word, of))
    }

    pub(super) fn unquoted(block: &[u8; BLOCK]) -> u64 {
        bits(block, |word| {
            let printed = within(word, b'!', b'~') | word & HIGHS;
            printed & !is_any_of(word, *b"\"'`")
        })
    }

    pub(super) fn marks(block: &[u8; BLOCK]) -> Marks {
        let mut marks = Marks::default();
        for (index, word) in words(block).enumerate() {
            let alphanumeric = is_letter(word) | within(word, b'0', b'9');
            marks.alphanumeric |= gather(alphanumeric) << (8 * index);
            marks.signs |= gather(is_any_of(word, *b"@<[=:")) << (8 * index);
        }
        marks
    }

    pub(super) fn is_plain(block: &[u8; BLOCK]) -> bool {
        words(block).fold(0, |special, word| special | is_any_of(word, *b"\\&%") | (word & HIGHS)) == 0
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
                    let each = Kinds {
                        lower: bits(u8::is_ascii_lowercase),
                        upper: bits(u8::is_ascii_uppercase),
                        digit: bits(u8::is_ascii_digit),
                    };
                    assert_eq!(kinds(&block), each, "{byte} at {at}");
                    assert_eq!(any_of(&block, *b"a&\xC3"), bits(|b| b"a&\xC3".contains(b)), "{byte} at {at}");
                    let value = |b: &u8| *b > b' ' && !b"\x7F\"'`".contains(b);
                    assert_eq!(unquoted(&block), bits(value), "{byte} at {at}");
                    let plain = block.iter().all(|b| b.is_ascii() && !b"\\&%".contains(b));
                    assert_eq!(is_plain(&block), plain, "{byte} at {at}");
                }
            }
        }
    }
}
