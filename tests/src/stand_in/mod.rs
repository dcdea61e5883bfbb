//! A local stand-in for the model: the Messages API by rote, for tests, benches and a first look without a key.
//!
//! It understands nothing. It says back what it was told, or does what a *cue* in the last user text asks for
//! ([`cues`]), so that an unchanged SDK can steer it. It never hides what it is: each answer carries the header
//! `x-sluice-stand-in`, and its model names and message ids say so too.
//!
//! What it was sent stands in its [`journal`], read with `GET /_stand_in/requests`: a test sees the exact bytes that
//! went upstream, and the key that Envoy put on.

mod answer;
mod batches;
pub mod cues;
mod files;
pub mod journal;
mod messages;
mod sse;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::journal::Journal;

/// The header that tells an answer of the stand-in from one of a model.
pub const MARK: HeaderName = HeaderName::from_static("x-sluice-stand-in");

/// The API takes 32 MB; twice that, so that what reached the stand-in can be told from what it refused.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// What the stand-in keeps while it runs.
#[derive(Debug, Default)]
struct StandIn {
    journal: Journal,
    batches: batches::Batches,
    files: files::Files,
    count: AtomicU64,
    /// When set, a request without this `x-api-key` is refused, as the API would.
    key: Option<String>,
}

impl StandIn {
    /// The next number, for ids.
    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A refusal in the API's error envelope.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found_error", format!("the stand-in has no {what}"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "error",
            "error": { "type": self.kind, "message": self.message },
            "request_id": "req_standin_refused",
        });
        (self.status, Json(body)).into_response()
    }
}

/// Serves the stand-in on `listener` until the task is dropped. With `key`, requests must carry it as `x-api-key`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, key: Option<String>) -> std::io::Result<()> {
    let state = Arc::new(StandIn { key, ..StandIn::default() });
    let api = Router::new()
        .route("/v1/messages", post(messages::create))
        .route("/v1/messages/count_tokens", post(messages::count_tokens))
        .route("/v1/messages/batches", post(batches::create).get(batches::list))
        .route("/v1/messages/batches/{id}", get(batches::retrieve))
        .route("/v1/messages/batches/{id}/results", get(batches::results))
        .route("/v1/models", get(models))
        .route("/v1/models/{id}", get(messages::model))
        .route("/v1/files", post(files::upload).get(files::list))
        .route("/v1/files/{id}", get(files::metadata).delete(files::delete))
        .route("/v1/files/{id}/content", get(files::content))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), admit));
    let app = api
        .route("/_stand_in/requests", get(journal::list).delete(journal::clear))
        .fallback(|| async { Refusal::not_found("such path") })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::map_response(mark))
        .with_state(state);
    // An event must leave when it is written, not when the one before is acknowledged.
    let listener = listener.tap_io(|stream| {
        // Without it the stream is only slower.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await
}

/// Writes the request into the journal, then checks the key.
async fn admit(State(state): State<Arc<StandIn>>, request: Request, next: Next) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, BODY_LIMIT).await {
        Ok(body) => body,
        Err(error) => {
            state.journal.note(&parts, &[], false);
            return Err(Refusal::invalid(format!("the body did not arrive whole: {error}")));
        }
    };
    state.journal.note(&parts, &body, true);
    if let Some(key) = &state.key
        && parts.headers.get("x-api-key").map(HeaderValue::as_bytes) != Some(key.as_bytes())
    {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "authentication_error", "invalid x-api-key"));
    }
    let mut response = next.run(Request::from_parts(parts, body.into())).await;
    if let Ok(id) = HeaderValue::from_str(&format!("req_standin_{:08}", state.next())) {
        response.headers_mut().insert("request-id", id);
    }
    Ok(response)
}

async fn mark(mut response: Response) -> Response {
    response.headers_mut().insert(MARK, HeaderValue::from_static("this is no model"));
    response
}

/// The models that the stand-in lists; it answers for any name.
const MODELS: [&str; 3] = ["claude-stand-in-large", "claude-stand-in", "claude-stand-in-small"];

fn model_object(id: &str) -> Value {
    json!({
        "type": "model",
        "id": id,
        "display_name": format!("Stand-in for {id}"),
        "created_at": "2026-01-01T00:00:00Z",
    })
}

async fn models() -> Json<Value> {
    let data: Vec<Value> = MODELS.iter().map(|id| model_object(id)).collect();
    Json(json!({ "data": data, "has_more": false, "first_id": MODELS.first(), "last_id": MODELS.last() }))
}
