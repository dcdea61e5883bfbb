//! Holds: the filter's wait, and the reviewer's decision.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use sluice_engine::mask::Named;
use sluice_engine::policy::document::Part;
use sluice_engine::wire::{self, HoldDecision, HoldState};

use super::approvals::{Ruling, barred};
use super::auth::Person;
use super::sidecars::DataPlane;
use super::{Control, LONGEST_WAIT, Problem, Query, area, bounded, limit, number, reason};
use crate::holds::{Comment, Hold};
use crate::store::{Commented, Decided, Decision};

/// Holds as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    /// The newest first.
    pub holds: Vec<Hold>,
}

/// What somebody would say about a hold, as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// The text.
    pub text: String,
}

/// What was said about a hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownComments {
    /// In order.
    pub comments: Vec<Comment>,
}

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let filters =
        Router::new().route("/v1/holds/{id}/wait", post(wait)).route("/v1/holds/{id}/use", post(use_up));
    let people = Router::new()
        .route(wire::HOLDS, get(list))
        .route("/v1/holds/{id}", get(show))
        .route("/v1/holds/{id}/decision", post(decide))
        .route("/v1/holds/{id}/comments", get(comments).post(comment));
    area(filters, people)
}

/// `POST /v1/holds/{id}/wait?seconds=N`. Tells, and uses nothing up: a client may leave while its filter waits, and
/// the approval must be there when it comes again.
pub async fn wait(
    _: DataPlane,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<HoldState>, Problem> {
    let seconds = number(&query, "seconds")?.unwrap_or(0).min(LONGEST_WAIT);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
    let mut closing = control.closing.clone();
    loop {
        let notify = control.waiters.subscribe(&id);
        let woken = notify.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        // What waits keeps nothing of the hold in memory: thousands may.
        let left = {
            let now = (control.clock)();
            let hold = control.store.hold(&id).await?.ok_or_else(unknown)?.at(now);
            let over = *closing.borrow() || tokio::time::Instant::now() >= deadline;
            if over || hold.state != HoldDecision::Waiting {
                return Ok(Json(hold.state()));
            }
            Duration::from_millis(hold.expires_ms.saturating_sub(now))
        };
        tokio::select! {
            () = &mut woken => {}
            () = tokio::time::sleep_until(deadline.min(tokio::time::Instant::now() + left)) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }
}

/// `POST /v1/holds/{id}/use?exchange=ID`.
pub async fn use_up(
    _: DataPlane,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<HoldState>, Problem> {
    // Without it two askers could not be told apart, and one approval would let both go.
    let exchange = query.get("exchange").filter(|id| !id.is_empty()).ok_or_else(|| {
        Problem::bad_request(
            "say which exchange goes on (`?exchange=ID`): an approval is used by one exchange",
        )
    })?;
    let hold = control.store.claim(&id, exchange, (control.clock)()).await?.ok_or_else(unknown)?;
    Ok(Json(hold.state()))
}

/// `GET /v1/holds?state=waiting&limit=100`.
pub async fn list(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<Shown>, Problem> {
    person.needs("holds.read")?;
    let state = match query.get("state").map(String::as_str) {
        None | Some("all") => None,
        Some("waiting") => Some(HoldDecision::Waiting),
        Some("approved") => Some(HoldDecision::Approved),
        Some("denied") => Some(HoldDecision::Denied),
        Some("expired") => Some(HoldDecision::Expired),
        Some(_) => {
            return Err(Problem::bad_request("`state` takes waiting, approved, denied, expired or all"));
        }
    };
    let now = (control.clock)();
    let auditor = person.is_auditor(&control);
    let who = person.who();
    let given = control.store.delegations_to(&who, now).await?;
    let holds = control.store.holds(state, 1000).await?.into_iter().map(|hold| hold.at(now));
    let seen = holds.filter(|hold| auditor || hold.terms().is_for(&who, &given, now));
    let is = |own: HoldDecision, state: HoldDecision| match state {
        HoldDecision::Approved => own.goes_on(),
        state => own == state,
    };
    let seen = seen.filter(|hold| state.is_none_or(|state| is(hold.state, state)));
    Ok(Json(Shown { holds: seen.take(limit(&query)? as usize).collect() }))
}

/// `GET /v1/holds/{id}`.
pub async fn show(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Hold>, Problem> {
    person.needs("holds.read")?;
    seen(&control, &person, &id).await.map(Json)
}

/// `POST /v1/holds/{id}/decision`.
pub async fn decide(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Hold>, Problem> {
    person.needs("holds.decide")?;
    decide_as(&control, &person, &id, Ruling::read(&body)?).await.map(Json)
}

/// Decides a hold as this person, wherever they said so.
pub async fn decide_as(
    control: &Control,
    person: &Person,
    id: &str,
    ruling: Ruling,
) -> Result<Hold, Problem> {
    let hold = seen(control, person, id).await?;
    let span = ruling.span(hold.ask.grant_seconds)?;
    check_masked(control, &hold, &ruling)?;
    let reason = reason(ruling.reason, hold.ask.reason)?;
    let (hold, by) = (id.to_owned(), person.who());
    let decision = Decision { hold, approve: ruling.approve, by, reason, span, masked: ruling.masked };
    match control.store.decide(decision, (control.clock)()).await? {
        Decided::Done(hold) => {
            control.waiters.wake(id);
            let took = (control.clock)().saturating_sub(hold.created_ms);
            control.metrics.decision.observe(Duration::from_millis(took).as_secs_f64());
            tracing::info!(hold = id, state = ?hold.state, by = person.0.subject, "somebody decided on a hold");
            Ok(hold)
        }
        Decided::Barred(bar) => Err(barred(&bar)),
        Decided::TooLate(hold) => {
            let how = match &hold.decided {
                Some(by) => format!("was {} by {}", hold.state.word(), by.subject),
                None => "has expired".to_owned(),
            };
            let detail =
                format!("the hold {how}; a decision stands. If it is asked for again, a new hold opens");
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Decided::Unknown => Err(unknown()),
    }
}

/// Whether what somebody would have masked can be masked in this hold. Whether it stands in the request is for the sidecar
/// to find, which has the request.
fn check_masked(control: &Control, hold: &Hold, ruling: &Ruling) -> Result<(), Problem> {
    if ruling.masked.is_empty() {
        return Ok(());
    }
    if !ruling.approve || ruling.pass.is_some() {
        return Err(Problem::bad_request(
            "texts are masked with an approval of this one request: leave out `masked` to deny it, or to approve it for a \
             time",
        ));
    }
    if !hold.ask.editable {
        let why = match hold.ask.part {
            Part::ToolCall => {
                "a tool call is approved as it is or denied: with a part masked it would be another call"
            }
            _ => "the sidecar that asks cannot mask more of it: its filter is of an older release",
        };
        return Err(Problem::new(StatusCode::CONFLICT, why));
    }
    let new = ruling.masked.iter().filter(|text| !hold.masked.contains(text)).count();
    if hold.masked.len() + new > Hold::MOST_MASKED {
        let most = Hold::MOST_MASKED;
        let detail =
            format!("at most {most} texts of a hold can be masked; deny what has more that must not go on");
        return Err(Problem::bad_request(detail));
    }
    Named::new(ruling.masked.iter().map(String::as_str))
        .map_err(|why| Problem::bad_request(why.to_string()))?;
    let runtime = control.bundle.borrow().trial().map_err(|why| {
        tracing::error!(%why, "what a reviewer would have masked could not be looked at");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the policy in force cannot be used to look at `masked`",
        )
    })?;
    if ruling.masked.iter().any(|text| !runtime.is_shown(text)) {
        return Err(Problem::bad_request(
            "something in `masked` is masked already: name texts as they are shown, with the masks that stand in them",
        ));
    }
    Ok(())
}

/// `GET /v1/holds/{id}/comments`.
pub async fn comments(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<ShownComments>, Problem> {
    person.needs("holds.read")?;
    seen(&control, &person, &id).await?;
    Ok(Json(ShownComments { comments: control.store.comments(&id).await? }))
}

/// `POST /v1/holds/{id}/comments`.
pub async fn comment(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Comment>), Problem> {
    person.needs("holds.decide")?;
    let said: Said = serde_json::from_slice(&body)
        .map_err(|e| Problem::unreadable("a comment (`{\"text\": \"...\"}`)", &e))?;
    seen(&control, &person, &id).await?;
    let text = bounded("text", Some(said.text))?
        .ok_or_else(|| Problem::bad_request("the comment is empty: send what there is to say as `text`"))?;
    let who = person.who();
    let comment = Comment { issuer: who.issuer, subject: who.subject, at_ms: (control.clock)(), text };
    match control.store.comment(&id, comment.clone()).await? {
        Commented::Done => Ok((StatusCode::CREATED, Json(comment))),
        Commented::Full => Err(Problem::new(
            StatusCode::CONFLICT,
            "the hold has as many comments as it may have; decide it, or speak elsewhere",
        )),
        Commented::Unknown => Err(unknown()),
    }
}

/// The hold, if this person may see it. Others learn nothing, not even that it exists.
async fn seen(control: &Control, person: &Person, id: &str) -> Result<Hold, Problem> {
    let now = (control.clock)();
    let hold = control.store.hold(id).await?.ok_or_else(unknown)?.at(now);
    let who = person.who();
    let given = control.store.delegations_to(&who, now).await?;
    if hold.terms().is_for(&who, &given, now) || person.is_auditor(control) {
        Ok(hold)
    } else {
        Err(unknown())
    }
}

fn unknown() -> Problem {
    let detail = "there is no hold with this id that you may see; `sluice holds ls` lists those that you may";
    Problem::new(StatusCode::NOT_FOUND, detail)
}
