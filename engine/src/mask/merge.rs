//! What the detectors find and what the organisation's own patterns match, as one list.

use super::Masker;
use super::custom::Custom;
use super::region::{Region, Scanned, What};
use super::view::View;

impl Masker {
    /// The regions of a view, built-in and custom, as far as they are settled.
    pub(super) fn scan(&self, view: &View<'_>, complete: bool) -> Scanned {
        let scanned = self.scanner.scan(view.bytes(), view.context(), complete, view.cut());
        match &self.custom {
            None => scanned.clipped(Vec::new()),
            Some(custom) => {
                let bytes = view.bytes().get(..view.reliable()).unwrap_or_default();
                self.with_custom(scanned, custom, bytes, view.context(), complete)
            }
        }
    }

    /// Adds what the custom patterns match outside masks: of two findings that overlap, the one that starts first
    /// counts, and what is left of the other keeps its kind.
    fn with_custom(
        &self,
        scanned: Scanned,
        custom: &Custom,
        bytes: &[u8],
        from: usize,
        complete: bool,
    ) -> Scanned {
        let mut search = custom.search(bytes);
        let undecided = if complete { None } else { search.undecided(from) };
        let limit = undecided.unwrap_or(usize::MAX);
        let Scanned { regions, settled } = scanned;
        let mut merged = Vec::new();
        let mut at = from;
        let mut hit = search.next(at).filter(|h| h.start < limit);
        for region in &regions {
            while let Some(found) = hit.filter(|h| h.start < region.start) {
                let kind = self.custom_kinds.get(found.pattern).copied().flatten();
                match kind.map(|kind| found.region(bytes, at, kind)) {
                    // A mask stays whole, and what policy turned off is no finding.
                    Some(value) if region.what != What::Mask || value.end <= region.start => {
                        at = value.end;
                        merged.push(value);
                    }
                    _ => at = found.start + 1,
                }
                hit = search.next(at).filter(|h| h.start < limit);
            }
            if region.end > at {
                if region.what != What::Nothing {
                    merged.push(Region { start: region.start.max(at), ..*region });
                    at = region.end;
                }
                if hit.is_some_and(|h| h.start < at) {
                    hit = search.next(at).filter(|h| h.start < limit);
                }
            }
        }
        while let Some(found) = hit {
            match self.custom_kinds.get(found.pattern).copied().flatten() {
                Some(kind) => {
                    let value = found.region(bytes, at, kind);
                    at = value.end;
                    merged.push(value);
                }
                None => at = found.start + 1,
            }
            hit = search.next(at).filter(|h| h.start < limit);
        }
        let open = regions.last().is_some_and(|r| r.open().is_some());
        let settled = if open { settled } else { settled.min(limit) };
        Scanned { regions, settled }.clipped(merged)
    }
}
