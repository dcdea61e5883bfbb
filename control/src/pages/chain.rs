//! Whether a session is what was written: a page, and what the session's own page shows of it.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::failure::Failure;
use super::number::{count, many};
use super::page;
use super::shell::{Shell, Visitor};
use super::when::When;
use crate::http::{self, Control};
use crate::records::text::{clean_line, short};
use crate::records::{Fault, SessionReport};

/// Faults that the session's page names; the rest are on this page.
const FEW: usize = 5;

#[derive(Template)]
#[template(path = "chain.html")]
struct Page {
    shell: Shell,
    id: String,
    title: String,
    /// The id as the command takes it.
    shown: String,
    sound: bool,
    whole: bool,
    /// Whether what is wrong is between its entries alone.
    between: bool,
    /// What was read: `12 entries and 30 texts, signed by 4f1d...`.
    words: String,
    unread: Vec<String>,
    few: Vec<Row>,
    more: Vec<Row>,
    writers: Vec<(String, String, String)>,
    removed: String,
    at: When,
}

/// Something that is wrong.
struct Row {
    /// Which exchange, from 1.
    number: Option<usize>,
    /// Whether it is next to it.
    between: bool,
    writer: String,
    words: String,
}

/// `GET /sessions/{id}/chain`.
pub async fn show(
    visitor: Visitor,
    state: State<Arc<Control>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let now = (state.clock)();
    let title = short(&clean_line(&id), 13);
    let shell = visitor.shell(&state, format!("Chain of {title}"), "/sessions");
    let Json(report) = http::records::chain(visitor.person, state, Path(id.clone())).await?;
    Ok(page(&of(shell, id, title, &report, now)))
}

fn of(shell: Shell, id: String, title: String, report: &SessionReport, now: u64) -> Page {
    let names: Vec<String> = report.writers.iter().map(|span| clean_line(&span.writer)).collect();
    let mut few: Vec<Row> = report.problems.iter().map(row).collect();
    let more = few.split_off(few.len().min(FEW));
    Page {
        shell,
        shown: short(&clean_line(&id), 60),
        id,
        title,
        sound: report.sound,
        whole: report.whole,
        between: report.problems.iter().all(|fault| fault.between),
        words: format!(
            "{} and {}, signed by {}",
            entries(report.entries),
            many(report.blocks, "text"),
            names.join(" and ")
        ),
        unread: report.unread.iter().map(ToString::to_string).collect(),
        few,
        more,
        writers: report
            .writers
            .iter()
            .map(|span| (clean_line(&span.writer), count(span.from), count(span.to)))
            .collect(),
        removed: if report.removed == 0 { String::new() } else { many(report.removed, "text") },
        at: When::new(now, now),
    }
}

fn entries(number: u64) -> String {
    if number == 1 { "1 entry".into() } else { format!("{} entries", count(number)) }
}

fn row(fault: &Fault) -> Row {
    Row {
        number: fault.number,
        between: fault.between,
        writer: clean_line(&fault.writer),
        words: clean_line(&fault.what.to_string()),
    }
}
