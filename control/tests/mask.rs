//! `sluice mask`, as people and programs call it.

// A test may slice and panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::string_slice, clippy::indexing_slicing)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn mask(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .arg("mask")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments reads nothing.
    let _closed = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Kinds and what the offsets point at.
fn found(line: &Value, input: &str) -> Vec<(String, String)> {
    let place = |finding: &Value, field: &str| usize::try_from(finding[field].as_u64().unwrap()).unwrap();
    let findings = line["findings"].as_array().unwrap().iter();
    findings
        .map(|f| {
            (f["kind"].as_str().unwrap().to_owned(), input[place(f, "start")..place(f, "end")].to_owned())
        })
        .collect()
}

fn pair(kind: &str, text: &str) -> (String, String) {
    (kind.to_owned(), text.to_owned())
}

#[test]
fn text_is_one_document_and_its_findings_point_into_the_input() {
    let input = "Grüße von ann@example.com,\n\nKarte 4111 1111 1111 1111.\n";
    let output = mask(&[], input.as_bytes());
    assert!(output.status.success());
    let lines = lines(&output);
    assert_eq!(lines.len(), 1);
    assert_eq!(
        found(&lines[0], input),
        [pair("email", "ann@example.com"), pair("payment_card", "4111 1111 1111 1111")]
    );
    let masked = lines[0]["masked"].as_str().unwrap();
    assert!(
        masked.starts_with("Grüße von <email:") && masked.contains(">,\n\nKarte <payment_card:"),
        "{masked}"
    );
    assert!(masked.ends_with(">.\n"), "{masked}");
    assert_eq!(lines.first().unwrap().as_object().unwrap().len(), 2);
}

#[test]
fn json_lines_give_a_line_each_and_offsets_into_the_decoded_text() {
    let input = "\n{\"text\":\"a\\u0040b.com \\\"x\\\"\",\"id\":7}\n{\"id\":8,\"text\":\"nothing\"}\n\n{\"text\":\"\"}";
    let output = mask(&[], input.as_bytes());
    assert!(output.status.success(), "{output:?}");
    let lines = lines(&output);
    assert_eq!(lines.len(), 3);
    assert_eq!(found(&lines[0], "a@b.com \"x\""), [pair("email", "a@b.com")]);
    assert_eq!(lines[1], serde_json::json!({"masked": "nothing", "findings": []}));
    assert_eq!(lines[2]["masked"], "");
}

#[test]
fn text_that_only_looks_like_json_is_text_and_a_bad_line_is_named() {
    for input in [
        "{\"user\":\"ann@example.com\"}\n",
        "[1]\n{\"text\":\"ann@example.com\"}\n",
        "{\"text\":5} ann@example.com",
    ] {
        let output = mask(&[], input.as_bytes());
        assert_eq!(found(&lines(&output)[0], input), [pair("email", "ann@example.com")]);
    }
    let output = mask(&[], b"{\"text\":\"one\"}\nann@example.com\n");
    assert_eq!(output.status.code(), Some(2));
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("line 2") && !why.contains("ann@"), "{why}");
    assert_eq!(mask(&["--input", "jsonl"], b"no").status.code(), Some(2));
    let forced = mask(&["--input", "text"], b"{\"text\":\"a@b.com\"}");
    assert_eq!(found(&lines(&forced)[0], "{\"text\":\"a@b.com\"}"), [pair("email", "a@b.com")]);
    assert_eq!(mask(&[], b"\xff\xfe").status.code(), Some(2));
    assert_eq!(lines(&mask(&[], b"")), [serde_json::json!({"masked": "", "findings": []})]);
}

#[test]
fn packs_and_a_policy_decide_what_is_found() {
    let input = "NINO AB123456C, mail ann@example.com, EMP-1234";
    assert_eq!(found(&lines(&mask(&[], input.as_bytes()))[0], input), [pair("email", "ann@example.com")]);
    let packs = mask(&["--packs", "uk,crypto"], input.as_bytes());
    assert_eq!(
        found(&lines(&packs)[0], input),
        [pair("uk_nino", "AB123456C"), pair("email", "ann@example.com")]
    );
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    let path = policy.to_str().unwrap();
    let rest = "issuers: [{name: idp, issuer: 'https://idp.example.com', audiences: [sluice]}]\n\
        roles: [{name: all, scopes: ['*']}]\nbindings: [{name: staff, groups: [staff], roles: [all]}]\n";
    std::fs::write(
        &policy,
        rest.to_owned() + "masking:\n  mask: redact\n  kinds: {email: off}\n  custom:\n    - {name: employee, pattern: 'EMP-\\d{4}'}\n",
    )
    .unwrap();
    let output = mask(&["--policy", path, "--packs", "uk"], input.as_bytes());
    let line = lines(&output).remove(0);
    assert_eq!(line["masked"], "NINO [redacted:uk_nino], mail ann@example.com, [redacted:employee]");
    std::fs::write(&policy, rest.to_owned() + "masking:\n  kinds: {credit_card: off}\n").unwrap();
    let refused = mask(&["--policy", path], b"x");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("payment_card"));
    let unknown = mask(&["--packs", "mars"], b"x");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("crypto"));
}

const POLICY: &str = "issuers: [{name: idp, issuer: 'https://idp.example.com', audiences: [sluice]}]\n\
    roles:\n  - {name: analyst, scopes: ['*'], unmasked: [email]}\n  - {name: support, scopes: ['*'], masks: {email: redact}}\n  - {name: other, scopes: ['*']}\n\
    bindings: [{name: staff, groups: [staff], roles: [analyst, support, other]}]\n";

#[test]
fn roles_choose_masks_as_they_do_for_their_holders() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, POLICY).unwrap();
    let path = policy.to_str().unwrap();
    let input = "mail ann@example.com";
    let masked = |roles: &[&str]| {
        let mut arguments = vec!["--policy", path];
        arguments.extend(roles.iter().flat_map(|role| ["--role", role]));
        lines(&mask(&arguments, input.as_bytes())).remove(0)
    };
    assert_eq!(masked(&["analyst"])["masked"], input);
    assert_eq!(found(&masked(&["analyst"]), input), [pair("email", "ann@example.com")]);
    assert_eq!(masked(&["analyst", "other"])["masked"], input);
    assert_eq!(masked(&["analyst", "support"])["masked"], "mail [redacted:email]");
    assert!(masked(&["other"])["masked"].as_str().unwrap().starts_with("mail <email:"));
    let stream = data_alone(input);
    let reply = |role: &str| {
        let output = mask(&["--policy", path, "--sse", "--role", role], stream.as_bytes());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(reply("analyst").contains("ann@example.com"), "{}", reply("analyst"));
    assert!(reply("support").contains("[redacted:email]") && !reply("support").contains("ann@"));
    let unknown = mask(&["--policy", path, "--role", "analist"], b"x");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("analyst, support, other"));
    assert_eq!(mask(&["--role", "analyst"], b"x").status.code(), Some(2));
}

#[test]
fn a_policy_that_is_not_there_could_not_be_asked() {
    let output = mask(&["--policy", "no/such/policy.yaml"], b"x");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such/policy.yaml"));
}

/// A stream whose events have data alone.
fn data_alone(text: &str) -> String {
    let text = Value::String(text.to_owned());
    [
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[]}}"#.to_owned(),
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned(),
        format!("{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}}}"),
        r#"{"type":"content_block_stop","index":0}"#.to_owned(),
        r#"{"type":"message_stop"}"#.to_owned(),
    ]
    .iter()
    .map(|data| format!("data: {data}\n\n"))
    .collect()
}

#[test]
fn events_with_data_alone_stay_so() {
    let output = mask(&["--sse"], data_alone("mail ann@example.com").as_bytes());
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && out.contains("<email:~") && !out.contains("event"), "{out}");
}

#[test]
fn what_is_no_stream_of_events_is_refused() {
    for input in [
        r#"{"type":"message","content":[{"type":"text","text":"ann@example.com"}]}"#,
        "{\n  \"type\": \"message\"\n}\n",
        "write to ann@example.com\n\n",
        "HTTP/1.1 200 OK\r\nserver: x\r\n\r\ndata: {}\n\n",
        "no",
    ] {
        let output = mask(&["--sse"], input.as_bytes());
        assert_eq!(output.status.code(), Some(2), "{input}");
        let why = String::from_utf8(output.stderr).unwrap();
        assert!(why.contains("this is not a stream of events") && !why.contains("ann@"), "{why}");
        assert!(output.stdout.is_empty(), "{input}");
    }
    for input in ["", "\n", "\u{feff}: hello\n\n", "id: 1\n\n", "event:ping\rdata:{\"type\":\"ping\"}\r\r"] {
        let output = mask(&["--sse"], input.as_bytes());
        assert!(output.status.success(), "{input:?}: {output:?}");
    }
}

#[test]
fn masks_are_stable_within_a_run_and_differ_between_runs() {
    let input = b"{\"text\":\"ann@example.com\"}\n{\"text\":\"Ann@Example.com\"}\n";
    let (one, two) = (lines(&mask(&[], input)), lines(&mask(&[], input)));
    assert_eq!(one[0]["masked"], one[1]["masked"]);
    assert_ne!(one[0]["masked"], two[0]["masked"]);
}

#[test]
fn a_stream_is_masked_inside_its_events_and_the_rest_leaves_as_it_came() {
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let delta = |text: &str| {
        let text = Value::String(text.to_owned());
        event(
            "content_block_delta",
            &format!(
                "{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}}}"
            ),
        )
    };
    let head = event(
        "message_start",
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}"#,
    ) + &event(
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    );
    let tail = event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#)
        + &event(
            "message_delta",
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#,
        )
        + &event("message_stop", r#"{"type":"message_stop"}"#);
    let plain = format!("{head}{}{}{tail}", delta("It is "), delta("done.\n"));
    assert_eq!(String::from_utf8(mask(&["--sse"], plain.as_bytes()).stdout).unwrap(), plain);
    let cut = format!("{head}{}{}{}{tail}", delta("ask ann@exa"), delta("mple.c"), delta("om now"));
    let output = mask(&["--sse"], cut.as_bytes());
    assert!(output.status.success());
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("<email:~") && !out.contains("ann@") && !out.contains("mple"), "{out}");
    assert!(out.starts_with(&head) && out.ends_with(&tail), "{out}");
    let broken = mask(&["--sse"], format!("{head}event: x\ndata: {{no\n\n").as_bytes());
    assert_eq!(broken.status.code(), Some(1));
}

#[test]
fn the_help_says_what_goes_in_and_what_comes_out() {
    let help = String::from_utf8(mask(&["--help"], b"").stdout).unwrap();
    for word in ["JSON lines", "bytes", "--policy", "--role", "--packs", "--sse", "findings", "Examples"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}
