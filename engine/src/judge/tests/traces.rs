use super::*;
use crate::judge::{ReplyStream, Step};

fn traced(policy: Value) -> Case {
    let mut case = case(policy);
    case.trace();
    case
}

#[test]
fn nothing_is_gathered_unless_it_is_asked_for() {
    let mut case = case(json!({}));
    case.request(br#"{"model":"claude-x","messages":[{"role":"user","content":"ann@example.com"}]}"#, &[]);
    assert_eq!(case.take_steps(), []);
}

#[test]
fn a_right_names_the_role_and_the_entry_that_decided() {
    let mut case = traced(json!({"roles":[
        {"name":"a","scopes":["messages.*"],"models":["claude-h*","claude-x*"],"maxTokens":10},
        {"name":"b","tools":{"deny":["Ba*"]},"maxTokens":20,"offered":"refuse"},
    ],"bindings":[{"name":"staff","groups":["staff"],"roles":["a","b"]}]}));
    let body =
        json!({"model":"claude-x1","max_tokens":15,"messages":[],"tools":[{"name":"Read"},{"name":"Bash"}]});
    assert!(case.request(body.to_string().as_bytes(), &["beta-1".into()]).refusal.is_some());
    let decided: Vec<_> = case
        .take_steps()
        .into_iter()
        .filter_map(|step| match step {
            Step::Right { what, allowed, role, entry, .. } => Some((what, allowed, role, entry)),
            _ => None,
        })
        .collect();
    let by = |what, allowed, role: &str, entry: Option<&str>| {
        (what, allowed, Some(role.to_owned()), entry.map(str::to_owned))
    };
    assert_eq!(
        decided,
        [
            by("scope", true, "a", Some("messages.*")),
            by("beta", true, "a", None),
            by("model", true, "a", Some("claude-x*")),
            by("tool", true, "a", None),
            by("tool", false, "b", Some("Ba*")),
        ]
    );
}

#[test]
fn a_limit_names_the_role_that_gives_it() {
    let mut case = traced(json!({"roles":[
        {"name":"a","scopes":["*"],"models":["*"],"maxTokens":10},{"name":"b","maxTokens":20}],
        "bindings":[{"name":"staff","groups":["staff"],"roles":["a","b"]}]}));
    case.request(br#"{"model":"m","max_tokens":15,"messages":[]}"#, &[]);
    assert!(case.take_steps().contains(&Step::Limit {
        field: "max_tokens",
        value: "15".into(),
        limit: Some(20),
        role: Some("b".into()),
        allowed: true,
    }));
}

fn found(steps: &[Step]) -> Vec<(&str, &str, u32, bool)> {
    let of = |step| match step {
        &Step::Found { ref pointer, ref kind, count, masked, .. } => {
            Some((pointer.as_str(), kind.as_str(), count, masked))
        }
        _ => None,
    };
    steps.iter().filter_map(of).collect()
}

#[test]
fn a_finding_has_its_place_and_never_its_value() {
    let mut case = traced(json!({}));
    let body = json!({"model":"m","system":"of ann@example.com","messages":[{"role":"user","content":[
        {"type":"text","text":"ann@example.com, bob@example.com and 4111 1111 1111 1111"}]}]});
    case.request(body.to_string().as_bytes(), &[]);
    let steps = case.take_steps();
    assert_eq!(
        found(&steps),
        [
            ("/messages/0/content/0/text", "email", 2, true),
            ("/messages/0/content/0/text", "payment_card", 1, true),
            ("/system", "email", 1, true),
        ]
    );
    let told = serde_json::to_string(&steps).unwrap();
    assert!(!told.contains("example.com") && !told.contains("4111"), "{told}");
}

#[test]
fn what_is_exempt_or_only_observed_is_found_and_not_masked() {
    for policy in [
        json!({"masking":{"mode":"observe"}}),
        json!({"roles":[{"name":"all","scopes":["*"],"models":["*"],"unmasked":["email"]}]}),
    ] {
        let mut case = traced(policy);
        case.request(br#"{"model":"m","messages":[{"role":"user","content":"ann@example.com"}]}"#, &[]);
        assert_eq!(found(&case.take_steps()), [("/messages/0/content", "email", 1, false)]);
    }
}

#[test]
fn a_stream_tells_the_same_places_as_the_whole_message() {
    let policy = json!({"rules":[bash_rule("no-rm","rm -rf","deny")]});
    let message = json!({"id":"m","type":"message","role":"assistant","model":"claude-x","stop_reason":"tool_use","content":[
        {"type":"text","text":"ask ann@example.com"},
        {"type":"tool_use","id":"t","name":"Bash","input":{"command":"rm -rf /","to":"x@example.com"}}]});
    let mut whole = traced(policy.clone());
    whole.reply(message.to_string().as_bytes(), 200, None);
    let mut streamed = traced(policy);
    let mut reply = ReplyStream::events();
    for event in [
        json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ask ann@exam"}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ple.com"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"Bash","input":{}}}),
        json!({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":message["content"][1]["input"].to_string()}}),
        json!({"type":"content_block_stop","index":1}),
    ] {
        reply.push(&mut streamed, format!("data: {event}\n\n").as_bytes(), &mut Vec::new());
    }
    reply.end(&mut streamed, &mut Vec::new());
    let (mut whole, mut streamed) = (whole.take_steps(), streamed.take_steps());
    // A stream masks text before it comes to the call; a whole message is judged first.
    for steps in [&mut whole, &mut streamed] {
        steps.sort_by_key(|step| format!("{step:?}"));
    }
    assert_eq!(whole, streamed);
    assert_eq!(found(&whole), [("/content/0/text", "email", 1, true)]);
}

#[test]
fn a_rule_that_did_not_match_names_the_condition_that_failed() {
    let mut case = traced(json!({"rules":[
        {"name":"results","when":{"part":["toolResult"]},"action":"deny"},
        {"name":"others","when":{"part":["toolCall"],"groups":["others"]},"action":"deny"},
        {"name":"destroys","when":{"effects":["destroy"]},"action":"deny"},
        {"name":"sees","when":{"tools":["B*"],"input":"make"},"action":"hold","observe":true,"approval":{"groups":["a"]}},
        {"name":"reads","when":{"tools":["Bash"],"input":"rm"},"action":"allow"},
    ]}));
    let reply = json!({"content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"make x"}}]});
    case.reply(reply.to_string().as_bytes(), 200, None);
    let rules = case.take_steps().into_iter().find_map(|step| match step {
        Step::Rules { rules, pointer, .. } => Some((pointer, rules)),
        _ => None,
    });
    let (pointer, rules) = rules.unwrap();
    assert_eq!(pointer, "/content/0");
    let unmet: Vec<_> = rules.iter().map(|looked| (looked.rule.as_str(), looked.unmet)).collect();
    assert_eq!(
        unmet,
        [
            ("results", Some("part")),
            ("others", Some("groups")),
            ("destroys", Some("effects")),
            ("sees", None),
            ("reads", Some("input")),
        ]
    );
}
