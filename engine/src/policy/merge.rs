//! Several files become one policy.

use super::document::Policy;

/// Why files do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// One name for two things.
    #[error("{what} `{name}` stands in {first} and again in {second}: rename or remove one")]
    Twice {
        /// `issuer`, `role`, `binding`, `grant` or `rule`.
        /// `issuer`, `role`, `binding`, `rule`, `price` or `budget`.
        what: &'static str,
        /// The name.
        name: String,
        /// The file with the first.
        first: String,
        /// The file with the second; may be the same.
        second: String,
    },
    /// A setting with two values.
    #[error("`{field}` is set in {first} and differently in {second}: set it in one file")]
    Setting {
        /// `masking`, `recording`, `limits` or `access`.
        field: &'static str,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
}

/// Merges the policies of several files, each with its name.
///
/// Lists are put together in the order of the files' names, and within a file as written: this is the order of
/// rules. `masking`, `recording`, `limits` and `access` may differ from their defaults in one file, or be the same
/// in several.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(mut policies: Vec<(String, Policy)>) -> Result<Policy, MergeError> {
    policies.sort_by(|(a, _), (b, _)| a.cmp(b));
    once("issuer", &policies, |policy| policy.issuers.iter().map(|i| &i.name).collect())?;
    once("role", &policies, |policy| policy.roles.iter().map(|r| &r.name).collect())?;
    once("binding", &policies, |policy| policy.bindings.iter().map(|b| &b.name).collect())?;
    once("grant", &policies, |policy| policy.grants.iter().map(|g| &g.name).collect())?;
    once("rule", &policies, |policy| policy.rules.iter().map(|r| &r.name).collect())?;
    once("price", &policies, |policy| policy.prices.iter().map(|p| &p.name).collect())?;
    once("budget", &policies, |policy| policy.budgets.iter().map(|b| &b.name).collect())?;
    once("MCP server", &policies, |policy| policy.mcp.iter().map(|s| &s.name).collect())?;
    once("channel", &policies, |policy| policy.notices.iter().map(|c| &c.name).collect())?;
    once("person", &policies, |policy| policy.people.iter().map(|p| &p.slack).collect())?;
    once("review", &policies, |policy| policy.reviews.iter().map(|r| &r.name).collect())?;
    let mut merged = Policy {
        masking: setting("masking", &policies, |policy| &policy.masking)?,
        recording: setting("recording", &policies, |policy| &policy.recording)?,
        limits: setting("limits", &policies, |policy| &policy.limits)?,
        access: setting("access", &policies, |policy| &policy.access)?,
        ..Policy::default()
    };
    for (_, policy) in policies {
        merged.issuers.extend(policy.issuers);
        merged.roles.extend(policy.roles);
        merged.bindings.extend(policy.bindings);
        merged.grants.extend(policy.grants);
        merged.rules.extend(policy.rules);
        merged.commands.extend(policy.commands);
        merged.paths.extend(policy.paths);
        merged.urls.extend(policy.urls);
        merged.prices.extend(policy.prices);
        merged.budgets.extend(policy.budgets);
        merged.mcp.extend(policy.mcp);
        merged.notices.extend(policy.notices);
        merged.people.extend(policy.people);
        merged.reviews.extend(policy.reviews);
    }
    Ok(merged)
}

fn once(
    what: &'static str,
    policies: &[(String, Policy)],
    names: impl Fn(&Policy) -> Vec<&String>,
) -> Result<(), MergeError> {
    let mut seen: Vec<(&String, &String)> = Vec::new();
    for (file, policy) in policies {
        for name in names(policy) {
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == name) {
                let (first, second) = ((*first).clone(), file.clone());
                return Err(MergeError::Twice { what, name: name.clone(), first, second });
            }
            // What has no name is for the check to complain of.
            if !name.is_empty() {
                seen.push((name, file));
            }
        }
    }
    Ok(())
}

fn setting<T: Clone + Default + PartialEq>(
    field: &'static str,
    policies: &[(String, Policy)],
    get: impl Fn(&Policy) -> &T,
) -> Result<T, MergeError> {
    let default = T::default();
    let mut set =
        policies.iter().map(|(file, policy)| (file, get(policy))).filter(|(_, value)| **value != default);
    let Some((first, value)) = set.next() else { return Ok(default) };
    match set.find(|(_, other)| *other != value) {
        Some((second, _)) => Err(MergeError::Setting { field, first: first.clone(), second: second.clone() }),
        None => Ok(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn policy(value: Value) -> Policy {
        serde_json::from_value(value).expect("a policy")
    }

    fn files(files: &[(&str, Value)]) -> Result<Policy, MergeError> {
        merge(files.iter().map(|(name, value)| ((*name).into(), policy(value.clone()))).collect())
    }

    fn rule(name: &str) -> Value {
        json!({"name": name, "action": "deny"})
    }

    #[test]
    fn lists_are_put_together_in_the_order_of_file_names() {
        let merged = files(&[
            ("20-b.yaml", json!({"rules": [rule("c"), rule("a")], "roles": [{"name": "writer"}]})),
            ("10-a.yaml", json!({"rules": [rule("z")], "roles": [{"name": "reader"}]})),
            (
                "30-c.yaml",
                json!({"commands": [{"tools": ["x"], "fields": ["y"], "language": "sql"}],
                "paths": [{"tools": ["x"], "fields": ["y"]}], "urls": [{"tools": ["x"], "fields": ["y"]}]}),
            ),
        ])
        .expect("merged");
        assert_eq!(merged.rules.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["z", "c", "a"]);
        assert_eq!(merged.roles.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["reader", "writer"]);
        assert_eq!((merged.commands.len(), merged.paths.len(), merged.urls.len()), (1, 1, 1));
    }

    #[test]
    fn a_name_may_stand_once_and_the_error_says_where_both_are() {
        let issuer = json!({"name": "n", "issuer": "https://x.example", "audiences": ["a"]});
        for (what, list, entry) in [
            ("issuer", "issuers", issuer),
            ("role", "roles", json!({"name": "n"})),
            ("binding", "bindings", json!({"name": "n"})),
            ("rule", "rules", rule("n")),
            ("grant", "grants", json!({"name": "n", "roles": [], "groups": []})),
            ("price", "prices", json!({"name": "n", "models": ["*"], "input": 3, "output": 15})),
            ("budget", "budgets", json!({"name": "n", "requests": 1, "window": "1m"})),
            ("MCP server", "mcp", json!({"name": "n", "path": "/mcp/n"})),
            ("channel", "notices", json!({"name": "n", "to": "webhook"})),
            ("person", "people", json!({"slack": "n", "issuer": "i", "subject": "s", "groups": ["g"]})),
            ("review", "reviews", json!({"name": "n", "reviewers": ["r"]})),
        ] {
            let error = files(&[("b.yaml", json!({list: [entry]})), ("a.yaml", json!({list: [entry]}))])
                .expect_err("a name twice");
            let (first, second) = ("a.yaml".to_owned(), "b.yaml".to_owned());
            assert_eq!(error, MergeError::Twice { what, name: "n".into(), first, second });
        }
        let error =
            files(&[("a.yaml", json!({"roles": [{"name": "n"}, {"name": "n"}]}))]).expect_err("twice");
        assert_eq!(error.to_string(), "role `n` stands in a.yaml and again in a.yaml: rename or remove one");
    }

    #[test]
    fn a_setting_stands_in_one_file_or_is_the_same_in_all() {
        let settings = [
            ("masking", json!({"restore": false}), json!({"restore": false, "mode": "observe"})),
            ("recording", json!({"mode": "off"}), json!({"mode": "before-forward"})),
            ("limits", json!({"depth": 5}), json!({"depth": 6})),
            ("access", json!({"auditors": ["a"]}), json!({"auditors": ["b"]})),
        ];
        for (field, one, other) in settings {
            let both = files(&[
                ("a.yaml", json!({})),
                ("b.yaml", json!({field: one})),
                ("c.yaml", json!({field: one})),
            ]);
            let merged = serde_json::to_value(both.expect("merged")).expect("JSON");
            for (key, value) in one.as_object().expect("an object") {
                assert_eq!(merged[field][key], *value, "{field}");
            }
            let error = files(&[("a.yaml", json!({field: one})), ("b.yaml", json!({field: other}))])
                .expect_err("two settings");
            let (first, second) = ("a.yaml".to_owned(), "b.yaml".to_owned());
            assert_eq!(error, MergeError::Setting { field, first, second });
        }
    }
}
