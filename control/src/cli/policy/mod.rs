//! `sluice policy`.

mod check;

use clap::Subcommand;

use super::Outcome;

/// Work on policy files.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Say whether policy files are in order, as the service would when it loads them.
    Check(check::Check),
}

impl Policy {
    pub fn run(self) -> Outcome {
        match self {
            Self::Check(check) => check.run(),
        }
    }
}
