//! Stretches of a text that are settled.

use super::detect::Tail;

/// Most bytes of the view that are held back for one value. Longer ones are redacted as they flow.
pub(super) const LIMIT: usize = 4096;

/// A stretch of the view that is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    /// Where its trigger stands, in front of `start` or at it: a scan that goes on from behind it would miss it.
    pub(super) trigger: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) what: What,
}

impl Region {
    /// How it goes on, where it does.
    pub(super) fn open(&self) -> Option<Tail> {
        match self.what {
            What::Open(_, tail) => Some(tail),
            _ => None,
        }
    }
}

/// What stands in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A value of the kind with this index.
    Value(usize),
    /// A value of the kind that goes on beyond what is there and beyond [`LIMIT`].
    Open(usize, Tail),
    /// A mask.
    Mask,
    /// Nothing, and nothing starts inside.
    Nothing,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// Ordered, disjoint.
    pub(super) regions: Vec<Region>,
    /// Everything in front is settled, whatever follows.
    pub(super) settled: usize,
}

impl Scanned {
    /// Without what is not settled, and settled at a place that no region spans: one of the scan's, or of `merged`,
    /// which takes the scan's place unless it is empty.
    pub(super) fn clipped(self, merged: Vec<Region>) -> Self {
        let Self { mut regions, mut settled } = self;
        let spans = |at: usize| {
            let around = |r: &&Region| r.trigger < at && at < r.end;
            regions.iter().rev().find(around).or_else(|| merged.iter().rev().find(around)).map(|r| r.trigger)
        };
        while let Some(start) = spans(settled) {
            settled = start;
        }
        if !merged.is_empty() {
            regions = merged;
        }
        regions.retain(|r| r.start < settled);
        Self { regions, settled }
    }
}
