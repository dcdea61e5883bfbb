use std::borrow::Cow;

use serde_json::{Value, json};

use super::*;
use crate::command::Effect;
use crate::policy::bundle::FORMAT;
use crate::policy::rights::{Allowed, Denied};

const NOW: u64 = 1_800_000_000_000;

fn bundle(policy: Value) -> Bundle {
    Bundle {
        format: FORMAT,
        version: "v".into(),
        policy_version: "p".into(),
        issued_at_ms: NOW,
        policy: serde_json::from_value(policy).expect("a policy"),
        keys: Vec::new(),
        tenant_key: String::new(),
        grants: Vec::new(),
        revocations: Vec::new(),
        withheld: Vec::new(),
    }
}

fn compiled(policy: Value) -> Compiled {
    Compiled::new(&bundle(policy)).unwrap_or_else(|e| panic!("{e}"))
}

fn principal(subject: &str, groups: &[&str]) -> Principal {
    Principal {
        issuer: "corp".into(),
        subject: subject.into(),
        groups: groups.iter().map(|g| (*g).into()).collect(),
        scopes: None,
        actor: None,
        expires_ms: NOW + 1000,
    }
}

/// The rights of someone who holds exactly these roles.
fn rights(roles: Value) -> Rights {
    let names: Vec<_> = roles.as_array().expect("roles").iter().map(|role| role["name"].clone()).collect();
    let bindings = json!([{"name": "b", "groups": ["g"], "roles": names}]);
    compiled(json!({"roles": roles, "bindings": bindings})).rights(&principal("ann", &["g"]), NOW)
}

fn names(rights: &Rights) -> Vec<String> {
    rights.roles().iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn roles_come_from_groups_subjects_and_live_grants() {
    let mut bundle = bundle(json!({
        "roles": [{"name": "reader"}, {"name": "writer"}, {"name": "admin"}, {"name": "other"}],
        "bindings": [
            {"name": "a", "groups": ["readers"], "roles": ["reader"]},
            {"name": "b", "subjects": ["ann"], "roles": ["writer", "reader"]},
            {"name": "c", "groups": ["readers"], "issuer": "elsewhere", "roles": ["admin"]},
        ],
    }));
    let grant = |subject: &str, role: &str, from_ms, until_ms| Grant {
        id: "g1".into(),
        issuer: principal(subject, &[]).issuer,
        subject: subject.into(),
        role: role.into(),
        from_ms,
        until_ms,
    };
    bundle.grants = vec![grant("bob", "other", NOW, NOW + 10), grant("bob", "gone", 0, u64::MAX)];
    let compiled = Compiled::new(&bundle).expect("compiled");
    let roles = |subject: &str, groups: &[&str], at| names(&compiled.rights(&principal(subject, groups), at));
    assert_eq!(roles("eve", &[], NOW), [""; 0]);
    assert_eq!(roles("eve", &["readers"], NOW), ["reader"]);
    assert_eq!(roles("eve", &["Readers", "reader"], NOW), [""; 0]);
    assert_eq!(roles("ann", &["readers"], NOW), ["reader", "writer"], "each once, in the policy's order");
    assert_eq!(roles("bob", &[], NOW - 1), [""; 0], "a grant has not begun");
    assert_eq!(roles("bob", &["readers"], NOW), ["reader", "other"]);
    assert_eq!(roles("bob", &[], NOW + 9), ["other"]);
    assert_eq!(roles("bob", &[], NOW + 10), [""; 0], "a grant has ended");
    let impostor = Principal { issuer: "elsewhere".into(), ..principal("bob", &[]) };
    assert_eq!(names(&compiled.rights(&impostor, NOW)), [""; 0], "another issuer's bob is somebody else");
    let elsewhere = Principal { issuer: "elsewhere".into(), ..principal("eve", &["readers"]) };
    assert_eq!(names(&compiled.rights(&elsewhere, NOW)), ["reader", "admin"]);
}

#[test]
fn a_scope_takes_a_role_and_where_the_token_narrows_the_token_too() {
    let policy = json!({
        "roles": [{"name": "r", "scopes": ["messages.create", "batches.*"]}],
        "bindings": [{"name": "b", "groups": ["g"], "roles": ["r"]}],
    });
    let compiled = compiled(policy);
    let allowed = |scopes: Option<&[&str]>, scope: &str| {
        let scopes = scopes.map(|scopes| scopes.iter().map(|s| (*s).into()).collect());
        compiled.rights(&Principal { scopes, ..principal("ann", &["g"]) }, NOW).scope(scope)
    };
    for (token, scope, expected) in [
        (None, "messages.create", true),
        (None, "batches.read", true),
        (None, "messages.count_tokens", false),
        (Some(&["messages.create"][..]), "messages.create", true),
        (Some(&["messages.create"]), "batches.read", false),
        (Some(&["batches.*"]), "batches.read", true),
        (Some(&["batches.*"]), "messages.create", false),
        (Some(&["files.read"]), "files.read", false),
        (Some(&["*"]), "messages.create", false),
        (Some(&["messages.*"]), "messages.create", true),
        (Some(&["mess.*"]), "messages.create", false),
        (Some(&["messages.creat?"]), "messages.create", false),
        (Some(&[]), "messages.create", false),
    ] {
        assert_eq!(allowed(token, scope), expected, "{token:?} {scope}");
    }
}

#[test]
fn the_defaults_of_a_role_are_all_tools_and_betas_and_no_models_server_tools_or_mcp_servers() {
    let rights = rights(json!([{"name": "r"}]));
    assert!(rights.tool("Bash").is_ok());
    assert!(rights.beta("context-1m-2025-08-07").is_ok());
    assert!(rights.model("claude-opus-4-5").is_err());
    assert!(rights.server_tool("web_search_20250305").is_err());
    assert!(rights.mcp_server("https://mcp.example.com/").is_err());
    assert_eq!(rights.max_tokens(), None);
    assert_eq!(rights.thinking_budget(), None);
}

#[test]
fn roles_add_up_and_a_deny_in_any_of_them_wins() {
    let rights = rights(json!([
        {"name": "a", "models": ["claude-haiku-*"], "tools": {"allow": ["Read"]}, "unmasked": ["phone", "email"],
         "maxTokens": 1000, "thinkingBudget": 10},
        {"name": "b", "models": ["claude-opus-*"], "tools": {"allow": ["mcp__db__*"], "deny": ["mcp__*__drop", "Bash"]},
         "serverTools": {"allow": ["web_*"], "deny": ["web_fetch"]}, "unmasked": ["email"],
         "mcpServers": {"allow": ["https://*.example.com/*"], "deny": ["https://old.example.com"]},
         "betas": {"deny": ["computer-use-*"]}, "maxTokens": 5000},
    ]));
    for (result, expected) in [
        (rights.model("claude-haiku-4-5"), true),
        (rights.model("claude-opus-4-5"), true),
        (rights.model("claude-sonnet-4-5"), false),
        (rights.tool("Read"), true),
        (rights.tool("mcp__db__query"), true),
        (rights.tool("mcp__db__drop"), false),
        (rights.tool("Bash"), false),
        (rights.tool("Write"), false),
        (rights.server_tool("web_search_20250305"), true),
        (rights.server_tool("web_search"), true),
        (rights.server_tool("web_fetch_20250910"), false),
        (rights.server_tool("code_execution_20250825"), false),
        (rights.mcp_server("https://mcp.example.com/sse"), true),
        (rights.mcp_server("https://old.example.com/sse"), false),
        (rights.mcp_server("https://OLD.example.com:443/sse"), false),
        (rights.mcp_server("https://x@mcp.example.com/sse"), false),
        (rights.beta("context-1m-2025-08-07"), true),
        (rights.beta("computer-use-2025-01-24"), false),
    ] {
        assert_eq!(result.is_ok(), expected, "{result:?}");
    }
    assert_eq!(rights.max_tokens(), Some(5000), "the largest");
    assert_eq!(rights.thinking_budget(), None, "a role without a limit lifts it");
    let masks: Vec<_> = rights.masks().flatten().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(masks, ["phone", "email", "email"]);
}

#[test]
fn a_role_without_limits_of_its_own_still_denies() {
    let rights = rights(json!([{"name": "all"}, {"name": "no-shell", "tools": {"deny": ["Bash"]}}]));
    assert_eq!(rights.tool("Read"), Ok(Allowed { role: "all", entry: None }));
    let denied = rights.tool("Bash").expect_err("denied");
    assert_eq!(denied.rule(), "tool");
    assert_eq!(denied.to_string(), "tool `Bash` is denied by role `no-shell` (`Bash` in its deny list)");
}

#[test]
fn without_a_role_nothing_is_allowed() {
    let rights =
        compiled(json!({"roles": [{"name": "r", "scopes": ["*"]}]})).rights(&principal("eve", &[]), NOW);
    assert!(!rights.scope("messages.create"));
    for denied in [rights.model("m"), rights.tool("t"), rights.server_tool("s"), rights.beta("b")] {
        assert!(denied.is_err());
    }
    assert_eq!((rights.max_tokens(), rights.thinking_budget()), (Some(0), Some(0)));
    let message = rights.check_scope("messages.create").expect_err("denied").to_string();
    assert!(message.contains("you have none"), "{message}");
}

#[test]
fn a_denial_names_the_roles_that_were_asked_and_bounds_what_it_repeats() {
    let rights = rights(json!([{"name": "a"}, {"name": "b"}]));
    let denied = rights.model(&"x".repeat(10_000)).expect_err("denied");
    assert_eq!(denied.rule(), "model");
    assert_eq!(
        denied,
        Denied::Nowhere {
            what: "model",
            name: "x".repeat(100),
            roles: vec!["a".into(), "b".into()],
            withheld: vec![]
        }
    );
}

/// What reviews have taken back of ann's role `reader`, or of another.
fn taken(role: &str, part: Value) -> Withheld {
    serde_json::from_value(
        json!({"id": "w1", "issuer": "corp", "subject": "ann", "role": role, "part": part}),
    )
    .expect("something withheld")
}

#[test]
fn what_a_review_took_back_of_a_binding_is_gone_for_that_person_in_any_spelling_and_for_nobody_else() {
    let mut bundle = bundle(json!({
        "roles": [{"name": "reader", "scopes": ["messages.create"]}, {"name": "writer"}],
        "bindings": [{"name": "a", "groups": ["g"], "roles": ["reader", "writer"]}],
    }));
    bundle.withheld = vec![taken("reader", Value::Null), taken("gone", Value::Null)];
    let compiled = Compiled::new(&bundle).expect("compiled");
    let roles = |who: &Principal| names(&compiled.rights(who, NOW));
    assert_eq!(roles(&principal("ann", &["g"])), ["writer"]);
    assert_eq!(roles(&principal(" Ann", &["g"])), ["writer"], "a provider may take both for one account");
    assert_eq!(roles(&principal("bob", &["g"])), ["reader", "writer"]);
    let elsewhere = Principal { issuer: "elsewhere".into(), ..principal("ann", &["g"]) };
    assert_eq!(roles(&elsewhere), ["reader", "writer"]);
    let rights = compiled.rights(&principal("ann", &["g"]), NOW);
    let said = rights.check_scope("messages.create").expect_err("denied").to_string();
    assert!(said.contains("of reader an access review has taken back"), "{said}");
    let given = compiled.given(&principal("ann", &["g"]), NOW);
    assert_eq!(given.iter().map(|given| given.role).collect::<Vec<_>>(), ["writer"]);
}

#[test]
fn a_grant_gives_what_a_review_took_back_for_its_time() {
    let mut bundle = bundle(json!({
        "roles": [{"name": "reader", "models": ["*"]}],
        "bindings": [{"name": "a", "groups": ["g"], "roles": ["reader"]}],
    }));
    for part in [Value::Null, json!({"models": ["*"]})] {
        bundle.withheld = vec![taken("reader", part)];
        bundle.grants = vec![Grant {
            id: "g1".into(),
            issuer: "corp".into(),
            subject: "ann".into(),
            role: "reader".into(),
            from_ms: NOW,
            until_ms: NOW + 10,
        }];
        let compiled = Compiled::new(&bundle).expect("compiled");
        assert!(compiled.rights(&principal("ann", &["g"]), NOW).model("m").is_ok());
        assert!(compiled.rights(&principal("ann", &["g"]), NOW + 10).model("m").is_err());
    }
}

#[test]
fn what_a_review_reduced_is_not_given_by_that_role_and_still_by_others() {
    let mut bundle = bundle(json!({
        "roles": [
            {"name": "reader", "scopes": ["messages.*", "batches.*"], "models": ["claude-*"],
             "serverTools": {"allow": ["*"]}},
            {"name": "other", "scopes": ["batches.read"], "tools": {"allow": ["Write"]}},
        ],
        "bindings": [{"name": "a", "groups": ["g"], "roles": ["reader"]}, {"name": "b", "groups": ["h"], "roles": ["other"]}],
    }));
    bundle.withheld = vec![
        taken("reader", json!({"models": ["claude-opus-*"], "tools": ["Bash", "Write", "web_search"]})),
        taken("reader", json!({"scopes": ["batches.*"]})),
    ];
    let compiled = Compiled::new(&bundle).expect("compiled");
    let rights = compiled.rights(&principal("ann", &["g"]), NOW);
    assert_eq!(names(&rights), ["reader"]);
    assert!(rights.model("claude-sonnet-4-5").is_ok() && rights.model("claude-opus-4-5").is_err());
    assert!(rights.tool("Read").is_ok() && rights.tool("Bash").is_err() && rights.tool("Write").is_err());
    assert!(rights.server_tool("web_search_20250305").is_err() && rights.server_tool("web_fetch").is_ok());
    assert!(rights.scope("messages.create") && !rights.scope("batches.read"));
    assert_eq!(rights.used(&["batches.read"], None), [""; 0]);
    let rights = compiled.rights(&principal("ann", &["g", "h"]), NOW);
    assert!(rights.tool("Write").is_ok() && rights.scope("batches.read") && rights.tool("Bash").is_err());
    assert_eq!(rights.used(&["batches.read"], None), ["other"]);
    assert_eq!(rights.used(&["messages.create"], Some("claude-sonnet-4-5")), ["reader"]);
    assert_eq!(rights.used(&["messages.create"], Some("claude-opus-4-5")), [""; 0]);
}

#[test]
fn a_review_never_gives_what_the_role_that_it_took_back_denied() {
    let mut bundle = bundle(json!({
        "roles": [
            {"name": "careful", "tools": {"deny": ["Bash"]}, "masks": {"email": "redact", "phone": "off"}, "offered": "refuse"},
            {"name": "all"},
        ],
        "bindings": [{"name": "a", "groups": ["g"], "roles": ["careful", "all"]}],
    }));
    bundle.withheld = vec![taken("careful", Value::Null)];
    let compiled = Compiled::new(&bundle).expect("compiled");
    let rights = compiled.rights(&principal("ann", &["g"]), NOW);
    assert_eq!(names(&rights), ["all"]);
    assert!(rights.tool("Bash").is_err() && rights.tool("Read").is_ok() && rights.refuses_offers());
    let masks: Vec<_> = rights.masks().flatten().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(masks, ["email"], "it redacts on, and no longer lets through");
}

#[test]
fn a_part_that_cannot_be_read_takes_the_role() {
    let mut bundle = bundle(json!({
        "roles": [{"name": "reader"}],
        "bindings": [{"name": "a", "groups": ["g"], "roles": ["reader"]}],
    }));
    bundle.withheld = vec![taken("reader", json!({"tools": ["{a,b}"]}))];
    let compiled = Compiled::new(&bundle).expect("compiled");
    assert_eq!(names(&compiled.rights(&principal("ann", &["g"]), NOW)), [""; 0]);
}

fn facts(part: Part) -> Facts<'static> {
    Facts {
        part,
        route: "messages.create",
        groups: &[],
        model: Some("claude-opus-4-5"),
        text: None,
        tool: None,
        input_strings: &[],
        findings: &[],
        effects: &[],
        targets: None,
        offer: None,
        size: 0,
    }
}

fn deny(when: Value) -> Compiled {
    compiled(json!({"rules": [{"name": "x", "action": "deny", "when": when}]}))
}

fn denies(when: &Value, facts: &Facts<'_>) -> bool {
    deny(when.clone()).decide(facts).action == Action::Deny
}

#[test]
fn every_condition_of_a_rule_must_hold() {
    let groups = ["writers".to_owned()];
    let input = [Cow::Borrowed("ls"), Cow::Borrowed("rm -rf /")];
    let call = Facts {
        groups: &groups,
        tool: Some("Bash"),
        input_strings: &input,
        findings: &["email", "aws_key"],
        effects: &[Effect::Read, Effect::Destroy],
        ..facts(Part::ToolCall)
    };
    let all = json!({
        "part": ["toolCall", "prompt"], "routes": ["messages.*"], "groups": ["x", "writers"], "models": ["*-opus-*"],
        "tools": ["Ba*"], "input": "rm +-rf", "findings": ["*_key"], "effects": ["destroy"],
    });
    assert!(denies(&all, &call));
    for (field, other) in [
        ("part", json!(["prompt"])),
        ("routes", json!(["batches.*"])),
        ("groups", json!(["Writers"])),
        ("models", json!(["*-haiku-*"])),
        ("tools", json!(["bash"])),
        ("input", json!("rm +-r$")),
        ("findings", json!(["iban"])),
        ("effects", json!(["write", "unknown"])),
        ("text", json!("rm")),
    ] {
        let mut when = all.clone();
        when[field] = other;
        assert!(!denies(&when, &call), "{field}");
    }
}

#[test]
fn what_is_not_there_fits_no_condition() {
    let bare = Facts { model: None, ..facts(Part::Prompt) };
    for when in [json!({"models": ["*"]}), json!({"text": "x|y"}), json!({"findings": ["*"]})] {
        assert!(!denies(&when, &bare), "{when}");
    }
    assert!(!denies(&json!({"tools": ["*"]}), &facts(Part::ToolCall)));
    assert!(denies(&json!({}), &bare));
}

#[test]
fn a_rule_without_a_part_looks_at_tool_calls_when_it_is_about_them_and_else_at_what_the_model_reads() {
    let parts = |when: Value| deny(when).rules()[0].parts.clone();
    for when in [json!({"tools": ["x"]}), json!({"input": "x"}), json!({"effects": ["write"]})] {
        assert_eq!(parts(when), [Part::ToolCall]);
    }
    for when in [json!({}), json!({"text": "x"}), json!({"findings": ["x"]}), json!({"models": ["x"]})] {
        assert_eq!(parts(when), [Part::Prompt, Part::ToolResult]);
    }
    assert_eq!(parts(json!({"tools": ["x"], "part": ["toolResult"]})), [Part::ToolResult]);
    let rule = deny(json!({"text": "x", "part": ["toolResult"]}));
    assert!(rule.watches(Part::ToolResult) && !rule.watches(Part::Prompt));
}

#[test]
fn an_effect_that_was_not_understood_matches_only_where_it_is_listed() {
    let unknown = Facts { effects: &[Effect::Unknown], ..facts(Part::ToolCall) };
    assert!(!denies(&json!({"effects": ["write", "destroy"]}), &unknown));
    assert!(denies(&json!({"effects": ["write", "unknown"]}), &unknown));
}

#[test]
fn the_most_restrictive_rule_decides_and_the_first_of_equals_names_itself() {
    let approval = json!({"groups": ["approvers"]});
    let compiled = compiled(json!({"rules": [
        {"name": "note", "action": "allow", "when": {"text": "a"}},
        {"name": "ask", "action": "hold", "when": {"text": "b"}, "approval": approval},
        {"name": "no-1", "action": "deny", "when": {"text": "c"}, "message": "Ask Bob."},
        {"name": "no-2", "action": "deny", "when": {"text": "c|d"}},
        {"name": "ask-2", "action": "hold", "when": {"text": "b"}, "approval": approval},
        {"name": "watch", "action": "deny", "when": {"text": "e"}, "observe": true},
    ]}));
    for (text, action, rule, observed) in [
        ("x", Action::Allow, None, &[][..]),
        ("a", Action::Allow, Some("note"), &[]),
        ("ab", Action::Hold, Some("ask"), &[]),
        ("abc", Action::Deny, Some("no-1"), &[]),
        ("bd", Action::Deny, Some("no-2"), &[]),
        ("e", Action::Allow, None, &["watch"]),
        ("be", Action::Hold, Some("ask"), &["watch"]),
    ] {
        let outcome = compiled.decide(&Facts { text: Some(text), ..facts(Part::Prompt) });
        assert_eq!(outcome.action, action, "{text}");
        assert_eq!(outcome.rule.map(|rule| rule.name.as_str()), rule, "{text}");
        assert_eq!(
            outcome.observed.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(),
            observed,
            "{text}"
        );
    }
    let messages: Vec<_> = compiled.rules().iter().map(|rule| rule.message.as_str()).collect();
    assert_eq!(messages[2], "Ask Bob.");
    assert_eq!(messages[3], "rule `no-2` does not allow this");
    assert!(messages[1].contains("`ask` asks for the approval"));
    assert_eq!(
        compiled.rules()[1].approval.as_ref().map(|a| a.groups.clone()),
        Some(vec!["approvers".to_owned()])
    );
}

#[test]
fn commands_are_found_by_the_policys_entries_first_and_then_by_the_defaults() {
    let compiled = compiled(json!({"commands": [
        {"tools": ["mcp__ops__*"], "fields": ["query"], "language": "shell"},
        {"tools": ["deploy"], "fields": ["step"], "language": "shell"},
    ]}));
    for (tool, field, language) in [
        ("Bash", "command", Some(Language::Shell)),
        ("Bash", "description", None),
        ("bash", "command", Some(Language::Shell)),
        ("mcp__db__query", "sql", Some(Language::Sql)),
        ("mcp__db__run", "statement", Some(Language::Sql)),
        ("mcp__host__run", "command", Some(Language::Shell)),
        ("execute_sql", "query", Some(Language::Sql)),
        ("mcp__ops__run", "query", Some(Language::Shell)),
        ("mcp__ops__run", "sql", Some(Language::Sql)),
        ("deploy", "step", Some(Language::Shell)),
        ("Read", "query", None),
    ] {
        assert_eq!(compiled.command_language(tool, field), language, "{tool} {field}");
    }
}

#[test]
fn a_policy_that_cannot_be_compiled_is_refused_with_the_place() {
    for (policy, field) in [
        (json!({"roles": [{"name": "a"}, {"name": "r", "models": ["["]}]}), "roles[1].models[0]"),
        (json!({"roles": [{"name": "r", "tools": {"deny": [""]}}]}), "roles[0].tools.deny[0]"),
        (json!({"roles": [{"name": "r", "mcpServers": {"allow": ["x"]}}]}), "roles[0].mcpServers.allow[0]"),
        (json!({"bindings": [{"name": "b", "roles": ["r"]}]}), "bindings[0].roles"),
        (
            json!({"rules": [{"name": "x", "action": "deny", "when": {"tools": ["{"]}}]}),
            "rules[0].when.tools[0]",
        ),
        (json!({"rules": [{"name": "x", "action": "deny", "when": {"text": "("}}]}), "rules[].when.text"),
        (json!({"rules": [{"name": "x", "action": "hold"}]}), "rules[0].approval"),
        (json!({"commands": [{"tools": ["["], "fields": [], "language": "sql"}]}), "commands[0].tools[0]"),
    ] {
        let error =
            Compiled::new(&bundle(policy.clone())).err().unwrap_or_else(|| panic!("{policy} compiled"));
        assert_eq!(error.field, field, "{error}");
    }
}

#[test]
fn a_compiled_bundle_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&compiled(json!({})));
}
