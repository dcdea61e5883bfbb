//! Decisions on items.

use axum::http::Method;
use clap::Args;
use sluice_engine::policy::bundle::Part;

use super::super::api::escape;
use super::super::print::say;
use super::super::{Failure, Outcome, Output, Service};
use super::open_items;
use crate::http::{ShownItems, Verdict};
use crate::reviews::Choice;

/// Items that one call decides.
const CALL: usize = 1000;

/// Which items stay.
#[derive(Debug, Args)]
pub struct Certify {
    #[command(flatten)]
    which: Which,
    /// All on which nobody has decided, but for your own.
    #[arg(long, conflicts_with_all = ["items", "suggested"])]
    all: bool,
    /// All that were used as they are: where it is suggested, and nobody has decided.
    #[arg(long, conflicts_with = "items")]
    suggested: bool,
}

/// Which items are taken back.
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    which: Which,
    /// All where it is suggested, and nobody has decided.
    #[arg(long, conflicts_with = "items")]
    suggested: bool,
}

/// Which items are reduced, and by what.
#[derive(Debug, Args)]
pub struct Reduce {
    #[command(flatten)]
    which: Which,
    /// A model to take back, as a glob; may be given more than once. Without any of these: what is suggested for each item.
    #[arg(long = "model", value_name = "GLOB")]
    models: Vec<String>,
    /// A tool to take back, as a glob; may be given more than once.
    #[arg(long = "tool", value_name = "GLOB")]
    tools: Vec<String>,
    /// A scope to take back, as a glob; may be given more than once.
    #[arg(long = "scope", value_name = "GLOB")]
    scopes: Vec<String>,
    /// All where it is suggested, and nobody has decided.
    #[arg(long, conflicts_with = "items")]
    suggested: bool,
}

/// Which review, which of its items, and why.
#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    service: Service,
    /// The review's id.
    id: String,
    /// The items' numbers.
    items: Vec<u32>,
    /// Why.
    #[arg(long, short, value_name = "TEXT")]
    reason: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Certify {
    pub async fn run(self) -> Outcome {
        let pick = match (self.all, self.suggested) {
            (true, _) => Pick::All,
            (_, true) => Pick::Suggested,
            _ => Pick::Given,
        };
        self.which.decide(Choice::Certify, None, pick).await
    }
}

impl Revoke {
    pub async fn run(self) -> Outcome {
        let pick = if self.suggested { Pick::Suggested } else { Pick::Given };
        self.which.decide(Choice::Revoke, None, pick).await
    }
}

impl Reduce {
    pub async fn run(self) -> Outcome {
        let pick = if self.suggested { Pick::Suggested } else { Pick::Given };
        let part = Part { scopes: self.scopes, models: self.models, tools: self.tools };
        self.which.decide(Choice::Reduce, Some(part).filter(|part| !part.is_empty()), pick).await
    }
}

/// Which items are meant.
#[derive(PartialEq, Eq)]
enum Pick {
    Given,
    All,
    Suggested,
}

impl Which {
    async fn decide(mut self, choice: Choice, part: Option<Part>, pick: Pick) -> Outcome {
        if pick != Pick::Given {
            let open = open_items(&self.service, &self.id).await?;
            let meant =
                open.iter().filter(|shown| pick == Pick::All || shown.item.suggestion.choice == Some(choice));
            self.items = meant.map(|shown| shown.item.n).collect();
        } else if self.items.is_empty() {
            return Err(Failure::cannot("say which items, by their numbers in `sluice reviews show`"));
        }
        let path = format!("/v1/reviews/{}/decisions", escape(&self.id));
        let mut decided = Vec::new();
        for some in self.items.chunks(CALL) {
            let verdict =
                Verdict { items: some.to_vec(), choice, part: part.clone(), reason: self.reason.clone() };
            let body = serde_json::to_string(&verdict).map_err(Failure::cannot)?;
            let answer: ShownItems = self.service.json(Method::POST, &path, Some(body)).await?;
            decided.extend(answer.items);
        }
        match self.output {
            Output::Json => {
                let answer = ShownItems { items: decided, next: None };
                say(&serde_json::to_string(&answer).map_err(Failure::cannot)?);
            }
            Output::Text if decided.is_empty() => say("nothing to decide"),
            Output::Text => say(&format!("{} {}", decided.len(), choice.word())),
        }
        Ok(())
    }
}
