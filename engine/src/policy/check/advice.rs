//! What a policy may have and hardly anybody means: shown, and no reason to refuse it.

mod notices;
mod servers;
mod spending;

use super::{Found, Problem};
use crate::claude::routes;
use crate::command::Effect;
use crate::policy::document::{Action, Part, Policy, Rule, When};
use crate::policy::glob::{Glob, globs};
use crate::policy::rule;

/// Groups that would be told one by one; more are summed up.
const TOLD: usize = 8;

/// What is probably not meant, in the order of the policy. Only for a policy in which [`super::check`] finds nothing.
pub fn advice(policy: &Policy) -> Vec<Problem> {
    let mut found = Found::default();
    plain_http(policy, &mut found);
    roles(policy, &mut found);
    groups(policy, &mut found);
    unknown_commands(policy, &mut found);
    shadowed(policy, &mut found);
    spending::advice(policy, &mut found);
    servers::advice(policy, &mut found);
    notices::advice(policy, &mut found);
    found.0
}

fn plain_http(policy: &Policy, found: &mut Found) {
    for (n, issuer) in policy.issuers.iter().enumerate() {
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let fetched = issuer.keys == crate::policy::document::KeySource::Discovery;
        if fetched
            && issuer.issuer.starts_with("http://")
            && !local.iter().any(|l| issuer.issuer.starts_with(l))
        {
            let why = "its keys come over plain http: whoever stands between could make tokens; use https";
            found.add(format!("issuers[{n}].issuer"), why);
        }
    }
}

fn roles(policy: &Policy, found: &mut Found) {
    let asks =
        routes::all().filter(|route| route.name.starts_with("messages.")).filter_map(|route| route.scope);
    let asks: Vec<&str> = asks.collect();
    for (n, role) in policy.roles.iter().enumerate() {
        let bound = policy.bindings.iter().any(|binding| binding.roles.contains(&role.name));
        if !bound && !policy.grants.iter().any(|grant| grant.roles.contains(&role.name)) {
            let why = format!("no binding and no grant gives the role `{}`", role.name);
            found.add(format!("roles[{n}]"), why);
        }
        let scopes = globs(&role.scopes).unwrap_or_default();
        if role.models.is_empty()
            && asks.iter().any(|scope| scopes.iter().any(|glob: &Glob| glob.matches(scope)))
        {
            let why = "it may send messages and has no model, so that every request is refused, unless another role of the caller names one; `models: [\"claude-*\"]`";
            found.add(format!("roles[{n}].models"), why);
        }
    }
}

/// Groups in rules that no binding names: misspelt, or without any right.
fn groups(policy: &Policy, found: &mut Found) {
    let bound: Vec<&str> =
        policy.bindings.iter().flat_map(|binding| &binding.groups).map(String::as_str).collect();
    let by_subject_alone = policy.bindings.iter().all(|binding| binding.groups.is_empty());
    let unbound = |group: &&String| !by_subject_alone && !bound.contains(&group.as_str());
    let rules = policy.rules.iter().enumerate();
    let places = rules.flat_map(|(n, rule)| {
        let groups = rule.when.groups.iter().enumerate();
        groups.filter(|(_, group)| unbound(group)).map(move |(m, group)| (n, m, group))
    });
    for (n, m, group) in places.take(TOLD) {
        let why = format!(
            "no binding names the group `{group}`: unless its members have another group, they may do nothing, and the condition never holds"
        );
        found.suggest(format!("rules[{n}].when.groups[{m}]"), why, super::nearest(group, &bound));
    }
}

/// Rules on effects that leave the effect `unknown` alone.
fn unknown_commands(policy: &Policy, found: &mut Found) {
    let stops = |rule: &&Rule| rule.action != Action::Allow && !rule.observe;
    let lists = |rule: &Rule, effect: fn(&Effect) -> bool| rule.when.effects.iter().any(effect);
    // Who only watches them has thought of them.
    if policy.rules.iter().any(|rule| lists(rule, |effect| *effect == Effect::Unknown)) {
        return;
    }
    let mut rules = policy.rules.iter().filter(stops);
    let changes = |effect: &Effect| *effect > Effect::Transaction;
    let Some(first) = rules.find(|rule| lists(rule, changes)) else { return };
    let n = policy.rules.iter().position(|rule| std::ptr::eq(rule, first)).unwrap_or_default();
    let why = "no rule denies or holds commands that are not understood: `python -c ...` could do all of this; list `unknown` here or in a rule of its own";
    found.add(format!("rules[{n}].when.effects"), why);
}

/// Rules that another rule leaves nothing to.
fn shadowed(policy: &Policy, found: &mut Found) {
    for (n, rule) in policy.rules.iter().enumerate().filter(|(_, rule)| !rule.observe) {
        let over = policy.rules.iter().enumerate().find(|(m, other)| {
            // Each rule that holds asks its own approvers: none stands for another.
            let decides = other.action > rule.action
                || other.action == rule.action && *m < n && rule.action != Action::Hold;
            *m != n && decides && !other.observe && covers(other, rule)
        });
        if let Some((_, other)) = over {
            let why = format!(
                "it never decides: whatever it matches, the rule `{}` matches too, and {}; narrow one, or remove this",
                other.name,
                if other.action > rule.action { "is more restrictive" } else { "comes first" },
            );
            found.add(format!("rules[{n}]"), why);
        }
    }
}

/// Whether the one matches wherever the other does, as far as it can be seen from what they list.
fn covers(one: &Rule, other: &Rule) -> bool {
    let parts = rule::parts(one);
    let within = |list: &[String], narrower: &[String]| {
        list.is_empty()
            || !narrower.is_empty()
                && narrower.iter().all(|text| {
                    list.contains(text)
                        || list.iter().any(|wide| wide == "*")
                        // A name without signs of its own fits a glob or does not.
                        || !text.contains(['*', '?'])
                            && list.iter().any(|wide| Glob::new(wide).is_ok_and(|glob| glob.matches(text)))
                })
    };
    // Groups are no globs; exceptions take away.
    let exact = |list: &[String], narrower: &[String]| {
        list.is_empty() || !narrower.is_empty() && narrower.iter().all(|text| list.contains(text))
    };
    let fewer = |list: &[String], other: &[String]| list.iter().all(|text| other.contains(text));
    let same = |one: &Option<String>, other: &Option<String>| one.is_none() || one == other;
    let (a, b): (&When, &When) = (&one.when, &other.when);
    rule::parts(other).iter().all(|part: &Part| parts.contains(part))
        && within(&a.routes, &b.routes)
        && exact(&a.groups, &b.groups)
        && within(&a.models, &b.models)
        && within(&a.tools, &b.tools)
        && within(&a.findings, &b.findings)
        && (a.effects.is_empty() || !b.effects.is_empty() && b.effects.iter().all(|e| a.effects.contains(e)))
        && (a.paths.is_empty() && a.paths_except.is_empty()
            || exact(&a.paths, &b.paths) && fewer(&a.paths_except, &b.paths_except))
        && (a.hosts.is_empty() && a.hosts_except.is_empty()
            || exact(&a.hosts, &b.hosts) && fewer(&a.hosts_except, &b.hosts_except))
        && within(&a.tools_offered, &b.tools_offered)
        && exact(&a.mcp_servers, &b.mcp_servers)
        && within(&a.betas, &b.betas)
        && a.larger_than.is_none_or(|most| b.larger_than.is_some_and(|other| other >= most))
        && same(&a.text, &b.text)
        && same(&a.input, &b.input)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(more: Value) -> Vec<(String, String)> {
        let mut policy = json!({
            "issuers": [{"name": "own", "issuer": "https://a.test", "audiences": ["s"]}],
            "roles": [{"name": "reader", "scopes": ["messages.*"], "models": ["*"]}],
            "bindings": [{"name": "b", "groups": ["readers"], "roles": ["reader"]}],
        });
        policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let policy: Policy = serde_json::from_value(policy).unwrap();
        assert_eq!(super::super::check(&policy), []);
        advice(&policy).into_iter().map(|p| (p.field, p.why)).collect()
    }

    fn rules(rules: Value) -> Vec<String> {
        told(json!({ "rules": rules })).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn a_policy_that_means_what_it_says_is_told_nothing() {
        let all = json!({"rules": [
            {"name": "a", "when": {"effects": ["destroy"]}, "action": "deny"},
            {"name": "b", "when": {"effects": ["write", "unknown"], "groups": ["readers"]}, "action": "deny"}]});
        assert_eq!(told(all), []);
    }

    #[test]
    fn roles_that_nobody_has_or_that_can_do_nothing_are_told() {
        let more = json!({"roles": [
            {"name": "reader", "scopes": ["messages.create"]}, {"name": "writer", "scopes": ["models.read"]}]});
        let told = told(more);
        assert_eq!(told[0].0, "roles[0].models");
        assert!(told[0].1.contains("has no model"), "{told:?}");
        assert_eq!(told[1].0, "roles[1]");
        assert!(told[1].1.contains("no grant gives the role `writer`"), "{told:?}");
    }

    #[test]
    fn a_group_that_no_binding_names_is_told_with_the_one_that_was_meant() {
        let policy: Policy = serde_json::from_value(json!({
            "bindings": [{"name": "b", "groups": ["readers"], "roles": ["r"]}],
            "rules": [{"name": "a", "when": {"groups": ["raeders"], "text": "x"}, "action": "deny"}]}))
        .unwrap();
        let told = advice(&policy);
        assert_eq!(
            (told[0].field.as_str(), told[0].suggestion.as_deref()),
            ("rules[0].when.groups[0]", Some("readers"))
        );
    }

    #[test]
    fn keys_over_plain_http_are_told_but_for_this_machine() {
        let of = |issuer: &str| {
            told(json!({"issuers": [{"name": "o", "issuer": issuer, "audiences": ["s"]}]})).len()
        };
        assert_eq!(
            (of("http://login.example.com"), of("http://127.0.0.1:9901"), of("https://a.test")),
            (1, 0, 0)
        );
    }

    #[test]
    fn rules_on_effects_without_the_unknown_are_told_once() {
        let write = |name: &str, more: Value| {
            let mut rule = json!({"name": name, "when": {"effects": ["write"]}, "action": "deny"});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        assert_eq!(
            rules(json!([write("a", json!({})), write("b", json!({"when": {"effects": ["grant"]}}))])),
            ["rules[0].when.effects"]
        );
        assert_eq!(rules(json!([write("a", json!({"observe": true}))])), [""; 0]);
        assert_eq!(rules(json!([write("a", json!({"when": {"effects": ["read"]}}))])), [""; 0]);
        let unknown = write("b", json!({"when": {"effects": ["unknown"]}, "observe": true}));
        assert_eq!(rules(json!([write("a", json!({})), unknown])), [""; 0]);
    }

    #[test]
    fn a_rule_that_another_leaves_nothing_to_is_told() {
        let rule = |name: &str, when: Value, action: &str| {
            let mut rule = json!({"name": name, "when": when, "action": action});
            if action == "hold" {
                rule["approval"] = json!({"groups": ["x"]});
            }
            rule
        };
        for (one, two, expected) in [
            // The same tools, narrower.
            (
                rule("a", json!({"tools": ["Bash"]}), "deny"),
                rule("b", json!({"tools": ["Bash"], "input": "x"}), "deny"),
                &["rules[1]"][..],
            ),
            (
                rule("a", json!({"tools": ["B*"]}), "deny"),
                rule("b", json!({"tools": ["Bash"]}), "hold"),
                &["rules[1]"],
            ),
            // A denial counts wherever it stands.
            (
                rule("a", json!({"tools": ["Bash"], "groups": ["readers"]}), "hold"),
                rule("b", json!({"tools": ["*"]}), "deny"),
                &["rules[0]"],
            ),
            (
                rule("a", json!({}), "deny"),
                rule("b", json!({"part": ["prompt"], "text": "x"}), "allow"),
                &["rules[1]"],
            ),
            // Not narrower.
            (
                rule("a", json!({"tools": ["Bash"], "input": "x"}), "deny"),
                rule("b", json!({"tools": ["Bash"]}), "deny"),
                &[],
            ),
            (rule("a", json!({"tools": ["Bash"]}), "deny"), rule("b", json!({"tools": ["B*"]}), "deny"), &[]),
            (
                rule("a", json!({"groups": ["readers"], "text": "x"}), "deny"),
                rule("b", json!({"text": "x"}), "deny"),
                &[],
            ),
            (rule("a", json!({"text": "x"}), "deny"), rule("b", json!({"text": "y"}), "deny"), &[]),
            (rule("a", json!({"text": "x"}), "deny"), rule("b", json!({"tools": ["Bash"]}), "deny"), &[]),
            (
                rule("a", json!({"paths": ["/a/*"], "pathsExcept": ["/a/b"]}), "deny"),
                rule("b", json!({"paths": ["/a/*"]}), "deny"),
                &[],
            ),
            (rule("a", json!({"largerThan": 5}), "deny"), rule("b", json!({"largerThan": 4}), "deny"), &[]),
            // Two that hold ask two groups.
            (
                rule("a", json!({"tools": ["Bash"]}), "hold"),
                rule("b", json!({"tools": ["Bash"]}), "hold"),
                &[],
            ),
            // A denial that comes later leaves the hold nothing; the other way round it stays a denial.
            (
                rule("a", json!({"tools": ["Bash"]}), "hold"),
                rule("b", json!({"tools": ["Bash"]}), "deny"),
                &["rules[0]"],
            ),
        ] {
            assert_eq!(rules(json!([one, two])), expected, "{one} {two}");
        }
        let mut observed = rule("a", json!({"tools": ["Bash"]}), "deny");
        observed["observe"] = json!(true);
        assert_eq!(rules(json!([observed, rule("b", json!({"tools": ["Bash"]}), "deny")])), [""; 0]);
    }
}
