use super::*;
use crate::budget::Spent;
use crate::judge::ReplyStream;
use crate::record::Stage;

fn policy() -> Value {
    json!({
        "prices": [{"name": "s", "models": ["claude-s-*"], "input": 3, "output": 15},
            {"name": "o", "models": ["claude-o-*"], "input": 5, "output": 25}],
        "budgets": [{"name": "day", "cost": 100, "window": "24h"},
            {"name": "small models", "models": ["claude-s-*"], "requests": 100, "window": "1h"}],
    })
}

fn event(data: Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
}

fn start() -> Value {
    json!({"type":"message_start","message":{"model":"claude-s-1-2026","content":[],"usage":{"input_tokens":10,
        "output_tokens":1,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,
        "cache_creation":{"ephemeral_5m_input_tokens":60,"ephemeral_1h_input_tokens":40}}}})
}

fn request(case: &mut Case, max_tokens: u64) {
    let body =
        json!({"model":"claude-s-1","max_tokens":max_tokens,"messages":[{"role":"user","content":"x"}]});
    assert!(case.request(body.to_string().as_bytes(), &[]).refusal.is_none());
}

/// Runs a stream and gives what it used of the first claim, and its case.
fn streamed(events: &[Value]) -> (Spent, Case) {
    let mut case = case(policy());
    request(&mut case, 50);
    let claims = case.claims(0).unwrap();
    let mut reply = ReplyStream::events();
    let mut out = Vec::new();
    let bytes: String = events.iter().cloned().map(event).collect();
    let _ = reply.push(&mut case, bytes.as_bytes(), &mut out);
    let _ = reply.recorded(&mut case);
    (case.used(&claims, true, Some(200))[0], case)
}

#[test]
fn a_streams_last_word_on_its_usage_counts_and_what_it_leaves_out_stays() {
    let end = |usage: Value| json!({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":usage});
    let said = json!({"output_tokens":20,"input_tokens":null,"cache_read_input_tokens":1000});
    let (used, mut case) = streamed(&[start(), end(json!({"output_tokens": 7})), end(said)]);
    assert_eq!((used.input_tokens, used.output_tokens), (1110, 20));
    // 10 x 3 + 60 x 3.75 + 40 x 6 + 1000 x 0.3 + 20 x 15 millionths of a dollar.
    assert_eq!(used.cost_micro_usd, 1095);
    let usage = case.record(Stage::Close, 0, "n").usage.unwrap();
    assert_eq!((usage.cost_micro_usd, usage.cache_creation_1h_input_tokens), (Some(1095), 40));
}

#[test]
fn a_cut_stream_counts_what_the_model_wrote_let_out_or_not() {
    let call = json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"Bash","input":{}}});
    let delta = json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"x".repeat(90)}});
    let (used, _) = streamed(&[start(), call, delta.clone(), delta]);
    assert_eq!(
        (used.input_tokens, used.output_tokens),
        (1110, 60),
        "the call was kept, and was written all the same"
    );
    let (used, _) = streamed(&[]);
    assert!(used.input_tokens > 0 && used.output_tokens == 0, "{used:?}");
}

#[test]
fn a_call_that_waits_for_a_person_was_paid_for_before() {
    let mut policy = policy();
    policy["rules"] = json!([bash_rule("deploys", "deploy", "hold")]);
    let mut case = case(policy);
    request(&mut case, 50);
    let claims = case.claims(0).unwrap();
    let reply = json!({"model":"claude-s-1","content":[{"type":"tool_use","id":"t","name":"Bash",
        "input":{"command":"make deploy"}}],"usage":{"input_tokens":5,"output_tokens":7}});
    assert!(matches!(case.reply(reply.to_string().as_bytes(), 200, None), crate::judge::Replied::Hold(_)));
    assert_eq!(case.used(&claims, true, Some(200))[0].output_tokens, 7);
}

#[test]
fn each_request_of_a_batch_counts_with_its_own_model() {
    let runtime = runtime(policy());
    let mut case = case_on(&runtime, "POST", "/v1/messages/batches");
    let one = |model: &str| json!({"custom_id":"c","params":{"model":model,"max_tokens":1000,"messages":[{"role":"user","content":"x"}]}});
    let body = json!({"requests":[one("claude-s-1"), one("claude-o-1"), one("claude-s-1")]}).to_string();
    assert!(case.request(body.as_bytes(), &[]).refusal.is_none());
    let claims = case.claims(0).unwrap();
    let most: Vec<u64> = claims.iter().map(|claim| claim.most().output_tokens).collect();
    assert_eq!(most, [3000, 2000], "the second budget is for two of the three");
    let used = case.used(&claims, true, Some(200));
    assert_eq!(used[0].output_tokens, 3000);
    assert!(used[0].cost_micro_usd >= 2 * 15_000 + 25_000, "{used:?}");
    assert!(case.used(&claims, true, Some(400))[0].is_zero());
}

#[test]
fn wild_numbers_reserve_no_more_than_a_model_can_use() {
    let mut case = case(policy());
    request(&mut case, u64::MAX);
    assert_eq!(case.claims(0).unwrap()[0].most().output_tokens, 128_000);
    for most in ["1e3", "null", "\"5\"", "-1"] {
        let body = format!(
            r#"{{"model":"claude-s-1","max_tokens":{most},"messages":[{{"role":"user","content":"x"}}]}}"#
        );
        case.request(body.as_bytes(), &[]);
        assert_eq!(case.claims(0).unwrap()[0].most().output_tokens, 128_000, "{most}");
    }
}

#[test]
fn counting_tokens_and_listing_models_are_requests_and_nothing_else() {
    let runtime = runtime(policy());
    for (method, path, body, budgets) in [
        ("POST", "/v1/messages/count_tokens", r#"{"model":"claude-s-1","messages":[]}"#, 2),
        ("GET", "/v1/models", "", 1),
    ] {
        let mut case = case_on(&runtime, method, path);
        assert!(case.request(body.as_bytes(), &[]).refusal.is_none());
        let claims = case.claims(0).unwrap();
        assert_eq!(claims.len(), budgets, "{path}");
        assert!(claims.iter().all(|claim| claim.most().is_zero()), "{path}");
        assert!(case.used(&claims, true, Some(200)).iter().all(Spent::is_zero));
    }
}
