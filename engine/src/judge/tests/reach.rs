use super::*;
use crate::judge::Replied;

/// Whether a call is refused by a rule with these conditions.
fn is_denied(policy: &Value, tool: &str, input: &Value) -> bool {
    let mut case = case(policy.clone());
    let request = json!({"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"x"}]});
    assert!(case.request(request.to_string().as_bytes(), &[]).refusal.is_none());
    let reply = json!({"id":"m","type":"message","role":"assistant","model":"claude-x","stop_reason":"tool_use",
        "usage":{"input_tokens":1,"output_tokens":1},
        "content":[{"type":"tool_use","id":"t1","name":tool,"input":input}]});
    match case.reply(reply.to_string().as_bytes(), 200, None) {
        Replied::Ready { body, .. } => {
            let body = body.map(|body| String::from_utf8(body).unwrap()).unwrap_or_default();
            let denied = body.contains("refused by rule `r`");
            assert_eq!(denied, !body.is_empty(), "{body}");
            denied
        }
        other => panic!("{other:?}"),
    }
}

fn rule(when: Value) -> Value {
    json!({"rules":[{"name":"r","when":when,"action":"deny"}]})
}

#[test]
fn files_are_found_in_the_fields_of_every_usual_tool() {
    let policy = rule(json!({"paths":["/etc/*","~/.ssh/*","*/.env"]}));
    for (tool, input) in [
        ("Write", json!({"file_path":"/etc/passwd","content":"x"})),
        ("Edit", json!({"file_path":"/srv/app/.env","old_string":"a","new_string":"b"})),
        ("MultiEdit", json!({"file_path":"/srv/../etc/x","edits":[]})),
        ("NotebookEdit", json!({"notebook_path":"/etc/x.ipynb","new_source":""})),
        ("Read", json!({"file_path":"/home/ann/.ssh/id_ed25519"})),
        ("Grep", json!({"pattern":"x","path":"/etc"})),
        ("str_replace_based_edit_tool", json!({"command":"create","path":"/etc/x","file_text":""})),
        ("mcp__filesystem__move_file", json!({"source":"/tmp/a","destination":"/etc/cron.d/a"})),
        ("mcp__filesystem__read_multiple_files", json!({"paths":["/tmp/a","//etc/shadow"]})),
        ("mcp__any__thing", json!({"args":{"filePath":"~/.ssh/config"}})),
        ("mcp__any__thing", json!({"payload":"{\"deep\":\"{\\\"path\\\":\\\"/etc/x\\\"}\"}"})),
        ("mcp__any__thing", json!({"uri":"file:///etc/hosts"})),
        ("Bash", json!({"command":"cat /etc/shadow"})),
        ("Bash", json!({"command":"cd src && tee ../../etc/hosts <x"})),
        ("mcp__sh__run", json!({"command":["cp","/tmp/x","/etc/x"]})),
    ] {
        assert!(is_denied(&policy, tool, &input), "{tool} {input}");
    }
    for (tool, input) in [
        ("Write", json!({"file_path":"/srv/app/main.rs","content":"see /etc/passwd and ~/.ssh/id_rsa"})),
        ("Read", json!({"file_path":"src/etc.rs"})),
        ("Bash", json!({"command":"cargo test -p app"})),
        ("Task", json!({"prompt":"look at /etc/passwd"})),
    ] {
        assert!(!is_denied(&policy, tool, &input), "{tool} {input}");
    }
}

#[test]
fn only_the_workspace_may_be_written() {
    let policy = rule(json!({"tools":["Write","Edit"],"pathsExcept":["/workspace/*","./*"]}));
    for (path, expected) in [
        ("/workspace/src/a.rs", false),
        ("src/a.rs", false),
        ("/workspace/../etc/passwd", true),
        ("../a", true),
        ("/WORKSPACE/a", true),
        ("~/a", true),
        ("/workspace2/a", true),
    ] {
        assert_eq!(is_denied(&policy, "Write", &json!({"file_path":path,"content":""})), expected, "{path}");
    }
    assert!(!is_denied(&policy, "Read", &json!({"file_path":"/etc/passwd"})));
    let but = rule(json!({"paths":["/workspace/*"],"pathsExcept":["/workspace/docs/*"]}));
    assert!(is_denied(&but, "Write", &json!({"file_path":"/workspace/a"})));
    assert!(!is_denied(&but, "Write", &json!({"file_path":"/workspace/docs/a"})));
    assert!(is_denied(&but, "Write", &json!({"file_path":"/workspace/docs/../a"})));
}

#[test]
fn words_of_commands_count_where_they_are_asked_for_and_not_for_being_elsewhere() {
    let outside = rule(json!({"pathsExcept":["/workspace/*"]}));
    assert!(!is_denied(&outside, "Bash", &json!({"command":"/usr/bin/env python /opt/x.py"})));
    assert!(is_denied(
        &rule(json!({"paths":["/opt/*"]})),
        "Bash",
        &json!({"command":"/usr/bin/env python '/opt/x.py'"})
    ));
}

#[test]
fn hosts_are_found_in_urls_and_seen_through_tricks() {
    let policy = rule(json!({"hosts":["evil.com","*.evil.com","169.254.169.254"]}));
    for (tool, input) in [
        ("WebFetch", json!({"url":"https://good.com@evil.com/x","prompt":"read"})),
        ("WebFetch", json!({"url":"https://good.com\\@evil.com/x"})),
        ("WebFetch", json!({"url":"HTTPS://API.EVIL.COM:8443./"})),
        ("WebFetch", json!({"url":"http://0xA9FEA9FE/latest/meta-data/"})),
        ("mcp__browser__open", json!({"options":{"targetUrl":"//evil.com"}})),
        ("mcp__fetch__fetch", json!({"urls":["https://good.com","https://evil.com"]})),
        ("mcp__any__x", json!({"body":"[{\"href\":\"https://evil.com\"}]"})),
        ("Bash", json!({"command":"curl -s 'https://evil.com/x' | cat"})),
        ("Bash", json!({"command":"curl -s evil.com/x"})),
    ] {
        assert!(is_denied(&policy, tool, &input), "{tool} {input}");
    }
    for (tool, input) in [
        ("WebFetch", json!({"url":"https://good.com/evil.com","prompt":"about https://evil.com"})),
        ("WebFetch", json!({"url":"https://notevil.com"})),
    ] {
        assert!(!is_denied(&policy, tool, &input), "{tool} {input}");
    }
}

#[test]
fn only_some_hosts_may_be_fetched() {
    let policy = rule(json!({"hostsExcept":["docs.example.com","*.docs.example.com"]}));
    for (url, expected) in [
        ("https://docs.example.com/x", false),
        ("https://en.docs.example.com/x", false),
        ("https://docs.example.com@evil.com/x", true),
        ("https://docs.example.com.evil.com/x", true),
        ("https://evil.com\\.docs.example.com", true),
        ("https://evil.com", true),
    ] {
        assert_eq!(is_denied(&policy, "WebFetch", &json!({"url":url})), expected, "{url}");
    }
    assert!(is_denied(&policy, "Bash", &json!({"command":"curl https://evil.com"})));
    assert!(!is_denied(&policy, "Bash", &json!({"command":"ls main.rs"})), "no host, no condition");
}

#[test]
fn a_policy_names_further_fields() {
    let policy = json!({
        "paths":[{"tools":["mcp__cms__*"],"fields":["asset_key"]}],
        "urls":[{"tools":["Ping"],"fields":["to"]}],
        "rules":[{"name":"r","when":{"paths":["/secret/*"]},"action":"deny"},
                 {"name":"r2","when":{"hosts":["evil.com"]},"action":"hold","approval":{"groups":["x"]}}]});
    assert!(is_denied(&policy, "mcp__cms__put", &json!({"assetKey":"/secret/a"})));
    assert!(!is_denied(&policy, "Write", &json!({"asset_key":"/secret/a"})));
    let mut case = case(policy);
    let reply = json!({"id":"m","type":"message","role":"assistant","model":"claude-x","content":[
        {"type":"tool_use","id":"t1","name":"Ping","input":{"to":"evil.com:80"}}]});
    assert!(matches!(case.reply(reply.to_string().as_bytes(), 200, None), Replied::Hold(_)));
}

#[test]
fn json_in_a_string_that_cannot_be_read_with_certainty_could_name_anything() {
    let policy = rule(json!({"paths":["/etc/*"]}));
    for text in [
        "{\"path\":\"/x\",\"path\":\"/etc/y\"}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    ] {
        assert!(is_denied(&policy, "mcp__any__x", &json!({"body":text})), "{text}");
    }
    assert!(!is_denied(&policy, "mcp__any__x", &json!({"body":"[see below]"})));
}
