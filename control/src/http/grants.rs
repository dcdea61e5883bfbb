//! Grants: asked for, decided, taken back.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use sluice_engine::policy::document::{Duration, Grantable};

use super::approvals::{Ruling, Taking, barred};
use super::auth::Person;
use super::{Control, Problem, Query, area, limit, reason};
use crate::approvals::Delegation;
use crate::grants::{Change, Grant, GrantState, Step};
use crate::keys::random_id;
use crate::store::Changed;

/// Wishes of one person that may wait at once.
const WAITING: usize = 20;

/// Grants that are looked through for those that a person may see.
const LOOKED_AT: u32 = 5000;

/// A wish as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wish {
    /// What is asked for, by its name in the policy.
    pub name: String,
    /// For how long, in seconds. Absent: as long as the policy allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// What for.
    pub reason: String,
}

/// What a person may ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offered {
    /// In the policy's order.
    pub offered: Vec<Grantable>,
}

/// Grants as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownGrants {
    /// The newest first.
    pub grants: Vec<Grant>,
}

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new()
        .route("/v1/grants", get(list).post(request))
        .route("/v1/grants/offered", get(offered))
        .route("/v1/grants/{id}", get(show))
        .route("/v1/grants/{id}/decision", post(decide))
        .route("/v1/grants/{id}/revoke", post(revoke));
    area(Router::new(), people)
}

/// `GET /v1/grants/offered`.
pub async fn offered(person: Person, State(control): State<Arc<Control>>) -> Result<Json<Offered>, Problem> {
    person.needs("grants.read")?;
    let bundle = control.bundle.borrow();
    let may = |offer: &&Grantable| offer.groups.iter().any(|group| person.0.groups.contains(group));
    Ok(Json(Offered { offered: bundle.policy.grants.iter().filter(may).cloned().collect() }))
}

/// `POST /v1/grants`.
pub async fn request(
    person: Person,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Grant>), Problem> {
    person.needs("grants.write")?;
    let wish: Wish =
        serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a wish for a grant", &e))?;
    let offer = control.bundle.borrow().policy.grants.iter().find(|offer| offer.name == wish.name).cloned();
    // Whoever may not ask learns nothing, not even that it is offered.
    let offer = offer.filter(|offer| offer.groups.iter().any(|group| person.0.groups.contains(group)));
    let offer = offer.ok_or_else(|| {
        Problem::forbidden(
            "the policy offers you no grant of this name; `sluice grants offered` lists those it does",
        )
    })?;
    let longest = offer.longest.as_seconds();
    let seconds = wish.seconds.unwrap_or(longest);
    if seconds == 0 || seconds > longest {
        return Err(Problem::bad_request(format!(
            "`{}` is given for at most {}; ask for that or less, and for more than nothing",
            offer.name,
            Duration::seconds(longest)
        )));
    }
    let reason = reason(Some(wish.reason), true)?.unwrap_or_default();
    let now = (control.clock)();
    let mut own = control.store.grants_of(&person.0.subject, LOOKED_AT).await?;
    own.retain(|grant| grant.is_of(&person.who()) && grant.ends_ms > now);
    // A second one would give nothing more, and a thousand would stand in the way of others.
    if let Some(live) = own.iter().find(|own| own.state == GrantState::Live && own.name == offer.name) {
        let detail =
            format!("you have this grant already ({}); take it back first, or wait for its end", live.id);
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    if own.iter().filter(|grant| grant.state == GrantState::Waiting).count() >= WAITING {
        let detail = format!(
            "{WAITING} wishes of yours wait already; withdraw some (`sluice grants revoke ID`), or wait for a decision"
        );
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    let teams = control.bundle.borrow().policy.access.teams.clone();
    let grant = Grant::wish(&offer, &teams, random_id(), person.who(), reason, seconds, now);
    control.store.open_grant(grant.clone()).await?;
    if grant.break_glass {
        tracing::warn!(
            grant = grant.id,
            name = grant.name,
            by = person.0.subject,
            "somebody broke the glass"
        );
        control.grants_changed.notify_one();
    }
    Ok((StatusCode::CREATED, Json(grant)))
}

/// `GET /v1/grants?state=live&limit=100`.
pub async fn list(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<ShownGrants>, Problem> {
    person.needs("grants.read")?;
    let state = match query.get("state").map(String::as_str) {
        None | Some("all") => None,
        Some(word) => Some(state(word).ok_or_else(|| {
            Problem::bad_request("`state` takes waiting, live, denied, expired, revoked, ended or all")
        })?),
    };
    let now = (control.clock)();
    let given = control.store.delegations_to(&person.who(), now).await?;
    let grants = control.store.grants(state, LOOKED_AT).await?.into_iter().map(|grant| grant.at(now));
    let seen = grants.filter(|grant| sees(&control, &person, grant, &given, now));
    let seen = seen.filter(|grant| state.is_none_or(|state| grant.state == state));
    Ok(Json(ShownGrants { grants: seen.take(limit(&query)? as usize).collect() }))
}

/// `GET /v1/grants/{id}`.
pub async fn show(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Grant>, Problem> {
    person.needs("grants.read")?;
    seen(&control, &person, &id).await.map(Json)
}

/// `POST /v1/grants/{id}/decision`.
pub async fn decide(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Grant>, Problem> {
    person.needs("grants.write")?;
    let ruling = Ruling::read(&body)?;
    ruling.masks_nothing()?;
    let grant = seen(&control, &person, &id).await?;
    ruling.span(None)?;
    let (offer, teams) = {
        let bundle = control.bundle.borrow();
        let offer = bundle.policy.grants.iter().find(|offer| offer.name == grant.name).cloned();
        (offer, bundle.policy.access.teams.clone())
    };
    if ruling.approve && !grant.still_stands(offer.as_ref(), &teams) {
        let detail = "the policy no longer offers this, or lets others or more people approve it, or for less time; deny \
                      it, and let them ask again";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let reason = reason(ruling.reason, grant.needs_reason)?;
    let step = if ruling.approve { Step::Approve } else { Step::Deny };
    take(&control, &person, id, step, reason).await
}

/// `POST /v1/grants/{id}/revoke`.
pub async fn revoke(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Grant>, Problem> {
    person.needs("grants.write")?;
    let taking = Taking::read(&body)?;
    let who = person.who();
    let grant = seen(&control, &person, &id).await?;
    let now = (control.clock)();
    let given = control.store.delegations_to(&who, now).await?;
    if !(grant.is_of(&who) || grant.terms().is_for(&who, &given, now) || person.is_operator(&control)) {
        return Err(Problem::forbidden(
            "a grant is taken back by who has it, by its approvers, or by an operator",
        ));
    }
    let reason = reason(taking.reason, false)?;
    take(&control, &person, id, Step::Revoke, reason).await
}

async fn take(
    control: &Control,
    person: &Person,
    grant: String,
    step: Step,
    reason: Option<String>,
) -> Result<Json<Grant>, Problem> {
    let change = Change { grant, step, by: person.who(), reason };
    match control.store.change_grant(change, (control.clock)()).await? {
        Changed::Done(grant) => {
            control.grants_changed.notify_one();
            tracing::info!(
                grant = grant.id,
                state = grant.state.word(),
                by = person.0.subject,
                "a grant changed"
            );
            Ok(Json(grant))
        }
        Changed::Barred(bar) => Err(barred(&bar)),
        Changed::TooLate(grant) => {
            let detail = format!("the grant is {} already; ask for a new one", grant.state.word());
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Changed::Unknown => Err(unknown()),
    }
}

/// The grant, if this person may see it.
async fn seen(control: &Control, person: &Person, id: &str) -> Result<Grant, Problem> {
    let now = (control.clock)();
    let grant = control.store.grant(id).await?.ok_or_else(unknown)?.at(now);
    let given = control.store.delegations_to(&person.who(), now).await?;
    if sees(control, person, &grant, &given, now) { Ok(grant) } else { Err(unknown()) }
}

fn sees(control: &Control, person: &Person, grant: &Grant, given: &[Delegation], now_ms: u64) -> bool {
    let who = person.who();
    grant.is_of(&who)
        || grant.terms().is_for(&who, given, now_ms)
        || person.is_auditor(control)
        || person.is_operator(control)
}

fn state(word: &str) -> Option<GrantState> {
    use GrantState::{Denied, Ended, Expired, Live, Revoked, Waiting};
    [Waiting, Live, Denied, Expired, Revoked, Ended].into_iter().find(|state| state.word() == word)
}

fn unknown() -> Problem {
    let detail =
        "there is no grant with this id that you may see; `sluice grants ls` lists those that you may";
    Problem::new(StatusCode::NOT_FOUND, detail)
}
