//! Tokens as they come in, JWTs or opaque ones: who they speak for. Filters ask here about those that they cannot read.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use sluice_engine::identity::Verified;
use sluice_engine::wire::{self, Introspect, Introspected};

use super::sidecars::DataPlane;
use super::{Control, Problem, area};
use crate::approvals::Vouched;
use crate::tokens::introspection::Unverified;

/// The routes of this area.
pub fn routes() -> Router<Arc<Control>> {
    area(Router::new().route(wire::INTROSPECT, post(introspect)), Router::new())
}

/// `POST /v1/introspect`.
async fn introspect(
    _: DataPlane,
    State(control): State<Arc<Control>>,
    body: Bytes,
) -> Result<Json<Introspected>, Problem> {
    let Introspect { token } =
        serde_json::from_slice(&body).map_err(|e| Problem::unreadable("a question about a token", &e))?;
    match verified(&control, &token).await {
        Ok(verified) => {
            let mut principal = verified.principal;
            let bundle = control.bundle.borrow();
            let asked = bundle.policy.issuers.iter().find(|own| own.name == principal.issuer);
            if let Some(introspection) = asked.and_then(|own| own.introspection.as_ref()) {
                let longest = (control.clock)().saturating_add(introspection.longest.as_millis());
                principal.expires_ms = principal.expires_ms.min(longest);
            }
            Ok(Json(Introspected::Active(principal)))
        }
        Err(Unverified::Refused(why)) => {
            Ok(Json(Introspected::Refused { rule: why.rule().to_owned(), message: why.to_string() }))
        }
        Err(Unverified::Away) => Err(away()),
    }
}

/// Who a token speaks for.
pub async fn verified(control: &Control, token: &str) -> Result<Verified, Unverified> {
    let bundle = Arc::clone(&control.bundle.borrow());
    if !bundle.people.is_to_be_asked_about(token) {
        return Ok(bundle.people.read(token, (control.clock)())?);
    }
    let (issuer, answer) = control.introspector.ask(&bundle.policy, token).await?;
    // As it is now: what was revoked meanwhile counts.
    let people = &control.bundle.borrow().people;
    Ok(people.introspected(&issuer, token, &answer, (control.clock)())?)
}

/// Who a person is by their token.
///
/// What their issuer says of them there is remembered. Not so with tokens of agents, which are exchanged or go through
/// sidecars: an issuer may leave groups out of those.
pub async fn of_person(control: &Control, token: &str) -> Result<Verified, Problem> {
    let verified = verified(control, token).await.map_err(|why| match why {
        Unverified::Refused(why) => Problem::new(StatusCode::UNAUTHORIZED, why.to_string()),
        Unverified::Away => away(),
    })?;
    let vouched = Vouched::of(&verified.principal, &verified.lineage);
    if let Some(vouched) = vouched.filter(|vouched| control.heard.is_news(vouched)) {
        match control.store.hear(vouched.clone(), (control.clock)()).await {
            Ok(()) => control.heard.keep(vouched),
            // Who they are is known all the same; whatever would rest on it must be written, too.
            Err(error) => tracing::warn!(%error, "what an issuer says of a person was not written down"),
        }
    }
    Ok(verified)
}

fn away() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "the issuer of this token cannot be asked about it now; try again, and see the log of the service",
    )
}
