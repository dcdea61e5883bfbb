use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::*;
use crate::policy::document::KeySource;

/// Shaped as a certificate: a SEQUENCE of 256 bytes.
fn pem() -> String {
    let body = BASE64.encode([&[0x30, 0x82, 1, 0][..], &[0; 256]].concat());
    format!(
        "-----BEGIN CERTIFICATE-----
{body}
-----END CERTIFICATE-----
"
    )
}

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
        "grants": [
            {"name": "more", "roles": ["reader"], "groups": ["staff"], "approval": {"groups": ["approvers"]}},
            {"name": "glass", "roles": ["reader"], "groups": ["oncall"], "longest": "1h", "breakGlass": true},
        ],
        "notices": [{"name": "owners", "to": "slack"}, {"name": "soc_1", "to": "webhook", "on": ["hold.opened"]}],
        "commands": [{"tools": ["psql"], "fields": ["q"], "language": "sql"}],
        "prices": [{"name": "all", "models": ["*"], "input": "3", "output": "15"}],
        "budgets": [
            {"name": "day", "routes": ["messages.*"], "models": ["claude-*"], "cost": "5.00", "window": "24h"},
            {"name": "team", "groups": ["readers"], "per": "group", "requests": 9, "tokens": 9, "window": "1m"},
        ],
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
    let ben = |changed: &Value| {
        let mut ben =
            json!({"slack": "U0123ABCD", "issuer": "corp", "subject": "ben", "groups": ["approvers"]});
        ben.as_object_mut().expect("an object").extend(changed.as_object().expect("an object").clone());
        ben
    };
    for (pointer, value, field, why) in [
        ("/issuers", json!([]), "issuers", "no issuer"),
        ("/issuers/1/claims", json!({"scopes": "scp"}), "issuers[1].claims", "leave `claims` out"),
        ("/grants/0/roles", json!(["raeder"]), "grants[0].roles[0]", "there is no role"),
        ("/grants/0/roles", json!([]), "grants[0].roles", "gives nothing"),
        ("/grants/0/groups", json!([]), "grants[0].groups", "nobody may ask"),
        ("/grants/0/longest", json!("0s"), "grants[0].longest", "zero"),
        ("/grants/0/approval", json!(null), "grants[0].approval", "nobody may approve"),
        ("/grants/0/approval", json!({"groups": []}), "grants[0].approval.groups", "nobody could approve"),
        ("/grants/1/approval", json!({"groups": ["a"]}), "grants[1].breakGlass", "not both"),
        ("/notices/0/name", json!("../owners"), "notices[0].name", "name of files"),
        ("/notices/0/name", json!("Owners"), "notices[0].name", "small letters"),
        ("/notices/1/name", json!("owners"), "notices[1].name", "taken by an earlier"),
        ("/people", json!([ben(&json!({"slack": "ben"}))]), "people[0].slack", "member ID"),
        ("/people", json!([ben(&json!({})), ben(&json!({}))]), "people[1].slack", "taken by an earlier"),
        ("/people", json!([ben(&json!({"issuer": "crop"}))]), "people[0].issuer", "there is no issuer"),
        ("/people", json!([ben(&json!({"subject": " "}))]), "people[0].subject", "empty"),
        ("/people", json!([ben(&json!({"groups": []}))]), "people[0].groups", "decide nothing"),
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
        ("/issuers/0/keys", json!("none"), "issuers[0].keys", "none of its tokens could be taken"),
        ("/issuers/0/saml", json!({"certificates": []}), "issuers[0].saml.certificates", "one to 4"),
        ("/issuers/0/saml", json!({"certificates": ["MIIB"]}), "issuers[0].saml.certificates[0]", "as PEM"),
        (
            "/issuers/0/saml",
            json!({"certificates": ["-----BEGIN PRIVATE KEY-----"]}),
            "issuers[0].saml.certificates[0]",
            "take the key to be known",
        ),
        (
            "/issuers/1/saml",
            json!({"certificates": [pem()]}),
            "issuers[1].saml",
            "control gives no assertions",
        ),
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
        ("/roles/0/masks", json!({"emial": "redact"}), "roles[0].masks.emial", "fits no finding kind"),
        ("/roles/0/masks", json!({"a{b": "off"}), "roles[0].masks.a{b", "no meaning"),
        ("/bindings/0/roles", json!(["raeder"]), "bindings[0].roles[0]", "no role `raeder`"),
        ("/bindings/0/roles", json!([]), "bindings[0].roles", "gives nothing"),
        ("/bindings/0/groups", json!([]), "bindings[0].groups", "nobody"),
        ("/bindings/0/groups", json!(["dev-*"]), "bindings[0].groups", "compared exactly"),
        ("/bindings/0/issuer", json!("crop"), "bindings[0].issuer", "no issuer `crop`"),
        ("/bindings/0/name", json!(""), "bindings[0].name", "no name"),
        ("/masking/kinds", json!({"a{b": "off"}), "masking.kinds.a{b", "no meaning"),
        ("/masking/kinds", json!({"emial": "off"}), "masking.kinds.emial", "no finding kind"),
        ("/masking/packs", json!(["uk", "gb"]), "masking.packs[1]", "no pack `gb`"),
        ("/roles/0/unmasked", json!(["e-mail"]), "roles[0].unmasked[0]", "no finding kind"),
        (
            "/rules/0",
            deny(json!({"findings": ["credit_card"]})),
            "rules[0].when.findings[0]",
            "no finding kind",
        ),
        (
            "/rules/0",
            deny(json!({"findings": ["uk_nino"]})),
            "rules[0].when.findings[0]",
            "pack `uk`, which is off",
        ),
        ("/rules/0", deny(json!({"text": "\u{8}rm"})), "rules[0].when.text", "single quotes"),
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
        ("/paths", json!([{"tools": [], "fields": ["f"]}]), "paths[0].tools", "never applies"),
        ("/urls", json!([{"tools": ["t"], "fields": []}]), "urls[0].fields", "never applies"),
        ("/rules/0", deny(json!({"paths": ["C:\\x"]})), "rules[0].when.paths[0]", "with `/`"),
        ("/rules/0", deny(json!({"pathsExcept": ["/a/../b"]})), "rules[0].when.pathsExcept[0]", "resolved"),
        ("/rules/0", deny(json!({"hosts": ["https://a.test"]})), "rules[0].when.hosts[0]", "host alone"),
        ("/rules/0", deny(json!({"hostsExcept": ["a.test:1"]})), "rules[0].when.hostsExcept[0]", "ports"),
        ("/rules/0", deny(json!({"mcpServers": ["a.test"]})), "rules[0].when.mcpServers[0]", "not a URL"),
        ("/rules/0", deny(json!({"toolsOffered": ["["]})), "rules[0].when.toolsOffered[0]", "no meaning"),
        ("/rules/0", deny(json!({"betas": [""]})), "rules[0].when.betas[0]", "empty"),
        ("/rules/0", deny(json!({"betas": ["x"], "text": "y"})), "rules[0].when", "request as a whole"),
        ("/rules/0", deny(json!({"betas": ["x"], "tools": ["y"]})), "rules[0].when", "request as a whole"),
        ("/rules/0", deny(json!({"part": ["request"], "findings": ["email"]})), "rules[0].when", "a size"),
        ("/rules/0", deny(json!({"part": ["prompt"], "paths": ["/x"]})), "rules[0].when", "tool calls"),
        ("/budgets/0/name", json!("no-drop"), "budgets[0].name", "already use `no-drop`"),
        ("/budgets/0/name", json!("scope"), "budgets[0].name", "already use `scope`"),
        ("/budgets/1/name", json!("day"), "budgets[1].name", "taken by an earlier"),
        ("/budgets/0/routes", json!(["message.create"]), "budgets[0].routes[0]", "fits no route"),
        ("/budgets/0/models", json!(["[a]"]), "budgets[0].models[0]", "no meaning"),
        ("/budgets/0/window", json!("0s"), "budgets[0].window", "missing or zero"),
        ("/budgets/0/window", json!("400d"), "budgets[0].window", "at most 366d"),
        ("/budgets/0/tokens", json!(0), "budgets[0].tokens", "zero would refuse"),
        ("/budgets/0/subjects", json!(["*"]), "budgets[0].subjects", "compared exactly"),
        ("/budgets/1/groups", json!([]), "budgets[1].groups", "names the groups"),
        ("/budgets/1/subjects", json!(["ann"]), "budgets[1].subjects", "shared by groups"),
        ("/budgets/1", json!({"name": "x", "window": "1h"}), "budgets[1]", "limits nothing"),
        ("/prices", json!([]), "budgets[0].cost", "no `prices`"),
        ("/prices/0/models", json!([]), "prices[0].models", "for no model"),
        ("/prices/0/models", json!(["a{b}"]), "prices[0].models[0]", "no meaning"),
        ("/prices/0/name", json!(""), "prices[0].name", "no name"),
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
        json!({"largerThan": 5, "part": ["request", "toolCall"]}),
        json!({"largerThan": 5, "text": "x"}),
        json!({"toolsOffered": ["x"], "betas": ["y"], "mcpServers": ["*"], "largerThan": 5}),
        json!({"tools": ["WebFetch"], "hosts": ["10.*", "::1"], "paths": ["~/x", "*/.env"], "input": "x"}),
        json!({}),
    ] {
        let rule = json!({"name": "x", "action": "deny", "when": when});
        assert_eq!(check(&policy("/rules/0", rule)), [], "{when}");
    }
    let inline = json!({"jwks": {"keys": [{"kty": "OKP"}]}});
    let mut policy = policy("/issuers/0/keys", inline);
    policy.issuers[0].issuer = "kubernetes/serviceaccount".into();
    assert_eq!(check(&policy), [], "nothing is fetched from an issuer with keys of its own");
    for saml in [json!({"certificates": [pem()]}), json!({"certificates": [pem(), format!("\n{}", pem())]})] {
        let mut policy = self::policy("/issuers/0/saml", saml);
        policy.issuers[0].issuer = "urn:idp".into();
        policy.issuers[0].keys = KeySource::None;
        assert_eq!(check(&policy), [], "an entity ID is any text");
    }
}

#[test]
fn nobody_signs_in_at_an_issuer_without_keys() {
    let mut policy = policy("/issuers/0/saml", json!({"certificates": [pem()]}));
    policy.issuers[0].keys = KeySource::None;
    policy.access =
        serde_json::from_value(json!({"signIn": {"issuer": "corp", "clientId": "sluice"}})).unwrap();
    let found = check(&policy);
    assert!(
        found.iter().any(|p| p.field == "access.signIn.issuer" && p.why.contains("keys: none")),
        "{found:?}"
    );
}

#[test]
fn what_was_probably_meant_is_suggested() {
    for (pointer, value, suggestion) in [
        ("/roles/0/scopes", json!(["messages.craete"]), Some("messages.create")),
        ("/roles/0/scopes", json!(["anything"]), None),
        ("/bindings/0/roles", json!(["raeder"]), Some("reader")),
        ("/bindings/0/issuer", json!("crop"), Some("corp")),
        ("/masking/custom/0/name", json!("Staff-Id"), Some("staff_id")),
        ("/masking/kinds", json!({"emial": "off"}), Some("email")),
        ("/masking/kinds", json!({"credit_card": "off"}), Some("payment_card")),
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

#[test]
fn who_gets_into_control_is_checked() {
    let sign_in = |change: Value| {
        let mut sign_in = json!({"issuer": "corp", "clientId": "sluice"});
        sign_in.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
        json!({"signIn": sign_in})
    };
    let sidecars = |sidecars: Value| json!({"sidecars": sidecars});
    let good = sign_in(json!({"commandLineClientId": "sluice", "scopes": ["groups"], "idle": "5m"}));
    assert_eq!(check(&policy("/access", good)), []);
    let good = sidecars(json!({"certificates": ["spiffe://a/*"], "issuer": "corp", "subjects": ["*"]}));
    assert_eq!(check(&policy("/access", good)), []);
    for (access, field, why) in [
        (sign_in(json!({"issuer": "crop"})), "access.signIn.issuer", "no issuer `crop`"),
        (sign_in(json!({"issuer": "local"})), "access.signIn.issuer", "no page to sign in at"),
        (sign_in(json!({"clientId": "web"})), "access.signIn.clientId", "add it to its `audiences`"),
        (sign_in(json!({"commandLineClientId": "c"})), "access.signIn.commandLineClientId", "`audiences`"),
        (sign_in(json!({"scopes": ["a b"]})), "access.signIn.scopes[0]", "without spaces"),
        (sign_in(json!({"idle": "1m"})), "access.signIn.idle", "5m to 1d"),
        (sign_in(json!({"longest": "0s"})), "access.signIn.longest", "more than nothing"),
        (sign_in(json!({"longest": "25h"})), "access.signIn.longest", "at most 1d"),
        (sidecars(json!({})), "access.sidecars", "no sidecar could call"),
        (sidecars(json!({"certificates": ["["]})), "access.sidecars.certificates[0]", "no meaning"),
        (sidecars(json!({"issuer": "crop", "subjects": ["*"]})), "access.sidecars.issuer", "no issuer"),
        (sidecars(json!({"issuer": "corp"})), "access.sidecars.subjects", "empty"),
        (
            sidecars(json!({"certificates": ["a"], "subjects": ["b"]})),
            "access.sidecars.issuer",
            "whose tokens",
        ),
    ] {
        let problems = check(&policy("/access", access.clone()));
        assert!(
            problems.len() == 1 && problems[0].field == field && problems[0].why.contains(why),
            "{access}: expected {field} ({why}), found {problems:?}"
        );
    }
}

#[test]
fn a_review_has_reviewers_and_time_and_names_what_there_is() {
    let problems = |review: serde_json::Value| {
        let policy = serde_json::json!({
            "issuers": [{"name": "own", "issuer": "https://x.example", "audiences": ["a"]}],
            "roles": [{"name": "writer"}], "reviews": [review],
        });
        let policy: Policy = serde_json::from_value(policy).expect("a policy");
        check(&policy).iter().map(|problem| problem.field.clone()).collect::<Vec<_>>()
    };
    let json = |more: serde_json::Value| {
        let mut review =
            serde_json::json!({"name": "q", "reviewers": ["leads"], "every": "90d", "reminders": ["1d"]});
        review.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        review
    };
    assert_eq!(problems(json(serde_json::json!({}))), [""; 0]);
    for (more, field) in [
        (serde_json::json!({"reviewers": []}), "reviews[0].reviewers"),
        (serde_json::json!({"every": "12h", "deadline": "1h", "reminders": []}), "reviews[0].every"),
        (serde_json::json!({"every": "14d"}), "reviews[0].every"),
        (serde_json::json!({"deadline": "0s", "reminders": []}), "reviews[0].deadline"),
        (serde_json::json!({"reminders": ["14d"]}), "reviews[0].reminders[0]"),
        (serde_json::json!({"scope": {"roles": ["wirter"]}}), "reviews[0].scope.roles[0]"),
        (serde_json::json!({"scope": {"models": ["{a}"]}}), "reviews[0].scope.models[0]"),
        (serde_json::json!({"scope": {"tools": [""]}}), "reviews[0].scope.tools[0]"),
    ] {
        assert_eq!(problems(json(more)), [field]);
    }
}
