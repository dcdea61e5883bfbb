//! A reply that came as a whole: its calls are judged, its text is masked, its links point back to the gateway.

use serde_json::Value as Json;

use super::calls::{Call, tool_name};
use super::transcript::usage;
use super::{Case, Refusal};
use crate::claude::error::ErrorKind;
use crate::claude::routes::Kind as BodyKind;
use crate::claude::units::{self, Unit, is_call};
use crate::json::{self, Kind, Splices, Value, quote};
use crate::mask::Direction;
use crate::policy::document::{RecordMode, ToolInputMasking};
use crate::wire::{HoldAsk, ToolsSeen};

/// What becomes of a whole reply.
#[derive(Debug)]
pub enum Replied {
    /// A call in it must be approved first. Ask, [settle](Case::settle), and give the same reply again.
    Hold(Box<HoldAsk>),
    /// It lists tools: ask control which of their definitions are approved, tell the case
    /// ([`Case::tools_known`]), and give the same reply again.
    Tools(Box<ToolsSeen>),
    /// It may leave.
    Ready {
        /// The body to send; `None`: as it came.
        body: Option<Vec<u8>>,
        /// The masked body for the record.
        recorded: Option<String>,
    },
    /// It cannot be read, and what cannot be read does not leave.
    Refused(Refusal),
}

impl Case {
    /// Judges a whole reply. `status`: the upstream's; `gateway`: scheme and authority by which the client
    /// reached us (`http://127.0.0.1:8080`), for links in batch replies.
    pub fn reply(&mut self, body: &[u8], status: u16, gateway: Option<&str>) -> Replied {
        if body.is_empty() {
            return Replied::Ready { body: None, recorded: None };
        }
        if self.mcp.is_some() {
            return self.mcp_reply(body, status);
        }
        let doc = match json::parse(body, self.runtime.limits.depth) {
            Ok(doc) => doc,
            Err(_) if status >= 400 => return self.text_reply(body),
            Err(why) => {
                let message = format!(
                    "the reply of the API cannot be read ({why}), so it was not passed on; try again"
                );
                let refusal = Refusal::new(ErrorKind::Api, "reply", message);
                self.note(&refusal);
                return Replied::Refused(refusal);
            }
        };
        let noted = self.decisions.len();
        let mut splices = Splices::new();
        if let Some(message) = self.message_in(doc.root()) {
            if self.route.kind == BodyKind::BatchResults {
                // Its request came in another exchange: the model is the one that the result names.
                self.model = message.str("model").map(Into::into);
            }
            // Before a call in it is held: what it used is used, whatever becomes of it.
            self.read_usage(message);
            match self.judge_message(message, &mut splices) {
                Ok(refused) => self.mask_message(message, &refused, &mut splices),
                Err(ask) => {
                    // The same calls are judged again once this one is settled.
                    self.decisions.truncate(noted);
                    self.note_hold(&ask);
                    return Replied::Hold(ask);
                }
            }
            self.read_reply(message);
        } else {
            let mut unit = units::of_any(doc.root());
            self.mask(&mut unit, Direction::Response, &mut splices);
        }
        if let (BodyKind::Batch | BodyKind::BatchCreate, Some(gateway)) = (self.route.kind, gateway) {
            relink(doc.root(), gateway, &mut splices);
        }
        let changed = (!splices.is_empty()).then(|| splices.apply(body));
        let sent = changed.as_deref().unwrap_or(body);
        let recorded = self.recorded_reply(sent);
        Replied::Ready { body: changed, recorded }
    }

    /// An error that is not JSON, from something between us and the API: masked as text.
    pub(super) fn text_reply(&mut self, body: &[u8]) -> Replied {
        let Ok(text) = std::str::from_utf8(body) else {
            let message = "the API's error cannot be read, so it was not passed on; try again";
            return Replied::Refused(Refusal::new(ErrorKind::Api, "reply", message));
        };
        let edits = self.runtime.masker.edits(text, Direction::Response, &self.profile, &mut self.memory);
        let mut splices = Splices::new();
        for edit in edits {
            splices.replace(edit.start..edit.end, edit.with.to_string());
        }
        let body = (!splices.is_empty()).then(|| splices.apply(body));
        Replied::Ready { body, recorded: None }
    }

    /// The message that a reply is, or that a line of a batch's results carries.
    fn message_in<'d, 'a>(&self, root: Value<'d, 'a>) -> Option<Value<'d, 'a>> {
        let message = match self.route.kind {
            BodyKind::Messages => root,
            BodyKind::BatchResults => root.get("result")?.get("message")?,
            _ => return None,
        };
        message.get("content").filter(|content| content.kind() == Kind::Array).map(|_| message)
    }

    /// Judges each call of a message. Calls that are refused are replaced by text, and so are the results of those
    /// that the provider ran. Gives the ids of refused calls.
    fn judge_message(
        &mut self,
        message: Value<'_, '_>,
        splices: &mut Splices,
    ) -> Result<Vec<String>, Box<HoldAsk>> {
        let content = || message.get("content").into_iter().flat_map(Value::items);
        let mut refused = Vec::new();
        let mut called = Vec::new();
        let mut passed = false;
        for block in content().filter(|block| block.str("type").is_some_and(|kind| is_call(&kind))) {
            let input = block.get("input").unwrap_or(block);
            match self.call(block, input) {
                Call::Allow => {
                    called.push(tool_name(block));
                    passed |= block.get("type").is_some_and(|kind| kind.is("tool_use"));
                }
                Call::Hold(ask) => return Err(ask),
                Call::Deny(words) => {
                    splices.replace(block.span(), text_block(&words));
                    refused.push(block.str("id").unwrap_or_default().into_owned());
                }
            }
        }
        called.iter().for_each(|tool| self.count_call(tool));
        for block in content().filter(|block| is_result_of(*block, &refused)) {
            splices.replace(block.span(), text_block(RESULT_LEFT_OUT));
        }
        let stop = message.get("stop_reason").filter(|stop| stop.is("tool_use"));
        if let (Some(stop), false, false) = (stop, passed, refused.is_empty()) {
            splices.replace(stop.span(), "\"end_turn\"".into());
        }
        Ok(refused)
    }

    fn mask_message(&mut self, message: Value<'_, '_>, refused: &[String], splices: &mut Splices) {
        let gone = |block: Value<'_, '_>| {
            is_result_of(block, refused)
                || block.str("id").is_some_and(|id| refused.iter().any(|own| *own == id))
        };
        for block in message.get("content").into_iter().flat_map(Value::items).filter(|block| !gone(*block)) {
            self.mask_block(block, splices);
        }
        self.mask(&mut units::around(message, "content"), Direction::Response, splices);
    }

    /// Masks a block on its way to the client. A call's input is restored, so that tools work on real values,
    /// unless policy says that it is masked as well.
    pub(super) fn mask_block(&mut self, block: Value<'_, '_>, splices: &mut Splices) {
        if block.str("type").is_some_and(|kind| is_call(&kind)) {
            block.get("input").into_iter().for_each(|input| self.mask_input(input, splices));
        } else {
            self.mask(&mut units::of_block(block), Direction::Response, splices);
        }
    }

    /// Restores or masks a call's input.
    pub(super) fn mask_input(&mut self, input: Value<'_, '_>, splices: &mut Splices) {
        let mut unit = Unit { leaves: units::all_strings(input), ..Unit::default() };
        match self.runtime.masking.tool_inputs {
            ToolInputMasking::Restore => self.restore(&unit.leaves, splices),
            ToolInputMasking::Mask => self.mask(&mut unit, Direction::ToolInput, splices),
        }
    }

    /// The copy for the record of what leaves.
    pub(super) fn recorded_reply(&self, sent: &[u8]) -> Option<String> {
        if self.runtime.recording == RecordMode::Off {
            return None;
        }
        let doc = json::parse(sent, self.runtime.limits.depth.saturating_add(2)).ok()?;
        let mut splices = Splices::new();
        for unit in units::of_reply(doc.root()) {
            self.mask_for_record(&unit, &mut splices);
        }
        String::from_utf8(splices.apply(sent)).ok()
    }

    fn read_reply(&mut self, root: Value<'_, '_>) {
        self.model = root.str("model").map(Into::into).or(self.model.take());
        self.stop_reason = root.str("stop_reason").map(Into::into);
    }

    fn read_usage(&mut self, root: Value<'_, '_>) {
        self.usage = root
            .get("usage")
            .and_then(|value| serde_json::from_str::<Json>(value.raw()).ok())
            .and_then(|value| usage(&value));
    }

    pub(super) fn note_hold(&mut self, ask: &HoldAsk) {
        self.decisions.push(crate::record::Decision {
            part: Some(ask.part),
            tool: ask.tool.clone(),
            ..super::decision(&ask.rule, crate::policy::document::Action::Hold)
        });
    }
}

/// What stands in the place of a result whose call was refused.
pub(super) const RESULT_LEFT_OUT: &str = "[Sluice] The result of the refused call was left out.";

/// Whether a block is the result of one of these calls.
pub(super) fn is_result_of(block: Value<'_, '_>, calls: &[String]) -> bool {
    block.str("tool_use_id").is_some_and(|id| calls.iter().any(|call| *call == id))
}

fn text_block(words: &str) -> String {
    let mut block = String::from("{\"type\":\"text\",\"text\":");
    quote(words, &mut block);
    block.push('}');
    block
}

/// Points `results_url` back to the gateway: the SDK sends the caller's token to whatever host it names.
fn relink(root: Value<'_, '_>, gateway: &str, splices: &mut Splices) {
    let batches = std::iter::once(root).chain(root.get("data").into_iter().flat_map(Value::items));
    for url in batches.filter_map(|batch| batch.get("results_url")) {
        let Some(text) = url.text() else { continue };
        let authority = text.split_once("://").map_or(0, |(scheme, _)| scheme.len() + 3);
        let path =
            text.get(authority..).and_then(|rest| rest.find('/')).map_or(text.len(), |at| authority + at);
        url.splice([(0..path, gateway)], splices);
    }
}
