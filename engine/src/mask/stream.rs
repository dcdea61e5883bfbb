//! Masking of text that comes in pieces.

use super::detect::{Tail, pem};
use super::memory::Memory;
use super::region::Region;
use super::text::{LOOK_BACK, Text};
use super::view::View;
use super::{Direction, Masker, Profile};

/// Masks one block of text that comes in pieces: what leaves, put together, is what [`Masker::edits`] makes of the
/// whole. One for each content block.
///
/// Only the end of the text that could still become a finding, or a part of one, is held back: at most a few
/// kilobytes, and in prose the last word. No byte of a value leaves before the verdict on it.
#[derive(Default)]
pub struct StreamMasker {
    /// The view of what came before `pending`, as far as detectors look back.
    context: Vec<u8>,
    /// How many zero-width characters stand at its end.
    invisible: u8,
    /// Text that has not left.
    pending: String,
    /// A value that is longer than is held back.
    long: Option<Long>,
}

/// A value that is longer than is held back, and of which more may come.
struct Long {
    tail: Tail,
    /// Whether it passes as it is; otherwise its mask has left and the rest of it is dropped.
    passes: bool,
}

impl StreamMasker {
    /// At the start of a block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece and appends to `out` what may leave now. True when `out` got exactly `text` and nothing
    /// was or is held back, so that the caller may pass on the bytes that it has.
    pub fn push(
        &mut self,
        masker: &Masker,
        direction: Direction,
        profile: &Profile,
        memory: &mut Memory,
        text: &str,
        out: &mut String,
    ) -> bool {
        if masker.is_off() {
            out.push_str(text);
            return true;
        }
        let clean = self.pending.is_empty() && self.long.is_none();
        self.pending.push_str(text);
        let changed = self.advance(masker, direction, profile, memory, false, out);
        clean && !changed && self.pending.is_empty() && self.long.is_none()
    }

    /// Appends the rest: the block is whole.
    pub fn finish(
        &mut self,
        masker: &Masker,
        direction: Direction,
        profile: &Profile,
        memory: &mut Memory,
        out: &mut String,
    ) {
        self.advance(masker, direction, profile, memory, true, out);
        *self = Self::default();
    }

    /// Lets out what is settled; whether anything in it was changed.
    fn advance(
        &mut self,
        masker: &Masker,
        direction: Direction,
        profile: &Profile,
        memory: &mut Memory,
        complete: bool,
        out: &mut String,
    ) -> bool {
        let mut changed = false;
        loop {
            let view = View::after(&self.context, &self.pending, complete, self.invisible);
            if let Some(long) = self.long.take() {
                let (to, rest) = go_on(&view, long.tail, complete);
                changed |= self.leave_long(&view, to, 0, long.passes, out);
                match rest {
                    None => continue,
                    Some(tail) => self.long = Some(Long { tail, ..long }),
                }
                return changed;
            }
            let scanned = masker.scan(&view, complete);
            let mut done = 0;
            for region in &scanned.regions {
                let Some(edit) = masker.edit(&view, &self.pending, region, direction, profile, memory) else {
                    continue;
                };
                out.push_str(self.pending.get(done..edit.start).unwrap_or_default());
                out.push_str(&edit.with);
                done = edit.end;
                changed = true;
            }
            if let Some(tail) = scanned.regions.last().and_then(Region::open) {
                let to = match tail {
                    Tail::Pem { sure, .. } => sure,
                    _ => view.reliable(),
                };
                let passes = masker.passes(scanned.regions.last(), profile);
                self.leave_long(&view, to, done, passes, out);
                self.long = Some(Long { tail, passes });
                return changed;
            }
            let settled = view.start(scanned.settled);
            // A place inside a character would be a mistake of a detector: then that character waits.
            let whole = self.pending.floor_char_boundary(settled);
            out.push_str(self.pending.get(done..whole).unwrap_or_default());
            self.leave(&view, scanned.settled.saturating_sub(settled - whole), whole);
            return changed;
        }
    }

    /// Lets out, or drops, a long value up to a place in the view; what stands in front of `done` has left. Whether
    /// anything was dropped.
    fn leave_long(
        &mut self,
        view: &View<'_>,
        to: usize,
        done: usize,
        passes: bool,
        out: &mut String,
    ) -> bool {
        let settled = self.pending.floor_char_boundary(view.end(to).max(view.end(view.context())));
        if passes {
            out.push_str(self.pending.get(done..settled).unwrap_or_default());
        }
        self.leave(view, to, settled);
        !passes && settled > 0
    }

    /// Takes what stands in front of a place, in view and text, off what is held back.
    fn leave(&mut self, view: &View<'_>, to: usize, settled: usize) {
        if settled == 0 {
            return;
        }
        let seen = view.bytes().get(..to).unwrap_or_default();
        self.context = seen.get(seen.len().saturating_sub(LOOK_BACK)..).unwrap_or_default().to_vec();
        self.invisible = view.invisible(settled);
        self.pending.drain(..settled);
    }
}

/// How far a long value goes on, and how it does when it may go on further.
fn go_on(view: &View<'_>, tail: Tail, complete: bool) -> (usize, Option<Tail>) {
    let text = Text::new(view.bytes().get(..view.reliable()).unwrap_or_default());
    let from = view.context();
    match tail {
        Tail::None => (from, None),
        Tail::Run(class) => {
            let end = text.run(from, usize::MAX, |b| class.has(b));
            (end, Some(tail).filter(|_| text.looked_past_end() && !complete))
        }
        Tail::Pem { inside, .. } => {
            let progress = pem::read(&text, from, 0, inside);
            if text.looked_past_end() && !complete {
                (progress.sure, Some(Tail::Pem { sure: progress.sure, inside: progress.inside }))
            } else {
                (progress.end, None)
            }
        }
    }
}
