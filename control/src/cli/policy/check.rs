//! `sluice policy check`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Failure, Outcome, Output, print};
use crate::policies::load;

/// Each fault says file, line, field, why, and what was probably meant. Warnings are about what hardly anybody means
/// (a role that nobody has, a rule that can never decide); they do not make a policy bad.
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
            let (version, faults, warnings) = match load(&path) {
                Ok(loaded) => (Some(loaded.version), Vec::new(), loaded.warnings),
                Err(faults) => (None, faults, Vec::new()),
            };
            bad += faults.len();
            if self.output == Output::Text {
                warnings.iter().for_each(|warning| print::say(&warning.as_warning()));
            }
            match (self.output, &version) {
                (Output::Text, Some(version)) => print::say(&format!("{shown}: in order, version {version}")),
                (Output::Text, None) => faults.iter().for_each(|fault| print::say(&fault.to_string())),
                (Output::Json, _) => {}
            }
            reports.push(serde_json::json!({"path": shown, "version": version, "faults": faults, "warnings": warnings}));
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
