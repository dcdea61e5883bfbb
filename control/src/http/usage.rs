//! What was used, by day; and the sidecars that are seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::auth::Person;
use super::{Control, Problem, Query, number};
use crate::store::{By, Sums};

/// A day, in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// Names of each kind that are listed, the largest first; the rest is summed up.
const NAMES: usize = 30;

pub fn routes() -> Router<Arc<Control>> {
    super::area(Router::new(), Router::new().route("/v1/usage", get(usage)))
}

/// What was used in the last days.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Usage {
    /// Each day (days since 1970, UTC), the oldest first; one without use is there too.
    pub days: Vec<Day>,
    /// All days together.
    pub total: Sums,
    /// By group of the callers, the busiest first. An exchange counts for each group of its caller.
    pub groups: Vec<Named>,
    /// By model that answered.
    pub models: Vec<Named>,
    /// Rules that denied or held.
    pub rules: Vec<Named>,
    /// Kinds of findings.
    pub findings: Vec<Named>,
    /// How many exchanges took no longer than so many milliseconds, and longer than the step before.
    pub latency: Vec<Step>,
}

/// A day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Day {
    /// Days since 1970, UTC.
    pub day: u64,
    /// What was used on it.
    #[serde(flatten)]
    pub sums: Sums,
}

/// What was used by one of several.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Named {
    /// Which one.
    pub name: String,
    /// What it used.
    #[serde(flatten)]
    pub sums: Sums,
}

/// A step of latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its upper end, in milliseconds.
    pub up_to_ms: u64,
    /// Exchanges in it.
    pub exchanges: u64,
}

/// `GET /v1/usage?days=14`.
pub async fn usage(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<Usage>, Problem> {
    person.needs("records.read")?;
    person.needs_auditor_or_operator(&control)?;
    let count = number(&query, "days")?.unwrap_or(14).clamp(1, 366);
    let today = (control.clock)() / DAY_MS;
    let first = today.saturating_sub(count - 1);
    let mut days: BTreeMap<u64, Sums> = (first..=today).map(|day| (day, Sums::default())).collect();
    let mut named: BTreeMap<By, BTreeMap<String, Sums>> = BTreeMap::new();
    for used in control.store.days(first).await? {
        match used.by {
            By::All => days.entry(used.day).or_default().add(&used.sums),
            by => named.entry(by).or_default().entry(used.name).or_default().add(&used.sums),
        }
    }
    let mut total = Sums::default();
    days.values().for_each(|sums| total.add(sums));
    let latency = named.remove(&By::Latency).unwrap_or_default();
    let mut latency: Vec<Step> = latency
        .into_iter()
        .filter_map(|(name, sums)| Some(Step { up_to_ms: name.parse().ok()?, exchanges: sums.times }))
        .collect();
    latency.sort_by_key(|step| step.up_to_ms);
    let mut of = |by| largest(named.remove(&by).unwrap_or_default());
    let (groups, models) = (of(By::Group), of(By::Model));
    let (rules, findings) = (of(By::Rule), of(By::Finding));
    let days = days.into_iter().map(|(day, sums)| Day { day, sums }).collect();
    Ok(Json(Usage { days, total, groups, models, rules, findings, latency }))
}

/// The largest first, and what is beyond [`NAMES`] in one.
fn largest(named: BTreeMap<String, Sums>) -> Vec<Named> {
    let mut all: Vec<Named> = named.into_iter().map(|(name, sums)| Named { name, sums }).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.sums.times));
    if all.len() > NAMES {
        let mut rest = Sums::default();
        all.drain(NAMES..).for_each(|one| rest.add(&one.sums));
        all.push(Named { name: "(all others)".into(), sums: rest });
    }
    all
}

impl Usage {
    /// The step of latency below which this part of all exchanges was, in milliseconds.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let all: u64 = self.latency.iter().map(|step| step.exchanges).sum();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among counts"
        )]
        let rank = ((all as f64) * part).ceil() as u64;
        let mut before = 0;
        let found = self.latency.iter().find(|step| {
            before += step.exchanges;
            before >= rank
        });
        found.filter(|_| all > 0).map(|step| step.up_to_ms)
    }
}
