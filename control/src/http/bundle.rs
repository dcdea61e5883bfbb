//! The bundle, and the wish for fresh keys.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sluice_engine::wire::{self, Refresh};

use super::sidecars::DataPlane;
use super::{Control, LONGEST_WAIT, Problem, Query, area, number};
use crate::store::Sidecar;

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let filters = Router::new().route(wire::BUNDLE, get(bundle)).route(wire::REFRESH, post(refresh));
    area(filters, Router::new())
}

/// `GET /v1/bundle?after=VERSION&issued=MS&wait=SECONDS&node=ID&filter=VERSION&trouble=TEXT&troubled=MS&queued=N`.
pub async fn bundle(
    _: DataPlane,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Response, Problem> {
    let issued = number(&query, "issued")?;
    let wait = Duration::from_secs(number(&query, "wait")?.unwrap_or(0).min(LONGEST_WAIT));
    let (troubled, queued) = (number(&query, "troubled")?, number(&query, "queued")?);
    let deadline = tokio::time::Instant::now() + wait;
    if let Some(node) = query.get("node").filter(|node| !node.is_empty()) {
        let now = (control.clock)();
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        let (filter, own) = (text("filter"), text("after"));
        let issued_ms = issued.unwrap_or_default();
        control.fleet.see(Sidecar {
            node: node.clone(),
            filter,
            bundle: own,
            issued_ms,
            first_ms: now,
            seen_ms: now,
            trouble: text("trouble"),
            trouble_ms: troubled.unwrap_or_default(),
            queued: queued.unwrap_or_default(),
        });
    }
    let mut bundle = control.bundle.clone();
    let mut closing = control.closing.clone();
    let mut renewed = false;
    loop {
        let now = Arc::clone(&bundle.borrow_and_update());
        // A filter that does not say how old its bundle is gets the renewed one when it was waiting for it.
        let newer = issued.map_or(renewed, |issued| now.issued_at_ms > issued);
        if newer || query.get("after") != Some(&now.version) {
            return Ok(([(header::CONTENT_TYPE, "application/json")], now.json.clone()).into_response());
        }
        tokio::select! {
            changed = bundle.changed() => match changed {
                Ok(()) => renewed = true,
                Err(_) => return Ok(StatusCode::NOT_MODIFIED.into_response()),
            },
            () = tokio::time::sleep_until(deadline) => return Ok(StatusCode::NOT_MODIFIED.into_response()),
            _ = closing.wait_for(|closing| *closing) => return Ok(StatusCode::NOT_MODIFIED.into_response()),
        }
    }
}

/// `POST /v1/issuers/refresh`.
pub async fn refresh(
    _: DataPlane,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let refresh: Refresh =
        serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a wish for fresh keys", &e))?;
    // A full queue has wishes enough.
    let _full = control.refresh.try_send(refresh);
    Ok(StatusCode::ACCEPTED)
}
