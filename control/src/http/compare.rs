//! A session under another policy: what was decided then, beside what that policy decides.
//!
//! Nothing is recorded or sent, and nothing of it is in force. See [`crate::trial::simulate`] for what a record does not
//! have.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::auth::Person;
use super::proposals::Refused;
use super::{Control, Problem, Query, limit, records};
use crate::policies::{Files, Loaded};
use crate::proposals::{Documents, Origin};
use crate::records::session::Exchange;
use crate::trial::compile_with;
use crate::trial::exchange::Verdict;
use crate::trial::simulate::{Compared, Recorded, compare};

/// The largest policy that is sent, as JSON: a policy has at most 4 MiB.
pub const LARGEST: usize = 6 << 20;

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/v1/sessions/{id}/comparison", post(comparison))
        .route("/v1/policy/versions", get(versions))
        .layer(DefaultBodyLimit::max(LARGEST))
}

/// The policy that a session is put to: one of these. None of them: the one in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Other {
    /// A proposal, in whatever state, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// A policy of the store that is or was in force, by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// A whole policy, by file name.
    #[serde(skip_serializing_if = "Documents::is_empty")]
    pub documents: Documents,
    /// For a long session: where the part before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// A session under another policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The session.
    pub session: String,
    /// The version of the other policy.
    pub policy: String,
    /// How many exchanges were looked at.
    pub exchanges: usize,
    /// How many come to something else: another verdict, another rule, or more to mask.
    pub different: usize,
    /// Of those, how many come to a stricter verdict.
    pub stricter: usize,
    /// Of those, how many come to a looser verdict.
    pub looser: usize,
    /// How many cannot be told, by the reason.
    pub untold: BTreeMap<String, usize>,
    /// Each of them, in the order in which they began.
    pub compared: Vec<Compared>,
    /// Where the session goes on: sent as `after`, it gives the next part. Absent: this is its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Policies of the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Versions {
    /// The latest, which is in force, first.
    pub versions: Vec<Version>,
}

/// A policy of the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Its number.
    pub number: u64,
    /// Since when it was in force, in Unix milliseconds.
    pub at_ms: u64,
}

/// `GET /v1/policy/versions?limit=100`.
pub async fn versions(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<Versions>, Problem> {
    person.needs_reader_of_policy(&control)?;
    let versions = control.store.policies(limit(&query)?).await?;
    let versions = versions.into_iter().map(|(number, at_ms)| Version { number, at_ms }).collect();
    Ok(Json(Versions { versions }))
}

/// `POST /v1/sessions/{id}/comparison`.
pub async fn comparison(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Comparison>, Refused> {
    let other = match body.is_empty() {
        true => Other::default(),
        false => serde_json::from_slice(&body)
            .map_err(|e| Problem::unreadable("a policy (`proposal`, `number` or `documents`)", &e))?,
    };
    Ok(Json(compared(person, &control, &id, other).await?.0))
}

/// A session under another policy, and its exchanges. It takes the rights to read records and policy.
pub async fn compared(
    person: Person,
    control: &Control,
    id: &str,
    other: Other,
) -> Result<(Comparison, Vec<Exchange>), Refused> {
    person.needs_reader_of_policy(control)?;
    let after = other.after.unwrap_or_default();
    let (mut exchanges, next) = records::exchanges(person, control, id, after).await?;
    // Of what waits without a record there is nothing to judge.
    exchanges.retain(|one| one.open.is_some() || one.close.is_some());
    let policy = policy(control, other).await?;
    // What was granted and has ended is not counted: the log says so where it mattered.
    let (grants, now) = (control.bundle.borrow().grants.clone(), (control.clock)());
    let session = id.to_owned();
    // The engine reads every body again; others must not wait for it.
    let judging = tokio::task::spawn_blocking(move || {
        let runtime = compile_with(&policy.policy, &policy.version, Vec::new(), grants, now);
        let runtime = runtime.map_err(|error| Problem::bad_request(error.to_string()))?;
        let all = exchanges.iter().map(|one| compare(&runtime, &Recorded::of(&session, one))).collect();
        Ok::<_, Problem>((summed_up(session, policy.version, all, next), exchanges))
    });
    Ok(judging.await.map_err(|_| Problem::ending())??)
}

/// The policy that is asked for.
async fn policy(control: &Control, other: Other) -> Result<Loaded, Refused> {
    let Other { proposal, number, documents, .. } = other;
    let documents = match (proposal, number, documents.is_empty()) {
        (None, None, true) => {
            let version = control.policy.lock().unwrap_or_else(PoisonError::into_inner).version.clone();
            let policy = control.bundle.borrow().policy.clone();
            return Ok(Loaded { policy, version, files: Vec::new(), warnings: Vec::new() });
        }
        (Some(id), None, true) => {
            let unknown =
                || not_found("there is no proposal with this id; `sluice policy proposals` lists them");
            control.store.proposal(&id).await?.ok_or_else(unknown)?.documents
        }
        (None, Some(number), true) => of_number(control, number).await?,
        (None, None, false) => documents,
        _ => return Err(Problem::bad_request("name one policy: `proposal`, `number` or `documents`").into()),
    };
    let reading = tokio::task::spawn_blocking(move || Files::of(&documents)?.policy());
    reading.await.map_err(|_| Problem::ending())?.map_err(Refused::Faults)
}

async fn of_number(control: &Control, number: u64) -> Result<Documents, Problem> {
    let unknown = || not_found("there is no policy with this number; `sluice policy versions` lists them");
    let stored = control.store.policy(number).await?.ok_or_else(unknown)?;
    let Origin::Store { key, .. } = &control.origin else { return Ok(stored.documents) };
    if stored.is_vouched_for(&key.verifying_key()) {
        return Ok(stored.documents);
    }
    let detail =
        format!("policy {number} is not what was accepted: its signature does not fit, so it is not shown");
    Err(Problem::new(StatusCode::CONFLICT, detail))
}

fn summed_up(session: String, policy: String, compared: Vec<Compared>, next: Option<i64>) -> Comparison {
    let mut untold = BTreeMap::new();
    for why in compared.iter().filter_map(|one| one.untold.as_ref()) {
        *untold.entry(why.clone()).or_default() += 1;
    }
    let count = |fits: &dyn Fn(Verdict, Verdict) -> bool| {
        let told = compared.iter().filter_map(|one| Some((one.was.verdict, one.now.as_ref()?.verdict)));
        told.filter(|(was, now)| fits(*was, *now)).count()
    };
    Comparison {
        exchanges: compared.len(),
        different: compared.iter().filter(|one| one.differs()).count(),
        stricter: count(&|was, now| now > was),
        looser: count(&|was, now| now < was),
        session,
        policy,
        untold,
        compared,
        next,
    }
}

fn not_found(detail: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, detail)
}
