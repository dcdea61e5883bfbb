//! A session on a line of time: its steps, to be read, stepped through and played.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use sluice_engine::policy::document::Action;
use sluice_engine::record::{Decision, Record};

use super::failure::Failure;
use super::number::{count, dollars, took};
use super::page;
use super::shell::{Shell, Visitor};
use super::text::{Markup, marked};
use super::when::When;
use crate::http::{self, Control, Query};
use crate::records::session::Exchange;
use crate::records::steps::{Step, What, call, steps};
use crate::records::text::{clean_line, short};
use crate::records::{HoldChange, HoldEvent};

/// Texts beyond this many characters are folded.
const LONG: usize = 2500;

/// The most of a text that a page carries, in characters; all of it is in the JSON.
const MOST: usize = 60_000;

#[derive(Template)]
#[template(path = "session.html")]
struct Page {
    shell: Shell,
    id: String,
    title: String,
    who: String,
    groups: String,
    /// Who acted on their behalf.
    actors: String,
    started: When,
    lasted: String,
    exchanges: usize,
    models: String,
    tokens: String,
    cost: String,
    masked: Vec<String>,
    threads: Vec<String>,
    moments: Vec<Moment>,
    more: Option<i64>,
    after: i64,
}

/// A step, as it is shown.
struct Moment {
    id: String,
    /// Milliseconds since the session began.
    at: u64,
    clock: String,
    class: String,
    what: Shown,
}

enum Shown {
    Begin { number: usize, exchange: String, words: String, thread: String, full: String },
    Text { who: String, text: Markup, streamed: bool, folded: Option<String>, more: bool },
    Note(String),
    Call { name: String, input: Markup, result: Option<String> },
    Result { name: String, text: Markup, failed: bool, call: Option<String>, folded: Option<String> },
    Found(Vec<String>),
    Decided { verb: &'static str, tone: &'static str, rule: String, about: String, hold: Option<String> },
    Hold { id: String, tone: &'static str, words: String },
    End(String),
}

/// `GET /sessions/{id}?after=CURSOR`.
pub async fn show(
    visitor: Visitor,
    State(control): State<Arc<Control>>,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Failure> {
    let after = query.get("after").and_then(|text| text.parse().ok()).unwrap_or(0);
    let title = format!("Session {}", short(&clean_line(&id), 13));
    let shell = visitor.shell(&control, title, "/sessions");
    let read = http::records::exchanges(visitor.person, &control, &id, after).await;
    let (exchanges, more) = read?;
    let all = steps(&exchanges);
    Ok(page(&of(shell, id, &exchanges, &all, (control.clock)(), more, after)))
}

fn of(
    shell: Shell,
    id: String,
    exchanges: &[Exchange],
    steps: &[Step<'_>],
    now: u64,
    more: Option<i64>,
    after: i64,
) -> Page {
    let start = steps.iter().map(|step| step.at_ms).min().unwrap_or_default();
    let end = steps.iter().map(|step| step.at_ms).max().unwrap_or_default();
    let records = || exchanges.iter().flat_map(|one| one.open.iter().chain(&one.edited).chain(&one.close));
    let who = records().find_map(|record| record.principal.as_ref());
    let mut models: Vec<String> =
        records().filter_map(|record| record.model.as_deref()).map(clean_line).collect();
    models.sort();
    models.dedup();
    let mut actors: Vec<String> =
        records().filter_map(|record| record.actor.as_deref()).map(clean_line).collect();
    actors.sort();
    actors.dedup();
    let mut threads: Vec<String> =
        steps.iter().map(|step| clean_line(step.agent)).filter(|a| !a.is_empty()).collect();
    threads.sort();
    threads.dedup();
    let mut masked: std::collections::BTreeMap<&str, u64> = Default::default();
    let (mut input, mut output, mut cost) = (0_u64, 0_u64, 0_u64);
    for record in records() {
        for (kind, times) in &record.findings {
            *masked.entry(kind).or_default() += u64::from(*times);
        }
        if let Some(usage) = record.usage {
            for tokens in
                [usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens]
            {
                input = input.saturating_add(tokens);
            }
            output = output.saturating_add(usage.output_tokens);
            cost = cost.saturating_add(usage.cost_micro_usd.unwrap_or_default());
        }
    }
    Page {
        title: short(&clean_line(&id), 60),
        id,
        who: who.map_or_else(|| "(not verified)".into(), |who| clean_line(&who.subject)),
        groups: who.map(|who| clean_line(&who.groups.join(", "))).unwrap_or_default(),
        actors: actors.join(", "),
        started: When::new(start, now),
        lasted: took(end.saturating_sub(start)),
        // Of some there is only what happened to a hold.
        exchanges: exchanges.iter().filter(|one| one.open.is_some() || one.close.is_some()).count(),
        models: models.join(", "),
        tokens: format!("{} in, {} out", count(input), count(output)),
        cost: dollars(cost),
        masked: masked.iter().map(|(kind, times)| format!("{times} {}", clean_line(kind))).collect(),
        threads,
        moments: moments(exchanges, steps, start, now),
        more,
        after,
        shell,
    }
}

fn moments(exchanges: &[Exchange], steps: &[Step<'_>], start: u64, now: u64) -> Vec<Moment> {
    let name = |n: usize| format!("step-{}", n + 1);
    let mut calls: HashMap<&str, String> = HashMap::new();
    let mut results: HashMap<&str, String> = HashMap::new();
    for (n, step) in steps.iter().enumerate() {
        match &step.what {
            What::Call { id, .. } => {
                calls.entry(id).or_insert_with(|| name(n));
            }
            What::Result { id, .. } => {
                results.entry(id).or_insert_with(|| name(n));
            }
            _ => {}
        }
    }
    let mut moments = Vec::with_capacity(steps.len());
    for (n, step) in steps.iter().enumerate() {
        let mut class = String::new();
        let what = match &step.what {
            What::Begin(record) => {
                class.push_str("begin ");
                begin(step, record, exchanges, now)
            }
            What::System(text) => Shown::Text {
                who: "system".into(),
                text: body(text),
                streamed: false,
                folded: Some(size(text)),
                more: text.chars().count() > MOST,
            },
            What::Said { role, text } => {
                class.push_str(if role == "user" { "user " } else { "" });
                let streamed = role == "assistant";
                Shown::Text {
                    who: clean_line(role),
                    text: body(text),
                    streamed,
                    folded: fold(text),
                    more: text.chars().count() > MOST,
                }
            }
            What::Other { label, text } => Shown::Text {
                who: clean_line(label),
                text: body(text),
                streamed: false,
                folded: fold(text),
                more: text.chars().count() > MOST,
            },
            What::Thinking => Shown::Note("thinking, kept as it was and not shown".into()),
            What::Part { role, kind } => Shown::Note(format!("{}: {}", clean_line(role), clean_line(kind))),
            What::Call { id, name, input } => Shown::Call {
                name: clean_line(name),
                input: body(&call(input)),
                result: results.get(id.as_str()).cloned(),
            },
            What::Result { id, name, failed, text } => Shown::Result {
                name: clean_line(name),
                text: body(text),
                failed: *failed,
                call: calls.get(id.as_str()).cloned(),
                folded: fold(text),
            },
            What::Found(kinds) => Shown::Found(
                kinds.iter().map(|(kind, times)| format!("{times} {}", clean_line(kind))).collect(),
            ),
            What::Decided(decision) => {
                class.push_str(match decision.action {
                    _ if decision.observed || decision.left_out => "",
                    Action::Deny => "denied ",
                    Action::Hold => "held ",
                    Action::Allow => "",
                });
                decided(decision)
            }
            What::Hold(event) => {
                class.push_str("held ");
                hold(event)
            }
            What::End(record) => Shown::End(end(record)),
        };
        if !step.agent.is_empty() {
            class.push_str("thread");
        }
        let at = step.at_ms.saturating_sub(start);
        let clock = format!("{}:{:02}", at / 60_000, at / 1000 % 60);
        moments.push(Moment { id: name(n), at, clock, class: class.trim_end().to_owned(), what });
    }
    moments
}

fn begin(step: &Step<'_>, record: &Record, exchanges: &[Exchange], now: u64) -> Shown {
    let mut words = vec![clean_line(&record.route)];
    words.extend(record.model.as_deref().map(clean_line));
    words.extend(record.stream.then(|| "streamed".to_owned()));
    words.push(format!("policy {}", clean_line(&short(&record.policy_version, 9))));
    Shown::Begin {
        number: step.exchange + 1,
        exchange: exchanges.get(step.exchange).map(|one| one.id.clone()).unwrap_or_default(),
        words: words.join(" · "),
        thread: clean_line(step.agent),
        full: When::new(record.at_ms, now).full,
    }
}

fn decided(decision: &Decision) -> Shown {
    let (verb, tone) = match decision.action {
        Action::Allow => ("allow", "allow"),
        Action::Deny => ("deny", "deny"),
        Action::Hold => ("hold", "hold"),
    };
    let mut about: Vec<String> = Vec::new();
    about.extend(decision.observed.then(|| "only observed: nothing was done".to_owned()));
    about.extend(decision.left_out.then(|| "left out of what was offered; the rest went on".to_owned()));
    let edited = |who: &String| format!("more was masked, as {} wanted", clean_line(who));
    about.extend(decision.edited_by.as_ref().map(edited));
    about.extend(decision.tool.as_deref().map(clean_line));
    about.extend(decision.role.as_deref().map(|role| format!("role {}", clean_line(role))));
    about.extend(decision.effects.iter().map(|effect| effect.name().to_owned()));
    let tone = if decision.observed || decision.left_out { "" } else { tone };
    Shown::Decided {
        verb,
        tone,
        rule: clean_line(&decision.rule),
        about: about.join(", "),
        hold: decision.hold.clone(),
    }
}

fn hold(event: &HoldEvent) -> Shown {
    let (verb, tone) = match event.change {
        HoldChange::Opened => ("waits for a person", "hold"),
        HoldChange::Agreed => ("approved, and more people must", "hold"),
        HoldChange::Commented => ("comment", ""),
        HoldChange::Approved => ("approved", "allow"),
        HoldChange::Denied => ("denied", "deny"),
        HoldChange::Expired => ("expired undecided", "deny"),
        HoldChange::Used => ("approval used", "allow"),
    };
    let by = event.by.as_ref().map(|(_, subject)| format!(" by {}", clean_line(subject))).unwrap_or_default();
    let reason =
        event.reason.as_deref().map(|reason| format!(": {}", clean_line(reason))).unwrap_or_default();
    let masked = event.masked.map(|masked| format!(", with {masked} texts masked")).unwrap_or_default();
    Shown::Hold { id: event.id.clone(), tone, words: format!("{verb}{by}{masked}{reason}") }
}

fn end(record: &Record) -> String {
    let mut parts = Vec::new();
    parts.extend(record.status.map(|status| format!("status {status}")));
    parts.extend(record.stop_reason.as_deref().map(clean_line));
    parts.extend(record.usage.map(|usage| {
        let sent = usage
            .input_tokens
            .saturating_add(usage.cache_read_input_tokens)
            .saturating_add(usage.cache_creation_input_tokens);
        let cached = count(usage.cache_read_input_tokens);
        format!("{} tokens in ({cached} from cache), {} out", count(sent), count(usage.output_tokens))
    }));
    parts.extend(record.usage.and_then(|usage| usage.cost_micro_usd).map(dollars));
    parts.extend(record.duration_ms.map(took));
    parts.join(" · ")
}

fn body(text: &str) -> Markup {
    marked(&short(text, MOST))
}

fn fold(text: &str) -> Option<String> {
    (text.chars().count() > LONG).then(|| size(text))
}

fn size(text: &str) -> String {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("{} … {} characters", short(&clean_line(first), 60), count(text.chars().count() as u64))
}
