//! A whole message as the stream that the API would send, and the places at which a stream is cut.

use serde_json::{Value, json};

/// Characters of text or of a tool's input in one delta.
const DELTA: usize = 7;
/// Places at which a stream is cut in two.
const CUTS: usize = 32;
/// The longest stream that is fed byte by byte.
const BYTE_BY_BYTE: usize = 16 * 1024;

/// The events of a message; `None`: it is none.
pub fn events(message: &Value) -> Option<Vec<u8>> {
    let content = message.get("content")?.as_array()?;
    let mut start = message.as_object()?.clone();
    let stop_reason = start.insert("stop_reason".into(), Value::Null);
    start.insert("content".into(), json!([]));
    let usage = start.get("usage").cloned().unwrap_or_else(|| json!({"input_tokens": 0, "output_tokens": 0}));
    start.insert("usage".into(), usage.clone());
    let mut out = Vec::new();
    event(&json!({"type": "message_start", "message": start}), &mut out);
    for (index, block) in content.iter().enumerate() {
        write_block(index, block, &mut out);
    }
    let delta = json!({"stop_reason": stop_reason, "stop_sequence": message.get("stop_sequence")});
    event(&json!({"type": "message_delta", "delta": delta, "usage": usage}), &mut out);
    event(&json!({"type": "message_stop"}), &mut out);
    Some(out)
}

fn write_block(index: usize, block: &Value, out: &mut Vec<u8>) {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    let mut start = block.clone();
    let mut deltas = Vec::new();
    let mut in_deltas = |field: &str, text: &str, delta: &str, key: &str, first: Value| {
        if let Some(start) = start.as_object_mut() {
            start.insert(field.to_owned(), first);
        }
        deltas.extend(pieces(text).map(|piece| json!({"type": delta, key: piece})));
    };
    match (kind, block.get("text").and_then(Value::as_str), block.get("input")) {
        ("text", Some(text), _) => in_deltas("text", text, "text_delta", "text", json!("")),
        (kind, _, Some(input)) if kind.ends_with("tool_use") => {
            in_deltas("input", &input.to_string(), "input_json_delta", "partial_json", json!({}));
        }
        _ => {}
    }
    event(&json!({"type": "content_block_start", "index": index, "content_block": start}), out);
    for delta in deltas {
        event(&json!({"type": "content_block_delta", "index": index, "delta": delta}), out);
    }
    event(&json!({"type": "content_block_stop", "index": index}), out);
}

fn pieces(text: &str) -> impl Iterator<Item = String> {
    let chars: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = chars.chunks(DELTA).map(|piece| piece.iter().collect()).collect();
    pieces.into_iter()
}

fn event(data: &Value, out: &mut Vec<u8>) {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}

/// Ways to feed a stream: in one piece, in pieces of several sizes, and cut in two at places all over it.
pub fn ways(length: usize) -> Vec<Vec<usize>> {
    let mut ways = vec![Vec::new()];
    let smallest = if length <= BYTE_BY_BYTE { 1 } else { 64 };
    for size in [1, 3, 64, 1000].into_iter().filter(|size| *size >= smallest && *size < length) {
        ways.push((size..length).step_by(size).collect());
    }
    let step = (length / CUTS).max(1);
    ways.extend((1..length).step_by(step).map(|at| vec![at]));
    ways
}
