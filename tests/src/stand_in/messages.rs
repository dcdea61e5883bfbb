//! `POST /v1/messages`, its token count, and models by name.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::Channel;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::{Asked, content};
use super::{Refusal, StandIn, model_object, sse};

/// A frame boundary that the client must be able to see needs a moment between two writes.
const BETWEEN_FRAMES: Duration = Duration::from_millis(1);

pub(super) async fn create(State(state): State<Arc<StandIn>>, body: Bytes) -> Result<Response, Refusal> {
    let asked = Asked::read(&body, false)?;
    if let Some(status) = asked.plan.status {
        return Err(refusal(status));
    }
    let number = state.next();
    if asked.stream {
        return Ok(stream(&asked, number));
    }
    // Even a sleep of nothing takes a millisecond.
    if !asked.plan.delay.is_zero() {
        tokio::time::sleep(asked.plan.delay).await;
    }
    Ok((message(&asked, number)).into_response())
}

/// A whole message. The answer to `cut:` and `error:` is that of a stream only.
pub(super) fn message(asked: &Asked, number: u64) -> Json<Box<RawValue>> {
    let blocks: Vec<String> = content(&asked.plan, number).iter().map(ToString::to_string).collect();
    let text = format!(
        r#"{{"id":"msg_standin_{number:08}","type":"message","role":"assistant","model":{},"content":[{}],"stop_reason":"{}","stop_sequence":null,"usage":{}}}"#,
        Value::from(asked.model.as_str()),
        blocks.join(","),
        asked.plan.stop_reason(),
        json!({
            "input_tokens": asked.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": asked.output_tokens(),
        }),
    );
    Json(RawValue::from_string(text).unwrap_or_default())
}

fn stream(asked: &Asked, number: u64) -> Response {
    let mut events = sse::events(asked, number);
    let cut = asked.plan.cut.is_some();
    events.truncate(asked.plan.cut.unwrap_or(usize::MAX));
    let delay = asked.plan.delay;
    let frames = match asked.plan.frames {
        Some(size) => {
            let whole = Bytes::from(events.concat());
            (0..whole.len()).step_by(size).map(|at| whole.slice(at..whole.len().min(at + size))).collect()
        }
        None => events,
    };
    let pause = if asked.plan.frames.is_some() { delay.max(BETWEEN_FRAMES) } else { delay };
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(16);
    tokio::spawn(async move {
        for frame in frames {
            if sender.send_data(frame).await.is_err() {
                return;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        if cut {
            // Let what was sent leave first: an abort overtakes it.
            tokio::time::sleep(Duration::from_millis(50)).await;
            sender.abort(std::io::Error::other("the stand-in was asked to cut the stream"));
        }
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::new(body)).into_response()
}

fn refusal(status: u16) -> Refusal {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Refusal::new(status, kind, "the stand-in was asked to refuse")
}

pub(super) async fn count_tokens(body: Bytes) -> Result<Json<Value>, Refusal> {
    let asked = Asked::read(&body, true)?;
    Ok(Json(json!({ "input_tokens": asked.input_tokens })))
}

pub(super) async fn model(Path(id): Path<String>) -> Json<Value> {
    Json(model_object(&id))
}
