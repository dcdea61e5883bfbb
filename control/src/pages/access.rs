//! Rights with an end: asked for, decided, taken back.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use serde_json::json;
use sluice_engine::policy::document::Duration;

use super::failure::Failure;
use super::form::Sent;
use super::page;
use super::shell::{Shell, Visitor};
use super::when::When;
use crate::grants::{Grant, GrantState};
use crate::http::{self, Control};
use crate::records::text::clean_line;

#[derive(Template)]
#[template(path = "access.html")]
struct Page {
    shell: Shell,
    offered: Vec<Offer>,
    waiting: Vec<Row>,
    live: Vec<Row>,
    over: Vec<Row>,
}

struct Offer {
    name: String,
    roles: String,
    longest: String,
    break_glass: bool,
    approvers: String,
}

struct Row {
    id: String,
    name: String,
    roles: String,
    who: String,
    reason: String,
    state: &'static str,
    tone: &'static str,
    asked: When,
    ends: When,
    lasts: String,
    decided: String,
    break_glass: bool,
    may_decide: bool,
    may_revoke: bool,
    needs_reason: bool,
}

/// `GET /access`.
pub async fn show(visitor: Visitor, state: State<Arc<Control>>) -> Result<Response, Failure> {
    let shell = visitor.access(&state, "Access", "/access");
    let now = (state.clock)();
    let Json(offered) = http::grants::offered(visitor.person.clone(), state.clone()).await?;
    let most = http::query([("limit", "300")]);
    let Json(shown) = http::grants::list(visitor.person.clone(), state.clone(), most).await?;
    let who = visitor.person.who();
    let given = state.store.delegations_to(&who, now).await?;
    let operator = visitor.person.is_operator(&state);
    let (mut waiting, mut live, mut over) = (Vec::new(), Vec::new(), Vec::new());
    for grant in &shown.grants {
        let mut row = row(grant, now);
        row.may_decide =
            grant.state == GrantState::Waiting && grant.terms().standing(&who, true, &given, now).is_ok();
        row.may_revoke = matches!(grant.state, GrantState::Waiting | GrantState::Live)
            && (grant.is_of(&who) || grant.terms().is_for(&who, &given, now) || operator);
        match grant.state {
            GrantState::Waiting => waiting.push(row),
            GrantState::Live => live.push(row),
            _ => over.push(row),
        }
    }
    let offered = offered.offered.iter().map(|offer| Offer {
        name: clean_line(&offer.name),
        roles: clean_line(&offer.roles.join(", ")),
        longest: offer.longest.to_string(),
        break_glass: offer.break_glass,
        approvers: offer.approval.as_ref().map(|by| clean_line(&by.groups.join(", "))).unwrap_or_default(),
    });
    let offered = offered.collect();
    Ok(page(&Page { shell, offered, waiting, live, over }))
}

fn row(grant: &Grant, now: u64) -> Row {
    let by = grant.revoked.as_ref().or(grant.decided.as_ref());
    let decided = by.map(|by| {
        let reason =
            by.reason.as_deref().map(|reason| format!(": {}", clean_line(reason))).unwrap_or_default();
        format!("by {}{reason}", clean_line(&by.subject))
    });
    let tone = match grant.state {
        GrantState::Waiting => "hold",
        GrantState::Live => "allow",
        GrantState::Denied | GrantState::Revoked => "deny",
        GrantState::Expired | GrantState::Ended => "",
    };
    Row {
        id: grant.id.clone(),
        name: clean_line(&grant.name),
        roles: clean_line(&grant.roles.join(", ")),
        who: clean_line(&grant.who.subject),
        reason: clean_line(&grant.reason),
        state: grant.state.word(),
        tone,
        asked: When::new(grant.created_ms, now),
        ends: When::new(grant.ends_ms, now),
        lasts: Duration::seconds(grant.seconds).to_string(),
        decided: decided.unwrap_or_default(),
        break_glass: grant.break_glass,
        may_decide: false,
        may_revoke: false,
        needs_reason: grant.needs_reason,
    }
}

/// `POST /access/grants`: a wish.
pub async fn request(state: State<Arc<Control>>, Sent { visitor, form }: Sent) -> Result<Redirect, Failure> {
    let wish = json!({
        "name": form.text("name").unwrap_or_default(), "reason": form.text("reason").unwrap_or_default(),
        "seconds": form.seconds("for")?,
    });
    let _created = http::grants::request(visitor.person, state, Bytes::from(wish.to_string())).await?;
    Ok(Redirect::to("/access"))
}

/// `POST /access/grants/{id}/decision`.
pub async fn decide(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Redirect, Failure> {
    let approve = form.text("verdict") == Some("approve");
    let ruling = json!({"approve": approve, "reason": form.text("reason")}).to_string();
    let _decided = http::grants::decide(visitor.person, state, Path(id), Bytes::from(ruling)).await?;
    Ok(Redirect::to("/access"))
}

/// `POST /access/grants/{id}/revoke`.
pub async fn revoke(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Redirect, Failure> {
    let taking = json!({"reason": form.text("reason")}).to_string();
    let _revoked = http::grants::revoke(visitor.person, state, Path(id), Bytes::from(taking)).await?;
    Ok(Redirect::to("/access"))
}
