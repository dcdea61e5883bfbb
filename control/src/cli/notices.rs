//! `sluice notices`.

use std::time::Duration;

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::api::escape;
use super::print::{Paint, clean_line, say, short, table, until};
use super::{Failure, Outcome, Output, Service};
use crate::http::{Listed, ShownNotices};
use crate::notices::DeliveryState;
use crate::serve::now_ms;

/// How long a test waits to hear what came of its first try: a second until it begins, and the time that it may take.
const TESTED: Duration = Duration::from_secs(20);

/// See which notices reached their channels, send dead ones again, test a channel. For operators.
#[derive(Debug, Subcommand)]
pub enum Notices {
    /// List the channels, and what became of notices on their way.
    Ls(List),
    /// Have a notice that is dead tried again.
    Retry(Retry),
    /// Send a test to a channel, and say whether it arrived.
    Test(Test),
}

/// Which notices, and how.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    service: Service,
    /// Which state they are in.
    #[arg(long, default_value = "all")]
    state: StateFilter,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// A state of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateFilter {
    Waiting,
    Delivered,
    Dead,
    All,
}

/// Which notice, and how.
#[derive(Debug, Args)]
pub struct Retry {
    #[command(flatten)]
    service: Service,
    /// The notice's id.
    id: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which channel, and how.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    service: Service,
    /// The channel, by its name in the policy.
    name: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Notices {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Ls(asked) => asked.run().await,
            Self::Retry(asked) => asked.run().await,
            Self::Test(asked) => asked.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Outcome {
        let state =
            self.state.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let path = format!("/v1/notices?state={state}&limit=1000");
        let answer: Value = self.service.json(Method::GET, &path, None).await?;
        if self.output == Output::Json {
            say(&answer.to_string());
            return Ok(());
        }
        let shown: ShownNotices = serde_json::from_value(answer).map_err(Failure::cannot)?;
        let paint = Paint::detect();
        for channel in &shown.channels {
            let state = match &channel.fault {
                None => paint.green("in order"),
                Some(fault) => paint.red(&clean_line(fault)),
            };
            say(&format!("{}  {state}", clean_line(&channel.name)));
        }
        if shown.channels.is_empty() {
            say("the policy names no channels (`notices`): nobody is told anything");
        }
        if !shown.notices.is_empty() {
            say("");
            let now = now_ms();
            let rows: Vec<Vec<String>> = shown.notices.iter().map(|listed| row(listed, now)).collect();
            say(&table(&["NOTICE", "CHANNEL", "EVENT", "ABOUT", "STATE", "TRIES", "TROUBLE"], &rows, paint));
        }
        Ok(())
    }
}

impl Retry {
    async fn run(self) -> Outcome {
        let path = format!("/v1/notices/{}/retry", escape(&self.id));
        let listed: Listed = self.service.json(Method::POST, &path, None).await?;
        match self.output {
            Output::Json => say(&serde_json::to_string(&listed).map_err(Failure::cannot)?),
            Output::Text => say(&format!("{} is tried again", listed.id)),
        }
        Ok(())
    }
}

impl Test {
    async fn run(self) -> Outcome {
        let path = format!("/v1/notices/{}/test", escape(&self.name));
        let mut listed: Listed = self.service.json(Method::POST, &path, None).await?;
        let path = format!("/v1/notices/{}", escape(&listed.id));
        let end = tokio::time::Instant::now() + TESTED;
        while listed.state == DeliveryState::Waiting
            && listed.trouble.is_none()
            && tokio::time::Instant::now() < end
        {
            tokio::time::sleep(Duration::from_millis(250)).await;
            listed = self.service.json(Method::GET, &path, None).await?;
        }
        if self.output == Output::Json {
            say(&serde_json::to_string(&listed).map_err(Failure::cannot)?);
        }
        match (listed.state, listed.trouble) {
            (DeliveryState::Delivered, _) => {
                if self.output == Output::Text {
                    say(&format!("{} took the test", clean_line(&self.name)));
                }
                Ok(())
            }
            (_, Some(trouble)) => Err(Failure::No(format!(
                "the test did not arrive at {}: {}; it is tried again as every notice is",
                clean_line(&self.name),
                clean_line(&trouble)
            ))),
            (_, None) => Err(Failure::No(format!(
                "nothing is known of the test yet; see `sluice notices ls` for {}",
                listed.id
            ))),
        }
    }
}

fn row(listed: &Listed, now: u64) -> Vec<String> {
    let state = match listed.state {
        DeliveryState::Waiting => format!("next in {}", until(listed.due_ms, now)),
        state => state.word().to_owned(),
    };
    vec![
        listed.id.clone(),
        clean_line(&listed.channel),
        listed.event.clone(),
        clean_line(if listed.about.is_empty() { "-" } else { &listed.about }),
        state,
        listed.tries.to_string(),
        short(&clean_line(listed.trouble.as_deref().unwrap_or("-")), 60),
    ]
}
