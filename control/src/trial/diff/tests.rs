use serde_json::{Value, json};
use sluice_engine::policy::document::Policy;

use super::Direction::{Loosened, Same, Tightened, Unclear};
use super::*;

fn base() -> Value {
    json!({
        "issuers": [{"name": "idp", "issuer": "https://idp", "audiences": ["sluice"]}],
        "roles": [{"name": "reader", "scopes": ["messages.create"], "models": ["claude-haiku-*"],
            "tools": {"allow": ["Read", "Grep"], "deny": ["mcp__*"]}, "maxTokens": 1000}],
        "bindings": [{"name": "readers", "groups": ["readers"], "roles": ["reader"]}],
        "masking": {"kinds": {"email": "redact"}},
        "rules": [
            {"name": "no-destruction", "when": {"effects": ["destroy", "grant"]}, "action": "deny"},
            {"name": "writes", "when": {"effects": ["write"]}, "action": "hold",
                "approval": {"groups": ["approvers"], "expires": "30m"}},
            {"name": "hints", "when": {"text": "ignore"}, "action": "deny", "observe": true},
            {"name": "words", "when": {"text": "secret"}, "action": "deny"},
            {"name": "cards", "when": {"findings": ["payment_card"], "tools": ["Bash"]}, "action": "deny"},
            {"name": "files", "when": {"paths": ["/etc/*", "~/.ssh/*"], "pathsExcept": ["/etc/hosts"], "largerThan": 100}, "action": "deny"},
        ],
        "recording": {"mode": "background"},
        "access": {"auditors": ["auditors"]},
    })
}

fn policy(value: &Value) -> Policy {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e}: {value}"))
}

/// The changes when the value at a JSON Pointer becomes another; a null takes it away.
fn after(changes: &[(&str, Value)]) -> Vec<Change> {
    let mut new = base();
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        match new.pointer_mut(parent).unwrap() {
            Value::Object(map) if value.is_null() => drop(map.remove(field)),
            Value::Object(map) => drop(map.insert(field.into(), value.clone())),
            Value::Array(list) if value.is_null() => drop(list.remove(field.parse().unwrap())),
            Value::Array(list) if field == "-" => list.push(value.clone()),
            Value::Array(list) => list[field.parse::<usize>().unwrap()] = value.clone(),
            other => panic!("{other}"),
        }
    }
    diff(&policy(&base()), &policy(&new))
}

#[test]
fn a_policy_differs_from_itself_in_nothing() {
    assert_eq!(after(&[]), []);
}

#[test]
fn each_change_is_said_to_loosen_to_tighten_or_neither() {
    for (pointer, value, direction, words) in [
        ("/roles/0/scopes/-", json!("files.read"), Loosened, "may now use the scopes files.read"),
        ("/roles/0/scopes/0", json!("models.read"), Loosened, "may now use the scopes models.read"),
        (
            "/roles/0/models",
            json!(["claude-*"]),
            Loosened,
            "further models, for example claude-opus-4-5, claude-sonnet-4-5",
        ),
        ("/roles/0/models", json!(["claude-haiku-4-5"]), Tightened, "may no longer use further models"),
        ("/roles/0/tools/allow/-", json!("Bash"), Loosened, "may now use further tools, for example Bash"),
        ("/roles/0/tools/allow", Value::Null, Loosened, "may now use further tools"),
        (
            "/roles/0/tools/allow/0",
            Value::Null,
            Tightened,
            "may no longer use further tools, for example Read",
        ),
        ("/roles/0/tools/deny", json!([]), Loosened, "tools are no longer denied"),
        ("/roles/0/tools/deny/-", json!("secret_*"), Tightened, "tools are now denied"),
        ("/roles/0/serverTools", json!({"allow": ["web_*"]}), Loosened, "web_search, web_fetch"),
        (
            "/roles/0/mcpServers",
            json!({"allow": ["https://a.test"]}),
            Loosened,
            "further MCP servers, for example `https://a.test/`",
        ),
        (
            "/roles/0/betas",
            json!({"deny": ["context-*"]}),
            Tightened,
            "may no longer use further betas, for example `context-`",
        ),
        ("/roles/0/maxTokens", json!(2000), Loosened, "max_tokens: 1000 became 2000"),
        ("/roles/0/maxTokens", Value::Null, Loosened, "1000 became no limit"),
        ("/roles/0/thinkingBudget", json!(10), Tightened, "no limit became 10"),
        ("/roles/0/unmasked", json!(["email"]), Loosened, "is no longer masked for email"),
        (
            "/roles/-",
            json!({"name": "free", "scopes": ["*"], "models": ["*"]}),
            Loosened,
            "may now use the scopes",
        ),
        ("/bindings/0/groups/-", json!("others"), Loosened, "may now use the scopes messages.create"),
        ("/bindings/0/groups/0", json!("others"), Tightened, "may no longer use the scopes messages.create"),
        ("/bindings/0/subjects", json!(["ann"]), Loosened, "may now use"),
        ("/bindings/0/issuer", json!("idp"), Same, ""),
        ("/rules/0", Value::Null, Loosened, "rule no-destruction (deny) is gone"),
        ("/rules/2", Value::Null, Same, "rule hints (deny, only observed) is gone"),
        (
            "/rules/-",
            json!({"name": "x", "when": {"tools": ["Bash"]}, "action": "deny"}),
            Tightened,
            "rule x (deny) is new",
        ),
        (
            "/rules/-",
            json!({"name": "x", "when": {"tools": ["Bash"]}, "action": "allow"}),
            Same,
            "rule x (allow) is new",
        ),
        ("/rules/0/name", json!("other"), Same, "rule no-destruction is now called other"),
        ("/rules/0/observe", json!(true), Loosened, "deny became deny, only observed"),
        ("/rules/2/observe", json!(false), Tightened, "deny, only observed became deny"),
        ("/rules/1/action", json!("deny"), Tightened, "hold became deny"),
        ("/rules/1/action", json!("allow"), Loosened, "hold became allow"),
        ("/rules/0/when/effects/-", json!("administer"), Tightened, "`when.effects`"),
        ("/rules/0/when/effects/0", Value::Null, Loosened, "`when.effects`: [destroy, grant] became [grant]"),
        ("/rules/0/when/effects/0", json!("write"), Unclear, "`when.effects`"),
        ("/rules/0/when/groups", json!(["readers"]), Loosened, "`when.groups`: nothing became [readers]"),
        ("/rules/0/when/tools", json!(["Bash"]), Loosened, "`when.tools`"),
        ("/rules/0/when/input", json!("rm"), Loosened, "`when.input`"),
        ("/rules/2/when/text", json!("other"), Same, "`when.text`: `ignore` became `other`"),
        ("/rules/0/when/part", json!(["toolCall"]), Same, ""),
        (
            "/rules/0/when/part",
            json!(["prompt"]),
            Unclear,
            "looks at [prompt], where it looked at [toolCall]",
        ),
        ("/rules/0/when/part", json!(["prompt", "toolCall"]), Tightened, "looks at [prompt, toolCall]"),
        ("/rules/3/when/part", json!(["prompt"]), Loosened, "looks at [prompt]"),
        // A rule that loses its condition on tools looks at prompts instead of calls.
        ("/rules/4/when/tools", Value::Null, Unclear, "where it looked at [toolCall]"),
        ("/rules/5/when/paths/-", json!("/root/*"), Tightened, "`when.paths`"),
        (
            "/rules/5/when/paths/0",
            Value::Null,
            Loosened,
            "`when.paths`: [/etc/*, ~/.ssh/*] became [~/.ssh/*]",
        ),
        ("/rules/5/when/paths/0", json!("/etc*"), Unclear, "`when.paths`"),
        ("/rules/5/when/pathsExcept/-", json!("/etc/motd"), Loosened, "`when.pathsExcept`"),
        ("/rules/5/when/pathsExcept", Value::Null, Tightened, "`when.pathsExcept`"),
        ("/rules/5/when/paths", Value::Null, Unclear, "`when.paths`"),
        ("/rules/5/when/largerThan", json!(200), Loosened, "`when.largerThan`: 100 became 200"),
        ("/rules/5/when/largerThan", json!(50), Tightened, "`when.largerThan`"),
        ("/paths", json!([{"tools": ["x"], "fields": ["y"]}]), Unclear, "`paths` differs"),
        ("/rules/0/message", json!("no"), Same, "another message"),
        ("/rules/1/approval/groups/-", json!("all"), Loosened, "group all may now approve"),
        ("/rules/1/approval/groups/0", json!("few"), Loosened, "group few may now approve"),
        ("/rules/1/approval/expires", json!("1h"), Loosened, "approvals may be given for 1h, not 30m"),
        ("/rules/1/approval/expires", json!("5m"), Tightened, "approvals may be given for 5m, not 30m"),
        ("/rules/1/approval/reason", json!(false), Loosened, "needs no reason"),
        ("/masking/mode", json!("observe"), Loosened, "`mode`: enforce became observe"),
        ("/masking/kinds/phone", json!("off"), Loosened, "no longer masked: phone"),
        ("/masking/kinds/phone", json!("redact"), Tightened, "redacted where it was a pseudonym: phone"),
        ("/masking/kinds/email", json!("pseudonym"), Loosened, "a pseudonym where it was redacted: email"),
        ("/masking/packs", json!(["uk"]), Tightened, "now masked: uk_nhs_number"),
        ("/masking/restore", json!(false), Tightened, "`restore`: true became false"),
        ("/masking/toolInputs", json!("mask"), Tightened, "`toolInputs`: restore became mask"),
        ("/masking/media", json!("deny"), Tightened, "`media`: allow became deny"),
        (
            "/issuers/-",
            json!({"name": "two", "issuer": "https://two", "audiences": ["a"]}),
            Loosened,
            "tokens of two (https://two) are now taken",
        ),
        ("/issuers/0/audiences/-", json!("more"), Loosened, "tokens for more are now taken"),
        ("/issuers/0/maxLifetime", json!("1h"), Tightened, "tokens may live 1h, not 1d"),
        ("/issuers/0/refresh", json!("8h"), Loosened, "sign-ins may last 8h, not no time"),
        ("/issuers/0/issuer", json!("https://other"), Unclear, "idp: `issuer` differs"),
        ("/issuers/0/claims", json!({"groups": "roles"}), Unclear, "idp: `claims` differs"),
        ("/recording/mode", json!("off"), Loosened, "`mode`: background became off"),
        ("/recording/mode", json!("before-forward"), Tightened, "background became before-forward"),
        ("/limits", json!({"bodyBytes": 1}), Tightened, "`bodyBytes`"),
        ("/limits", json!({"bundleAge": "48h"}), Loosened, "`bundleAge`: 1d became 2d"),
        ("/access/auditors/-", json!("all"), Loosened, "group all is now among the auditors"),
        ("/access/teams", json!(["team-*"]), Tightened, "group team-* is now among the teams"),
        ("/rules/1/approval/quorum", json!(2), Tightened, "2 people must approve, not one person"),
        ("/rules/1/approval/excludeTeam", json!(true), Tightened, "team may no longer decide"),
        ("/rules/1/approval/grantFor", json!("1h"), Loosened, "for 1h at most"),
        (
            "/commands",
            json!([{"tools": ["x"], "fields": ["y"], "language": "sql"}]),
            Unclear,
            "`commands` differs",
        ),
    ] {
        let changes = after(&[(pointer, value.clone())]);
        let found = changes.iter().any(|change| change.direction == direction && change.what.contains(words));
        assert!(found || words.is_empty() && changes.is_empty(), "{pointer} {value}: {changes:#?}");
    }
}

#[test]
fn what_is_only_tightened_is_not_loosened() {
    for (pointer, value, loosened) in [
        ("/roles/0/maxTokens", json!(10), false),
        ("/rules/0/when/effects/-", json!("administer"), false),
        ("/rules/0/message", json!("no"), false),
        ("/commands", json!([{"tools": ["x"], "fields": ["y"], "language": "sql"}]), true),
        ("/rules/0", Value::Null, true),
    ] {
        assert_eq!(is_loosened(&after(&[(pointer, value)])), loosened, "{pointer}");
    }
}

#[test]
fn rights_that_are_only_said_in_other_words_are_no_change() {
    let changes = after(&[
        ("/roles/0/scopes", json!([])),
        (
            "/roles/-",
            json!({"name": "asks", "scopes": ["messages.crea*", "messages.create"], "models": ["claude-haiku-4*", "claude-haiku-*"],
            "tools": {"allow": ["Grep"]}, "maxTokens": 1}),
        ),
        ("/bindings/0/roles/-", json!("asks")),
    ]);
    assert_eq!(changes, []);
}

#[test]
fn limits_of_callers_who_come_or_go_are_no_news() {
    for change in [("/bindings/0/groups/-", json!("others")), ("/bindings/0/groups/0", Value::Null)] {
        let changes = after(&[change]);
        assert!(
            !changes.is_empty() && !changes.iter().any(|change| change.what.contains("max_tokens")),
            "{changes:#?}"
        );
    }
}

#[test]
fn the_same_change_for_several_callers_is_said_once() {
    let changes = after(&[("/bindings/0/groups", json!(["readers", "a", "b"]))]);
    let scopes = changes.iter().find(|change| change.what.contains("scopes")).unwrap();
    assert_eq!(scopes.who, ["group a", "group b"]);
}

#[test]
fn a_binding_for_one_issuer_changes_nothing_for_the_others() {
    let two = json!({"name": "two", "issuer": "https://two", "audiences": ["a"]});
    let mut old = base();
    old["issuers"].as_array_mut().unwrap().push(two);
    let mut new = old.clone();
    new["bindings"][0]["issuer"] = json!("idp");
    let changes = diff(&policy(&old), &policy(&new));
    assert!(
        changes
            .iter()
            .all(|change| change.direction == Tightened && change.who == ["group readers (issuer two)"]),
        "{changes:#?}"
    );
    assert!(!changes.is_empty());
}
