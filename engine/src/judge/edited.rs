//! A request that was approved with more masked than policy masks: what reviewers named is masked in what would be
//! sent, and what is sent is recorded.
//!
//! Only requests are. A call of a tool is approved as it is or not at all: with a part of it masked it would be another
//! call than the one that was judged.

use super::marks::{decoded, splice, splice_encoded};
use super::{Case, Refusal};
use crate::claude::error::ErrorKind;
use crate::claude::units::Unit;
use crate::json::{self, Splices};
use crate::mask::Named;
use crate::wire::{HoldAsk, HoldState, MOST_MASKED};

/// Texts that reviewers had masked, and the rule under which they last did.
#[derive(Default)]
pub(super) struct Masked {
    rule: String,
    texts: Vec<String>,
}

/// A request as reviewers have edited it.
#[derive(Debug)]
pub struct Edited {
    /// What is sent.
    pub body: Vec<u8>,
    /// The same for the record; `None` when nothing is recorded.
    pub recorded: Option<String>,
}

impl Case {
    /// Takes in what an approval has masked; or why it cannot, in words for whoever asked.
    pub(super) fn take_masked(&mut self, ask: &HoldAsk, state: &HoldState) -> Result<(), String> {
        let cannot = |why: &str| Err(format!("it was approved with changes {why} (hold {})", state.id));
        if !ask.editable {
            return cannot("that cannot be made to it");
        }
        if state.masked.is_empty() || Named::new(state.masked.iter().map(String::as_str)).is_err() {
            return cannot("that the gateway does not understand");
        }
        for text in &state.masked {
            if !self.masked.texts.contains(text) {
                self.masked.texts.push(text.clone());
            }
        }
        self.masked.rule.clone_from(&ask.rule);
        if self.masked.texts.len() > MOST_MASKED {
            return cannot(
                "that, with those of earlier turns, are more than can be made; begin a new conversation",
            );
        }
        Ok(())
    }

    /// Whether reviewers had more of the request masked.
    pub fn is_edited(&self) -> bool {
        !self.masked.texts.is_empty()
    }

    /// Makes the changes with which the request was approved, in the body that would be sent. To be asked where it
    /// [is edited](Self::is_edited), when all its holds are settled. They are made once: asked again, the body comes back as
    /// it is.
    ///
    /// # Errors
    /// A text that was to be masked does not stand in it, or in too many places. It is not to be sent.
    pub fn edit(&mut self, body: &[u8]) -> Result<Edited, Refusal> {
        let Masked { rule, texts } = std::mem::take(&mut self.masked);
        self.make_edits(body, &texts).map_err(|why| {
            let message = format!(
                "rule `{rule}` held this request, and it was approved with parts of it to be masked, {why}; nothing was sent"
            );
            let refusal = Refusal::new(ErrorKind::Permission, &rule, message);
            self.note(&refusal);
            refusal
        })
    }

    fn make_edits(&mut self, body: &[u8], texts: &[String]) -> Result<Edited, &'static str> {
        let unreadable = "but it cannot be read";
        let mut named = Named::new(texts.iter().map(String::as_str)).map_err(|_| unreadable)?;
        let doc = json::parse(body, self.runtime.limits.depth).map_err(|_| unreadable)?;
        let mut splices = Splices::new();
        for unit in self.params(doc.root()).iter().flat_map(|request| &request.units) {
            self.mask_named(unit, &mut named, &mut splices);
        }
        if named.are_everywhere() {
            return Err(
                "which stand in more places than can be masked; name them with more of what stands around them",
            );
        }
        if !named.found().all(|found| found) {
            return Err(
                "one of which does not stand in it, or not as it was named; name what is shown, letter by letter",
            );
        }
        let body = splices.apply(body);
        let doc = json::parse(&body, self.runtime.limits.depth).map_err(|_| unreadable)?;
        let recorded = self.params(doc.root());
        let recorded = self.recorded(&recorded, &body, false);
        Ok(Edited { body, recorded })
    }

    fn mask_named(&mut self, unit: &Unit<'_, '_>, named: &mut Named, splices: &mut Splices) {
        let masker = &self.runtime.masker;
        for leaf in &unit.leaves {
            let Some(text) = leaf.text() else { continue };
            splice(*leaf, &masker.edits_named(&text, named, &mut self.memory), splices);
        }
        for document in &unit.encoded {
            let Some(text) = decoded(*document) else { continue };
            splice_encoded(*document, &text, &masker.edits_named(&text, named, &mut self.memory), splices);
        }
    }
}
