//! Sessions: found by who, what, when and what was said.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;

use super::failure::Failure;
use super::form::Sent;
use super::number::count;
use super::page;
use super::shell::{Shell, Visitor};
use super::when::When;
use crate::http::{self, Control, Query};
use crate::records::Report;
use crate::records::text::{clean_line, short};
use crate::store::Session;

/// Sessions of a page.
const PAGE: &str = "50";

/// What can be asked for: the query's name, the label, and an example.
const FIELDS: [(&str, &str, &str); 6] = [
    ("person", "Person", "ana@"),
    ("group", "Group", "writers"),
    ("model", "Model", "claude-sonnet-4-5"),
    ("tool", "Tool", "Bash"),
    ("rule", "Rule", "no-destruction"),
    ("finding", "Finding", "email"),
];

#[derive(Template)]
#[template(path = "sessions.html")]
struct Page {
    shell: Shell,
    text: String,
    fields: Vec<Field>,
    verdict: String,
    since: String,
    until: String,
    asked: bool,
    rows: Vec<Row>,
    next: Option<String>,
    searched: Option<String>,
}

struct Field {
    name: &'static str,
    label: &'static str,
    example: &'static str,
    value: String,
}

struct Row {
    id: String,
    shown: String,
    who: String,
    last: When,
    exchanges: String,
    denied: u64,
    held: u64,
    findings: String,
    tokens: String,
}

#[derive(Template)]
#[template(path = "verified.html")]
struct Verified {
    shell: Shell,
    report: Report,
    at: When,
}

/// `GET /sessions`.
pub async fn list(visitor: Visitor, state: State<Arc<Control>>, query: Query) -> Result<Response, Failure> {
    let now = (state.clock)();
    let asked = |name: &str| query.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
    let fields = FIELDS.map(|(name, label, example)| Field { name, label, example, value: asked(name) });
    let (text, verdict, since, until) = (asked("text"), asked("verdict"), asked("since"), asked("until"));
    let shell = visitor.shell(&state, "Sessions", "/sessions");
    let mut search = query.clone();
    search.insert("limit".into(), PAGE.into());
    let wanted: Vec<(&String, &String)> =
        query.iter().filter(|(name, value)| *name != "before" && !value.is_empty()).collect();
    let Json(found) = http::records::sessions(visitor.person, state, search).await?;
    let next = found.next.map(|next| {
        let mut pairs = wanted.clone();
        let before = "before".to_owned();
        pairs.push((&before, &next));
        serde_urlencoded::to_string(pairs).unwrap_or_default()
    });
    let searched = found.searched.map(|searched| {
        if searched.terms.is_empty() {
            return "What you ask for holds no word: words are made of letters and digits.".to_owned();
        }
        let behind = match searched.behind {
            0 => String::new(),
            behind => format!(" The last {} of the log are not in the index yet.", many_entries(behind)),
        };
        let terms: Vec<String> = searched.terms.iter().map(|term| clean_line(term)).collect();
        let common = match searched.common.as_slice() {
            [] => String::new(),
            common => format!(
                " So many texts have {} that only the latest count.",
                clean_line(&common.join(" and "))
            ),
        };
        format!("In the recorded texts, masked as they are: {}.{common}{behind}", terms.join(" and "))
    });
    let rows = found.sessions.iter().map(|session| row(session, now)).collect();
    let asked = !wanted.is_empty();
    let fields = fields.into();
    Ok(page(&Page { shell, text, fields, verdict, since, until, asked, rows, next, searched }))
}

fn many_entries(number: u64) -> String {
    if number == 1 { "entry".into() } else { format!("{} entries", count(number)) }
}

fn row(session: &Session, now: u64) -> Row {
    let who = if session.subject.is_empty() { "(not verified)".into() } else { clean_line(&session.subject) };
    Row {
        id: session.session.clone(),
        shown: short(&clean_line(&session.session), 13),
        who,
        last: When::new(session.last_ms, now),
        exchanges: count(session.exchanges),
        denied: session.denied,
        held: session.held,
        findings: count(session.findings),
        tokens: count(session.input_tokens.saturating_add(session.output_tokens)),
    }
}

/// `POST /sessions/verify`: the whole log, read and checked.
pub async fn verify(state: State<Arc<Control>>, Sent { visitor, .. }: Sent) -> Result<Response, Failure> {
    let now = (state.clock)();
    let shell = visitor.shell(&state, "The log", "/sessions");
    let Json(report) = http::records::verify(visitor.person, state, Bytes::new()).await?;
    Ok(page(&Verified { shell, report, at: When::new(now, now) }))
}
