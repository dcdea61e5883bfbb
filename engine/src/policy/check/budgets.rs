//! Prices and budgets: that each can be compiled, applies to somebody, limits something, and can be counted.

use super::Found;
use super::rules::RESERVED;
use crate::claude::routes;
use crate::policy::document::{Budget, Per, Policy};

/// The longest window, in days: what is counted must be kept for as long.
const LONGEST_DAYS: u64 = 366;

pub(super) fn check(policy: &Policy, found: &mut Found) {
    found.names("prices", policy.prices.iter().map(|price| &price.name));
    for (n, price) in policy.prices.iter().enumerate() {
        let field = format!("prices[{n}].models");
        if price.models.is_empty() {
            found.add(&field, "it is empty, and so the price is for no model; write [\"*\"] for all");
        }
        found.globs(&field, &price.models);
    }
    found.names("budgets", policy.budgets.iter().map(|budget| &budget.name));
    let routes: Vec<_> = routes::all().map(|route| route.name).collect();
    let rules: Vec<_> = policy.rules.iter().map(|rule| rule.name.as_str()).collect();
    for (n, budget) in policy.budgets.iter().enumerate() {
        let place = |field: &str| format!("budgets[{n}].{field}");
        let name = budget.name.as_str();
        if RESERVED.contains(&name) || rules.contains(&name) {
            let why = format!("records already use `{name}` for something else; choose another name");
            found.add(place("name"), why);
        }
        found.known(&place("routes"), "route", &budget.routes, &routes);
        found.globs(&place("models"), &budget.models);
        check_holders(n, budget, found);
        check_window(n, budget, found);
        check_limits(n, budget, policy.prices.is_empty(), found);
    }
}

fn check_holders(n: usize, budget: &Budget, found: &mut Found) {
    let place = |field: &str| format!("budgets[{n}].{field}");
    if budget.per == Per::Group && budget.groups.is_empty() {
        found.add(place("groups"), "a budget `per: group` names the groups that each have one; list them");
    }
    if budget.per == Per::Group && !budget.subjects.is_empty() {
        found.add(
            place("subjects"),
            "a budget `per: group` is shared by groups; make another budget for single subjects",
        );
    }
    for (field, names) in [("groups", &budget.groups), ("subjects", &budget.subjects)] {
        if let Some(name) = names.iter().find(|name| name.contains('*')) {
            found.add(
                place(field),
                format!("`{name}`: groups and subjects are compared exactly, `*` has no meaning; leave both out for everyone"),
            );
        }
    }
}

fn check_window(n: usize, budget: &Budget, found: &mut Found) {
    let field = format!("budgets[{n}].window");
    match budget.window.as_seconds() {
        0 => found.suggest(field, "it is missing or zero; a budget is for a length of time", Some("24h")),
        seconds if seconds > LONGEST_DAYS * 86_400 => {
            found.add(field, format!("a window is at most {LONGEST_DAYS}d long"));
        }
        _ => {}
    }
}

fn check_limits(n: usize, budget: &Budget, priceless: bool, found: &mut Found) {
    let place = |field: &str| format!("budgets[{n}].{field}");
    let limits = [
        ("requests", budget.requests),
        ("tokens", budget.tokens),
        ("inputTokens", budget.input_tokens),
        ("outputTokens", budget.output_tokens),
        ("cost", budget.cost.map(crate::policy::document::Usd::as_micros)),
    ];
    for (field, limit) in limits {
        if limit == Some(0) {
            found
                .add(place(field), "zero would refuse every request; take the scope out of the role instead");
        }
    }
    if limits.iter().all(|(_, limit)| limit.is_none()) {
        found.add(
            format!("budgets[{n}]"),
            "it limits nothing; give `requests`, `tokens`, `inputTokens`, `outputTokens` or `cost`",
        );
    }
    if budget.cost.is_some() && priceless {
        found.add(
            place("cost"),
            "the policy has no `prices`, so that nothing could be counted; add them, the last with models: [\"*\"] for \
             whatever else roles allow",
        );
    }
}
