//! What people decide in a review: certified at once with one reason; revoked and reduced after a second look, each with
//! its own.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use sluice_engine::policy::bundle::Part;

use super::failure::Failure;
use super::form::{Form, Sent};
use super::page;
use super::review::{self, Filter, Head, Row};
use super::shell::{Shell, Visitor};
use crate::http::{self, Control, Problem, ShownItem, Verdict};
use crate::records::text::clean_line;
use crate::reviews::{Choice, Item};

/// Items that are looked at a second time at once.
const AT_ONCE: usize = 200;

/// Items read in one go.
const READ: u32 = 1000;

#[derive(Template)]
#[template(path = "review_confirm.html")]
struct Page {
    shell: Shell,
    head: Head,
    filter: Filter,
    back: String,
    choice: &'static str,
    reduces: bool,
    asked: Vec<Asked>,
    count: usize,
    /// What the mark is set on that the eye begins at.
    focus: u32,
}

/// An item that would be taken back, or part of it.
struct Asked {
    row: Row,
    reason: String,
    parts: Vec<Kind>,
    /// Why it cannot be.
    barred: Option<&'static str>,
}

/// Entries of one kind that can be taken back.
struct Kind {
    name: &'static str,
    label: &'static str,
    entries: Vec<Entry>,
}

struct Entry {
    at: usize,
    glob: String,
    ticked: bool,
}

/// `POST /access/reviews/{id}/decisions`.
pub async fn decide(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Failure> {
    let filter = Filter::read(|name| form.text(name));
    match ruled(&visitor, &state, &id, &form, &filter).await {
        Ok(response) => Ok(response),
        Err(problem) => review::refused(&visitor, &state, &id, filter, problem).await,
    }
}

async fn ruled(
    visitor: &Visitor,
    state: &State<Arc<Control>>,
    id: &str,
    form: &Form,
    filter: &Filter,
) -> Result<Response, Problem> {
    let choice = match form.text("choice") {
        Some("certify") => Choice::Certify,
        Some("revoke") => Choice::Revoke,
        Some("reduce") => Choice::Reduce,
        _ => return Err(Problem::bad_request("choose to certify, to revoke or to reduce")),
    };
    let items = form.numbered("pick");
    if items.is_empty() {
        return Err(Problem::bad_request(
            "nothing was selected: tick the rows that you decide on, then decide",
        ));
    }
    let rulings = match choice {
        Choice::Certify => {
            let reason = form.text("reason").unwrap_or_default().to_owned();
            vec![Verdict { items: items.clone(), choice, part: None, reason }]
        }
        Choice::Revoke | Choice::Reduce => {
            if items.len() > AT_ONCE {
                let detail = format!("this is for at most {AT_ONCE} items at once; select fewer");
                return Err(Problem::bad_request(detail));
            }
            let chosen = chosen(visitor, state, id, &items).await?;
            if form.text("sure").is_none() {
                return confirm(visitor, state, id, choice, &chosen, filter).await;
            }
            each(choice, &chosen, form)?
        }
    };
    let mut done = 0;
    for verdict in rulings {
        let count = verdict.items.len();
        let body = serde_json::to_vec(&verdict).map_err(|_| Problem::bad_request("this cannot be sent"))?;
        let sent = http::reviews::decide(
            visitor.person.clone(),
            state.clone(),
            Path(id.to_owned()),
            Bytes::from(body),
        );
        match sent.await {
            Ok(_) => done += count,
            Err(problem) if done > 0 => {
                let detail = format!("{done} of {} are decided; then: {}", items.len(), problem.detail);
                return Err(Problem { detail, ..problem });
            }
            Err(problem) => return Err(problem),
        }
    }
    let place = filter.place(id, &[("done", choice.word()), ("items", &done.to_string())]);
    Ok(Redirect::to(&place).into_response())
}

/// The items of these numbers; those that there are.
async fn chosen(
    visitor: &Visitor,
    state: &State<Arc<Control>>,
    id: &str,
    numbers: &[u32],
) -> Result<Vec<ShownItem>, Problem> {
    let mut chosen = Vec::with_capacity(numbers.len());
    let mut left = numbers;
    while let Some(first) = left.first() {
        let asked = [("after", first.saturating_sub(1)), ("limit", READ)];
        let query = http::query(asked.map(|(name, value)| (name, value.to_string())));
        let person = visitor.person.clone();
        let found = http::reviews::items(person, state.clone(), Path(id.to_owned()), query).await?;
        let Json(found) = found;
        let Some(last) = found.items.last().map(|shown| shown.item.n) else { break };
        chosen.extend(found.items.into_iter().filter(|shown| left.contains(&shown.item.n)));
        left = left.get(left.partition_point(|n| *n <= last)..).unwrap_or_default();
    }
    Ok(chosen)
}

/// What each item comes to, as the second look sent it; what has the same reason and the same part goes together.
fn each(choice: Choice, chosen: &[ShownItem], form: &Form) -> Result<Vec<Verdict>, Problem> {
    let mut rulings: Vec<Verdict> = Vec::new();
    for ShownItem { item, .. } in chosen {
        let who = clean_line(&item.subject);
        let reason = form.text(&format!("reason-{}", item.n)).ok_or_else(|| {
            Problem::bad_request(format!(
                "item {} ({who}) has no reason; nothing was decided: select the items again, and say why for each",
                item.n
            ))
        })?;
        let part = (choice == Choice::Reduce).then(|| part_of(item, form));
        if part.as_ref().is_some_and(Part::is_empty) {
            return Err(Problem::bad_request(format!(
                "nothing was ticked for item {} ({who}); nothing was decided: select the items again, and say what is \
                 taken back of each",
                item.n
            )));
        }
        match rulings.iter_mut().find(|own| own.reason == reason && own.part == part) {
            Some(same) => same.items.push(item.n),
            None => rulings.push(Verdict { items: vec![item.n], choice, part, reason: reason.to_owned() }),
        }
    }
    Ok(rulings)
}

/// Which entries of each kind were ticked or written.
fn part_of(item: &Item, form: &Form) -> Part {
    let [models, tools, scopes] = kinds(item).map(|(name, _, entries, _)| {
        let n = item.n;
        let ticked = entries.iter().enumerate();
        let ticked = ticked.filter(|(at, _)| form.text(&format!("{name}-{n}-{at}")).is_some());
        let mut part: Vec<String> = ticked.map(|(_, glob)| glob.clone()).collect();
        let written = form.text(&format!("{name}-{n}")).unwrap_or_default();
        part.extend(written.split(',').map(str::trim).filter(|glob| !glob.is_empty()).map(str::to_owned));
        part
    });
    Part { scopes, models, tools }
}

type Kinds<'a> = [(&'static str, &'static str, &'a [String], &'a [String]); 3];

/// Models, tools and scopes of a right, and which of them are suggested to be taken back.
fn kinds(item: &Item) -> Kinds<'_> {
    let right = &item.right;
    let part = item.suggestion.part.as_ref();
    let tools = right.tools.as_deref().unwrap_or_default();
    [
        ("model", "Models", &right.models, part.map_or(&[], |part| &part.models)),
        ("tool", "Tools", tools, part.map_or(&[], |part| &part.tools)),
        ("scope", "Endpoints", &right.scopes, part.map_or(&[], |part| &part.scopes)),
    ]
}

async fn confirm(
    visitor: &Visitor,
    state: &State<Arc<Control>>,
    id: &str,
    choice: Choice,
    chosen: &[ShownItem],
    filter: &Filter,
) -> Result<Response, Problem> {
    let now = (state.clock)();
    let head = review::head(visitor, state, id).await?;
    let reduces = choice == Choice::Reduce;
    let sees_all = visitor.sees_all(state);
    let asked: Vec<Asked> = chosen.iter().map(|shown| asked(shown, choice, sees_all, now)).collect();
    let open = || asked.iter().filter(|asked| asked.barred.is_none());
    let (verb, past) = if reduces { ("Reduce", "reduce") } else { ("Revoke", "revoke") };
    Ok(page(&Page {
        shell: visitor.access(state, format!("{verb} in review {}", head.name), "/access/reviews"),
        back: filter.place(id, &[]),
        choice: past,
        reduces,
        count: open().count(),
        focus: open().find(|asked| asked.reason.is_empty()).map_or(0, |asked| asked.row.n),
        filter: filter.clone(),
        asked,
        head,
    }))
}

fn asked(shown: &ShownItem, choice: Choice, sees_all: bool, now: u64) -> Asked {
    let item = &shown.item;
    let reduces = choice == Choice::Reduce;
    let barred = if shown.yours {
        Some("This is about you: someone else decides it.")
    } else if reduces && item.grant.is_some() {
        Some("A grant has an end of its own and no parts: certify it, or revoke it.")
    } else {
        None
    };
    // What the figures say is a reason, where they say the same; people may say it better.
    let reason =
        if item.suggestion.choice == Some(choice) { item.suggestion.why.clone() } else { String::new() };
    let kind = |(name, label, entries, taken): (&'static str, &'static str, &[String], &[String])| Kind {
        name,
        label,
        entries: entries
            .iter()
            .enumerate()
            .map(|(at, glob)| Entry { at, glob: clean_line(glob), ticked: taken.contains(glob) })
            .collect(),
    };
    Asked {
        row: review::row(shown, sees_all, now),
        reason: clean_line(&reason),
        parts: if reduces && barred.is_none() { kinds(item).map(kind).into() } else { Vec::new() },
        barred,
    }
}
