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

use super::escapes::{Special, next_special};

/// A stretch of the view of which each byte stands for `step` bytes of the text. Characters that are dropped stand
/// between pieces, so that text in disguise takes no more than a piece for each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where it starts in the view.
    view: usize,
    /// Where it starts in the text.
    text: usize,
    /// Bytes of the text for a byte of the view.
    step: u8,
    /// How many characters were dropped directly in front of it.
    invisible: u8,
}

impl Piece {
    /// The place in the text of a place in the view, if that lies in this piece or at its end.
    fn text_at(&self, view: usize) -> usize {
        self.text + view.saturating_sub(self.view) * usize::from(self.step)
    }
}

/// The view of a text.
pub(super) struct View<'t> {
    bytes: Cow<'t, [u8]>,
    pieces: Vec<Piece>,
    /// Bytes at the front of `bytes` that belong to text seen earlier.
    context: usize,
    /// Length of the text.
    len: usize,
    /// Where, in the view, an escape starts that the text cuts off. Only in text that goes on.
    cut: Option<usize>,
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
        let mut pieces = vec![Piece { view: context.len(), text: 0, step: 1, invisible }];
        let mut cut = None;
        let mut done = 0;
        while let Some((at, special)) = next_special(bytes, done, complete, invisible) {
            if at > done {
                place(&mut pieces, Piece { view: out.len(), text: done, step: 1, invisible });
                out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
                invisible = 0;
            }
            done = at;
            match special {
                Special::Cut => {
                    cut = Some(out.len());
                    break;
                }
                Special::Replaced { len, with } => {
                    if let Some(byte) = with {
                        let step = u8::try_from(len).unwrap_or(u8::MAX);
                        place(&mut pieces, Piece { view: out.len(), text: at, step, invisible });
                        out.push(byte);
                        invisible = 0;
                    } else {
                        invisible = invisible.saturating_add(1);
                    }
                    done = at + len;
                }
            }
        }
        place(&mut pieces, Piece { view: out.len(), text: done, step: 1, invisible });
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
        self.cut
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
        let at = self.pieces.partition_point(|p| p.view <= view).saturating_sub(1);
        self.pieces.get(at).map_or(view, |piece| piece.text_at(view).min(self.len))
    }

    /// The place in the text at which what ends before `view` ends: dropped characters after it do not belong.
    pub(super) fn end(&self, view: usize) -> usize {
        if self.pieces.is_empty() {
            return view;
        }
        let at = self.pieces.partition_point(|p| p.view < view).saturating_sub(1);
        self.pieces.get(at).map_or(view, |piece| piece.text_at(view).min(self.len))
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

/// Longest entity of HTML that is taken for a disguise, between `&` and `;`.
const MAX_ENTITY: usize = 10;

/// A text without its disguises, for rules on wordings; `None`: it wears none. Only characters beyond ASCII and HTML
/// entities are taken for one: text with escapes of JSON or of URLs alone says what it says.
pub(crate) fn undisguised(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    // What follows an `&`: a name or a number, and `;`.
    let entity = |rest: &[u8]| {
        let len =
            rest.iter().take(MAX_ENTITY).take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
        len > 0 && rest.get(len) == Some(&b';')
    };
    if bytes.is_ascii() && !bytes.split(|b| *b == b'&').skip(1).any(entity) {
        return None;
    }
    let view = View::of(text);
    if view.pieces.is_empty() { None } else { Some(view.slice(0, view.bytes().len()).into_owned()) }
}

/// Adds a piece, unless the last one goes on; one that stands for nothing gives way.
fn place(pieces: &mut Vec<Piece>, piece: Piece) {
    match pieces.last_mut() {
        Some(last) if last.view == piece.view => *last = piece,
        Some(last) if last.step == piece.step && last.text_at(piece.view) == piece.text => {}
        _ => pieces.push(piece),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        View::of(text).slice(0, View::of(text).bytes().len()).into_owned()
    }

    #[test]
    fn only_text_in_disguise_is_read_twice() {
        for (text, plain) in [
            ("ig\u{200b}nore", Some("ignore")),
            ("ｉｇｎｏｒｅ all", Some("ignore all")),
            ("ignore&nbsp;all &#105;t", Some("ignore all it")),
            ("plain \\n text, 100%, a && b, &mut x", None),
            ("Größe 日本語", None),
        ] {
            assert_eq!(undisguised(text).as_deref(), plain, "{text}");
        }
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
