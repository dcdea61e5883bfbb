//! `sluice policy test` and `sluice policy explain`, as people and CI systems call them.

// A test may slice and panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::string_slice, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn sluice(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(arguments)
        .env_remove("SLUICE_STATE")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const POLICY: &str = r#"
issuers:
- { name: idp, issuer: "https://idp", audiences: [sluice] }
roles:
- { name: all, scopes: [messages.create], models: ["claude-*"], maxTokens: 2000 }
bindings:
- { name: staff, groups: [staff], roles: [all] }
rules:
- { name: no-destruction, when: { effects: [destroy] }, action: deny, message: Not here. }
- { name: writes, when: { effects: [write] }, action: hold, approval: { groups: [approvers] } }
"#;

const CASES: &str = r#"
principals:
  ann: { groups: staff }
cases:
- name: nobody deletes
  principal: ann
  reply: { call: { tool: Bash, input: { command: "rm -rf /" } } }
  expect: { verdict: deny, rule: no-destruction, effects: destroy-list, returned: { lacks: "rm -rf" } }
"#;

fn cases() -> String {
    CASES.replace("destroy-list", "[destroy]")
}

fn folder(cases: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("policy.yaml"), POLICY).unwrap();
    fs::write(dir.path().join("policy.test.yaml"), cases).unwrap();
    dir
}

fn test(dir: &Path, more: &[&str]) -> Output {
    let mut arguments = vec!["policy", "test", dir.to_str().unwrap()];
    arguments.extend(more);
    sluice(&arguments)
}

#[test]
fn the_policy_of_make_run_does_what_its_cases_say() {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/policy");
    let tested = sluice(&["policy", "test", policy, "--coverage-at-least", "100"]);
    assert!(tested.status.success(), "{}{}", out(&tested), err(&tested));
}

#[test]
fn the_cases_on_the_page_about_cases_come_out_as_it_says() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy-tests.md")).unwrap();
    let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/policy/policy.yaml");
    fs::copy(policy, dir.path().join("policy.yaml")).unwrap();
    fs::write(dir.path().join("policy.test.yaml"), example).unwrap();
    let tested = test(dir.path(), &[]);
    assert!(tested.status.success(), "{}{}", out(&tested), err(&tested));
}

#[test]
fn a_folder_its_policy_and_its_cases_all_mean_the_cases() {
    let dir = folder(&cases());
    for name in ["", "policy.yaml", "policy.test.yaml"] {
        let tested = test(&dir.path().join(name), &[]);
        assert!(tested.status.success(), "{name}: {}", err(&tested));
        assert!(out(&tested).contains("1 passed, 0 failed"), "{}", out(&tested));
    }
    let empty = tempfile::tempdir().unwrap();
    let tested = test(empty.path(), &[]);
    assert_eq!(tested.status.code(), Some(2));
    assert!(err(&tested).contains(".test.yaml"), "{}", err(&tested));
}

#[test]
fn the_cases_beside_a_policy_are_no_part_of_it() {
    let dir = folder(&cases());
    let checked = sluice(&["policy", "check", dir.path().to_str().unwrap()]);
    assert!(checked.status.success(), "{}", out(&checked));
}

#[test]
fn a_case_that_fails_says_what_was_expected_what_came_and_why() {
    let dir = folder(&cases().replace("verdict: deny, rule: no-destruction", "verdict: allow, rule: other"));
    let tested = test(dir.path(), &[]);
    assert_eq!(tested.status.code(), Some(1));
    let text = out(&tested);
    for words in [
        "FAILED nobody deletes",
        "verdict: expected allow",
        "got deny",
        "rule: expected other",
        "no-destruction: matched: deny",
        "writes: not matched: `effects` is [write]; here: destroy",
        "0 passed, 1 failed",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}

#[test]
fn each_expectation_can_fail() {
    for wrong in [
        "verdict: hold",
        "verdict: deny, rule: writes",
        "verdict: deny, status: 403",
        "verdict: deny, effects: [destroy, read]",
        "verdict: deny, effects: []",
        "verdict: deny, masks: { email: 1 }",
        "verdict: deny, masks: {}",
        "verdict: deny, observed: no-destruction",
        "verdict: deny, message: something else",
        "verdict: deny, forwarded: { contains: goodbye }",
        "verdict: deny, forwarded: { lacks: hello }",
        "verdict: deny, returned: { contains: rm -rf }",
        "verdict: deny, returned: { lacks: \"[Sluice]\" }",
    ] {
        let cases = format!(
            "cases:\n- name: x\n  principal: {{ groups: staff }}\n  request: {{ prompt: hello }}\n  \
             reply: {{ text: \"+44 20 7946 0958\", call: {{ tool: Bash, input: {{ command: \"rm -rf /\" }} }} }}\n  \
             expect: {{ {wrong} }}\n"
        );
        let tested = test(folder(&cases).path(), &[]);
        assert_eq!(tested.status.code(), Some(1), "{wrong}: {}{}", out(&tested), err(&tested));
    }
}

#[test]
fn what_is_wrong_with_a_file_of_cases_has_its_line_field_and_a_suggestion() {
    let good = cases();
    for (from, to, line, words) in [
        ("returned:", "returnd:", 8, "cases[0].expect.returnd: unknown field `returnd`"),
        ("returned:", "returnd:", 8, "perhaps `returned`?"),
        ("verdict: deny", "verdict: denny", 8, "perhaps `deny`?"),
        ("principal: ann", "principal: anna", 6, "perhaps `ann`?"),
        ("groups: staff", "groups: staff, issuer: other", 3, "the policy has no issuer `other`; it has idp"),
        ("call:", "body: {}, call:", 7, "cases[0].reply: takes one of"),
        ("call: { tool", "call: { toll", 7, "perhaps `tool`?"),
        ("reply: { call", "request: { route: GET }\n  reply: { call", 7, "POST /v1/messages"),
        ("[destroy]", "[destory]", 8, "perhaps `destroy`?"),
        (
            "expect:",
            "holds: wait\n  expect: { verdict: hold }\n- name: nobody deletes\n  principal: ann\n  expect:",
            10,
            "has this name already",
        ),
        (
            "reply:",
            "holds: approve\n  expect: { verdict: hold }\n- name: b\n  principal: ann\n  reply:",
            8,
            "nothing still waits",
        ),
    ] {
        assert!(good.contains(from));
        let dir = folder(&good.replacen(from, to, 1));
        let tested = test(dir.path(), &[]);
        assert_eq!(tested.status.code(), Some(2), "{to}: {}", out(&tested));
        let text = err(&tested);
        assert!(text.contains(&format!("policy.test.yaml:{line}: ")) && text.contains(words), "{to}: {text}");
    }
    let dir = folder(&format!("policy: [nowhere.yaml]\n{good}"));
    assert!(err(&test(dir.path(), &[])).contains("nowhere.yaml"));
}

#[test]
fn rules_that_no_case_reaches_are_named_and_can_fail_the_run() {
    let dir = folder(&cases());
    let tested = test(dir.path(), &["--coverage-at-least", "50"]);
    assert!(tested.status.success());
    assert!(out(&tested).contains("1 of 2 rules reached, 50 %"), "{}", out(&tested));
    assert!(out(&tested).contains("no case reaches writes"), "{}", out(&tested));
    let tested = test(dir.path(), &["--coverage-at-least", "51"]);
    assert_eq!(tested.status.code(), Some(1));
    assert!(err(&tested).contains("50 %"), "{}", err(&tested));
}

#[test]
fn programs_read_a_report_as_json_or_junit() {
    let dir = folder(
        &cases().replace("verdict: deny", "verdict: allow").replace("nobody deletes", "a <b> & \\\"c\\\""),
    );
    let report: Value = serde_json::from_slice(&test(dir.path(), &["--output", "json"]).stdout).unwrap();
    assert_eq!((&report["passed"], &report["failed"]), (&json!(0), &json!(1)));
    let case = &report["suites"][0]["cases"][0];
    assert_eq!(case["differences"][0], json!({"field": "verdict", "expected": "allow", "got": "deny"}));
    assert_eq!(case["outcome"]["rule"], "no-destruction");
    assert!(case["outcome"]["steps"].as_array().unwrap().iter().any(|step| step["step"] == "call"));
    assert_eq!(report["coverage"][0]["unreached"], json!(["writes"]));

    let dir =
        folder(&cases().replace("verdict: deny", "verdict: allow").replace("nobody deletes", "a <b> & 'c'"));
    let tested = test(dir.path(), &["--output", "junit", "--coverage-at-least", "100"]);
    assert_eq!(tested.status.code(), Some(1));
    let xml = out(&tested);
    for words in [
        "<testsuites name=\"sluice policy test\" tests=\"2\" failures=\"2\" errors=\"0\">",
        "name=\"a &lt;b&gt; &amp; 'c'\"",
        "<failure message=\"verdict: expected allow, got deny\" type=\"difference\">",
        "<testcase classname=\"coverage\"",
    ] {
        assert!(xml.contains(words), "{words}: {xml}");
    }
    let open =
        |tag: &str| xml.matches(&format!("<{tag} ")).count() - xml.matches(&format!("</{tag}>")).count();
    assert_eq!((open("testsuites"), open("testsuite")), (0, 0), "{xml}");
}

#[test]
fn explain_tells_each_step_and_never_the_value() {
    let dir = folder(&cases());
    let policy = dir.path().join("policy.yaml");
    let body = json!({"model": "claude-x", "max_tokens": 100, "messages": [{"role": "user", "content": "mail ann@example.com"}]});
    let request = dir.path().join("request.json");
    fs::write(&request, body.to_string()).unwrap();
    let reply = dir.path().join("reply.json");
    let call = json!({"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "psql -c 'DROP TABLE x'"}});
    fs::write(&reply, json!({"content": [call], "stop_reason": "tool_use"}).to_string()).unwrap();
    let (policy, request, reply) =
        (policy.to_str().unwrap(), request.to_str().unwrap(), reply.to_str().unwrap());
    let arguments = [
        "policy",
        "explain",
        policy,
        "--subject",
        "ann",
        "--group",
        "staff",
        "--request",
        request,
        "--reply",
        reply,
    ];
    let told = sluice(&arguments);
    assert_eq!(told.status.code(), Some(1), "a denial");
    let text = out(&told);
    let mut rest = text.as_str();
    for words in [
        "ann of idp, groups: staff",
        "all through binding staff, by group staff",
        "messages.create",
        "scope messages.create: allowed by role all (`messages.create`)",
        "model claude-x: allowed by role all (`claude-*`)",
        "max_tokens 100: within 2000 of role all",
        "email x1 in /messages/0/content: masked",
        "tool Bash: allowed by role all",
        "Bash in /content/0",
        "destroy: DROP TABLE removes a table",
        "no-destruction: matched: deny",
        "writes: not matched: `effects` is [write]; here: destroy",
        "deny, by no-destruction, the caller gets 200",
        "refused by rule `no-destruction`: Not here",
    ] {
        let at = rest.find(words).unwrap_or_else(|| panic!("`{words}` in its place:\n{text}"));
        rest = &rest[at..];
    }
    assert!(!text.contains("ann@example.com"), "{text}");
    let json = sluice(&[&arguments[..], &["--output", "json"]].concat());
    let told: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(told["roles"], json!([{"role": "all", "binding": "staff", "group": "staff"}]));
    assert_eq!((&told["masks"], &told["effects"]), (&json!({"email": 1}), &json!(["destroy"])));
    assert!(!out(&json).contains("ann@example.com"));
}

#[test]
fn explain_says_what_a_caller_without_rights_reads() {
    let dir = folder(&cases());
    let told = sluice(&["policy", "explain", dir.path().to_str().unwrap(), "--group", "visitors"]);
    assert_eq!(told.status.code(), Some(1));
    let text = out(&told);
    assert!(text.contains("no binding names these groups") && text.contains("the caller gets 403"), "{text}");
    assert!(text.contains("\"type\":\"permission_error\""), "{text}");
}

#[test]
fn a_diff_says_who_may_do_what_and_can_stop_a_change_that_loosens() {
    let dir = folder(&cases());
    let old = dir.path().join("policy.yaml");
    let new = dir.path().join("new.yaml");
    let diff = |text: &str, more: &[&str]| {
        fs::write(&new, text).unwrap();
        sluice(&[&["policy", "diff", old.to_str().unwrap(), new.to_str().unwrap()], more].concat())
    };
    let same = diff(POLICY, &["--fail-on-loosened"]);
    assert!(same.status.success() && out(&same).contains("nothing changes"));
    let tighter = POLICY.replace("maxTokens: 2000", "maxTokens: 1000");
    let tighter = diff(&tighter, &["--fail-on-loosened"]);
    assert!(tighter.status.success(), "{}", err(&tighter));
    assert!(
        out(&tighter).contains("tightened  group staff: max_tokens: 2000 became 1000"),
        "{}",
        out(&tighter)
    );
    let looser = POLICY
        .replace("[write]", "[define]")
        .replace("effects: [destroy]", "effects: [destroy], tools: [Bash]");
    assert!(diff(&looser, &[]).status.success());
    let looser = diff(&looser, &["--fail-on-loosened", "--output", "json"]);
    assert_eq!(looser.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&looser.stdout).unwrap();
    assert_eq!(told["loosened"], true);
    assert_eq!(told["changes"][0]["what"], "rule no-destruction: `when.tools`: nothing became [Bash]");
    assert_eq!(told["changes"][1]["direction"], "unclear");
    assert_eq!(diff("rules: [", &[]).status.code(), Some(2));
}

#[test]
fn explain_reads_a_stream_and_says_what_reviewers_change() {
    let dir = folder(&cases());
    let stream = dir.path().join("reply.sse");
    let events = [
        json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ask bob@exam"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ple.com"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"command\":\"tou"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "ch x\"}"}}),
        json!({"type": "content_block_stop", "index": 1}),
    ];
    let text: String = events
        .iter()
        .map(|data| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap()))
        .collect();
    fs::write(&stream, text).unwrap();
    let policy = dir.path().to_str().unwrap();
    let arguments = ["policy", "explain", policy, "--group", "staff", "--reply", stream.to_str().unwrap()];
    for (holds, code, words) in [
        (
            "wait",
            1,
            &[
                "email x1 in /content/0/text: masked",
                "writes: matched: hold",
                "hold, by writes",
                "someone of approvers",
            ][..],
        ),
        ("approve", 0, &["allow, by writes, the caller gets 200"]),
        ("deny", 1, &["deny, by writes, the caller gets 200", "a reviewer denied it"]),
    ] {
        let told = sluice(&[&arguments[..], &["--holds", holds]].concat());
        assert_eq!(told.status.code(), Some(code), "{holds}: {}", err(&told));
        for words in words {
            assert!(out(&told).contains(words), "{holds}: {words}:\n{}", out(&told));
        }
    }
}

#[test]
fn a_case_that_would_be_refused_for_its_spelling_is_no_case() {
    let refused = |case: &str| {
        let dir = folder(&format!("cases:\n- name: a\n  principal: {{ groups: staff }}\n{case}"));
        let mcp = format!("{POLICY}mcp:\n- {{ name: notes, path: /mcp/notes }}\n");
        fs::write(dir.path().join("policy.yaml"), mcp).unwrap();
        let tested = test(dir.path(), &[]);
        (tested.status.code(), err(&tested) + &out(&tested))
    };
    for (case, words) in [
        (
            "  request: { route: POST /v1/mesages }\n  expect: { verdict: deny }\n",
            "perhaps `POST /v1/messages`?",
        ),
        ("  request: { route: POST /mcp/note }\n  expect: { verdict: deny }\n", "cases[0].request.route"),
        ("  request: { route: POST /mcp/notes }\n  expect: { verdict: deny }\n", "a JSON-RPC message"),
        ("  reply: { stream: garbage }\n  expect: { verdict: allow }\n", "cases[0].reply.stream: holds no"),
        ("  reply: { stream: \"\" }\n  expect: { verdict: allow }\n", "cases[0].reply.stream: holds no"),
    ] {
        let (code, said) = refused(case);
        assert_eq!(code, Some(2), "{case}: {said}");
        assert!(said.contains(words), "{case}: {said}");
    }
    let meant =
        "  request: { route: POST /v1/mesages }\n  expect: { verdict: deny, rule: route, status: 404 }\n";
    assert_eq!(refused(meant).0, Some(0));
    let scope = "  request: { route: POST /mcp/notes, body: { jsonrpc: \"2.0\", id: 1, method: ping } }\n  expect: { verdict: deny, rule: scope }\n";
    assert_eq!(refused(scope).0, Some(0), "{}", refused(scope).1);
}

#[test]
fn what_cannot_be_asked_ends_with_two_and_says_what_to_do() {
    let dir = folder(&cases());
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (none, cases) = (at("none.yaml"), at("policy.test.yaml"));
    let token = "x".to_owned();
    for (arguments, words) in [
        (vec!["policy", "check", &none], "none.yaml cannot be read"),
        (vec!["policy", "explain", &none], "cannot be read"),
        (vec!["policy", "check", &cases], "`sluice policy test"),
        (vec!["token", "mint", "--state", &none, "--subject", ""], "say who it is for"),
        (vec!["token", "mint", "--state", &none, "--subject", " "], "say who it is for"),
        (
            vec!["records", "export", "--token", &token, "--blocks", "--format", "csv"],
            "--format ndjson alone",
        ),
    ] {
        let asked = sluice(&arguments);
        assert_eq!(asked.status.code(), Some(2), "{arguments:?}: {}", err(&asked));
        assert!(err(&asked).contains(words), "{arguments:?}: {}", err(&asked));
    }
}

#[test]
fn explain_says_what_was_left_out_and_which_mask_stands_for_what() {
    let dir = folder(&cases());
    let more = "masking: { kinds: { email: redact } }\n";
    let roles = POLICY.replace("maxTokens: 2000", "tools: { deny: [Drop*] }");
    fs::write(dir.path().join("policy.yaml"), roles + more).unwrap();
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let said = "ann@example.com, 4111 1111 1111 1111";
    let body = json!({"model": "claude-x", "max_tokens": 9, "tools": [tool("Read"), tool("DropIt"), tool("Drop2")],
        "messages": [{"role": "user", "content": said}]});
    let request = dir.path().join("request.json");
    fs::write(&request, body.to_string()).unwrap();
    let policy = dir.path().join("policy.yaml");
    let (policy, request) = (policy.to_str().unwrap(), request.to_str().unwrap());
    let told = sluice(&["policy", "explain", policy, "--group", "staff", "--request", request]);
    let text = out(&told);
    assert!(told.status.success(), "{text}{}", err(&told));
    for words in [
        "2 left out of the request, which goes on without: DropIt, Drop2",
        "email x1 in /messages/0/content: masked, redacted",
        "payment_card x1 in /messages/0/content: masked, a pseudonym stands for it",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}
