//! `/device`: where a person who is signed in types the code of a device, sees what asks and what it would get, and lets it in
//! or refuses it (RFC 8628, section 3.3).
//!
//! A code in the address only saves the typing: nothing is let in before the person has seen what it is about and pressed
//! the button (section 5.4). The pages stand alone, without the navigation: there is one thing to decide.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sluice_engine::policy::document::Duration;

use super::failure::{Failure, sentence};
use super::form::Sent;
use super::page;
use super::shell::{Shell, Visitor};
use super::when::When;
use crate::http::tokens::device::{Approver, Gets, ShownDevice, look as look_up, rule};
use crate::http::{Control, Problem, Query};
use crate::records::text::clean_line;

/// What the page is called until it is known which device it is about.
const ASK: &str = "Let a device in";

/// Where a code is typed.
#[derive(Template)]
#[template(path = "device_code.html")]
struct Ask {
    shell: Shell,
    typed: String,
    why: Option<String>,
}

/// What asks, and what it would get.
#[derive(Template)]
#[template(path = "device.html")]
struct Page {
    shell: Shell,
    issuer: String,
    code: String,
    client: Option<String>,
    address: Option<String>,
    asked: When,
    ends: When,
    gets: Option<Rights>,
    barred: Option<String>,
}

/// What a device would get, in words.
struct Rights {
    groups: String,
    scopes: Option<String>,
    lasts: String,
}

/// What came of it.
#[derive(Template)]
#[template(path = "device_done.html")]
struct Done {
    shell: Shell,
    approved: bool,
    code: String,
}

/// `GET /device`, with `user_code` once it is known.
pub async fn look(
    visitor: Visitor,
    State(control): State<Arc<Control>>,
    query: Query,
) -> Result<Response, Failure> {
    let typed = query.get("user_code").map(String::as_str).unwrap_or_default().trim();
    if typed.is_empty() {
        let shell = visitor.shell(&control, ASK, "");
        return Ok(page(&Ask { shell, typed: String::new(), why: None }));
    }
    let approver = Approver::visitor(visitor.person.clone(), visitor.lineage.clone());
    match look_up(&control, &approver, typed).await {
        Ok(device) => Ok(page(&shown(device, &visitor, &control))),
        Err(problem) => again(&visitor, &control, typed, problem),
    }
}

/// `POST /device`.
pub async fn decide(
    State(control): State<Arc<Control>>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Failure> {
    let typed = form.text("user_code").unwrap_or_default();
    let approved = match form.text("verdict") {
        Some("allow") => true,
        Some("deny") => false,
        _ => return Err(Problem::bad_request("`verdict` takes allow or deny; load the page again").into()),
    };
    let approver = Approver::visitor(visitor.person.clone(), visitor.lineage.clone());
    match rule(&control, approver, typed, approved).await {
        Ok(device) => {
            let title = if approved { "The device is in" } else { "The device was refused" };
            Ok(page(&Done { shell: visitor.shell(&control, title, ""), approved, code: device.user_code }))
        }
        Err(problem) => again(&visitor, &control, typed, problem),
    }
}

/// Asks for a code once more, where that is of use.
fn again(visitor: &Visitor, control: &Control, typed: &str, problem: Problem) -> Result<Response, Failure> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !matches!(status, StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS) {
        return Err(problem.into());
    }
    let shell = visitor.shell(control, ASK, "");
    // No code is longer, and nobody reads what stands behind it.
    let typed = clean_line(typed).chars().take(16).collect();
    Ok((status, page(&Ask { shell, typed, why: Some(sentence(&problem.detail)) })).into_response())
}

fn shown(device: ShownDevice, visitor: &Visitor, control: &Control) -> Page {
    let now = (control.clock)();
    Page {
        shell: visitor.shell(control, "Let this device in?", ""),
        issuer: clean_line(&visitor.person.0.issuer),
        code: device.user_code,
        client: device.client.as_deref().map(clean_line),
        address: device.address,
        asked: When::new(device.created_ms, now),
        ends: When::new(device.expires_ms, now),
        gets: device.gets.map(rights),
        barred: device.barred.as_deref().map(sentence),
    }
}

fn rights(gets: Gets) -> Rights {
    let token = Duration::seconds(gets.token_seconds);
    let lasts = match gets.sign_in_seconds {
        Some(seconds) => format!("{} from now, in tokens of {token} each", Duration::seconds(seconds)),
        None => format!("{token}, in one token"),
    };
    Rights {
        groups: clean_line(&gets.groups.join(", ")),
        scopes: gets.scopes.map(|scopes| clean_line(&scopes.join(", "))),
        lasts,
    }
}
