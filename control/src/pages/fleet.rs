//! Sidecars: which are seen, and what they run on.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::failure::Failure;
use super::page;
use super::shell::{Shell, Visitor};
use super::when::{When, span};
use crate::http::fleet::Standing;
use crate::http::{self, Control};
use crate::records::text::{clean_line, short};

#[derive(Template)]
#[template(path = "fleet.html")]
struct Page {
    shell: Shell,
    bundle: String,
    issued: When,
    rows: Vec<Row>,
    away: usize,
    behind: usize,
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
        }
    });
    let rows = rows.collect();
    let faults = status.faults.iter().map(|fault| clean_line(&fault.to_string())).collect();
    let bundle = short(&fleet.bundle, 12);
    let issued = When::new(fleet.issued_ms, now);
    Ok(page(&Page { shell, bundle, issued, rows, away, behind, faults }))
}
