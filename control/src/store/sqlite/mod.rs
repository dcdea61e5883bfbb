//! The store on one file: SQLite in WAL mode with full sync.

#[allow(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../sql/mod.rs"]
mod sql;

use std::path::Path;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Heard, News, StoreError};

/// The store on one file.
pub type Sqlite = sql::Database;

type Connection = sqlx::SqliteConnection;
type Pool = sqlx::SqlitePool;
type Row = sqlx::sqlite::SqliteRow;
/// A column of text that may be anything.
type Text = String;

/// Takes the right to write at once: one writer at a time is the file's own rule.
const BEGIN: &str = "BEGIN IMMEDIATE";

impl Sqlite {
    /// Opens the file, or makes it, and brings its tables up to date. `key` signs the chain's head; the writer is
    /// named after it.
    ///
    /// # Errors
    /// [`StoreError::Open`] when it cannot be opened.
    pub async fn open(path: &Path, key: SigningKey) -> Result<Self, StoreError> {
        let failed = |why: sqlx::Error| open_error(path, &why);
        let forever = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let writer = forever.test_before_acquire(false).connect_with(options(path)).await.map_err(failed)?;
        migrator().run(&writer).await.map_err(|e| failed(e.into()))?;
        let readers = readers(path).await.map_err(failed)?;
        Self::start(writer, readers, key).await
    }

    /// Opens a file that is there already, for reading alone. A service may be writing it.
    ///
    /// # Errors
    /// [`StoreError::Open`] when it cannot be opened.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::only_read(readers(path).await.map_err(|why| open_error(path, &why))?))
    }
}

fn open_error(path: &Path, why: &sqlx::Error) -> StoreError {
    StoreError::Open { what: path.display().to_string(), why: why.to_string() }
}

fn options(path: &Path) -> SqliteConnectOptions {
    use sqlx::ConnectOptions as _;
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

async fn readers(path: &Path) -> Result<Pool, sqlx::Error> {
    let options = options(path).read_only(true).create_if_missing(false);
    SqlitePoolOptions::new().max_connections(4).connect_with(options).await
}

fn migrator() -> Migrator {
    let texts = [
        (1, "first", include_str!("../migrations/sqlite/0001_first.sql")),
        (2, "writers", include_str!("../migrations/sqlite/0002_writers.sql")),
        (3, "grants", include_str!("../migrations/sqlite/0003_grants.sql")),
        (4, "spending", include_str!("../migrations/sqlite/0004_spending.sql")),
        (5, "listed", include_str!("../migrations/sqlite/0005_listed.sql")),
        (10, "visits", include_str!("../migrations/sqlite/0010_visits.sql")),
        (20, "revocations", include_str!("../migrations/sqlite/0020_revocations.sql")),
        (21, "refresh", include_str!("../migrations/sqlite/0021_refresh.sql")),
        (22, "devices", include_str!("../migrations/sqlite/0022_devices.sql")),
        (30, "usage", include_str!("../migrations/sqlite/0030_usage.sql")),
        (31, "reviews", include_str!("../migrations/sqlite/0031_reviews.sql")),
        (40, "approvals", include_str!("../migrations/sqlite/0040_approvals.sql")),
        (41, "proposals", include_str!("../migrations/sqlite/0041_proposals.sql")),
        (60, "days", include_str!("../migrations/sqlite/0060_days.sql")),
        (70, "notices", include_str!("../migrations/sqlite/0070_notices.sql")),
    ];
    let migrations = texts.map(|(version, name, text)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.to_vec())
}

/// One file has one writer: there is nobody to wait for.
#[allow(clippy::unused_async, reason = "the other database waits here")]
async fn take_turn(_: &mut Connection) -> Result<(), StoreError> {
    Ok(())
}

/// One file has one service: there is nobody else to tell.
#[allow(clippy::unused_async, reason = "the other database tells here")]
async fn announce(_: &mut Connection, _news: News<'_>) -> Result<(), StoreError> {
    Ok(())
}

/// Never hears of anything.
async fn listen(_: &Pool, _heard: Heard) -> StoreError {
    std::future::pending().await
}

fn text(text: &str) -> Text {
    text.to_owned()
}

fn read_text(text: Text) -> String {
    text
}

#[cfg(test)]
mod tests;
