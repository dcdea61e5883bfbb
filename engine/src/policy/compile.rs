//! The bundle in the form in which requests are judged by it.

mod explain;

use std::collections::HashMap;
use std::sync::Arc;

pub use explain::{Given, given};

use super::bundle::{Bundle, Grant, Withheld};
use super::command::Commands;
use super::document::{Action, Binding, Language, MediaAction, Part};
use super::field::Fields;
use super::glob::{self, Glob, globs};
use super::mcp::CompiledMcp;
use super::pattern::{Found, Patterns};
use super::rights::{CompiledRole, Rights};
use super::rule::{CompiledRule, Facts, Outcome};
use super::taken::{Held, Taken};
use crate::identity::{KeyProblem, Principal, Verifier, plain_subject};
use crate::mask::undisguised;

/// Why a bundle cannot be used. [`super::check::check`] finds the same before a policy goes out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy cannot be used: {field}: {why}")]
pub struct CompileError {
    /// Where: `roles[1].scopes[0]`.
    pub field: String,
    /// What is wrong.
    pub why: String,
}

/// What reviews have taken back, by issuer and plain subject: roles, and what of them.
type TakenBack = HashMap<(String, String), Vec<(String, Arc<Taken>)>>;

/// A bundle, compiled. Immutable but for the caches of its automata; a new bundle makes a new one.
pub struct Compiled {
    verifier: Verifier,
    key_problems: Vec<KeyProblem>,
    roles: Vec<(String, Arc<CompiledRole>)>,
    bindings: Vec<Binding>,
    grants: Vec<Grant>,
    withheld: TakenBack,
    rules: Vec<CompiledRule>,
    texts: Patterns,
    inputs: Patterns,
    commands: Commands,
    paths: Fields,
    urls: Fields,
    mcp: Vec<Arc<CompiledMcp>>,
    teams: Vec<Glob>,
}

impl Compiled {
    /// Compiles a bundle.
    ///
    /// # Errors
    /// [`CompileError`] names the first thing in the policy that cannot be compiled. Keys that cannot be used are
    /// no error: see [`Compiled::key_problems`].
    pub fn new(bundle: &Bundle) -> Result<Self, CompileError> {
        let policy = &bundle.policy;
        let wrong = |(field, why): (String, String)| CompileError { field, why };
        let below = |place: String| {
            move |(field, why): (String, String)| CompileError { field: format!("{place}.{field}"), why }
        };
        let (verifier, key_problems) = Verifier::new(&policy.issuers, &bundle.keys, &bundle.revocations);
        let mut roles = Vec::new();
        for (n, role) in policy.roles.iter().enumerate() {
            let compiled = CompiledRole::new(role).map_err(below(format!("roles[{n}]")))?;
            roles.push((role.name.clone(), Arc::new(compiled)));
        }
        for (n, binding) in policy.bindings.iter().enumerate() {
            if let Some(role) = binding.roles.iter().find(|role| !roles.iter().any(|(name, _)| name == *role))
            {
                let field = format!("bindings[{n}].roles");
                return Err(CompileError { field, why: format!("there is no role `{role}`") });
            }
        }
        let (mut texts, mut inputs, mut rules) = (Vec::new(), Vec::new(), Vec::new());
        for (n, rule) in policy.rules.iter().enumerate() {
            let compiled = CompiledRule::new(rule, &mut texts, &mut inputs);
            rules.push(compiled.map_err(below(format!("rules[{n}]")))?);
            if rule.action == Action::Hold && rule.approval.is_none() {
                let why = "a rule that holds must say who may approve".into();
                return Err(CompileError { field: format!("rules[{n}].approval"), why });
            }
        }
        let mut mcp = Vec::new();
        for (n, server) in policy.mcp.iter().enumerate() {
            let compiled = CompiledMcp::new(server).map_err(below(format!("mcp[{n}]")))?;
            mcp.push(Arc::new(compiled));
        }
        if policy.masking.media == MediaAction::Hold && policy.masking.media_approval.is_none() {
            let why = "held media must say who may approve".into();
            return Err(CompileError { field: "masking.mediaApproval".into(), why });
        }
        let patterns = |field: &str, patterns: &[&str]| {
            Patterns::new(patterns).map_err(|why| CompileError { field: field.into(), why })
        };
        Ok(Self {
            verifier,
            key_problems,
            roles,
            bindings: policy.bindings.clone(),
            grants: bundle.grants.clone(),
            withheld: withheld(&bundle.withheld),
            rules,
            texts: patterns("rules[].when.text", &texts)?,
            inputs: patterns("rules[].when.input", &inputs)?,
            commands: Commands::new(&policy.commands).map_err(wrong)?,
            paths: Fields::paths(&policy.paths).map_err(wrong)?,
            urls: Fields::urls(&policy.urls).map_err(wrong)?,
            mcp,
            teams: globs(&policy.access.teams)
                .map_err(|(n, why)| wrong((format!("access.teams[{n}]"), why.to_string())))?,
        })
    }

    /// Whether a group is a team: whoever shares one with a requester may be kept from deciding.
    pub fn is_team(&self, group: &str) -> bool {
        glob::first(&self.teams, group).is_some()
    }

    /// Checks tokens by the bundle's issuers, keys and revocations.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Keys that cannot be used, for the log.
    pub fn key_problems(&self) -> &[KeyProblem] {
        &self.key_problems
    }

    /// What the principal may do at `now_ms`: the roles that bindings give to its groups and subject, without what
    /// access reviews have taken back of them, and those of grants that have begun and not ended.
    pub fn rights(&self, principal: &Principal, now_ms: u64) -> Rights {
        let bound = |role: &str| {
            self.bindings.iter().any(|binding| {
                binding.issuer.as_ref().is_none_or(|issuer| *issuer == principal.issuer)
                    && binding.roles.iter().any(|name| name == role)
                    && (binding.subjects.contains(&principal.subject)
                        || binding.groups.iter().any(|group| principal.groups.contains(group)))
            })
        };
        let granted = |role: &str| {
            self.grants.iter().any(|grant| {
                grant.role == role
                    && grant.issuer == principal.issuer
                    && grant.subject == principal.subject
                    && (grant.from_ms..grant.until_ms).contains(&now_ms)
            })
        };
        let key = (principal.issuer.clone(), plain_subject(&principal.subject));
        let taken = self.withheld.get(&key).map(Vec::as_slice).unwrap_or_default();
        let (mut held, mut withheld, mut denying) = (Vec::new(), Vec::new(), Vec::new());
        for (name, role) in &self.roles {
            let (bound, granted) = (bound(name), granted(name));
            let taken = taken.iter().filter(|(role, _)| role == name).map(|(_, taken)| Arc::clone(taken));
            let taken: Vec<_> = if bound && !granted { taken.collect() } else { Vec::new() };
            if !taken.is_empty() {
                withheld.push(name.clone());
            }
            if taken.iter().any(|taken| matches!(&**taken, Taken::Role)) {
                denying.push(Arc::clone(role));
            } else if bound || granted {
                held.push(Held { role: Arc::clone(role), taken });
            }
        }
        Rights::new(held, principal.scopes.clone(), withheld, denying)
    }

    /// The rules, in the policy's order.
    pub fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }

    /// Whether any rule looks at this part: if none does, nothing need be gathered for [`Compiled::decide`].
    pub fn watches(&self, part: Part) -> bool {
        self.rules.iter().any(|rule| rule.parts.contains(&part))
    }

    /// Whether any rule asks for the kinds of findings.
    pub fn asks_for_findings(&self) -> bool {
        self.rules.iter().any(CompiledRule::asks_for_findings)
    }

    /// Whether any rule asks which files or hosts a tool call names.
    pub fn asks_for_targets(&self) -> bool {
        self.rules.iter().any(CompiledRule::asks_for_targets)
    }

    /// What the rules say about a part of an exchange: deny before hold before allow, and the first in order among
    /// equals names itself. A text is read once, whatever the number of rules.
    pub fn decide(&self, facts: &Facts<'_>) -> Outcome<'_> {
        let text = self.texts_in(facts);
        let input = self.inputs.found(facts.input_strings.iter().map(AsRef::as_ref));
        let mut outcome =
            Outcome { action: Action::Allow, rule: None, holds: Vec::new(), observed: Vec::new() };
        for rule in self.rules.iter().filter(|rule| rule.matches(facts, &text, &input)) {
            if rule.observe {
                outcome.observed.push(rule);
                continue;
            }
            if rule.action == Action::Hold {
                outcome.holds.push(rule);
            }
            if outcome.rule.is_none() || rule.action > outcome.action {
                outcome.action = rule.action;
                outcome.rule = Some(rule);
            }
        }
        outcome
    }

    /// The patterns for texts that occur in the part's text, as it stands or without its disguises.
    fn texts_in(&self, facts: &Facts<'_>) -> Found {
        let plain = facts.text.filter(|_| self.texts.is_any()).and_then(undisguised);
        self.texts.found(facts.text.into_iter().chain(plain.as_deref()))
    }

    /// The MCP server at an authority and a path (without its query).
    pub fn mcp_server(&self, authority: &str, path: &str) -> Option<&Arc<CompiledMcp>> {
        self.mcp.iter().find(|server| server.is_at(authority, path))
    }

    /// How the text of a field in a tool's input is read, at whatever depth it stands; `None`: not a command.
    pub fn command_language(&self, tool: &str, field: &str) -> Option<Language> {
        self.commands.language(tool, field)
    }

    /// Whether a field in a tool's input holds paths of files, at whatever depth it stands.
    pub fn holds_paths(&self, tool: &str, field: &str) -> bool {
        self.paths.holds(tool, field)
    }

    /// Whether a field in a tool's input holds URLs or hosts, at whatever depth it stands.
    pub fn holds_urls(&self, tool: &str, field: &str) -> bool {
        self.urls.holds(tool, field)
    }
}

/// What was taken back, by whom it was taken from.
fn withheld(entries: &[Withheld]) -> TakenBack {
    let mut all = TakenBack::new();
    for entry in entries {
        let key = (entry.issuer.clone(), plain_subject(&entry.subject));
        let taken = Arc::new(Taken::new(entry.part.as_ref()));
        all.entry(key).or_default().push((entry.role.clone(), taken));
    }
    all
}

#[cfg(test)]
mod tests;
