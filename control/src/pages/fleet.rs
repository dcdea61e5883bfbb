//! Sidecars: which are seen, and what they run on.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::failure::Failure;
use super::number::many;
use super::page;
use super::shell::{Shell, Visitor};
use super::when::{When, span};
use crate::http::fleet::Standing;
use crate::http::{self, Control};
use crate::records::text::{clean_line, short};
use crate::store::Sidecar;

/// An hour, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

#[derive(Template)]
#[template(path = "fleet.html")]
struct Page {
    shell: Shell,
    bundle: String,
    issued: When,
    rows: Vec<Row>,
    sidecars: String,
    away: usize,
    behind: usize,
    troubled: usize,
    faults: Vec<String>,
}

struct Row {
    node: String,
    standing: &'static str,
    tone: &'static str,
    filter: String,
    bundle: String,
    age: String,
    first: When,
    seen: When,
    trouble: String,
    troubled: When,
    queued: u64,
}

/// `GET /fleet`.
pub async fn show(visitor: Visitor, state: State<Arc<Control>>) -> Result<Response, Failure> {
    let now = (state.clock)();
    let shell = visitor.shell(&state, "Fleet", "/fleet");
    let status = state.policy.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let Json(fleet) = http::fleet::sidecars(visitor.person, state).await?;
    let count = |standing| fleet.sidecars.iter().filter(|one| one.standing == standing).count();
    let (away, behind) = (count(Standing::Away), count(Standing::Behind) + count(Standing::Without));
    let rows = fleet.sidecars.iter().map(|one| {
        let (standing, tone) = match one.standing {
            Standing::Current => ("current", "allow"),
            Standing::Behind => ("behind", "hold"),
            Standing::Without => ("has no bundle", "deny"),
            Standing::Away => ("away", "deny"),
        };
        let seen = &one.seen;
        Row {
            node: clean_line(&seen.node),
            standing,
            tone,
            filter: clean_line(&seen.filter),
            bundle: short(&clean_line(&seen.bundle), 12),
            age: if seen.issued_ms == 0 { "–".into() } else { span(now.saturating_sub(seen.issued_ms)) },
            first: When::new(seen.first_ms, now),
            seen: When::new(seen.seen_ms, now),
            trouble: clean_line(&seen.trouble),
            troubled: When::new(seen.trouble_ms.min(now), now),
            queued: seen.queued,
        }
    });
    let rows: Vec<Row> = rows.collect();
    let troubled = fleet.sidecars.iter().filter(|one| is_recent(&one.seen, now)).count();
    let sidecars = many(rows.len() as u64, "sidecar");
    let faults = status.faults.iter().map(|fault| clean_line(&fault.to_string())).collect();
    let bundle = short(&fleet.bundle, 12);
    let issued = When::new(fleet.issued_ms, now);
    Ok(page(&Page { shell, bundle, issued, rows, sidecars, away, behind, troubled, faults }))
}

/// Whether something went wrong there within the hour.
fn is_recent(seen: &Sidecar, now: u64) -> bool {
    !seen.trouble.is_empty() && now.saturating_sub(seen.trouble_ms) < HOUR_MS
}
