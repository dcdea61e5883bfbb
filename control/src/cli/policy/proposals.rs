//! `sluice policy propose`, `proposals`, `accept`, ...: policy that lives in the service's store.

use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::Args;

use super::diff::tell_changes;
use super::faults;
use crate::cli::api::escape;
use crate::cli::approvals::{One, Reasoned, as_json, told};
use crate::cli::print::{Paint, clean, clean_line, say, short, table, time};
use crate::cli::{Failure, Outcome, Output, Service};
use crate::http::{Acceptance, InForce, ShownProposals, Wanted};
use crate::policies::Files;
use crate::proposals::{Proposal, ProposalState};

/// Propose a policy: another author must accept it before it is in force.
///
/// It is checked, its cases are run, and what it would change is shown. The service must have been started with
/// --policy-from-store.
#[derive(Debug, Args)]
pub struct Propose {
    #[command(flatten)]
    service: Service,
    /// The whole policy as it would be: a file, or a directory of them; cases (`*.test.yaml`) come along.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// What for.
    #[arg(long, short, value_name = "TEXT")]
    reason: String,
    /// The number of the policy that it was written for (`sluice policy current`). Refused when another is in force.
    #[arg(long, value_name = "NUMBER")]
    base: Option<u64>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// List proposals.
#[derive(Debug, Args)]
pub struct Proposals {
    #[command(flatten)]
    service: Service,
    /// Which state they are in: open, accepted, rejected, withdrawn, stale or all.
    #[arg(long, default_value = "open", value_name = "STATE")]
    state: String,
    /// How many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Show a proposal.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    one: One,
    /// Which lines of which file it changes, as a unified diff, in the place of what that comes to.
    #[arg(long)]
    text: bool,
}

/// Show the policy that is in force.
#[derive(Debug, Args)]
pub struct Current {
    #[command(flatten)]
    service: Service,
    /// Write its files into this directory, to change them and propose them; where it comes from the store.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Accept a proposal: it is in force at once. Never your own.
#[derive(Debug, Args)]
pub struct Accept {
    #[command(flatten)]
    asked: Reasoned,
    /// The digest of what you accept, as `sluice policy proposal` shows it.
    #[arg(long, value_name = "DIGEST")]
    digest: String,
}

impl Propose {
    pub async fn run(self) -> Outcome {
        let wrong = |fault| Failure::Cannot(faults("the policy cannot be read", &[fault]));
        let documents = Files::read_with_cases(&self.path).map_err(wrong)?.documents();
        let wanted = Wanted { documents, base: self.base, reason: self.reason };
        let body = serde_json::to_string(&wanted).map_err(Failure::cannot)?;
        let proposal: Proposal = self.service.json(Method::POST, "/v1/policy/proposals", Some(body)).await?;
        if !as_json(self.output, &proposal)? {
            tell(&proposal);
            say("");
            say(&format!("{} waits for another author", proposal.id));
        }
        Ok(())
    }
}

impl Proposals {
    pub async fn run(self) -> Outcome {
        let path = format!("/v1/policy/proposals?state={}&limit={}", escape(&self.state), self.limit);
        let shown: ShownProposals = self.service.json(Method::GET, &path, None).await?;
        if as_json(self.output, &shown)? {
            return Ok(());
        }
        if shown.proposals.is_empty() {
            say("nothing here");
            return Ok(());
        }
        let row = |proposal: &Proposal| {
            let effect = if proposal.loosened { "loosens, or may" } else { "loosens nothing" };
            vec![
                proposal.id.clone(),
                proposal.state.word().to_owned(),
                short(&clean_line(&proposal.by.subject), 32),
                format!("{} changes, {effect}", proposal.changes.len()),
                short(&clean_line(proposal.by.reason.as_deref().unwrap_or_default()), 50),
            ]
        };
        let rows: Vec<_> = shown.proposals.iter().map(row).collect();
        say(&table(&["PROPOSAL", "STATE", "BY", "WHAT", "WHY"], &rows, Paint::detect()));
        Ok(())
    }
}

impl Current {
    pub async fn run(self) -> Outcome {
        let current: InForce = self.service.json(Method::GET, "/v1/policy", None).await?;
        if let Some(folder) = &self.save {
            save(folder, &current)?;
        }
        if as_json(self.output, &current)? {
            return Ok(());
        }
        let number = current.number.map(|number| format!("{number}, version ")).unwrap_or_default();
        say(&format!("policy {number}{} since {} UTC", clean_line(&current.version), time(current.since_ms)));
        say(if current.from_store {
            "from the store: `sluice policy propose` changes it"
        } else {
            "from files: who can write them changes it"
        });
        current.files.iter().for_each(|file| say(&format!("  {}", clean_line(file))));
        Ok(())
    }
}

/// Writes documents into a directory that is empty, or made for them: nothing is overwritten.
fn save(folder: &Path, current: &InForce) -> Result<(), Failure> {
    if !current.from_store {
        return Err(Failure::cannot("the policy comes from files of the service; look at those"));
    }
    std::fs::create_dir_all(folder).map_err(|e| Failure::cannot(format!("{}: {e}", folder.display())))?;
    for (name, text) in &current.documents {
        // The service takes plain names alone; one that leads elsewhere is not followed.
        let plain = Path::new(name).file_name().is_some_and(|plain| plain == name.as_str());
        let path = folder.join(name);
        let failed =
            |why: String| Failure::cannot(format!("{}: {why}", clean_line(&path.display().to_string())));
        if !plain {
            return Err(failed("is no plain file name".into()));
        }
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
        let mut file = file.map_err(|e| failed(e.to_string()))?;
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|e| failed(e.to_string()))?;
    }
    Ok(())
}

impl Accept {
    pub async fn run(self) -> Outcome {
        let path = format!("/v1/policy/proposals/{}/accept", escape(&self.asked.one.id));
        let acceptance = Acceptance { digest: self.digest, reason: self.asked.reason.clone() };
        let proposal: Proposal = self.asked.send(&path, &acceptance).await?;
        decided(&proposal, self.asked.one.output)
    }
}

impl Show {
    /// Shows one: what it would change, and the digest to accept.
    pub async fn run(self) -> Outcome {
        let path = format!("/v1/policy/proposals/{}", escape(&self.one.id));
        if self.text {
            let text = self.one.service.text(Method::GET, &format!("{path}/text"), None).await?;
            say(clean(&text).trim_end());
            return Ok(());
        }
        let proposal: Proposal = self.one.service.json(Method::GET, &path, None).await?;
        if !as_json(self.one.output, &proposal)? {
            tell(&proposal);
        }
        Ok(())
    }
}

/// Refuses one (`reject`), or takes one's own back (`withdraw`).
pub async fn close(asked: Reasoned, what: &str) -> Outcome {
    let proposal: Proposal = asked.take("/v1/policy/proposals", what).await?;
    decided(&proposal, asked.one.output)
}

fn decided(proposal: &Proposal, output: Output) -> Outcome {
    if !as_json(output, proposal)? {
        say(&format!("{} is {}", proposal.id, proposal.state.word()));
    }
    Ok(())
}

fn tell(proposal: &Proposal) {
    let paint = Paint::detect();
    let line = |name: &str, value: &str| say(&format!("{} {value}", paint.dim(&format!("{name:<10}"))));
    let state = match proposal.state {
        ProposalState::Open => paint.yellow("open"),
        ProposalState::Accepted => paint.green("accepted"),
        other => paint.dim(other.word()),
    };
    line("proposal", &format!("{}  {state}", paint.bold(&proposal.id)));
    line("by", &told(&proposal.by));
    if let Some(by) = &proposal.decided {
        line(proposal.state.word(), &told(by));
    }
    line("for", &format!("policy {}", proposal.base));
    line("version", &clean_line(&proposal.version));
    line("digest", &clean_line(&proposal.digest));
    line("cases", &format!("{} came out as expected", proposal.cases));
    for warning in &proposal.warnings {
        line("warning", &paint.yellow(&clean_line(warning)));
    }
    say("");
    tell_changes(&proposal.changes, paint);
}
