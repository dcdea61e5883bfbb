//! `sluice backup` and `sluice restore`.

use std::path::PathBuf;

use clap::Args;

use super::print::say;
use super::service::read;
use super::{Failure, Outcome, Output, State};
use crate::backup::{Manifest, backup, restore};
use crate::serve::now_ms;

/// Copy the database of a running service into a new directory, and verify the copy.
///
/// The copy is one moment of the log. Keys are left out unless --with-keys asks for them: without the bundle key nobody
/// can verify the log, and without the tenant key masks of new traffic differ from those in the record. A backup with
/// keys is as secret as they are.
///
/// The copy is a file of SQLite, also of a PostgreSQL, and is restored into either. All of the log is read and written: for
/// a large PostgreSQL, base backups with point-in-time recovery lose less and take less time; then run
/// `sluice records verify --checkpoints` on what was restored.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    database: Database,
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

/// Make a state directory of a backup, and fill a PostgreSQL where one is named. Nothing is written over.
///
/// The log goes on where the backup ends, with an entry that says so. What was written after it is gone: a checkpoint
/// that was kept elsewhere shows that (`sluice records verify --checkpoints`).
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    database: Database,
    /// The backup.
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which database.
#[derive(Debug, Args)]
struct Database {
    /// A PostgreSQL: postgres://user@host/name. Default: the file in the state directory. Best given in the environment or as
    /// --database-file: arguments are seen by other processes.
    #[arg(long, env = "SLUICE_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// A file with its URL.
    #[arg(long, env = "SLUICE_DATABASE_FILE", value_name = "FILE", conflicts_with = "database")]
    database_file: Option<PathBuf>,
}

impl Database {
    fn url(self) -> Result<Option<String>, Failure> {
        match &self.database_file {
            Some(file) => Ok(Some(read(file)?)),
            None => Ok(self.database),
        }
    }
}

impl Backup {
    pub async fn run(self) -> Outcome {
        let State { state, shared_keys } = &self.state;
        let made = backup(
            state,
            shared_keys.as_deref(),
            self.database.url()?.as_deref(),
            &self.to,
            self.with_keys,
            now_ms(),
        )
        .await;
        tell(&made.map_err(Failure::cannot)?, "verified and written to", &self.to, self.output)
    }
}

impl Restore {
    pub async fn run(self) -> Outcome {
        let State { state, shared_keys } = &self.state;
        let made =
            restore(&self.from, state, shared_keys.as_deref(), self.database.url()?.as_deref(), now_ms())
                .await;
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
