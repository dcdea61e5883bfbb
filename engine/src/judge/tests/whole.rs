use super::*;
use crate::claude::error::ErrorKind;
use crate::judge::Judged;
use crate::policy::document::Part;

fn rule(when: Value, action: &str) -> Value {
    let mut rule = json!({"name":"r","when":when,"action":action});
    if action == "hold" {
        rule["approval"] = json!({"groups":["ops"]});
    }
    json!({"rules":[rule]})
}

fn body(more: Value) -> Value {
    let mut body = json!({"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"hello"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn ask(policy: &Value, body: &Value, betas: &[&str]) -> Judged {
    let betas: Vec<_> = betas.iter().map(|beta| (*beta).to_owned()).collect();
    case(policy.clone()).request(body.to_string().as_bytes(), &betas)
}

fn is_denied(when: Value, more: Value, betas: &[&str]) -> bool {
    let refusal = ask(&rule(when, "deny"), &body(more), betas).refusal;
    assert!(refusal.as_ref().is_none_or(|r| (r.kind, r.rule.as_str()) == (ErrorKind::Permission, "r")));
    refusal.is_some()
}

#[test]
fn tools_that_are_offered_are_seen_by_name_and_by_type() {
    let tools = json!({"tools":[
        {"name":"Read","input_schema":{}},
        {"type":"web_search_20250305","name":"search"},
        {"type":"bash_20250124","name":"bash"}]});
    for (glob, expected) in [
        ("Read", true),
        ("R*", true),
        ("web_search", true),
        ("web_search_*", true),
        ("search", true),
        ("bash", true),
        ("Write", false),
        ("read", false),
    ] {
        assert_eq!(is_denied(json!({"toolsOffered":[glob]}), tools.clone(), &[]), expected, "{glob}");
    }
    assert!(!is_denied(json!({"toolsOffered":["*"]}), json!({}), &[]), "nothing is offered");
    assert!(!is_denied(json!({"toolsOffered":["*"]}), json!({"tools":[]}), &[]));
}

#[test]
fn mcp_servers_are_seen_by_url_and_one_that_is_written_oddly_could_be_any() {
    for (glob, url, expected) in [
        ("https://*.example.com", "https://mcp.example.com/sse", true),
        ("https://*.example.com", "https://evil.test/.example.com", false),
        ("https://mcp.example.com/db", "HTTPS://MCP.example.com:443/db", true),
    ] {
        let more = json!({"mcp_servers":[{"type":"url","name":"n","url":url}]});
        assert_eq!(is_denied(json!({"mcpServers":[glob]}), more, &[]), expected, "{glob} {url}");
    }
    // The roles refuse such a URL first; the rule does not rely on it.
    let judged = ask(
        &rule(json!({"mcpServers":["https://internal.example.com"]}), "deny"),
        &body(json!({"mcp_servers":[{"type":"url","name":"n","url":"https://x@internal.example.com"}]})),
        &[],
    );
    assert!(judged.refusal.is_some());
}

#[test]
fn betas_are_seen_in_headers_and_body_one_by_one() {
    let when = json!({"betas":["files-*"]});
    assert!(is_denied(when.clone(), json!({}), &["other, files-api-2025-04-14"]));
    assert!(is_denied(when.clone(), json!({}), &["other", "files-api-2025-04-14"]));
    assert!(is_denied(when.clone(), json!({"betas":["files-api-2025-04-14"]}), &[]));
    assert!(is_denied(when.clone(), json!({"anthropic_beta":["files-api-2025-04-14"]}), &[]));
    assert!(!is_denied(when, json!({"betas":["other"]}), &["xfiles-1"]));
}

#[test]
fn size_is_that_of_the_part() {
    let long = json!({"messages":[{"role":"user","content":"x".repeat(500)}]});
    assert!(is_denied(json!({"largerThan":499}), long.clone(), &[]));
    assert!(!is_denied(json!({"largerThan":500}), long.clone(), &[]), "the prompt has 500 bytes");
    assert!(
        is_denied(json!({"largerThan":500,"part":["request"]}), long.clone(), &[]),
        "and the request more"
    );
    let many = json!({"messages":(0..20).map(|n| json!({"role":"user","content":format!("{n:050}")})).collect::<Vec<_>>()});
    assert!(!is_denied(json!({"largerThan":500}), many.clone(), &[]), "each of many is small");
    assert!(is_denied(json!({"largerThan":500,"part":["request"]}), many, &[]));
}

#[test]
fn conditions_on_a_request_go_together_and_with_groups_and_models() {
    let more = json!({"tools":[{"name":"Bash","input_schema":{}}]});
    for (when, expected) in [
        (json!({"toolsOffered":["Bash"],"models":["claude-*"],"groups":["staff"]}), true),
        (json!({"toolsOffered":["Bash"],"models":["gpt-*"]}), false),
        (json!({"toolsOffered":["Bash"],"groups":["others"]}), false),
        (json!({"toolsOffered":["Bash"],"betas":["x"]}), false),
        (json!({"toolsOffered":["Bash"],"largerThan":10}), true),
        (json!({"toolsOffered":["Bash"],"largerThan":100_000}), false),
    ] {
        assert_eq!(is_denied(when.clone(), more.clone(), &[]), expected, "{when}");
    }
}

#[test]
fn each_request_of_a_batch_is_seen() {
    let runtime = runtime(rule(json!({"toolsOffered":["Bash"]}), "deny"));
    let batch = |more: Value| json!({"requests":[{"custom_id":"a","params":body(json!({}))},{"custom_id":"b","params":body(more)}]});
    let refused = |body: Value| {
        case_on(&runtime, "POST", "/v1/messages/batches")
            .request(body.to_string().as_bytes(), &[])
            .refusal
            .is_some()
    };
    assert!(refused(batch(json!({"tools":[{"name":"Bash","input_schema":{}}]}))));
    assert!(!refused(batch(json!({}))));
}

#[test]
fn a_held_offer_is_asked_about_once_and_later_turns_know_it() {
    let policy = rule(json!({"toolsOffered":["Bash"]}), "hold");
    let tools = json!([{"name":"Bash","input_schema":{}}]);
    let first = body(json!({"tools":tools}));
    let turns = json!([{"role":"user","content":"hello"},{"role":"assistant","content":"hi"},{"role":"user","content":"on"}]);
    let later = body(json!({"tools":tools,"messages":turns}));
    let mut case = case(policy.clone());
    let asked = case.request(first.to_string().as_bytes(), &[]).holds;
    let [ask_first] = asked.as_slice() else { panic!("one hold: {asked:?}") };
    assert_eq!((ask_first.part, ask_first.history), (Part::Request, false));
    assert!(
        ask_first.preview.contains("Tools: Bash") && ask_first.preview.contains("hello"),
        "{}",
        ask_first.preview
    );
    case.settle(&ask_first, &state(HoldDecision::Approved));
    assert!(case.request(first.to_string().as_bytes(), &[]).holds.is_empty());

    let of = |body: &Value, betas: &[&str]| ask(&policy, body, betas).holds.remove(0);
    let ask_later = of(&later, &[]);
    assert!(ask_later.history && ask_later.thread == ask_first.thread && ask_later.key != ask_first.key);
    let described = body(json!({"tools":[{"name":"Bash","description":"anything","input_schema":{}}]}));
    let begun_otherwise = body(json!({"tools":tools,"messages":[
        {"role":"user","content":"something else"},{"role":"assistant","content":"hi"},{"role":"user","content":"on"}]}));
    let other_model = body(json!({"tools":tools,"messages":turns,"model":"claude-large"}));
    for (other, betas) in [
        (&described, &[][..]),
        (&first, &["new-beta"][..]),
        (&begun_otherwise, &[][..]),
        (&other_model, &[][..]),
    ] {
        let other = of(other, betas);
        assert!(other.thread != ask_first.thread && other.key != ask_first.key);
    }
}

#[test]
fn every_large_request_that_is_held_is_a_question_of_its_own() {
    let policy = rule(json!({"part":["request"],"largerThan":100}), "hold");
    let of = |content: String| {
        ask(&policy, &body(json!({"messages":[{"role":"user","content":content}]})), &[]).holds.remove(0)
    };
    assert_ne!(of("a".repeat(200)).thread, of("b".repeat(200)).thread);
}

#[test]
fn a_rule_that_observes_a_request_only_says_so() {
    let mut policy = rule(json!({"toolsOffered":["Bash"]}), "deny");
    policy["rules"][0]["observe"] = json!(true);
    let mut case = case(policy);
    let body = body(json!({"tools":[{"name":"Bash","input_schema":{}}]}));
    assert!(case.request(body.to_string().as_bytes(), &[]).refusal.is_none());
    let decisions = case.record(crate::record::Stage::Open, 2000, "n").decisions;
    assert!(
        decisions.iter().any(|d| d.rule == "r" && d.observed && d.part == Some(Part::Request)),
        "{decisions:?}"
    );
}
