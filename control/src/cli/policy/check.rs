//! `sluice policy check`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Failure, Outcome, Output, print};
use crate::policies::{Fault, is_test, load};
use crate::tokens::saml::{PROGRAM, lacking};

/// Each fault says file, line, field, why, and what was probably meant. Warnings are about what hardly anybody means
/// (a role that nobody has, a rule that can never decide); they do not make a policy bad.
///
/// Ends with 0 when every policy is in order, with 1 when one is not, with 2 when a path cannot be read.
#[derive(Debug, Args)]
pub struct Check {
    /// A policy file, or a directory of them that make one policy. Each path is a policy of its own.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The program that will check the signatures of SAML assertions, as for `sluice serve`; where it is not there and the policy
    /// needs it, that is a warning.
    #[arg(long, env = "SLUICE_XMLSEC1", default_value = PROGRAM, value_name = "FILE")]
    xmlsec1: PathBuf,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Check {
    pub fn run(self) -> Outcome {
        for path in &self.paths {
            let shown = path.display();
            std::fs::metadata(path).map_err(|e| Failure::cannot(format!("{shown} cannot be read: {e}")))?;
            if path.file_name().is_some_and(|name| is_test(&name.to_string_lossy())) {
                let why =
                    format!("{shown} is a file of cases and no policy; `sluice policy test {shown}` runs it");
                return Err(Failure::Cannot(why));
            }
        }
        let mut bad = 0;
        let mut reports = Vec::new();
        for path in self.paths {
            let shown = path.display().to_string();
            let (version, faults, warnings) = match load(&path) {
                Ok(loaded) => {
                    let mut warnings = loaded.warnings;
                    let lacking = lacking(&loaded.policy, &self.xmlsec1);
                    warnings.extend(lacking.map(|why| Fault {
                        file: shown.clone(),
                        line: None,
                        field: None,
                        why,
                        suggestion: None,
                    }));
                    (Some(loaded.version), Vec::new(), warnings)
                }
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
