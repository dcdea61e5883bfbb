//! The policy in force, and proposals to change it.

use std::sync::{Arc, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sluice_engine::policy::document::Policy;

use super::approvals::Taking;
use super::auth::Person;
use super::{Control, Problem, Query, area, limit, reason};
use crate::approvals::DecidedBy;
use crate::keys::random_id;
use crate::policies::{Fault, Files};
use crate::proposals::{
    Act, Documents, FileChange, Origin, Proposal, ProposalBar, ProposalState, StoredPolicy, Tried,
    changed_lines, digest_of, try_out,
};
use crate::store::{Acted, Proposed};

/// The largest proposal: a policy has at most 4 MiB, and JSON escapes it.
const PROPOSAL_BYTES: usize = 6 << 20;

/// A proposal as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The whole policy, by file name; cases (`*.test.yaml`) may be among them.
    pub documents: Documents,
    /// The number of the policy that it was written for. Absent: the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// What for.
    pub reason: String,
}

/// The acceptance of a proposal, as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Acceptance {
    /// The digest of what is accepted, as the proposal shows it.
    pub digest: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The policy in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InForce {
    /// Its version: the digest of what decides, as records carry it.
    pub version: String,
    /// Since when it is in force here, in Unix milliseconds.
    pub since_ms: u64,
    /// Whether it comes from the store, where proposals change it; otherwise from files.
    pub from_store: bool,
    /// Its number in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Its files.
    pub files: Vec<String>,
    /// What is wrong with the files as they are now; empty: nothing, they are in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// Their texts, where it comes from the store.
    #[serde(default, skip_serializing_if = "Documents::is_empty")]
    pub documents: Documents,
    /// What it comes to: all files together, with defaults.
    pub policy: Policy,
}

/// Proposals as they are listed, without their documents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownProposals {
    /// The newest first.
    pub proposals: Vec<Proposal>,
}

/// Why something is not done.
#[derive(Debug)]
pub enum Refused {
    /// As anywhere.
    Problem(Problem),
    /// The documents are not in order.
    Faults(Vec<Fault>),
}

impl<P: Into<Problem>> From<P> for Refused {
    fn from(problem: P) -> Self {
        Self::Problem(problem.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let faults = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::Faults(faults) => faults,
        };
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let detail = format!("the policy is not in order:\n{}", lines.join("\n"));
        let Problem { status, title, detail, .. } = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        let body = json!({"status": status, "title": title, "detail": detail, "faults": faults}).to_string();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (StatusCode::UNPROCESSABLE_ENTITY, kind, body).into_response()
    }
}

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let large = Router::new()
        .route("/v1/policy/proposals", get(list).post(propose))
        .layer(DefaultBodyLimit::max(PROPOSAL_BYTES));
    let people = Router::new()
        .route("/v1/policy", get(in_force))
        .route("/v1/policy/proposals/{id}", get(show))
        .route("/v1/policy/proposals/{id}/text", get(text))
        .route("/v1/policy/proposals/{id}/accept", post(accept))
        .route("/v1/policy/proposals/{id}/reject", post(reject))
        .route("/v1/policy/proposals/{id}/withdraw", post(withdraw));
    area(Router::new(), people).merge(large)
}

/// `GET /v1/policy`.
pub async fn in_force(person: Person, State(control): State<Arc<Control>>) -> Result<Json<InForce>, Problem> {
    person.needs_reader_of_policy(&control)?;
    let stored = match &control.origin {
        Origin::Files => None,
        Origin::Store { .. } => control.store.policy_after(0).await?,
    };
    let status = control.policy.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let policy = control.bundle.borrow().policy.clone();
    Ok(Json(InForce {
        version: status.version,
        since_ms: status.since_ms,
        from_store: stored.is_some(),
        number: stored.as_ref().map(|stored| stored.number),
        files: status.files,
        faults: status.faults,
        documents: stored.map(|stored| stored.documents).unwrap_or_default(),
        policy,
    }))
}

/// `POST /v1/policy/proposals`.
pub async fn propose(
    person: Person,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Proposal>), Refused> {
    may_write(&person, &control)?;
    changeable(&control)?;
    let wanted: Wanted = serde_json::from_slice(&body)
        .map_err(|e| Problem::unreadable("a proposal (`documents` by file name, `reason`)", &e))?;
    let reason = reason(Some(wanted.reason), true)?;
    let live = live(&control).await?;
    if wanted.base.is_some_and(|base| base != live.number) {
        return Err(stale(live.number).into());
    }
    let tried = tried(&control, wanted.documents.clone(), live.documents).await?;
    let proposal = Proposal {
        id: random_id(),
        state: ProposalState::Open,
        by: DecidedBy::new(&person.who(), (control.clock)(), reason),
        base: live.number,
        digest: digest_of(&wanted.documents),
        version: tried.loaded.version,
        changes: tried.changes,
        loosened: tried.loosened,
        warnings: tried.loaded.warnings.iter().map(ToString::to_string).collect(),
        cases: tried.cases,
        documents: wanted.documents,
        decided: None,
    };
    match control.store.propose(proposal.clone()).await? {
        Proposed::Done => {
            tracing::info!(proposal = proposal.id, by = person.0.subject, "a policy was proposed");
            Ok((StatusCode::CREATED, Json(proposal)))
        }
        Proposed::Stale(number) => Err(stale(number).into()),
        Proposed::Full => Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "as many proposals are open as may be; have some accepted, rejected or withdrawn first",
        )
        .into()),
    }
}

/// `GET /v1/policy/proposals?state=open&limit=100`.
pub async fn list(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<ShownProposals>, Problem> {
    person.needs_reader_of_policy(&control)?;
    let state = match query.get("state").map(String::as_str) {
        None | Some("all") => None,
        Some(word) => Some(ProposalState::parse(word).ok_or_else(|| {
            Problem::bad_request("`state` takes open, accepted, rejected, withdrawn, stale or all")
        })?),
    };
    Ok(Json(ShownProposals { proposals: control.store.proposals(state, limit(&query)?).await? }))
}

/// `GET /v1/policy/proposals/{id}`: with its documents.
pub async fn show(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Proposal>, Problem> {
    person.needs_reader_of_policy(&control)?;
    Ok(Json(control.store.proposal(&id).await?.ok_or_else(unknown)?))
}

/// `GET /v1/policy/proposals/{id}/text`: which lines it changes, as a unified diff.
pub async fn text(
    person: Person,
    state: State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let Json(proposal) = show(person, state.clone(), Path(id)).await?;
    let lines: String = changed_files(&state, proposal).await?.iter().map(ToString::to_string).collect();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], lines).into_response())
}

/// Which lines a proposal changes, from the policy that it was written for. It takes its time, and others must not wait
/// for it.
pub async fn changed_files(control: &Control, proposal: Proposal) -> Result<Vec<FileChange>, Problem> {
    let base = control.store.policy(proposal.base).await?.map(|base| base.documents);
    let comparing =
        tokio::task::spawn_blocking(move || changed_lines(&base.unwrap_or_default(), &proposal.documents));
    comparing.await.map_err(|_| Problem::ending())
}

/// `POST /v1/policy/proposals/{id}/accept`.
pub async fn accept(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Proposal>, Refused> {
    may_write(&person, &control)?;
    let key = changeable(&control)?;
    let acceptance: Acceptance = serde_json::from_slice(&body)
        .map_err(|e| Problem::unreadable("an acceptance (`digest`, `reason`)", &e))?;
    let reason = reason(acceptance.reason, true)?;
    let proposal = control.store.proposal(&id).await?.ok_or_else(unknown)?;
    if acceptance.digest != proposal.digest || digest_of(&proposal.documents) != proposal.digest {
        let detail = "the digest is not that of this proposal: look at what it would change, and accept the digest that \
                      is shown with it";
        return Err(Problem::new(StatusCode::CONFLICT, detail).into());
    }
    let live = live(&control).await?;
    // Once more, with this release and against what is in force: what was shown is what comes.
    let again = tried(&control, proposal.documents.clone(), live.documents).await?;
    if proposal.state == ProposalState::Open
        && live.number == proposal.base
        && (&again.loaded.version, &again.changes) != (&proposal.version, &proposal.changes)
    {
        let detail = "the proposal would change something else than what it shows; let it be proposed anew";
        return Err(Problem::new(StatusCode::CONFLICT, detail).into());
    }
    let now = (control.clock)();
    let number = live.number.saturating_add(1);
    let policy = StoredPolicy::signed(number, proposal.documents, now, key);
    done(&control, &person, &id, Act::Accept(policy), reason, now).await
}

/// `POST /v1/policy/proposals/{id}/reject`.
pub async fn reject(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Proposal>, Refused> {
    may_write(&person, &control)?;
    let reason = reason(Taking::read(&body)?.reason, true)?;
    done(&control, &person, &id, Act::Reject, reason, (control.clock)()).await
}

/// `POST /v1/policy/proposals/{id}/withdraw`.
pub async fn withdraw(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Proposal>, Refused> {
    may_write(&person, &control)?;
    let reason = reason(Taking::read(&body)?.reason, false)?;
    done(&control, &person, &id, Act::Withdraw, reason, (control.clock)()).await
}

async fn done(
    control: &Control,
    person: &Person,
    id: &str,
    act: Act,
    reason: Option<String>,
    now_ms: u64,
) -> Result<Json<Proposal>, Refused> {
    match control.store.act(id, act, person.who(), reason, now_ms).await? {
        Acted::Done(proposal) => {
            if proposal.state == ProposalState::Accepted {
                control.origin.changed();
            }
            let (state, by) = (proposal.state.word(), &person.0.subject);
            tracing::info!(proposal = id, state, by, "a proposal was decided");
            Ok(Json(proposal))
        }
        Acted::Barred(ProposalBar::Own) => {
            Err(Problem::forbidden("you proposed this yourself; another author must decide it").into())
        }
        Acted::Barred(ProposalBar::NotOwn) => {
            Err(Problem::forbidden("a proposal is withdrawn by who made it; reject it instead").into())
        }
        Acted::TooLate(proposal) if proposal.state == ProposalState::Stale => {
            let detail = "another policy came into force since this was proposed; propose it anew, on top of that one \
                          (`sluice policy current`)";
            Err(Problem::new(StatusCode::CONFLICT, detail).into())
        }
        Acted::TooLate(proposal) => {
            let detail = format!("the proposal is {} already", proposal.state.word());
            Err(Problem::new(StatusCode::CONFLICT, detail).into())
        }
        Acted::Unknown => Err(unknown().into()),
    }
}

/// The policy that changes are made to.
async fn live(control: &Control) -> Result<StoredPolicy, Problem> {
    control.store.policy_after(0).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "there is no policy in the store to change; see the log of the service",
        )
    })
}

/// Documents tried out against those in force. It takes its time, and others must not wait for it.
async fn tried(control: &Control, documents: Documents, live: Documents) -> Result<Tried, Refused> {
    let now = (control.clock)();
    let trying = tokio::task::spawn_blocking(move || {
        let live = Files::of(&live)?.policy()?;
        try_out(&documents, &live, now)
    });
    trying.await.map_err(|_| Problem::ending())?.map_err(Refused::Faults)
}

/// The key that vouches for accepted policy.
fn changeable(control: &Control) -> Result<&SigningKey, Problem> {
    match &control.origin {
        Origin::Store { key, .. } => Ok(key),
        Origin::Files => Err(Problem::new(
            StatusCode::CONFLICT,
            "policy comes from files here, and who can write them rules; change them, or have the service started with \
             --policy-from-store",
        )),
    }
}

fn stale(number: u64) -> Problem {
    let detail = format!(
        "policy {number} is in force by now, and this was written for another; put your change on top of it (`sluice policy \
         current`) and propose it anew"
    );
    Problem::new(StatusCode::CONFLICT, detail)
}

fn unknown() -> Problem {
    let detail = "there is no proposal with this id; `sluice policy proposals` lists them";
    Problem::new(StatusCode::NOT_FOUND, detail)
}

fn may_write(person: &Person, control: &Control) -> Result<(), Problem> {
    person.needs("policy.write")?;
    if person.is_author(control) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "policy is for its authors to change: the policy names their groups in `access.authors`, and you are in none",
    ))
}
