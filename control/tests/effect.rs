//! `sluice effect`, as people and programs call it.

// A test may slice and panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::string_slice, clippy::indexing_slicing)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sluice_engine::command::{Reading, shell, sql};

fn effect(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .arg("effect")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments reads nothing.
    let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_command_gives_its_effect_and_each_statement_with_reason_and_objects() {
    let said = text(&effect(&["sql"], "SELECT name FROM staff;\nDROP TABLE orders;\n"));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert_eq!(lines[0], "destroy");
    assert!(lines[1].starts_with("  read     ") && lines[1].ends_with("[staff]"), "{said}");
    assert!(lines[2].starts_with("  destroy  DROP TABLE ") && lines[2].ends_with("[orders]"), "{said}");
}

#[test]
fn json_lines_give_a_line_each_in_order() {
    let input = "{\"text\":\"ls -la\"}\n\n{\"id\":7,\"text\":\"rm -rf /srv\"}\n{\"text\":\"\"}\n";
    let lines = lines(&effect(&["shell"], input));
    let effects: Vec<&str> = lines.iter().map(|line| line["effect"].as_str().unwrap()).collect();
    assert_eq!(effects, ["read", "destroy", "unknown"]);
    let mut keys: Vec<&String> = lines[1].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["effect", "statements", "why"]);
    assert_eq!(lines[1]["why"], lines[1]["statements"][0]["why"]);
}

#[test]
fn the_reading_is_the_filters_own() {
    type Read = fn(&str) -> Reading;
    let cases: &[(&str, Read, &str)] = &[
        ("sql", sql, "WITH gone AS (DELETE FROM t WHERE id = 1 RETURNING id) SELECT id FROM gone"),
        ("sql", sql, "select 'ä'; begin; update t set a = 1"),
        ("shell", shell, "psql -c 'DROP DATABASE shop' && echo done > out.txt"),
        ("shell", shell, "find . -name '*.tmp' -delete | wc -l"),
    ];
    for (language, read, command) in cases {
        let reading = read(command);
        let line = &lines(&effect(&[language, "--output", "json"], command))[0];
        assert_eq!(line["effect"], reading.worst().name(), "{command}");
        let statements: Vec<Value> = reading
            .statements
            .iter()
            .map(|one| {
                json!({"effect": one.effect.name(), "why": one.why, "objects": one.objects,
                    "start": one.text.start, "end": one.text.end})
            })
            .collect();
        assert_eq!(line["statements"], Value::Array(statements), "{command}");
    }
}

#[test]
fn the_form_of_the_input_can_be_said() {
    let line = "{\"text\":\"ls\"}";
    assert_eq!(text(&effect(&["shell", "--output", "text"], line)).lines().next(), Some("read"));
    assert_eq!(text(&effect(&["sql", "--input", "text"], line)).lines().next(), Some("unknown"));
    let bad = effect(&["sql", "--input", "jsonl"], "SELECT 1");
    assert_eq!(bad.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("line 1"), "{bad:?}");
}

#[test]
fn what_a_terminal_would_obey_is_shown_and_not_done() {
    let said = text(&effect(&["sql", "--input", "text"], "SELECT 1 FROM \"a\u{1b}[2Jb\""));
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
