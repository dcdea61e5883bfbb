//! Server-sent events that carry messages: what is changed keeps the event's other fields.
//!
//! `id` must stay, since a client asks for what follows it when a stream breaks; clients of MCP take `message` and the
//! absent name for one.

use crate::claude::sse::Event;

/// An event with other data, or (`None`) with none: then clients take its id and read no message.
pub fn rewritten(event: &Event, data: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.raw.len());
    for line in event.raw.split(|&b| b == b'\n' || b == b'\r').filter(|line| !line.is_empty()) {
        let field = line.split(|&b| b == b':').next().unwrap_or_default();
        if matches!(field, b"id" | b"retry" | b"event") {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    if let Some(data) = data {
        for line in data.split('\n') {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claude::sse::Decoder;

    fn event(raw: &[u8]) -> Event {
        let mut decoder = Decoder::default();
        decoder.push(raw).unwrap();
        decoder.next_event().unwrap()
    }

    #[test]
    fn id_retry_and_name_outlive_a_change_and_comments_do_not() {
        let event = event(b": hello\nid: 7\nevent: message\r\nretry: 5\ndata: {\"a\":\ndata: 1}\nx: y\n\n");
        let out = rewritten(&event, Some("{\n}"));
        assert_eq!(out, b"id: 7\nevent: message\nretry: 5\ndata: {\ndata: }\n\n");
        assert_eq!(rewritten(&event, None), b"id: 7\nevent: message\nretry: 5\n\n");
    }
}
