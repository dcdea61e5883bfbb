//! `sluice policy versions`.

use axum::http::Method;
use clap::Args;

use crate::cli::print::{Paint, say, table, time};
use crate::cli::{Failure, Outcome, Output, Service};
use crate::http;

/// List the policies that are or were in force, where policy comes from the store.
///
/// `sluice sessions compare --number` puts a session to one of them.
#[derive(Debug, Args)]
pub struct Versions {
    #[command(flatten)]
    service: Service,
    /// How many, the latest first.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Versions {
    pub async fn run(self) -> Outcome {
        let path = format!("/v1/policy/versions?limit={}", self.limit);
        let kept: http::Versions = self.service.json(Method::GET, &path, None).await?;
        if self.output == Output::Json {
            say(&serde_json::to_string(&kept).map_err(Failure::cannot)?);
            return Ok(());
        }
        if kept.versions.is_empty() {
            say("none: policy comes from files here");
            return Ok(());
        }
        let rows: Vec<_> =
            kept.versions.iter().map(|one| vec![one.number.to_string(), time(one.at_ms)]).collect();
        say(&table(&["number", "in force from (UTC)"], &rows, Paint::detect()));
        Ok(())
    }
}
