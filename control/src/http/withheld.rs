//! What reviews have taken back: listed, and given back.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::auth::Person;
use super::reviews::{decided_by, needs_operator};
use super::{Control, Problem, area};
use crate::reviews::Withholding;
use crate::store::Lifted;

/// What is withheld, as it is listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownWithheld {
    /// In the order of their ids.
    pub withheld: Vec<Withholding>,
}

pub fn routes() -> Router<Arc<Control>> {
    let people = Router::new()
        .route("/v1/access/withheld", get(list))
        .route("/v1/access/withheld/{id}/lift", post(lift));
    area(Router::new(), people)
}

/// `GET /v1/access/withheld`.
pub async fn list(
    person: Person,
    State(control): State<Arc<Control>>,
) -> Result<Json<ShownWithheld>, Problem> {
    person.needs("access.read")?;
    let mut withheld = control.store.withheld().await?;
    if person.needs_auditor_or_operator(&control).is_err() {
        let who = person.who();
        withheld.retain(|taken| taken.withheld.issuer == who.issuer && taken.withheld.subject == who.subject);
    }
    Ok(Json(ShownWithheld { withheld }))
}

/// `POST /v1/access/withheld/{id}/lift`.
pub async fn lift(
    person: Person,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Withholding>, Problem> {
    person.needs("access.write")?;
    needs_operator(&person, &control, "what a review took back is given back by an operator")?;
    let by = decided_by(&control, &person, &body, true)?;
    match control.store.lift(&id, by).await? {
        Lifted::Done(taken) => {
            control.withheld_changed.notify_one();
            let (by, subject) = (&person.0.subject, &taken.withheld.subject);
            tracing::warn!(
                withheld = id,
                by,
                subject,
                role = taken.withheld.role,
                "what a review took back was given back"
            );
            Ok(Json(*taken))
        }
        Lifted::Own => {
            Err(Problem::forbidden("it was taken back from yourself; someone else must give it back"))
        }
        Lifted::Unknown => {
            let detail = "nothing is withheld under this id; `sluice access withheld` lists what is";
            Err(Problem::new(StatusCode::NOT_FOUND, detail))
        }
    }
}
