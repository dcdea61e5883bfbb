//! `sluice policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, Outcome, Output, print};
use crate::policies::load;

/// Work on policy files.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Say whether policy files are in order, as the service would when it loads them.
    Check(Check),
    Schema(super::policy_schema::Schema),
    Reference(super::policy_schema::Reference),
}

/// Which files, and how.
#[derive(Debug, Args)]
pub struct Check {
    /// A policy file, or a directory of them that make one policy. Each path is a policy of its own.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Policy {
    pub fn run(self) -> Outcome {
        let asked = match self {
            Self::Check(asked) => asked,
            Self::Schema(asked) => return asked.run(),
            Self::Reference(asked) => return asked.run(),
        };
        let mut bad = 0;
        let mut reports = Vec::new();
        for path in asked.paths {
            let shown = path.display().to_string();
            let (version, faults) = match load(&path) {
                Ok(loaded) => (Some(loaded.version), Vec::new()),
                Err(faults) => (None, faults),
            };
            bad += faults.len();
            match (asked.output, &version) {
                (Output::Text, Some(version)) => print::say(&format!("{shown}: in order, version {version}")),
                (Output::Text, None) => faults.iter().for_each(|fault| print::say(&fault.to_string())),
                (Output::Json, _) => {}
            }
            reports.push(serde_json::json!({"path": shown, "version": version, "faults": faults}));
        }
        if asked.output == Output::Json {
            print::say(&serde_json::Value::Array(reports).to_string());
        }
        match bad {
            0 => Ok(()),
            1 => Err(Failure::No("one thing is wrong".into())),
            many => Err(Failure::No(format!("{many} things are wrong"))),
        }
    }
}
