//! Turns with several calls, calls in very many pieces, calls that run elsewhere; and that the same thing asked again
//! gets the same answer.

use serde_json::{Value, json};

use super::*;
use crate::judge::{Flow, Judged, Replied, ReplyStream};
use crate::record::Stage;

/// Rules of all three kinds, on anything that carries a command.
fn rules() -> Value {
    let rule = |name: &str, input: &str, action: &str| {
        let mut rule =
            json!({"name":name,"when":{"tools":["*"],"input":input},"action":action,"message":"not here"});
        if action == "hold" {
            rule["approval"] = json!({"groups":["approvers"]});
        }
        rule
    };
    json!({"rules":[rule("no-rm", "rm -rf", "deny"), rule("deploys", "deploy", "hold")]})
}

fn block(kind: &str, id: &str, command: &str) -> Value {
    let mut block = json!({"type":kind,"id":id,"name":"Bash","input":{"command":command}});
    if kind == "mcp_tool_use" {
        block["server_name"] = json!("shop");
    }
    block
}

/// The events of a message with these blocks; inputs of calls come in pieces of `size` characters.
fn events(blocks: &[Value], size: usize) -> Vec<u8> {
    let mut all =
        vec![json!({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",
        "model":"claude-x","content":[],"stop_reason":null,"usage":{}}})];
    for (index, block) in blocks.iter().enumerate() {
        let call = block["type"].as_str().unwrap().ends_with("tool_use");
        let mut start = block.clone();
        if call {
            start["input"] = json!({});
        }
        all.push(json!({"type":"content_block_start","index":index,"content_block":start}));
        let input: Vec<char> = if call { block["input"].to_string().chars().collect() } else { Vec::new() };
        for piece in input.chunks(size) {
            let delta = json!({"type":"input_json_delta","partial_json":piece.iter().collect::<String>()});
            all.push(json!({"type":"content_block_delta","index":index,"delta":delta}));
        }
        all.push(json!({"type":"content_block_stop","index":index}));
    }
    all.push(json!({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{}}));
    all.push(json!({"type":"message_stop"}));
    let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    all.iter().map(event).collect::<String>().into_bytes()
}

/// What of these blocks the client gets, streamed; `decision`: on every call that waits.
fn streamed(blocks: &[Value], size: usize, decision: HoldDecision) -> Value {
    let mut case = case(rules());
    let (mut reply, mut out) = (ReplyStream::events(), Vec::new());
    let mut flow = reply.push(&mut case, &events(blocks, size), &mut out);
    while let Flow::Held(ask) = flow {
        case.settle(&ask, &state(decision));
        flow = reply.resume(&mut case, &mut out);
    }
    reply.end(&mut case, &mut out);
    serde_json::from_str(&reply.recorded(&mut case_recording()).unwrap()).unwrap()
}

/// [`ReplyStream::recorded`] gives nothing where nothing is recorded.
fn case_recording() -> Case {
    let mut policy = rules();
    policy["recording"] = json!({"mode":"background"});
    case(policy)
}

/// The same for a whole reply.
fn whole(blocks: &[Value], decision: HoldDecision) -> Value {
    let mut case = case(rules());
    let body = json!({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":blocks,
        "stop_reason":"tool_use","usage":{}})
    .to_string();
    loop {
        match case.reply(body.as_bytes(), 200, None) {
            Replied::Ready { body: changed, .. } => {
                return serde_json::from_slice(&changed.unwrap_or_else(|| body.clone().into_bytes()))
                    .unwrap();
            }
            Replied::Hold(ask) => case.settle(&ask, &state(decision)),
            other => panic!("{other:?}"),
        }
    }
}

/// Of each block: `call` where the call is as it was, or the text in its place.
fn shape(message: &Value, blocks: &[Value]) -> Vec<String> {
    let content = message["content"].as_array().unwrap();
    assert_eq!(content.len(), blocks.len(), "{message}");
    let one = |(got, sent): (&Value, &Value)| {
        if got == sent { "call".to_owned() } else { got["text"].as_str().unwrap_or_default().to_owned() }
    };
    content.iter().zip(blocks).map(one).collect()
}

#[test]
fn several_calls_of_a_turn_are_judged_one_by_one_streamed_or_not() {
    let blocks = [
        block("tool_use", "a", "ls"),
        block("tool_use", "b", "rm -rf /"),
        block("tool_use", "c", "make deploy"),
        block("tool_use", "d", "rm -rf /tmp/x"),
        block("tool_use", "e", "pwd"),
    ];
    for (decision, third) in [(HoldDecision::Approved, "call"), (HoldDecision::Denied, "`deploys`")] {
        for message in [streamed(&blocks, 5, decision), whole(&blocks, decision)] {
            let shape = shape(&message, &blocks);
            for (got, expected) in shape.iter().zip(["call", "`no-rm`", third, "`no-rm`", "call"]) {
                assert!(got.contains(expected), "{expected}: {message}");
            }
            assert_eq!(message["stop_reason"], "tool_use");
        }
    }
}

#[test]
fn a_call_in_more_than_a_hundred_pieces_is_judged_as_one() {
    let long = format!("echo {} && rm -rf / # {}", "é\\u0072\"".repeat(20), "x".repeat(200));
    let harmless = long.replace("rm -rf", "ls -la");
    for size in [1, 2, 3] {
        let blocks = [block("tool_use", "a", &long), block("tool_use", "b", &harmless)];
        let pieces = String::from_utf8(events(&blocks, size)).unwrap().matches("input_json_delta").count();
        assert!(pieces > 200, "{pieces}");
        let message = streamed(&blocks, size, HoldDecision::Denied);
        let shape = shape(&message, &blocks);
        assert!(shape[0].contains("`no-rm`") && shape[1] == "call", "size {size}: {message}");
        assert!(!message.to_string().contains("rm -rf"), "{message}");
    }
}

#[test]
fn calls_that_run_at_the_provider_are_judged_like_those_that_run_here() {
    for kind in ["tool_use", "server_tool_use", "mcp_tool_use"] {
        let blocks = [
            block(kind, "a", "rm -rf /"),
            json!({"type":"tool_result_of_it","tool_use_id":"a","content":[{"type":"text","text":"gone"}]}),
            block(kind, "b", "ls"),
        ];
        for message in [streamed(&blocks, 4, HoldDecision::Denied), whole(&blocks, HoldDecision::Denied)] {
            let shape = shape(&message, &blocks);
            assert!(shape[0].contains("`no-rm`") && shape[2] == "call", "{kind}: {message}");
            assert!(!message.to_string().contains("gone"), "{kind}: the result of a refused call: {message}");
        }
    }
}

#[test]
fn a_refused_call_is_refused_in_the_same_words_streamed_again_and_without_a_stream() {
    let blocks = [block("tool_use", "a", "rm -rf /"), block("tool_use", "b", "make deploy")];
    let words = |message: Value| shape(&message, &blocks);
    let first = words(streamed(&blocks, 7, HoldDecision::Denied));
    assert!(first[0].contains("`no-rm`") && first[1].contains("because"), "{first:?}");
    assert_eq!(words(streamed(&blocks, 1, HoldDecision::Denied)), first);
    assert_eq!(words(whole(&blocks, HoldDecision::Denied)), first);
}

/// The key under which a call in a reply waits.
fn call_key(reply: &Value) -> String {
    match case(rules()).reply(reply.to_string().as_bytes(), 200, None) {
        Replied::Hold(ask) => ask.key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_held_call_waits_under_one_key_whatever_its_id_order_and_way() {
    let call = json!({"type":"tool_use","id":"a","name":"Bash","input":{"command":"make deploy","n":1}});
    let again = json!({"id":"other","input":{"n":1,"command":"make deploy"},"name":"Bash","type":"tool_use"});
    let reply = |call: &Value| json!({"type":"message","content":[call],"stop_reason":"tool_use"});
    assert_eq!(call_key(&reply(&call)), call_key(&reply(&again)));
    let mut case = case(rules());
    let mut out = Vec::new();
    let flow = ReplyStream::events().push(&mut case, &events(std::slice::from_ref(&call), 3), &mut out);
    assert!(matches!(flow, Flow::Held(ask) if ask.key == call_key(&reply(&call))));
    let other = json!({"type":"tool_use","id":"a","name":"Bash","input":{"command":"make deploy","n":2}});
    assert_ne!(call_key(&reply(&other)), call_key(&reply(&call)));
}

#[test]
fn what_is_asked_on_anothers_behalf_is_asked_anew_and_names_both() {
    let reply = json!({"type":"message","content":[
        {"type":"tool_use","id":"a","name":"Bash","input":{"command":"make deploy","n":1}},
    ],"stop_reason":"tool_use"});
    let mut case = case(rules());
    case.principal.actor = Some("agent-7".into());
    let Replied::Hold(ask) = case.reply(reply.to_string().as_bytes(), 200, None) else { panic!() };
    assert_eq!((ask.who.subject.as_str(), ask.actor.as_deref()), ("ann", Some("agent-7")));
    assert_ne!(ask.key, call_key(&reply));
    assert_eq!(case.record(Stage::Close, 2, "n").actor.as_deref(), Some("agent-7"));
}

#[test]
fn a_held_or_refused_request_gets_the_same_answer_retried_reordered_and_without_a_stream() {
    let policy = json!({"rules":[
        {"name":"secret","when":{"part":["prompt"],"text":"secret plan"},"action":"hold","approval":{"groups":["a"]}},
        {"name":"never","when":{"part":["prompt"],"text":"launch"},"action":"deny","message":"not here"}]});
    let ask = |body: &str| -> Judged { case(policy.clone()).request(body.as_bytes(), &[]) };
    let forms = |text: &str| {
        [
            format!(
                r#"{{"model":"m","max_tokens":9,"stream":true,"messages":[{{"role":"user","content":"{text}"}}]}}"#
            ),
            format!(
                r#"{{"model":"m","max_tokens":9,"stream":true,"messages":[{{"role":"user","content":"{text}"}}]}}"#
            ),
            format!(r#"{{"messages":[{{"content":"{text}","role":"user"}}],"max_tokens":1,"model":"m"}}"#),
            format!(
                r#"{{"model":"\u006d","stream":false,"messages":[{{"role":"user","content":"{text}"}}]}}"#
            ),
        ]
    };
    let keys: Vec<_> = forms("the secret plan").iter().map(|body| ask(body).holds.remove(0).key).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let refusals: Vec<_> = forms("launch").iter().map(|body| ask(body).refusal.unwrap()).collect();
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
    // What the first answer was, the next one is, too: the case of a retry hears of the same hold.
    let mut case = case(policy.clone());
    for body in forms("the secret plan") {
        let judged = case.request(body.as_bytes(), &[]);
        match judged.holds.first() {
            Some(held) => case.settle(held, &state(HoldDecision::Denied)),
            None => assert!(judged.refusal.unwrap().message.contains("because")),
        }
    }
}
