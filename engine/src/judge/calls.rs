//! Tool calls: what would they do, and may they?

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::digest::Digest;
use super::{Case, Settled, decision, reach};
use crate::claude::units::all_strings;
use crate::command::{self, Effect, Reading};
use crate::json::{self, JsonError, Kind, Value};
use crate::policy::compile::Compiled;
use crate::policy::document::{Action, Approval, Duration, Language, Part};
use crate::policy::rights::Denied;
use crate::policy::rule::{CompiledRule, Facts};
use crate::record::Decision;
use crate::wire::HoldAsk;

/// Nesting of JSON inside strings of a tool's input that is looked into.
pub(super) const NESTED_DEPTH: u32 = 4;
/// Nesting of an input that [`commands`] looks into.
const COMMANDS_DEPTH: u32 = 128;
/// Bytes of a preview that a reviewer gets.
const PREVIEW: usize = 16 * 1024;

/// What becomes of a call.
pub(super) enum Call {
    Allow,
    /// With the text that stands in the call's place.
    Deny(String),
    Hold(Box<HoldAsk>),
}

/// What the commands in an input would do.
#[derive(Default)]
struct Effects {
    effects: BTreeSet<Effect>,
    /// `destroy: DROP TABLE removes a table`
    told: Vec<String>,
    commands: Vec<Command>,
}

/// A command in the input of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The language that it was read as.
    pub language: Language,
    /// Its text.
    pub text: String,
    /// What it would do.
    pub reading: Reading,
}

/// The commands in the input of a tool call, in the order in which they are judged. What is no JSON has none.
pub fn commands(compiled: &Compiled, tool: &str, input: &str) -> Vec<Command> {
    let mut effects = Effects::default();
    if let Ok(doc) = json::parse(input.as_bytes(), COMMANDS_DEPTH) {
        let language = |field: &str| compiled.command_language(tool, field);
        look_for_commands(doc.root(), &language, NESTED_DEPTH, &mut effects);
    }
    effects.commands
}

impl Effects {
    fn not_understood(&mut self, why: &str) {
        self.effects.insert(Effect::Unknown);
        self.told.push(format!("{}: {why}", Effect::Unknown));
    }
}

impl Case {
    /// Judges the call in a block (`tool_use`, `server_tool_use`, `mcp_tool_use`). What was settled about it
    /// before counts; decisions are noted. `input`: the block's, or what its deltas added up to.
    pub(super) fn call(&mut self, block: Value<'_, '_>, input: Value<'_, '_>) -> Call {
        let tool = tool_name(block);
        let denied = match block.get("type") {
            Some(kind) if kind.is("server_tool_use") => {
                self.checked("server_tool", &tool, self.rights.server_tool(&tool)).err()
            }
            _ => self.checked("tool", &tool, self.rights.tool(&tool)).err(),
        };
        self.judge_call(block, &tool, denied, input)
    }

    /// Judges the call of a tool. `call`: where it stands; `denied`: why the roles do not allow it.
    pub(super) fn judge_call(
        &mut self,
        call: Value<'_, '_>,
        tool: &str,
        denied: Option<Denied>,
        input: Value<'_, '_>,
    ) -> Call {
        if let Some(denied) = denied {
            self.decisions.push(Decision {
                part: Some(Part::ToolCall),
                tool: Some(tool.to_owned()),
                ..decision("tool", Action::Deny)
            });
            return Call::Deny(refusal_text(tool, "tool", &denied.to_string()));
        }
        let found = self.effects(tool, input);
        let strings: Vec<Cow<'_, str>> = all_strings(input).iter().filter_map(|value| value.text()).collect();
        let findings = self.kinds(strings.iter().map(AsRef::as_ref));
        let effects: Vec<Effect> = found.effects.iter().copied().collect();
        let runtime = self.runtime.clone();
        let targets = reach::targets(&runtime.compiled, tool, input);
        let facts = Facts {
            part: Part::ToolCall,
            route: self.route.name,
            groups: &self.principal.groups,
            model: self.model.as_deref(),
            text: None,
            tool: Some(tool),
            input_strings: &strings,
            findings: &findings.iter().map(String::as_str).collect::<Vec<_>>(),
            effects: &effects,
            targets: targets.as_ref(),
            offer: None,
            size: input.raw().len(),
        };
        self.read_call(call, tool, &effects, &found.told);
        self.asked(Some(call), &facts);
        let outcome = runtime.compiled.decide(&facts);
        let noted = |rule: &str, action, observed| Decision {
            part: Some(Part::ToolCall),
            tool: Some(tool.to_owned()),
            effects: effects.clone(),
            observed,
            ..decision(rule, action)
        };
        self.decisions.extend(outcome.observed.iter().map(|rule| noted(&rule.name, rule.action, true)));
        let Some(rule) = outcome.rule else { return Call::Allow };
        match outcome.action {
            Action::Allow => {
                self.decisions.push(noted(&rule.name, Action::Allow, false));
                Call::Allow
            }
            Action::Deny => {
                self.decisions.push(noted(&rule.name, Action::Deny, false));
                Call::Deny(refusal_text(tool, &rule.name, &rule.message))
            }
            Action::Hold => {
                for rule in outcome.holds {
                    let key = self.call_key(rule, tool, input);
                    match self.settled.get(&key) {
                        Some(Settled::Approved) => {}
                        Some(Settled::Refused(words)) => {
                            return Call::Deny(refusal_text(tool, &rule.name, words));
                        }
                        None => {
                            self.decisions.push(noted(&rule.name, Action::Hold, false));
                            let mut ask = self.ask(rule, Part::ToolCall, key, self.recorded_input(input));
                            ask.tool = Some(self.recorded_text(tool));
                            ask.effects = found.told.iter().map(|told| self.recorded_text(told)).collect();
                            return Call::Hold(Box::new(ask));
                        }
                    }
                }
                Call::Allow
            }
        }
    }

    /// One key for the same call by the same person in the same session, whatever the order of its input's keys.
    fn call_key(&self, rule: &CompiledRule, tool: &str, input: Value<'_, '_>) -> String {
        let mut digest = Digest::of("sluice hold: tool call");
        for text in [&self.principal.issuer, &self.principal.subject, &rule.name] {
            digest.text(text);
        }
        digest.text(self.principal.actor.as_deref().unwrap_or_default());
        // A session of MCP is a connection, which a retry may make anew.
        let session = if self.mcp.is_some() { Some("mcp") } else { self.session.as_deref() };
        digest.text(session.unwrap_or_default());
        digest.text(tool);
        digest.value(input, &[]);
        digest.hex()
    }

    /// A question to control about something that a rule holds.
    pub(super) fn ask(&self, rule: &CompiledRule, part: Part, key: String, preview: String) -> HoldAsk {
        self.ask_for(&rule.name, &rule.message, rule.approval.as_ref(), part, key, preview)
    }

    /// The same under a name and with a message.
    pub(super) fn ask_for(
        &self,
        rule: &str,
        message: &str,
        approval: Option<&Approval>,
        part: Part,
        key: String,
        preview: String,
    ) -> HoldAsk {
        HoldAsk {
            thread: key.clone(),
            earlier: Vec::new(),
            editable: part != Part::ToolCall && self.mcp.is_none(),
            key,
            history: false,
            exchange: self.exchange.clone(),
            rule: rule.to_owned(),
            message: message.to_owned(),
            who: self.who(),
            actor: self.principal.actor.clone(),
            node: None,
            session: self.session.clone(),
            part,
            model: self.model.as_deref().map(|model| self.recorded_text(model)),
            tool: None,
            preview: shortened(preview),
            effects: Vec::new(),
            approvers: approval.map(|approval| approval.groups.clone()).unwrap_or_default(),
            quorum: approval.map_or_else(Approval::default_quorum, |approval| approval.quorum),
            teams: self.kept_out(approval),
            grant_seconds: approval.and_then(|approval| approval.grant_for).map(Duration::as_seconds),
            reason: approval.is_none_or(|approval| approval.reason),
            expires_seconds: approval
                .map_or(Approval::default_expires(), |approval| approval.expires)
                .as_seconds(),
            policy_version: self.runtime.policy_version.clone(),
            definition: None,
        }
    }

    /// The requester's teams, where an approval keeps them from deciding.
    pub(super) fn kept_out(&self, approval: Option<&Approval>) -> Vec<String> {
        let excluded = approval.is_some_and(|approval| approval.exclude_team);
        let groups = self.principal.groups.iter().filter(|_| excluded);
        groups.filter(|group| self.runtime.compiled.is_team(group)).cloned().collect()
    }

    pub(super) fn recorded_input(&self, input: Value<'_, '_>) -> String {
        let Ok(doc) = json::parse(input.raw().as_bytes(), self.runtime.limits.depth) else {
            return String::new();
        };
        let mut splices = json::Splices::new();
        let unit = crate::claude::units::Unit { leaves: all_strings(doc.root()), ..Default::default() };
        self.mask_for_record(&unit, &mut splices);
        String::from_utf8_lossy(&splices.apply(input.raw().as_bytes())).into_owned()
    }

    /// The kinds of findings in texts, when some rule asks for kinds.
    pub(super) fn kinds<'t>(&self, texts: impl Iterator<Item = &'t str>) -> BTreeSet<String> {
        if !self.runtime.compiled.asks_for_findings() {
            return BTreeSet::new();
        }
        texts
            .flat_map(|text| self.runtime.masker.find(text))
            .map(|finding| finding.kind.to_string())
            .collect()
    }

    fn effects(&self, tool: &str, input: Value<'_, '_>) -> Effects {
        let mut effects = Effects::default();
        let language = |field: &str| self.runtime.compiled.command_language(tool, field);
        look_for_commands(input, &language, NESTED_DEPTH, &mut effects);
        effects
    }
}

/// The name that rules know a called tool by. A tool of an MCP server that the provider calls is named as clients
/// name those that they call themselves.
pub(super) fn tool_name(block: Value<'_, '_>) -> String {
    let name = block.str("name").unwrap_or_default();
    match block.str("server_name") {
        Some(server) => format!("mcp__{server}__{name}"),
        None => name.into_owned(),
    }
}

/// Finds fields that hold commands, at any depth, also in JSON inside strings.
fn look_for_commands(
    value: Value<'_, '_>,
    language: &impl Fn(&str) -> Option<Language>,
    nested: u32,
    effects: &mut Effects,
) {
    match value.kind() {
        Kind::Object => {
            for (key, value) in value.entries() {
                if let Some(language) = key.text().and_then(|key| language(&key)) {
                    read_command(value, language, effects);
                }
                look_for_commands(value, language, nested, effects);
            }
        }
        Kind::Array => value.items().for_each(|item| look_for_commands(item, language, nested, effects)),
        Kind::String => {
            let text = value.text().unwrap_or_default();
            if !text.trim_start().starts_with(['{', '[']) {
                return;
            }
            match (json::parse(text.as_bytes(), 32), nested.checked_sub(1)) {
                (Ok(doc), Some(nested)) => look_for_commands(doc.root(), language, nested, effects),
                // Not JSON: a text that begins with a bracket.
                (Err(JsonError::Syntax(_)), _) => {}
                _ => effects.not_understood("JSON in a string that cannot be read with certainty"),
            }
        }
        _ => {}
    }
}

/// A command is a string, or a list of words as `exec` takes them. Anything else is not understood.
fn read_command(value: Value<'_, '_>, language: Language, effects: &mut Effects) {
    let text = match value.kind() {
        Kind::String => value.text().unwrap_or_default().into_owned(),
        Kind::Array if language == Language::Shell => {
            if value.items().any(|item| matches!(item.kind(), Kind::Array | Kind::Object)) {
                effects.not_understood("a word of the command is not text");
            }
            let words: Vec<_> =
                value.items().filter_map(|item| item.text()).map(|word| quoted(&word)).collect();
            words.join(" ")
        }
        Kind::Null => return,
        _ => {
            effects.not_understood("the command is not text");
            return;
        }
    };
    let reading = match language {
        Language::Sql => command::sql(&text),
        Language::Shell => command::shell(&text),
    };
    for statement in &reading.statements {
        effects.effects.insert(statement.effect);
        effects.told.push(format!("{}: {}", statement.effect, statement.why));
    }
    effects.commands.push(Command { language, text, reading });
}

/// A word as the shell must be given it to read it back.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What the model and the person read in the place of a call that was refused.
fn refusal_text(tool: &str, rule: &str, words: &str) -> String {
    // Messages of a policy may end as sentences do.
    let words = words.trim_end_matches('.');
    format!(
        "[Sluice] The call of tool `{tool}` was refused by rule `{rule}`: {words}. It was not run; do not try it another way."
    )
}

/// Adds another text to a preview.
pub(super) fn lengthen(preview: &mut String, more: &str) {
    if preview.len() <= PREVIEW {
        *preview = shortened(format!("{preview}\n{more}"));
    }
}

/// Cut at a character, with a mark that says so.
pub(super) fn shortened(mut text: String) -> String {
    if text.len() > PREVIEW {
        let cut = (0..=PREVIEW).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(cut);
        text.push_str(" [...]");
    }
    text
}
