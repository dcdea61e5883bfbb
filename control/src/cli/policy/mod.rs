//! `sluice policy`.

mod attempt;
mod check;
mod diff;
mod explain;
mod proposals;
mod schema;
mod simulate;
mod steps;
mod test;
mod versions;

use clap::Subcommand;

use super::Outcome;
use super::approvals::{Listed, Reasoned};
use crate::policies::Fault;

/// Work on policy: files, and what is in force.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Say whether policy files are in order, as the service would when it loads them.
    Check(check::Check),
    Schema(schema::Schema),
    Reference(schema::Reference),
    Explain(Box<explain::Explain>),
    Try(attempt::Try),
    Test(test::Test),
    Diff(diff::Diff),
    Simulate(simulate::Simulate),
    Current(proposals::Current),
    /// List the policies that are or were in force, where policy comes from the store.
    ///
    /// `sluice sessions compare --number` puts a session to one of them.
    Versions(Listed),
    Propose(proposals::Propose),
    Proposals(proposals::Proposals),
    /// Show a proposal: what it would change, and the digest to accept.
    Proposal(proposals::Show),
    Accept(proposals::Accept),
    /// Refuse a proposal of another author.
    Reject(Reasoned),
    /// Take back a proposal of your own.
    Withdraw(Reasoned),
}

impl Policy {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Check(check) => check.run(),
            Self::Schema(schema) => schema.run(),
            Self::Reference(reference) => reference.run(),
            Self::Explain(explain) => explain.run().await,
            Self::Try(attempt) => attempt.run().await,
            Self::Test(test) => test.run(),
            Self::Diff(diff) => diff.run(),
            Self::Simulate(simulate) => simulate.run().await,
            Self::Current(current) => current.run().await,
            Self::Versions(listed) => versions::versions(listed).await,
            Self::Propose(propose) => propose.run().await,
            Self::Proposals(proposals) => proposals.run().await,
            Self::Proposal(asked) => asked.run().await,
            Self::Accept(accept) => accept.run().await,
            Self::Reject(asked) => proposals::close(asked, "reject").await,
            Self::Withdraw(asked) => proposals::close(asked, "withdraw").await,
        }
    }
}

/// What is wrong with files, one a line below what follows from it.
fn faults(what: &str, faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    format!("{what}:\n{}", faults.join("\n"))
}
