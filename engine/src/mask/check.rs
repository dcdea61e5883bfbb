//! Check digits and measures of randomness.

use std::sync::LazyLock;

use super::blocks::{BLOCK, Kinds, any_of, below, first, kinds};
use super::words::Words;

/// Luhn's check (ISO/IEC 7812-1 annex B) over digits 0 to 9.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| u32::from(digit) * 2 - if digit > 4 { 9 } else { 0 };
    // From the end: the last, the one in front of it, and so on in pairs.
    let (first, pairs) = digits.as_rchunks::<2>();
    let sum = pairs.iter().fold(0, |sum, [even, odd]| sum + doubled(*even) + u32::from(*odd));
    let sum = sum + first.first().map_or(0, |digit| u32::from(*digit));
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// ISO 7064 mod 97-10 over characters `0-9A-Z`, in the order in which they are checked; true for a remainder of 1.
pub(super) fn mod97(mut characters: impl Iterator<Item = u8>) -> bool {
    let rest = characters.try_fold(0, |rest, byte| {
        if byte.is_ascii_alphanumeric() { Some(mod97_step(rest, byte)) } else { None }
    });
    rest.is_some_and(|rest| rest % 97 == 1)
}

/// One letter or digit more behind what leaves `rest`, which is not brought below 97 as long as there is room.
#[inline]
pub(super) fn mod97_step(rest: u64, byte: u8) -> u64 {
    /// Below it one more character fits.
    const ROOM: u64 = u64::MAX / 1000;
    let rest = if rest > ROOM { rest % 97 } else { rest };
    match byte {
        b'0'..=b'9' => rest * 10 + u64::from(byte - b'0'),
        // Ten for the first letter, in either case.
        _ => rest * 100 + u64::from((byte | 0x20).wrapping_sub(b'a')) + 10,
    }
}

/// Verhoeff's check (J. Verhoeff, 1969): dihedral group D5, over digits 0 to 9.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const MULTIPLY: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const PERMUTE: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let cell = |table: &[[u8; 10]], row: usize, column: u8| {
        table.get(row).and_then(|r| r.get(usize::from(column))).copied().unwrap_or(0)
    };
    let state = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0, |state, (i, digit)| cell(&MULTIPLY, usize::from(state), cell(&PERMUTE, i % 8, *digit)));
    !digits.is_empty() && state == 0
}

/// CRC-32 as in ISO 3309 and ITU-T V.42 (zip, PNG). Bit by bit: what it is used on is short and rare.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// Whether the weighted sum of the digits leaves `rest` modulo `modulus`. Digits beyond the weights do not count.
pub(super) fn weighted(digits: &[u8], weights: &[u32], modulus: u32, rest: u32) -> bool {
    let sum: u32 = digits.iter().zip(weights).map(|(d, w)| u32::from(*d) * w).sum();
    sum % modulus == rest
}

/// Whether Shannon's entropy is at least so many bits a byte.
pub(super) fn is_random(bytes: &[u8], least: f64) -> bool {
    /// Of most counts of one byte, times their logarithms.
    static TERMS: LazyLock<[f64; BLOCK + 1]> = LazyLock::new(|| std::array::from_fn(term));
    fn term(count: usize) -> f64 {
        if count < 2 { 0.0 } else { count as f64 * (count as f64).log2() }
    }
    let term = |count: usize| TERMS.get(count).copied().unwrap_or_else(|| term(count));
    // Times the length it is the length's own term, less those of the different bytes; this is the most that they may be.
    let most = term(bytes.len()) - bytes.len() as f64 * least;
    if bytes.is_empty() {
        return false;
    }
    if bytes.len() > BLOCK {
        let mut counts = [0; 256];
        for byte in bytes {
            if let Some(count) = counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
        return counts.into_iter().map(term).sum::<f64>() <= most;
    }
    // One different byte after the other, until those that are left cannot change the answer.
    let (mut sum, mut left) = (0.0, below(bytes.len()));
    first(bytes, |block| {
        while left != 0 && sum <= most {
            if sum + term(left.count_ones() as usize) <= most {
                return true;
            }
            let byte = bytes.get(left.trailing_zeros() as usize).copied().unwrap_or(0);
            let same = any_of(block, [byte]) & left;
            sum += term(same.count_ones() as usize);
            left &= !same;
        }
        sum <= most
    })
}

/// Which kinds of characters stand in a value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mix {
    pub(super) lower: bool,
    pub(super) upper: bool,
    pub(super) digit: bool,
    pub(super) other: bool,
}

impl Mix {
    /// Of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut mix = Self::default();
        for part in bytes.chunks(BLOCK) {
            let Kinds { lower, upper, digit } = first(part, kinds);
            mix.lower |= lower != 0;
            mix.upper |= upper != 0;
            mix.digit |= digit != 0;
            mix.other |= lower | upper | digit != below(part.len());
        }
        mix
    }

    /// How many of the four kinds.
    pub(super) fn count(self) -> u8 {
        u8::from(self.lower) + u8::from(self.upper) + u8::from(self.digit) + u8::from(self.other)
    }
}

/// Whether bytes that stand where a key would stand look drawn at random rather than written as an example: at
/// least six different characters among the first 64, and none of the words that stand for a value.
pub(super) fn plausible(body: &[u8]) -> bool {
    static WORDS: Words =
        Words::new(&["xxxx", "your", "placeholder", "redacted", "example", "....", "insert"]);
    let sample = body.get(..64).unwrap_or(body);
    let mut seen = [0_u64; 4];
    for byte in sample {
        let byte = byte.to_ascii_lowercase();
        if let Some(row) = seen.get_mut(usize::from(byte >> 6)) {
            *row |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|row| row.count_ones()).sum::<u32>() >= 6 && !WORDS.stand_in(sample)
}

/// Whether the case of letters changes more often than in names that people write: in a third of all places.
pub(super) fn changes_case(body: &[u8]) -> bool {
    let changes =
        body.windows(2).filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() != b.is_ascii_lowercase()));
    changes.count() * 3 >= body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|b| b - b'0').collect()
    }

    #[test]
    fn a_check_digit_tells_right_from_wrong() {
        assert!(luhn(&digits("4111111111111111")) && !luhn(&digits("4111111111111112")) && !luhn(&[]));
        assert!(verhoeff(&digits("2363")) && !verhoeff(&digits("2364")));
        assert!(mod97(b"3214282912345698765432161182".iter().copied()));
        assert!(!mod97(b"3214282912345698765432161183".iter().copied()) && !mod97(b"1-".iter().copied()));
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert!(weighted(&digits("0306406152"), &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 11, 0));
    }

    /// As the formula has it, for values of every length and of few and many different bytes.
    #[test]
    fn randomness_is_what_shannon_says() {
        let mut seed = 7_u32;
        let mut draw = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        let entropy = |bytes: &[u8]| {
            let share = |byte: &u8| bytes.iter().filter(|b| *b == byte).count() as f64 / bytes.len() as f64;
            -bytes.iter().map(|byte| share(byte).log2()).sum::<f64>() / bytes.len() as f64
        };
        for round in 0..6000_u32 {
            let of = 1 + draw(40);
            let value: Vec<u8> = (0..1 + round % 150).map(|_| 33 + draw(of) as u8 * 5).collect();
            for least in [2.0, 2.5, 3.0] {
                let exact = entropy(&value);
                // On the bar itself the formula's own roundings decide.
                if (exact - least).abs() > 1e-9 {
                    assert_eq!(is_random(&value, least), exact > least, "{value:?} {least}");
                }
            }
        }
        assert!(
            is_random(b"abcdefghabcdefgh", 3.0)
                && is_random(&b"abcdefgh".repeat(16), 3.0)
                && !is_random(b"", 2.0)
        );
    }

    #[test]
    fn randomness_is_told_from_filler() {
        assert!(!is_random(b"aaaaaaaa", 0.1) && is_random(b"q8Zr2LxW", 3.0) && !is_random(b"q8Zr2LxW", 3.1));
        assert!(plausible(b"Zk3v9Qa0Lm2xR7bT") && !plausible(b"xxxxxxxxxxxxxxxx"));
        assert!(!plausible(b"your-api-key-goes-here") && !plausible(b"111111111111"));
        assert_eq!(Mix::of(b"aB3-").count(), 4);
    }
}
