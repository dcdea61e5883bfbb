//! `sluice policy check`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Failure, Outcome, Output, print};
use crate::policies::load;

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

impl Check {
    pub fn run(self) -> Outcome {
        let mut bad = 0;
        let mut reports = Vec::new();
        for path in self.paths {
            let shown = path.display().to_string();
            let (version, faults) = match load(&path) {
                Ok(loaded) => (Some(loaded.version), Vec::new()),
                Err(faults) => (None, faults),
            };
            bad += faults.len();
            match (self.output, &version) {
                (Output::Text, Some(version)) => print::say(&format!("{shown}: in order, version {version}")),
                (Output::Text, None) => faults.iter().for_each(|fault| print::say(&fault.to_string())),
                (Output::Json, _) => {}
            }
            reports.push(serde_json::json!({"path": shown, "version": version, "faults": faults}));
        }
        if self.output == Output::Json {
            print::say(&serde_json::Value::Array(reports).to_string());
        }
        match bad {
            0 => Ok(()),
            1 => Err(Failure::No("one thing is wrong".into())),
            many => Err(Failure::No(format!("{many} things are wrong"))),
        }
    }
}
