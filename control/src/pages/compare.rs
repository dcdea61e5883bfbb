//! A session under another policy: what was decided then, beside what that policy decides, exchange by exchange.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::failure::Failure;
use super::form::Sent;
use super::number::many;
use super::page;
use super::shell::{Shell, Visitor};
use super::text::{Markup, marked};
use super::when::When;
use crate::http::compare::{Other, compared};
use crate::http::proposals::Refused;
use crate::http::{self, Comparison, Control, Problem, Query};
use crate::proposals::Documents;
use crate::records::session::Exchange;
use crate::records::steps::{What, call, steps};
use crate::records::text::{clean_line, short};
use crate::trial::exchange::Verdict;
use crate::trial::simulate::{Compared, Judgement};

/// Characters of a text that are shown: enough to know which exchange it is.
const EXCERPT: usize = 240;

/// Lines of an exchange that are shown.
const LINES: usize = 4;

/// Policies of each kind to choose from.
const CHOICES: &str = "20";

/// The name that pasted text gets in messages.
const PASTED: &str = "pasted.yaml";

#[derive(Template)]
#[template(path = "compare.html")]
struct Page {
    shell: Shell,
    id: String,
    title: String,
    choices: Vec<Choice>,
    pasted: String,
    faults: Vec<String>,
    shown: Option<Shown>,
}

/// A policy to choose.
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

/// What came of it.
struct Shown {
    label: String,
    version: String,
    exchanges: String,
    different: usize,
    stricter: usize,
    looser: usize,
    untold: Vec<String>,
    untold_count: usize,
    part: bool,
    rows: Vec<Row>,
    next: Option<i64>,
}

/// An exchange.
struct Row {
    number: usize,
    at: When,
    about: String,
    lines: Vec<(String, Markup)>,
    was: Side,
    now: Option<Side>,
    untold: String,
    differs: bool,
    tone: &'static str,
    summary: String,
}

/// What a policy says of it.
#[derive(Template)]
#[template(path = "compare_side.html")]
struct Side {
    verdict: &'static str,
    tone: &'static str,
    rule: String,
    about: String,
    masks: Vec<String>,
    observed: Vec<String>,
}

/// `GET /sessions/{id}/compare?with=current|proposal:ID|number:N&after=CURSOR`; without `with` the choice alone.
pub async fn show(
    visitor: Visitor,
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Failure> {
    let with = query.get("with").map(String::as_str).unwrap_or_default();
    let after = query.get("after").and_then(|text| text.parse().ok());
    let other = match with.split_once(':') {
        _ if with.is_empty() => None,
        None if with == "current" => Some(Other::default()),
        Some(("proposal", id)) => Some(Other { proposal: Some(id.to_owned()), ..Other::default() }),
        Some(("number", number)) => {
            let number =
                number.parse().map_err(|_| Problem::bad_request("a policy's number is a whole number"))?;
            Some(Other { number: Some(number), ..Other::default() })
        }
        _ => return Err(Problem::bad_request("choose the policy in force, a proposal or a number").into()),
    };
    let other = other.map(|other| Other { after, ..other });
    of(visitor, state, id, other, with, String::new()).await
}

/// `POST /sessions/{id}/compare`: with pasted text.
pub async fn pasted(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Failure> {
    let Some(text) = form.text("policy").map(str::to_owned) else {
        return Err(Problem::bad_request("paste the policy that the session is to be put to").into());
    };
    let documents = Documents::from([(PASTED.to_owned(), text.clone())]);
    let after = form.text("after").and_then(|text| text.parse().ok());
    of(visitor, state, id, Some(Other { documents, after, ..Other::default() }), "", text).await
}

async fn of(
    visitor: Visitor,
    state: State<Arc<Control>>,
    id: String,
    other: Option<Other>,
    with: &str,
    pasted: String,
) -> Result<Response, Failure> {
    let now = (state.clock)();
    let title = format!("Another policy on session {}", short(&clean_line(&id), 13));
    let shell = visitor.shell(&state, title, "/sessions");
    let choices = choices(&visitor, &state, with, now).await?;
    let label = choices.iter().find(|choice| choice.chosen).map(|choice| choice.label.clone());
    let label =
        label.unwrap_or_else(|| if pasted.is_empty() { with.to_owned() } else { "what was pasted".into() });
    let mut faults = Vec::new();
    let mut shown = None;
    if let Some(other) = other {
        let after = other.after.unwrap_or_default();
        match compared(visitor.person, &state, &id, other).await {
            Ok((comparison, exchanges)) => shown = Some(of_all(label, &comparison, &exchanges, after, now)),
            Err(Refused::Problem(problem)) => return Err(problem.into()),
            Err(Refused::Faults(wrong)) => {
                faults = wrong.iter().map(|fault| clean_line(&fault.to_string())).collect()
            }
        }
    } else {
        // Whoever may not read the session gets no form for it either.
        http::records::exchanges(visitor.person, &state, &id, 0).await?;
    }
    let title = short(&clean_line(&id), 60);
    Ok(page(&Page { shell, id, title, choices, pasted, faults, shown }))
}

/// The policy in force, proposals and older policies.
async fn choices(
    visitor: &Visitor,
    state: &State<Arc<Control>>,
    with: &str,
    now: u64,
) -> Result<Vec<Choice>, Failure> {
    let choice = |value: String, label: String| Choice { chosen: value == with, value, label };
    let mut all = vec![choice("current".into(), "the policy in force".into())];
    let wanted = http::query([("state", "all"), ("limit", CHOICES)]);
    let Json(found) = http::proposals::list(visitor.person.clone(), state.clone(), wanted).await?;
    for one in found.proposals {
        let reason = one.by.reason.as_deref().map(clean_line).unwrap_or_default();
        let near = When::new(one.by.at_ms, now).near;
        let by = clean_line(&one.by.subject);
        let label = format!("proposal of {by}, {near}, {}: {}", one.state.word(), short(&reason, 60));
        all.push(choice(format!("proposal:{}", one.id), label));
    }
    let person = visitor.person.clone();
    let Json(kept) =
        http::compare::versions(person, state.clone(), http::query([("limit", CHOICES)])).await?;
    for one in kept.versions.iter().skip(1) {
        let since = When::new(one.at_ms, now).full;
        all.push(choice(
            format!("number:{}", one.number),
            format!("policy {}, in force from {since}", one.number),
        ));
    }
    Ok(all)
}

fn of_all(label: String, comparison: &Comparison, exchanges: &[Exchange], after: i64, now: u64) -> Shown {
    let lines = lines(exchanges);
    let both = comparison.compared.iter().zip(exchanges).zip(lines).enumerate();
    let rows = both.map(|(n, ((one, exchange), lines))| row(n + 1, one, exchange, lines, now));
    Shown {
        label,
        version: short(&clean_line(&comparison.policy), 12),
        exchanges: many(comparison.exchanges as u64, "exchange"),
        different: comparison.different,
        stricter: comparison.stricter,
        looser: comparison.looser,
        untold: comparison
            .untold
            .iter()
            .map(|(why, count)| format!("{}: {}", many(*count as u64, "exchange"), clean_line(why)))
            .collect(),
        untold_count: comparison.untold.values().sum(),
        part: after > 0 || comparison.next.is_some(),
        rows: rows.collect(),
        next: comparison.next,
    }
}

fn row(number: usize, one: &Compared, exchange: &Exchange, lines: Vec<(String, Markup)>, now: u64) -> Row {
    let record = exchange.open.as_ref().or(exchange.close.as_ref());
    let mut about = Vec::new();
    about.extend(record.map(|record| clean_line(&record.route)));
    about.extend(record.and_then(|record| record.model.as_deref()).map(clean_line));
    about.extend(
        record
            .and_then(|record| record.agent.as_deref())
            .map(|agent| format!("subagent {}", clean_line(agent))),
    );
    let was = side(&one.was, false);
    let differs = one.differs();
    let verdict = one.now.as_ref().map(|now| now.verdict);
    let summary = match &one.now {
        Some(now) if now.verdict != one.was.verdict => {
            format!("{} becomes {}", was.verdict, now.verdict.name())
        }
        Some(now) if !now.masks.is_empty() => "more is masked".into(),
        _ => "another rule decides".into(),
    };
    Row {
        number,
        at: When::new(one.at_ms, now),
        about: about.join(" · "),
        lines,
        was,
        now: one.now.as_ref().map(|now| side(now, true)),
        untold: one.untold.as_deref().map(clean_line).unwrap_or_default(),
        tone: match verdict {
            Some(Verdict::Deny) if differs => "denied",
            Some(Verdict::Hold) if differs => "held",
            Some(_) if differs => "user",
            _ => "",
        },
        differs,
        summary,
    }
}

fn side(judged: &Judgement, tried: bool) -> Side {
    let mut about = Vec::new();
    about.extend(judged.tool.as_deref().map(clean_line));
    about.extend(judged.effects.iter().map(|effect| effect.name().to_owned()));
    let more = if tried { "also " } else { "" };
    Side {
        verdict: judged.verdict.name(),
        tone: judged.verdict.name(),
        rule: judged.rule.as_deref().map(clean_line).unwrap_or_default(),
        about: about.join(", "),
        masks: judged
            .masks
            .iter()
            .map(|(kind, times)| format!("{more}{times} {}", clean_line(kind)))
            .collect(),
        observed: judged.observed.iter().map(|rule| clean_line(rule)).collect(),
    }
}

/// What each exchange is about: the first lines of what it adds to the conversation.
fn lines(exchanges: &[Exchange]) -> Vec<Vec<(String, Markup)>> {
    let mut all: Vec<Vec<(String, Markup)>> = exchanges.iter().map(|_| Vec::new()).collect();
    for step in steps(exchanges) {
        let Some(lines) = all.get_mut(step.exchange).filter(|lines| lines.len() < LINES) else { continue };
        let (who, text) = match &step.what {
            What::Said { role, text } => (clean_line(role), text.clone()),
            What::Call { name, input, .. } => (format!("calls {}", clean_line(name)), call(input)),
            What::Result { name, text, .. } => (format!("{} gave", clean_line(name)), text.clone()),
            What::Other { label, text } => (clean_line(label), text.clone()),
            _ => continue,
        };
        lines.push((who, marked(&short(text.trim(), EXCERPT))));
    }
    all
}
