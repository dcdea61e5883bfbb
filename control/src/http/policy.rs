//! The policy in force, for people; and what it makes of a request, tried without sending anything.

use std::sync::{Arc, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_engine::policy::document::Policy;

use super::auth::Person;
use super::{Control, Problem};
use crate::policies::Status;
use crate::trial::exchange::{Answer, Outcome, Reply, Request, exchange, principal};

/// The largest trial, in bytes.
const LARGEST: usize = 256 << 10;

pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new()
        .route("/v1/policy/effective", get(effective))
        .route("/v1/policy/trial", post(trial).layer(axum::extract::DefaultBodyLimit::max(LARGEST)));
    super::area(Router::new(), people)
}

/// The policy in force.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// How it stands: version, files, what is wrong with them as they are now.
    pub status: Status,
    /// The policy, merged and checked.
    pub policy: Policy,
}

/// A request to try.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Trial {
    /// Who would send it.
    pub subject: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// The issuer of their token, by its name in the policy. Absent: the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The scopes that their token is narrowed to. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The body of `POST /v1/messages`.
    pub request: Value,
    /// What the model would answer. Absent: only the request is judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Value>,
}

/// What comes of a trial.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// The policy that it was tried on.
    pub policy: String,
    /// The roles that the caller has, and through what.
    pub roles: Vec<Role>,
    /// What came of it, step by step.
    pub outcome: Outcome,
    /// The request as it would go to the model, masked. Masks of a trial are no masks of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<String>,
    /// What the caller would get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned: Option<String>,
}

/// A role, and through what a caller has it.
#[derive(Debug, Clone, Serialize)]
pub struct Role {
    /// The role.
    pub role: String,
    /// The binding; absent: a grant.
    pub binding: Option<String>,
    /// The group by which the binding applies; absent: the subject.
    pub group: Option<String>,
}

impl Person {
    /// Refuses everyone but auditors, operators and authors of policy.
    pub fn needs_reader_of_policy(&self, control: &Control) -> Result<(), Problem> {
        self.needs("policy.read")?;
        if self.is_author(control) || self.is_operator(control) || self.is_auditor(control) {
            return Ok(());
        }
        Err(Problem::forbidden(
            "the policy is for its authors, for auditors and for operators: it names their groups in `access`, and \
             you are in none",
        ))
    }
}

/// `GET /v1/policy/effective`.
pub async fn effective(
    person: Person,
    State(control): State<Arc<Control>>,
) -> Result<Json<Effective>, Problem> {
    person.needs_reader_of_policy(&control)?;
    let status = control.policy.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let policy = control.bundle.borrow().policy.clone();
    Ok(Json(Effective { status, policy }))
}

/// `POST /v1/policy/trial`. Nothing of it is recorded or sent.
pub async fn trial(
    person: Person,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<Json<Tried>, Problem> {
    person.needs_reader_of_policy(&control)?;
    let trial: Trial = serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a trial", &e))?;
    let (runtime, version, first) = {
        let out = control.bundle.borrow();
        let first = out.policy.issuers.first().map(|issuer| issuer.name.clone()).unwrap_or_default();
        (
            out.trial().map_err(|error| Problem::bad_request(error.to_string()))?,
            out.policy_version.clone(),
            first,
        )
    };
    let now = (control.clock)();
    let issuer = trial.issuer.unwrap_or(first);
    let caller = principal(&issuer, &trial.subject, trial.groups, trial.scopes);
    let body = match &trial.request {
        Value::Null => crate::trial::cases::harmless(),
        body => body.to_string().into_bytes(),
    };
    let request = Request { method: "POST".into(), path: "/v1/messages".into(), headers: Vec::new(), body };
    let reply = trial.reply.map(|reply| Reply::Whole { status: 200, body: reply.to_string().into_bytes() });
    let given = runtime.compiled.given(&caller, now);
    let roles = given.iter().map(|one| Role {
        role: one.role.to_owned(),
        binding: one.binding.map(str::to_owned),
        group: one.group.map(str::to_owned),
    });
    let roles = roles.collect();
    // The engine works for milliseconds on the largest trial; others must not wait for it.
    let tried = tokio::task::spawn_blocking(move || {
        exchange(&runtime, &caller, &request, reply.as_ref(), Answer::Wait, now)
    });
    let outcome = tried.await.map_err(|_| Problem::bad_request("the trial broke off"))?;
    let text =
        |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let (forwarded, returned) = (text(&outcome.forwarded), text(&outcome.returned));
    Ok(Json(Tried { policy: version, roles, outcome, forwarded, returned }))
}
