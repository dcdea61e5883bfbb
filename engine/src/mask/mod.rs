//! Finding sensitive text and putting masks in its place.
//!
//! ```text
//!  text ─► view ─► scan ─► detectors ─► regions ─► edits
//!          (disguises off)  (one pass)   custom ┘     └─► masks, memory
//! ```
//!
//! * [`Masker`] is compiled once per bundle and shared by all exchanges. It takes decoded text and gives back edits,
//!   so that what is not masked leaves byte for byte as it came.
//! * [`StreamMasker`] does the same for text in pieces; its output is that of the whole text, however it is cut.
//! * [`Memory`] is what one exchange knows: pseudonyms of its request, and counts.
//!
//! Masks are pure functions of tenant key, kind and value: `[redacted:email]`, `<email:k3v9q2m8x0ta>` (pseudonym),
//! `<email:~...>` (sealed).

mod blocks;
mod check;
mod custom;
mod detect;
mod error;
mod escapes;
pub(crate) mod fold;
mod kinds;
mod look;
mod masks;
mod memory;
mod merge;
mod named;
mod region;
mod scan;
mod starts;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod view;
mod words;

use std::sync::Arc;

pub use error::MaskError;
pub use kinds::{default_kinds, pack_kinds};
pub use memory::Memory;
pub use named::{LONGEST as LONGEST_NAMED, Named, NamedError, REVIEWER, SHORTEST as SHORTEST_NAMED};
pub use stream::StreamMasker;
pub(crate) use view::undisguised;

use crate::policy::document::{MaskMode, MaskStyle, Masking};
use crate::policy::rights::RoleMasks;
use custom::Custom;
use masks::Minter;
use region::{LIMIT, Region, What};
use scan::Scanner;
use text::Text;
use view::View;

/// Shortest tenant key, in bytes.
const MIN_KEY: usize = 16;

/// Which way text flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the model: values become pseudonyms or redactions, sealed masks are opened.
    Request,
    /// To the caller: pseudonyms of this exchange become their originals, values become sealed masks or redactions.
    Response,
    /// To the caller's tools, where policy masks their inputs: as [`Direction::Response`], but pseudonyms stay.
    ToolInput,
    /// From the caller's tools, on its way to the caller and from there to the model: values become pseudonyms or
    /// redactions, and masks stay, since whoever has one must not get it opened by a tool that says it back.
    FromTool,
    /// Into the record: every value is masked, whoever is exempt and whatever mode is on, and a sealed mask, which
    /// could be opened, becomes the pseudonym of its value.
    Record,
}

/// Something that was found. Says where and what, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind (`email`, `payment_card`, a custom pattern's name, ...).
    pub kind: Arc<str>,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// What to put in place of a stretch of text. Its text can be a value (where a mask is opened or restored): do not
/// log it.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// First byte that is replaced.
    pub start: usize,
    /// One past the last byte that is replaced.
    pub end: usize,
    /// What takes their place.
    pub with: Arc<str>,
    /// Whether a mask stood there, and `with` is the value that it stood for.
    pub opens: bool,
}

impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edit").field("start", &self.start).field("end", &self.end).finish_non_exhaustive()
    }
}

/// What a caller's roles say about masks. Belongs to the [`Masker`] that made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// By kind; `None`: as policy says.
    styles: Vec<Option<MaskStyle>>,
}

impl Profile {
    /// Whether everything is masked as policy says.
    pub fn is_empty(&self) -> bool {
        self.styles.iter().all(Option::is_none)
    }

    fn style(&self, kind: usize) -> Option<MaskStyle> {
        self.styles.get(kind).copied().flatten()
    }

    fn exempts(&self, kind: usize) -> bool {
        self.style(kind) == Some(MaskStyle::Off)
    }
}

/// Finds sensitive text and makes masks. Compiled once per bundle, immutable, shared by all exchanges.
pub struct Masker {
    mode: MaskMode,
    restore: bool,
    scanner: Scanner,
    custom: Option<Custom>,
    /// Kind of each custom pattern; `None` where policy turns it off.
    custom_kinds: Vec<Option<usize>>,
    minter: Minter,
}

impl Masker {
    /// Compiles what policy says about masking. `tenant_key` is the secret from which the keys of masks are derived.
    ///
    /// # Errors
    /// The custom pattern, kind or pack that cannot be used, and why; or that the key is too short.
    pub fn new(masking: &Masking, tenant_key: &[u8]) -> Result<Self, MaskError> {
        if tenant_key.len() < MIN_KEY {
            return Err(MaskError::TenantKey(tenant_key.len()));
        }
        let minter = Minter::new(tenant_key).ok_or(MaskError::TenantKey(tenant_key.len()))?;
        let kinds = kinds::chosen(masking)?;
        let custom_kinds = masking.custom.iter().map(|p| kinds.index(&p.name)).collect();
        let masker = Self {
            mode: masking.mode,
            restore: masking.restore,
            scanner: Scanner::new(kinds),
            custom: Custom::new(&masking.custom)?,
            custom_kinds,
            minter,
        };
        masker.check_examples(masking)?;
        Ok(masker)
    }

    fn check_examples(&self, masking: &Masking) -> Result<(), MaskError> {
        let Some(custom) = &self.custom else { return Ok(()) };
        for (index, pattern) in masking.custom.iter().enumerate() {
            let found = |text: &str| {
                let view = View::of(text);
                let mut search = custom.search(view.bytes());
                let mut at = 0;
                while let Some(hit) = search.next(at) {
                    if hit.pattern == index {
                        return true;
                    }
                    at = hit.end;
                }
                false
            };
            let lists = [("matches", &pattern.matches, true), ("misses", &pattern.misses, false)];
            for (list, examples, expected) in lists {
                if let Some(number) = examples.iter().position(|text| found(text) != expected) {
                    let got = if expected { "no finding" } else { "a finding" };
                    return Err(MaskError::Example {
                        name: pattern.name.clone(),
                        list,
                        number: number + 1,
                        got,
                    });
                }
            }
        }
        Ok(())
    }

    /// What the caller's roles say about masks: of what one role says the most specific counts, of what several say
    /// the safest. A kind that policy turns off is looked for for nobody.
    pub fn profile<'r>(&self, roles: impl IntoIterator<Item = &'r RoleMasks>) -> Profile {
        let roles: Vec<_> = roles.into_iter().filter(|role| !role.is_empty()).collect();
        let style = |kind: &str| {
            let said = roles.iter().filter_map(|role| kinds::style(role.iter().map(|(k, s)| (k, s)), kind));
            said.max_by_key(|style| style.safety())
        };
        Profile { styles: self.scanner.kinds().names().map(style).collect() }
    }

    /// Whether findings of a kind are masked for a caller with this profile.
    pub fn masks(&self, kind: &str, profile: &Profile) -> bool {
        let kind = self.scanner.kinds().index(kind);
        self.mode == MaskMode::Enforce && kind.is_some_and(|kind| !profile.exempts(kind))
    }

    /// What takes the place of findings of a kind for a caller with this profile; `None`: nothing does.
    pub fn style(&self, kind: &str, profile: &Profile) -> Option<MaskStyle> {
        let own = profile.style(self.scanner.kinds().index(kind)?);
        let style = own.or_else(|| self.kinds().find(|(name, _)| *name == kind).map(|(_, style)| style));
        style.filter(|style| self.mode == MaskMode::Enforce && *style != MaskStyle::Off)
    }

    /// The kinds that are looked for, and what takes the place of each.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, MaskStyle)> {
        self.scanner.kinds().iter()
    }

    /// All findings in decoded text, in order, not overlapping. Empty when masking is off.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        if self.is_off() {
            return Vec::new();
        }
        let view = View::of(text);
        let finding = |region: &Region| {
            let What::Value(kind) = region.what else { return None };
            let (name, _) = self.scanner.kinds().get(kind)?;
            Some(Finding { kind: name.clone(), start: view.start(region.start), end: view.end(region.end) })
        };
        self.scan(&view, true).regions.iter().filter_map(finding).collect()
    }

    /// What to put where in decoded text: in order, disjoint. Counts what it finds in `memory`, also in observe
    /// mode, in which it returns no edits.
    pub fn edits(
        &self,
        text: &str,
        direction: Direction,
        profile: &Profile,
        memory: &mut Memory,
    ) -> Vec<Edit> {
        if self.is_off() && direction != Direction::Record {
            return Vec::new();
        }
        let view = View::of(text);
        let scanned = self.scan(&view, true);
        let edit = |region: &Region| self.edit(&view, text, region, direction, profile, memory);
        scanned.regions.iter().filter_map(edit).collect()
    }

    /// Restores the pseudonyms that `memory` knows and changes nothing else: for tool inputs in replies. Nothing
    /// happens where policy says `restore: false`.
    pub fn restore(&self, text: &str, memory: &mut Memory) -> Vec<Edit> {
        if self.mode != MaskMode::Enforce || !self.restore {
            return Vec::new();
        }
        let view = View::of(text);
        let bytes = view.bytes();
        let reader = Text::new(bytes);
        let mut edits = Vec::new();
        let mut at = 0;
        while let Some(step) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'<')) {
            let start = at + step;
            let Some(end) = masks::read(&reader, start) else {
                at = start + 1;
                continue;
            };
            if let Some(original) = memory.original(&view.slice(start, end)) {
                let (start, end) = (view.start(start), view.end(end));
                edits.push(Edit { start, end, with: original.into(), opens: true });
            }
            at = end;
        }
        edits
    }

    /// Whether a region's value passes as it is.
    fn passes(&self, region: Option<&Region>, profile: &Profile) -> bool {
        let kind = match region.map(|r| r.what) {
            Some(What::Value(kind) | What::Open(kind, _)) => kind,
            _ => return true,
        };
        self.mode != MaskMode::Enforce || profile.exempts(kind)
    }

    fn is_off(&self) -> bool {
        self.mode == MaskMode::Off
    }

    /// The edit that a region calls for, if one. Counts it.
    fn edit(
        &self,
        view: &View<'_>,
        text: &str,
        region: &Region,
        direction: Direction,
        profile: &Profile,
        memory: &mut Memory,
    ) -> Option<Edit> {
        let (start, end) = (view.start(region.start), view.end(region.end));
        let replace = |with: Arc<str>| Some(Edit { start, end, with, opens: false });
        let open = |with: &str| Some(Edit { start, end, with: with.into(), opens: true });
        let (kind, long) = match region.what {
            What::Nothing => return None,
            What::Mask if direction == Direction::Record => {
                let mask = view.slice(region.start, region.end);
                let (kind, value) = self.minter.open_kind(&mask)?;
                return replace(self.minter.pseudonym(kind, &value).into());
            }
            What::Mask if self.mode == MaskMode::Observe => return None,
            What::Mask => {
                let mask = view.slice(region.start, region.end);
                return match direction {
                    Direction::Request => self.minter.open(&mask).as_deref().and_then(open),
                    Direction::Response if self.restore => memory.original(&mask).and_then(open),
                    Direction::Response | Direction::ToolInput | Direction::FromTool | Direction::Record => {
                        None
                    }
                };
            }
            What::Open(kind, _) => (kind, true),
            What::Value(kind) => (kind, region.end - region.start > LIMIT || end - start > 4 * LIMIT),
        };
        let (name, style) = self.scanner.kinds().get(kind)?;
        memory.count(name);
        if direction != Direction::Record && (self.mode == MaskMode::Observe || profile.exempts(kind)) {
            return None;
        }
        let style = profile.style(kind).filter(|_| direction != Direction::Record).unwrap_or(style);
        let with = match (style, direction) {
            _ if long => Minter::redaction(name).into(),
            (MaskStyle::Off | MaskStyle::Redact, _) => Minter::redaction(name).into(),
            (MaskStyle::Pseudonym, Direction::Request | Direction::FromTool) => {
                let value = view.slice(region.start, region.end);
                memory.pseudonym(name, &value, || self.minter.pseudonym(name, &value))
            }
            (MaskStyle::Pseudonym, Direction::Record) => {
                self.minter.pseudonym(name, &view.slice(region.start, region.end)).into()
            }
            (MaskStyle::Pseudonym, Direction::Response | Direction::ToolInput) => text
                .get(start..end)
                .and_then(|value| self.minter.seal(name, value))
                .unwrap_or_else(|| Minter::redaction(name))
                .into(),
        };
        replace(with)
    }
}
