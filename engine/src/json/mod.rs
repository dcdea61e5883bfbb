//! JSON as spans of its own bytes.
//!
//! A [`Doc`] is a flat list of nodes in the order of writing; each knows where it stands in the text. So a body can
//! be read without copying it, and changed by [splices](Splices) that leave every other byte as it came. The parser
//! takes RFC 8259 and no more, and refuses what two parsers could read differently: a key that stands twice in
//! one object (compared after its escapes are resolved), half a surrogate pair, nesting beyond a bound.

mod parse;
mod pointer;
mod splice;
mod string;

pub use parse::parse;
pub use splice::Splices;
pub use string::quote;

use std::borrow::Cow;
use std::ops::Range;

/// Why a text is not taken as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The grammar does not allow what stands here.
    #[error("not JSON at byte {0}")]
    Syntax(usize),
    /// Not UTF-8.
    #[error("not UTF-8 at byte {0}")]
    Utf8(usize),
    /// A key that its object already has.
    #[error("a key stands twice in one object, at byte {0}; send each key once")]
    DuplicateKey(usize),
    /// Half of a surrogate pair.
    #[error("half of a surrogate pair at byte {0}; send whole characters")]
    Surrogate(usize),
    /// Nested too deeply.
    #[error("nested more than {0} deep")]
    Depth(u32),
    /// Beyond 4 GiB or 4 G nodes.
    #[error("too large")]
    Size,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, kept as written.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    start: u32,
    end: u32,
    /// Index one past the last node below this one.
    next: u32,
    kind: Kind,
    /// A string with a backslash in it.
    escaped: bool,
}

/// A parsed text.
#[derive(Debug)]
pub struct Doc<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

impl<'a> Doc<'a> {
    /// The whole value.
    pub fn root(&self) -> Value<'_, 'a> {
        Value { doc: self, at: 0 }
    }

    fn node(&self, at: u32) -> Node {
        // A `Value` is only made from an index that the parser gave out, so the fallback is never seen.
        const NOTHING: Node = Node { start: 0, end: 0, next: u32::MAX, kind: Kind::Null, escaped: false };
        self.nodes.get(at as usize).copied().unwrap_or(NOTHING)
    }
}

/// A value in a [`Doc`]. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Value<'d, 'a> {
    doc: &'d Doc<'a>,
    at: u32,
}

impl<'d, 'a> Value<'d, 'a> {
    /// What it is.
    pub fn kind(self) -> Kind {
        self.doc.node(self.at).kind
    }

    /// Where it stands in the text; a string with its quotes.
    pub fn span(self) -> Range<usize> {
        let node = self.doc.node(self.at);
        node.start as usize..node.end as usize
    }

    /// Its text as written.
    pub fn raw(self) -> &'a str {
        self.doc.text.get(self.span()).unwrap_or_default()
    }

    /// What stands between the quotes of a string, escapes unresolved.
    fn inner(self) -> &'a str {
        self.raw().get(1..).and_then(|s| s.strip_suffix('"')).unwrap_or_default()
    }

    /// A string's value, escapes resolved; `None` for anything else.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let node = self.doc.node(self.at);
        match (node.kind, node.escaped) {
            (Kind::String, false) => Some(Cow::Borrowed(self.inner())),
            (Kind::String, true) => Some(Cow::Owned(string::resolve(self.inner()))),
            _ => None,
        }
    }

    /// Whether this is a string with exactly this value.
    pub fn is(self, text: &str) -> bool {
        self.text().is_some_and(|own| own == text)
    }

    /// A number without fraction, sign or exponent.
    pub fn as_u64(self) -> Option<u64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    /// `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        match (self.kind(), self.raw()) {
            (Kind::Bool, raw) => Some(raw == "true"),
            _ => None,
        }
    }

    /// The elements of an array; nothing for any other kind.
    pub fn items(self) -> Items<'d, 'a> {
        let node = self.doc.node(self.at);
        let end = if node.kind == Kind::Array { node.next } else { 0 };
        Items { doc: self.doc, at: self.at + 1, end }
    }

    /// Keys and values of an object; nothing for any other kind. Keys are strings.
    pub fn entries(self) -> Entries<'d, 'a> {
        let node = self.doc.node(self.at);
        let end = if node.kind == Kind::Object { node.next } else { 0 };
        Entries { inner: Items { doc: self.doc, at: self.at + 1, end } }
    }

    /// The value of this key, when this is an object that has it.
    pub fn get(self, key: &str) -> Option<Value<'d, 'a>> {
        self.entries().find(|(name, _)| name.is(key)).map(|(_, value)| value)
    }

    /// The string at this key.
    pub fn str(self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.text()
    }

    /// Adds to `splices` what turns this string's value into the value with `edits` made: ordered, disjoint
    /// pairs of a span in the resolved text and what stands there instead.
    pub fn splice<'e>(self, edits: impl IntoIterator<Item = (Range<usize>, &'e str)>, splices: &mut Splices) {
        let node = self.doc.node(self.at);
        string::splice(self.inner(), node.start as usize + 1, node.escaped, edits, splices);
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub struct Items<'d, 'a> {
    doc: &'d Doc<'a>,
    at: u32,
    end: u32,
}

impl<'d, 'a> Iterator for Items<'d, 'a> {
    type Item = Value<'d, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { doc: self.doc, at: self.at };
        self.at = self.doc.node(self.at).next;
        Some(value)
    }
}

/// Keys and values of an object.
#[derive(Debug, Clone)]
pub struct Entries<'d, 'a> {
    inner: Items<'d, 'a>,
}

impl<'d, 'a> Iterator for Entries<'d, 'a> {
    type Item = (Value<'d, 'a>, Value<'d, 'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.inner.next()?, self.inner.next()?))
    }
}

#[cfg(test)]
mod tests;
