//! A reply as a stream of server-sent events, in the shapes of the API.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Asked, CITING, SIGNATURE, call_id, citation};
use super::cues::Block;

/// An event, as it goes on the wire.
fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// The events of the whole reply, in order.
pub fn events(asked: &Asked, number: u64) -> Vec<Bytes> {
    let mut out =
        vec![event("message_start", &message_start(asked, number)), event("ping", &json!({"type": "ping"}))];
    for (index, block) in asked.plan.blocks.iter().enumerate() {
        let mut push = |name: &str, field: &str, value: Value| {
            let mut data = json!({ "type": name, "index": index });
            if let Some(object) = data.as_object_mut().filter(|_| !field.is_empty()) {
                object.insert(field.to_owned(), value);
            }
            out.push(event(name, &data));
        };
        push("content_block_start", "content_block", opening(block, number, index));
        for delta in deltas(block, asked.plan.chunk) {
            push("content_block_delta", "delta", delta);
        }
        push("content_block_stop", "", Value::Null);
    }
    if let Some(kind) = &asked.plan.error {
        let error = json!({ "type": kind, "message": "the stand-in was asked to fail" });
        out.push(event("error", &json!({ "type": "error", "error": error })));
        return out;
    }
    let delta = json!({ "stop_reason": asked.plan.stop_reason(), "stop_sequence": null });
    let usage = json!({ "output_tokens": asked.output_tokens() });
    out.push(event("message_delta", &json!({ "type": "message_delta", "delta": delta, "usage": usage })));
    out.push(event("message_stop", &json!({ "type": "message_stop" })));
    out
}

fn message_start(asked: &Asked, number: u64) -> Value {
    json!({
        "type": "message_start",
        "message": {
            "id": format!("msg_standin_{number:08}"),
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": {
                "input_tokens": asked.input_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 1,
            },
        },
    })
}

fn opening(block: &Block, number: u64, index: usize) -> Value {
    match block {
        Block::Text(_) => json!({ "type": "text", "text": "" }),
        Block::Cited(_) => json!({ "type": "text", "text": "", "citations": [] }),
        Block::Thinking(_) => json!({ "type": "thinking", "thinking": "", "signature": "" }),
        Block::Call(tool, _) => {
            json!({ "type": "tool_use", "id": call_id(number, index), "name": tool, "input": {} })
        }
        Block::Whole(value) => value.clone(),
    }
}

fn deltas(block: &Block, chunk: usize) -> Vec<Value> {
    match block {
        Block::Text(text) => {
            pieces(text, chunk).map(|t| json!({ "type": "text_delta", "text": t })).collect()
        }
        Block::Cited(text) => vec![
            json!({ "type": "citations_delta", "citation": citation(text) }),
            json!({ "type": "text_delta", "text": CITING }),
        ],
        Block::Thinking(text) => pieces(text, chunk)
            .map(|t| json!({ "type": "thinking_delta", "thinking": t }))
            .chain([json!({ "type": "signature_delta", "signature": SIGNATURE })])
            .collect(),
        Block::Call(_, input) => [""]
            .into_iter()
            .chain(pieces(input, chunk))
            .map(|t| json!({ "type": "input_json_delta", "partial_json": t }))
            .collect(),
        Block::Whole(_) => Vec::new(),
    }
}

/// Cuts `text` into pieces of `size` bytes; a piece that would end inside a character runs to its end.
fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let cut = (size.min(rest.len())..=rest.len()).find(|at| rest.is_char_boundary(*at))?;
        let (piece, tail) = rest.split_at_checked(cut)?;
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text_and_cut_inside_escapes_but_not_inside_characters() {
        let text = r#"{"a":"\u00e9\n","b":"é漢"}"#;
        for size in 1..=text.len() {
            assert_eq!(pieces(text, size).collect::<String>(), text);
        }
        assert!(pieces(text, 1).any(|piece| piece == "\\"));
        assert!(pieces(text, 1).any(|piece| piece == "漢"));
    }

    #[test]
    fn a_stream_has_the_events_of_the_api_in_order() {
        let body =
            br#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"say: hi"}]}"#;
        let asked = Asked::read(body, false).map_err(|r| r.message).unwrap();
        let names: Vec<String> = events(&asked, 1)
            .iter()
            .map(|e| String::from_utf8_lossy(e).lines().next().unwrap_or_default().replace("event: ", ""))
            .collect();
        let expected = [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(names, expected);
    }
}
