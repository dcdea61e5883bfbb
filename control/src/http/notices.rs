//! Notices: which channels can be told, what became of deliveries, tests.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sluice_engine::policy::document::Receiver;

use super::auth::Person;
use super::{Control, Problem, Query, area, limit};
use crate::notices::{Delivery, DeliveryState, Notice};
use crate::store::Retried;

/// Channels and deliveries as they are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownNotices {
    /// The channels of the policy.
    pub channels: Vec<ChannelState>,
    /// Deliveries, the newest first.
    pub notices: Vec<Listed>,
}

/// How a channel stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChannelState {
    /// Its name.
    pub name: String,
    /// What receives there.
    pub to: Receiver,
    /// What keeps it from being told; absent: nothing that can be seen from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A delivery as it is listed, without what it tells: who operates need not see what others decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its id, `webhook-id` for its receiver.
    pub id: String,
    /// The channel.
    pub channel: String,
    /// What it tells of: `hold.opened`, ..., or `test`.
    pub event: String,
    /// The hold or grant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// How it stands.
    pub state: DeliveryState,
    /// When it was made, in Unix milliseconds.
    pub created_ms: u64,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next, or came to its end.
    pub due_ms: u64,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl From<Delivery> for Listed {
    fn from(delivery: Delivery) -> Self {
        Self {
            event: delivery.notice.kind().to_owned(),
            about: delivery.notice.id,
            id: delivery.id,
            channel: delivery.channel,
            state: delivery.state,
            created_ms: delivery.created_ms,
            tries: delivery.tries,
            due_ms: delivery.due_ms,
            trouble: delivery.trouble,
        }
    }
}

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new()
        .route("/v1/notices", get(list))
        .route("/v1/notices/{id}", get(show))
        .route("/v1/notices/{id}/retry", post(retry))
        .route("/v1/notices/{id}/test", post(test));
    area(Router::new(), people)
}

/// `GET /v1/notices?state=dead&limit=100`.
pub async fn list(
    person: Person,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Json<ShownNotices>, Problem> {
    needs_operator(&person, &control, "notices.read")?;
    let state = match query.get("state").map(String::as_str) {
        None | Some("all") => None,
        Some(word) => Some(
            DeliveryState::read(word)
                .ok_or_else(|| Problem::bad_request("`state` takes waiting, delivered, dead or all"))?,
        ),
    };
    let notices = control.store.deliveries(state, limit(&query)?).await?;
    let policy = control.bundle.borrow().policy.notices.clone();
    let mut channels = Vec::with_capacity(policy.len());
    for channel in policy {
        let fault = control.channels.fault(&channel).await;
        channels.push(ChannelState { name: channel.name, to: channel.to, fault });
    }
    Ok(Json(ShownNotices { channels, notices: notices.into_iter().map(Listed::from).collect() }))
}

/// `GET /v1/notices/{id}`.
pub async fn show(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Listed>, Problem> {
    needs_operator(&person, &control, "notices.read")?;
    let delivery = control.store.delivery(&id).await?.ok_or_else(unknown)?;
    Ok(Json(delivery.into()))
}

/// `POST /v1/notices/{id}/retry`.
pub async fn retry(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Json<Listed>, Problem> {
    needs_operator(&person, &control, "notices.write")?;
    match control.store.retry_delivery(&id, (control.clock)()).await? {
        Retried::Done(delivery) => {
            tracing::info!(delivery = id, by = person.0.subject, "a dead notice is tried again");
            Ok(Json(delivery.into()))
        }
        Retried::NotDead(delivery) => {
            let detail = format!(
                "the notice is {}: only a dead one is tried again by hand, one that waits is tried by itself",
                delivery.state.word()
            );
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Retried::Unknown => Err(unknown()),
    }
}

/// `POST /v1/notices/{id}/test`, where the id is a channel's name.
pub async fn test(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(channel): Path<String>,
) -> Result<(StatusCode, Json<Listed>), Problem> {
    needs_operator(&person, &control, "notices.write")?;
    if !control.bundle.borrow().policy.notices.iter().any(|own| own.name == channel) {
        let detail = "the policy has no channel of this name; `sluice notices ls` lists those that it has";
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let now = (control.clock)();
    let delivery = control.store.add_delivery(&channel, Notice::test(now), now).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

fn needs_operator(person: &Person, control: &Control, scope: &str) -> Result<(), Problem> {
    person.needs(scope)?;
    if person.is_operator(control) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "notices are for operators: the policy names their groups in `access.operators`, and you are in none",
    ))
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no notice with this id; `sluice notices ls` lists them")
}
