//! A masked body is cut into pieces, so that a conversation that is resent every turn costs its growth.
//!
//! * A string of at least [`LEAF`] bytes is a block of its own, in its raw (escaped) form.
//! * `system` and `tools` are one `list` block each.
//! * `messages` is a chain. What one turn adds, the model's message and the answer to it, is a segment: a `list`
//!   block. A link is a `list` block of two: the link before it and the segment. The next turn repeats the chain
//!   and adds its own link.
//! * Clients move `cache_control` to the last messages in every turn. A segment therefore ends where such a mark
//!   would stand, before the closing brackets of its last message. Marks near the end stay outside, and the
//!   segments behind them are named one by one, so that the chain is the same when the marks have moved on.
//!
//! The cut is one linear pass that follows strings and brackets only. It never has to understand the body: where
//! the cuts fall decides what is stored twice, and never what is read back.

use std::collections::HashSet;

use super::{Block, Body, Piece};

/// Strings of at least this many bytes are blocks of their own. A reference costs 76 bytes, so that shorter texts
/// gain little.
pub const LEAF: usize = 256;

/// How many segments at the end may stay outside the chain because of a cache mark. The API takes four marks
/// (Anthropic's documentation of prompt caching).
const MARKS: usize = 4;

const MARK: &[u8] = b"cache_control";

/// Cuts a masked body. The blocks come with each digest once, children before the lists that name them.
pub fn cut(body: &str) -> (Body, Vec<Block>) {
    cut_unless(body, |_| false)
}

/// As [`cut`], leaving out the blocks whose digest is `known` to the other side already.
pub fn cut_unless(body: &str, known: impl Fn(&str) -> bool) -> (Body, Vec<Block>) {
    let mut store = Blocks { known, seen: HashSet::new(), blocks: Vec::new() };
    let pieces = if body.trim_ascii_start().starts_with('{') {
        Cutter::new(body, &mut store).run()
    } else if body.len() >= LEAF {
        vec![store.leaf(body)]
    } else if body.is_empty() {
        Vec::new()
    } else {
        vec![Piece::Text(body.to_owned())]
    };
    (Body { pieces }, store.blocks)
}

/// The blocks made so far.
struct Blocks<K> {
    known: K,
    seen: HashSet<String>,
    blocks: Vec<Block>,
}

impl<K: Fn(&str) -> bool> Blocks<K> {
    fn leaf(&mut self, text: &str) -> Piece {
        let digest = super::digest(text, false);
        self.keep(digest, || text.to_owned(), false)
    }

    fn list(&mut self, pieces: &[Piece]) -> Piece {
        // Pieces are plain strings in plain enums: they always serialise.
        let text = serde_json::to_string(pieces).unwrap_or_default();
        let digest = super::digest(&text, true);
        self.keep(digest, || text, true)
    }

    fn keep(&mut self, digest: String, text: impl FnOnce() -> String, list: bool) -> Piece {
        if !self.seen.contains(&digest) && !(self.known)(&digest) {
            self.seen.insert(digest.clone());
            self.blocks.push(Block { digest: digest.clone(), text: text(), list });
        }
        Piece::Block(digest)
    }
}

/// A top-level value that is kept as a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Region {
    /// `system` or `tools`.
    Whole,
    /// `messages`.
    Chain,
}

/// What a turn adds to the chain.
struct Segment {
    pieces: Vec<Piece>,
    /// The cache mark behind it; empty when there is none.
    mark: String,
}

struct Cutter<'a, 'b, K> {
    body: &'a str,
    store: &'b mut Blocks<K>,
    /// Pieces before the open region.
    before: Vec<Piece>,
    /// Pieces since the start of the body, the region or the segment.
    pieces: Vec<Piece>,
    /// Where the text that no piece holds yet starts.
    from: usize,
    region: Option<Region>,
    segments: Vec<Segment>,
    /// Where the last cache mark of this message starts: its key's opening quote.
    mark: Option<usize>,
    /// The message is the model's, so its segment goes on with the answer to it.
    models: bool,
}

impl<'a, 'b, K: Fn(&str) -> bool> Cutter<'a, 'b, K> {
    fn new(body: &'a str, store: &'b mut Blocks<K>) -> Self {
        Self {
            body,
            store,
            before: Vec::new(),
            pieces: Vec::new(),
            from: 0,
            region: None,
            segments: Vec::new(),
            mark: None,
            models: false,
        }
    }

    fn run(mut self) -> Vec<Piece> {
        let bytes = self.body.as_bytes();
        let mut depth = 0_usize;
        let mut key: &[u8] = b"";
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    let end = end_of_string(bytes, at + 1);
                    let text = bytes.get(at + 1..end).unwrap_or_default();
                    if is_key(bytes, end + 1) {
                        key = text;
                        if key == MARK {
                            self.mark = Some(at);
                        }
                    } else if text.len() >= LEAF {
                        self.leaf(at + 1, end);
                    } else if depth == 3 && key == b"role" {
                        self.models = text == b"assistant";
                    }
                    at = end;
                }
                b'[' | b'{' => {
                    match (depth, self.region, key) {
                        (1, None, b"messages") => self.open(Region::Chain, at),
                        (1, None, b"system" | b"tools") => self.open(Region::Whole, at),
                        _ => {}
                    }
                    depth += 1;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    match self.region {
                        Some(Region::Chain) if depth == 2 => self.end_message(at + 1),
                        Some(region) if depth == 1 => self.close(region, at + 1),
                        _ => {}
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.text_to(bytes.len());
        // Only a body that is cut short leaves a region open.
        self.link_segments();
        let Self { mut before, pieces, .. } = self;
        before.extend(pieces);
        before
    }

    fn text_to(&mut self, to: usize) {
        if let Some(text) = self.body.get(self.from..to).filter(|text| !text.is_empty()) {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
        self.from = to;
    }

    fn leaf(&mut self, start: usize, end: usize) {
        self.text_to(start);
        if let Some(text) = self.body.get(start..end) {
            let piece = self.store.leaf(text);
            self.pieces.push(piece);
        }
        self.from = end;
    }

    fn open(&mut self, region: Region, at: usize) {
        self.text_to(at);
        self.before.append(&mut self.pieces);
        self.region = Some(region);
        self.mark = None;
        self.models = false;
    }

    fn end_message(&mut self, end: usize) {
        let mark = self.mark.take();
        if std::mem::take(&mut self.models) {
            return;
        }
        let (at, mark_end) = end_of_segment(self.body.as_bytes(), mark, end);
        if at < self.from {
            return;
        }
        self.text_to(at);
        self.from = mark_end;
        let mark = self.body.get(at..mark_end).unwrap_or_default().to_owned();
        self.segments.push(Segment { pieces: std::mem::take(&mut self.pieces), mark });
    }

    fn close(&mut self, region: Region, at: usize) {
        self.text_to(at);
        self.region = None;
        match region {
            Region::Whole => {
                let pieces = std::mem::take(&mut self.pieces);
                let piece = self.store.list(&pieces);
                self.before.push(piece);
            }
            Region::Chain => {
                self.link_segments();
                self.before.append(&mut self.pieces);
            }
        }
    }

    fn link_segments(&mut self) {
        let segments = std::mem::take(&mut self.segments);
        let steady = segments.len().saturating_sub(MARKS);
        let mut link = None;
        let mut broken = false;
        for (at, segment) in segments.into_iter().enumerate() {
            let piece = self.store.list(&segment.pieces);
            let mark = (!segment.mark.is_empty()).then_some(Piece::Text(segment.mark));
            if broken {
                self.before.push(piece);
                self.before.extend(mark);
                continue;
            }
            let inner = if at < steady { mark.clone() } else { None };
            let pieces: Vec<Piece> = link.take().into_iter().chain([piece]).chain(inner).collect();
            link = match pieces.as_slice() {
                [only] => Some(only.clone()),
                more => Some(self.store.list(more)),
            };
            if at >= steady && mark.is_some() {
                self.before.extend(link.take());
                self.before.extend(mark);
                broken = true;
            }
        }
        self.before.extend(link);
    }
}

/// Where the segment ends that ends with the message that ends at `end`, and where the cache mark behind it does:
/// the same place with and without the mark.
fn end_of_segment(bytes: &[u8], mark: Option<usize>, end: usize) -> (usize, usize) {
    let closing = |b: &u8| matches!(b, b'}' | b']') || b.is_ascii_whitespace();
    let closers_from = |from: usize| {
        bytes.get(from..end).unwrap_or_default().iter().rposition(|b| !closing(b)).map(|n| from + n + 1)
    };
    if let Some(key) = mark {
        let behind = bytes.get(key..end).unwrap_or_default();
        let value_end = behind.iter().position(|b| *b == b'}').map(|n| key + n + 1);
        let before = bytes.get(..key).unwrap_or_default();
        let comma = before.iter().rposition(|b| !b.is_ascii_whitespace());
        let comma = comma.filter(|at| bytes.get(*at) == Some(&b','));
        if let (Some(comma), Some(value_end)) = (comma, value_end)
            && value_end < end
            && closers_from(value_end).is_none()
        {
            return (comma, value_end);
        }
    }
    // The last closing bracket belongs to the message, so there is always something before it.
    let at = closers_from(mark.unwrap_or_default()).unwrap_or(end);
    (at, at)
}

/// Where the string that starts at `at` ends: the index of its closing quote, or the length of the body.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn is_key(bytes: &[u8], after: usize) -> bool {
    bytes.get(after..).unwrap_or_default().iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests;
