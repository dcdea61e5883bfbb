//! Files, as little as a client needs to see them come and go: what was uploaded is kept as the body that it came in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Refusal, StandIn};

/// The files, by id.
#[derive(Debug, Default)]
pub struct Files {
    kept: Mutex<BTreeMap<String, Bytes>>,
}

fn object(id: &str, length: usize) -> Value {
    json!({
        "id": id,
        "type": "file",
        "filename": "upload",
        "mime_type": "application/octet-stream",
        "size_bytes": length,
        "created_at": "2026-01-01T00:00:00Z",
        "downloadable": true,
    })
}

pub(super) async fn upload(State(state): State<Arc<StandIn>>, body: Bytes) -> Json<Value> {
    let id = format!("file_standin_{:08}", state.next());
    let answer = object(&id, body.len());
    state.files.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(id, body);
    Json(answer)
}

pub(super) async fn list(State(state): State<Arc<StandIn>>) -> Json<Value> {
    let kept = state.files.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let data: Vec<Value> = kept.iter().map(|(id, body)| object(id, body.len())).collect();
    Json(json!({ "data": data, "has_more": false, "first_id": null, "last_id": null }))
}

pub(super) async fn metadata(
    State(state): State<Arc<StandIn>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let kept = state.files.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let body = kept.get(&id).ok_or_else(|| Refusal::not_found("such file"))?;
    Ok(Json(object(&id, body.len())))
}

pub(super) async fn content(
    State(state): State<Arc<StandIn>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let kept = state.files.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let body = kept.get(&id).cloned().ok_or_else(|| Refusal::not_found("such file"))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

pub(super) async fn delete(
    State(state): State<Arc<StandIn>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let mut kept = state.files.kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.remove(&id).ok_or_else(|| Refusal::not_found("such file"))?;
    Ok(Json(json!({ "id": id, "type": "file_deleted" })))
}
