//! Rules, compiled, and what they are matched against.

use std::borrow::Cow;

use super::document::{Action, Approval, Part, Rule};
use super::glob::{self, Glob, globs};
use super::pattern::Found;
use super::rights::Wrong;
use crate::command::Effect;

/// What is known of one part of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Which part.
    pub part: Part,
    /// The route's name.
    pub route: &'a str,
    /// The principal's groups.
    pub groups: &'a [String],
    /// The model, where the request names one.
    pub model: Option<&'a str>,
    /// The part's text; `None` for a tool call.
    pub text: Option<&'a str>,
    /// The tool that is called, or that gave the result.
    pub tool: Option<&'a str>,
    /// Every string in the input of a tool call, keys included where they can carry text.
    pub input_strings: &'a [Cow<'a, str>],
    /// The kinds of the findings in the part.
    pub findings: &'a [&'a str],
    /// The effects of the commands in the input of a tool call.
    pub effects: &'a [Effect],
}

/// A rule, compiled.
#[derive(Debug)]
pub struct CompiledRule {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// What the caller reads.
    pub message: String,
    /// Who may approve; always there when the action is hold.
    pub approval: Option<Approval>,
    /// Whether it is only reported.
    pub observe: bool,
    /// The parts that it looks at.
    pub parts: Vec<Part>,
    routes: Vec<Glob>,
    groups: Vec<String>,
    models: Vec<Glob>,
    tools: Vec<Glob>,
    findings: Vec<Glob>,
    /// As written: an effect that was not understood matches only where `unknown` is listed.
    effects: Vec<Effect>,
    /// Number of the pattern for texts.
    text: Option<usize>,
    /// Number of the pattern for inputs.
    input: Option<usize>,
}

impl CompiledRule {
    /// Compiles a rule; its patterns are appended to `texts` and `inputs`, to be compiled together.
    pub(super) fn new<'r>(
        rule: &'r Rule,
        texts: &mut Vec<&'r str>,
        inputs: &mut Vec<&'r str>,
    ) -> Result<Self, Wrong> {
        let list = |field: &str, texts: &[String]| {
            globs(texts).map_err(|(n, why)| (format!("when.{field}[{n}]"), why.to_string()))
        };
        let when = &rule.when;
        let message = rule.message.clone().unwrap_or_else(|| match rule.action {
            Action::Allow => format!("rule `{}` allows this", rule.name),
            Action::Hold => format!("rule `{}` asks for the approval of a reviewer first", rule.name),
            Action::Deny => format!("rule `{}` does not allow this", rule.name),
        });
        let number = |patterns: &mut Vec<&'r str>, pattern: &'r Option<String>| {
            pattern.as_ref().map(|pattern| {
                patterns.push(pattern);
                patterns.len() - 1
            })
        };
        Ok(Self {
            name: rule.name.clone(),
            action: rule.action,
            message,
            approval: rule.approval.clone(),
            observe: rule.observe,
            parts: parts(rule),
            routes: list("routes", &when.routes)?,
            groups: when.groups.clone(),
            models: list("models", &when.models)?,
            tools: list("tools", &when.tools)?,
            findings: list("findings", &when.findings)?,
            effects: when.effects.clone(),
            text: number(texts, &when.text),
            input: number(inputs, &when.input),
        })
    }

    pub(super) fn asks_for_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    /// Whether every condition holds. `text` and `input` say which patterns were found in the part.
    pub(super) fn matches(&self, facts: &Facts<'_>, text: &Found, input: &Found) -> bool {
        self.unmet(facts, text, input).is_none()
    }

    /// The first condition that does not hold, as it is named below `when`; `None`: the rule matches.
    pub(super) fn unmet(&self, facts: &Facts<'_>, text: &Found, input: &Found) -> Option<&'static str> {
        let any = |globs: &[Glob], name: Option<&str>| {
            globs.is_empty() || name.is_some_and(|name| glob::first(globs, name).is_some())
        };
        let groups =
            || self.groups.is_empty() || self.groups.iter().any(|group| facts.groups.contains(group));
        let findings =
            || self.findings.is_empty() || facts.findings.iter().any(|kind| any(&self.findings, Some(kind)));
        let effects =
            || self.effects.is_empty() || self.effects.iter().any(|effect| facts.effects.contains(effect));
        let conditions: [(&'static str, &dyn Fn() -> bool); 9] = [
            ("part", &|| self.parts.contains(&facts.part)),
            ("routes", &|| any(&self.routes, Some(facts.route))),
            ("groups", &groups),
            ("models", &|| any(&self.models, facts.model)),
            ("tools", &|| any(&self.tools, facts.tool)),
            ("findings", &findings),
            ("effects", &effects),
            ("text", &|| self.text.is_none_or(|number| text.has(number))),
            ("input", &|| self.input.is_none_or(|number| input.has(number))),
        ];
        conditions.into_iter().find(|(_, holds)| !holds()).map(|(name, _)| name)
    }
}

/// The parts that a rule looks at: those it names; else tool calls where a condition is about them, else prompts
/// and tool results.
pub(super) fn parts(rule: &Rule) -> Vec<Part> {
    let when = &rule.when;
    if !when.part.is_empty() {
        when.part.clone()
    } else if !when.tools.is_empty() || when.input.is_some() || !when.effects.is_empty() {
        vec![Part::ToolCall]
    } else {
        vec![Part::Prompt, Part::ToolResult]
    }
}

/// What the rules say about a part.
#[derive(Debug)]
pub struct Outcome<'c> {
    /// What happens; allow when no rule matched.
    pub action: Action,
    /// The rule that decided: the first in the policy's order among those with this action.
    pub rule: Option<&'c CompiledRule>,
    /// When the action is hold: all rules that hold, in order. Each names its own approvers, so each must be settled.
    pub holds: Vec<&'c CompiledRule>,
    /// Rules that matched and only observe.
    pub observed: Vec<&'c CompiledRule>,
}
