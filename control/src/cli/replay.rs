//! `sluice replay`.

mod transcript;

use std::collections::HashMap;

use axum::http::Method;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use sluice_engine::record::{Block, Body, Record, Stage, assemble};

use super::api::escape;
use super::print::{Paint, say};
use super::{Failure, Outcome, Output, Service};
use crate::records::lines::Line;
use crate::records::{Entry, HoldEvent};
use transcript::Transcript;

/// The largest body that is put together: the API takes 32 MB.
const LARGEST: usize = 64 << 20;

/// Show a session step by step.
///
/// Of each request only what is new is shown: the conversation before it was shown already. Everything is as it
/// was recorded, so masked.
#[derive(Debug, Args)]
pub struct Replay {
    #[command(flatten)]
    service: Service,
    /// The session's id, or that of an exchange without a session; `sluice sessions ls` lists them.
    session: String,
    /// Show texts in full, system text included.
    #[arg(long)]
    full: bool,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// An exchange, put together from its records.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Its id.
    pub id: String,
    /// What was recorded when it was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<Record>,
    /// The request, as JSON where it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// What happened to its holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldEvent>,
    /// What was recorded when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close: Option<Record>,
    /// The reply, as JSON where it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Value>,
}

impl Replay {
    pub async fn run(self) -> Outcome {
        let path = format!("/v1/sessions/{}", escape(&self.session));
        let text = self.service.text(Method::GET, &path, None).await?;
        let exchanges = exchanges(&text)?;
        match self.output {
            Output::Json => {
                let whole = serde_json::json!({"session": self.session, "exchanges": exchanges});
                say(&whole.to_string());
            }
            Output::Text => {
                say(Transcript::new(Paint::detect(), self.full).write(&self.session, &exchanges).trim_end());
            }
        }
        Ok(())
    }
}

/// Puts the lines of a replay together, in the order in which exchanges began.
pub fn exchanges(text: &str) -> Result<Vec<Exchange>, Failure> {
    let mut blocks: HashMap<String, Block> = HashMap::new();
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).map_err(Failure::cannot)?;
        if let Some(error) = line.error {
            return Err(Failure::Cannot(error));
        }
        if let Some(block) = line.block {
            blocks.insert(block.digest.clone(), block);
        }
        let Some(entry) = line.entry else { continue };
        let entry: Entry = serde_json::from_str(entry.get()).map_err(|e| {
            Failure::cannot(format!(
                "an entry cannot be read ({e}); `sluice records verify` says whether it was altered"
            ))
        })?;
        let Some(id) = entry.exchange().map(str::to_owned) else { continue };
        let place = *places.entry(id.clone()).or_insert(exchanges.len());
        if place == exchanges.len() {
            exchanges.push(Exchange { id, ..Exchange::default() });
        }
        let Some(exchange) = exchanges.get_mut(place) else { continue };
        match entry {
            Entry::Hold(event) => exchange.holds.push(*event),
            // No part of a session.
            Entry::Pass(_) | Entry::Delegation(_) | Entry::Policy(_) => {}
            Entry::Grant(_) | Entry::Token(_) | Entry::Revocation(_) => {}
            Entry::Restore(_) | Entry::Retention(_) => {}
            Entry::Exchange(record) => {
                let body = record.body.as_ref().map(|body| value(body, &blocks));
                match record.stage {
                    Stage::Open => (exchange.open, exchange.request) = (Some(*record), body),
                    Stage::Close => (exchange.close, exchange.reply) = (Some(*record), body),
                }
            }
        }
    }
    Ok(exchanges)
}

fn value(body: &Body, blocks: &HashMap<String, Block>) -> Value {
    match assemble(body, LARGEST, |digest| blocks.get(digest)) {
        Ok(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Err(error) => Value::String(format!("(the body cannot be shown: {error})")),
    }
}
