//! Texts that reviewers have named: they are masked wherever they stand.
//!
//! A reviewer reads text as the record has it, with its findings masked, and names what is to be masked, too. So it is
//! looked for in that form, and a guess at what a mask stands for is never found. Letter by letter, or with the disguises
//! taken off both (see [`view`](super::view)) and the escapes of JSON in strings read beyond ASCII: then `Caf\u00e9` in a
//! tool's output is the `Café` that was named.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::masks::Minter;
use super::region::What;
use super::view::View;
use super::{Direction, Edit, Masker, Memory, Profile};

/// The kind of what reviewers had masked: `[redacted:reviewer]`.
pub const REVIEWER: &str = "reviewer";

/// Fewest characters, white space aside, of a text that is masked by its name: shorter ones stand everywhere.
pub const SHORTEST: usize = 4;

/// Most bytes of such a text.
pub const LONGEST: usize = 4096;

/// Most places in which the texts of one request may stand. Where there are more, the request would be shredded.
const PLACES: usize = 10_000;

/// Backslashes that may stand in front of an escaped character, as [`view`](super::view) reads them.
const BACKSLASHES: usize = 8;

/// Why a text cannot be masked by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NamedError {
    /// Too short.
    #[error(
        "a text to be masked needs {SHORTEST} characters or more, white space aside, since a shorter one stands in too \
         many places; name it with what stands around it"
    )]
    Short,
    /// Too long.
    #[error("a text to be masked has at most {LONGEST} bytes; name it in parts")]
    Long,
}

/// Texts that are looked for, and what came of it so far.
#[derive(Default)]
pub struct Named {
    texts: Vec<Sought>,
    places: usize,
}

struct Sought {
    literal: String,
    /// Without disguises; `None`: it wears none.
    folded: Option<String>,
    found: bool,
}

impl Named {
    /// These texts, as a reviewer reads them.
    ///
    /// # Errors
    /// The first that is too short or too long.
    pub fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, NamedError> {
        let sought = |text: &str| {
            if text.len() > LONGEST {
                return Err(NamedError::Long);
            }
            let folded = Folded::of(text).text.into_owned();
            if folded.chars().filter(|char| !char.is_whitespace()).count() < SHORTEST {
                return Err(NamedError::Short);
            }
            let folded = Some(folded).filter(|folded| folded != text);
            Ok(Sought { literal: text.to_owned(), folded, found: false })
        };
        let texts = texts.into_iter().map(sought).collect::<Result<_, _>>()?;
        Ok(Self { texts, places: 0 })
    }

    /// By the order in which they were given: whether each was found.
    pub fn found(&self) -> impl Iterator<Item = bool> {
        self.texts.iter().map(|sought| sought.found)
    }

    /// Whether they stand in more places than may be masked. What was found then is not all.
    pub fn are_everywhere(&self) -> bool {
        self.places > PLACES
    }
}

impl Masker {
    /// Whether somebody who reads a text as the record has it could read this: nothing in it would be masked there.
    pub fn is_shown(&self, text: &str) -> bool {
        self.edits(text, Direction::Record, &Profile::default(), &mut Memory::default()).is_empty()
    }

    /// What masks the named texts in decoded text, in order and disjoint. A mask of which a part was named goes whole.
    /// Counts in `memory` what it finds.
    pub fn edits_named(&self, text: &str, named: &mut Named, memory: &mut Memory) -> Vec<Edit> {
        let shown = self.shown(text);
        let folded = Folded::of(&shown.text);
        let mut spans: Vec<Range<usize>> = Vec::new();
        for sought in &mut named.texts {
            let before = spans.len();
            find(&shown.text, &sought.literal, &mut named.places, |span| spans.push(span));
            let other = sought.folded.as_deref().or(folded.differs().then_some(sought.literal.as_str()));
            if let Some(other) = other {
                find(&folded.text, other, &mut named.places, |span| spans.push(folded.span(&span)));
            }
            sought.found |= spans.len() > before;
        }
        let mut spans: Vec<_> =
            spans.iter().map(|span| shown.start(span.start)..shown.end(span.end)).collect();
        spans.sort_by_key(|span| (span.start, span.end));
        let mut joined: Vec<Range<usize>> = Vec::new();
        for span in spans {
            match joined.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => joined.push(span),
            }
        }
        let with: Arc<str> = Minter::redaction(REVIEWER).into();
        let edit = |span: Range<usize>| {
            memory.count(REVIEWER);
            Edit { start: span.start, end: span.end, with: with.clone(), opens: false }
        };
        joined.into_iter().map(edit).collect()
    }

    /// A text as the record has it.
    fn shown(&self, text: &str) -> Shown {
        let view = View::of(text);
        let (profile, mut memory) = (Profile::default(), Memory::default());
        let mut shown = Shown { text: String::with_capacity(text.len()), masks: Vec::new() };
        let mut done = 0;
        for region in &self.scan(&view, true).regions {
            let own = view.start(region.start)..view.end(region.end);
            let with = match self.edit(&view, text, region, Direction::Record, &profile, &mut memory) {
                Some(edit) => edit.with,
                None if region.what == What::Mask => text.get(own.clone()).unwrap_or_default().into(),
                None => continue,
            };
            shown.text.push_str(text.get(done..own.start).unwrap_or_default());
            let start = shown.text.len();
            shown.text.push_str(&with);
            done = own.end;
            shown.masks.push(Mask { shown: start..shown.text.len(), own });
        }
        shown.text.push_str(text.get(done..).unwrap_or_default());
        shown
    }
}

/// Where `wanted` stands, also where one place overlaps the next; no more once there are too many.
fn find(text: &str, wanted: &str, places: &mut usize, mut each: impl FnMut(Range<usize>)) {
    let step = wanted.chars().next().map_or(1, char::len_utf8);
    let mut at = 0;
    while let Some(found) = text.get(at..).filter(|_| *places <= PLACES).and_then(|rest| rest.find(wanted)) {
        let start = at + found;
        each(start..start + wanted.len());
        *places += 1;
        at = start + step;
    }
}

/// A text as the record has it, and the way back.
struct Shown {
    text: String,
    /// In order.
    masks: Vec<Mask>,
}

/// A mask: where it stands, and where what it stands for does.
struct Mask {
    shown: Range<usize>,
    own: Range<usize>,
}

impl Shown {
    /// Where in the text something starts; inside of a mask, where that does.
    fn start(&self, shown: usize) -> usize {
        let at = self.masks.partition_point(|mask| mask.shown.start <= shown);
        match at.checked_sub(1).and_then(|at| self.masks.get(at)) {
            None => shown,
            Some(mask) if shown < mask.shown.end => mask.own.start,
            Some(mask) => mask.own.end + (shown - mask.shown.end),
        }
    }

    /// Where in the text something ends; inside of a mask, where that does.
    fn end(&self, shown: usize) -> usize {
        let at = self.masks.partition_point(|mask| mask.shown.start < shown);
        match at.checked_sub(1).and_then(|at| self.masks.get(at)) {
            None => shown,
            Some(mask) => mask.own.end + shown.saturating_sub(mask.shown.end),
        }
    }
}

/// A text without its disguises, and the way back.
struct Folded<'t> {
    view: View<'t>,
    text: Cow<'t, str>,
    /// For each byte of `text` its place in the view; `None`: the same.
    places: Option<Vec<usize>>,
    plain: bool,
}

impl<'t> Folded<'t> {
    fn of(text: &'t str) -> Self {
        let view = View::of(text);
        let seen = view.slice(0, view.bytes().len()).into_owned();
        let (folded, places) = match unescaped(&seen) {
            Some((folded, places)) => (folded, Some(places)),
            None => (seen, None),
        };
        let plain = folded == text;
        Self { view, text: if plain { Cow::Borrowed(text) } else { Cow::Owned(folded) }, places, plain }
    }

    fn differs(&self) -> bool {
        !self.plain
    }

    /// A span of the folded text, in the text.
    fn span(&self, span: &Range<usize>) -> Range<usize> {
        let place = |at: usize| match &self.places {
            None => at,
            Some(places) => places.get(at).copied().unwrap_or(self.view.bytes().len()),
        };
        self.view.start(place(span.start))..self.view.end(place(span.end))
    }
}

/// The text with the escapes of JSON read, and the place that each byte comes from; `None`: it has none.
fn unescaped(text: &str) -> Option<(String, Vec<usize>)> {
    text.contains("\\u").then(|| {
        let (mut out, mut places) = (String::with_capacity(text.len()), Vec::with_capacity(text.len()));
        let mut at = 0;
        while let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let (says, len) = match escaped(text.as_bytes().get(at..).unwrap_or_default()) {
                Some((says, len)) => (says, len),
                None => (char, char.len_utf8()),
            };
            out.push(says);
            // Only the place of a character's first byte is asked for.
            places.extend(std::iter::repeat_n(at, says.len_utf8()));
            at += len;
        }
        (out, places)
    })
}

/// The character that an escape at the front stands for, and the escape's length.
fn escaped(bytes: &[u8]) -> Option<(char, usize)> {
    let (first, len) = unit(bytes)?;
    if !(0xD800..=0xDBFF).contains(&first) {
        return char::from_u32(first).map(|char| (char, len));
    }
    let (second, more) = unit(bytes.get(len..)?)?;
    let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
    let code = 0x1_0000 + ((first - 0xD800) << 10) + low;
    char::from_u32(code).map(|char| (char, len + more))
}

/// What `\uXXXX` says, with up to [`BACKSLASHES`] in front, and its length.
fn unit(bytes: &[u8]) -> Option<(u32, usize)> {
    let run = bytes.iter().take(BACKSLASHES).take_while(|byte| **byte == b'\\').count();
    if run == 0 || bytes.get(run) != Some(&b'u') {
        return None;
    }
    let digits = bytes.get(run + 1..run + 5)?;
    let value =
        digits.iter().try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))?;
    Some((value, run + 5))
}
