//! `sluice replay`.

mod transcript;

use axum::http::Method;
use clap::Args;

use super::api::escape;
use super::print::{Paint, say};
use super::{Failure, Outcome, Output, Service};
use crate::http::Conversation;
use crate::records::lines::Line;
use crate::records::session::{Exchange, Gathering};
use transcript::Transcript;

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

/// Which exchange, and how.
#[derive(Debug, Args)]
pub struct Recorded {
    #[command(flatten)]
    service: Service,
    /// The id.
    id: String,
    /// Show texts in full, system text included.
    #[arg(long)]
    full: bool,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Recorded {
    /// Shows the exchange of this id.
    pub async fn exchange(self) -> Outcome {
        let path = format!("/v1/exchanges/{}", escape(&self.id));
        let exchange: Exchange = self.service.json(Method::GET, &path, None).await?;
        match self.output {
            Output::Json => say(&serde_json::to_string(&exchange).map_err(Failure::cannot)?),
            Output::Text => self.tell(&[exchange]),
        }
        Ok(())
    }

    /// Shows the conversation around the hold of this id.
    pub async fn conversation(self) -> Outcome {
        let path = format!("/v1/holds/{}/conversation", escape(&self.id));
        let conversation: Conversation = self.service.json(Method::GET, &path, None).await?;
        match self.output {
            Output::Json => say(&serde_json::to_string(&conversation).map_err(Failure::cannot)?),
            Output::Text
                if conversation.exchanges.iter().all(|one| one.open.is_none() && one.close.is_none()) =>
            {
                say("nothing of it is recorded yet");
            }
            Output::Text => self.tell(&conversation.exchanges),
        }
        Ok(())
    }

    fn tell(&self, exchanges: &[Exchange]) {
        say(Transcript::new(Paint::detect(), self.full).write_steps(exchanges).trim_end());
    }
}

/// Puts the lines of a replay together, in the order in which exchanges began.
pub fn exchanges(text: &str) -> Result<Vec<Exchange>, Failure> {
    let mut gathering = Gathering::default();
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).map_err(Failure::cannot)?;
        if let Some(error) = line.error {
            return Err(Failure::Cannot(error));
        }
        if let Some(block) = line.block {
            gathering.block(block);
        }
        let Some(entry) = line.entry else { continue };
        gathering.entry(serde_json::from_str(entry.get()).map_err(|e| {
            Failure::cannot(format!(
                "an entry cannot be read ({e}); `sluice records verify` says whether it was altered"
            ))
        })?);
    }
    Ok(gathering.exchanges())
}
