//! What a client sends: read, limited, judged, masked where policy masks what tools get.

use super::super::calls::Call;
use super::super::offered::take_out_entries;
use super::super::request::{Judged, unreadable};
use super::super::{Case, Refusal, Settled, decision};
use super::ask_of;
use crate::claude::error::ErrorKind;
use crate::json::{self, Kind, Splices, Value};
use crate::mask::Direction;
use crate::mcp::head::encoded;
use crate::mcp::message::{self, Message, What, param};
use crate::mcp::{routes, text};
use crate::policy::document::{Action, RecordMode, ServerAsk, ToolInputMasking};
use crate::record::Decision;
use crate::wire::HoldAsk;

/// Where a client of a revision without sessions says what it can do.
const CLIENT: &str = "io.modelcontextprotocol/clientCapabilities";

impl Case {
    /// Judges a message of a client.
    pub(in super::super) fn mcp_request(&mut self, body: &[u8]) -> Judged {
        if self.route.method != "POST" {
            return if body.is_empty() {
                Judged { refusal: None, holds: Vec::new(), body: None, recorded: None }
            } else {
                Judged::refused(unreadable("this method takes no body; leave it out"))
            };
        }
        let doc = match json::parse(body, self.runtime.limits.depth) {
            Ok(doc) => doc,
            Err(why) => return Judged::refused(unreadable(&format!("the body cannot be read: {why}"))),
        };
        let message = match message::read(doc.root()) {
            Ok(message) => message,
            Err(why) => return Judged::refused(unreadable(why)),
        };
        if let (Some(mcp), What::Request) = (&mut self.mcp, message.what) {
            mcp.answers.id = message.id.map(|id| id.raw().to_owned());
            mcp.answers.call = message.method == "tools/call";
        }
        let mut splices = Splices::new();
        let mut unit = text::of(doc.root());
        let media = self.check_media_of_mcp(&unit);
        if self.runtime.masking.tool_inputs == ToolInputMasking::Mask {
            self.mask(&mut unit, Direction::ToolInput, &mut splices);
        }
        let recorded =
            (self.runtime.recording != RecordMode::Off).then(|| self.recorded_message(body)).flatten();
        let mut holds = Vec::new();
        let checked = self
            .check_message(&message)
            .and(media)
            .and_then(|()| self.judge_message_call(&message, &mut holds));
        if let Err(refusal) = checked {
            return Judged { recorded, ..Judged::refused(refusal) };
        }
        let mut left_out = Splices::new();
        self.narrow_capabilities(&message, &mut left_out);
        splices.put_over(left_out);
        let body = (!splices.is_empty()).then(|| splices.apply(body));
        Judged { refusal: None, holds, body, recorded }
    }

    /// The message, masked for the record.
    pub(super) fn recorded_message(&self, bytes: &[u8]) -> Option<String> {
        let doc = json::parse(bytes, self.runtime.limits.depth.saturating_add(2)).ok()?;
        let mut splices = Splices::new();
        self.mask_for_record(&text::of(doc.root()), &mut splices);
        String::from_utf8(splices.apply(bytes)).ok()
    }

    /// Which route it is, whether that is open, and whether the headers say the same as the body.
    fn check_message(&mut self, message: &Message<'_, '_>) -> Result<(), Refusal> {
        let Some(server) = self.mcp_server() else { return Ok(()) };
        let method = message.method.as_ref();
        let named = |name: &str| routes::named(name).unwrap_or(self.route);
        let (route, known) = match message.what {
            What::Request => match routes::of_method(method) {
                Some(route) => (route, true),
                None => (named("mcp.other"), server.takes(method)),
            },
            What::Notification => {
                let other = method.starts_with(routes::NOTIFIES) && server.takes(method);
                (named("mcp.notification"), other || routes::NOTIFICATIONS.contains(&method))
            }
            What::Response => {
                let empty = message.result.is_none_or(|result| result.entries().next().is_none());
                (named("mcp.response"), empty || !server.server.server_may_ask.is_empty())
            }
        };
        self.route = route;
        if !known {
            let what = match message.what {
                What::Response => "answers to what the server asked are".to_owned(),
                _ => format!(
                    "the method `{}` is",
                    self.recorded_text(method).chars().take(100).collect::<String>()
                ),
            };
            let message = format!(
                "{what} not among what policy lets pass to MCP server `{}`; ask for `mcp[].methods` or `mcp[].serverMayAsk`",
                server.server.name
            );
            return Err(Refusal::new(ErrorKind::NotFound, "method", message));
        }
        self.check_copied_headers(message)
    }

    /// Servers and what stands before them may go by the headers that repeat what the body says.
    fn check_copied_headers(&mut self, message: &Message<'_, '_>) -> Result<(), Refusal> {
        let Some(mcp) = &mut self.mcp else { return Ok(()) };
        let other = |header: &str| {
            Err(unreadable(&format!("`{header}` is not what the body says; send the same in both")))
        };
        let method = message.method.as_ref();
        if mcp.head.method.as_ref().is_some_and(|own| own != method) {
            return other("Mcp-Method");
        }
        let key = if method.starts_with("resources/") { "uri" } else { "name" };
        if let Some(own) = &mcp.head.name
            && param(message.params, key).is_none_or(|name| name != own.as_str())
        {
            return other("Mcp-Name");
        }
        let arguments = message.params.and_then(|params| params.get("arguments"));
        for (header, value) in &mcp.head.params {
            let mut copied = Vec::new();
            let name = header.strip_prefix("mcp-param-").unwrap_or(header);
            arguments.into_iter().for_each(|arguments| named(arguments, &plain(name), &mut copied));
            if copied.is_empty() || copied.iter().any(|own| own != value) {
                return other(header);
            }
            let (masker, profile, memory) = (&self.runtime.masker, &self.profile, &mut self.memory);
            if self.runtime.masking.tool_inputs == ToolInputMasking::Mask {
                let edits = masker.edits(value, Direction::ToolInput, profile, memory);
                if !edits.is_empty() {
                    let mut splices = Splices::new();
                    edits
                        .into_iter()
                        .for_each(|edit| splices.replace(edit.start..edit.end, edit.with.to_string()));
                    let masked = String::from_utf8_lossy(&splices.apply(value.as_bytes())).into_owned();
                    mcp.headers.push((header.clone(), encoded(&masked)));
                }
            }
        }
        Ok(())
    }

    /// Judges what is called: a tool, or what is read by name. Rights come first, then rules, then the definition.
    fn judge_message_call(
        &mut self,
        message: &Message<'_, '_>,
        holds: &mut Vec<HoldAsk>,
    ) -> Result<(), Refusal> {
        let Some(server) = self.mcp_server().filter(|_| message.what == What::Request) else { return Ok(()) };
        let method = message.method.as_ref();
        let (called, input) = match method {
            "tools/call" => {
                let name = param(message.params, "name")
                    .ok_or_else(|| unreadable("`params.name` is missing; name the tool"))?;
                let input = message.params.and_then(|params| params.get("arguments"));
                (name.into_owned(), input.or(message.params))
            }
            "resources/read" | "resources/subscribe" | "prompts/get" => (method.to_owned(), message.params),
            _ => return Ok(()),
        };
        let Some(input) = input else { return Ok(()) };
        let tool = server.tool(&called);
        let denied = self.checked("tool", &tool, self.rights.tool(&tool)).err();
        if let Some(mcp) = &mut self.mcp {
            mcp.tool = Some(tool.clone());
        }
        // A call is answered once, so all that hold it are asked, one after the other.
        let mut asked = Vec::new();
        let noted = self.decisions.len();
        let refused = loop {
            match self.judge_call(input, &tool, denied.clone(), input) {
                Call::Allow => break None,
                Call::Deny(words) => break Some(words),
                Call::Hold(ask) => {
                    self.settled.insert(ask.key.clone(), Settled::Approved);
                    asked.push(*ask);
                }
            }
        };
        asked.iter().for_each(|ask| drop(self.settled.remove(&ask.key)));
        self.forget_repeated(noted);
        if let Some(words) = refused {
            let rule = self.decisions.last().map_or("tool".into(), |decision| decision.rule.clone());
            return Err(Refusal { kind: ErrorKind::Permission, rule, message: words });
        }
        if method == "tools/call" {
            holds.extend(self.definition_hold(&server, &called));
        }
        holds.extend(asked);
        Ok(())
    }

    /// Judging again for each hold notes the rules that only observe again.
    fn forget_repeated(&mut self, from: usize) {
        let mut seen: Vec<Decision> = Vec::new();
        for decision in self.decisions.drain(from.min(self.decisions.len())..) {
            if !seen.contains(&decision) {
                seen.push(decision);
            }
        }
        self.decisions.extend(seen);
    }

    /// Takes out of a client's capabilities what the server may not ask for, so that it does not ask.
    fn narrow_capabilities(&mut self, message: &Message<'_, '_>, splices: &mut Splices) {
        let Some(server) = self.mcp_server() else { return };
        let of_request = message.params.and_then(|params| params.get("_meta")?.get(CLIENT));
        let of_session = message.params.filter(|_| message.method == "initialize");
        let of_session = of_session.and_then(|params| params.get("capabilities"));
        for capabilities in [of_request, of_session].into_iter().flatten() {
            let gone = |key: Value<'_, '_>| {
                [
                    ("sampling", ServerAsk::Sampling),
                    ("elicitation", ServerAsk::Elicitation),
                    ("roots", ServerAsk::Roots),
                ]
                .iter()
                .any(|(name, ask)| {
                    let same = key.text().is_some_and(|key| key.eq_ignore_ascii_case(name));
                    same && !server.may_ask(*ask)
                })
            };
            take_out_entries(capabilities, gone, splices);
        }
    }

    /// Whether the server may ask this of the client; what it may not is noted.
    pub(super) fn lets_ask(&mut self, method: &str) -> bool {
        let Some(server) = self.mcp_server() else { return false };
        let allowed = method == "ping"
            || ask_of(method).is_some_and(|ask| server.may_ask(ask))
            || ask_of(method).is_none() && server.takes(method);
        if !allowed {
            self.note_method(method);
        }
        allowed
    }

    /// Notes that a message of the server was left out for its method.
    pub(super) fn note_method(&mut self, method: &str) {
        self.decisions.push(Decision {
            tool: Some(method.chars().take(100).collect()),
            left_out: true,
            ..decision("method", Action::Deny)
        });
    }
}

/// Texts of all strings, numbers and booleans that are an argument of this name, at the top or in objects.
fn named(arguments: Value<'_, '_>, name: &str, found: &mut Vec<String>) {
    for (key, value) in arguments.entries() {
        let same = key.text().is_some_and(|key| plain(&key) == name);
        match value.kind() {
            Kind::Object => named(value, name, found),
            Kind::String if same => found.extend(value.text().map(|text| text.into_owned())),
            Kind::Number | Kind::Bool if same => found.push(value.raw().to_owned()),
            _ => {}
        }
    }
}

/// The name of an argument as headers have it, in any case and without what parts words: a tool's schema gives the
/// argument `tenant_id` a header `Mcp-Param-TenantId` (`x-mcp-header`, SEP-2243), and no schema is at hand here.
fn plain(name: &str) -> String {
    name.replace(['-', '_'], "").to_lowercase()
}
