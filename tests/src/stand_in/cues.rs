//! Cues: lines in the last user text that say what the stand-in shall answer.
//!
//! | line | what it does |
//! |---|---|
//! | `say: TEXT` | replies with the text; several lines, several lines of one reply |
//! | `say-base64: BASE64` | the same, with text that the request does not show |
//! | `recall: customer` | tells of a made-up customer, whose particulars the request does not hold |
//! | `think: TEXT` | thinks first, with a signature |
//! | `cite: TEXT` | a sentence that cites the text |
//! | `call: TOOL {JSON}` | calls the tool with this input, as written; several lines, several calls |
//! | `call-base64: TOOL BASE64` | the same, with an input that the request does not show |
//! | `block: {JSON}` | a whole content block, as it is |
//! | `chunk: N` | so many bytes in each delta (default 12); cuts also inside escapes of tool input |
//! | `frames: N` | the stream's bytes are sent N at a time, whatever they cut |
//! | `delay: MS` | pause between events, or before a reply that is not streamed |
//! | `repeat: N` | says its text N times over |
//! | `status: N` | refuses with this status |
//! | `error: TYPE` | an error event in mid-stream |
//! | `cut: N` | the connection ends after N events |
//!
//! Without any of the speaking cues it says back the last user text. After a tool result it quotes that.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

/// What `recall: customer` tells. Every value is made up or reserved for examples: the card is a published test
/// number, the domain is RFC 2606's, the phone number is from the 555-01xx range.
pub const CUSTOMER: &str = "The customer is Jane Doe, jane.doe@example.com, phone +1 202 555 0143. \
She pays with card 4111 1111 1111 1111, her SSN is 536-22-8145.";

/// What the stand-in shall answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The blocks of the reply.
    pub blocks: Vec<Block>,
    /// Bytes in each delta.
    pub chunk: usize,
    /// Bytes in each frame of a stream; absent: one event a frame.
    pub frames: Option<usize>,
    /// Pause between events.
    pub delay: Duration,
    /// Refuse with this status.
    pub status: Option<u16>,
    /// End with an error event of this type.
    pub error: Option<String>,
    /// End the connection after so many events.
    pub cut: Option<usize>,
}

/// A block of the reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text.
    Text(String),
    /// Text with a citation.
    Cited(String),
    /// Thinking.
    Thinking(String),
    /// A tool call: name and input as raw JSON.
    Call(String, String),
    /// Anything, as it is.
    Whole(Value),
}

impl Plan {
    /// Reads the cues in `text`. `offered` names the tools of the request: a call of another is answered in words.
    pub fn read(text: &str, offered: &[&str]) -> Self {
        let mut plan = Self {
            blocks: Vec::new(),
            chunk: 12,
            frames: None,
            delay: Duration::ZERO,
            status: None,
            error: None,
            cut: None,
        };
        let mut said = String::new();
        let mut repeat = 1;
        let mut calls = Vec::new();
        for line in text.lines() {
            let Some((cue, rest)) = line.trim_start().split_once(':') else { continue };
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            match cue {
                "say" => said_line(&mut said, rest),
                "say-base64" => said_line(&mut said, &decoded(rest)),
                "recall" if rest.trim() == "customer" => said_line(&mut said, CUSTOMER),
                "think" => plan.blocks.push(Block::Thinking(rest.to_owned())),
                "cite" => plan.blocks.push(Block::Cited(rest.to_owned())),
                "call" => calls.extend(call(rest, offered, str::to_owned)),
                "call-base64" => calls.extend(call(rest, offered, decoded)),
                "block" => plan.blocks.extend(serde_json::from_str(rest).ok().map(Block::Whole)),
                "chunk" => plan.chunk = rest.trim().parse().unwrap_or(12).max(1),
                "frames" => plan.frames = rest.trim().parse().ok().filter(|n| *n > 0),
                "delay" => plan.delay = Duration::from_millis(rest.trim().parse().unwrap_or(0)),
                "repeat" => repeat = rest.trim().parse().unwrap_or(1),
                "status" => plan.status = rest.trim().parse().ok(),
                "error" => plan.error = Some(rest.trim().to_owned()),
                "cut" => plan.cut = rest.trim().parse().ok(),
                _ => {}
            }
        }
        if !said.is_empty() {
            plan.blocks.push(Block::Text(said.repeat(repeat)));
        }
        plan.blocks.extend(calls);
        plan
    }

    /// Why the reply stops: a call, or its end.
    pub fn stop_reason(&self) -> &'static str {
        if self.blocks.iter().any(|block| matches!(block, Block::Call(..))) { "tool_use" } else { "end_turn" }
    }
}

fn said_line(said: &mut String, line: &str) {
    if !said.is_empty() {
        said.push('\n');
    }
    said.push_str(line);
}

fn decoded(text: &str) -> String {
    BASE64
        .decode(text.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| "(the cue is not base64 of UTF-8)".to_owned())
}

fn call(rest: &str, offered: &[&str], read: impl Fn(&str) -> String) -> Option<Block> {
    let (tool, input) = rest.trim().split_once(' ').unwrap_or((rest.trim(), "{}"));
    if !offered.contains(&tool) {
        return Some(Block::Text(format!("The tool {tool} was not offered to me.")));
    }
    let input = read(input.trim());
    serde_json::from_str::<Value>(&input).ok().filter(Value::is_object)?;
    Some(Block::Call(tool.to_owned(), input))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_say_make_one_text() {
        let plan = Plan::read("hello\nsay: one\n  say: two\nchunk: 3", &[]);
        assert_eq!(plan.blocks, [Block::Text("one\ntwo".into())]);
        assert_eq!((plan.chunk, plan.stop_reason()), (3, "end_turn"));
    }

    #[test]
    fn a_call_keeps_its_input_as_written_and_needs_an_offered_tool() {
        let cue = r#"call: Bash {"command": "echo \u00e9"}"#;
        let plan = Plan::read(cue, &["Bash"]);
        assert_eq!(plan.blocks, [Block::Call("Bash".into(), r#"{"command": "echo \u00e9"}"#.into())]);
        assert_eq!(plan.stop_reason(), "tool_use");
        assert_eq!(Plan::read(cue, &["Read"]).stop_reason(), "end_turn");
    }

    #[test]
    fn hidden_text_is_said_in_the_open() {
        let plan = Plan::read("say-base64: NDExMSAxMTEx", &[]);
        assert_eq!(plan.blocks, [Block::Text("4111 1111".into())]);
    }
}
