//! One access review: what is granted beside what was used, row by row.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;
use super::number::count;
use super::page;
use super::reviews::Far;
use super::shell::{Shell, Visitor};
use super::when::When;
use crate::http::{self, Control, Problem, Query, ShownItem, ShownReview};
use crate::records::text::{clean_line, short};
use crate::reviews::{Choice, Item, ReviewState, Suggestion, Through, told_part};

/// Items of a page.
const PAGE: usize = 100;

/// Names in one list of a row.
const NAMES: usize = 6;

#[derive(Template)]
#[template(path = "review.html")]
struct Page {
    shell: Shell,
    head: Head,
    notice: Option<Notice>,
    tabs: Vec<Tab>,
    filter: Filter,
    all_query: String,
    rows: Vec<Row>,
    next: Option<String>,
    /// How many of the rows this person may decide on.
    mine: usize,
}

/// A review, above its items.
pub struct Head {
    pub id: String,
    pub name: String,
    pub is_open: bool,
    pub far: Far,
    pub deadline: When,
    pub closed: When,
    pub started: When,
    pub by: String,
    pub reviewers: String,
    pub policy: String,
    pub since: String,
    pub decides: bool,
    pub operator: bool,
}

/// What came of what was sent.
pub struct Notice {
    /// `allow` or `deny`.
    pub tone: &'static str,
    /// In words.
    pub text: String,
}

struct Tab {
    label: &'static str,
    count: u64,
    query: String,
    here: bool,
}

/// Which items are looked at.
#[derive(Default, Clone)]
pub struct Filter {
    pub state: String,
    pub suggested: String,
    pub search: String,
    after: u32,
}

/// An item.
pub struct Row {
    pub n: u32,
    pub who: String,
    /// Whether the row before is about the same person.
    again: bool,
    /// The query of the identity's page, for those who may see it.
    identity: Option<String>,
    pub issuer: String,
    pub groups: String,
    pub yours: bool,
    pub role: String,
    pub through: String,
    pub is_grant: bool,
    lists: Vec<Names>,
    pub used: Option<(String, When)>,
    used_names: Vec<(&'static str, String)>,
    pub overall: Option<Overall>,
    pub suggested: &'static str,
    pub tone: &'static str,
    pub why: String,
    decision: Option<Decided>,
    pickable: bool,
    picked: bool,
}

/// What an identity did, with whatever role.
pub struct Overall {
    exchanges: String,
    denied: u64,
    held: u64,
    findings: String,
}

/// Names of one kind that a right gives, apart from those that were not used of late.
struct Names {
    label: &'static str,
    names: String,
    idle: String,
}

struct Decided {
    word: &'static str,
    tone: &'static str,
    part: String,
    by: String,
    at: When,
    reason: String,
}

impl Filter {
    /// As a query or a form has it.
    pub fn read<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Self {
        let text = |name: &str| field(name).unwrap_or_default().trim().to_owned();
        Self {
            state: text("state"),
            suggested: text("suggested"),
            search: text("search"),
            after: text("after").parse().unwrap_or(0),
        }
    }

    /// As a query, with some of it changed.
    fn query(&self, changed: &[(&str, &str)]) -> String {
        let after = if self.after == 0 { String::new() } else { self.after.to_string() };
        let own = [
            ("state", self.state.as_str()),
            ("suggested", &self.suggested),
            ("search", &self.search),
            ("after", &after),
        ];
        let mut pairs: Vec<(&str, &str)> = own
            .into_iter()
            .map(|(name, value)| {
                let new = changed.iter().find(|(other, _)| *other == name);
                (name, new.map_or(value, |(_, value)| *value))
            })
            .filter(|(_, value)| !value.is_empty())
            .collect();
        pairs.extend(changed.iter().filter(|(name, _)| !own.iter().any(|(known, _)| known == name)));
        serde_urlencoded::to_string(pairs).unwrap_or_default()
    }

    /// The place of these items.
    pub fn place(&self, review: &str, more: &[(&str, &str)]) -> String {
        format!("/access/reviews/{review}?{}", self.query(more))
    }
}

/// `GET /access/reviews/{id}?state=&suggested=&search=&after=&select=all&done=&items=`.
pub async fn show(
    visitor: Visitor,
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Failure> {
    let filter = Filter::read(|name| query.get(name).map(String::as_str));
    let all_picked = query.get("select").is_some_and(|select| select == "all");
    let done = query.get("done").zip(query.get("items").and_then(|items| items.parse::<u64>().ok()));
    let notice = done.and_then(|(done, items)| said(done, items));
    draw(&visitor, &state, &id, filter, notice, all_picked).await
}

/// What was done, of words that are known here: whoever writes a link puts no other into the page.
fn said(done: &str, items: u64) -> Option<Notice> {
    let choice = [Choice::Certify, Choice::Revoke, Choice::Reduce].into_iter();
    let choice = choice.into_iter().find(|choice| choice.word() == done)?;
    let many = if items == 1 { "1 item is".to_owned() } else { format!("{} items are", count(items)) };
    let then = match choice {
        Choice::Certify => "they stay as they are",
        Choice::Revoke | Choice::Reduce => "the sidecars refuse it within seconds",
    };
    let text = format!("{many} {done}: {then}. Until the review ends, you can decide otherwise.");
    Some(Notice { tone: "allow", text })
}

/// The page, after something went wrong: with what, and with the same items.
pub async fn refused(
    visitor: &Visitor,
    state: &State<Arc<Control>>,
    id: &str,
    filter: Filter,
    problem: Problem,
) -> Result<Response, Failure> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::NOT_FOUND || status.is_server_error() {
        return Err(problem.into());
    }
    let notice = Notice { tone: "deny", text: super::failure::sentence(&clean_line(&problem.detail)) };
    let shown = draw(visitor, state, id, filter, Some(notice), false).await?;
    Ok((status, shown).into_response())
}

async fn draw(
    visitor: &Visitor,
    state: &State<Arc<Control>>,
    id: &str,
    mut filter: Filter,
    notice: Option<Notice>,
    all_picked: bool,
) -> Result<Response, Failure> {
    let now = (state.clock)();
    let head = head(visitor, state, id).await?;
    // Who comes to decide sees what is left; where nothing is left, what was decided.
    if !["open", "certified", "revoked", "reduced", "all"].contains(&filter.state.as_str()) {
        filter.state = if head.far.open > 0 { "open" } else { "all" }.to_owned();
    }
    let asked = [
        ("state", filter.state.clone()),
        ("suggested", filter.suggested.clone()),
        ("search", filter.search.clone()),
        ("after", filter.after.to_string()),
        ("limit", PAGE.to_string()),
    ];
    let query = http::query(asked);
    let person = visitor.person.clone();
    let Json(found) = http::reviews::items(person, state.clone(), Path(id.to_owned()), query).await?;
    let sees_all = visitor.sees_all(state);
    let decides = head.decides && head.is_open;
    let mut rows: Vec<Row> = Vec::with_capacity(found.items.len());
    for shown in &found.items {
        let mut row = row(shown, sees_all, now);
        row.again = rows.last().is_some_and(|last| (&last.who, &last.issuer) == (&row.who, &row.issuer));
        row.pickable = decides && !row.yours;
        row.picked = row.pickable && all_picked;
        rows.push(row);
    }
    let far = &head.far;
    let tab = |(label, word, count): (&'static str, &'static str, u64)| Tab {
        label,
        count,
        query: filter.query(&[("state", word), ("after", "")]),
        here: filter.state == word,
    };
    let tabs = [
        ("Open", "open", far.open),
        ("Certified", "certified", far.certified),
        ("Reduced", "reduced", far.reduced),
        ("Revoked", "revoked", far.revoked),
        ("All", "all", far.all),
    ];
    let next = found.next.map(|next| filter.query(&[("after", &next.to_string())]));
    let shell = visitor.access(state, format!("Review {}", head.name), "/access/reviews");
    Ok(page(&Page {
        shell,
        notice,
        tabs: tabs.map(tab).into(),
        all_query: filter.query(&[("select", "all")]),
        mine: rows.iter().filter(|row| row.pickable).count(),
        rows,
        next,
        filter,
        head,
    }))
}

/// What stands above the items.
pub async fn head(visitor: &Visitor, state: &State<Arc<Control>>, id: &str) -> Result<Head, Problem> {
    let now = (state.clock)();
    let person = visitor.person.clone();
    let shown = http::reviews::show(person, state.clone(), Path(id.to_owned())).await?;
    let Json(ShownReview { review, progress, decides }) = shown;
    let by = review.started_by.as_ref().map(|(_, who)| format!("by {who}"));
    Ok(Head {
        is_open: review.state == ReviewState::Open && review.is_open(now),
        far: Far::of(&progress),
        deadline: When::new(review.deadline_ms, now),
        closed: When::new(review.closed_ms.unwrap_or(review.deadline_ms), now),
        started: When::new(review.started_ms, now),
        by: clean_line(&by.unwrap_or_else(|| "by itself, as it was due".into())),
        name: clean_line(&review.name),
        reviewers: clean_line(&review.reviewers.join(", ")),
        policy: review.policy_version.chars().take(12).collect(),
        since: review.since_ms.map(|ms| When::new(ms, now).full).unwrap_or_default(),
        decides,
        operator: visitor.person.is_operator(state),
        id: review.id,
    })
}

/// An item as it is shown.
pub fn row(shown: &ShownItem, sees_all: bool, now: u64) -> Row {
    let item = &shown.item;
    let identity = serde_urlencoded::to_string([("issuer", &item.issuer), ("subject", &item.subject)]);
    let (suggested, tone) = suggested(&item.suggestion);
    let seen = item.seen.as_ref();
    let used = seen.map(|seen| vec![("models", joined(&seen.models)), ("tools", joined(&seen.tools))]);
    Row {
        n: item.n,
        who: clean_line(&item.subject),
        again: false,
        identity: identity.ok().filter(|_| sees_all),
        issuer: clean_line(&item.issuer),
        groups: clean_line(&item.groups.join(", ")),
        yours: shown.yours,
        role: clean_line(&item.role),
        through: clean_line(&through(item, now)),
        is_grant: item.grant.is_some(),
        lists: lists(item),
        used: item.right.used.map(|used| (count(used.count), When::new(used.last_ms, now))),
        used_names: used.unwrap_or_default().into_iter().filter(|(_, names)| !names.is_empty()).collect(),
        overall: seen.map(|seen| Overall {
            exchanges: count(seen.exchanges),
            denied: seen.denied,
            held: seen.held,
            findings: count(seen.findings),
        }),
        suggested,
        tone,
        // Which part it is stands marked beside what is given.
        why: match item.suggestion.choice {
            Some(Choice::Reduce) => "part of it was not used in ninety days".into(),
            _ => clean_line(&item.suggestion.why),
        },
        decision: item.decision.as_ref().map(|decision| Decided {
            word: decision.choice.word(),
            tone: tone_of(decision.choice),
            part: decision.part.as_ref().map(|part| clean_line(&told_part(part))).unwrap_or_default(),
            by: clean_line(decision.by.as_ref().map_or("nobody", |(_, who)| who.as_str())),
            at: When::new(decision.at_ms, now),
            reason: clean_line(&decision.reason),
        }),
        pickable: false,
        picked: false,
    }
}

fn joined(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES).map(|name| short(&clean_line(name), 48)).collect();
    let more = if names.len() > NAMES { format!(", {} more", names.len() - NAMES) } else { String::new() };
    shown.join(", ") + &more
}

fn through(item: &Item, now: u64) -> String {
    let one = |through: &Through| match through {
        Through::Group { group, .. } => format!("group {group}"),
        Through::Subject { .. } => "by name".to_owned(),
        Through::Grant { until_ms, .. } => format!("a grant that ends {}", When::new(*until_ms, now).near),
    };
    item.right.through.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn lists(item: &Item) -> Vec<Names> {
    let (right, unused) = (&item.right, &item.right.unused);
    let list = |label, entries: &[String], unused: &[String]| {
        let (idle, used): (Vec<String>, Vec<String>) =
            entries.iter().cloned().partition(|entry| unused.contains(entry));
        Names { label, names: joined(&used), idle: joined(&idle) }
    };
    let tools = match &right.tools {
        Some(tools) => list("tools", tools, &unused.tools),
        None => Names { label: "tools", names: "all".into(), idle: String::new() },
    };
    let mut lists =
        vec![list("models", &right.models, &unused.models), tools, list("endpoints", &right.scopes, &[])];
    lists.retain(|list| !list.names.is_empty() || !list.idle.is_empty());
    lists
}

fn suggested(suggestion: &Suggestion) -> (&'static str, &'static str) {
    match suggestion.choice {
        Some(choice @ Choice::Certify) => ("certify", tone_of(choice)),
        Some(choice @ Choice::Revoke) => ("revoke", tone_of(choice)),
        Some(choice @ Choice::Reduce) => ("reduce", tone_of(choice)),
        None => ("", ""),
    }
}

fn tone_of(choice: Choice) -> &'static str {
    match choice {
        Choice::Certify => "allow",
        Choice::Revoke => "deny",
        Choice::Reduce => "hold",
    }
}
