//! Definitions of tools: what they are compared by, and what is asked about them.

use std::collections::BTreeSet;

use super::super::calls::shortened;
use super::super::digest::Digest;
use super::super::{Case, decision};
use crate::json::{Kind, Value};
use crate::policy::document::{Action, Definitions, FirstSeen, Part};
use crate::policy::mcp::CompiledMcp;
use crate::record::Decision;
use crate::wire::{HoldAsk, ToolDefinition, ToolKey, ToolsSeen};

/// The rule's name in records and holds.
pub(super) const RULE: &str = "tool_definition";

/// The definitions of one list, by name and digest, and what control says about them. An answer counts for the list
/// that was asked about and for no other.
#[derive(Debug, Default)]
pub(super) struct Compared {
    digests: Vec<(String, String)>,
    /// The tools that are not approved, once control has said so.
    unapproved: Option<BTreeSet<String>>,
}

impl Case {
    /// Says which tools are not approved, of the list that was asked about last.
    pub fn tools_known(&mut self, unapproved: &[String]) {
        if let Some(compared) = self.mcp.as_mut().and_then(|mcp| mcp.compared.as_mut()) {
            compared.unapproved = Some(unapproved.iter().cloned().collect());
        }
    }

    /// The tools of a list that are not approved, or what control is asked about them. An answer is used once: the
    /// next list is asked about anew.
    pub(super) fn unapproved(&mut self, tools: &[Value<'_, '_>]) -> Result<BTreeSet<String>, Box<ToolsSeen>> {
        let Some(server) = self.mcp_server() else { return Ok(BTreeSet::new()) };
        let Some(definitions) = &server.server.definitions else { return Ok(BTreeSet::new()) };
        let digests: Vec<_> =
            tools.iter().filter_map(|tool| Some((tool.str("name")?.into_owned(), digest(*tool)))).collect();
        let known = self.mcp.as_mut().and_then(|mcp| mcp.compared.take());
        if let Some(Compared { digests: asked, unapproved: Some(unapproved) }) = known
            && asked == digests
        {
            return Ok(unapproved);
        }
        let seen = tools.iter().zip(&digests).map(|(tool, (name, digest))| ToolDefinition {
            tool: name.clone(),
            digest: digest.clone(),
            definition: self.shown(*tool),
        });
        let seen = Box::new(ToolsSeen {
            server: server.server.name.clone(),
            trust: definitions.first == FirstSeen::Trust,
            tools: seen.collect(),
            ask: self.definition_ask(definitions),
        });
        if let Some(mcp) = &mut self.mcp {
            mcp.compared = Some(Compared { digests, unapproved: None });
        }
        Err(seen)
    }

    /// The question whether a tool's definition is approved, where policy wants to know.
    pub(super) fn definition_hold(&self, server: &CompiledMcp, tool: &str) -> Option<HoldAsk> {
        let definitions = server.server.definitions.as_ref()?;
        let mut digest = Digest::of("sluice hold: tool definition");
        digest.text(&server.server.name);
        digest.text(tool);
        let key = digest.hex();
        let definition = ToolKey {
            server: server.server.name.clone(),
            tool: tool.to_owned(),
            digest: None,
            trust: definitions.first == FirstSeen::Trust,
            text: String::new(),
        };
        Some(HoldAsk {
            thread: key.clone(),
            key,
            tool: Some(self.recorded_text(&server.tool(tool))),
            definition: Some(definition),
            ..self.definition_ask(definitions)
        })
    }

    /// Notes that a tool was left out since its definition is not approved.
    pub(super) fn note_unapproved(&mut self, tool: &str) {
        self.decisions.push(Decision {
            part: Some(Part::ToolCall),
            tool: Some(tool.to_owned()),
            left_out: true,
            ..decision(RULE, Action::Hold)
        });
    }

    fn definition_ask(&self, definitions: &Definitions) -> HoldAsk {
        let approval = &definitions.approval;
        HoldAsk {
            key: String::new(),
            thread: String::new(),
            earlier: Vec::new(),
            editable: false,
            history: false,
            exchange: self.exchange.clone(),
            rule: RULE.to_owned(),
            message: "the definition of this tool is new or was changed, and nobody has approved it"
                .to_owned(),
            who: self.who(),
            actor: self.principal.actor.clone(),
            node: None,
            session: self.session.clone(),
            part: Part::ToolCall,
            model: None,
            tool: None,
            preview: String::new(),
            effects: Vec::new(),
            approvers: approval.groups.clone(),
            quorum: approval.quorum,
            teams: self.kept_out(Some(approval)),
            grant_seconds: None,
            reason: approval.reason,
            expires_seconds: approval.expires.as_seconds(),
            policy_version: self.runtime.policy_version.clone(),
            definition: None,
        }
    }

    /// A definition for reviewers: one field on each line, masked.
    fn shown(&self, tool: Value<'_, '_>) -> String {
        let lines: Vec<String> = counted(tool)
            .map(|(key, value)| {
                let text = value.text().map_or_else(|| value.raw().to_owned(), |text| text.into_owned());
                self.recorded_text(&format!("{key}: {text}"))
            })
            .collect();
        shortened(lines.join("\n"))
    }
}

/// What of a definition counts: all but what is for the client alone.
fn counted<'d, 'a: 'd>(tool: Value<'d, 'a>) -> impl Iterator<Item = (String, Value<'d, 'a>)> {
    let mut all: Vec<_> = tool
        .entries()
        .filter_map(|(key, value)| Some((key.text()?.into_owned(), value)))
        .filter(|(key, value)| !matches!(key.as_str(), "_meta" | "icons") && value.kind() != Kind::Null)
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all.into_iter()
}

fn digest(tool: Value<'_, '_>) -> String {
    let mut digest = Digest::of("sluice tool definition");
    for (key, value) in counted(tool) {
        digest.text(&key);
        digest.value(value, &[]);
    }
    digest.hex()
}
