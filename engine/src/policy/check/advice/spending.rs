//! Budgets, prices and grants that do otherwise than their writer thinks.

use super::Found;
use crate::policy::document::Policy;
use crate::policy::glob::Glob;

pub(super) fn advice(policy: &Policy, found: &mut Found) {
    budgets(policy, found);
    prices(policy, found);
    own_approvers(policy, found);
}

fn budgets(policy: &Policy, found: &mut Found) {
    let bound: Vec<&str> =
        policy.bindings.iter().flat_map(|binding| &binding.groups).map(String::as_str).collect();
    for (n, budget) in policy.budgets.iter().enumerate() {
        for (m, group) in budget.groups.iter().enumerate() {
            if !bound.is_empty() && !bound.contains(&group.as_str()) {
                let why = format!("no binding names the group `{group}`: the budget may limit nobody in it");
                let near = super::super::nearest(group, &bound);
                found.suggest(format!("budgets[{n}].groups[{m}]"), why, near);
            }
        }
        if budget.cost.is_none() {
            continue;
        }
        // A budget without models is for those of all roles.
        let of_roles = || policy.roles.iter().flat_map(|role| &role.models);
        let models: Vec<&String> = match budget.models.is_empty() {
            true => of_roles().collect(),
            false => budget.models.iter().collect(),
        };
        let priced =
            |model: &str| policy.prices.iter().flat_map(|price| &price.models).any(|own| covers(own, model));
        if let Some(model) = models.into_iter().find(|model| !priced(model)) {
            let why = format!(
                "no one price is for all of `{model}`: a request for a model without a price is refused where this budget \
                 applies; add a price, the last with models: [\"*\"]"
            );
            found.add(format!("budgets[{n}].cost"), why);
        }
    }
}

fn prices(policy: &Policy, found: &mut Found) {
    for (n, price) in policy.prices.iter().enumerate() {
        let before = || policy.prices.iter().take(n);
        let over = |model: &String| before().find(|other| other.models.iter().any(|own| covers(own, model)));
        if !price.models.is_empty() && price.models.iter().all(|model| over(model).is_some()) {
            let first =
                price.models.iter().find_map(over).map(|other| other.name.as_str()).unwrap_or_default();
            let why = format!(
                "it never counts: `{first}`, which comes before, fits all of its models; put this one first"
            );
            found.add(format!("prices[{n}]"), why);
        }
    }
}

/// Whether a glob fits whatever another does, as far as it can be seen at once.
fn covers(wide: &str, narrow: &str) -> bool {
    wide == "*" || wide == narrow || {
        // What stands in front of a star, where that is the only sign: `claude-*` fits all of `claude-opus-*`.
        let head = wide.strip_suffix('*').filter(|head| !head.contains(['*', '?']));
        head.is_some_and(|head| narrow.starts_with(head))
            || !narrow.contains(['*', '?']) && Glob::new(wide).is_ok_and(|glob| glob.matches(narrow))
    }
}

/// Grants that those approve who ask for them: two colleagues may approve each other's.
fn own_approvers(policy: &Policy, found: &mut Found) {
    for (n, grant) in policy.grants.iter().enumerate() {
        let Some(approval) = &grant.approval else { continue };
        if !approval.groups.is_empty() && approval.groups.iter().all(|group| grant.groups.contains(group)) {
            let why = "only those who may ask may approve: nobody approves their own, but any two of them approve each \
                       other's, and a group of one waits in vain; name another group";
            found.add(format!("grants[{n}].approval.groups"), why);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(more: Value) -> Vec<(String, Option<String>)> {
        let mut policy = json!({
            "roles": [{"name": "r", "models": ["claude-haiku-*"]}],
            "bindings": [{"name": "b", "groups": ["readers"], "roles": ["r"]}],
        });
        policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut found = Found::default();
        advice(&serde_json::from_value(policy).unwrap(), &mut found);
        found.0.into_iter().map(|problem| (problem.field, problem.suggestion)).collect()
    }

    #[test]
    fn a_budget_of_a_group_that_no_binding_names_is_told() {
        let of = |group: &str| {
            told(json!({"budgets": [{"name": "x", "groups": [group], "tokens": 1, "window": "1h"}]}))
        };
        assert_eq!(of("readers"), []);
        assert_eq!(of("raeders"), [("budgets[0].groups[0]".to_owned(), Some("readers".to_owned()))]);
    }

    #[test]
    fn a_cost_of_models_without_a_price_is_told() {
        let of = |models: &[&str], priced: &str| {
            let price = json!({"name": "p", "models": [priced], "input": 3, "output": 15});
            let budget = json!({"name": "x", "models": models, "cost": 1, "window": "1h"});
            told(json!({"prices": [price], "budgets": [budget]})).len()
        };
        for (models, priced, expected) in [
            (&[][..], "*", 0),
            (&[], "claude-*", 0),
            (&[], "claude-opus-*", 1),
            (&["claude-opus-4"], "claude-opus-*", 0),
            (&["claude-*"], "claude-opus-*", 1),
        ] {
            assert_eq!(of(models, priced), expected, "{models:?} {priced}");
        }
    }

    #[test]
    fn a_price_behind_one_for_all_is_told() {
        let price =
            |name: &str, model: &str| json!({"name": name, "models": [model], "input": 3, "output": 15});
        let told = |one, two| told(json!({"prices": [price("a", one), price("b", two)]}));
        assert_eq!(told("*", "claude-*"), [("prices[1]".to_owned(), None)]);
        assert_eq!(told("claude-*", "*"), []);
    }

    #[test]
    fn a_grant_that_only_its_askers_approve_is_told() {
        let of = |approvers: &[&str]| {
            let approval = json!({"groups": approvers});
            told(
                json!({"grants": [{"name": "g", "roles": ["r"], "groups": ["staff"], "approval": approval}]}),
            )
            .len()
        };
        assert_eq!((of(&["staff"]), of(&["staff", "leads"]), of(&["leads"])), (1, 0, 0));
    }
}
