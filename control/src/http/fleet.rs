//! The sidecars that are seen.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::auth::Person;
use super::{Control, Problem};
use crate::store;

/// Sidecars that were not seen for this long are not listed: a week, in milliseconds.
const LISTED_MS: u64 = 7 * 86_400_000;

/// A sidecar asks at the latest every minute; one that has not for this long is away, in milliseconds.
const AWAY_MS: u64 = 180_000;

/// A new bundle reaches a sidecar in less; one that is older than the newest by this is behind, in milliseconds.
const BEHIND_MS: u64 = 30_000;

pub fn routes() -> Router<Arc<Control>> {
    super::area(Router::new(), Router::new().route("/v1/sidecars", get(sidecars)))
}

/// How a sidecar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It has the bundle that is out, or asked for it just now.
    Current,
    /// It asks, and has another bundle: it could not use the one that is out, or cannot be reached by it.
    Behind,
    /// It asks and has none.
    Without,
    /// It has not asked for three minutes.
    Away,
}

/// A sidecar, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sidecar {
    /// How it stands.
    pub standing: Standing,
    /// What was seen of it.
    #[serde(flatten)]
    pub seen: store::Sidecar,
}

/// The fleet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sidecars {
    /// The version of the bundle that is out.
    pub bundle: String,
    /// When it was made, in Unix milliseconds.
    pub issued_ms: u64,
    /// Every sidecar that asked within a week, by node.
    pub sidecars: Vec<Sidecar>,
}

/// `GET /v1/sidecars`.
pub async fn sidecars(
    person: Person,
    State(control): State<Arc<Control>>,
) -> Result<Json<Sidecars>, Problem> {
    person.needs("sidecars.read")?;
    person.needs_auditor_or_operator(&control)?;
    let now = (control.clock)();
    let seen = control.store.sidecars(now.saturating_sub(LISTED_MS)).await?;
    let (bundle, issued_ms) = {
        let out = control.bundle.borrow();
        (out.version.clone(), out.issued_at_ms)
    };
    let standing = |one: &store::Sidecar| match one.bundle.as_str() {
        _ if now.saturating_sub(one.seen_ms) > AWAY_MS => Standing::Away,
        "" => Standing::Without,
        own if own == bundle || now.saturating_sub(issued_ms) < BEHIND_MS => Standing::Current,
        _ => Standing::Behind,
    };
    let sidecars = seen.into_iter().map(|seen| Sidecar { standing: standing(&seen), seen }).collect();
    Ok(Json(Sidecars { bundle, issued_ms, sidecars }))
}
