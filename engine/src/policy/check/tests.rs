use serde_json::{Value, json};

use super::*;

/// A good policy, in which `change` replaces one field (by JSON pointer).
fn policy(pointer: &str, value: Value) -> Policy {
    let mut policy = json!({
        "issuers": [
            {"name": "corp", "issuer": "https://login.example.com", "audiences": ["sluice"]},
            {"name": "local", "issuer": "sluice", "audiences": ["sluice"], "keys": "control", "maxLifetime": "1h"},
        ],
        "roles": [{
            "name": "reader",
            "scopes": ["messages.*", "models.read"],
            "models": ["claude-*"],
            "tools": {"deny": ["Bash"]},
            "serverTools": {"allow": ["web_search"]},
            "mcpServers": {"allow": ["https://mcp.example.com/*"]},
            "betas": {"deny": ["computer-use-*"]},
            "maxTokens": 4096,
            "unmasked": ["phone"],
            "masks": {"email": "redact", "*_key": "redact"},
        }],
        "bindings": [{"name": "readers", "groups": ["readers"], "roles": ["reader"]}],
        "masking": {"kinds": {"*_key": "redact"}, "custom": [{"name": "staff_id", "pattern": "S[0-9]{6}"}]},
        "rules": [
            {"name": "no-drop", "when": {"tools": ["*"], "effects": ["destroy", "unknown"]}, "action": "deny"},
            {"name": "ask", "when": {"input": "prod"}, "action": "hold", "approval": {"groups": ["approvers"]}},
            {"name": "secret", "when": {"routes": ["messages.*"], "text": "(?i)project x"}, "action": "deny"},
        ],
        "commands": [{"tools": ["psql"], "fields": ["q"], "language": "sql"}],
    });
    if !pointer.is_empty() {
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        let parent = policy.pointer_mut(parent).unwrap_or_else(|| panic!("no {pointer}"));
        match parent {
            Value::Array(list) => list[field.parse::<usize>().expect("a place")] = value,
            parent => parent[field] = value,
        }
    }
    serde_json::from_value(policy).unwrap_or_else(|e| panic!("{pointer}: {e}"))
}

#[test]
fn a_good_policy_has_no_problem() {
    assert_eq!(check(&policy("", Value::Null)), []);
}

#[test]
fn each_mistake_is_found_where_it_is() {
    let hold = |approval: Value| json!({"name": "x", "action": "hold", "approval": approval});
    let deny = |when: Value| json!({"name": "x", "action": "deny", "when": when});
    for (pointer, value, field, why) in [
        ("/issuers", json!([]), "issuers", "no issuer"),
        ("/issuers/1/name", json!("corp"), "issuers[1].name", "taken by an earlier"),
        ("/issuers/0/name", json!(""), "issuers[0].name", "no name"),
        ("/issuers/0/issuer", json!("login.example.com"), "issuers[0].issuer", "https"),
        ("/issuers/0/issuer", json!("ftp://login.example.com"), "issuers[0].issuer", "https"),
        ("/issuers/0/issuer", json!("https://"), "issuers[0].issuer", "https"),
        ("/issuers/0/issuer", json!(""), "issuers[0].issuer", "empty"),
        ("/issuers/0/keys", json!({"jwksUri": "file:///etc/passwd"}), "issuers[0].keys.jwksUri", "https"),
        ("/issuers/0/keys", json!({"jwks": {}}), "issuers[0].keys.jwks", "JWK Set"),
        ("/issuers/0/keys", json!("control"), "issuers[1].keys", "control has one issuer"),
        ("/issuers/1/issuer", json!("https://login.example.com"), "issuers[1].audiences", "would fit both"),
        ("/issuers/0/audiences", json!([]), "issuers[0].audiences", "empty"),
        ("/issuers/0/audiences", json!([""]), "issuers[0].audiences", "empty"),
        ("/issuers/0/maxLifetime", json!("0s"), "issuers[0].maxLifetime", "every token"),
        ("/issuers/0/maxLifetime", json!("31d"), "issuers[0].maxLifetime", "at most 30d"),
        ("/issuers/0/claims", json!({"groups": ""}), "issuers[0].claims.groups", "empty"),
        ("/roles/0/scopes", json!(["messages.craete"]), "roles[0].scopes[0]", "fits no scope"),
        ("/roles/0/scopes", json!(["models.read", ""]), "roles[0].scopes[1]", "empty"),
        ("/roles/0/models", json!(["claude-{a,b}"]), "roles[0].models[0]", "no meaning"),
        ("/roles/0/tools", json!({"allow": ["["]}), "roles[0].tools.allow[0]", "no meaning"),
        ("/roles/0/serverTools", json!({"deny": [" x"]}), "roles[0].serverTools.deny[0]", "space"),
        ("/roles/0/betas", json!({"deny": [""]}), "roles[0].betas.deny[0]", "empty"),
        ("/roles/0/mcpServers", json!({"deny": ["evil.test"]}), "roles[0].mcpServers.deny[0]", "not a URL"),
        ("/roles/0/maxTokens", json!(0), "roles[0].maxTokens", "every request"),
        ("/roles/0/unmasked", json!([""]), "roles[0].unmasked[0]", "empty"),
        ("/roles/0/masks", json!({"emial": "redact"}), "roles[0].masks.emial", "fits no kind"),
        ("/roles/0/masks", json!({"a{b": "off"}), "roles[0].masks.a{b", "no meaning"),
        ("/bindings/0/roles", json!(["raeder"]), "bindings[0].roles[0]", "no role `raeder`"),
        ("/bindings/0/roles", json!([]), "bindings[0].roles", "gives nothing"),
        ("/bindings/0/groups", json!([]), "bindings[0].groups", "nobody"),
        ("/bindings/0/groups", json!(["dev-*"]), "bindings[0].groups", "compared exactly"),
        ("/bindings/0/issuer", json!("crop"), "bindings[0].issuer", "no issuer `crop`"),
        ("/bindings/0/name", json!(""), "bindings[0].name", "no name"),
        ("/masking/kinds", json!({"a{b": "off"}), "masking.kinds.a{b", "no meaning"),
        ("/masking/custom/0/name", json!("Staff-Id"), "masking.custom[0].name", "lower-case"),
        ("/masking/media", json!("hold"), "masking.mediaApproval", "who may approve"),
        (
            "/masking",
            json!({"mediaApproval": {"groups": ["a"]}}),
            "masking.mediaApproval",
            "only `masking.media: hold`",
        ),
        (
            "/masking",
            json!({"media": "hold", "mediaApproval": {"groups": []}}),
            "masking.mediaApproval.groups",
            "nobody could approve",
        ),
        ("/commands/0/tools", json!([]), "commands[0].tools", "never applies"),
        ("/commands/0/fields", json!([]), "commands[0].fields", "never applies"),
        ("/commands/0/tools", json!(["{"]), "commands[0].tools[0]", "no meaning"),
        ("/limits", json!({"depth": 0}), "limits.depth", "every request"),
        ("/rules/0/name", json!("ask"), "rules[1].name", "taken by an earlier"),
        ("/rules/0/name", json!("scope"), "rules[0].name", "own decisions"),
        ("/rules/0/name", json!("x".repeat(101)), "rules[0].name", "100 bytes"),
        ("/rules/0", deny(json!({"text": "("})), "rules[0].when.text", "unclosed group"),
        ("/rules/0", deny(json!({"text": "a*"})), "rules[0].when.text", "everything"),
        ("/rules/0", deny(json!({"input": "(x{1000}){1000}"})), "rules[0].when.input", "limit"),
        ("/rules/0", deny(json!({"routes": ["message.create"]})), "rules[0].when.routes[0]", "fits no route"),
        ("/rules/0", deny(json!({"models": ["["]})), "rules[0].when.models[0]", "no meaning"),
        ("/rules/0", deny(json!({"tools": [""]})), "rules[0].when.tools[0]", "empty"),
        ("/rules/0", deny(json!({"findings": [""]})), "rules[0].when.findings[0]", "empty"),
        ("/rules/0", json!({"name": "x", "action": "hold"}), "rules[0].approval", "who may approve"),
        ("/rules/0", hold(json!({"groups": []})), "rules[0].approval.groups", "nobody could approve"),
        ("/rules/0", hold(json!({"groups": ["a"], "expires": "0s"})), "rules[0].approval.expires", "at once"),
        ("/rules/1/action", json!("deny"), "rules[1].approval", "only a rule with `action: hold`"),
        ("/rules/0", deny(json!({"tools": ["Bash"], "part": ["prompt"]})), "rules[0].when", "never match"),
        (
            "/rules/0",
            deny(json!({"effects": ["write"], "part": ["toolResult"]})),
            "rules[0].when",
            "never match",
        ),
        ("/limits", json!({"depth": 5000}), "limits.depth", "recursion"),
        ("/rules/0", deny(json!({"tools": ["Bash"], "text": "rm"})), "rules[0].when", "`input`"),
        ("/rules/0", deny(json!({"input": "x", "text": "y"})), "rules[0].when", "never match"),
    ] {
        let problems = check(&policy(pointer, value.clone()));
        assert!(
            problems.iter().any(|p| p.field == field && p.why.contains(why)),
            "{pointer} = {value}: expected {field} ({why}), found {problems:?}"
        );
        assert_eq!(problems.len(), 1, "{pointer} = {value}: {problems:?}");
    }
}

#[test]
fn what_could_match_is_not_complained_of() {
    for when in [
        json!({"tools": ["Read"], "part": ["toolResult"], "text": "ignore all previous"}),
        json!({"tools": ["Bash"], "part": ["prompt", "toolCall"]}),
        json!({"text": "x", "part": ["prompt"]}),
        json!({}),
    ] {
        let rule = json!({"name": "x", "action": "deny", "when": when});
        assert_eq!(check(&policy("/rules/0", rule)), [], "{when}");
    }
    let inline = json!({"jwks": {"keys": [{"kty": "OKP"}]}});
    let mut policy = policy("/issuers/0/keys", inline);
    policy.issuers[0].issuer = "kubernetes/serviceaccount".into();
    assert_eq!(check(&policy), [], "nothing is fetched from an issuer with keys of its own");
}

#[test]
fn what_was_probably_meant_is_suggested() {
    for (pointer, value, suggestion) in [
        ("/roles/0/scopes", json!(["messages.craete"]), Some("messages.create")),
        ("/roles/0/scopes", json!(["anything"]), None),
        ("/bindings/0/roles", json!(["raeder"]), Some("reader")),
        ("/bindings/0/issuer", json!("crop"), Some("corp")),
        ("/masking/custom/0/name", json!("Staff-Id"), Some("staff_id")),
    ] {
        let problems = check(&policy(pointer, value));
        assert_eq!(problems[0].suggestion.as_deref(), suggestion, "{}", problems[0]);
    }
    let problem = &check(&policy("/bindings/0/roles", json!(["raeder"])))[0];
    assert_eq!(
        problem.to_string(),
        "bindings[0].roles[0]: there is no role `raeder` (did you mean `reader`?)"
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let mut policy = policy("/roles/0/scopes", json!(["x", "y"]));
    policy.bindings[0].roles = vec!["nobody".into()];
    policy.rules[2].when.text = Some("(".into());
    assert_eq!(check(&policy).len(), 4);
}
