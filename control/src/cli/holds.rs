//! `sluice holds`.

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use sluice_engine::wire::HoldDecision;

use super::api::escape;
use super::print::{Paint, clean, clean_line, say, short, table, time, until};
use super::{Failure, Outcome, Output, Service};
use crate::holds::Hold;
use crate::http::{Ruling, Shown};
use crate::serve::now_ms;

/// See what waits for a person, and decide it.
#[derive(Debug, Subcommand)]
pub enum Holds {
    /// List the holds that you may decide; auditors see all.
    Ls(List),
    /// Show one hold: who asks for what, and what it would do.
    Show(Show),
    /// Let a hold go on, once. Never your own.
    Approve(Decide),
    /// Refuse a hold.
    Deny(Decide),
}

/// Which holds, and how.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    service: Service,
    /// Which state they are in.
    #[arg(long, default_value = "waiting")]
    state: StateFilter,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// A state of holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateFilter {
    Waiting,
    Approved,
    Denied,
    Expired,
    All,
}

/// Which hold, and how.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    service: Service,
    /// The hold's id.
    id: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which hold, and why.
#[derive(Debug, Args)]
pub struct Decide {
    #[command(flatten)]
    service: Service,
    /// The hold's id.
    id: String,
    /// Why. The policy may want one.
    #[arg(long, short, value_name = "TEXT")]
    reason: Option<String>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Holds {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Ls(asked) => asked.run().await,
            Self::Show(asked) => {
                let path = format!("/v1/holds/{}", escape(&asked.id));
                let hold: Hold = asked.service.json(Method::GET, &path, None).await?;
                tell(&hold, asked.output)
            }
            Self::Approve(asked) => asked.run(true).await,
            Self::Deny(asked) => asked.run(false).await,
        }
    }
}

impl List {
    async fn run(self) -> Outcome {
        let state =
            self.state.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let path = format!("/v1/holds?state={state}&limit=1000");
        if self.output == Output::Json {
            let holds: Value = self.service.json(Method::GET, &path, None).await?;
            say(&holds.to_string());
            return Ok(());
        }
        let shown: Shown = self.service.json(Method::GET, &path, None).await?;
        if shown.holds.is_empty() {
            say("nothing here");
            return Ok(());
        }
        let now = now_ms();
        let rows: Vec<Vec<String>> = shown
            .holds
            .iter()
            .map(|hold| {
                let what = hold.ask.effects.first().unwrap_or(&hold.ask.preview);
                let left = match hold.state {
                    HoldDecision::Waiting => format!("{} left", until(hold.expires_ms, now)),
                    state => state.word().to_owned(),
                };
                vec![
                    hold.id.clone(),
                    left,
                    short(&clean_line(&hold.ask.who.subject), 32),
                    clean_line(&hold.ask.rule),
                    clean_line(hold.ask.tool.as_deref().unwrap_or("-")),
                    short(&clean_line(what), 60),
                ]
            })
            .collect();
        say(&table(&["HOLD", "STATE", "WHO", "RULE", "TOOL", "WHAT"], &rows, Paint::detect()));
        Ok(())
    }
}

impl Decide {
    async fn run(self, approve: bool) -> Outcome {
        let path = format!("/v1/holds/{}/decision", escape(&self.id));
        let body =
            serde_json::to_string(&Ruling { approve, reason: self.reason }).map_err(Failure::cannot)?;
        let hold: Hold = self.service.json(Method::POST, &path, Some(body)).await?;
        match self.output {
            Output::Json => tell(&hold, Output::Json),
            Output::Text => {
                say(&format!("{} is {}", hold.id, hold.state.word()));
                Ok(())
            }
        }
    }
}

fn tell(hold: &Hold, output: Output) -> Outcome {
    if output == Output::Json {
        say(&serde_json::to_string(hold).map_err(Failure::cannot)?);
        return Ok(());
    }
    let paint = Paint::detect();
    let ask = &hold.ask;
    let state = match hold.state {
        HoldDecision::Waiting => paint.yellow(&format!("waiting, {} left", until(hold.expires_ms, now_ms()))),
        HoldDecision::Approved => paint.green("approved"),
        HoldDecision::Denied => paint.red("denied"),
        HoldDecision::Expired => paint.dim("expired"),
    };
    let line = |name: &str, value: &str| say(&format!("{} {value}", paint.dim(&format!("{name:<10}"))));
    line("hold", &format!("{}  {state}", paint.bold(&hold.id)));
    line(
        "who",
        &clean_line(&format!("{} ({}; {})", ask.who.subject, ask.who.issuer, ask.who.groups.join(", "))),
    );
    line("rule", &clean_line(&format!("{}: {}", ask.rule, ask.message)));
    if let Some(session) = &ask.session {
        line("session", &clean_line(session));
    }
    line("asked", &format!("{} UTC", time(hold.created_ms)));
    line("approvers", &clean_line(&ask.approvers.join(", ")));
    if let Some(tool) = &ask.tool {
        line("tool", &clean_line(tool));
    }
    for effect in &ask.effects {
        line("effect", &paint.red(&clean_line(effect)));
    }
    if let Some(by) = &hold.decided {
        let reason = by.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
        line("decided", &clean_line(&format!("{} UTC by {}{reason}", time(by.at_ms), by.subject)));
    }
    if let Some(used) = &hold.used {
        line("used", &clean_line(&format!("{} UTC by exchange {}", time(used.at_ms), used.exchange)));
    }
    say("");
    say(&paint.masks(&clean(&ask.preview)));
    Ok(())
}
