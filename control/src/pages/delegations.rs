//! Rights to decide in the hands of others: given, listed, ended.

use std::collections::BTreeSet;
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
use super::passes::{ASKED, OVER};
use super::shell::{Shell, Visitor};
use super::voice::Ruled;
use super::when::When;
use crate::approvals::{Delegation, everywhere};
use crate::http::{self, Control, approvals};
use crate::records::text::clean_line;

#[derive(Template)]
#[template(path = "delegations.html")]
struct Page {
    shell: Shell,
    /// Groups of this person that may approve something: as they are, and as they are shown.
    groups: Vec<(String, String)>,
    /// Issuers of the policy, and whether each is this person's own.
    issuers: Vec<(String, bool)>,
    longest: String,
    live: Vec<Row>,
    over: Vec<Row>,
    /// Those that are over and not shown.
    more: usize,
}

struct Row {
    id: String,
    from: String,
    to: String,
    groups: String,
    reason: String,
    begun: When,
    ends: When,
    ended: Option<Ruled>,
    /// Whether this person gave it, or got it.
    part: &'static str,
    may_end: bool,
}

/// `GET /access/delegations`.
pub async fn list(visitor: Visitor, state: State<Arc<Control>>) -> Result<Response, Failure> {
    let now = (state.clock)();
    let query = http::query([("limit", ASKED)]);
    let Json(shown) = approvals::delegations(visitor.person.clone(), state.clone(), query).await?;
    let (live, over): (Vec<_>, Vec<_>) = shown.delegations.iter().partition(|given| given.is_live(now));
    let rows = |some: &[&Delegation]| some.iter().map(|given| row(given, &visitor, &state)).collect();
    let who = visitor.person.who();
    let (groups, issuers) = {
        let bundle = state.bundle.borrow();
        let approving: BTreeSet<&String> =
            everywhere(&bundle.policy).flat_map(|approval| &approval.groups).collect();
        let own = who.groups.iter().filter(|group| approving.contains(group));
        let groups = own.map(|group| (group.clone(), clean_line(group))).collect();
        let issuers = bundle.policy.issuers.iter().map(|one| (one.name.clone(), one.name == who.issuer));
        (groups, issuers.collect())
    };
    Ok(page(&Page {
        shell: visitor.access(&state, "Delegations", "/access/delegations"),
        groups,
        issuers,
        longest: Duration::seconds(Delegation::LONGEST).to_string(),
        live: rows(&live),
        more: over.len().saturating_sub(OVER),
        over: rows(over.get(..OVER).unwrap_or(&over)),
    }))
}

fn row(given: &Delegation, visitor: &Visitor, control: &Control) -> Row {
    let (now, who) = ((control.clock)(), visitor.person.who());
    Row {
        id: given.id.clone(),
        from: clean_line(&given.from.subject),
        to: clean_line(&given.subject),
        groups: clean_line(&given.groups.join(", ")),
        reason: clean_line(&given.reason),
        begun: When::new(given.created_ms, now),
        ends: When::new(given.ends_ms, now),
        ended: given.ended.as_ref().map(|by| Ruled::new(by, now)),
        part: match (given.is_from(&who), given.is_to(&who)) {
            (true, _) => "yours",
            (_, true) => "to you",
            _ => "",
        },
        may_end: approvals::has_part(control, &visitor.person, given),
    }
}

/// `POST /access/delegations`.
pub async fn give(state: State<Arc<Control>>, Sent { visitor, form }: Sent) -> Result<Redirect, Failure> {
    let numbers = form.numbered("group").into_iter();
    let groups: Vec<&str> = numbers.filter_map(|n| form.raw(&format!("group-{n}"))).collect();
    let handing = json!({
        "issuer": form.raw("issuer"), "subject": form.text("subject").unwrap_or_default(), "groups": groups,
        "seconds": form.seconds("for")?.unwrap_or_default(), "reason": form.text("reason").unwrap_or_default(),
    });
    let _given = approvals::delegate(visitor.person, state, Bytes::from(handing.to_string())).await?;
    Ok(Redirect::to("/access/delegations"))
}

/// `POST /access/delegations/{id}/end`.
pub async fn end(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Redirect, Failure> {
    let taking = json!({"reason": form.text("reason")}).to_string();
    let _ended = approvals::end(visitor.person, state, Path(id), Bytes::from(taking)).await?;
    Ok(Redirect::to("/access/delegations"))
}
