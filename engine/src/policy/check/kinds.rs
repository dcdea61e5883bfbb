//! Finding kinds and packs: that there are such, and that they are on.

use super::{Found, nearest};
use crate::mask::{default_kinds, pack_kinds};
use crate::policy::document::Policy;
use crate::policy::glob::Glob;

/// What people call a kind, and what it is called here.
const KNOWN_AS: &[(&str, &str)] = &[
    ("credit_card", "payment_card"),
    ("card", "payment_card"),
    ("ssn", "us_ssn"),
    ("e-mail", "email"),
    ("mail", "email"),
    ("phone_number", "phone"),
    ("api_key", "*_key"),
    ("token", "*_token"),
    ("aws_key", "aws_access_key"),
    ("ip", "ip_address"),
];

pub(super) fn check(policy: &Policy, found: &mut Found) {
    let packs = pack_kinds();
    let mut names: Vec<&str> = packs.iter().map(|(pack, _)| *pack).collect();
    names.dedup();
    for (n, pack) in policy.masking.packs.iter().enumerate() {
        if !names.contains(&pack.as_str()) {
            let why = format!("there is no pack `{pack}`; there are {}", names.join(", "));
            found.suggest(format!("masking.packs[{n}]"), why, nearest(pack, &names));
        }
    }
    let mut all = default_kinds();
    all.extend(packs.iter().map(|(_, kind)| *kind));
    all.extend(policy.masking.custom.iter().map(|pattern| pattern.name.as_str()));
    for kind in policy.masking.kinds.keys() {
        check_one(format!("masking.kinds.{kind}"), kind, &all, found);
    }
    for (n, role) in policy.roles.iter().enumerate() {
        for kind in role.masks.keys() {
            check_one(format!("roles[{n}].masks.{kind}"), kind, &all, found);
        }
    }
    let is_on = |kind: &str| {
        let mut of = packs.iter().filter(|(_, own)| *own == kind).peekable();
        of.peek().is_none()
            || policy.masking.kinds.contains_key(kind)
            || of.any(|(pack, _)| policy.masking.packs.iter().any(|on| on == pack))
    };
    let lists = policy
        .roles
        .iter()
        .enumerate()
        .map(|(n, role)| (format!("roles[{n}].unmasked"), &role.unmasked))
        .chain(
            policy
                .rules
                .iter()
                .enumerate()
                .map(|(n, rule)| (format!("rules[{n}].when.findings"), &rule.when.findings)),
        );
    for (place, list) in lists {
        for (n, kind) in list.iter().enumerate() {
            let field = format!("{place}[{n}]");
            if check_one(field.clone(), kind, &all, found) && !kind.contains(['*', '?']) && !is_on(kind) {
                let pack =
                    packs.iter().find(|(_, own)| own == kind).map(|(pack, _)| *pack).unwrap_or_default();
                let why = format!(
                    "nothing looks for `{kind}`: it belongs to the pack `{pack}`, which is off; add `{pack}` to `masking.packs`"
                );
                found.add(field, why);
            }
        }
    }
}

/// Whether the glob fits a kind.
fn check_one(field: String, kind: &str, all: &[&str], found: &mut Found) -> bool {
    let glob = match Glob::new(kind) {
        Ok(glob) => glob,
        Err(why) => {
            found.add(field, why.to_string());
            return false;
        }
    };
    let fits = all.iter().any(|name| glob.matches(name));
    if !fits {
        let known = KNOWN_AS.iter().find(|(name, _)| *name == kind).map(|(_, known)| *known);
        let why = format!("`{kind}` fits no finding kind; docs/masking.md lists them");
        found.suggest(field, why, known.or_else(|| nearest(kind, all)));
    }
    fits
}
