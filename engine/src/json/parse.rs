//! The parser: one pass, no recursion.

use std::collections::HashSet;

use super::{Doc, JsonError, Kind, Node, Value, string};

/// Reads a text as JSON. `depth`: how deep arrays and objects may nest.
///
/// # Errors
/// See [`JsonError`]; offsets are into `bytes`.
pub fn parse(bytes: &[u8], depth: u32) -> Result<Doc<'_>, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError::Utf8(e.valid_up_to()))?;
    if u32::try_from(bytes.len()).is_err() {
        return Err(JsonError::Size);
    }
    let mut parser = Parser {
        bytes,
        at: 0,
        doc: Doc { text, nodes: Vec::with_capacity(bytes.len() / 32) },
        open: Vec::new(),
    };
    parser.document(depth)?;
    Ok(parser.doc)
}

/// What may stand next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// A value, or the end of an array that has none.
    ValueOrEnd,
    Key,
    /// A key, or the end of an object that has none.
    KeyOrEnd,
    /// A comma or an end.
    More,
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    doc: Doc<'a>,
    /// The arrays and objects that are open, by node.
    open: Vec<u32>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn bad<T>(&self) -> Result<T, JsonError> {
        Err(JsonError::Syntax(self.at))
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn document(&mut self, depth: u32) -> Result<(), JsonError> {
        let mut expect = Expect::Value;
        loop {
            self.space();
            let Some(byte) = self.peek() else { return self.bad() };
            expect = match (expect, byte) {
                (Expect::More, b',') => {
                    self.at += 1;
                    match self.open.last().map(|&at| self.doc.node(at).kind) {
                        Some(Kind::Object) => Expect::Key,
                        _ => Expect::Value,
                    }
                }
                (Expect::More | Expect::ValueOrEnd, b']') => self.close(Kind::Array)?,
                (Expect::More | Expect::KeyOrEnd, b'}') => self.close(Kind::Object)?,
                (Expect::Key | Expect::KeyOrEnd, b'"') => {
                    self.string()?;
                    self.space();
                    if self.peek() != Some(b':') {
                        return self.bad();
                    }
                    self.at += 1;
                    Expect::Value
                }
                (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                    if self.open.len() >= depth as usize {
                        return Err(JsonError::Depth(depth));
                    }
                    let (kind, next) = match byte {
                        b'{' => (Kind::Object, Expect::KeyOrEnd),
                        _ => (Kind::Array, Expect::ValueOrEnd),
                    };
                    let node = self.push(kind, self.at, self.at, false)?;
                    self.open.push(node);
                    self.at += 1;
                    next
                }
                (Expect::Value | Expect::ValueOrEnd, _) => {
                    self.scalar(byte)?;
                    Expect::More
                }
                _ => return self.bad(),
            };
            if expect == Expect::More && self.open.is_empty() {
                self.space();
                return if self.peek().is_none() { Ok(()) } else { self.bad() };
            }
        }
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, escaped: bool) -> Result<u32, JsonError> {
        let node = |n: usize| u32::try_from(n).map_err(|_| JsonError::Size);
        let at = node(self.doc.nodes.len())?;
        let next = at.checked_add(1).ok_or(JsonError::Size)?;
        self.doc.nodes.push(Node { start: node(start)?, end: node(end)?, next, kind, escaped });
        Ok(at)
    }

    fn close(&mut self, kind: Kind) -> Result<Expect, JsonError> {
        let Some(at) = self.open.pop() else { return self.bad() };
        if self.doc.node(at).kind != kind {
            return self.bad();
        }
        self.at += 1;
        let next = u32::try_from(self.doc.nodes.len()).map_err(|_| JsonError::Size)?;
        let end = u32::try_from(self.at).map_err(|_| JsonError::Size)?;
        if let Some(node) = self.doc.nodes.get_mut(at as usize) {
            node.next = next;
            node.end = end;
        }
        if kind == Kind::Object {
            unique_keys(Value { doc: &self.doc, at })?;
        }
        Ok(Expect::More)
    }

    fn scalar(&mut self, first: u8) -> Result<(), JsonError> {
        match first {
            b'"' => self.string(),
            b't' => self.word("true", Kind::Bool),
            b'f' => self.word("false", Kind::Bool),
            b'n' => self.word("null", Kind::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.bad(),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), JsonError> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return self.bad();
        }
        self.push(kind, self.at, self.at + word.len(), false)?;
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.bad();
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        self.push(Kind::Number, start, self.at, false).map(drop)
    }

    fn string(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        let (end, escaped) = string::scan(self.bytes, start + 1)?;
        self.push(Kind::String, start, end, escaped)?;
        self.at = end;
        Ok(())
    }
}

/// Refuses an object that has a key twice. Few keys are compared pairwise; many go through a set.
fn unique_keys(object: Value<'_, '_>) -> Result<(), JsonError> {
    const FEW: usize = 12;
    let keys = || object.entries().map(|(key, _)| key);
    let duplicate = if keys().nth(FEW).is_none() {
        keys().enumerate().find(|(n, key)| {
            let text = key.text();
            keys().take(*n).any(|earlier| earlier.text() == text)
        })
    } else {
        let mut seen = HashSet::new();
        keys().enumerate().find(|(_, key)| key.text().is_some_and(|text| !seen.insert(text)))
    };
    match duplicate {
        Some((_, key)) => Err(JsonError::DuplicateKey(key.span().start)),
        None => Ok(()),
    }
}
