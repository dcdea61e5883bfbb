//! `sluice usage` and `sluice fleet`.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::Value;
use sluice_engine::policy::document::Usd;

use super::print::{Paint, clean_line, say, short, table, time, until};
use super::{Failure, Outcome, Output, Service};
use crate::http::fleet::Standing;
use crate::http::{Sidecars, Usage};
use crate::serve::now_ms;
use crate::store::Sums;

/// See what was used, by day, group, model, rule and kind of finding. For auditors and operators.
#[derive(Debug, Args)]
pub struct Used {
    #[command(flatten)]
    service: Service,
    /// How many days, today included; at most 366.
    #[arg(long, default_value_t = 14)]
    days: u32,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// See the sidecars.
#[derive(Debug, Subcommand)]
pub enum Fleet {
    /// List the sidecars that asked for their bundle within a week. For auditors and operators.
    Ls(List),
}

/// How it is listed.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    service: Service,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Used {
    pub async fn run(self) -> Outcome {
        let answer: Value =
            self.service.json(Method::GET, &format!("/v1/usage?days={}", self.days), None).await?;
        if self.output == Output::Json {
            say(&answer.to_string());
            return Ok(());
        }
        let usage: Usage = serde_json::from_value(answer).map_err(Failure::cannot)?;
        let day = |day: u64| time(day * 86_400_000).chars().take(10).collect::<String>();
        let mut rows: Vec<Vec<String>> =
            usage.days.iter().rev().map(|one| row("day", &day(one.day), &one.sums)).collect();
        for (what, named) in [
            ("group", &usage.groups),
            ("model", &usage.models),
            ("rule", &usage.rules),
            ("finding", &usage.findings),
        ] {
            rows.extend(named.iter().map(|one| row(what, &one.name, &one.sums)));
        }
        rows.push(row("all", "", &usage.total));
        let head = ["BY", "", "TIMES", "DENIED", "HELD", "TOKENS IN", "OUT", "USD"];
        say(&table(&head, &rows, Paint::detect()));
        Ok(())
    }
}

fn row(what: &str, name: &str, sums: &Sums) -> Vec<String> {
    let numbers = [sums.times, sums.denied, sums.held, sums.input_tokens, sums.output_tokens];
    let mut row = vec![what.to_owned(), short(&clean_line(name), 50)];
    row.extend(numbers.map(|number| number.to_string()));
    row.push(Usd::micros(sums.cost_micro_usd).to_string());
    row
}

impl Fleet {
    pub async fn run(self) -> Outcome {
        let Self::Ls(asked) = self;
        let answer: Value = asked.service.json(Method::GET, "/v1/sidecars", None).await?;
        if asked.output == Output::Json {
            say(&answer.to_string());
            return Ok(());
        }
        let fleet: Sidecars = serde_json::from_value(answer).map_err(Failure::cannot)?;
        if fleet.sidecars.is_empty() {
            say("nothing here: no sidecar has asked for its bundle within a week");
            return Ok(());
        }
        let now = now_ms();
        let rows: Vec<Vec<String>> = fleet
            .sidecars
            .iter()
            .map(|one| {
                let standing = match one.standing {
                    Standing::Current => "current",
                    Standing::Behind => "behind",
                    Standing::Without => "no bundle",
                    Standing::Away => "away",
                };
                vec![
                    short(&clean_line(&one.seen.node), 50),
                    standing.into(),
                    clean_line(&one.seen.filter),
                    short(&clean_line(&one.seen.bundle), 12),
                    until(now, one.seen.issued_ms),
                    until(now, one.seen.seen_ms),
                    one.seen.queued.to_string(),
                    match one.seen.trouble.as_str() {
                        "" => "none".to_owned(),
                        why => format!(
                            "{} ({} ago)",
                            short(&clean_line(why), 80),
                            until(now, one.seen.trouble_ms)
                        ),
                    },
                ]
            })
            .collect();
        let head = ["NODE", "STATE", "FILTER", "BUNDLE", "ITS AGE", "SEEN BEFORE", "WAITING", "LAST ERROR"];
        say(&table(&head, &rows, Paint::detect()));
        Ok(())
    }
}
