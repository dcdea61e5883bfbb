//! Message batches: each is done as soon as it is made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::Asked;
use super::messages::message;
use super::{Refusal, StandIn};

/// The batches made so far: the results of each, by id.
#[derive(Debug, Default)]
pub struct Batches {
    made: Mutex<BTreeMap<String, String>>,
}

/// The results' address is absolute, on the authority that the stand-in was called by, as the API does it.
fn object(id: &str, headers: &HeaderMap, count: usize) -> Value {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("stand-in.invalid");
    json!({
        "id": id,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": { "processing": 0, "succeeded": count, "errored": 0, "canceled": 0, "expired": 0 },
        "created_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-01T00:00:01Z",
        "expires_at": "2026-01-02T00:00:00Z",
        "archived_at": null,
        "cancel_initiated_at": null,
        "results_url": format!("https://{host}/v1/messages/batches/{id}/results"),
    })
}

pub(super) async fn create(
    State(state): State<Arc<StandIn>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let value: Value =
        serde_json::from_slice(&body).map_err(|e| Refusal::invalid(format!("not valid JSON: {e}")))?;
    let requests = value.get("requests").and_then(Value::as_array);
    let requests = requests.ok_or_else(|| Refusal::invalid("requests: Field required"))?;
    let mut results = String::new();
    for request in requests {
        let id = request.get("custom_id").and_then(Value::as_str);
        let id = id.ok_or_else(|| Refusal::invalid("requests.custom_id: Field required"))?;
        let params = request.get("params").map(ToString::to_string).unwrap_or_default();
        let asked = Asked::read(params.as_bytes(), false)?;
        let answer = message(&asked, state.next());
        results.push_str(&format!(
            "{{\"custom_id\":{},\"result\":{{\"type\":\"succeeded\",\"message\":{}}}}}\n",
            Value::from(id),
            answer.0
        ));
    }
    let id = format!("msgbatch_standin_{:08}", state.next());
    let mut made = state.batches.made.lock().unwrap_or_else(PoisonError::into_inner);
    made.insert(id.clone(), results);
    Ok(Json(object(&id, &headers, requests.len())))
}

pub(super) async fn list(State(state): State<Arc<StandIn>>, headers: HeaderMap) -> Json<Value> {
    let made = state.batches.made.lock().unwrap_or_else(PoisonError::into_inner);
    let data: Vec<Value> =
        made.iter().map(|(id, results)| object(id, &headers, results.lines().count())).collect();
    Json(json!({ "data": data, "has_more": false, "first_id": null, "last_id": null }))
}

pub(super) async fn retrieve(
    State(state): State<Arc<StandIn>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let made = state.batches.made.lock().unwrap_or_else(PoisonError::into_inner);
    let results = made.get(&id).ok_or_else(|| Refusal::not_found("such batch"))?;
    Ok(Json(object(&id, &headers, results.lines().count())))
}

pub(super) async fn results(
    State(state): State<Arc<StandIn>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let made = state.batches.made.lock().unwrap_or_else(PoisonError::into_inner);
    let results = made.get(&id).cloned().ok_or_else(|| Refusal::not_found("such batch"))?;
    Ok(([(header::CONTENT_TYPE, "application/x-jsonl")], results).into_response())
}
