//! What is wrong with a policy, where, and what to do about it.

mod access;
mod advice;
mod approvals;
mod budgets;
mod grants;
mod issuers;
mod kinds;
mod masking;
mod mcp;
mod nearest;
mod notices;
mod reviews;
mod roles;
mod rules;

use std::fmt;

pub use advice::advice;
pub use nearest::nearest;

use super::document::Policy;
use super::glob::Glob;
use super::pattern::Patterns;

/// Longest name of an issuer, role, binding or rule, in bytes: it stands in messages and records.
const MAX_NAME: usize = 100;

/// Deepest nesting that may be allowed: the filter's stack holds some thousand levels, nobody needs hundreds.
const MAX_DEPTH: u32 = 512;

/// One thing that is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `roles[1].scopes[0]`.
    pub field: String,
    /// What is wrong.
    pub why: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.why)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " (did you mean `{suggestion}`?)"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a merged policy, in its order; empty: it is good, and
/// [`Compiled::new`](super::compile::Compiled::new) takes it.
///
/// The patterns of `masking.custom` are checked where they are compiled, by the masking engine; here only their names.
pub fn check(policy: &Policy) -> Vec<Problem> {
    let mut found = Found::default();
    issuers::check(policy, &mut found);
    access::check(policy, &mut found);
    roles::check(policy, &mut found);
    roles::check_bindings(policy, &mut found);
    grants::check(policy, &mut found);
    masking::check(policy, &mut found);
    rules::check(policy, &mut found);
    check_commands(policy, &mut found);
    budgets::check(policy, &mut found);
    mcp::check(policy, &mut found);
    notices::check(policy, &mut found);
    reviews::check(policy, &mut found);
    approvals::check(policy, &mut found);
    check_limits(policy, &mut found);
    found.0
}

/// The problems so far.
#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.0.push(Problem { field: field.into(), why: why.into(), suggestion: None });
    }

    fn suggest(&mut self, field: impl Into<String>, why: impl Into<String>, suggestion: Option<&str>) {
        let suggestion = suggestion.map(str::to_owned);
        self.0.push(Problem { field: field.into(), why: why.into(), suggestion });
    }

    /// Names are there, short, printable and given once.
    fn names<'n>(&mut self, list: &str, names: impl Iterator<Item = &'n String>) {
        let mut seen: Vec<&String> = Vec::new();
        for (n, name) in names.enumerate() {
            let field = format!("{list}[{n}].name");
            if name.is_empty() {
                self.add(field, "it has no name; messages and records need one");
            } else if name.len() > MAX_NAME || name.chars().any(char::is_control) {
                self.add(field, "a name is at most 100 bytes of printable text");
            } else if seen.contains(&name) {
                self.add(field, format!("the name `{name}` is taken by an earlier entry"));
            } else {
                seen.push(name);
            }
        }
    }

    /// Every text is a glob.
    fn globs(&mut self, list: &str, texts: &[String]) {
        for (n, text) in texts.iter().enumerate() {
            if let Err(why) = Glob::new(text) {
                self.add(format!("{list}[{n}]"), why.to_string());
            }
        }
    }

    /// Every text is a glob of a kind of its own.
    fn each<G>(&mut self, list: &str, texts: &[String], one: impl Fn(&str) -> Result<G, String>) {
        for (n, text) in texts.iter().enumerate() {
            if let Err(why) = one(text) {
                self.add(format!("{list}[{n}]"), why);
            }
        }
    }

    /// Every text is a glob that fits at least one of the known names.
    fn known(&mut self, list: &str, what: &str, texts: &[String], known: &[&str]) {
        for (n, text) in texts.iter().enumerate() {
            let field = format!("{list}[{n}]");
            match Glob::new(text) {
                Err(why) => self.add(field, why.to_string()),
                Ok(glob) if !known.iter().any(|name| glob.matches(name)) => {
                    self.suggest(field, format!("`{text}` fits no {what}"), nearest(text, known));
                }
                Ok(_) => {}
            }
        }
    }
}

fn check_commands(policy: &Policy, found: &mut Found) {
    let commands = policy.commands.iter().map(|entry| (&entry.tools, &entry.fields));
    check_fields("commands", commands, found);
    check_fields("paths", policy.paths.iter().map(|entry| (&entry.tools, &entry.fields)), found);
    check_fields("urls", policy.urls.iter().map(|entry| (&entry.tools, &entry.fields)), found);
}

fn check_fields<'p>(
    place: &str,
    entries: impl Iterator<Item = (&'p Vec<String>, &'p Vec<String>)>,
    found: &mut Found,
) {
    for (n, (tools, fields)) in entries.enumerate() {
        found.globs(&format!("{place}[{n}].tools"), tools);
        for (list, empty) in [("tools", tools.is_empty()), ("fields", fields.is_empty())] {
            if empty {
                found.add(format!("{place}[{n}].{list}"), "it is empty, and so the entry never applies");
            }
        }
    }
}

fn check_limits(policy: &Policy, found: &mut Found) {
    for (field, zero) in [
        ("limits.bodyBytes", policy.limits.body_bytes == 0),
        ("limits.depth", policy.limits.depth == 0),
        ("limits.bundleAge", policy.limits.bundle_age.as_seconds() == 0),
    ] {
        if zero {
            found.add(field, "zero would refuse every request; leave it out for the default");
        }
    }
    if policy.limits.depth > MAX_DEPTH {
        found.add(
            "limits.depth",
            format!("bodies are read by recursion; {MAX_DEPTH} is the deepest that is safe"),
        );
    }
}

/// All patterns of one kind compile together, which can fail where each alone does not.
fn check_together(field: &str, patterns: &[&str], found: &mut Found) {
    if let Err(why) = Patterns::new(patterns) {
        found.add(field, format!("the patterns are too large together: {why}"));
    }
}

#[cfg(test)]
mod tests;
