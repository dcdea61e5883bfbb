//! What is wrong with a policy, traced back to the file and line where it was written.

use std::fmt;

use serde::Serialize;
use sluice_engine::mask::MaskError;
use sluice_engine::policy::check::Problem;
use sluice_engine::policy::document::Policy;
use sluice_engine::policy::merge::MergeError;

use super::places::Places;

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    let (second, line, field) = match why {
        MergeError::Twice { what, name, second, .. } => {
            let list = format!("{what}s");
            let part = parts.iter().find(|part| part.file == *second);
            (second, part.and_then(|part| part.places.second(&list, name)), list)
        }
        MergeError::Setting { field, second, .. } => {
            let part = parts.iter().find(|part| part.file == *second);
            (second, part.and_then(|part| part.places.line(field)), (*field).to_owned())
        }
    };
    Fault { file: second.clone(), line, field: Some(field), why: why.to_string(), suggestion: None }
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
