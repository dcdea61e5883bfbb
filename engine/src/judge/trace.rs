//! What a case did, step by step, for a person who tries a policy.
//!
//! Off unless [asked for](super::Case::trace); the filter never asks, and nothing is gathered for it. No step carries
//! a value that was found, nor a text that was judged.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;

use super::Case;
use crate::command::Effect;
use crate::json::Value;
use crate::mask::Edit;
use crate::policy::document::{Action, MaskStyle, Part};
use crate::policy::rights::{Allowed, Denied};
use crate::policy::rule::Facts;

/// One thing that a case did on the way to its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "step")]
pub enum Step {
    /// A right of the caller was asked for.
    Right {
        /// What it is: `scope`, `model`, `tool`, `server_tool`, `mcp_server`, `beta`.
        what: &'static str,
        /// Its name, cut to 100 characters.
        name: String,
        /// Whether the caller has it.
        allowed: bool,
        /// The role that decided.
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// The entry of the role's list that decided.
        #[serde(skip_serializing_if = "Option::is_none")]
        entry: Option<String>,
        /// Why not.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A number was held against a limit of the caller's roles.
    Limit {
        /// The field of the body.
        field: &'static str,
        /// What the body says.
        value: String,
        /// The limit; absent: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
        /// The role that gives it.
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// Whether it is within.
        allowed: bool,
    },
    /// Sensitive text was found.
    Found {
        /// Where, as a JSON Pointer into the body.
        pointer: String,
        /// Its kind.
        kind: String,
        /// How many.
        count: u32,
        /// Whether a mask took its place. Not: policy only observes, or the caller's roles exempt the kind.
        masked: bool,
        /// What took its place; absent where nothing did.
        #[serde(skip_serializing_if = "Option::is_none")]
        style: Option<MaskStyle>,
    },
    /// Masks became their originals: pseudonyms on their way to the caller, sealed masks on their way to the model.
    Restored {
        /// Where, as a JSON Pointer into the body.
        pointer: String,
        /// How many.
        count: u32,
    },
    /// A tool call was read.
    Call {
        /// Where, as a JSON Pointer into the reply.
        pointer: String,
        /// The tool.
        tool: String,
        /// The effects of its commands.
        effects: Vec<Effect>,
        /// One entry a statement: `destroy: DROP TABLE removes a table`.
        statements: Vec<String>,
    },
    /// The rules were asked about a part.
    Rules {
        /// Where the part begins, as a JSON Pointer into the body.
        pointer: String,
        /// Which part.
        part: Part,
        /// The tool that is called, or that gave the result.
        #[serde(skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        /// Kinds of findings in it, where some rule asks for them.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        findings: Vec<String>,
        /// Every rule, in the policy's order.
        rules: Vec<Looked>,
    },
}

/// A rule that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    /// The rule.
    pub rule: String,
    /// What it does when it matches.
    pub action: Action,
    /// Whether it only observes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub observe: bool,
    /// The first condition that did not hold, as the policy names it below `when`; absent: the rule matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmet: Option<&'static str>,
}

/// Where steps go.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// `None`: nobody asked.
    steps: Option<RefCell<Vec<Step>>>,
    /// Where the document at hand stands in the whole reply, for a stream.
    base: String,
}

impl Case {
    /// Gathers steps from now on; the check of the route's scope is the first.
    pub fn trace(&mut self) {
        self.trace.steps = Some(RefCell::default());
        if let Some(scope) = self.route.scope {
            // Its answer was given when the case was opened.
            let _ = self.checked("scope", scope, self.rights.check_scope(scope));
        }
    }

    /// The steps since this was last asked; none where they are not [gathered](Case::trace).
    pub fn take_steps(&mut self) -> Vec<Step> {
        self.trace.steps.as_mut().map(|steps| std::mem::take(steps.get_mut())).unwrap_or_default()
    }

    /// Says where the document at hand stands in the whole reply.
    pub(super) fn base(&mut self, base: impl FnOnce() -> String) {
        if self.trace.steps.is_some() {
            self.trace.base = base();
        }
    }

    fn step(&self, step: impl FnOnce() -> Step) {
        if let Some(steps) = &self.trace.steps {
            steps.borrow_mut().push(step());
        }
    }

    fn at(&self, value: Value<'_, '_>) -> String {
        let pointer = value.pointer();
        if self.trace.base.is_empty() {
            return pointer;
        }
        let inside = ["/content_block", "/delta"].iter().find_map(|part| pointer.strip_prefix(part));
        format!("{}{}", self.trace.base, inside.unwrap_or(&pointer))
    }

    /// A right was asked for.
    pub(super) fn checked(
        &self,
        what: &'static str,
        name: &str,
        answer: Result<Allowed<'_>, Denied>,
    ) -> Result<(), Denied> {
        self.step(|| {
            let (role, entry) = match &answer {
                Ok(allowed) => (Some(allowed.role.to_owned()), allowed.entry.map(str::to_owned)),
                Err(Denied::By { role, entry, .. }) => (Some(role.clone()), Some(entry.clone())),
                Err(_) => (None, None),
            };
            let why = answer.as_ref().err().map(ToString::to_string);
            let name = name.chars().take(100).collect();
            Step::Right { what, name, allowed: answer.is_ok(), role, entry, why }
        });
        answer.map(|_| ())
    }

    /// A number was held against a limit; `role`: the one that gives it.
    pub(super) fn limited<'c>(
        &self,
        field: &'static str,
        value: Value<'_, '_>,
        limit: Option<u64>,
        role: impl Fn() -> Option<&'c str>,
        allowed: bool,
    ) {
        self.step(|| {
            let value = value.raw().chars().take(20).collect();
            Step::Limit { field, value, limit, role: role().map(str::to_owned), allowed }
        });
    }

    /// A text was searched, and these edits came of it.
    pub(super) fn masked(&self, value: Value<'_, '_>, text: &str, edits: &[Edit]) {
        let Some(steps) = &self.trace.steps else { return };
        let mut steps = steps.borrow_mut();
        let mut restored = u32::try_from(edits.len()).unwrap_or(u32::MAX);
        let mut counts: Vec<(String, bool, u32)> = Vec::new();
        for finding in self.runtime.masker.find(text) {
            let masked = edits.iter().any(|edit| edit.start == finding.start);
            restored = restored.saturating_sub(u32::from(masked));
            match counts.iter_mut().find(|(kind, own, _)| **kind == *finding.kind && *own == masked) {
                Some((.., count)) => *count += 1,
                None => counts.push((finding.kind.to_string(), masked, 1)),
            }
        }
        let pointer = self.at(value);
        steps.extend(counts.into_iter().map(|(kind, masked, count)| {
            let style = self.runtime.masker.style(&kind, &self.profile).filter(|_| masked);
            Step::Found { pointer: pointer.clone(), kind, count, masked, style }
        }));
        if restored > 0 {
            steps.push(Step::Restored { pointer, count: restored });
        }
    }

    /// Pseudonyms became their originals.
    pub(super) fn restored(&self, value: Value<'_, '_>, count: usize) {
        if count > 0 {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.step(|| Step::Restored { pointer: self.at(value), count });
        }
    }

    /// Text of a stream flowed through the hold-back of a block; `before`: the findings until then.
    pub(super) fn flowed(&self, (index, field): (u64, &str), before: &BTreeMap<String, u32>) {
        let Some(steps) = &self.trace.steps else { return };
        for (kind, count) in self.memory.findings() {
            let count = count.saturating_sub(before.get(kind).copied().unwrap_or_default());
            if count > 0 {
                let style = self.runtime.masker.style(kind, &self.profile);
                let masked = style.is_some();
                let pointer = format!("/content/{index}/{field}");
                steps.borrow_mut().push(Step::Found { pointer, kind: kind.clone(), count, masked, style });
            }
        }
    }

    /// The findings so far, where steps are gathered.
    pub(super) fn found_so_far(&self) -> BTreeMap<String, u32> {
        if self.trace.steps.is_some() { self.memory.findings().clone() } else { BTreeMap::new() }
    }

    /// A call was read.
    pub(super) fn read_call(&self, block: Value<'_, '_>, tool: &str, effects: &[Effect], told: &[String]) {
        self.step(|| Step::Call {
            pointer: self.at(block),
            tool: tool.to_owned(),
            effects: effects.to_vec(),
            statements: told.iter().map(|told| self.recorded_text(told)).collect(),
        });
    }

    /// The rules are asked about a part that begins with `value`.
    pub(super) fn asked(&self, value: Option<Value<'_, '_>>, facts: &Facts<'_>) {
        self.step(|| Step::Rules {
            pointer: value.map(|value| self.at(value)).unwrap_or_default(),
            part: facts.part,
            tool: facts.tool.map(str::to_owned),
            findings: facts.findings.iter().map(|kind| (*kind).to_owned()).collect(),
            rules: self
                .runtime
                .compiled
                .looked(facts)
                .map(|(rule, unmet)| Looked {
                    rule: rule.name.clone(),
                    action: rule.action,
                    observe: rule.observe,
                    unmet,
                })
                .collect(),
        });
    }
}
