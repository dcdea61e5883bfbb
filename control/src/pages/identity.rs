//! One identity: what it has and through what, what of it was used, what was taken back and shut out.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use serde_json::json;
use sluice_engine::identity::same_person;
use sluice_engine::policy::bundle::Revocation;

use super::failure::Failure;
use super::form::Sent;
use super::identities::{Shown, shown};
use super::number::count;
use super::page;
use super::shell::{Shell, Visitor, own};
use super::when::When;
use crate::grants::{Grant, GrantState};
use crate::http::{self, Control, Problem, Query};
use crate::records::text::{clean_line, short};
use crate::reviews::{Names, Right, Through, Withholding, told_part};
use crate::tokens::revocation::Revoked;

/// Grants, withholdings and revocations that are looked through.
const LOOKED_AT: &str = "1000";

#[derive(Template)]
#[template(path = "identity.html")]
struct Page {
    shell: Shell,
    who: String,
    issuer: String,
    yours: bool,
    groups: Vec<String>,
    seen: Option<Seen>,
    since: Option<When>,
    sessions: Option<String>,
    rights: Vec<Row>,
    lists: Vec<List>,
    grants: Vec<Held>,
    taken: Vec<Taken>,
    /// Whether this person may see what was shut out.
    sees_all: bool,
    shut: Vec<Shut>,
    may_lift: bool,
}

struct Seen {
    first: When,
    last: When,
    exchanges: String,
    denied: u64,
    held: u64,
    findings: String,
}

/// A role that it has.
struct Row {
    role: Shown,
    through: Vec<String>,
    used: Option<(String, When)>,
    parts: Vec<Part>,
    taken: Vec<String>,
}

/// What a role gives of one kind.
struct Part {
    label: &'static str,
    names: Vec<(String, bool)>,
}

/// What was used of one kind.
struct List {
    label: &'static str,
    rows: Vec<(String, String, When)>,
    more: bool,
}

struct Held {
    name: String,
    roles: String,
    state: &'static str,
    tone: &'static str,
    reason: String,
    ends: When,
    by: String,
}

struct Taken {
    id: String,
    role: String,
    part: String,
    review: String,
    by: String,
    at: When,
    reason: String,
}

struct Shut {
    what: String,
    by: String,
    reason: String,
    at: When,
}

/// `GET /access/identity?issuer=&subject=`: of whoever asks, where none is named.
pub async fn show(visitor: Visitor, state: State<Arc<Control>>, query: Query) -> Result<Response, Failure> {
    let now = (state.clock)();
    let me = visitor.person.who();
    let named = |name: &str| query.get(name).filter(|text| !text.is_empty()).cloned();
    let (issuer, subject) = match named("subject") {
        Some(subject) => (named("issuer"), subject),
        None => (Some(me.issuer.clone()), me.subject.clone()),
    };
    let wanted = [("issuer", issuer), ("subject", Some(subject)), ("limit", Some("2".into()))];
    let wanted = http::query(wanted.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let person = visitor.person.clone();
    let Json(found) = http::access::list(person.clone(), state.clone(), wanted).await?;
    let mut identities = found.identities.into_iter();
    let access = match (identities.next(), identities.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) => {
            return Err(
                Problem::bad_request("several issuers have this subject; name one in `issuer`").into()
            );
        }
        (None, _) => {
            return Err(Problem::new(
                axum::http::StatusCode::NOT_FOUND,
                "there is nobody of this name: neither the record, nor a binding, nor a grant has it",
            )
            .into());
        }
    };
    let is_it =
        |issuer: &str, subject: &str| (issuer, subject) == (access.issuer.as_str(), access.subject.as_str());
    let limit = || http::query([("limit", LOOKED_AT)]);
    let Json(grants) = http::grants::list(person.clone(), state.clone(), limit()).await?;
    let grants = grants.grants.iter().filter(|grant| is_it(&grant.who.issuer, &grant.who.subject));
    let Json(withheld) = http::withheld::list(person.clone(), state.clone()).await?;
    let of_them = |taken: &&Withholding| {
        taken.withheld.issuer == access.issuer && same_person(&taken.withheld.subject, &access.subject)
    };
    let sees_all = visitor.sees_all(&state);
    let shut = if sees_all {
        http::revocations::list(person.clone(), state.clone(), limit()).await?.0.revocations
    } else {
        Vec::new()
    };
    let yours = same_person(&access.subject, &me.subject);
    let used = access.used.as_ref();
    let lists = used.map(|used| {
        [
            ("Models", &used.models),
            ("Tools", &used.tools),
            ("MCP servers", &used.servers),
            ("Endpoints", &used.routes),
            ("Groups in tokens", &used.seen_groups),
        ]
        .map(|(label, names)| list(label, names, now))
    });
    let sessions = serde_urlencoded::to_string([("person", &access.subject)]).ok();
    let shell_title = clean_line(&access.subject);
    let tab = if sees_all { "/access/identities" } else { "/access/identity" };
    Ok(page(&Page {
        shell: visitor.access(&state, shell_title.clone(), tab),
        who: shell_title,
        issuer: clean_line(&access.issuer),
        yours,
        groups: match used {
            Some(used) => used.groups.iter().map(|group| clean_line(group)).collect(),
            None if yours => me.groups.iter().map(|group| clean_line(group)).collect(),
            None => Vec::new(),
        },
        seen: used.map(|used| Seen {
            first: When::new(used.first_ms, now),
            last: When::new(used.last_ms, now),
            exchanges: count(used.exchanges),
            denied: used.denied,
            held: used.held,
            findings: count(used.findings),
        }),
        since: found.since_ms.map(|ms| When::new(ms, now)),
        sessions: sessions.filter(|_| visitor.person.is_auditor(&state)),
        rights: access.rights.iter().map(|right| row(right, now)).collect(),
        lists: lists.into_iter().flatten().filter(|list| !list.rows.is_empty()).collect(),
        grants: grants.map(|grant| held(grant, now)).collect(),
        taken: withheld.withheld.iter().filter(of_them).map(|taken| of_taken(taken, now)).collect(),
        sees_all,
        shut: shut.iter().filter(|one| is_about(one, &is_it)).map(|one| of_shut(one, now)).collect(),
        may_lift: visitor.person.is_operator(&state) && !yours,
    }))
}

fn row(right: &Right, now: u64) -> Row {
    let through = right.through.iter().map(|through| match through {
        Through::Group { binding, group } => format!("group {group} (binding {binding})"),
        Through::Subject { binding } => format!("by name (binding {binding})"),
        Through::Grant { until_ms, .. } => format!("a grant that ends {}", When::new(*until_ms, now).near),
    });
    let part = |label, entries: &[String], unused: &[String]| Part {
        label,
        names: entries
            .iter()
            .map(|entry| (short(&clean_line(entry), 60), right.used.is_some() && unused.contains(entry)))
            .collect(),
    };
    let tools = match &right.tools {
        Some(tools) => part("Tools", tools, &right.unused.tools),
        None => Part { label: "Tools", names: vec![("all".into(), false)] },
    };
    let mut parts = vec![
        part("Models", &right.models, &right.unused.models),
        tools,
        part("Endpoints", &right.scopes, &right.unused.scopes),
    ];
    parts.retain(|part| !part.names.is_empty());
    let taken = right.withheld.iter().filter_map(|taken| taken.part.as_ref());
    Row {
        role: shown(right),
        through: through.map(|text| clean_line(&text)).collect(),
        used: right.used.map(|used| (count(used.count), When::new(used.last_ms, now))),
        parts,
        taken: taken.map(|part| clean_line(&told_part(part))).collect(),
    }
}

fn list(label: &'static str, names: &Names, now: u64) -> List {
    let mut rows: Vec<_> = names.names.iter().collect();
    rows.sort_by_key(|(_, used)| std::cmp::Reverse(used.last_ms));
    let row = |(name, used): (&String, &crate::reviews::Use)| {
        (clean_line(name), count(used.count), When::new(used.last_ms, now))
    };
    List { label, rows: rows.into_iter().map(row).collect(), more: names.more.is_some() }
}

fn held(grant: &Grant, now: u64) -> Held {
    let tone = match grant.state {
        GrantState::Waiting => "hold",
        GrantState::Live => "allow",
        GrantState::Denied | GrantState::Revoked => "deny",
        GrantState::Expired | GrantState::Ended => "",
    };
    let by = grant.revoked.as_ref().or(grant.decided.as_ref());
    Held {
        name: clean_line(&grant.name),
        roles: clean_line(&grant.roles.join(", ")),
        state: grant.state.word(),
        tone,
        reason: clean_line(&grant.reason),
        ends: When::new(grant.ends_ms, now),
        by: by.map(|by| clean_line(&by.subject)).unwrap_or_default(),
    }
}

fn of_taken(taken: &Withholding, now: u64) -> Taken {
    Taken {
        id: taken.withheld.id.clone(),
        role: clean_line(&taken.withheld.role),
        part: taken.withheld.part.as_ref().map(|part| clean_line(&told_part(part))).unwrap_or_default(),
        review: taken.review.clone(),
        by: clean_line(taken.by.as_ref().map_or("nobody, by the deadline", |(_, who)| who.as_str())),
        at: When::new(taken.at_ms, now),
        reason: clean_line(&taken.reason),
    }
}

fn is_about(revoked: &Revoked, is_it: &impl Fn(&str, &str) -> bool) -> bool {
    let holder = revoked.holder.as_ref().is_some_and(|holder| is_it(&holder.issuer, &holder.subject));
    holder || matches!(&revoked.what, Revocation::Subject { issuer, subject, .. } if is_it(issuer, subject))
}

fn of_shut(revoked: &Revoked, now: u64) -> Shut {
    Shut {
        what: match &revoked.what {
            Revocation::Subject { before_ms, .. } => {
                format!("everything issued before {}", When::new(*before_ms, now).full)
            }
            Revocation::Token { id, .. } => format!("the token {}", short(&clean_line(id), 40)),
        },
        by: if revoked.is_by_holder() { "themselves".into() } else { clean_line(&revoked.by.subject) },
        reason: clean_line(revoked.reason.as_deref().unwrap_or_default()),
        at: When::new(revoked.at_ms, now),
    }
}

/// `POST /access/withheld/{id}/lift`: gives back what a review has taken.
pub async fn lift(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Redirect, Failure> {
    let why = json!({"reason": form.text("reason")}).to_string();
    let _lifted = http::withheld::lift(visitor.person, state, Path(id), Bytes::from(why)).await?;
    Ok(Redirect::to(own(form.text("back"))))
}
