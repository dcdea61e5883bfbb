use super::*;
use crate::judge::Replied;

fn message(content: Value) -> String {
    json!({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":content,
        "stop_reason":"tool_use","usage":{"input_tokens":5,"output_tokens":7}})
    .to_string()
}

fn bash(id: &str, command: &str) -> Value {
    json!({"type":"tool_use","id":id,"name":"Bash","input":{"command":command}})
}

fn ready(replied: Replied, original: &str) -> Value {
    match replied {
        Replied::Ready { body, .. } => serde_json::from_slice(&body.unwrap_or(original.into())).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refused_call_becomes_text_and_the_other_calls_stay() {
    let reply = message(json!([{"type":"text","text":"I will"},bash("a","rm -rf /"),bash("b","ls")]));
    let mut case = case(json!({"rules":[bash_rule("no-rm","rm -rf","deny")]}));
    let sent = ready(case.reply(reply.as_bytes(), 200, None), &reply);
    let said = sent["content"][1]["text"].as_str().unwrap();
    assert!(said.contains("refused by rule `no-rm`: not here"), "{said}");
    assert_eq!(sent["content"][2], bash("b", "ls"));
    assert_eq!(sent["stop_reason"], "tool_use", "a call is still to be run");
}

#[test]
fn a_reply_whose_only_call_was_refused_ends_the_turn() {
    let reply = message(json!([bash("a", "rm -rf /")]));
    let mut case = case(json!({"rules":[bash_rule("no-rm","rm -rf","deny")]}));
    assert_eq!(ready(case.reply(reply.as_bytes(), 200, None), &reply)["stop_reason"], "end_turn");
}

#[test]
fn a_tool_that_no_role_gives_cannot_be_called_even_unasked() {
    let reply = message(json!([bash("a", "ls")]));
    let mut case =
        case(json!({"roles":[{"name":"all","scopes":["*"],"models":["*"],"tools":{"allow":["Read"]}}]}));
    let sent = ready(case.reply(reply.as_bytes(), 200, None), &reply);
    assert!(sent["content"][0]["text"].as_str().unwrap().contains("rule `tool`"));
}

#[test]
fn a_held_call_waits_and_then_leaves_or_is_refused() {
    let reply = message(json!([bash("a", "make deploy")]));
    for (decision, left) in
        [(HoldDecision::Approved, true), (HoldDecision::Denied, false), (HoldDecision::Expired, false)]
    {
        let mut case = case(json!({"rules":[bash_rule("deploys","deploy","hold")]}));
        let Replied::Hold(ask) = case.reply(reply.as_bytes(), 200, None) else { panic!("held") };
        assert_eq!(
            (ask.tool.as_deref(), ask.preview.as_str()),
            (Some("Bash"), r#"{"command":"make deploy"}"#)
        );
        case.settle(&ask, &state(decision));
        let sent = ready(case.reply(reply.as_bytes(), 200, None), &reply);
        assert_eq!(sent["content"][0] == bash("a", "make deploy"), left, "{decision:?}");
    }
}

#[test]
fn a_call_of_a_server_tool_that_is_refused_takes_its_result_with_it() {
    let reply = message(json!([
        {"type":"server_tool_use","id":"s1","name":"bash_code_execution","input":{"command":"rm -rf /"}},
        {"type":"bash_code_execution_tool_result","tool_use_id":"s1","content":{"type":"x","stdout":"gone"}}]));
    let policy = json!({"rules":[{"name":"no-rm","when":{"tools":["bash_code_execution"],"input":"rm -rf"},"action":"deny"}]});
    let sent = ready(case(policy).reply(reply.as_bytes(), 200, None), &reply);
    assert!(!sent.to_string().contains("gone"), "{sent}");
}

#[test]
fn a_reply_without_findings_leaves_byte_for_byte() {
    let reply =
        r#"{ "content" : [{"type":"text","text":"caf\u00e9 1.50"}], "n": 12345678901234567890, "usage":{} }"#;
    let Replied::Ready { body, .. } = case(json!({})).reply(reply.as_bytes(), 200, None) else {
        panic!("ready")
    };
    assert_eq!(body, None);
}

#[test]
fn a_reply_that_cannot_be_read_does_not_leave_but_an_error_in_plain_text_does() {
    let mut case = case(json!({}));
    assert!(matches!(case.reply(b"{\"content\":[", 200, None), Replied::Refused(_)));
    assert!(matches!(case.reply(b"upstream connect error", 503, None), Replied::Ready { body: None, .. }));
    assert!(matches!(case.reply(b"\xff\xfe", 503, None), Replied::Refused(_)));
}

#[test]
fn results_url_points_back_to_the_gateway() {
    let runtime = runtime(json!({}));
    let mut case = case_on(&runtime, "GET", "/v1/messages/batches/batch_1");
    let reply =
        r#"{"id":"batch_1","results_url":"https://api.anthropic.com/v1/messages/batches/batch_1/results"}"#;
    let sent = ready(case.reply(reply.as_bytes(), 200, Some("http://127.0.0.1:8080")), reply);
    assert_eq!(sent["results_url"], "http://127.0.0.1:8080/v1/messages/batches/batch_1/results");
}

#[test]
fn the_record_says_what_was_used_and_decided() {
    let reply = message(json!([bash("a", "rm -rf /")]));
    let mut case = case(json!({"rules":[bash_rule("no-rm","rm -rf","deny")]}));
    let Replied::Ready { recorded, .. } = case.reply(reply.as_bytes(), 200, None) else { panic!("ready") };
    assert!(recorded.unwrap().contains("refused by rule"), "the record holds what the client got");
    let record = case.record(crate::record::Stage::Close, 2000, "node");
    assert_eq!(record.usage.unwrap().output_tokens, 7);
    assert_eq!(record.stop_reason.as_deref(), Some("tool_use"));
    assert_eq!(
        (record.decisions[0].rule.as_str(), record.decisions[0].tool.as_deref()),
        ("no-rm", Some("Bash"))
    );
    assert_eq!(record.duration_ms, Some(1000));
}

#[test]
fn both_records_name_the_span_of_the_caller_and_nothing_else_that_stands_in_its_place() {
    let mut case = case(json!({}));
    let span = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    case.set_trace(span);
    for stage in [crate::record::Stage::Open, crate::record::Stage::Close] {
        assert_eq!(case.record(stage, 1, "n").traceparent.as_deref(), Some(span));
    }
    case.set_trace("00-ana@example.com");
    assert_eq!(case.record(crate::record::Stage::Close, 1, "n").traceparent, None);
}

#[test]
fn a_call_that_two_rules_hold_needs_the_approval_of_each() {
    let reply = message(json!([bash("a", "make deploy")]));
    let mut legal = bash_rule("legal", "make", "hold");
    legal["approval"] = json!({"groups":["lawyers"]});
    let mut case = case(json!({"rules":[bash_rule("deploys","deploy","hold"), legal]}));
    let Replied::Hold(first) = case.reply(reply.as_bytes(), 200, None) else { panic!("held") };
    case.settle(&first, &state(HoldDecision::Approved));
    let Replied::Hold(second) = case.reply(reply.as_bytes(), 200, None) else { panic!("held again") };
    assert_eq!(
        (second.rule.as_str(), second.approvers.as_slice()),
        ("legal", ["lawyers".to_owned()].as_slice())
    );
    case.settle(&second, &state(HoldDecision::Denied));
    let sent = ready(case.reply(reply.as_bytes(), 200, None), &reply);
    assert!(sent["content"][0]["text"].as_str().unwrap().contains("rule `legal`"), "{sent}");
}

#[test]
fn the_record_has_the_roles_that_were_used_and_the_calls_that_were_let_through() {
    let reply =
        message(json!([bash("a", "rm -rf /"), bash("b", "ls"), bash("c", "make deploy"), bash("d", "pwd")]));
    let policy = json!({
        "roles": [{"name":"talk","scopes":["messages.create"],"models":["claude-*"]},
                  {"name":"other-model","scopes":["messages.create"],"models":["gpt-*"]},
                  {"name":"other-route","scopes":["files.*"],"models":["*"]}],
        "bindings": [{"name":"staff","groups":["staff"],"roles":["talk","other-model","other-route"]}],
        "rules": [bash_rule("no-rm","rm -rf","deny"), bash_rule("deploys","deploy","hold")],
    });
    let mut case = case(policy);
    let judged = case.request(br#"{"model":"claude-x","max_tokens":9,"messages":[]}"#, &[]);
    assert_eq!(judged.refusal, None);
    let open = case.record(crate::record::Stage::Open, 1, "n");
    assert_eq!((open.roles, open.calls.len()), (vec!["talk".to_owned()], 0));
    let Replied::Hold(ask) = case.reply(reply.as_bytes(), 200, None) else { panic!("held") };
    case.settle(&ask, &state(HoldDecision::Denied));
    ready(case.reply(reply.as_bytes(), 200, None), &reply);
    let close = case.record(crate::record::Stage::Close, 2, "n");
    assert_eq!(
        close.calls,
        [("Bash".to_owned(), 2)].into(),
        "neither what was refused, nor what was judged twice"
    );
    assert!(close.roles.is_empty());
}

#[test]
fn a_reply_with_tools_without_number_is_counted_within_bounds() {
    let names: Vec<Value> = (0..500)
        .map(|n| json!({"type":"tool_use","id":format!("t{n}"),"name":format!("tool-{n}"),"input":{}}))
        .collect();
    let reply = message(json!(names));
    let mut case = case(json!({}));
    ready(case.reply(reply.as_bytes(), 200, None), &reply);
    assert_eq!(case.record(crate::record::Stage::Close, 2, "n").calls.len(), crate::record::TOOLS);
}
