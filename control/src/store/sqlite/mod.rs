//! The store on one file: SQLite in WAL mode with full sync.
//!
//! All writes go through one task ([`writer`]) that owns the only writing connection. Writes that wait share a
//! transaction, and so a sync of the disk; each is answered after the commit. Reads have connections of their own
//! and see what is committed.

mod holds;
mod reads;
mod tally;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use sluice_engine::record::Block;
use sluice_engine::wire::{HoldDecision, ToolsSeen};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlSafeStr};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{Addition, Decided, Decision, Head, Session, Store, StoreError, Stored, Which, WhichSessions};
use crate::holds::Hold;
use writer::{Job, Write, Written};

/// Writes that may wait for the writer. Beyond it callers wait to hand theirs in.
const QUEUE: usize = 4096;

/// The store on one file.
#[derive(Debug)]
pub struct Sqlite {
    readers: SqlitePool,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Sqlite {
    /// Opens the file, or makes it, and brings its tables up to date. `key` signs the chain's head; the writer is
    /// named after it.
    ///
    /// # Errors
    /// [`StoreError::Open`] when it cannot be opened.
    pub async fn open(path: &Path, key: SigningKey) -> Result<Self, StoreError> {
        let failed = |why: String| StoreError::Open { path: path.display().to_string(), why };
        let options = options(path);
        let mut connection = options.connect().await.map_err(|e| failed(e.to_string()))?;
        migrator().run(&mut connection).await.map_err(|e| failed(e.to_string()))?;
        let readers = readers(options).await.map_err(|e| failed(e.to_string()))?;
        let trouble = Arc::new(Mutex::new(None));
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writer = writer::Writer::new(connection, key, Arc::clone(&trouble)).await?;
        let task = tokio::spawn(writer.run(queue));
        Ok(Self { readers, jobs: Mutex::new(Some(jobs)), task: Mutex::new(Some(task)), trouble })
    }

    /// Opens a file that is there already, for reading alone. A service may be writing it.
    ///
    /// # Errors
    /// [`StoreError::Open`] when it cannot be opened.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let failed = |why: String| StoreError::Open { path: path.display().to_string(), why };
        let readers = readers(options(path)).await.map_err(|e| failed(e.to_string()))?;
        Ok(Self { readers, jobs: Mutex::new(None), task: Mutex::new(None), trouble: Arc::default() })
    }

    async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (reply, answer) = oneshot::channel();
        let job = Job { write, reply };
        jobs.ok_or(StoreError::Closed)?.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(std::time::Duration::from_secs(10))
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let options = options.read_only(true).create_if_missing(false);
    SqlitePoolOptions::new().max_connections(4).connect_with(options).await
}

fn migrator() -> Migrator {
    let first = include_str!("../migrations/0001_first.sql");
    Migrator::with_migrations(vec![Migration::new(
        1,
        "first".into(),
        MigrationType::Simple,
        first.into_sql_str(),
        false,
    )])
}

#[async_trait]
impl Store for Sqlite {
    async fn add(&self, addition: Addition, now_ms: u64) -> Result<Option<Hold>, StoreError> {
        match self.write(Write::Add(Box::new(addition), now_ms)).await? {
            Written::Hold(hold) => Ok(hold),
            _ => Ok(None),
        }
    }

    async fn claim(&self, hold: &str, exchange: &str, now_ms: u64) -> Result<Option<Hold>, StoreError> {
        match self.write(Write::Claim(hold.to_owned(), exchange.to_owned(), now_ms)).await? {
            Written::Hold(hold) => Ok(hold),
            _ => Ok(None),
        }
    }

    async fn decide(&self, decision: Decision, now_ms: u64) -> Result<Decided, StoreError> {
        match self.write(Write::Decide(decision, now_ms)).await? {
            Written::Decided(decided) => Ok(decided),
            _ => Ok(Decided::Unknown),
        }
    }

    async fn tools_seen(&self, seen: ToolsSeen, now_ms: u64) -> Result<Vec<String>, StoreError> {
        match self.write(Write::Tools(Box::new(seen), now_ms)).await? {
            Written::Unapproved(tools) => Ok(tools),
            _ => Err(StoreError::Closed),
        }
    }

    async fn expire(&self, now_ms: u64) -> Result<Vec<String>, StoreError> {
        // Asking is cheap and happens all the time; writing is neither.
        if reads::overdue(&self.readers, now_ms).await? == 0 {
            return Ok(Vec::new());
        }
        match self.write(Write::Expire(now_ms)).await? {
            Written::Expired(ids) => Ok(ids),
            _ => Ok(Vec::new()),
        }
    }

    async fn hold(&self, id: &str) -> Result<Option<Hold>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        holds::by_id(&mut connection, id).await
    }

    async fn holds(&self, state: Option<HoldDecision>, limit: u32) -> Result<Vec<Hold>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        holds::list(&mut connection, state, limit).await
    }

    async fn missing(&self, digests: Vec<String>) -> Result<Vec<String>, StoreError> {
        reads::missing(&self.readers, digests).await
    }

    async fn blocks(&self, digests: Vec<String>) -> Result<Vec<Block>, StoreError> {
        reads::blocks(&self.readers, digests).await
    }

    async fn blocks_after(&self, cursor: i64, limit: u32) -> Result<Vec<(i64, Block)>, StoreError> {
        reads::blocks_after(&self.readers, cursor, limit).await
    }

    async fn entries(&self, which: Which) -> Result<Vec<Stored>, StoreError> {
        reads::entries(&self.readers, which).await
    }

    async fn sessions(&self, which: WhichSessions) -> Result<Vec<Session>, StoreError> {
        reads::sessions(&self.readers, which).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        reads::heads(&self.readers).await
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn close(&self) {
        // The last connection to close folds the write-ahead log into the file, and only the writer's can.
        self.readers.close().await;
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer ended badly");
        }
    }
}
