//! Approvals for a time: what goes on without asking, of whom, until when; taken back.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use serde_json::json;

use super::failure::Failure;
use super::form::Sent;
use super::number::count;
use super::page;
use super::shell::{Shell, Visitor};
use super::voice::Ruled;
use super::when::When;
use crate::approvals::{Delegation, everywhere};
use crate::http::{Control, ShownPass, approvals, query};
use crate::records::text::clean_line;

/// Passes and delegations that a page asks for: as many as the API gives at once.
pub const ASKED: &str = "1000";

/// Of those that are over, the latest so many are shown.
pub const OVER: usize = 100;

#[derive(Template)]
#[template(path = "passes.html")]
struct Page {
    shell: Shell,
    /// Whether one was asked for by its id.
    one: bool,
    live: Vec<Row>,
    over: Vec<Row>,
    /// Those that are over and not shown.
    more: usize,
    /// Whether the policy lets anything be approved for a time.
    offered: bool,
    author: bool,
}

struct Row {
    id: String,
    who: String,
    rule: String,
    what: String,
    by: Vec<Ruled>,
    ends: When,
    used: Option<(String, When)>,
    /// The hold that was approved for a time, for whoever may see it.
    hold: Option<String>,
    /// Who took it back.
    revoked: Option<Ruled>,
    may_revoke: bool,
}

/// `GET /access/passes`.
pub async fn list(visitor: Visitor, state: State<Arc<Control>>) -> Result<Response, Failure> {
    let most = query([("limit", ASKED)]);
    let Json(shown) = approvals::passes(visitor.person.clone(), state.clone(), most).await?;
    draw(&visitor, &state, &shown.passes, false).await
}

/// `GET /access/passes/{id}`: one of them, as holds name it.
pub async fn show(
    visitor: Visitor,
    state: State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let Json(shown) = approvals::pass(visitor.person.clone(), state.clone(), Path(id)).await?;
    draw(&visitor, &state, &[shown], true).await
}

/// `POST /access/passes/{id}/revoke`.
pub async fn revoke(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Redirect, Failure> {
    let taking = json!({"reason": form.text("reason")}).to_string();
    let _revoked = approvals::revoke(visitor.person, state, Path(id), Bytes::from(taking)).await?;
    Ok(Redirect::to("/access/passes"))
}

async fn draw(
    visitor: &Visitor,
    control: &Arc<Control>,
    shown: &[ShownPass],
    one: bool,
) -> Result<Response, Failure> {
    let now = (control.clock)();
    let given = control.store.delegations_to(&visitor.person.who(), now).await?;
    let (live, over): (Vec<&ShownPass>, Vec<_>) = shown.iter().partition(|shown| shown.pass.is_live(now));
    let rows = |some: &[&ShownPass]| some.iter().map(|shown| row(shown, visitor, control, &given)).collect();
    let offered = everywhere(&control.bundle.borrow().policy).any(|approval| approval.grant_for.is_some());
    Ok(page(&Page {
        shell: visitor.access(control, "Passes", "/access/passes"),
        one,
        live: rows(&live),
        more: over.len().saturating_sub(OVER),
        over: rows(over.get(..OVER).unwrap_or(&over)),
        offered,
        author: visitor.person.is_author(control),
    }))
}

fn row(shown: &ShownPass, visitor: &Visitor, control: &Control, given: &[Delegation]) -> Row {
    let ShownPass { pass, used } = shown;
    let (now, person) = ((control.clock)(), &visitor.person);
    let sees_hold = pass.terms().is_for(&person.who(), given, now) || person.is_auditor(control);
    Row {
        id: pass.id.clone(),
        who: clean_line(&pass.who.subject),
        rule: clean_line(&pass.rule),
        what: clean_line(&pass.what()),
        by: pass.by.iter().map(|by| Ruled::new(by, now)).collect(),
        ends: When::new(pass.ends_ms, now),
        used: used.map(|used| (count(used.count), When::new(used.last_ms, now))),
        hold: sees_hold.then(|| pass.hold.clone()),
        revoked: pass.revoked.as_ref().map(|by| Ruled::new(by, now)),
        may_revoke: approvals::may_end(control, person, pass, given),
    }
}
