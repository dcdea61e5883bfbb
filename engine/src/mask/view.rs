//! What a detector reads: the text with its disguises taken off, and the way back to the bytes it came from.
//!
//! People and models write one value in many ways. The view turns full-width and mathematical letters and
//! digits, digits of other scripts, every kind of space, dash and dot into their ASCII form; drops zero-width
//! characters; and reads HTML entities, percent-encoding and the escapes of JSON inside a string. Everything else
//! stays as it is. Text without any of these is borrowed, so that plain text costs one pass.
//!
//! Out of reach: look-alike letters of other alphabets, words in place of signs (`john at example dot com`),
//! rotated or base64-encoded values, and values that are spread over several strings.

use std::borrow::Cow;

/// Zero-width characters are dropped in runs of up to this many; one more stands for a space, so that what a
/// stream holds back stays bounded.
const MAX_INVISIBLE: u8 = 16;

/// Longest escape that is read: `&#x1D7FF;` and `\\\\\\\\u0040`.
const MAX_ESCAPE: usize = 14;

/// Backslashes that may stand in front of an escaped character (JSON in JSON in JSON).
const MAX_BACKSLASHES: usize = 8;

/// A stretch of the view and the bytes that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where it starts in the view.
    view: usize,
    /// Where it starts in the text.
    text: usize,
    /// Where what it stands for ends in the text, when it is a substitution; copies run to the next piece.
    end: Option<usize>,
    /// How many characters were dropped directly in front of it.
    invisible: u8,
}

/// The view of a text.
pub(super) struct View<'t> {
    bytes: Cow<'t, [u8]>,
    pieces: Vec<Piece>,
    /// Bytes at the front of `bytes` that belong to text seen earlier.
    context: usize,
    /// Length of the text.
    len: usize,
    /// Where an escape starts that the text cuts off, in text and view. Only in text that goes on.
    cut: Option<(usize, usize)>,
}

impl<'t> View<'t> {
    /// The view of a whole text.
    pub(super) fn of(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        match next_special(bytes, 0, true, 0) {
            None => Self {
                bytes: Cow::Borrowed(bytes),
                pieces: Vec::new(),
                context: 0,
                len: bytes.len(),
                cut: None,
            },
            Some(_) => Self::build(&[], text, true, 0),
        }
    }

    /// The view of text that follows `context` (bytes of the view of what came before, of which the last
    /// `invisible` characters were dropped), and that may go on.
    pub(super) fn after(context: &[u8], text: &str, complete: bool, invisible: u8) -> View<'static> {
        View::build(context, text, complete, invisible)
    }

    fn build(context: &[u8], text: &str, complete: bool, mut invisible: u8) -> View<'static> {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(context.len() + bytes.len());
        out.extend_from_slice(context);
        let mut pieces = vec![Piece { view: context.len(), text: 0, end: None, invisible }];
        let mut cut = None;
        let mut done = 0;
        while let Some((at, special)) = next_special(bytes, done, complete, invisible) {
            out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
            if at > done {
                invisible = 0;
            }
            match special {
                Special::Cut => {
                    cut = Some((at, out.len()));
                    done = at;
                    break;
                }
                Special::Replaced { len, with } => {
                    pieces.push(Piece { view: out.len(), text: at, end: Some(at + len), invisible });
                    match with {
                        Some(byte) => {
                            out.push(byte);
                            invisible = 0;
                        }
                        None => invisible = invisible.saturating_add(1),
                    }
                    done = at + len;
                    pieces.push(Piece { view: out.len(), text: done, end: None, invisible });
                }
            }
        }
        out.extend_from_slice(bytes.get(done..).unwrap_or_default());
        View { bytes: Cow::Owned(out), pieces, context: context.len(), len: bytes.len(), cut }
    }

    /// The bytes that detectors read, context in front.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes of context stand in front.
    pub(super) fn context(&self) -> usize {
        self.context
    }

    /// Where, in the view, nothing can be relied on any more, because the text ends inside an escape there.
    pub(super) fn cut(&self) -> Option<usize> {
        self.cut.map(|(_, view)| view)
    }

    /// Where, in the view, the text ends or cannot be relied on any more.
    pub(super) fn reliable(&self) -> usize {
        self.cut().unwrap_or(self.bytes.len())
    }

    /// The place in the text at which the character of the view starts.
    pub(super) fn start(&self, view: usize) -> usize {
        if self.pieces.is_empty() {
            return view;
        }
        // Of several pieces at one place in the view the last holds the character; the others were dropped.
        let at = self.pieces.partition_point(|p| p.view <= view).saturating_sub(1);
        match self.pieces.get(at) {
            Some(piece) => (piece.text + view.saturating_sub(piece.view)).min(self.len),
            None => view,
        }
    }

    /// The place in the text at which what ends before `view` ends: dropped characters after it do not belong.
    pub(super) fn end(&self, view: usize) -> usize {
        if self.pieces.is_empty() {
            return view;
        }
        let Some(last) = view.checked_sub(1) else { return 0 };
        let at = self.pieces.partition_point(|p| p.view <= last).saturating_sub(1);
        match self.pieces.get(at) {
            Some(Piece { end: Some(end), .. }) => *end,
            Some(piece) => (piece.text + view.saturating_sub(piece.view)).min(self.len),
            None => view,
        }
    }

    /// How many characters were dropped directly in front of a place in the text, for [`View::after`].
    pub(super) fn invisible(&self, text: usize) -> u8 {
        let at = self.pieces.partition_point(|p| p.text <= text).saturating_sub(1);
        self.pieces.get(at).filter(|p| p.text == text).map_or(0, |p| p.invisible)
    }

    /// The bytes of the view between two places, as text.
    pub(super) fn slice(&self, start: usize, end: usize) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes.get(start..end).unwrap_or_default())
    }
}

/// What stands at a special place of the text.
enum Special {
    /// `len` bytes stand for one byte, or for nothing.
    Replaced { len: usize, with: Option<u8> },
    /// The text ends inside what may be an escape.
    Cut,
}

/// The next place at or after `from` where text and view differ.
fn next_special(bytes: &[u8], from: usize, complete: bool, invisible: u8) -> Option<(usize, Special)> {
    let mut at = from;
    let mut invisible = invisible;
    loop {
        let rest = bytes.get(at..)?;
        let skip = plain_len(rest);
        if skip > 0 {
            invisible = 0;
        }
        at += skip;
        let rest = bytes.get(at..)?;
        let byte = *rest.first()?;
        match special(rest, byte, complete, invisible) {
            Ok(special) => return Some((at, special)),
            Err(len) => {
                invisible = 0;
                at += len;
            }
        }
    }
}

/// Bytes at the front that cannot start anything special; eight at a time.
fn plain_len(bytes: &[u8]) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const LOW: u64 = 0x0101_0101_0101_0101;
    let zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let mut at = 0;
    for chunk in bytes.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*chunk);
        let hits = (word & HIGH)
            | zero(word ^ (LOW * u64::from(b'\\')))
            | zero(word ^ (LOW * u64::from(b'&')))
            | zero(word ^ (LOW * u64::from(b'%')));
        if hits != 0 {
            // The lowest hit is exact; false ones of the borrow stand above it.
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|b| *b >= 0x80 || matches!(b, b'\\' | b'&' | b'%')).unwrap_or(tail.len())
}

/// What starts at the front of `rest`, or how many bytes to step over.
fn special(rest: &[u8], byte: u8, complete: bool, invisible: u8) -> Result<Special, usize> {
    match byte {
        b'\\' => backslash(rest, complete),
        b'&' => entity(rest, complete),
        b'%' => percent(rest, complete),
        0xC2 | 0xCD | 0xD9 | 0xDB | 0xE0..=0xE3 | 0xEF | 0xF0 | 0xF3 => {
            let Some(char) = first_char(rest) else { return Err(1) };
            let len = char.len_utf8();
            match fold(char) {
                Fold::Same => Err(len),
                Fold::Drop if invisible >= MAX_INVISIBLE => Ok(Special::Replaced { len, with: Some(b' ') }),
                Fold::Drop => Ok(Special::Replaced { len, with: None }),
                Fold::To(byte) => Ok(Special::Replaced { len, with: Some(byte) }),
            }
        }
        0xC0..=0xDF => Err(2),
        0xE0..=0xEF => Err(3),
        0xF0.. => Err(4),
        _ => Err(1),
    }
}

fn first_char(bytes: &[u8]) -> Option<char> {
    let len = match bytes.first()? {
        0..=0x7F => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    };
    std::str::from_utf8(bytes.get(..len)?).ok()?.chars().next()
}

/// `\n`, `\"`, `\u0040`, with up to [`MAX_BACKSLASHES`] backslashes in front.
fn backslash(rest: &[u8], complete: bool) -> Result<Special, usize> {
    let run = rest.iter().take(MAX_BACKSLASHES).take_while(|b| **b == b'\\').count();
    let cut = || if complete { Err(run) } else { Ok(Special::Cut) };
    let one = |byte: u8| Ok(Special::Replaced { len: run + 1, with: Some(byte) });
    match rest.get(run) {
        None => cut(),
        Some(b'n' | b'r') => one(b'\n'),
        Some(b't') => one(b'\t'),
        Some(b'"') => one(b'"'),
        Some(b'/') => one(b'/'),
        Some(b'u') => {
            let mut value = 0_u32;
            let mut seen = 0;
            for byte in rest.iter().skip(run + 1).take(4) {
                match char::from(*byte).to_digit(16) {
                    Some(digit) => value = value * 16 + digit,
                    None => return Err(run + 1),
                }
                seen += 1;
            }
            if seen < 4 { cut() } else { replacement(value, run + 5).map_err(|_| run) }
        }
        Some(_) => Err(run),
    }
}

/// `&#64;`, `&#x40;`, `&commat;`.
fn entity(rest: &[u8], complete: bool) -> Result<Special, usize> {
    const NAMED: [(&[u8], u32); 14] = [
        (b"commat", 0x40),
        (b"period", 0x2E),
        (b"nbsp", 0x20),
        (b"amp", 0x26),
        (b"lt", 0x3C),
        (b"gt", 0x3E),
        (b"quot", 0x22),
        (b"hyphen", 0x2D),
        (b"dash", 0x2D),
        (b"lowbar", 0x5F),
        (b"plus", 0x2B),
        (b"num", 0x23),
        (b"shy", 0xAD),
        (b"zwnj", 0x200C),
    ];
    let body = rest.get(1..).unwrap_or_default();
    let body = body.get(..MAX_ESCAPE - 2).unwrap_or(body);
    let cut = || if complete { Err(1) } else { Ok(Special::Cut) };
    if let Some(number) = body.strip_prefix(b"#") {
        let (digits, radix) = match number.first() {
            Some(b'x' | b'X') => (number.get(1..).unwrap_or_default(), 16),
            _ => (number, 10),
        };
        let count = digits.iter().take(8).take_while(|b| char::from(**b).is_digit(radix)).count();
        let value = digits
            .iter()
            .take(count)
            .fold(0_u32, |v, b| v.saturating_mul(radix) + char::from(*b).to_digit(radix).unwrap_or(0));
        let head = if radix == 16 { 3 } else { 2 };
        return match digits.get(count) {
            None if head + count + 1 < MAX_ESCAPE => cut(),
            Some(b';') if count > 0 => replacement(value, head + count + 1),
            _ => Err(1),
        };
    }
    let count = body.iter().take_while(|b| b.is_ascii_lowercase()).count();
    let name = body.get(..count).unwrap_or_default();
    match body.get(count) {
        Some(b';') => match NAMED.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => replacement(*value, count + 2),
            None => Err(1),
        },
        None if NAMED.iter().any(|(n, _)| n.starts_with(name)) => cut(),
        _ => Err(1),
    }
}

/// `%40`.
fn percent(rest: &[u8], complete: bool) -> Result<Special, usize> {
    let mut value = 0;
    for at in 1..=2 {
        match rest.get(at).map(|b| char::from(*b).to_digit(16)) {
            Some(Some(digit)) => value = value * 16 + digit,
            Some(None) => return Err(1),
            None if complete => return Err(1),
            None => return Ok(Special::Cut),
        }
    }
    replacement(value, 3)
}

/// A character that was written as an escape of `len` bytes. Only what folds to printable ASCII is read.
fn replacement(value: u32, len: usize) -> Result<Special, usize> {
    let Some(char) = char::from_u32(value) else { return Err(1) };
    match fold(char) {
        Fold::To(byte) => Ok(Special::Replaced { len, with: Some(byte) }),
        Fold::Drop => Ok(Special::Replaced { len, with: Some(b' ') }),
        Fold::Same if char == '\n' || char == '\t' || (' '..='~').contains(&char) => {
            Ok(Special::Replaced { len, with: u8::try_from(value).ok() })
        }
        Fold::Same => Err(1),
    }
}

/// What becomes of a character.
#[derive(PartialEq, Eq)]
enum Fold {
    Same,
    Drop,
    To(u8),
}

/// Unicode 16.0: compatibility forms of ASCII (Halfwidth and Fullwidth Forms, Small Form Variants, Mathematical
/// Alphanumeric Symbols), decimal digits of common scripts, spaces (Zs), dashes (Pd), default-ignorables.
fn fold(char: char) -> Fold {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        View::of(text).slice(0, usize::MAX.min(View::of(text).bytes().len())).into_owned()
    }

    #[test]
    fn disguises_come_off_and_everything_else_stays() {
        for (text, view) in [
            ("plain text 100% & more \\ done", "plain text 100% & more \\ done"),
            ("４１１１", "4111"),
            ("john＠example．com", "john@example.com"),
            ("4111\u{a0}1111\u{2009}1111\u{202f}1111", "4111 1111 1111 1111"),
            ("41\u{200b}11", "4111"),
            ("123\u{2011}45\u{2013}6789", "123-45-6789"),
            ("a&#64;b&#x2e;c&commat;d", "a@b.c@d"),
            ("a%40b%2Ec", "a@b.c"),
            (r"a\u0040b\nc\\nd", "a@b\nc\nd"),
            ("日本語 é 🙂", "日本語 é 🙂"),
            ("٤٥𝟒𝐣", "454j"),
            ("&copy; &#169; %zz \\x \\u00g0", "&copy; &#169; %zz \\x \\u00g0"),
        ] {
            assert_eq!(seen(text), view, "{text}");
        }
    }

    #[test]
    fn places_in_the_view_lead_back_to_the_text() {
        let text = "x\u{200b}john&#64;example.com\u{200b} y";
        let view = View::of(text);
        let bytes = view.bytes();
        let at = bytes.windows(4).position(|w| w == b"john").unwrap();
        let end = bytes.iter().position(|b| *b == b' ').unwrap();
        assert_eq!(text.get(view.start(at)..view.end(end)), Some("john&#64;example.com"));
    }

    #[test]
    fn text_that_ends_inside_an_escape_says_so_unless_it_is_complete() {
        for text in ["a&#6", "a&", "a%4", "a\\", "a\\u00", "a&comm", "a\\\\\\u"] {
            assert_eq!(View::after(b"", text, false, 0).cut(), Some(1), "{text}");
            assert_eq!(View::after(b"", text, true, 0).cut(), None, "{text}");
        }
        assert_eq!(View::after(b"", "a&nothing", false, 0).cut(), None);
    }
}
