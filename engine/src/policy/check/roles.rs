//! Roles and who gets them.

use super::{Found, nearest};
use crate::claude::routes;
use crate::mask;
use crate::policy::document::{AllowDeny, Policy};
use crate::policy::glob::Glob;
use crate::policy::server::ServerGlob;

pub(super) fn check(policy: &Policy, found: &mut Found) {
    found.names("roles", policy.roles.iter().map(|role| &role.name));
    let scopes = routes::scopes();
    for (n, role) in policy.roles.iter().enumerate() {
        let place = |field: &str| format!("roles[{n}].{field}");
        found.known(&place("scopes"), "scope", &role.scopes, &scopes);
        found.globs(&place("models"), &role.models);
        for (field, lists) in
            [("tools", &role.tools), ("serverTools", &role.server_tools), ("betas", &role.betas)]
        {
            for (list, texts) in entries(lists) {
                found.globs(&place(&format!("{field}.{list}")), texts);
            }
        }
        for (list, texts) in entries(&role.mcp_servers) {
            for (m, text) in texts.iter().enumerate() {
                if let Err(why) = ServerGlob::new(text) {
                    found.add(place(&format!("mcpServers.{list}[{m}]")), why);
                }
            }
        }
        if role.max_tokens == Some(0) {
            found.add(place("maxTokens"), "zero would refuse every request; leave the scope out instead");
        }
        found.globs(&place("unmasked"), &role.unmasked);
        for kind in role.masks.keys() {
            check_kind(policy, &place("masks"), kind, found);
        }
    }
}

fn check_kind(policy: &Policy, place: &str, kind: &str, found: &mut Found) {
    let field = format!("{place}.{kind}");
    let glob = match Glob::new(kind) {
        Ok(glob) => glob,
        Err(why) => return found.add(field, why.to_string()),
    };
    let mut kinds = mask::default_kinds();
    kinds.extend(mask::pack_kinds().into_iter().map(|(_, kind)| kind));
    kinds.extend(policy.masking.custom.iter().map(|pattern| pattern.name.as_str()));
    if !kinds.iter().any(|known| glob.matches(known)) {
        found.suggest(field, format!("`{kind}` fits no kind of finding"), nearest(kind, &kinds));
    }
}

fn entries(lists: &AllowDeny) -> [(&'static str, &[String]); 2] {
    [("allow", lists.allow.as_deref().unwrap_or_default()), ("deny", &lists.deny)]
}

pub(super) fn check_bindings(policy: &Policy, found: &mut Found) {
    found.names("bindings", policy.bindings.iter().map(|binding| &binding.name));
    let roles: Vec<_> = policy.roles.iter().map(|role| role.name.as_str()).collect();
    let issuers: Vec<_> = policy.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    for (n, binding) in policy.bindings.iter().enumerate() {
        let place = |field: &str| format!("bindings[{n}].{field}");
        for (m, role) in binding.roles.iter().enumerate() {
            if !roles.contains(&role.as_str()) {
                let why = format!("there is no role `{role}`");
                found.suggest(place(&format!("roles[{m}]")), why, nearest(role, &roles));
            }
        }
        if binding.roles.is_empty() {
            found.add(place("roles"), "it is empty, so that the binding gives nothing");
        }
        if binding.groups.is_empty() && binding.subjects.is_empty() {
            found.add(
                place("groups"),
                "neither `groups` nor `subjects` names anybody, so that the binding is for nobody",
            );
        }
        if let Some(issuer) = &binding.issuer
            && !issuers.contains(&issuer.as_str())
        {
            found.suggest(
                place("issuer"),
                format!("there is no issuer `{issuer}`"),
                nearest(issuer, &issuers),
            );
        }
        let wildcard = binding.groups.iter().chain(&binding.subjects).find(|name| name.contains('*'));
        if let Some(name) = wildcard {
            found.add(
                place("groups"),
                format!("`{name}`: groups and subjects are compared exactly, `*` has no meaning"),
            );
        }
    }
}
