//! `sluice backup` and `sluice restore`.

use std::path::PathBuf;

use clap::Args;

use super::print::say;
use super::{Failure, Outcome, Output, State};
use crate::backup::{Manifest, backup, restore};
use crate::serve::now_ms;

/// Copy the database of a running service into a new directory, and verify the copy.
///
/// The copy is one moment of the log. Keys are left out unless --with-keys asks for them: without the bundle key nobody
/// can verify the log, and without the tenant key masks of new traffic differ from those in the record. A backup with
/// keys is as secret as they are.
///
/// This is for SQLite. Back a PostgreSQL up by its own means (pg_dump, or base backups with point-in-time recovery), and
/// run `sluice records verify` on what was restored.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    state: State,
    /// The directory to make.
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// With the service's keys and the data-plane token.
    #[arg(long)]
    with_keys: bool,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Make a state directory of a backup. Nothing is written over.
///
/// The log goes on where the backup ends, with an entry that says so. What was written after it is gone: a checkpoint
/// that was kept elsewhere shows that (`sluice records verify --checkpoints`).
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    state: State,
    /// The backup.
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Backup {
    pub async fn run(self) -> Outcome {
        let State { state, shared_keys } = &self.state;
        let made = backup(state, shared_keys.as_deref(), &self.to, self.with_keys, now_ms()).await;
        tell(&made.map_err(Failure::cannot)?, "verified and written to", &self.to, self.output)
    }
}

impl Restore {
    pub async fn run(self) -> Outcome {
        let State { state, shared_keys } = &self.state;
        let made = restore(&self.from, state, shared_keys.as_deref(), now_ms()).await;
        tell(&made.map_err(Failure::cannot)?, "verified and restored to", state, self.output)
    }
}

fn tell(manifest: &Manifest, what: &str, place: &std::path::Path, output: Output) -> Outcome {
    if output == Output::Json {
        say(&serde_json::to_string(manifest).map_err(Failure::cannot)?);
        return Ok(());
    }
    let keys = if manifest.keys { "with keys" } else { "without keys" };
    say(&format!(
        "{} entries and {} blocks, {keys}, {what} {}",
        manifest.entries,
        manifest.blocks,
        place.display()
    ));
    Ok(())
}
