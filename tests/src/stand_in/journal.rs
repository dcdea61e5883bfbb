//! What the stand-in was sent: the last requests, as they arrived.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::StandIn;

/// So many requests are kept.
const KEPT: usize = 512;
/// So much of each body is kept; its length and digest are of the whole.
const BODY_KEPT: usize = 2 * 1024 * 1024;

/// One request, as it arrived.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Arrived {
    /// `POST`, `GET`, ...
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Length of the body in bytes.
    pub length: usize,
    /// Hexadecimal SHA-256 of the body.
    pub sha256: String,
    /// The first two megabytes of the body as text; bytes that are not UTF-8 show as U+FFFD.
    pub body: String,
    /// Whether the body arrived to its end.
    pub complete: bool,
}

impl Arrived {
    /// The value of the first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The last requests.
#[derive(Debug, Default)]
pub struct Journal {
    kept: Mutex<VecDeque<Arrived>>,
}

impl Journal {
    /// Writes a request down; the oldest makes room.
    pub fn note(&self, parts: &Parts, body: &[u8], complete: bool) {
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let arrived = Arrived {
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            headers,
            length: body.len(),
            sha256: hex(&Sha256::digest(body)),
            body: String::from_utf8_lossy(body.get(..BODY_KEPT).unwrap_or(body)).into_owned(),
            complete,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(arrived);
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `GET /_stand_in/requests`: the requests, oldest first.
pub(super) async fn list(State(state): State<Arc<StandIn>>) -> Json<Vec<Arrived>> {
    let kept = state.journal.kept.lock().unwrap_or_else(PoisonError::into_inner);
    Json(kept.iter().cloned().collect())
}

/// `DELETE /_stand_in/requests`: forgets them.
pub(super) async fn clear(State(state): State<Arc<StandIn>>) {
    state.journal.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
