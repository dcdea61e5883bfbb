//! Changes to a text that leave everything else as it came.

use std::collections::BTreeMap;
use std::ops::Range;

/// Replacements of spans of one text, in any order; spans must not overlap.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Splices {
    edits: Vec<(Range<usize>, String)>,
}

impl Splices {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `with` in the place of `span`.
    pub fn replace(&mut self, span: Range<usize>, with: String) {
        self.edits.push((span, with));
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Forgets the replacements within `span`: something else will stand in its whole place.
    pub fn forget_within(&mut self, span: &Range<usize>) {
        self.edits.retain(|(own, _)| own.start < span.start || own.end > span.end);
    }

    /// Adds the replacements of `others`; of ours, those within one of theirs give way.
    pub fn put_over(&mut self, others: Self) {
        // By their ends, which are in order as their starts are: none overlaps another.
        let mut over: BTreeMap<usize, usize> = BTreeMap::new();
        for (span, _) in &others.edits {
            let start = over.entry(span.end).or_insert(span.start);
            *start = (*start).min(span.start);
        }
        let gives_way =
            |own: &Range<usize>| over.range(own.end..).next().is_some_and(|(_, at)| *at <= own.start);
        self.edits.retain(|(own, _)| !gives_way(own));
        self.edits.extend(others.edits);
    }

    /// The text with all replacements made.
    pub fn apply(mut self, text: &[u8]) -> Vec<u8> {
        self.edits.sort_by_key(|(span, _)| span.start);
        let grown: usize = self.edits.iter().map(|(_, with)| with.len()).sum();
        let mut out = Vec::with_capacity(text.len() + grown);
        let mut at = 0;
        for (span, with) in &self.edits {
            out.extend_from_slice(text.get(at..span.start).unwrap_or_default());
            out.extend_from_slice(with.as_bytes());
            at = at.max(span.end);
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
        out
    }
}
