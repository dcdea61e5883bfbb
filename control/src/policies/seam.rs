//! How several files become one policy, and what is wrong with it.

use std::collections::BTreeMap;

use sluice_engine::policy::document::{Action, Policy};

/// Something that is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `roles[1].scopes[0]`.
    pub field: String,
    /// What is wrong.
    pub why: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// Merges the policies of several files: lists one after the other in the order of the files' names, settings from
/// the one file that has them.
///
/// # Errors
/// A name that stands for two things, or a setting with two values.
pub fn merge(mut policies: Vec<(String, Policy)>) -> Result<Policy, String> {
    policies.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut seen: BTreeMap<(&str, String), String> = BTreeMap::new();
    for (file, policy) in &policies {
        let names = policy.issuers.iter().map(|i| ("issuer", &i.name));
        let names = names.chain(policy.roles.iter().map(|r| ("role", &r.name)));
        let names = names.chain(policy.bindings.iter().map(|b| ("binding", &b.name)));
        for (what, name) in names.chain(policy.rules.iter().map(|r| ("rule", &r.name))) {
            if let Some(first) = seen.insert((what, name.clone()), file.clone()) {
                return Err(format!(
                    "{what} `{name}` stands in {first} and again in {file}: rename or remove one"
                ));
            }
        }
    }
    let mut merged = Policy::default();
    let plain = Policy::default();
    for (file, policy) in policies {
        merged.issuers.extend(policy.issuers);
        merged.roles.extend(policy.roles);
        merged.bindings.extend(policy.bindings);
        merged.rules.extend(policy.rules);
        merged.commands.extend(policy.commands);
        setting("masking", &file, &mut merged.masking, policy.masking, &plain.masking)?;
        setting("recording", &file, &mut merged.recording, policy.recording, &plain.recording)?;
        setting("limits", &file, &mut merged.limits, policy.limits, &plain.limits)?;
        setting("access", &file, &mut merged.access, policy.access, &plain.access)?;
    }
    Ok(merged)
}

fn setting<T: PartialEq>(field: &str, file: &str, merged: &mut T, new: T, plain: &T) -> Result<(), String> {
    if new == *plain || new == *merged {
        return Ok(());
    }
    if *merged != *plain {
        return Err(format!(
            "`{field}` is set in {file} and differently in another file: set it in one file"
        ));
    }
    *merged = new;
    Ok(())
}

/// What is wrong with a merged policy.
pub fn check(policy: &Policy) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, rule) in policy.rules.iter().enumerate() {
        if rule.action == Action::Hold && rule.approval.as_ref().is_none_or(|a| a.groups.is_empty()) {
            problems.push(Problem {
                field: format!("rules[{at}].approval"),
                why: format!("rule `{}` holds, and says nobody who may approve", rule.name),
                suggestion: Some("approval: { groups: [approvers] }".into()),
            });
        }
    }
    for (at, binding) in policy.bindings.iter().enumerate() {
        for (n, role) in binding.roles.iter().enumerate() {
            if !policy.roles.iter().any(|known| known.name == *role) {
                problems.push(Problem {
                    field: format!("bindings[{at}].roles[{n}]"),
                    why: format!("there is no role `{role}`"),
                    suggestion: None,
                });
            }
        }
    }
    problems
}
