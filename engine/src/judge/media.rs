//! Media that cannot be read: images, PDFs, URLs and files by id. It passes, is refused, or waits for a person, as
//! policy says.

use super::follow::Held;
use super::marks::decoded;
use super::request::Judged;
use super::{Case, Refusal, Settled, decision};
use crate::claude::error::ErrorKind;
use crate::claude::units::Unit;
use crate::json::Value;
use crate::policy::document::{Action, MediaAction, Part};
use crate::record::Decision;

/// The name under which decisions about media are recorded and held; no rule may have it.
const RULE: &str = "media";

/// What a caller whose media is held reads.
const HELD: &str =
    "images, PDFs, URL and file sources cannot be read, so policy asks a reviewer about them first";

impl Case {
    /// Refuses a request with so much media where policy says so.
    pub(super) fn check_media(&self, media: usize) -> Result<(), Refusal> {
        match self.runtime.masking.media {
            MediaAction::Deny if media > 0 => Err(Refusal::new(
                ErrorKind::Permission,
                RULE,
                format!(
                    "the request carries {media} image(s), PDF(s), URL or file sources, which cannot be read and which \
                     policy therefore refuses; send text, or ask for `masking.media: allow`"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Judges a body that is all media: a file that is sent or fetched.
    pub(super) fn media_only(&self) -> Judged {
        Judged { refusal: self.check_unheld_media(1).err(), ..Judged::default() }
    }

    /// Refuses what an MCP server or its client sends with media where policy denies or holds media. Text in base64
    /// that cannot be read is media.
    pub(super) fn check_media_of_mcp(&self, unit: &Unit<'_, '_>) -> Result<(), Refusal> {
        let unread = unit.encoded.iter().filter(|document| decoded(**document).is_none()).count();
        self.check_unheld_media(unit.media.saturating_add(unread))
    }

    /// Refuses media that is in no conversation where policy denies or holds media: there is nothing that a reviewer
    /// could be shown, so it is never held.
    fn check_unheld_media(&self, media: usize) -> Result<(), Refusal> {
        match self.runtime.masking.media {
            MediaAction::Hold if media > 0 => Err(Refusal::new(
                ErrorKind::Permission,
                RULE,
                "images, sound and files cannot be read, and policy asks a reviewer about media, which is done only for \
                 media in messages to the model, not for files and not for MCP; put it into a message, or ask for \
                 `masking.media: allow`",
            )),
            _ => self.check_media(media),
        }
    }

    /// Holds the media of a unit where policy says so; refuses what a reviewer has denied.
    pub(super) fn hold_media(
        &mut self,
        root: Value<'_, '_>,
        unit: &Unit<'_, '_>,
        held: &mut Held,
    ) -> Option<Refusal> {
        if self.runtime.masking.media != MediaAction::Hold || unit.media == 0 {
            return None;
        }
        let key = held.key(RULE, || self.request_key(RULE, root));
        match self.settled.get(&key) {
            Some(Settled::Approved) => None,
            Some(Settled::Refused(_)) => self.refused(&key, RULE),
            None => {
                let part = unit.part.unwrap_or(Part::Prompt);
                let runtime = self.runtime.clone();
                let approval = runtime.masking.media_approval.as_ref();
                let mut ask = self.ask_for(RULE, HELD, approval, part, key, self.about_media(unit));
                ask.model = root.str("model").map(|model| self.recorded_text(&model));
                ask.tool = unit.tool.as_deref().map(|tool| self.recorded_text(tool));
                if held.add(ask, unit.message, None) {
                    let tool = unit.tool.as_deref().map(str::to_owned);
                    let part = Some(part);
                    self.decisions.push(Decision { part, tool, ..decision(RULE, Action::Hold) });
                }
                None
            }
        }
    }

    /// What a reviewer is told of a unit's media: what its fields say (type, URL, file id), masked.
    fn about_media(&self, unit: &Unit<'_, '_>) -> String {
        let fields: Vec<_> = unit.fixed.iter().filter_map(|field| field.text()).collect();
        let noun = if unit.media == 1 { "piece" } else { "pieces" };
        self.recorded_text(&format!("{} {noun} of media: {}", unit.media, fields.join(" ")))
    }
}
