//! The ASCII form of characters that look like it.

/// What becomes of a character.
#[derive(PartialEq, Eq)]
pub(crate) enum Fold {
    /// Nothing.
    Same,
    /// It is dropped.
    Drop,
    /// This ASCII byte.
    To(u8),
}

/// Unicode 16.0: compatibility forms of ASCII (Halfwidth and Fullwidth Forms, Small Form Variants, Mathematical
/// Alphanumeric Symbols), decimal digits of common scripts, spaces (Zs), dashes (Pd), default-ignorables.
pub(crate) fn fold(char: char) -> Fold {
    let code = char as u32;
    let offset = |from: u32, to: u8| match u8::try_from(code - from) {
        Ok(step) => Fold::To(to + step),
        Err(_) => Fold::Same,
    };
    match code {
        0..=0x9F => Fold::Same,
        0xA0 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Fold::To(b' '),
        0xAD | 0x34F | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2064 | 0x2066..=0x206F => {
            Fold::Drop
        }
        0xFE00..=0xFE0F | 0xFEFF | 0xE0001..=0xE01EF => Fold::Drop,
        0x2010..=0x2015 | 0x2212 | 0xFE58 | 0xFE63 => Fold::To(b'-'),
        0x2024 | 0x3002 | 0xFE52 | 0xFF61 => Fold::To(b'.'),
        0x2044 | 0x2215 => Fold::To(b'/'),
        0xFE6B => Fold::To(b'@'),
        0xFE62 => Fold::To(b'+'),
        0xFF01..=0xFF5E => offset(0xFF01, b'!'),
        0x660..=0x669 => offset(0x660, b'0'),
        0x6F0..=0x6F9 => offset(0x6F0, b'0'),
        0x966..=0x96F => offset(0x966, b'0'),
        0x9E6..=0x9EF => offset(0x9E6, b'0'),
        0xE50..=0xE59 => offset(0xE50, b'0'),
        0x1D7CE..=0x1D7FF => Fold::To(b'0' + u8::try_from((code - 0x1D7CE) % 10).unwrap_or(0)),
        0x1D400..=0x1D6A3 => {
            let letter = u8::try_from((code - 0x1D400) % 52).unwrap_or(0);
            Fold::To(if letter < 26 { b'A' + letter } else { b'a' + letter - 26 })
        }
        _ => Fold::Same,
    }
}
