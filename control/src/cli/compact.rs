//! `sluice records compact`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::print::say;
use super::{Failure, Outcome, Output};
use crate::keys::StateLock;
use crate::serve::DATABASE;
use crate::store::sqlite;

/// What is made smaller.
#[derive(Debug, Args)]
pub struct Compact {
    /// The state directory, of a service that does not run. There must be room for the new file beside the old one.
    #[arg(long, env = "SLUICE_STATE", default_value = "var", value_name = "DIR")]
    state: PathBuf,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Compact {
    pub async fn run(self) -> Outcome {
        let file = self.state.join(DATABASE);
        if !file.exists() {
            let why = "there is no database; a PostgreSQL is made smaller by its own means (VACUUM FULL)";
            return Err(Failure::Cannot(format!("{}: {why}", file.display())));
        }
        let _lock = StateLock::take(&self.state).map_err(Failure::cannot)?;
        let (before, after) = sqlite::compact(&file).await.map_err(Failure::cannot)?;
        say(&match self.output {
            Output::Json => json!({"bytesBefore": before, "bytesAfter": after}).to_string(),
            Output::Text => format!("{}: {before} bytes before, {after} now", file.display()),
        });
        Ok(())
    }
}
