//! One message to a receiver, and what it answers (OTLP/HTTP, <https://opentelemetry.io/docs/specs/otlp/>).

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Request, StatusCode, header};
use serde_json::Value;

use super::Target;
use crate::client::Client;

/// How long a receiver may take: what OpenTelemetry's own exporters give it.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How much it may answer.
const LIMIT: usize = 1 << 20;

/// Characters of what a receiver says that are passed on to the log.
const SAID: usize = 300;

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken, but for so many spans or log records; with what the receiver says of that.
    Taken(u64, Option<String>),
    /// Not now: the same message may be taken later, at the earliest after so many milliseconds.
    Later(String, Option<u64>),
    /// Not this message, whenever it comes.
    Refused(String),
}

/// Sends a message.
pub async fn send(client: &Client, target: &Target, body: Vec<u8>, now_ms: u64) -> Outcome {
    let headers = match target.headers.now().await {
        Ok(headers) => headers,
        Err(why) => return Outcome::Later(why, None),
    };
    let Ok(mut request) = Request::post(target.url.clone()).body(body) else {
        return Outcome::Later("its URL cannot be called".into(), None);
    };
    request.headers_mut().extend(headers);
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match client.send(request, TIMEOUT, LIMIT).await {
        Ok(answer) if answer.status.is_success() => taken(&answer.body),
        Ok(answer) => {
            let why = format!("the receiver answered {}{}", answer.status, said(&answer.body));
            match answer.status {
                // Bad data, and too much of it. Anything else says something of the receiver, or of how it is called.
                StatusCode::BAD_REQUEST
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNPROCESSABLE_ENTITY => Outcome::Refused(why),
                _ => Outcome::Later(why, answer.retry_after(now_ms)),
            }
        }
        // Without the URL, which may carry a key.
        Err(error) => Outcome::Later(error.without_url(), None),
    }
}

/// `partialSuccess`, where there is one. What is not JSON is taken for a full success, as the status says.
fn taken(body: &Bytes) -> Outcome {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = answer.get("partialSuccess").cloned().unwrap_or_default();
    let rejected = ["rejectedSpans", "rejectedLogRecords"].into_iter().find_map(|name| partial.get(name));
    let rejected = rejected.and_then(|number| match number {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    });
    let message = partial.get("errorMessage").and_then(Value::as_str).filter(|message| !message.is_empty());
    Outcome::Taken(rejected.unwrap_or_default(), message.map(cut))
}

/// What a receiver says of a failure (`google.rpc.Status`).
fn said(body: &Bytes) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = answer.get("message").and_then(Value::as_str).filter(|message| !message.is_empty());
    message.map(|message| format!(": {}", cut(message))).unwrap_or_default()
}

fn cut(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_is_read_and_anything_else_is_a_full_one() {
        for (body, outcome) in [
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#, (3, Some("too old"))),
            (r#"{"partialSuccess":{"rejectedLogRecords":2}}"#, (2, None)),
            (r#"{"partialSuccess":{"errorMessage":"use another path"}}"#, (0, Some("use another path"))),
            (r#"{"partialSuccess":{}}"#, (0, None)),
            ("{}", (0, None)),
            ("", (0, None)),
            ("OK", (0, None)),
        ] {
            let said = outcome.1.map(str::to_owned);
            assert_eq!(taken(&Bytes::from(body)), Outcome::Taken(outcome.0, said), "{body}");
        }
    }

    #[test]
    fn of_what_a_receiver_says_a_line_is_passed_on() {
        let long = serde_json::json!({"message": format!("bad\n{}", "x".repeat(5000))}).to_string();
        let said = said(&Bytes::from(long));
        assert!(said.starts_with(": badx") && said.len() == SAID + 2, "{said}");
    }
}
