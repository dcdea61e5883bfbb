//! Budgets: filters say what was used of them and hear what others used; people see it.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use sluice_engine::budget::{Holder, Spent};
use sluice_engine::policy::document::Budget;
use sluice_engine::wire::{self, Spending, SpendingReply};

use super::auth::Person;
use super::sidecars::DataPlane;
use super::{Control, Problem, area};
use crate::store::WhichSpending;

/// Counters in one report at the most; filters send fewer.
const COUNTERS: usize = 10_000;

/// What was used of a budget in the window that is open now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// The budget's name.
    pub budget: String,
    /// Whose it is.
    pub holder: Holder,
    /// When the window began, in Unix milliseconds.
    pub start_ms: u64,
    /// When it ends, in Unix milliseconds.
    pub end_ms: u64,
    /// What was used.
    pub used: Spent,
    /// What is reserved for requests under way.
    pub reserved: Spent,
    /// The budget as the policy has it now; absent when it is gone or has another window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Budget>,
}

/// Budgets as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Uses {
    /// By budget and holder.
    pub budgets: Vec<Use>,
}

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let filters = Router::new().route(wire::BUDGETS, post(report).get(list));
    area(filters, Router::new())
}

/// `POST /v1/budgets`.
pub async fn report(
    _: DataPlane,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<Json<SpendingReply>, Problem> {
    let spending: Spending =
        serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a report of budgets", &e))?;
    if spending.reporter.is_empty() || spending.counters.len() > COUNTERS {
        return Err(Problem::bad_request(format!(
            "a report names its `reporter` and has at most {COUNTERS} `counters`; send the rest in another"
        )));
    }
    let now = (control.clock)();
    if !spending.counters.is_empty() {
        control.store.report_spending(spending.reporter.clone(), spending.counters, now).await?;
    }
    let which = WhichSpending { except: Some(spending.reporter), after: spending.after };
    let (after, counters) = control.store.spending(which, now).await?;
    Ok(Json(SpendingReply { after, counters }))
}

/// `GET /v1/budgets`.
pub async fn list(person: Person, State(control): State<Arc<Control>>) -> Result<Json<Uses>, Problem> {
    person.needs("budgets.read")?;
    person.needs_auditor_or_operator(&control)?;
    let (_, counters) = control.store.spending(WhichSpending::default(), (control.clock)()).await?;
    let bundle = control.bundle.borrow();
    let budgets = counters.into_iter().map(|counter| {
        let key = counter.key;
        let mut limits = bundle.policy.budgets.iter();
        let limits =
            limits.find(|own| own.name == key.budget && own.window.as_seconds() == key.window_seconds);
        Use {
            limits: limits.cloned(),
            start_ms: key.start_ms,
            end_ms: key.end_ms(),
            budget: key.budget,
            holder: key.holder,
            used: counter.used,
            reserved: counter.reserved,
        }
    });
    Ok(Json(Uses { budgets: budgets.collect() }))
}
