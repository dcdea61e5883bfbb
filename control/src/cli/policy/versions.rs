//! `sluice policy versions`.

use axum::http::Method;

use crate::cli::Outcome;
use crate::cli::approvals::{Listed, as_json};
use crate::cli::print::{Paint, say, table, time};
use crate::http::Versions;

/// Lists them, the latest first.
pub async fn versions(listed: Listed) -> Outcome {
    let path = format!("/v1/policy/versions?limit={}", listed.limit);
    let kept: Versions = listed.service.json(Method::GET, &path, None).await?;
    if as_json(listed.output, &kept)? {
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
