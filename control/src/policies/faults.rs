//! What is wrong with a policy, traced back to the file and line where it was written.

use std::fmt;

use serde::{Deserialize, Serialize};
use sluice_engine::mask::MaskError;
use sluice_engine::policy::check::Problem;
use sluice_engine::policy::document::Policy;
use sluice_engine::policy::merge::MergeError;

use super::places::Places;

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The file, or the directory.
    pub file: String,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The field, as a dotted path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong, and what to do.
    pub why: String,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Fault {
    /// As a warning is written: the word stands behind the line, where tools expect it.
    pub fn as_warning(&self) -> String {
        let place = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let field = self.field.as_deref().map(|field| format!("{field}: ")).unwrap_or_default();
        format!("{}{place}: warning: {field}{}", self.file, self.said())
    }

    fn said(&self) -> String {
        match &self.suggestion {
            Some(suggestion) => format!("{}; perhaps `{suggestion}`?", self.why),
            None => self.why.clone(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ": {field}")?;
        }
        write!(f, ": {}", self.said())
    }
}

/// A file that was read.
pub(super) struct Part {
    pub file: String,
    pub policy: Policy,
    pub places: Places,
}

/// Two files that do not go together, or one name for two things: the place of the second.
pub(super) fn clash(why: &MergeError, parts: &[Part]) -> Fault {
    let part_of = |file: &String| parts.iter().find(|part| part.file == *file);
    let (second, line, field, said) = match why {
        MergeError::Twice { what, name, first, second } => {
            let list = if *what == "MCP server" { "mcp".to_owned() } else { format!("{what}s") };
            let before = part_of(first).and_then(|part| part.places.named(&list, name).next());
            let line = match part_of(second) {
                Some(part) if first == second => part.places.named(&list, name).nth(1),
                part => part.and_then(|part| part.places.named(&list, name).next()),
            };
            let said = before.map(|before| {
                let place = if first == second { String::new() } else { format!(" of {first}") };
                format!("{what} `{name}` stands in line {before}{place} already: rename or remove one")
            });
            (second, line, list, said)
        }
        MergeError::Setting { field, second, .. } => {
            let line = part_of(second).and_then(|part| part.places.line(field));
            (second, line, (*field).to_owned(), None)
        }
    };
    let why = said.unwrap_or_else(|| why.to_string());
    Fault { file: second.clone(), line, field: Some(field), why, suggestion: None }
}

/// What masking cannot be set up with, by its field.
pub(super) fn of_masking(error: &MaskError, policy: &Policy) -> Problem {
    let custom = |name: &String, below: &str| {
        let number = policy.masking.custom.iter().position(|pattern| pattern.name == *name);
        number.map_or("masking.custom".to_owned(), |n| format!("masking.custom[{n}].{below}"))
    };
    let field = match error {
        MaskError::Name { name, .. } => custom(name, "name"),
        MaskError::Pattern { name, .. } => custom(name, "pattern"),
        MaskError::Example { name, list, number, .. } => {
            custom(name, &format!("{list}[{}]", number.saturating_sub(1)))
        }
        _ => "masking".to_owned(),
    };
    let said = error.to_string();
    let why = said.split_once(": ").map_or(said.as_str(), |(_, why)| why);
    // A picture of the pattern becomes a line.
    let why = match (why.split_once("regex parse error:"), why.rsplit_once("error: ")) {
        (Some((before, _)), Some((_, what))) => format!("{before}{}", what.trim()),
        _ => why.to_owned(),
    };
    Problem { field, why, suggestion: None }
}

/// Conditions of rules that are written as empty lists. They are read as if they were not there, which is the contrary
/// of what `groups: []` says to a person.
pub(super) fn conditions_without_entries(part: &Part) -> Vec<Fault> {
    let is_condition =
        |path: &&str| path.strip_prefix("rules[").and_then(|rest| rest.split_once("].when.")).is_some();
    let fault = |path: &str| {
        Fault {
        file: part.file.clone(),
        line: part.places.line(path),
        field: Some(path.to_owned()),
        why: "an empty list is no condition: the rule matches as if this were not written; name something, or leave it out"
            .into(),
        suggestion: None,
    }
    };
    part.places.empty_lists().filter(is_condition).map(fault).collect()
}

/// A problem of the merged policy, traced back to its file. Lists are put together in the order of the files.
pub(super) fn place(problem: Problem, parts: &[Part]) -> Fault {
    let Problem { why, suggestion, .. } = problem.clone();
    let (list, index, rest) = split(&problem.field);
    let mut before = 0;
    for part in parts {
        let length = match list {
            "issuers" => part.policy.issuers.len(),
            "roles" => part.policy.roles.len(),
            "bindings" => part.policy.bindings.len(),
            "grants" => part.policy.grants.len(),
            "rules" => part.policy.rules.len(),
            "budgets" => part.policy.budgets.len(),
            "prices" => part.policy.prices.len(),
            "mcp" => part.policy.mcp.len(),
            "notices" => part.policy.notices.len(),
            "people" => part.policy.people.len(),
            "commands" => part.policy.commands.len(),
            "paths" => part.policy.paths.len(),
            "urls" => part.policy.urls.len(),
            _ => 0,
        };
        let field = match index {
            Some(index) if index < before + length => {
                index.checked_sub(before).map(|own| format!("{list}[{own}]{rest}"))
            }
            Some(_) => None,
            None => part.places.line(list).map(|_| problem.field.clone()),
        };
        if let Some(field) = field {
            let line = part.places.line(&field);
            return Fault { file: part.file.clone(), line, field: Some(field), why, suggestion };
        }
        before += length;
    }
    let file = parts.first().map(|part| part.file.clone()).unwrap_or_default();
    Fault { file, line: None, field: Some(problem.field), why, suggestion }
}

/// `roles[1].scopes[0]` is the list `roles`, the index 1, and `.scopes[0]`; `limits.depth` is `limits` and no index.
fn split(field: &str) -> (&str, Option<usize>, &str) {
    let end = field.find(['.', '[']).unwrap_or(field.len());
    let (list, rest) = field.split_at_checked(end).unwrap_or((field, ""));
    let indexed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match indexed.and_then(|(index, rest)| Some((index.parse().ok()?, rest))) {
        Some((index, rest)) => (list, Some(index), rest),
        None => (list, None, rest),
    }
}
