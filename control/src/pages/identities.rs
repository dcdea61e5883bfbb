//! Who there is: what each identity has, beside what it used.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::failure::Failure;
use super::number::count;
use super::page;
use super::shell::{Shell, Visitor};
use super::when::When;
use crate::http::{self, Control, Query};
use crate::records::text::clean_line;
use crate::reviews::{Access, Right};

/// Identities of a page.
const PAGE: &str = "100";

#[derive(Template)]
#[template(path = "identities.html")]
struct Page {
    shell: Shell,
    search: String,
    group: String,
    role: String,
    roles: Vec<String>,
    asked: bool,
    since: Option<When>,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    query: String,
    who: String,
    issuer: String,
    roles: Vec<Shown>,
    last: Option<When>,
    exchanges: String,
    denied: u64,
    held: u64,
    findings: String,
}

/// A role among others.
pub struct Shown {
    pub name: String,
    /// `allow`: used; `hold`: never used; `deny`: taken back.
    pub tone: &'static str,
    pub state: &'static str,
}

/// `GET /access/identities?search=&group=&role=`.
pub async fn list(visitor: Visitor, state: State<Arc<Control>>, query: Query) -> Result<Response, Failure> {
    visitor.person.needs_auditor_or_operator(&state)?;
    let now = (state.clock)();
    let shell = visitor.access(&state, "Identities", "/access/identities");
    let asked = |name: &str| query.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
    let (search, group, role) = (asked("search"), asked("group"), asked("role"));
    let narrowed = [("search", &search), ("group", &group), ("role", &role)];
    let narrowed: Vec<(&str, &String)> = narrowed.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    let mut wanted = http::query(narrowed.iter().copied());
    for name in ["afterIssuer", "afterSubject"] {
        wanted.extend(query.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    wanted.insert("limit".into(), PAGE.into());
    let roles = state.bundle.borrow().policy.roles.iter().map(|role| clean_line(&role.name)).collect();
    let Json(found) = http::access::list(visitor.person, state, wanted).await?;
    let next = found.next.map(|(issuer, subject)| {
        let mut pairs = narrowed.clone();
        pairs.extend([("afterIssuer", &issuer), ("afterSubject", &subject)]);
        serde_urlencoded::to_string(pairs).unwrap_or_default()
    });
    Ok(page(&Page {
        shell,
        asked: !narrowed.is_empty(),
        roles,
        since: found.since_ms.map(|ms| When::new(ms, now)),
        rows: found.identities.iter().map(|access| row(access, now)).collect(),
        next,
        search,
        group,
        role,
    }))
}

fn row(access: &Access, now: u64) -> Row {
    let used = access.used.as_ref();
    let pairs = [("issuer", &access.issuer), ("subject", &access.subject)];
    Row {
        query: serde_urlencoded::to_string(pairs).unwrap_or_default(),
        who: clean_line(&access.subject),
        issuer: clean_line(&access.issuer),
        roles: access.rights.iter().map(shown).collect(),
        last: used.map(|used| When::new(used.last_ms, now)),
        exchanges: count(used.map_or(0, |used| used.exchanges)),
        denied: used.map_or(0, |used| used.denied),
        held: used.map_or(0, |used| used.held),
        findings: count(used.map_or(0, |used| used.findings)),
    }
}

/// A role, and whether it is used.
pub fn shown(right: &Right) -> Shown {
    let (tone, state) = if right.is_gone() {
        ("deny", "taken back")
    } else if right.used.is_none() {
        ("hold", "never used")
    } else {
        ("allow", "")
    };
    Shown { name: clean_line(&right.role), tone, state }
}
