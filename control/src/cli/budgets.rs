//! `sluice budgets`.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::Value;
use sluice_engine::budget::{Holder, Spent};
use sluice_engine::policy::document::{Budget, Usd};

use super::print::{Paint, clean_line, say, short, table, until};
use super::{Failure, Outcome, Output, Service};
use crate::http::{Use, Uses};
use crate::serve::now_ms;

/// See who used what of which budget.
#[derive(Debug, Subcommand)]
pub enum Budgets {
    /// List what was used in the windows that are open now. For auditors and operators.
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

impl Budgets {
    pub async fn run(self) -> Outcome {
        let Self::Ls(asked) = self;
        asked.run().await
    }
}

impl List {
    async fn run(self) -> Outcome {
        let answer: Value = self.service.json(Method::GET, "/v1/budgets", None).await?;
        if self.output == Output::Json {
            say(&answer.to_string());
            return Ok(());
        }
        let shown: Uses = serde_json::from_value(answer).map_err(Failure::cannot)?;
        if shown.budgets.is_empty() {
            say("nothing here: no budget was used in a window that is open now");
            return Ok(());
        }
        let now = now_ms();
        let rows: Vec<Vec<String>> = shown.budgets.iter().map(|own| row(own, now)).collect();
        say(&table(&["BUDGET", "WHO", "USED", "RESERVED", "ENDS IN"], &rows, Paint::detect()));
        Ok(())
    }
}

fn row(own: &Use, now: u64) -> Vec<String> {
    let who = match &own.holder {
        Holder::Person { issuer, subject } => format!("{subject} ({issuer})"),
        Holder::Group(group) => format!("group {group}"),
    };
    vec![
        short(&clean_line(&own.budget), 40),
        short(&clean_line(&who), 40),
        used(own.used, own.limits.as_ref()),
        reserved(own.reserved),
        until(own.end_ms, now),
    ]
}

/// Each figure that is limited, with its limit; all figures, when the policy has no such budget any more.
fn used(used: Spent, limits: Option<&Budget>) -> String {
    let Some(limits) = limits else {
        return format!(
            "{} requests, {} tokens, {} USD (not in the policy any more)",
            used.requests,
            used.tokens(),
            Usd::micros(used.cost_micro_usd)
        );
    };
    let counts = [
        (limits.requests, used.requests, "requests"),
        (limits.tokens, used.tokens(), "tokens"),
        (limits.input_tokens, used.input_tokens, "input tokens"),
        (limits.output_tokens, used.output_tokens, "output tokens"),
    ];
    let counts =
        counts.into_iter().filter_map(|(limit, used, unit)| Some(format!("{used}/{} {unit}", limit?)));
    let cost = limits.cost.map(|limit| format!("{}/{limit} USD", Usd::micros(used.cost_micro_usd)));
    counts.chain(cost).collect::<Vec<_>>().join(", ")
}

fn reserved(reserved: Spent) -> String {
    if reserved.is_zero() {
        return "-".into();
    }
    format!("{} tokens, {} USD", reserved.tokens(), Usd::micros(reserved.cost_micro_usd))
}
