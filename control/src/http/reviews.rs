//! Access reviews: started, decided, closed, and their evidence.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sluice_engine::identity::same_person;
use sluice_engine::policy::bundle::Part;
use sluice_engine::policy::document;
use sluice_engine::policy::glob::Glob;

use super::approvals::Taking;
use super::auth::Person;
use super::{Control, Problem, Query, area, limit, number, reason};
use crate::approvals::DecidedBy;
use crate::reviews::{
    Bar, Choice, Evidence, Item, Progress, Review, Ruling, StartError, evidence_head, evidence_row, start,
};
use crate::store::{Closed, Ruled, Started, WhichItems};

/// Items that one call decides.
const DECIDED: usize = 1000;

/// Globs in one list of what is taken back.
const GLOBS: usize = 200;

/// Items read in one go for evidence.
const PAGE: u32 = 1000;

/// Which review is started.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Begin {
    /// Its name in the policy.
    pub name: String,
}

/// A decision as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verdict {
    /// The items' numbers; at most a thousand. All of them are decided, or none.
    pub items: Vec<u32>,
    /// What.
    pub choice: Choice,
    /// What is taken back, of [`Choice::Reduce`]; absent: what is suggested for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Why.
    pub reason: String,
}

/// A review as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownReview {
    /// The review.
    #[serde(flatten)]
    pub review: Review,
    /// How far it is.
    pub progress: Progress,
    /// Whether whoever asks may decide on items that are not about themselves.
    pub decides: bool,
}

/// Reviews as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownReviews {
    /// The newest first.
    pub reviews: Vec<ShownReview>,
    /// Names of reviews in the policy.
    pub offered: Vec<String>,
}

/// An item as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownItem {
    /// The item.
    #[serde(flatten)]
    pub item: Item,
    /// Whether it is about whoever asks, who cannot decide it.
    pub yours: bool,
}

/// Items as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownItems {
    /// In the order of their numbers.
    pub items: Vec<ShownItem>,
    /// Behind which number the next page begins; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new()
        .route("/v1/reviews", get(list).post(begin))
        .route("/v1/reviews/{id}", get(show))
        .route("/v1/reviews/{id}/items", get(items))
        .route("/v1/reviews/{id}/decisions", post(decide))
        .route("/v1/reviews/{id}/close", post(close))
        .route("/v1/reviews/{id}/evidence", get(evidence));
    area(Router::new(), people)
}

/// `GET /v1/reviews?limit=100`.
pub async fn list(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<ShownReviews>, Problem> {
    person.needs("reviews.read")?;
    let all = control.store.reviews(limit(&query)?).await?;
    let reviews = all.into_iter().filter_map(|(review, progress)| shown(&control, &person, review, progress));
    let reviews = reviews.collect();
    let bundle = control.bundle.borrow();
    let known = person.is_auditor(&control) || person.is_operator(&control);
    let mine = |review: &&document::Review| known || is_reviewer(&person, &review.reviewers);
    let offered = bundle.policy.reviews.iter().filter(mine).map(|review| review.name.clone()).collect();
    Ok(Json(ShownReviews { reviews, offered }))
}

/// `POST /v1/reviews`.
pub async fn begin(
    person: Person,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<(StatusCode, Json<ShownReview>), Problem> {
    person.needs("reviews.write")?;
    needs_operator(&person, &control, "a review is started by an operator")?;
    let asked: Begin =
        serde_json::from_slice(&body).map_err(|e| Problem::unreadable("the name of a review", &e))?;
    let review = control.bundle.borrow().policy.reviews.iter().find(|own| own.name == asked.name).cloned();
    let review = review.ok_or_else(|| {
        let detail = "the policy has no review of this name; write it under `reviews`, with its reviewers";
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    let started = start(&control, &review, Some(&person.who())).await.map_err(|why| match why {
        StartError::Store(error) => error.into(),
        StartError::CatchingUp => Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
        StartError::Nothing | StartError::TooMuch => Problem::new(StatusCode::CONFLICT, why.to_string()),
    })?;
    match started {
        Started::Done(review) => {
            let progress = Progress { open: u64::from(review.items), ..Progress::default() };
            let decides = decides(&control, &person, &review);
            Ok((StatusCode::CREATED, Json(ShownReview { review, progress, decides })))
        }
        Started::Running(review) | Started::NotDue(review) => {
            let detail = format!("the review {} of this name is open; finish it first", review.id);
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
    }
}

/// `GET /v1/reviews/{id}`.
pub async fn show(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<ShownReview>, Problem> {
    person.needs("reviews.read")?;
    seen(&control, &person, &id).await.map(Json)
}

/// `GET /v1/reviews/{id}/items?state=open&suggested=certify&search=ana&after=0&limit=100`.
pub async fn items(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<ShownItems>, Problem> {
    person.needs("reviews.read")?;
    let review = seen(&control, &person, &id).await?.review.id;
    let decided = match query.get("state").map(String::as_str) {
        None | Some("all") => None,
        Some("open") => Some(None),
        Some("certified") => Some(Some(Choice::Certify)),
        Some("revoked") => Some(Some(Choice::Revoke)),
        Some("reduced") => Some(Some(Choice::Reduce)),
        Some(_) => {
            return Err(Problem::bad_request("`state` takes open, certified, revoked, reduced or all"));
        }
    };
    let suggested = match query.get("suggested").map(String::as_str) {
        None | Some("" | "any") => None,
        Some("none") => Some(None),
        Some("certify") => Some(Some(Choice::Certify)),
        Some("revoke") => Some(Some(Choice::Revoke)),
        Some("reduce") => Some(Some(Choice::Reduce)),
        Some(_) => {
            return Err(Problem::bad_request("`suggested` takes certify, revoke, reduce, none or any"));
        }
    };
    let search = query.get("search").map(|text| text.trim().to_lowercase()).unwrap_or_default();
    let wanted = |item: &Item| {
        suggested.is_none_or(|choice| item.suggestion.choice == choice)
            && (search.is_empty() || is_about(item, &search))
    };
    let mut after = u32::try_from(number(&query, "after")?.unwrap_or(0)).unwrap_or(u32::MAX);
    let most = limit(&query)? as usize;
    // What is searched for may stand far behind; a review has an end.
    let searched = suggested.is_some() || !search.is_empty();
    let at_once = if searched { PAGE } else { u32::try_from(most).unwrap_or(PAGE).saturating_add(1) };
    let mut found = Vec::new();
    loop {
        let which = WhichItems { review: review.clone(), decided, after, limit: at_once };
        let page = control.store.review_items(which).await?;
        let last = page.len() < at_once as usize;
        for item in page {
            after = item.n;
            if !wanted(&item) {
                continue;
            }
            if found.len() >= most {
                let next = found.last().map(|shown: &ShownItem| shown.item.n);
                return Ok(Json(ShownItems { items: found, next }));
            }
            found.push(ShownItem { yours: same_person(&item.subject, &person.0.subject), item });
        }
        if last {
            return Ok(Json(ShownItems { items: found, next: None }));
        }
    }
}

/// Whether an item's person, group or role has these letters in its name; small ones.
fn is_about(item: &Item, search: &str) -> bool {
    let names = [&item.subject, &item.role].into_iter().chain(&item.groups);
    names.into_iter().any(|name| name.to_lowercase().contains(search))
}

/// `POST /v1/reviews/{id}/decisions`.
pub async fn decide(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ShownItems>, Problem> {
    person.needs("reviews.decide")?;
    let verdict: Verdict =
        serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a decision", &e))?;
    let review = seen(&control, &person, &id).await?;
    if !review.decides {
        let groups = review.review.reviewers.join(", ");
        return Err(Problem::forbidden(format!(
            "this is for members of {groups} to decide; ask one of them"
        )));
    }
    let mut items = verdict.items;
    items.sort_unstable();
    items.dedup();
    if items.is_empty() || items.len() > DECIDED {
        return Err(Problem::bad_request(format!("`items` takes one to {DECIDED} numbers of items")));
    }
    if let Some(part) = &verdict.part {
        check_part(part, verdict.choice)?;
    }
    let ruling = Ruling {
        review: id,
        items,
        choice: verdict.choice,
        part: verdict.part,
        by: person.who(),
        reason: reason(Some(verdict.reason), true)?.unwrap_or_default(),
    };
    let (choice, by) = (ruling.choice, ruling.by.subject.clone());
    match control.store.rule(ruling, (control.clock)()).await? {
        Ruled::Done(items) => {
            control.withheld_changed.notify_one();
            if items.iter().any(|item| item.grant.is_some()) {
                control.grants_changed.notify_one();
            }
            let review = review.review.id;
            tracing::info!(
                review,
                items = items.len(),
                decided = choice.word(),
                by,
                "items of a review were decided"
            );
            let items = items.into_iter().map(|item| ShownItem { yours: false, item }).collect();
            Ok(Json(ShownItems { items, next: None }))
        }
        Ruled::Barred(bar @ Bar::Own(_)) => Err(Problem::forbidden(format!("{bar}; nothing was decided"))),
        Ruled::Barred(bar @ (Bar::Whole(_) | Bar::WhichPart(_))) => {
            Err(Problem::bad_request(format!("{bar}; nothing was decided")))
        }
        Ruled::Barred(bar @ Bar::NoItem(_)) => {
            Err(Problem::new(StatusCode::NOT_FOUND, format!("{bar}; nothing was decided")))
        }
        Ruled::Barred(bar @ Bar::Final(_)) => {
            Err(Problem::new(StatusCode::CONFLICT, format!("{bar}; nothing was decided")))
        }
        Ruled::Over(_) => Err(over()),
        Ruled::Unknown => Err(unknown()),
    }
}

fn check_part(part: &Part, choice: Choice) -> Result<(), Problem> {
    if choice != Choice::Reduce {
        return Err(Problem::bad_request("`part` goes with the choice `reduce` alone"));
    }
    for (name, list) in [("scopes", &part.scopes), ("models", &part.models), ("tools", &part.tools)] {
        if list.len() > GLOBS {
            return Err(Problem::bad_request(format!("`part.{name}` takes at most {GLOBS} entries")));
        }
        if let Some(why) = list.iter().find_map(|glob| Glob::new(glob).err()) {
            return Err(Problem::bad_request(format!(
                "an entry of `part.{name}` is no pattern of names: {why}"
            )));
        }
    }
    Ok(())
}

/// `POST /v1/reviews/{id}/close`.
pub async fn close(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ShownReview>, Problem> {
    person.needs("reviews.write")?;
    needs_operator(&person, &control, "a review is closed before its deadline by an operator")?;
    let by = decided_by(&control, &person, &body, false)?;
    match control.store.close_review(&id, by).await? {
        Closed::Done(_) => seen(&control, &person, &id).await.map(Json),
        Closed::Undecided(open) => {
            let detail = format!("{open} items are not decided; those who decide have until the deadline");
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Closed::Over(_) => Err(over()),
        Closed::Unknown => Err(unknown()),
    }
}

/// `GET /v1/reviews/{id}/evidence?format=json|csv`.
async fn evidence(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    person.needs("reviews.read")?;
    let ShownReview { review, progress, .. } = seen(&control, &person, &id).await?;
    let mut items: Vec<Item> = Vec::new();
    loop {
        let after = items.last().map_or(0, |item| item.n);
        let which = WhichItems { review: review.id.clone(), decided: None, after, limit: PAGE };
        let page = control.store.review_items(which).await?;
        let last = page.len() < PAGE as usize;
        items.extend(page);
        if last {
            break;
        }
    }
    match query.get("format").map(String::as_str) {
        None | Some("json") => {
            let evidence = Evidence { made_ms: (control.clock)(), review, progress, items };
            let signed = control.evidence.sign(&evidence).map_err(|error| {
                tracing::error!(%error, "evidence of a review cannot be written");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the evidence cannot be written; see the log")
            })?;
            Ok(Json(signed).into_response())
        }
        Some("csv") => {
            let mut table = evidence_head();
            items.iter().for_each(|item| table.push_str(&evidence_row(&review, item)));
            Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], table).into_response())
        }
        Some(_) => Err(Problem::bad_request("`format` takes json or csv")),
    }
}

/// Whoever asks, with the reason that they give.
pub(super) fn decided_by(
    control: &Control,
    person: &Person,
    body: &[u8],
    needed: bool,
) -> Result<DecidedBy, Problem> {
    let taking: Taking = if body.is_empty() {
        Taking::default()
    } else {
        serde_json::from_slice(body).map_err(|e| Problem::unreadable("a reason", &e))?
    };
    Ok(DecidedBy::new(&person.who(), (control.clock)(), reason(taking.reason, needed)?))
}

/// Whether reviews are anything to this person: they decide in one of the policy, or may look at all.
pub fn has_reviews(control: &Control, person: &Person) -> bool {
    let bundle = control.bundle.borrow();
    person.is_auditor(control)
        || person.is_operator(control)
        || bundle.policy.reviews.iter().any(|review| is_reviewer(person, &review.reviewers))
}

/// Refuses everyone but operators.
pub(super) fn needs_operator(person: &Person, control: &Control, why: &str) -> Result<(), Problem> {
    if person.is_operator(control) {
        return Ok(());
    }
    Err(Problem::forbidden(format!("{why}: the policy names their groups in `access.operators`")))
}

/// The review, if this person may see it.
async fn seen(control: &Control, person: &Person, id: &str) -> Result<ShownReview, Problem> {
    let found = control.store.review(id).await?;
    found.and_then(|(review, progress)| shown(control, person, review, progress)).ok_or_else(unknown)
}

fn shown(control: &Control, person: &Person, review: Review, progress: Progress) -> Option<ShownReview> {
    let decides = decides(control, person, &review);
    let sees = decides || person.is_auditor(control) || person.is_operator(control);
    sees.then_some(ShownReview { review, progress, decides })
}

/// Whether this person may decide: by the groups that the policy has now, where it still has the review, so that who was
/// taken out of them decides no more.
fn decides(control: &Control, person: &Person, review: &Review) -> bool {
    let bundle = control.bundle.borrow();
    match bundle.policy.reviews.iter().find(|own| own.name == review.name) {
        Some(now) => is_reviewer(person, &now.reviewers),
        None => is_reviewer(person, &review.reviewers),
    }
}

fn is_reviewer(person: &Person, reviewers: &[String]) -> bool {
    reviewers.iter().any(|group| person.0.groups.contains(group))
}

fn over() -> Problem {
    Problem::new(StatusCode::CONFLICT, "the review is over; what it decided stands until the next one")
}

fn unknown() -> Problem {
    let detail =
        "there is no review with this id that you may see; `sluice reviews ls` lists those that you may";
    Problem::new(StatusCode::NOT_FOUND, detail)
}
