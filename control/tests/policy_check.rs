//! `sluice policy check`: what people get wrong, and what they are told.

// A test may slice and panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::string_slice, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const ISSUERS: &str =
    "issuers:\n- name: own\n  issuer: https://sluice.test\n  audiences: [sluice]\n  keys: control\n";
const ROLES: &str = "roles:\n- name: reader\n  scopes: [messages.create]\n  models: [\"claude-*\"]\n";
const BINDINGS: &str = "bindings:\n- name: readers\n  groups: [readers]\n  roles: [reader]\n";

fn check(path: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["policy", "check"])
        .args(arguments)
        .arg(path)
        .output()
        .unwrap()
}

/// The report on files in a directory of their own.
fn report(files: &[(&str, &str)]) -> (Value, Output) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let output = check(dir.path(), &["--output", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    (report[0].clone(), output)
}

fn faults(text: &str) -> Vec<Value> {
    let (report, output) = report(&[("p.yaml", text)]);
    let faults = report["faults"].as_array().unwrap().clone();
    assert_eq!(output.status.code(), Some(i32::from(!faults.is_empty())), "{text}");
    for fault in &faults {
        assert!(fault["file"].as_str().unwrap().ends_with("p.yaml"), "{fault}");
    }
    faults
}

/// What is wrong with a text: line, field, words of the reason, suggestion.
type Mistake<'a> = (String, u64, &'a str, &'a str, Option<&'a str>);

fn holds(mistakes: &[Mistake<'_>]) {
    for (text, line, field, why, suggestion) in mistakes {
        let faults = faults(text);
        let [fault] = faults.as_slice() else { panic!("{text}\n{faults:#?}") };
        let line = (*line > 0).then_some(*line);
        assert_eq!(fault["line"].as_u64(), line, "{text}\n{fault:#}");
        assert_eq!(fault["field"].as_str().unwrap_or_default(), *field, "{text}\n{fault:#}");
        let said = fault["why"].as_str().unwrap();
        assert!(said.contains(why) && !said.contains('\n'), "{text}\n{fault:#}");
        assert_eq!(fault["suggestion"].as_str(), *suggestion, "{text}\n{fault:#}");
    }
}

/// A good beginning and more.
fn and(more: &str) -> String {
    format!("{ISSUERS}{ROLES}{BINDINGS}{more}")
}

/// The same with a rule; its first field stands in line 16.
fn rule(fields: &str) -> String {
    and(&format!("rules:\n- name: r\n{fields}"))
}

/// The same with something more in the role, in line 9.
fn role(field: &str) -> String {
    format!("{ISSUERS}{}{BINDINGS}", ROLES.replace("  models", &format!("  {field}\n  models")))
}

#[test]
fn a_good_policy_is_in_order() {
    assert_eq!(faults(&and("")), Vec::<Value>::new());
    assert_eq!(
        faults(&rule("  action: deny\n  message: 5\n  when: { text: x }\n")),
        Vec::<Value>::new(),
        "a number is a text"
    );
}

#[test]
fn fields_and_values_that_do_not_exist() {
    holds(&[
        (and("rolls: []\n"), 14, "rolls", "no field `rolls`", Some("roles")),
        (role("modles: [x]"), 9, "roles[0].modles", "no field `modles`", Some("models")),
        (role("max_tokens: 5"), 9, "roles[0].max_tokens", "no field `max_tokens`", Some("maxTokens")),
        (
            rule("  action: deny\n  effects: [write]\n"),
            17,
            "rules[0].effects",
            "It is a field of `rules[].when`",
            None,
        ),
        (
            rule("  action: deny\n  when: { tool: [Bash] }\n"),
            17,
            "rules[0].when.tool",
            "no field `tool`",
            Some("tools"),
        ),
        (
            rule("  action: refuse\n"),
            16,
            "rules[0].action",
            "none of the values here: allow, hold, deny",
            Some("deny"),
        ),
        (
            rule("  action: deny\n  when: { effects: [drop] }\n"),
            17,
            "rules[0].when.effects[0]",
            "`drop` is none",
            Some("destroy"),
        ),
        (
            rule("  action: deny\n  when: { part: [tool_call] }\n"),
            17,
            "rules[0].when.part[0]",
            "`tool_call` is none",
            Some("toolCall"),
        ),
        (
            format!(
                "{}{ROLES}{BINDINGS}",
                ISSUERS.replace("keys: control", "keys: { jwks_uri: https://x.test }")
            ),
            5,
            "issuers[0].keys.jwks_uri",
            "`jwks_uri` is none",
            Some("jwksUri"),
        ),
        (
            rule("  when: { text: x }\n"),
            15,
            "rules[0].action",
            "it needs `action`: allow, hold, deny",
            Some("action: deny"),
        ),
        (
            rule("  action: hold\n  approval: { expires: 1h }\n"),
            17,
            "rules[0].approval.groups",
            "it needs `groups`",
            Some("groups: [data-owners]"),
        ),
    ]);
}

#[test]
fn names_that_nothing_has() {
    holds(&[
        (
            format!("{ISSUERS}{ROLES}{}", BINDINGS.replace("[reader]", "[raeder]")),
            13,
            "bindings[0].roles[0]",
            "no role `raeder`",
            Some("reader"),
        ),
        (
            format!("{ISSUERS}{ROLES}{BINDINGS}  issuer: owm\n"),
            14,
            "bindings[0].issuer",
            "no issuer `owm`",
            Some("own"),
        ),
        (
            format!("{ISSUERS}{}{BINDINGS}", ROLES.replace("messages.create", "message.create")),
            8,
            "roles[0].scopes[0]",
            "fits no scope",
            Some("messages.create"),
        ),
        (
            rule("  action: deny\n  when: { routes: [mesages.create] }\n"),
            17,
            "rules[0].when.routes[0]",
            "fits no route",
            Some("messages.create"),
        ),
        (
            and("masking:\n  kinds:\n    emial: redact\n"),
            16,
            "masking.kinds.emial",
            "fits no finding kind",
            Some("email"),
        ),
        (and("masking: { packs: [uk, gb] }\n"), 14, "masking.packs[1]", "no pack `gb`", None),
        (role("unmasked: [e-mail]"), 9, "roles[0].unmasked[0]", "fits no finding kind", Some("email")),
        (
            rule("  action: deny\n  when: { findings: [credit_card] }\n"),
            17,
            "rules[0].when.findings[0]",
            "fits no finding kind",
            Some("payment_card"),
        ),
        (
            rule("  action: deny\n  when: { findings: [uk_nino] }\n"),
            17,
            "rules[0].when.findings[0]",
            "add `uk` to `masking.packs`",
            None,
        ),
    ]);
}

#[test]
fn values_of_another_form() {
    holds(&[
        (role("maxTokens: 32k"), 9, "roles[0].maxTokens", "`32k` is no whole number", Some("32000")),
        (role("maxTokens: -5"), 9, "roles[0].maxTokens", "`-5` is no whole number", Some("32000")),
        (
            role("tools: [Bash]"),
            9,
            "roles[0].tools",
            "an object belongs here",
            Some("{ allow: [Read, Grep, \"mcp__warehouse__*\"], deny: [mcp__warehouse__admin] }"),
        ),
        (role("unmasked: email"), 9, "roles[0].unmasked", "a list belongs here", Some("[email]")),
        (and("rules:\n  name: r\n  action: deny\n"), 14, "rules", "begin each entry with `- `", None),
        (
            rule("  action: deny\n  message: [a, b]\n"),
            17,
            "rules[0].message",
            "a text belongs here",
            Some("Readers only look. Ask for the group writers to change something."),
        ),
        (and("masking: { restore: maybe }\n"), 14, "masking.restore", "`true` or `false`", None),
        (
            rule("  action: hold\n  approval: { groups: [a], expires: 1 hour }\n"),
            17,
            "rules[0].approval.expires",
            "`1 hour` is no duration",
            Some("1h"),
        ),
        (
            and("limits: { bundleAge: 2 weeks }\n"),
            14,
            "limits.bundleAge",
            "`2 weeks` is no duration",
            Some("14d"),
        ),
        (and("limits: { bundleAge: 30 }\n"), 14, "limits.bundleAge", "`30` is no duration", Some("12h")),
        (role("tools: { allow: }"), 9, "roles[0].tools.allow", "write `allow: []`", None),
        (and("rules:\n"), 14, "rules", "has no value", None),
        (rule("  action: deny\n  when:\n"), 17, "rules[0].when", "has no value", None),
    ]);
}

#[test]
fn yaml_that_is_none() {
    holds(&[
        (and("rules:\n\t- x\n"), 15, "rules", "a tab stands here", None),
        (role("tools: { allow: [*] }"), 9, "roles[0].tools.allow", "needs quotes", Some("\"*\"")),
        (format!("{ISSUERS}roles:\n- name: x\n scopes: [a]\n"), 8, "roles[0].name", "indentation", None),
        (
            rule("  action: deny\n  message: Not here: ask ops\n"),
            17,
            "rules[0].message",
            "needs quotes",
            None,
        ),
        (
            rule("  action: deny\n  when: { text: \"\\d+\" }\n"),
            17,
            "rules[0].when.text",
            "single quotes",
            None,
        ),
        (and("rules: []\nrules: []\n"), 15, "rules", "stands here twice", None),
        (and("---\nrules: []\n"), 15, "rules", "file of its own", None),
        ("- name: x\n".to_owned(), 1, "", "a policy is an object of fields", None),
        ("{{{\n".to_owned(), 1, "", "unclosed bracket", None),
        (String::new(), 0, "", "says nothing yet", None),
        ("# later\n\n".to_owned(), 0, "", "says nothing yet", None),
    ]);
}

#[test]
fn patterns_and_globs() {
    holds(&[
        (
            rule("  action: deny\n  when: { text: 'a(b' }\n"),
            17,
            "rules[0].when.text",
            "(at character 2): unclosed group",
            None,
        ),
        (
            rule("  action: deny\n  when: { input: '(?!a)b' }\n"),
            17,
            "rules[0].when.input",
            "look-around",
            None,
        ),
        (
            rule("  action: deny\n  when: { text: '.*' }\n"),
            17,
            "rules[0].when.text",
            "matches the empty text",
            None,
        ),
        (
            rule("  action: deny\n  when: { text: \"\\bdrop\" }\n"),
            17,
            "rules[0].when.text",
            "single quotes",
            None,
        ),
        (
            role("tools: { allow: [\"mcp__{a,b}\"] }"),
            9,
            "roles[0].tools.allow[0]",
            "one entry for each alternative",
            None,
        ),
        (
            rule("  action: deny\n  when: { hosts: [\"https://x.test/\"] }\n"),
            17,
            "rules[0].when.hosts[0]",
            "a host alone",
            None,
        ),
        (
            and("masking:\n  custom:\n  - name: t\n    pattern: '(x'\n"),
            17,
            "masking.custom[0].pattern",
            "unclosed group",
            None,
        ),
        (
            and("masking:\n  custom:\n  - name: t\n    pattern: 'ACME-[0-9]{6}'\n    matches: [none]\n"),
            18,
            "masking.custom[0].matches[0]",
            "gives no finding",
            None,
        ),
    ]);
}

#[test]
fn rules_that_cannot_work() {
    holds(&[
        (
            rule("  action: hold\n  when: { tools: [Bash] }\n"),
            15,
            "rules[0].approval",
            "who may approve",
            None,
        ),
        (
            rule("  action: hold\n  approval: { groups: [] }\n"),
            17,
            "rules[0].approval.groups",
            "nobody could approve",
            None,
        ),
        (
            rule("  action: deny\n  approval: { groups: [a] }\n"),
            17,
            "rules[0].approval",
            "only a rule with `action: hold`",
            None,
        ),
        (
            rule("  action: deny\n  when: { tools: [Bash], text: x }\n"),
            17,
            "rules[0].when",
            "can never match",
            None,
        ),
        (
            rule("  action: deny\n  when: { toolsOffered: [x], text: x }\n"),
            17,
            "rules[0].when",
            "can never match",
            None,
        ),
        (format!("{ROLES}{BINDINGS}"), 0, "issuers", "no issuer", None),
    ]);
}

#[test]
fn files_that_do_not_go_together() {
    let base = and("");
    for (other, line, field, why) in [
        ("# more\nroles:\n- name: writer\n- name: reader\n", 4, "roles", "role `reader` stands in"),
        ("bindings:\n- name: readers\n", 2, "bindings", "binding `readers` stands in"),
    ] {
        let (report, output) = report(&[("a.yaml", &base), ("b.yaml", other)]);
        let fault = &report["faults"][0];
        assert_eq!(output.status.code(), Some(1));
        assert!(fault["file"].as_str().unwrap().ends_with("b.yaml"), "{fault}");
        assert_eq!((fault["line"].as_u64(), fault["field"].as_str()), (Some(line), Some(field)), "{fault}");
        assert!(fault["why"].as_str().unwrap().contains(why), "{fault}");
    }
    let masked = and("masking: { restore: false }\n");
    let (report, _) = report(&[("a.yaml", &masked), ("b.yaml", "\nmasking:\n  mode: observe\n")]);
    let fault = &report["faults"][0];
    assert_eq!((fault["line"].as_u64(), fault["field"].as_str()), (Some(2), Some("masking")), "{fault}");
}

#[test]
fn what_is_hardly_meant_is_shown_and_does_not_fail() {
    for (text, line, field, why) in [
        (
            role("unmasked: []").replace("bindings:", "- name: writer\nbindings:"),
            11,
            "roles[1]",
            "no binding and no grant gives",
        ),
        (
            format!("{ISSUERS}roles:\n- name: reader\n  scopes: [messages.create]\n{BINDINGS}"),
            7,
            "roles[0].models",
            "has no model",
        ),
        (
            rule("  action: deny\n  when: { groups: [raeders], text: x }\n"),
            17,
            "rules[0].when.groups[0]",
            "no binding names the group",
        ),
        (
            rule("  action: deny\n  when: { effects: [write] }\n"),
            17,
            "rules[0].when.effects",
            "not understood",
        ),
        (
            rule(
                "  action: deny\n  when: { tools: [B*] }\n- name: s\n  action: hold\n  when: { tools: [Bash] }\n  approval: { groups: [a] }\n",
            ),
            18,
            "rules[1]",
            "never decides",
        ),
        (
            rule("  action: deny\n  when: { groups: [] }\n"),
            17,
            "rules[0].when.groups",
            "an empty list is no condition",
        ),
        (
            and("mcp:\n- name: notes\n  path: /mcp/notes\n  host: https://notes.test\n"),
            17,
            "mcp[0].host",
            "without a scheme",
        ),
        (
            and(
                "prices:\n- { name: all, models: [\"*\"], input: 3, output: 15 }\n- name: late\n  models: [\"claude-x\"]\n  input: 1\n  output: 5\n",
            ),
            16,
            "prices[1]",
            "never counts",
        ),
    ] {
        let (report, output) = report(&[("p.yaml", &text)]);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let warnings = report["warnings"].as_array().unwrap();
        let [warning] = warnings.as_slice() else { panic!("{text}\n{warnings:#?}") };
        assert_eq!(
            (warning["line"].as_u64(), warning["field"].as_str()),
            (Some(line), Some(field)),
            "{text}\n{warning}"
        );
        assert!(warning["why"].as_str().unwrap().contains(why), "{warning}");
    }
}

#[test]
fn people_read_one_line_for_each_thing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.yaml");
    let shown = file.display();
    fs::write(&file, role("modles: []")).unwrap();
    let output = check(&file, &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with(&format!("{shown}:9: roles[0].modles: there is no field")), "{said}");
    assert!(said.ends_with("; perhaps `models`?\n"), "{said}");
    fs::write(&file, rule("  action: deny\n  when: { effects: [write] }\n")).unwrap();
    let said = String::from_utf8(check(&file, &[]).stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with(&format!("{shown}:17: warning: rules[0].when.effects: ")), "{said}");
    assert!(lines[1].starts_with(&format!("{shown}: in order, version ")), "{said}");
}
