//! What a server sends: lists filtered, results judged, text masked, questions dropped.

use super::super::follow::Held;
use super::super::{Case, Refusal, Replied};
use crate::claude::error::ErrorKind;
use crate::claude::units::{self, Unit};
use crate::json::{self, Doc, Kind, Splices, Value};
use crate::mask::Direction;
use crate::mcp::answer::Answers;
use crate::mcp::message::{self, Message, What};
use crate::mcp::{routes, text};
use crate::policy::document::{Part, RecordMode};
use crate::wire::{HoldAsk, ToolsSeen};

/// What becomes of a message of a server.
pub(super) enum Told {
    /// It leaves with these changes.
    Pass(Splices),
    /// This message stands in its place.
    Instead(String),
    /// A question that does not leave: the server would wait for its answer.
    Dropped,
    /// It does not leave, and nobody waits for it.
    LeftOut,
    /// It waits for a person.
    Hold(Box<HoldAsk>),
    /// Control is asked about definitions.
    Tools(Box<ToolsSeen>),
}

impl Case {
    /// Judges a whole reply.
    pub(in super::super) fn mcp_reply(&mut self, body: &[u8], status: u16) -> Replied {
        let doc = match json::parse(body, self.runtime.limits.depth) {
            Ok(doc) => doc,
            Err(_) if status >= 400 => return self.text_reply(body),
            Err(why) => return self.unreadable_reply(&why.to_string()),
        };
        let noted = self.decisions.len();
        // An error of something between us and the server, or of a server that could not read the request.
        let may_be_any = status >= 400 && !message::has_result(doc.root());
        let told = match self.told(&doc) {
            Ok(Told::LeftOut) if may_be_any && doc.root().get("error").is_some() => {
                self.decisions.truncate(noted);
                self.told_any(&doc)
            }
            Err(_) if may_be_any => self.told_any(&doc),
            Ok(told) => told,
            Err(why) => return self.unreadable_reply(why),
        };
        let changed = match told {
            Told::Pass(splices) => (!splices.is_empty()).then(|| splices.apply(body)),
            Told::Instead(message) => Some(message.into_bytes()),
            Told::Dropped => {
                return self.unreadable_reply("a server does not ask in a reply that is no stream");
            }
            Told::LeftOut => return self.unreadable_reply("it does not answer the request"),
            Told::Hold(ask) => {
                self.decisions.truncate(noted);
                self.note_hold(&ask);
                return Replied::Hold(ask);
            }
            Told::Tools(seen) => {
                self.decisions.truncate(noted);
                return Replied::Tools(seen);
            }
        };
        let sent = changed.as_deref().unwrap_or(body);
        let recorded =
            (self.runtime.recording != RecordMode::Off).then(|| self.recorded_message(sent)).flatten();
        Replied::Ready { body: changed, recorded }
    }

    /// Judges what need not be a message.
    fn told_any(&mut self, doc: &Doc<'_>) -> Told {
        if self.check_media_of_mcp(&text::of(doc.root())).is_err() {
            return Told::LeftOut;
        }
        let mut splices = Splices::new();
        self.mask(&mut units::of_any(doc.root()), Direction::FromTool, &mut splices);
        Told::Pass(splices)
    }

    fn unreadable_reply(&mut self, why: &str) -> Replied {
        let message = format!("the MCP server's reply cannot be read ({why}), so it was not passed on");
        let refusal = Refusal::new(ErrorKind::Api, "reply", message);
        self.note(&refusal);
        Replied::Refused(refusal)
    }

    /// Judges one message of a server.
    pub(super) fn told(&mut self, doc: &Doc<'_>) -> Result<Told, &'static str> {
        let message = message::read(doc.root())?;
        let mut splices = Splices::new();
        match message.what {
            What::Request if !self.lets_ask(&message.method) => return Ok(Told::Dropped),
            // A question is put to the user or the model of the client: it is read as a result is.
            What::Request => {
                let mut unit = text::of(doc.root());
                if let Err(refusal) = self.check_media_of_mcp(&unit) {
                    self.note(&refusal);
                    return Ok(Told::Dropped);
                }
                match self.judge_told(doc.root(), &mut unit, None) {
                    Ok(()) => self.mask(&mut unit, Direction::FromTool, &mut splices),
                    Err(Judgement::Refused(_)) => return Ok(Told::Dropped),
                    Err(Judgement::Held(ask)) => return Ok(Told::Hold(ask)),
                }
            }
            What::Notification if !message.method.starts_with(routes::NOTIFIES) => {
                self.note_method(&message.method);
                return Ok(Told::LeftOut);
            }
            What::Notification => {
                let mut unit = text::of(doc.root());
                if let Err(refusal) = self.check_media_of_mcp(&unit) {
                    self.note(&refusal);
                    return Ok(Told::LeftOut);
                }
                self.mask(&mut unit, Direction::FromTool, &mut splices);
            }
            What::Response if !self.waits_for(&message) => {
                self.note_method("response");
                return Ok(Told::LeftOut);
            }
            What::Response => return self.answered(&message, doc.root(), splices),
        }
        Ok(Told::Pass(splices))
    }

    /// Whether a response is one that the client waits for here: a stream that it opened by itself may carry the
    /// answer to any of its requests, a reply only that to its own. An error without an id says that the server could
    /// not read one.
    fn waits_for(&self, message: &Message<'_, '_>) -> bool {
        let Some(mcp) = self.mcp.as_ref().filter(|_| self.route.method != "GET") else { return true };
        let unread = message.result.is_none() && message.id.is_none_or(|id| id.kind() == Kind::Null);
        unread || mcp.answers.id.as_deref().is_some_and(|id| message::answers(message, id))
    }

    fn answered(
        &mut self,
        message: &Message<'_, '_>,
        root: Value<'_, '_>,
        mut splices: Splices,
    ) -> Result<Told, &'static str> {
        let instead = |case: &Self, refusal: &Refusal| {
            let id = message.id.map(|id| id.raw().to_owned());
            let known = case.answers().unwrap_or_default();
            // On a stream that is no reply to a call, a result is one of a call that was made before.
            let call = known.call || case.route.name == "mcp.stream" || case.route.name == "mcp.tasks.result";
            Told::Instead(Answers { id, call, ..known }.message(refusal.kind, &refusal.message))
        };
        let list = message.result.and_then(|result| result.get("tools")).filter(|l| l.kind() == Kind::Array);
        let mut left_out = Splices::new();
        if let Some(tools) = list
            && let Err(seen) = self.filter_tools(tools, &mut left_out)
        {
            return Ok(Told::Tools(seen));
        }
        for (_, asked) in
            message.result.and_then(|result| result.get("inputRequests")).into_iter().flat_map(Value::entries)
        {
            let method = asked.str("method").unwrap_or_default();
            if !self.lets_ask(&method) {
                let words = format!(
                    "[Sluice] The MCP server asked the client for `{}`, which policy does not let it do (`mcp[].serverMayAsk`).",
                    self.recorded_text(&method).chars().take(100).collect::<String>()
                );
                return Ok(instead(self, &Refusal::new(ErrorKind::Permission, "method", words)));
            }
        }
        let mut unit = text::of(root);
        if let Err(refusal) = self.check_media_of_mcp(&unit) {
            self.note(&refusal);
            return Ok(instead(self, &refusal));
        }
        let tool = self.mcp.as_ref().and_then(|mcp| mcp.tool.clone());
        // The tools of a list were judged one by one; a rule that denies one leaves the others there.
        let judged = list.filter(|_| self.route.name == "mcp.tools.list");
        let mut judged = judged.map(|tools| text::of_all_but(root, tools));
        match self.judge_told(message.result.unwrap_or(root), judged.as_mut().unwrap_or(&mut unit), tool) {
            Ok(()) => {}
            Err(Judgement::Held(ask)) => return Ok(Told::Hold(ask)),
            Err(Judgement::Refused(refusal)) => {
                self.note(&refusal);
                let words = format!("[Sluice] The result was left out: {}", refusal.message);
                return Ok(instead(self, &Refusal { message: words, ..refusal }));
            }
        }
        self.mask(&mut unit, Direction::FromTool, &mut splices);
        splices.put_over(left_out);
        Ok(Told::Pass(splices))
    }

    /// What rules on tool results say about a text. `keyed`: what a hold's key is made of.
    pub(super) fn judge_told(
        &mut self,
        keyed: Value<'_, '_>,
        unit: &mut Unit<'_, '_>,
        tool: Option<String>,
    ) -> Result<(), Judgement> {
        unit.part = Some(Part::ToolResult);
        unit.tool = tool.map(Into::into);
        let mut held = Held::default();
        if let Some(refusal) = self.judge_unit(keyed, unit, &mut held) {
            return Err(Judgement::Refused(refusal));
        }
        match held.into_asks().next() {
            Some(ask) => Err(Judgement::Held(Box::new(ask))),
            None => Ok(()),
        }
    }
}

/// Why a message does not leave as it is.
pub(super) enum Judgement {
    Refused(Refusal),
    Held(Box<HoldAsk>),
}
