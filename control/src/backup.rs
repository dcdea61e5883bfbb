//! A copy of the state while the service runs, and the way back.
//!
//! The copy of the database is one moment of it, and is verified, chain and blocks, before it is called a backup. It is a
//! file of SQLite, also where the service runs on PostgreSQL ([`crate::store::transfer`]): so that it can be verified where it
//! lies, and restored into either. After the way back the log goes on where the copy ends, and its next entry says so; what was written after the
//! copy was made is gone, which a checkpoint that was kept elsewhere shows.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::keys::{FILES, KeyError, Keys, StateLock};
use crate::records::{Entry, Report, RestoreEvent, enrolment, verify};
use crate::serve::DATABASE;
use crate::store::postgres::Postgres;
use crate::store::sqlite::{self, Sqlite};
use crate::store::{Addition, Store, StoreError, transfer};

/// What describes a backup, and stands there last: without it, it is none.
const MANIFEST: &str = "backup.json";

/// A backup, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// When it was made, in Unix milliseconds.
    pub at_ms: u64,
    /// SHA-256 of the database's file, in hexadecimal.
    pub database_sha256: String,
    /// Entries of the log.
    pub entries: u64,
    /// Blocks of text.
    pub blocks: u64,
    /// Where each chain stood, as signed notes.
    pub checkpoints: Vec<String>,
    /// Whether the keys are in it.
    pub keys: bool,
}

/// Why there is no backup, or no way back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("{0} is there already, and nothing is written over; choose another place")]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// Not a backup.
    #[error("{0} is no whole backup: {1}")]
    Broken(PathBuf, String),
    /// The log in it is not what was written.
    #[error(
        "the log in {0} is not what was written; `sluice records verify --state` says where. Nothing was left behind"
    )]
    Unsound(PathBuf),
    /// What was written is not what was read.
    #[error(
        "what is in the database now is not what the backup has; restore into another one, and keep this one to look at"
    )]
    Changed,
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies a state directory into a new one, with the database that `database` names, a PostgreSQL, or the file in it. The
/// service may be running.
///
/// # Errors
/// See [`BackupError`]; what was begun is removed.
pub async fn backup(
    state: &Path,
    shared: Option<&Path>,
    database: Option<&str>,
    to: &Path,
    with_keys: bool,
    now_ms: u64,
) -> Result<Manifest, BackupError> {
    let keys = Keys::open(state, shared)?;
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let file = |path: &Path| {
        let path = path.to_owned();
        move |why| BackupError::File { path, why }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(file(to))?;
    let made = async {
        let copy = to.join(DATABASE);
        match database {
            Some(url) => transfer::to_file(url, &copy, keys.record.clone()).await?,
            None => sqlite::copy(&state.join(DATABASE), &copy).await?,
        }
        File::open(&copy).and_then(|copy| copy.sync_all()).map_err(file(&copy))?;
        let report = sound(&copy, &keys, to).await?;
        for beside in beside(to) {
            // What reading has left there: nothing was written.
            let _absent = fs::remove_file(beside);
        }
        if with_keys {
            for name in FILES {
                let from = Some(state.join(name)).filter(|own| own.exists()).or(shared.map(|s| s.join(name)));
                if let Some(from) = from.filter(|from| from.exists()) {
                    copy_file(&from, &to.join(name))?;
                }
            }
        }
        let manifest = Manifest {
            at_ms: now_ms,
            database_sha256: digest(&copy)?,
            entries: report.writers.iter().map(|writer| writer.entries).sum(),
            blocks: report.blocks,
            checkpoints: report.writers.into_iter().filter_map(|writer| writer.checkpoint).collect(),
            keys: with_keys,
        };
        let text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
        write_file(&to.join(MANIFEST), text.as_bytes())?;
        File::open(to).and_then(|directory| directory.sync_all()).map_err(file(to))?;
        Ok(manifest)
    };
    let made = made.await;
    if made.is_err() {
        let _left = fs::remove_dir_all(to);
    }
    made
}

/// Makes a state directory of a backup, with the database as a file in it, or in the PostgreSQL that `database` names, which
/// has no log yet. Keys that are not in it must be in the directory already.
///
/// # Errors
/// See [`BackupError`]; a database that is there stays as it is.
pub async fn restore(
    from: &Path,
    state: &Path,
    shared: Option<&Path>,
    database: Option<&str>,
    now_ms: u64,
) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST);
    let broken = |why: String| BackupError::Broken(from.to_owned(), why);
    let text = fs::read(&path).map_err(|why| broken(format!("{MANIFEST}: {why}")))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|why| broken(format!("{MANIFEST}: {why}")))?;
    let place = state.join(DATABASE);
    let beside = beside(state);
    let there = [&place].into_iter().chain(&beside).find(|path| path.exists());
    if let Some(there) = there.filter(|_| database.is_none()) {
        return Err(BackupError::Exists(there.clone()));
    }
    let source = from.join(DATABASE);
    if digest(&source)? != manifest.database_sha256 {
        return Err(broken(format!("{DATABASE} is not what {MANIFEST} says")));
    }
    if !state.exists() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(state);
        made.map_err(|why| BackupError::File { path: state.to_owned(), why })?;
    }
    let _lock = StateLock::take(state)?;
    if manifest.keys {
        for name in FILES {
            let (from, to) = (from.join(name), state.join(name));
            let shared = shared.is_some_and(|shared| shared.join(name).exists());
            if from.exists() && !to.exists() && !shared {
                copy_file(&from, &to)?;
            }
        }
    }
    let keys = Keys::open(state, shared)?;
    if let Some(url) = database {
        // Before anything is written: a database cannot be thrown away like a file.
        sound(&source, &keys, from).await?;
        for beside in self::beside(from) {
            let _absent = fs::remove_file(beside);
        }
        transfer::to_postgres(&source, url, keys.record.clone()).await?;
        let store = Postgres::connect(url, keys.record.clone()).await?;
        note(&store, &keys, &manifest, now_ms).await?;
        let store = Postgres::connect_to_read(url).await?;
        let restored = report(&store, &keys).await?;
        store.close().await;
        return if restored.sound { Ok(manifest) } else { Err(BackupError::Changed) };
    }
    copy_file(&source, &place)?;
    let restored = async {
        sound(&place, &keys, from).await?;
        let store = Sqlite::open(&place, keys.record.clone()).await?;
        note(&store, &keys, &manifest, now_ms).await
    };
    let restored = restored.await;
    if let Err(error) = restored {
        for path in [&place].into_iter().chain(&beside) {
            let _gone = fs::remove_file(path);
        }
        return Err(error);
    }
    Ok(manifest)
}

/// Files that SQLite keeps beside the database while it is open.
fn beside(directory: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|end| directory.join(format!("{DATABASE}{end}")))
}

/// The log says by itself that it goes on from a backup. Closes the store.
async fn note(store: &dyn Store, keys: &Keys, manifest: &Manifest, now_ms: u64) -> Result<(), BackupError> {
    store.enrol(enrolment(&keys.record.verifying_key(), &keys.bundle)).await?;
    let event = RestoreEvent {
        at_ms: now_ms,
        backup_at_ms: manifest.at_ms,
        checkpoints: manifest.checkpoints.clone(),
    };
    let entries = vec![Entry::Restore(Box::new(event))];
    let added = store.add(Addition { entries, ..Addition::default() }, now_ms).await;
    store.close().await;
    added?;
    Ok(())
}

async fn report(store: &dyn Store, keys: &Keys) -> Result<Report, BackupError> {
    let writers: Vec<VerifyingKey> = keys.writers().keys(store).await?;
    Ok(verify(store, &writers, &[]).await?)
}

async fn sound(database: &Path, keys: &Keys, named: &Path) -> Result<Report, BackupError> {
    let store = Sqlite::open_to_read(database).await?;
    let report = report(&store, keys).await;
    store.close().await;
    let report = report?;
    if report.sound { Ok(report) } else { Err(BackupError::Unsound(named.to_owned())) }
}

fn digest(path: &Path) -> Result<String, BackupError> {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let mut sha = Sha256::new();
        let mut part = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut part)?;
            if read == 0 {
                return Ok(format!("{:x}", sha.finalize()));
            }
            sha.update(part.get(..read).unwrap_or_default());
        }
    };
    read().map_err(|why| BackupError::File { path: path.to_owned(), why })
}

fn copy_file(from: &Path, to: &Path) -> Result<(), BackupError> {
    let copy = || -> std::io::Result<()> {
        let mut source = File::open(from)?;
        let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        std::io::copy(&mut source, &mut copy)?;
        copy.sync_all()
    };
    copy().map_err(|why| BackupError::File { path: to.to_owned(), why })
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|why| BackupError::File { path: path.to_owned(), why })
}
