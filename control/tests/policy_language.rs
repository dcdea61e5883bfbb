//! The policy language as editors and people see it: schema, reference, and the policies of this repository.

// A test may slice and panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::string_slice, clippy::indexing_slicing, clippy::panic)]

mod schema;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sluice(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every policy file of the repository: YAML files that name the schema, or lie where policies do.
fn policies() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["envoy/policy", "policies"] {
        for file in fs::read_dir(root().join(folder)).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if name.ends_with(".yaml") && !name.ends_with(".test.yaml") {
                files.push(file);
            }
        }
    }
    files.sort();
    files
}

fn read(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn the_schema_and_the_reference_in_docs_are_those_of_the_types() {
    for (command, file) in [("schema", "docs/policy.schema.json"), ("reference", "docs/policy.md")] {
        let kept = fs::read_to_string(root().join(file)).unwrap();
        assert!(
            kept == sluice(&["policy", command]),
            "{file} is out of date; mend it with: cargo run -p sluice-control --bin sluice -- policy {command} > {file}"
        );
    }
}

#[test]
fn every_policy_of_the_repository_fits_the_schema_and_names_it() {
    let schema = read(&sluice(&["policy", "schema"]));
    let files = policies();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let faults = schema::faults(&schema, &read(&text));
        assert_eq!(faults, [""; 0], "{}", file.display());
        let first = text.lines().next().unwrap();
        let named = first
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap_or_else(|| panic!("{} begins with {first:?} and not with its schema", file.display()));
        let named = file.parent().unwrap().join(named).canonicalize().unwrap();
        assert_eq!(named, root().join("docs/policy.schema.json"), "{}", file.display());
    }
}

#[test]
fn every_starting_policy_is_in_order_and_its_cases_reach_every_rule() {
    for name in ["read-only-analyst", "coding-agent", "ci-job", "data-writer"] {
        let file = format!("policies/{name}.yaml");
        let path = root().join(&file).display().to_string();
        let report: Value = read(&sluice(&["policy", "check", "--output", "json", &path]));
        assert_eq!(report[0]["warnings"], json!([]), "{file}");
        sluice(&["policy", "test", "--coverage-at-least", "100", &path]);
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = read(&sluice(&["policy", "schema"]));
    let rule = |more: Value| {
        let mut rule = json!({"name": "r", "action": "deny"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"rules": [rule]})
    };
    for good in [
        json!({}),
        rule(json!({"when": {"effects": ["destroy"], "paths": ["/etc/*"], "largerThan": 5}})),
        rule(json!({"action": "hold", "approval": {"groups": ["a"], "expires": "90s", "reason": false}})),
        json!({"issuers": [{"name": "a", "issuer": "https://a", "audiences": ["s"], "keys": {"jwksUri": "https://a/k"}}]}),
        json!({"masking": {"kinds": {"*_key": "off"}}, "recording": {"mode": "before-forward"}}),
    ] {
        assert_eq!(schema::faults(&schema, &good), [""; 0], "{good}");
        assert!(
            serde_json::from_value::<sluice_engine::policy::document::Policy>(good.clone()).is_ok(),
            "{good}"
        );
    }
    for (bad, place) in [
        (json!({"rolls": []}), "rolls"),
        (json!({"roles": [{"name": "r", "modles": []}]}), "modles"),
        (json!({"roles": [{"name": "r", "tools": {"denny": []}}]}), "denny"),
        (json!({"roles": [{"name": "r", "tools": ["Bash"]}]}), "tools"),
        (json!({"roles": [{"name": "r", "models": "claude"}]}), "models"),
        (json!({"roles": [{"name": "r", "maxTokens": "5"}]}), "maxTokens"),
        (json!({"roles": [{"name": "r", "maxTokens": -5}]}), "maxTokens"),
        (rule(json!({"when": {"tool": []}})), "tool"),
        (rule(json!({"when": {"effects": ["drop"]}})), "effects"),
        (rule(json!({"when": {"part": "toolCall"}})), "part"),
        (rule(json!({"action": "refuse"})), "action"),
        (rule(json!({"approval": {"expires": "1h"}})), "groups"),
        (rule(json!({"approval": {"groups": ["a"], "expires": "1 hour"}})), "expires"),
        (rule(json!({"observe": "yes"})), "observe"),
        (json!({"rules": [{"name": "r"}]}), "action"),
        (json!({"issuers": [{"name": "a", "issuer": "https://a"}]}), "audiences"),
        (
            json!({"issuers": [{"name": "a", "issuer": "https://a", "audiences": ["s"], "keys": "jwks"}]}),
            "keys",
        ),
        (json!({"masking": {"kinds": {"email": "hide"}}}), "email"),
        (json!({"recording": {"mode": "beforeForward"}}), "mode"),
        (json!({"limits": {"bundleAge": 5}}), "bundleAge"),
        (json!({"paths": [{"tools": ["x"]}]}), "fields"),
    ] {
        let faults = schema::faults(&schema, &bad);
        assert!(faults.iter().any(|fault| fault.contains(place)), "{bad}: {faults:?}");
        assert!(
            serde_json::from_value::<sluice_engine::policy::document::Policy>(bad.clone()).is_err(),
            "{bad}"
        );
    }
    // What only the schema and the check know: a name is needed.
    assert_ne!(schema::faults(&schema, &json!({"roles": [{"scopes": ["*"]}]})), [""; 0]);
}

#[test]
fn every_field_says_what_it_means_and_gives_an_example() {
    let schema = read(&sluice(&["policy", "schema"]));
    let kinds = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let mut count = 0;
    for kind in kinds.filter(|kind| kind.get("properties").is_some()) {
        for (name, field) in kind["properties"].as_object().unwrap() {
            let about = field["description"].as_str().unwrap_or_else(|| panic!("{name} has no meaning"));
            let inner = field.get("items").unwrap_or(field);
            let definition =
                inner["$ref"].as_str().map(|path| &schema["$defs"][path.rsplit('/').next().unwrap()]);
            let is_object = definition.is_some_and(|definition| definition.get("properties").is_some());
            assert!(is_object || about.contains("\n\nExample: `"), "{name} has no example: {about}");
            count += 1;
        }
    }
    assert!(count > 60, "{count}");
}
