//! What is looked up when Prometheus asks, and the listener that it asks at.

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::{Issuer, MEDIA_TYPE, Metrics};
use crate::http::{Control, Problem};

/// What the store says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Holds that wait.
    pub holds_waiting: u64,
    /// When the oldest of them was opened, in Unix milliseconds.
    pub oldest_hold_ms: Option<u64>,
    /// Grants that are live.
    pub grants_live: u64,
}

impl Metrics {
    fn see(&self, control: &Control, seen: Option<Seen>) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if let Some(seen) = seen {
            let age = seen.oldest_hold_ms.map_or(0, |at| (control.clock)().saturating_sub(at) / 1000);
            self.holds_waiting.set(number(seen.holds_waiting));
            self.oldest_hold.set(number(age));
            self.grants_live.set(number(seen.grants_live));
        }
        {
            let bundle = control.bundle.borrow();
            let digits = bundle.version.get(..12).unwrap_or_default();
            self.bundle_issued.set(number(bundle.issued_at_ms / 1000));
            self.bundle_fingerprint.set(i64::from_str_radix(digits, 16).unwrap_or_default());
        }
        let policy = control.policy.lock().unwrap_or_else(PoisonError::into_inner);
        self.policy_faults.set(number(policy.faults.len() as u64));
        drop(policy);
        self.issuer_keys.clear();
        self.issuer_faulty.clear();
        for (name, status) in &*control.issuers.lock().unwrap_or_else(PoisonError::into_inner) {
            let issuer = Issuer { issuer: name.clone() };
            self.issuer_keys.get_or_create(&issuer).set(number(status.keys as u64));
            self.issuer_faulty.get_or_create(&issuer).set(i64::from(status.error.is_some()));
        }
        self.store_trouble.set(i64::from(control.store.trouble().is_some()));
    }
}

/// `GET /metrics`. A store that cannot be read is told by `sluice_store_trouble`, and the rest is told all the same.
async fn metrics(State(control): State<Arc<Control>>) -> Result<Response, Problem> {
    let seen = control.store.seen((control.clock)()).await;
    if let Err(error) = &seen {
        tracing::error!(%error, "metrics: the store cannot be read");
    }
    control.metrics.see(&control, seen.ok());
    let text = control.metrics.text().map_err(|_| {
        Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written")
    })?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response())
}

/// Answers Prometheus until the service ends. Nothing else is at this address, and nobody has to sign in.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, control: Arc<Control>) -> std::io::Result<()> {
    axum::serve(listener, Router::new().route("/metrics", get(metrics)).with_state(control)).await
}
