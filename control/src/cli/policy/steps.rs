//! The steps of an exchange that was tried, for people.

use serde_json::Value;
use sluice_engine::identity::Principal;
use sluice_engine::judge::{Looked, Step};
use sluice_engine::policy::document::{Action, MaskStyle, Part, Policy};

use crate::cli::print::{Paint, clean, clean_line};
use crate::trial::exchange::{Outcome, Verdict};

/// Writes steps. Nothing in them is a value that was found; names come from the request and are cleaned.
pub struct Steps<'p> {
    policy: &'p Policy,
    caller: Option<&'p Principal>,
    paint: Paint,
}

impl<'p> Steps<'p> {
    pub fn new(policy: &'p Policy, caller: Option<&'p Principal>, paint: Paint) -> Self {
        Self { policy, caller, paint }
    }

    /// Every step in order, and the verdict, one a line.
    pub fn write(&self, outcome: &Outcome) -> String {
        let mut lines = Vec::new();
        match outcome.route {
            Some(route) => lines.push(self.line("route", route)),
            None if outcome.rule.as_deref() == Some("route") => {
                lines.push(self.line("route", &self.paint.red("none")));
            }
            // The token was refused before the route counts.
            None => {}
        }
        let mut effects: &[_] = &[];
        for step in &outcome.steps {
            if let Step::Call { effects: own, .. } = step {
                effects = own;
            }
            self.step(step, effects, &mut lines);
        }
        let left_out: Vec<&str> = outcome
            .decisions
            .iter()
            .filter(|one| one.left_out)
            .filter_map(|one| one.tool.as_deref())
            .collect();
        if !left_out.is_empty() {
            let whole =
                if outcome.route.is_some_and(|route| route.starts_with("mcp.")) { "list" } else { "request" };
            let names = left_out.join(", ");
            let text = format!("{} left out of the {whole}, which goes on without: {names}", left_out.len());
            lines.push(self.line("offered", &clean_line(&text)));
        }
        for hold in &outcome.holds {
            let who = hold.approvers.join(", ");
            lines.push(
                self.line("hold", &clean_line(&format!("rule {} asks for someone of {who}", hold.rule))),
            );
        }
        lines.push(self.verdict(outcome));
        lines.join("\n")
    }

    fn line(&self, what: &str, text: &str) -> String {
        format!("{}  {text}", self.paint.dim(&format!("{what:<8}")))
    }

    fn verdict(&self, outcome: &Outcome) -> String {
        let name = match outcome.verdict {
            Verdict::Allow => self.paint.green("allow"),
            Verdict::Hold => self.paint.yellow("hold"),
            Verdict::Deny => self.paint.red("deny"),
        };
        let by = outcome.rule.as_ref().map_or_else(String::new, |rule| format!(", by {}", clean_line(rule)));
        let status = match outcome.status {
            Some(status) => format!(", the caller gets {status}"),
            None => ", the request goes on".into(),
        };
        self.line("verdict", &format!("{name}{by}{status}"))
    }

    fn step(&self, step: &Step, effects: &[sluice_engine::command::Effect], lines: &mut Vec<String>) {
        match step {
            Step::Right { what, name, allowed, role, entry, why } => {
                let by = match (role, entry) {
                    (Some(role), Some(entry)) => format!("role {role} (`{entry}`)"),
                    (Some(role), None) => format!("role {role} (it lists none, so any)"),
                    _ => why.clone().unwrap_or_default(),
                };
                let what = what.replace('_', " ");
                let text = match (allowed, role) {
                    (true, _) => format!("{what} {name}: {} by {by}", self.paint.green("allowed")),
                    (false, Some(_)) => format!("{what} {name}: {} by {by}", self.paint.red("denied")),
                    (false, None) => format!("{what} {name}: {}: {by}", self.paint.red("not allowed")),
                };
                lines.push(self.line("right", &text.replace(['\n', '\r'], " ")));
            }
            Step::Limit { field, value, limit, role, allowed } => {
                let role = role.as_deref().unwrap_or("none");
                let text = match (limit, allowed) {
                    (None, _) => format!("{field} {value}: role {role} sets none"),
                    (Some(limit), true) => format!("{field} {value}: within {limit} of role {role}"),
                    (Some(limit), false) => {
                        format!("{field} {value}: {} {limit} of role {role}", self.paint.red("over"))
                    }
                };
                lines.push(self.line("limit", &text));
            }
            Step::Found { pointer, kind, count, masked, style } => {
                let became = match (masked, style) {
                    (false, _) => "not masked",
                    (true, Some(MaskStyle::Redact)) => "masked, redacted",
                    (true, _) => "masked, a pseudonym stands for it",
                };
                lines.push(
                    self.line("found", &clean_line(&format!("{kind} x{count} in {pointer}: {became}"))),
                );
            }
            Step::Restored { pointer, count } => {
                let text = format!("{count} mask(s) in {pointer} became what they stand for");
                lines.push(self.line("restored", &clean_line(&text)));
            }
            Step::Call { pointer, tool, statements, .. } => {
                lines.push(self.line("call", &clean_line(&format!("{tool} in {pointer}"))));
                for statement in statements {
                    lines.push(self.line("", &clean_line(statement)));
                }
            }
            Step::Rules { pointer, part, tool, findings, rules } => {
                let part = part_name(*part);
                let of = tool.as_ref().map_or_else(String::new, |tool| format!(" of {tool}"));
                lines.push(self.line("rules", &clean_line(&format!("on the {part}{of} in {pointer}"))));
                let elsewhere: Vec<&str> =
                    rules.iter().filter(|r| r.unmet == Some("part")).map(|r| r.rule.as_str()).collect();
                for looked in rules.iter().filter(|looked| looked.unmet != Some("part")) {
                    lines.push(self.line("", &self.looked(looked, tool.as_deref(), findings, effects)));
                }
                if !elsewhere.is_empty() {
                    let text = format!("about other parts: {}", elsewhere.join(", "));
                    lines.push(self.line("", &self.paint.dim(&text)));
                }
            }
        }
    }

    fn looked(
        &self,
        looked: &Looked,
        tool: Option<&str>,
        findings: &[String],
        effects: &[sluice_engine::command::Effect],
    ) -> String {
        let name = &looked.rule;
        let Some(condition) = looked.unmet else {
            let action = match looked.action {
                Action::Allow => "allow",
                Action::Hold => "hold",
                Action::Deny => "deny",
            };
            let only = if looked.observe { ", only observed" } else { "" };
            return format!("{}: matched: {action}{only}", self.paint.bold(name));
        };
        let rule = self.policy.rules.iter().find(|rule| rule.name == *name);
        let when = rule.and_then(|rule| serde_json::to_value(&rule.when).ok());
        let wanted = match when.as_ref().and_then(|when| when.get(condition)) {
            Some(Value::Array(list)) => {
                let list: Vec<String> =
                    list.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
                format!(" is [{}]", list.join(", "))
            }
            Some(Value::String(text)) => format!(" is `{text}`"),
            Some(other) => format!(" is {other}"),
            None => String::new(),
        };
        let here = match condition {
            "groups" => self.caller.map(|caller| caller.groups.join(", ")),
            "tools" => Some(tool.unwrap_or_default().to_owned()),
            "effects" => Some(effects.iter().map(|effect| effect.name()).collect::<Vec<_>>().join(", ")),
            "findings" => Some(findings.join(", ")),
            _ => None,
        };
        let here = match here {
            Some(here) if here.is_empty() => "; here there is none".to_owned(),
            Some(here) => format!("; here: {here}"),
            None => String::new(),
        };
        clean_line(&format!("{name}: not matched: `{condition}`{wanted}{here}"))
    }
}

/// What the caller reads, as it stands in the answer.
pub fn read_by_caller(outcome: &Outcome) -> Option<String> {
    match &outcome.error {
        Some(error) => Some(clean(error.get())),
        None if outcome.messages.is_empty() => None,
        None => Some(clean(&outcome.messages.join("\n"))),
    }
}

fn part_name(part: Part) -> String {
    let name = serde_json::to_value(part).ok().and_then(|name| name.as_str().map(str::to_owned));
    match name.as_deref() {
        Some("toolResult") => "tool result".into(),
        Some("toolCall") => "tool call".into(),
        Some(name) => name.to_owned(),
        None => "part".into(),
    }
}
