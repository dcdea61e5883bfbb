//! Why a policy says what it says, for a person who tries it.

use super::Compiled;
use crate::identity::Principal;
use crate::policy::bundle::Grant;
use crate::policy::document::Binding;
use crate::policy::rule::{CompiledRule, Facts};

/// A role that a principal has, and through what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<'c> {
    /// The role.
    pub role: &'c str,
    /// The binding; `None`: a grant.
    pub binding: Option<&'c str>,
    /// The group by which the binding applies; `None`: by the subject.
    pub group: Option<&'c str>,
    /// The grant, where it is none of a binding.
    pub grant: Option<&'c Grant>,
}

/// Through what a principal has its roles at `now_ms`, before access reviews: what bindings give to its groups and
/// subject, and grants that have begun and not ended.
pub fn given<'c>(
    bindings: &'c [Binding],
    grants: &'c [Grant],
    principal: &Principal,
    now_ms: u64,
) -> Vec<Given<'c>> {
    let mut given = Vec::new();
    for binding in bindings {
        if binding.issuer.as_ref().is_some_and(|issuer| *issuer != principal.issuer) {
            continue;
        }
        let group = binding.groups.iter().find(|group| principal.groups.contains(group));
        if group.is_none() && !binding.subjects.contains(&principal.subject) {
            continue;
        }
        given.extend(binding.roles.iter().map(|role| Given {
            role,
            binding: Some(&binding.name),
            group: group.map(String::as_str),
            grant: None,
        }));
    }
    let live = grants.iter().filter(|grant| {
        grant.issuer == principal.issuer
            && grant.subject == principal.subject
            && (grant.from_ms..grant.until_ms).contains(&now_ms)
    });
    given.extend(live.map(|grant| Given {
        role: &grant.role,
        binding: None,
        group: None,
        grant: Some(grant),
    }));
    given
}

impl Compiled {
    /// See [`given`]; without what access reviews have taken back, as [`Compiled::rights`] puts them together.
    pub fn given(&self, principal: &Principal, now_ms: u64) -> Vec<Given<'_>> {
        let rights = self.rights(principal, now_ms);
        let held = rights.roles();
        let mut given = given(&self.bindings, &self.grants, principal, now_ms);
        given.retain(|given| held.contains(&given.role));
        given
    }

    /// Every rule, with the first of its conditions that does not hold; `None`: it matches.
    pub fn looked(&self, facts: &Facts<'_>) -> impl Iterator<Item = (&CompiledRule, Option<&'static str>)> {
        let text = self.texts_in(facts);
        let input = self.inputs.found(facts.input_strings.iter().map(AsRef::as_ref));
        self.rules.iter().map(move |rule| (rule, rule.unmet(facts, &text, &input)))
    }
}
