//! What a review leaves, and whether it is genuine.

use std::path::PathBuf;

use axum::http::Method;
use clap::{Args, ValueEnum};
use sluice_engine::policy::bundle::verifying_key;

use super::super::api::escape;
use super::super::print::{clean_line, say, time};
use super::super::{Failure, Outcome, Output, Service, State};
use crate::reviews::{Evidence, EvidenceError, ReviewState, SignedEvidence};

/// Which review, and in which form.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    service: Service,
    /// The review's id.
    id: String,
    /// In which form.
    #[arg(long, default_value = "json")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A report that is signed with the key that signs bundles; `sluice reviews verify` checks it.
    Json,
    /// A table, for a spreadsheet.
    Csv,
}

/// Which report, and by which key.
#[derive(Debug, Args)]
pub struct Verify {
    /// The report, as `sluice reviews evidence` wrote it.
    file: PathBuf,
    /// The bundle key, as `sluice keys show` prints it and plugin configurations have it; may be given more than once.
    /// Default: that of the state directory.
    #[arg(long = "key", value_name = "BASE64")]
    keys: Vec<String>,
    #[command(flatten)]
    state: State,
    /// How to write it; json writes what was signed.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Export {
    pub async fn run(self) -> Outcome {
        let format = match self.format {
            Format::Json => "json",
            Format::Csv => "csv",
        };
        let path = format!("/v1/reviews/{}/evidence?format={format}", escape(&self.id));
        say(self.service.text(Method::GET, &path, None).await?.trim_end());
        Ok(())
    }
}

impl Verify {
    pub fn run(self) -> Outcome {
        let failed = |e: &dyn std::fmt::Display| Failure::cannot(format!("{}: {e}", self.file.display()));
        let text = std::fs::read_to_string(&self.file).map_err(|e| failed(&e))?;
        let signed: SignedEvidence = serde_json::from_str(&text)
            .map_err(|e| failed(&format!("it is no signed report of a review: {e}")))?;
        let keys = if self.keys.is_empty() {
            vec![self.state.keys()?.bundle.verifying_key()]
        } else {
            let keys: Result<Vec<_>, _> = self.keys.iter().map(|key| verifying_key(key)).collect();
            keys.map_err(Failure::cannot)?
        };
        let evidence = signed.open(&keys).map_err(|why| match why {
            EvidenceError::Signature => Failure::No(why.to_string()),
            EvidenceError::Unreadable(_) => Failure::cannot(why),
        })?;
        match self.output {
            Output::Json => say(&signed.payload),
            Output::Text => tell(&evidence),
        }
        Ok(())
    }
}

fn tell(evidence: &Evidence) {
    let (review, progress) = (&evidence.review, &evidence.progress);
    let state = match review.state {
        ReviewState::Open => "open when this was made",
        ReviewState::Closed => "closed",
    };
    say(&format!("genuine: review {} ({}), {state}", review.id, clean_line(&review.name)));
    say(&format!("from {} UTC, deadline {} UTC", time(review.started_ms), time(review.deadline_ms)));
    say(&format!(
        "{} items: {} certified, {} revoked, {} reduced, {} open",
        evidence.items.len(),
        progress.certified,
        progress.revoked,
        progress.reduced,
        progress.open
    ));
    say(&format!("policy {}", clean_line(&review.policy_version)));
    for (when, heads) in [("start", &review.heads_at_start), ("end", &review.heads_at_end)] {
        for head in heads {
            say(&clean_line(&format!(
                "log at the {when}: writer {} at {} {}",
                head.writer, head.seq, head.hash
            )));
        }
    }
}
