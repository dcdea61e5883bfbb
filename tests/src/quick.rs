//! A quick upstream for the bench: it reads the request, looks at nothing, and gives the same reply every time.
//!
//! The stand-in parses and keeps what it gets, which would count as Envoy's time and flatter every ratio.

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use tokio::net::TcpListener;

/// The request header that asks for a stream.
pub const STREAM: &str = "x-bench-stream";

const MESSAGE: &str = r#"{"id":"msg_bench","type":"message","role":"assistant","model":"claude-stand-in","content":[{"type":"text","text":"All is well, nothing to report."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":9}}"#;

const EVENTS: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant","model":"claude-stand-in","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"All is well, "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"nothing to report."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

"#;

/// Serves on a free port of 127.0.0.1 until the runtime ends; the port.
///
/// # Errors
/// When there is no port.
pub async fn start() -> std::io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let listener = listener.tap_io(|stream| {
        // Without it replies are only slower.
        let _ = stream.set_nodelay(true);
    });
    let app = Router::new().fallback(reply);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(port)
}

async fn reply(headers: HeaderMap, body: axum::body::Body) -> Response {
    // The body is read to its end, so that the connection can be used again.
    let read = axum::body::to_bytes(body, usize::MAX).await;
    if read.is_err() {
        return axum::http::StatusCode::BAD_REQUEST.into_response();
    }
    let (kind, reply) = if headers.contains_key(STREAM) {
        ("text/event-stream; charset=utf-8", EVENTS)
    } else {
        ("application/json", MESSAGE)
    };
    ([(header::CONTENT_TYPE, kind)], Bytes::from_static(reply.as_bytes())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Said;

    #[test]
    fn both_replies_say_the_same_to_a_client() {
        let said = Said::from_stream(EVENTS.as_bytes()).unwrap();
        let message: serde_json::Value = serde_json::from_str(MESSAGE).unwrap();
        assert_eq!(message["content"][0]["text"], said.text());
    }
}
