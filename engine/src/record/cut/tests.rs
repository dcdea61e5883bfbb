use std::collections::HashMap;

use super::*;
use crate::record::{AssembleError, assemble};

const LIMIT: usize = 64 << 20;

fn back(body: &Body, blocks: &[Block]) -> Result<String, AssembleError> {
    let by_digest: HashMap<&str, &Block> = blocks.iter().map(|b| (b.digest.as_str(), b)).collect();
    assemble(body, LIMIT, |digest| by_digest.get(digest).copied())
}

fn words(count: usize, seed: usize) -> String {
    (0..count).map(|n| format!("word{} ", (n * 7919 + seed * 104_729) % 100_000)).collect()
}

/// A turn as Claude Code sends it: system text, tools, the conversation, marks on the last two user messages.
fn turn(turns: usize) -> String {
    turn_with(turns, 2)
}

/// A turn whose last `marks` user messages carry a cache mark.
fn turn_with(turns: usize, marks: usize) -> String {
    let mut messages = Vec::new();
    for n in 0..turns {
        let mark = if n + marks >= turns { r#","cache_control":{"type":"ephemeral"}"# } else { "" };
        if n == 0 {
            let text = words(60, 0);
            messages
                .push(format!(r#"{{"role":"user","content":[{{"type":"text","text":"{text}"{mark}}}]}}"#));
        } else {
            let (say, call, result) = (words(12, n), words(25, n + 500), words(220, n + 1000));
            messages.push(format!(
                r#"{{"role":"assistant","content":[{{"type":"text","text":"{say}"}},{{"type":"tool_use","id":"toolu_{n:024}","name":"Bash","input":{{"command":"{call}"}}}}]}}"#
            ));
            messages.push(format!(
                r#"{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_{n:024}","content":"{result}"{mark}}}]}}"#
            ));
        }
    }
    // Claude Code opens with 49 kB, nearly all of it system text and tools.
    let (system, tools) = (words(1500, 9), words(3000, 11));
    format!(
        r#"{{"model":"claude-opus","max_tokens":32000,"stream":true,"system":[{{"type":"text","text":"x-billing: cc"}},{{"type":"text","text":"{system}"}}],"tools":[{{"name":"Bash","description":"{tools}","input_schema":{{"type":"object"}}}}],"messages":[{}],"metadata":{{"user_id":"u"}}}}"#,
        messages.join(",")
    )
}

#[test]
fn a_body_comes_back_byte_for_byte() {
    let long = "x".repeat(300);
    let bodies = [
        String::new(),
        "plain".into(),
        long.clone(),
        format!("[\"{long}\"]"),
        "{}".into(),
        turn(1),
        turn(5),
        format!(
            r#" {{ "messages" : [ {{"content":"{long}\" \\ {long}"}} , {{"a":[[{{}}]]}} ] , "system":"{long}" }} "#
        ),
        format!(r#"{{"messages":[{{"content":"{long}"}}],"messages":[{{"content":"é{long}é"}}]}}"#),
        format!(r#"{{"messages":[{{"content":"{long}"#),
        format!(r#"{{"messages":{{"content":"{long}"}},"tools":["{long}",]]]}}}}"#),
        format!(r#"{{"system":7,"x":["{long}"],"messages":["{long}","{long}"]}}"#),
        "{\"messages\":[\"\\".into(),
    ];
    for body in bodies {
        let (cut_body, blocks) = cut(&body);
        assert_eq!(back(&cut_body, &blocks), Ok(body));
        assert!(blocks.iter().all(Block::is_sound));
    }
}

#[test]
fn any_damage_to_a_body_still_comes_back_byte_for_byte() {
    let body = turn(3);
    let mut state = 88_172_645_463_325_252_u64;
    for _ in 0..2000 {
        let mut chars: Vec<char> = body.chars().collect();
        for _ in 0..4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = usize::try_from(state % chars.len() as u64).unwrap();
            chars[at] =
                ['"', '\\', '{', '}', '[', ']', ',', ':', 'é'][usize::try_from(state >> 40).unwrap() % 9];
        }
        let damaged: String = chars.into_iter().collect();
        let (cut_body, blocks) = cut(&damaged);
        assert_eq!(back(&cut_body, &blocks), Ok(damaged));
    }
}

#[test]
fn a_fifty_turn_conversation_costs_its_growth() {
    // Of the four marks that a request may carry, system text and tools take two.
    for marks in 0..=2 {
        let mut stored: HashMap<String, usize> = HashMap::new();
        let mut bodies = 0;
        for n in 1..=50 {
            let (body, blocks) = cut_unless(&turn_with(n, marks), |digest| stored.contains_key(digest));
            bodies += serde_json::to_string(&body).unwrap().len();
            for block in blocks {
                let bytes = block.text.len() + 32;
                assert!(stored.insert(block.digest, bytes).is_none(), "a known block came again");
            }
        }
        let total = bodies + stored.values().sum::<usize>();
        let last = turn_with(50, marks).len();
        let ratio = total as f64 / last as f64;
        println!("{marks} marks: {total} bytes for {last} bytes of text, {ratio:.3}");
        assert!(ratio < 1.3, "{total} bytes for {last} bytes of text with {marks} marks: {ratio:.3}");
    }
}

#[test]
fn a_cache_mark_that_moves_on_leaves_the_chain_whole() {
    let (_, before) = cut(&turn(20));
    let known: HashSet<String> = before.into_iter().map(|b| b.digest).collect();
    let (_, after) = cut_unless(&turn(21), |digest| known.contains(digest));
    let new: usize = after.iter().map(|b| b.text.len()).sum();
    let growth = turn(21).len() - turn(20).len();
    assert!(new < growth * 5 / 4, "{new} new bytes for {growth} bytes of growth");
}

#[test]
fn a_repeated_text_is_one_block() {
    let long = "y".repeat(400);
    let (body, blocks) = cut(&format!(r#"{{"a":"{long}","b":"{long}"}}"#));
    assert_eq!(blocks.len(), 1);
    assert_eq!(body.pieces.len(), 5);
}

#[test]
fn a_long_conversation_needs_no_deep_stack() {
    let body = turn(3000);
    let (cut_body, blocks) = cut(&body);
    assert_eq!(back(&cut_body, &blocks), Ok(body));
}

#[test]
fn a_missing_block_is_named() {
    let (body, mut blocks) = cut(&turn(2));
    let gone = blocks.remove(0).digest;
    assert_eq!(back(&body, &blocks), Err(AssembleError::Missing(gone)));
}

#[test]
fn lists_that_multiply_are_stopped() {
    let mut blocks = vec![Block::new("z".repeat(1000), false)];
    for _ in 0..40 {
        let last = Piece::Block(blocks.last().unwrap().digest.clone());
        let list = serde_json::to_string(&[last.clone(), last]).unwrap();
        blocks.push(Block::new(list, true));
    }
    let body = Body { pieces: vec![Piece::Block(blocks.last().unwrap().digest.clone())] };
    assert_eq!(back(&body, &blocks), Err(AssembleError::TooLarge(LIMIT)));
    blocks[0] = Block::new(String::new(), false);
    let mut empty = vec![Block::new("[]".into(), true)];
    for _ in 0..40 {
        let last = Piece::Block(empty.last().unwrap().digest.clone());
        empty.push(Block::new(serde_json::to_string(&[last.clone(), last]).unwrap(), true));
    }
    let body = Body { pieces: vec![Piece::Block(empty.last().unwrap().digest.clone())] };
    assert_eq!(back(&body, &empty), Err(AssembleError::TooLarge(LIMIT)));
}

#[test]
#[ignore = "a measurement: cargo test --release -p sluice-engine -- --ignored --nocapture cut_speed"]
fn cut_speed() {
    let body = turn(400);
    let start = std::time::Instant::now();
    for _ in 0..50 {
        std::hint::black_box(cut(&body));
    }
    let mb = body.len() as f64 * 50.0 / 1e6;
    println!("{:.0} MB/s over {} bytes", mb / start.elapsed().as_secs_f64(), body.len());
}
