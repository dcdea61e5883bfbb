//! Which bytes can start something, and behind which.

/// What a byte starts, in the low half; what may follow it, in the high half.
pub(super) const ALWAYS: u16 = 1;
pub(super) const NUMBER: u16 = 2;
pub(super) const WORD: u16 = 4;
pub(super) const BEGIN: u16 = 8;

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
            b'_' => ALWAYS | WORD,
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
pub(super) fn class(byte: u8) -> u16 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}
