//! Changes of policy that were proposed: what each would let more, and who accepts it.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::failure::{Failure, sentence};
use super::form::Sent;
use super::page;
use super::shell::{Shell, Visitor};
use super::text::{Markup, named};
use super::when::When;
use crate::approvals::DecidedBy;
use crate::http::proposals::{self, Refused};
use crate::http::{self, Control, Problem, Query};
use crate::proposals::{Act, FileChange, Line, Origin, Proposal, ProposalState, Whole};
use crate::records::text::{clean, clean_line, short};
use crate::trial::diff::{Change, Direction};

/// Lines of a change of texts that a page shows.
const LINES: usize = 3000;

#[derive(Template)]
#[template(path = "proposals.html")]
struct Page {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str, bool)>,
    state: &'static str,
    rows: Vec<Row>,
    author: bool,
    from_store: bool,
}

struct Row {
    id: String,
    by: String,
    at: When,
    reason: String,
    changes: usize,
    loosened: bool,
    cases: usize,
    state: &'static str,
    tone: &'static str,
    decided: String,
}

#[derive(Template)]
#[template(path = "proposal.html")]
struct One {
    shell: Shell,
    id: String,
    state: &'static str,
    tone: &'static str,
    is_open: bool,
    by: By,
    decided: Option<By>,
    base: u64,
    digest: String,
    version: String,
    loosened: bool,
    groups: Vec<Group>,
    warnings: Vec<Markup>,
    cases: usize,
    files: Vec<File>,
    /// Lines that are not shown.
    more: usize,
    /// What this person may do; absent: why they may do nothing.
    may: Option<May>,
    why_not: String,
}

struct By {
    who: String,
    at: When,
    reason: String,
}

#[derive(PartialEq, Eq)]
enum May {
    Decide,
    Withdraw,
}

impl One {
    fn decides(&self) -> bool {
        self.may == Some(May::Decide)
    }

    fn withdraws(&self) -> bool {
        self.may == Some(May::Withdraw)
    }
}

/// Changes that go one way.
struct Group {
    label: &'static str,
    tone: &'static str,
    changes: Vec<Told>,
}

struct Told {
    area: String,
    who: String,
    what: Markup,
}

/// A file of which lines change.
struct File {
    name: String,
    whole: &'static str,
    lines: Vec<(&'static str, &'static str, String)>,
}

/// `GET /policy/proposals?state=`.
pub async fn list(visitor: Visitor, state: State<Arc<Control>>, query: Query) -> Result<Response, Failure> {
    const TABS: [(&str, &str); 6] = [
        ("open", "Open"),
        ("accepted", "Accepted"),
        ("rejected", "Rejected"),
        ("withdrawn", "Withdrawn"),
        ("stale", "Stale"),
        ("all", "All"),
    ];
    let asked = query.get("state").map(String::as_str);
    let which = TABS.iter().find(|(own, _)| Some(*own) == asked).map_or("open", |(own, _)| own);
    let now = (state.clock)();
    let wanted = http::query([("state", which), ("limit", "300")]);
    let Json(shown) = proposals::list(visitor.person.clone(), state.clone(), wanted).await?;
    Ok(page(&Page {
        shell: visitor.policy(&state, "Proposals", "/policy/proposals"),
        tabs: TABS.map(|(own, label)| (own, label, own == which)).into(),
        state: which,
        rows: shown.proposals.iter().map(|proposal| row(proposal, now)).collect(),
        author: visitor.person.is_author(&state),
        from_store: matches!(state.origin, Origin::Store { .. }),
    }))
}

fn row(proposal: &Proposal, now: u64) -> Row {
    Row {
        id: proposal.id.clone(),
        by: clean_line(&proposal.by.subject),
        at: When::new(proposal.by.at_ms, now),
        reason: short(&clean_line(proposal.by.reason.as_deref().unwrap_or_default()), 200),
        changes: proposal.changes.len(),
        loosened: proposal.loosened,
        cases: proposal.cases,
        state: proposal.state.word(),
        tone: tone(proposal.state),
        decided: proposal.decided.as_ref().map(|by| clean_line(&by.subject)).unwrap_or_default(),
    }
}

fn tone(state: ProposalState) -> &'static str {
    match state {
        ProposalState::Open => "hold",
        ProposalState::Accepted => "allow",
        ProposalState::Rejected => "deny",
        ProposalState::Withdrawn | ProposalState::Stale => "",
    }
}

/// `GET /policy/proposals/{id}`.
pub async fn show(
    visitor: Visitor,
    state: State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let now = (state.clock)();
    let Json(proposal) = proposals::show(visitor.person.clone(), state.clone(), Path(id)).await?;
    let files = proposals::changed_files(&state, proposal.clone()).await?;
    let lines: usize = files.iter().map(|file| file.lines.len()).sum();
    let mut left = LINES;
    let files = files.iter().map(|file| shown(file, &mut left)).collect();
    let (may, why_not) = may(&visitor, &state, &proposal);
    let shell = visitor.policy(&state, format!("Proposal {}", proposal.id), "/policy/proposals");
    Ok(page(&One {
        shell,
        state: proposal.state.word(),
        tone: tone(proposal.state),
        is_open: proposal.state == ProposalState::Open,
        by: by(&proposal.by, now),
        decided: proposal.decided.as_ref().map(|one| by(one, now)),
        base: proposal.base,
        digest: proposal.digest,
        version: proposal.version.chars().take(12).collect(),
        loosened: proposal.loosened,
        groups: groups(&proposal.changes),
        warnings: proposal.warnings.iter().map(|warning| named(warning)).collect(),
        cases: proposal.cases,
        files,
        more: lines.saturating_sub(LINES),
        may,
        why_not,
        id: proposal.id,
    }))
}

fn by(by: &DecidedBy, now: u64) -> By {
    By {
        who: clean_line(&by.subject),
        at: When::new(by.at_ms, now),
        reason: clean(by.reason.as_deref().unwrap_or_default()),
    }
}

/// What this person may do with an open proposal, or why nothing.
fn may(visitor: &Visitor, control: &Control, proposal: &Proposal) -> (Option<May>, String) {
    let who = visitor.person.who();
    let authors = clean_line(&control.bundle.borrow().policy.access.authors.join(", "));
    if !visitor.person.is_author(control) {
        (None, format!("Authors of policy decide: members of {authors}."))
    } else if proposal.bars(&Act::Withdraw, &who).is_none() {
        (Some(May::Withdraw), String::new())
    } else if proposal.bars(&Act::Reject, &who).is_some() {
        (None, "You proposed this yourself; another author must decide it.".into())
    } else {
        (Some(May::Decide), String::new())
    }
}

fn groups(changes: &[Change]) -> Vec<Group> {
    let all = [
        (Direction::Loosened, "Allows more", "deny"),
        (Direction::Unclear, "Cannot be told: read it", "hold"),
        (Direction::Tightened, "Allows less", "allow"),
        (Direction::Same, "Changes nothing of what is possible", ""),
    ];
    let group = |(direction, label, tone)| {
        let own = changes.iter().filter(|change| change.direction == direction);
        let told = own.map(|change| Told {
            area: clean_line(&change.area),
            who: clean_line(&change.who.join(", ")),
            what: named(&change.what),
        });
        Group { label, tone, changes: told.collect() }
    };
    all.into_iter().map(group).filter(|group| !group.changes.is_empty()).collect()
}

/// A file's lines, as far as there is room for them.
fn shown(file: &FileChange, left: &mut usize) -> File {
    let some = file.lines.iter().take(*left);
    let lines: Vec<_> = some
        .map(|line| match line {
            Line::Place(text) => ("place", "", clean_line(text)),
            Line::Same(text) => ("", " ", clean_line(text)),
            Line::Removed(text) => ("gone", "-", clean_line(text)),
            Line::Added(text) => ("new", "+", clean_line(text)),
        })
        .collect();
    *left = left.saturating_sub(lines.len());
    let whole = match file.whole {
        Some(Whole::New) => "new",
        Some(Whole::Gone) => "gone",
        None => "",
    };
    File { name: clean_line(&file.name), whole, lines }
}

/// `POST /policy/proposals/{id}/decision`.
pub async fn decide(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Failure> {
    let reason = form.text("reason");
    let (person, path) = (visitor.person.clone(), Path(id.clone()));
    let body = |value: serde_json::Value| Bytes::from(value.to_string());
    let done = match form.text("verdict") {
        Some("approve") => {
            let Json(proposal) = proposals::show(person.clone(), state.clone(), Path(id)).await?;
            if proposal.loosened && form.text("sure").is_none() {
                return Err(Problem::bad_request(
                    "this allows more than before, or may: go back, read it, and tick the box that says so",
                )
                .into());
            }
            let digest = form.text("digest").unwrap_or_default();
            proposals::accept(person, state, path, body(json!({"digest": digest, "reason": reason}))).await
        }
        Some("deny") => proposals::reject(person, state, path, body(json!({"reason": reason}))).await,
        Some("withdraw") => proposals::withdraw(person, state, path, body(json!({"reason": reason}))).await,
        _ => return Err(Problem::bad_request("choose to accept, to reject or to withdraw").into()),
    };
    match done {
        Ok(Json(proposal)) => Ok(Redirect::to(&format!("/policy/proposals/{}", proposal.id)).into_response()),
        Err(Refused::Problem(problem)) => Err(problem.into()),
        Err(Refused::Faults(faults)) => {
            let told: Vec<String> =
                faults.iter().map(|fault| sentence(&clean_line(&fault.to_string()))).collect();
            let detail = format!("the policy is not in order any more: {}", told.join(" "));
            Err(Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, detail).into())
        }
    }
}
