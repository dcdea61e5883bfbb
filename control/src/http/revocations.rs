//! Revocations by operators: a token by its id, or everything that a subject has.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sluice_engine::policy::bundle::Revocation;

use super::auth::Person;
use super::{Control, Problem, Query, area, limit, reason};
use crate::tokens::revocation::{REMEMBERED_MS, Revoked};

/// The longest name or id, in bytes; no token has a longer one.
const LONGEST: usize = 256;

/// What shall be shut out, as it is sent: a token or a subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shut {
    /// The issuer, by its name in the policy.
    pub issuer: String,
    /// The id (`jti`) of a token of that issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Instead of it, a subject for which that issuer vouches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// With a subject: everything that was issued before this moment, in Unix milliseconds. Absent: before now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_ms: Option<u64>,
    /// Why.
    pub reason: String,
}

/// Revocations as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownRevocations {
    /// The newest first.
    pub revocations: Vec<Revoked>,
}

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    area(Router::new(), Router::new().route("/v1/revocations", post(revoke).get(list)))
}

/// `POST /v1/revocations`.
pub async fn revoke(
    person: Person,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Revoked>), Problem> {
    person.needs("revocations.write")?;
    needs_operator(&person, &control)?;
    let shut: Shut = serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a revocation", &e))?;
    let now = (control.clock)();
    let revoked = Revoked {
        what: what(&control, &shut, now)?,
        holder: None,
        by: person.who(),
        reason: reason(Some(shut.reason), true)?,
        at_ms: now,
        until_ms: now.saturating_add(REMEMBERED_MS),
    };
    let revoked = control.store.revoke(revoked.clone()).await?.unwrap_or(revoked);
    control.revocations_changed.notify_one();
    tracing::info!(by = person.0.subject, what = ?revoked.what, "tokens were revoked");
    Ok((StatusCode::CREATED, Json(revoked)))
}

/// `GET /v1/revocations?limit=100`.
pub async fn list(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<ShownRevocations>, Problem> {
    person.needs("revocations.read")?;
    person.needs_auditor_or_operator(&control)?;
    let revocations = control.store.revocations((control.clock)(), limit(&query)?).await?;
    Ok(Json(ShownRevocations { revocations }))
}

fn needs_operator(person: &Person, control: &Control) -> Result<(), Problem> {
    if person.is_operator(control) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "tokens of others are revoked by operators: the policy names their groups in `access.operators`, and you are \
         in none; your own token you can give back with `sluice tokens revoke --own`",
    ))
}

/// A name that no issuer has would shut out nobody, and nobody would notice.
fn what(control: &Control, shut: &Shut, now_ms: u64) -> Result<Revocation, Problem> {
    let bundle = control.bundle.borrow();
    let names = bundle.policy.issuers.iter().map(|issuer| issuer.name.as_str());
    if !names.clone().any(|name| name == shut.issuer) {
        let names: Vec<&str> = names.collect();
        return Err(Problem::bad_request(format!(
            "the policy has no issuer of this name; it has {}",
            names.join(", ")
        )));
    }
    let good = |name: &str| (1..=LONGEST).contains(&name.len()) && !name.chars().any(char::is_control);
    let issuer = shut.issuer.clone();
    match (&shut.token, &shut.subject) {
        (Some(id), None) if good(id) && shut.before_ms.is_none() => {
            Ok(Revocation::Token { issuer, id: id.clone() })
        }
        (None, Some(subject)) if good(subject) => {
            let before_ms = shut.before_ms.unwrap_or(now_ms);
            if before_ms > now_ms {
                return Err(Problem::bad_request(
                    "`beforeMs` is in the future; what is not issued yet cannot be revoked: take a role or a grant away",
                ));
            }
            Ok(Revocation::Subject { issuer, subject: subject.clone(), before_ms })
        }
        _ => Err(Problem::bad_request(
            "send either `token`, the id of a token (its `jti`), or `subject`, whose tokens it is about, and perhaps \
             `beforeMs`; each of at most 256 printable bytes",
        )),
    }
}
