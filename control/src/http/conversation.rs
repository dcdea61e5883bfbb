//! The conversation around a hold: what its decision is about.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::auth::Person;
use super::{Control, Problem, holds};
use crate::records::session::{Exchange, read};
use crate::store::Which;

/// Entries of one exchange that are read: its two records, and what happened to its holds.
const ENTRIES: u32 = 200;

/// Bytes of blocks that are read.
const BYTES: usize = 8 << 20;

pub fn routes() -> Router<Arc<Control>> {
    super::area(Router::new(), Router::new().route("/v1/holds/{id}/conversation", get(conversation)))
}

/// The exchange that asked first, as it was recorded: masked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Conversation {
    /// Empty where nothing of it was recorded yet.
    pub exchanges: Vec<Exchange>,
}

/// `GET /v1/holds/{id}/conversation`.
pub async fn conversation(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Conversation>, Problem> {
    let Json(hold) = holds::show(person, State(Arc::clone(&control)), Path(id)).await?;
    let which = Which { exchange: Some(hold.ask.exchange), ..Which::default() };
    let (exchanges, _) = read(&*control.store, which, ENTRIES, BYTES).await?;
    Ok(Json(Conversation { exchanges }))
}
