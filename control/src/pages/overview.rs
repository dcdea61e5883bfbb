//! What happened lately, in numbers: drawn here as SVG, with the table behind each.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use sluice_engine::budget::utc;

use super::failure::Failure;
use super::number::{count, dollars, took};
use super::page;
use super::shell::{Shell, Visitor};
use crate::http::usage::{Day, Named};
use crate::http::{self, Control, Query, Usage};
use crate::records::text::{clean_line, short};

/// The size of a chart, in its own units.
const WIDTH: u64 = 360;
const HEIGHT: u64 = 130;

/// Room for the axis below.
const BELOW: u64 = 18;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    shell: Shell,
    spans: Vec<(u64, bool)>,
    days: u64,
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    bars: Vec<Bars>,
    empty: bool,
}

struct Tile {
    label: &'static str,
    value: String,
    more: String,
    href: &'static str,
}

/// A column for each day.
struct Chart {
    title: &'static str,
    id: &'static str,
    summary: String,
    top: String,
    columns: Vec<Column>,
    heads: Vec<&'static str>,
    /// What each colour means.
    legend: Vec<(&'static str, &'static str)>,
    rows: Vec<Vec<String>>,
}

struct Column {
    x: u64,
    width: u64,
    label: String,
    title: String,
    parts: Vec<Part>,
}

/// What a day has of something.
struct Value {
    /// As it is told.
    value: u64,
    /// As high as its part of the column is.
    drawn: u64,
    class: &'static str,
}

/// A part of a column, from the ground up.
struct Part {
    y: u64,
    height: u64,
    class: &'static str,
}

/// A bar for each name.
struct Bars {
    title: &'static str,
    id: &'static str,
    note: &'static str,
    head: &'static str,
    class: &'static str,
    rows: Vec<Bar>,
}

struct Bar {
    name: String,
    width: u64,
    value: String,
    more: String,
    href: Option<String>,
}

/// `GET /overview?days=14`.
pub async fn show(visitor: Visitor, state: State<Arc<Control>>, query: Query) -> Result<Response, Failure> {
    let shell = visitor.shell(&state, "Overview", "/overview");
    let auditor = visitor.person.is_auditor(&state);
    let Json(usage) = http::usage::usage(visitor.person.clone(), state.clone(), query).await?;
    let waiting = super::holds::waiting(&visitor, &state).await?;
    let days = usage.days.len() as u64;
    let spans = [7, 14, 30, 90].map(|span| (span, span == days)).to_vec();
    let empty = usage.total.times == 0;
    Ok(page(&Page {
        shell,
        spans,
        days,
        tiles: tiles(&usage, waiting),
        charts: charts(&usage),
        bars: bars(&usage, auditor),
        empty,
    }))
}

fn tiles(usage: &Usage, waiting: usize) -> Vec<Tile> {
    let total = &usage.total;
    let findings: u64 = usage.findings.iter().map(|one| one.sums.times).sum();
    let latency = |part| usage.quantile(part).map_or_else(|| "–".into(), |ms| format!("≤ {}", took(ms)));
    let tile = |label, value, more| Tile { label, value, more, href: "" };
    vec![
        tile("Exchanges", count(total.times), String::new()),
        tile(
            "Tokens",
            count(total.input_tokens.saturating_add(total.output_tokens)),
            format!("{} out", count(total.output_tokens)),
        ),
        tile("Cost", dollars(total.cost_micro_usd), String::new()),
        tile("Denied", count(total.denied), "decisions".into()),
        tile("Held", count(total.held), "decisions".into()),
        tile("Masked", count(findings), "findings".into()),
        tile("Median time", latency(0.5), format!("95th {}", latency(0.95))),
        Tile { label: "Waiting now", value: count(waiting as u64), more: "for you".into(), href: "/holds" },
    ]
}

fn charts(usage: &Usage) -> Vec<Chart> {
    let requests =
        chart("Exchanges a day", "exchanges", usage, &["Exchanges", "Denied", "Held"], count, |day| {
            // Of the exchanges: several decisions may be on one, and a column is no higher than there are exchanges.
            let times = day.sums.times;
            let denied = day.sums.denied.min(times);
            let held = day.sums.held.min(times - denied);
            vec![
                Value { value: times, drawn: times - denied - held, class: "" },
                Value { value: day.sums.denied, drawn: denied, class: "deny" },
                Value { value: day.sums.held, drawn: held, class: "hold" },
            ]
        });
    let whole = |value, class| Value { value, drawn: value, class };
    let tokens = chart("Tokens a day", "tokens", usage, &["Tokens in", "Tokens out"], count, |day| {
        vec![whole(day.sums.input_tokens, ""), whole(day.sums.output_tokens, "mask")]
    });
    let cost = chart("Cost a day", "cost", usage, &["Cost"], dollars, |day| {
        vec![whole(day.sums.cost_micro_usd, "")]
    });
    vec![requests, tokens, cost]
}

/// Columns of parts that stand on each other.
fn chart(
    title: &'static str,
    id: &'static str,
    usage: &Usage,
    heads: &[&'static str],
    written: fn(u64) -> String,
    parts: impl Fn(&Day) -> Vec<Value>,
) -> Chart {
    let sum = |day: &Day| parts(day).iter().map(|part| part.drawn).fold(0, u64::saturating_add);
    let most = usage.days.iter().map(sum).max().unwrap_or_default().max(1);
    let room = HEIGHT - BELOW;
    let step = WIDTH / (usage.days.len() as u64).max(1);
    let every = usage.days.len().div_ceil(6).max(1);
    let date = |day: u64| utc(day * 86_400_000).chars().take(10).collect::<String>();
    let column = |(n, day): (usize, &Day)| {
        let mut up = 0;
        let drawn = parts(day).into_iter().map(|part| {
            let height = scaled(part.drawn, room, most);
            up += height;
            Part { y: room.saturating_sub(up), height, class: part.class }
        });
        let drawn = drawn.collect();
        let said: Vec<String> = heads
            .iter()
            .zip(parts(day))
            .map(|(head, part)| format!("{} {}", written(part.value), head.to_lowercase()))
            .collect();
        let label = if (usage.days.len() - 1 - n).is_multiple_of(every) {
            date(day.day).chars().skip(5).collect()
        } else {
            String::new()
        };
        Column {
            x: n as u64 * step,
            width: step.saturating_sub(1 + step / 8).max(1),
            label,
            title: format!("{}: {}", date(day.day), said.join(", ")),
            parts: drawn,
        }
    };
    let columns = usage.days.iter().enumerate().map(column).collect();
    let rows = usage.days.iter().rev().map(|day| {
        let mut row = vec![date(day.day)];
        row.extend(parts(day).into_iter().map(|part| written(part.value)));
        row
    });
    let summary = format!("{title}, {} days; the highest is {}", usage.days.len(), written(most));
    let classes = usage.days.first().map(&parts).unwrap_or_default();
    let legend = heads.iter().copied().zip(classes.iter().map(|part| part.class)).collect();
    Chart {
        title,
        id,
        summary,
        top: written(most),
        columns,
        legend,
        heads: heads.to_vec(),
        rows: rows.collect(),
    }
}

/// What is not nothing can be seen.
fn scaled(value: u64, room: u64, most: u64) -> u64 {
    let height = u128::from(value) * u128::from(room) / u128::from(most.max(1));
    u64::try_from(height).unwrap_or(room).max(u64::from(value > 0))
}

fn bars(usage: &Usage, auditor: bool) -> Vec<Bars> {
    let of = |title, id, note, head, class, named: &[Named], field: &'static str| {
        let most = named.iter().map(|one| one.sums.times).max().unwrap_or_default();
        let row = |one: &Named| {
            let query = serde_urlencoded::to_string([(field, one.name.as_str())]).unwrap_or_default();
            let more = match field {
                "group" | "model" => format!(
                    "{} tokens, {}",
                    count(one.sums.input_tokens.saturating_add(one.sums.output_tokens)),
                    dollars(one.sums.cost_micro_usd)
                ),
                "rule" => format!("{} denied, {} held", one.sums.denied, one.sums.held),
                _ => String::new(),
            };
            let linked = auditor && !one.name.starts_with('(');
            Bar {
                name: short(&clean_line(&one.name), 60),
                width: scaled(one.sums.times, 100, most),
                value: count(one.sums.times),
                more,
                href: linked.then(|| format!("/sessions?{query}")),
            }
        };
        Bars { title, id, note, head, class, rows: named.iter().take(10).map(row).collect() }
    };
    let steps = usage.latency.iter().map(|step| step.exchanges).max().unwrap_or_default();
    let latency = usage.latency.iter().map(|step| Bar {
        name: format!("up to {}", took(step.up_to_ms)),
        width: scaled(step.exchanges, 100, steps),
        value: count(step.exchanges),
        more: String::new(),
        href: None,
    });
    vec![
        of(
            "By group",
            "groups",
            "an exchange counts for each group of its caller",
            "Exchanges",
            "",
            &usage.groups,
            "group",
        ),
        of("By model", "models", "that answered", "Exchanges", "", &usage.models, "model"),
        of("Rules that decided", "rules", "denied or held", "Decisions", "hold", &usage.rules, "rule"),
        of("What was masked", "findings", "by kind", "Findings", "mask", &usage.findings, "finding"),
        Bars {
            title: "How long exchanges took",
            id: "latency",
            note: "from the first byte to the last, waiting for people included",
            head: "Exchanges",
            class: "",
            rows: latency.collect(),
        },
    ]
}
