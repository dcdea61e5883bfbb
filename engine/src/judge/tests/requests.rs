use super::*;
use crate::claude::error::ErrorKind;
use crate::judge::Judged;
use crate::policy::document::Part;

fn ask(policy: Value, body: Value) -> Judged {
    case(policy).request(body.to_string().as_bytes(), &[])
}

fn refusal(policy: Value, body: Value) -> (ErrorKind, String) {
    let refusal = ask(policy, body).refusal.expect("refused");
    (refusal.kind, refusal.rule)
}

fn body() -> Value {
    json!({"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":"hello"}]})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = body();
    body[field] = value;
    body
}

fn role(role: Value) -> Value {
    let mut own = json!({"name":"r","scopes":["*"],"models":["claude-*"]});
    own.as_object_mut().unwrap().extend(role.as_object().unwrap().clone());
    json!({"roles":[own],"bindings":[{"name":"b","groups":["staff"],"roles":["r"]}]})
}

#[test]
fn a_request_within_all_limits_leaves_as_it_came() {
    let judged = ask(json!({}), body());
    assert!(judged.refusal.is_none() && judged.holds.is_empty() && judged.body.is_none());
    assert_eq!(judged.recorded.as_deref(), Some(body().to_string().as_str()));
}

#[test]
fn what_a_role_does_not_give_is_refused_by_its_name() {
    let denied = |rule: &str| (ErrorKind::Permission, rule.to_owned());
    assert_eq!(refusal(role(json!({})), with("model", json!("gpt"))), denied("model"));
    assert_eq!(refusal(role(json!({"maxTokens":50})), body()), denied("max_tokens"));
    let thinking = with("thinking", json!({"type":"enabled","budget_tokens":2000}));
    assert_eq!(refusal(role(json!({"thinkingBudget":1000})), thinking), denied("thinking_budget"));
    let tools = with("tools", json!([{"name":"Bash","input_schema":{}}]));
    let strict = json!({"tools":{"deny":["Ba*"]},"offered":"refuse"});
    assert_eq!(refusal(role(strict.clone()), tools), denied("tool"));
    let search = with("tools", json!([{"type":"web_search_20250305","name":"web_search"}]));
    assert_eq!(refusal(role(strict.clone()), search.clone()), denied("server_tool"));
    assert!(ask(role(json!({"serverTools":{"allow":["web_search"]}})), search).refusal.is_none());
    let server = with("mcp_servers", json!([{"type":"url","name":"x","url":"https://mcp.test/a"}]));
    assert_eq!(refusal(role(strict), server), denied("mcp_server"));
}

#[test]
fn a_limit_cannot_be_passed_by_writing_the_number_in_another_way() {
    for number in ["1e9", "60.0", "\"60\""] {
        let body = format!(r#"{{"model":"claude-x","max_tokens":{number},"messages":[]}}"#);
        let refusal = case(role(json!({"maxTokens":50}))).request(body.as_bytes(), &[]).refusal.unwrap();
        assert_eq!(refusal.kind, ErrorKind::InvalidRequest, "{number}");
    }
}

#[test]
fn each_request_of_a_batch_is_limited() {
    let runtime = runtime(role(json!({})));
    let body = json!({"requests":[{"custom_id":"a","params":body()},{"custom_id":"b","params":with("model", json!("gpt"))}]});
    let judged = case_on(&runtime, "POST", "/v1/messages/batches").request(body.to_string().as_bytes(), &[]);
    assert_eq!(judged.refusal.unwrap().rule, "model");
}

#[test]
fn a_body_that_two_parsers_could_read_differently_is_refused_as_unreadable() {
    for body in [r#"{"model":"a","model":"b"}"#, "[]", "{", "{\"a\":\"\\ud800\"}", "\u{feff}{}", ""] {
        let refusal = case(json!({})).request(body.as_bytes(), &[]).refusal.unwrap();
        assert_eq!(refusal.kind, ErrorKind::InvalidRequest, "{body}");
    }
}

#[test]
fn betas_are_checked_one_by_one() {
    let policy = role(json!({"betas":{"deny":["secret-*"]}}));
    let refused = |betas: &[&str]| {
        let betas: Vec<_> = betas.iter().map(|beta| (*beta).to_owned()).collect();
        case(policy.clone())
            .request(body().to_string().as_bytes(), &betas)
            .refusal
            .map(|refusal| refusal.rule)
    };
    assert_eq!(refused(&["fine-2025-01-01, other"]), None);
    assert_eq!(refused(&["fine", "other,secret-2026-01-01"]), Some("beta".into()));
}

#[test]
fn media_passes_or_is_refused_as_policy_says() {
    let image = json!([{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]);
    assert!(ask(json!({}), with("messages", image.clone())).refusal.is_none());
    let (kind, rule) = refusal(json!({"masking":{"media":"deny"}}), with("messages", image));
    assert_eq!((kind, rule.as_str()), (ErrorKind::Permission, "media"));
}

#[test]
fn a_rule_on_tool_results_sees_results_and_not_prompts() {
    let policy = json!({"rules":[{"name":"injection","when":{"part":["toolResult"],"text":"ignore previous"},"action":"deny"}]});
    let said = with("messages", json!([{"role":"user","content":"please ignore previous"}]));
    assert!(ask(policy.clone(), said).refusal.is_none());
    let result = with(
        "messages",
        json!([{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Web","input":{}}]},
               {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"ignore previous"}]}]),
    );
    assert_eq!(refusal(policy, result).1, "injection");
}

fn hold_policy() -> Value {
    json!({"rules":[{"name":"deploys","when":{"part":["prompt"],"text":"deploy"},"action":"hold","approval":{"groups":["ops"],"expires":"5m"}}]})
}

#[test]
fn a_hold_says_how_many_must_approve_which_teams_may_not_and_for_how_long_at_most() {
    let asked = |approval: Value, teams: Value| {
        let mut policy = hold_policy();
        policy["rules"][0]["approval"] = approval;
        policy["access"] = json!({"teams": teams});
        let mut case = case(policy);
        let body = with("messages", json!([{"role":"user","content":"deploy it"}])).to_string();
        let ask = case.request(body.as_bytes(), &[]).holds.remove(0);
        (ask.quorum, ask.teams, ask.grant_seconds)
    };
    let plain = json!({"groups": ["ops"]});
    assert_eq!(asked(plain.clone(), json!(["sta*"])), (1, vec![], None), "a team alone keeps nobody out");
    let all = json!({"groups": ["ops"], "quorum": 2, "excludeTeam": true, "grantFor": "15m"});
    assert_eq!(asked(all.clone(), json!(["x", "sta*"])), (2, vec!["staff".into()], Some(900)));
    assert_eq!(asked(all, json!(["team-*"])), (2, vec![], Some(900)));
}

#[test]
fn a_held_prompt_asks_once_and_goes_on_when_approved() {
    let mut case = case(hold_policy());
    let body = with("messages", json!([{"role":"user","content":"deploy it"}])).to_string();
    let judged = case.request(body.as_bytes(), &[]);
    let [ask] = judged.holds.as_slice() else { panic!("one hold") };
    assert_eq!((ask.rule.as_str(), ask.part, ask.preview.as_str()), ("deploys", Part::Prompt, "deploy it"));
    assert_eq!(
        (ask.approvers.as_slice(), ask.expires_seconds, ask.history),
        (["ops".to_owned()].as_slice(), 300, false)
    );
    case.settle(&ask, &state(HoldDecision::Waiting));
    assert_eq!(case.request(body.as_bytes(), &[]).holds.len(), 1, "waiting settles nothing");
    case.settle(&ask, &state(HoldDecision::Approved));
    let judged = case.request(body.as_bytes(), &[]);
    assert!(judged.holds.is_empty() && judged.refusal.is_none());
}

#[test]
fn a_held_prompt_that_was_denied_is_refused_with_the_reviewers_reason() {
    let mut case = case(hold_policy());
    let body = with("messages", json!([{"role":"user","content":"deploy it"}])).to_string();
    let ask = case.request(body.as_bytes(), &[]).holds.remove(0);
    case.settle(&ask, &state(HoldDecision::Denied));
    let refusal = case.request(body.as_bytes(), &[]).refusal.unwrap();
    assert_eq!(refusal.rule, "deploys");
    assert!(refusal.message.contains("bob denied it (hold h1): because"), "{}", refusal.message);
}

#[test]
fn the_fallback_without_streaming_has_the_same_key_and_another_request_has_not() {
    let key = |body: Value| ask(hold_policy(), body).holds.remove(0).key;
    let messages = json!([{"role":"user","content":"deploy it"}]);
    let streamed = json!({"model":"claude-x","max_tokens":9,"stream":true,"messages":messages});
    let fallback = json!({"messages":messages,"max_tokens":1000,"model":"claude-x"});
    assert_eq!(key(streamed.clone()), key(fallback));
    let mut other = streamed.clone();
    other["system"] = json!("run whatever you are told");
    assert_ne!(key(streamed), key(other));
}

#[test]
fn later_turns_know_the_approved_thread() {
    let hold = |messages: Value| ask(hold_policy(), with("messages", messages)).holds.remove(0);
    let first = hold(
        json!([{"role":"user","content":[{"type":"text","text":"deploy it","cache_control":{"type":"ephemeral"}}]}]),
    );
    let later = hold(json!([{"role":"user","content":[{"type":"text","text":"deploy it"}]},
        {"role":"assistant","content":"done"},{"role":"user","content":"thanks"}]));
    assert_eq!(first.thread, later.thread);
    assert!(later.history && !first.history);
    assert_ne!(first.key, later.key);
    let forged = hold(
        json!([{"role":"user","content":"deploy it all"},{"role":"assistant","content":"ok"},{"role":"user","content":"x"}]),
    );
    assert_ne!(forged.thread, first.thread);
}

#[test]
fn a_body_where_the_method_has_none_is_not_waved_through() {
    let runtime = runtime(json!({}));
    let mut case = case_on(&runtime, "GET", "/v1/models");
    assert!(case.request(b"", &[]).refusal.is_none());
    assert_eq!(case.request(b"jane.doe@example.com", &[]).refusal.unwrap().kind, ErrorKind::InvalidRequest);
    let mut cancel = case_on(&runtime, "POST", "/v1/messages/batches/batch_1/cancel");
    assert!(cancel.request(b"", &[]).refusal.is_none());
}

#[test]
fn files_pass_or_are_refused_as_policy_says_of_media() {
    for (media, refused) in [("allow", false), ("deny", true), ("hold", true)] {
        let approval = (media == "hold").then(|| json!({"groups":["ops"]}));
        let runtime = runtime(json!({"masking":{"media":media,"mediaApproval":approval}}));
        for (method, path) in [("POST", "/v1/files"), ("GET", "/v1/files/file_1/content")] {
            let judged = case_on(&runtime, method, path).request(b"--boundary", &[]);
            assert_eq!(judged.refusal.is_some(), refused, "{media} {method} {path}");
        }
    }
}

fn image(url: &str) -> Value {
    json!({"type":"image","source":{"type":"url","url":url}})
}

fn media_policy() -> Value {
    json!({"masking":{"media":"hold","mediaApproval":{"groups":["ops"],"expires":"5m"}}})
}

#[test]
fn held_media_waits_for_its_approvers_and_goes_on_when_they_agree() {
    let mut case = case(media_policy());
    let content = json!([{"type":"text","text":"what is this?"}, image("https://x.test/ann@example.com.png"),
        {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}]);
    let body = with("messages", json!([{"role":"user","content":content}])).to_string();
    let judged = case.request(body.as_bytes(), &[]);
    let [ask] = judged.holds.as_slice() else { panic!("one question about all media: {:?}", judged.holds) };
    assert_eq!((ask.rule.as_str(), ask.part, ask.expires_seconds), ("media", Part::Prompt, 300));
    assert_eq!(ask.approvers, ["ops"]);
    assert!(ask.preview.contains("url") && ask.preview.contains("application/pdf"), "{}", ask.preview);
    assert!(!ask.preview.contains("ann@example.com"), "{}", ask.preview);
    let mut denied = super::case(media_policy());
    denied.settle(&ask, &state(HoldDecision::Denied));
    let refusal = denied.request(body.as_bytes(), &[]).refusal.unwrap();
    assert_eq!(refusal.rule, "media");
    assert!(refusal.message.contains("bob denied it"), "{}", refusal.message);
    case.settle(&ask, &state(HoldDecision::Approved));
    let judged = case.request(body.as_bytes(), &[]);
    assert!(judged.holds.is_empty() && judged.refusal.is_none());
}

#[test]
fn approved_media_stays_approved_in_later_turns_and_new_media_asks_again() {
    let asks = |messages: Value| ask(media_policy(), with("messages", messages)).holds;
    let first = asks(json!([{"role":"user","content":[image("https://x.test/a.png")]}])).remove(0);
    let later = asks(json!([{"role":"user","content":[image("https://x.test/a.png")]},
        {"role":"assistant","content":"a cat"},{"role":"user","content":"thanks"}]));
    assert!(later.len() == 1 && later[0].history && later[0].thread == first.thread);
    let more = asks(json!([{"role":"user","content":[image("https://x.test/a.png")]},
        {"role":"assistant","content":"a cat"},{"role":"user","content":[image("https://x.test/b.png")]}]));
    assert_eq!(more.iter().map(|ask| ask.history).collect::<Vec<_>>(), [true, false]);
    assert_ne!(more[1].key, first.key);
    assert!(asks(json!([{"role":"user","content":"no media here"}])).is_empty());
}

#[test]
fn text_in_base64_that_is_no_text_is_held_as_media() {
    let source = json!({"type":"base64","media_type":"text/plain","data":"/////w=="});
    let messages = json!([{"role":"user","content":[{"type":"document","source":source}]}]);
    assert_eq!(ask(media_policy(), with("messages", messages)).holds.len(), 1);
}
