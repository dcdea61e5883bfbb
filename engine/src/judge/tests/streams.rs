use super::*;
use crate::judge::{Flow, ReplyStream};

/// Data of events, each with its name from its `type`.
fn stream(events: &[Value]) -> Vec<u8> {
    let event = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    events.iter().map(event).collect::<String>().into_bytes()
}

fn start() -> Value {
    json!({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x",
        "content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}})
}

fn block(index: u64, block: Value) -> Value {
    json!({"type":"content_block_start","index":index,"content_block":block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type":"content_block_delta","index":index,"delta":delta})
}

fn stop(index: u64) -> Value {
    json!({"type":"content_block_stop","index":index})
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({"type":"message_delta","delta":{"stop_reason":reason},"usage":{"output_tokens":9}}),
        json!({"type":"message_stop"}),
    ]
}

/// A call of Bash, its input cut into pieces of `size` bytes.
fn call(index: u64, command: &str, size: usize) -> Vec<Value> {
    let input = json!({"command":command,"description":"é"}).to_string();
    let mut events =
        vec![block(index, json!({"type":"tool_use","id":format!("t{index}"),"name":"Bash","input":{}}))];
    let chars: Vec<char> = input.chars().collect();
    for piece in chars.chunks(size) {
        let piece: String = piece.iter().collect();
        events.push(delta(index, json!({"type":"input_json_delta","partial_json":piece})));
    }
    events.push(stop(index));
    events
}

/// Everything that a reply can be made of.
fn full() -> Vec<u8> {
    let mut events = vec![start(), json!({"type":"ping"})];
    events.push(block(0, json!({"type":"thinking","thinking":"","signature":""})));
    events.push(delta(0, json!({"type":"thinking_delta","thinking":"let me see"})));
    events.push(delta(0, json!({"type":"signature_delta","signature":"c2ln"})));
    events.push(stop(0));
    events.push(block(1, json!({"type":"text","text":""})));
    for text in ["Hel", "lo é ", "\n\"x\" ", "world"] {
        events.push(delta(1, json!({"type":"text_delta","text":text})));
    }
    events.push(delta(
        1,
        json!({"type":"citations_delta","citation":{"type":"char_location","cited_text":"hello"}}),
    ));
    events.push(stop(1));
    events.extend(call(2, "ls -l", 3));
    events.extend(call(3, "rm -rf /", 2));
    events.push(block(4, json!({"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","title":"hi"}]})));
    events.push(stop(4));
    events.extend(end("tool_use"));
    stream(&events)
}

fn no_rm() -> Value {
    json!({"rules":[bash_rule("no-rm","rm -rf","deny")]})
}

fn run(case: &mut Case, pieces: &[&[u8]]) -> Vec<u8> {
    let mut reply = ReplyStream::events();
    let mut out = Vec::new();
    for piece in pieces {
        assert!(matches!(reply.push(case, piece, &mut out), Flow::Open));
    }
    assert!(matches!(reply.end(case, &mut out), Flow::Open));
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_stream_with_nothing_to_change_leaves_byte_for_byte() {
    // Words that end where their event ends are never held back.
    let bytes = text(&full()).replace("\"Hel\"", "\"Hel \"").replace("\"world\"", "\"world \"").into_bytes();
    assert_eq!(text(&run(&mut case(json!({})), &[&bytes])), text(&bytes));
}

#[test]
fn the_same_bytes_leave_however_the_stream_is_split() {
    let bytes = full();
    let whole = text(&run(&mut case(no_rm()), &[&bytes]));
    assert!(
        whole.contains("refused by rule `no-rm`")
            && !whole.contains("toolu_none")
            && whole.contains("\"stop_reason\":\"tool_use\"")
    );
    let mut case = case(no_rm());
    for at in 0..=bytes.len() {
        let (left, right) = bytes.split_at(at);
        assert_eq!(text(&run(&mut case, &[left, right])), whole, "split at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(text(&run(&mut case, &single)), whole);
}

#[test]
fn nothing_of_a_refused_call_leaves() {
    let mut events = vec![start()];
    events.extend(call(0, "rm -rf /precious", 1));
    events.extend(end("tool_use"));
    let out = text(&run(&mut case(no_rm()), &[&stream(&events)]));
    assert!(!out.contains("precious") && !out.contains("partial_json") && !out.contains("tool_use"), "{out}");
    assert!(out.contains(r#""stop_reason":"end_turn""#), "{out}");
}

#[test]
fn a_call_leaves_only_when_it_is_whole() {
    let mut case = case(no_rm());
    let mut reply = ReplyStream::events();
    let mut out = Vec::new();
    let events = call(0, "ls", 2);
    reply.push(&mut case, &stream(&[start()]), &mut out);
    out.clear();
    let (last, rest) = events.split_last().unwrap();
    reply.push(&mut case, &stream(rest), &mut out);
    assert_eq!(text(&out), "");
    reply.push(&mut case, &stream(std::slice::from_ref(last)), &mut out);
    assert_eq!(text(&out), text(&stream(&events)));
}

#[test]
fn a_call_that_is_cut_off_or_unreadable_never_leaves() {
    let mut events = vec![start()];
    let mut cut = call(0, "rm -rf /", 4);
    cut.truncate(3);
    events.extend(cut);
    let out = text(&run(&mut case(json!({})), &[&stream(&events)]));
    assert!(!out.contains("partial_json"), "the stream ended in the middle: {out}");

    events.push(stop(0));
    events.extend(end("max_tokens"));
    let out = text(&run(&mut case(json!({})), &[&stream(&events)]));
    assert!(!out.contains("partial_json") && out.contains("left out") && out.contains("max_tokens"), "{out}");
}

#[test]
fn a_held_call_keeps_back_what_comes_behind_it_and_then_goes_on() {
    for (decision, left) in [(HoldDecision::Approved, true), (HoldDecision::Denied, false)] {
        let mut case = case(json!({"rules":[bash_rule("deploys","deploy","hold")]}));
        let mut reply = ReplyStream::events();
        let mut out = Vec::new();
        let mut events = vec![start()];
        events.extend(call(0, "make deploy", 5));
        events.extend(call(1, "ls", 5));
        events.extend(end("tool_use"));
        let Flow::Held(ask) = reply.push(&mut case, &stream(&events), &mut out) else { panic!("held") };
        assert_eq!(text(&out), text(&stream(&[start()])));
        assert!(matches!(reply.end(&mut case, &mut out), Flow::Open));
        case.settle(&ask, &state(decision));
        assert!(matches!(reply.resume(&mut case, &mut out), Flow::Open));
        let out = text(&out);
        assert_eq!(out == text(&stream(&events)), left, "{out}");
        assert!(out.ends_with("data: {\"type\":\"message_stop\"}\n\n"), "{out}");
    }
}

#[test]
fn a_hold_that_nobody_decides_is_refused_and_the_stream_goes_on() {
    let mut case = case(json!({"rules":[bash_rule("deploys","deploy","hold")]}));
    let mut reply = ReplyStream::events();
    let mut out = Vec::new();
    let mut events = vec![start()];
    events.extend(call(0, "make deploy", 5));
    events.extend(end("tool_use"));
    assert!(matches!(reply.push(&mut case, &stream(&events), &mut out), Flow::Held(_)));
    assert!(matches!(reply.refuse(&mut case, "[Sluice] not decided", &mut out), Flow::Open));
    let out = text(&out);
    assert!(
        out.contains("[Sluice] not decided") && out.contains("end_turn") && !out.contains("make deploy"),
        "{out}"
    );
}

#[test]
fn what_cannot_be_read_ends_the_stream_with_an_error() {
    let bad: [&[u8]; 5] = [
        b"event: x\ndata: {not json}\n\n",
        b"event: ping\ndata: {\"type\":\"message_stop\"}\n\n",
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":7,\"delta\":{}}\n\n",
        b"event: content_block_start\ndata: {\"type\":\"content_block_start\"}\n\n",
        b"event: y\ndata: {\"type\":\"y\",\"type\":\"z\"}\n\n",
    ];
    for bytes in bad {
        let mut case = case(json!({}));
        let mut reply = ReplyStream::events();
        let mut out = Vec::new();
        assert!(matches!(reply.push(&mut case, bytes, &mut out), Flow::Broken), "{}", text(bytes));
        assert!(text(&out).starts_with("event: error\ndata: {\"type\":\"error\""), "{}", text(&out));
        let before = out.len();
        reply.push(&mut case, &stream(&[start()]), &mut out);
        assert_eq!(out.len(), before, "nothing leaves afterwards");
    }
}

#[test]
fn the_record_holds_the_message_that_the_client_got() {
    let mut case = case(no_rm());
    let mut reply = ReplyStream::events();
    let mut out = Vec::new();
    reply.push(&mut case, &full(), &mut out);
    let recorded: Value = serde_json::from_str(&reply.recorded(&mut case).unwrap()).unwrap();
    assert_eq!(recorded["content"][1]["text"], "Hello é \n\"x\" world");
    assert_eq!(recorded["content"][2]["input"]["command"], "ls -l");
    assert!(recorded["content"][3]["text"].as_str().unwrap().contains("no-rm"));
    let record = case.record(crate::record::Stage::Close, 1, "n");
    assert_eq!((record.usage.unwrap().output_tokens, record.stop_reason.as_deref()), (9, Some("tool_use")));
}

#[test]
fn results_of_a_batch_are_judged_line_by_line_wherever_they_are_cut() {
    let line = |command: &str| {
        json!({"custom_id":"a","result":{"type":"succeeded","message":{"type":"message","stop_reason":"tool_use",
            "content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":command}}]}}})
    };
    let bytes = format!("{}\n{}\n", line("ls"), line("rm -rf /")).into_bytes();
    let runtime = runtime(no_rm());
    let run = |pieces: &[&[u8]]| {
        let mut case = case_on(&runtime, "GET", "/v1/messages/batches/batch_1/results");
        let mut reply = ReplyStream::lines();
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| assert!(matches!(reply.push(&mut case, piece, &mut out), Flow::Open)));
        reply.end(&mut case, &mut out);
        text(&out)
    };
    let whole = run(&[&bytes]);
    assert!(whole.starts_with(&format!("{}\n", line("ls"))) && !whole.contains("rm -rf"), "{whole}");
    for at in 0..=bytes.len() {
        let (left, right) = bytes.split_at(at);
        assert_eq!(run(&[left, right]), whole, "split at {at}");
    }
}
