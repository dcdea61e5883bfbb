//! Rights with an end that people may ask for.

use super::{Found, nearest};
use crate::policy::document::Policy;

pub(super) fn check(policy: &Policy, found: &mut Found) {
    found.names("grants", policy.grants.iter().map(|grant| &grant.name));
    let roles: Vec<_> = policy.roles.iter().map(|role| role.name.as_str()).collect();
    for (n, grant) in policy.grants.iter().enumerate() {
        let place = |field: &str| format!("grants[{n}].{field}");
        for (m, role) in grant.roles.iter().enumerate() {
            if !roles.contains(&role.as_str()) {
                let why = format!("there is no role `{role}`");
                found.suggest(place(&format!("roles[{m}]")), why, nearest(role, &roles));
            }
        }
        if grant.roles.is_empty() {
            found.add(place("roles"), "it is empty, so that the grant gives nothing");
        }
        if grant.groups.is_empty() {
            found.add(place("groups"), "it is empty, so that nobody may ask for the grant");
        }
        if grant.longest.as_seconds() == 0 {
            found.add(place("longest"), "zero would give nothing; leave it out for the default");
        }
        match (&grant.approval, grant.break_glass) {
            (None, false) => found.add(
                place("approval"),
                "nobody may approve it: say who (`approval: {groups: [...]}`), or give it at once in emergencies \
                 (`breakGlass: true`)",
            ),
            (Some(_), true) => found.add(
                place("breakGlass"),
                "a grant is given at once or approved by someone, not both: leave `approval` or `breakGlass` out",
            ),
            _ => {}
        }
    }
}
