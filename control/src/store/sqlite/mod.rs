//! The store on one file: SQLite in WAL mode with full sync.

#[allow(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../sql/mod.rs"]
mod sql;

use std::path::Path;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlSafeStr};

use super::{Heard, News, StoreError};
use crate::search::Term;

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

/// A connection to a file that is there, to copy all of it or from all of it.
pub(super) async fn connection(path: &Path) -> Result<Connection, StoreError> {
    let open = options(path).create_if_missing(false).connect().await;
    open.map_err(|why| open_error(path, &why))
}

/// Gives what the file does not use any more back to the file system; says how large it was, and is now, in bytes. Nobody
/// else may have it open.
///
/// # Errors
/// [`StoreError::Open`] when it cannot be opened, and when there is no room for what is made anew.
pub async fn compact(path: &Path) -> Result<(u64, u64), StoreError> {
    let size = || std::fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    let mut connection = connection(path).await?;
    // What stands in the write-ahead log counts, too.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    let before = size();
    sqlx::query("VACUUM").execute(&mut connection).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    sqlx::Connection::close(connection).await?;
    Ok((before, size()))
}

/// Copies a database that a service may be writing, as it is at one moment, into a new file.
///
/// # Errors
/// [`StoreError::Open`] when it cannot be opened, and when the copy cannot be written.
pub async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    // `VACUUM INTO` makes the file; it must not be opened for reading alone.
    let open = options(from).create_if_missing(false).connect().await;
    let mut connection = open.map_err(|why| open_error(from, &why))?;
    let copied = sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut connection).await;
    let closed = sqlx::Connection::close(connection).await;
    copied?;
    closed?;
    // The copy is in another journal mode, which whoever reads alone could not change.
    let open = options(to).create_if_missing(false).connect().await;
    Ok(sqlx::Connection::close(open.map_err(|why| open_error(to, &why))?).await?)
}

fn open_error(path: &Path, why: &sqlx::Error) -> StoreError {
    StoreError::Open { what: path.display().to_string(), why: why.to_string() }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .pragma("temp_store", "MEMORY")
        // What is removed is overwritten where that costs no reading or writing of its own.
        .pragma("secure_delete", "FAST")
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
        (6, "visits", include_str!("../migrations/sqlite/0006_visits.sql")),
        (7, "revocations", include_str!("../migrations/sqlite/0007_revocations.sql")),
        (8, "refresh", include_str!("../migrations/sqlite/0008_refresh.sql")),
        (9, "devices", include_str!("../migrations/sqlite/0009_devices.sql")),
        (10, "usage", include_str!("../migrations/sqlite/0010_usage.sql")),
        (11, "reviews", include_str!("../migrations/sqlite/0011_reviews.sql")),
        (12, "approvals", include_str!("../migrations/sqlite/0012_approvals.sql")),
        (13, "proposals", include_str!("../migrations/sqlite/0013_proposals.sql")),
        (14, "retention", include_str!("../migrations/sqlite/0014_retention.sql")),
        (15, "days", include_str!("../migrations/sqlite/0015_days.sql")),
        (16, "notices", include_str!("../migrations/sqlite/0016_notices.sql")),
        (17, "edited", include_str!("../migrations/sqlite/0017_edited.sql")),
        (18, "followers", include_str!("../migrations/sqlite/0018_followers.sql")),
        (19, "previews", include_str!("../migrations/sqlite/0019_previews.sql")),
        (20, "texts", include_str!("../migrations/sqlite/0020_texts.sql")),
        (21, "trouble", include_str!("../migrations/sqlite/0021_trouble.sql")),
        (22, "vouched", include_str!("../migrations/sqlite/0022_vouched.sql")),
        (23, "assertions", include_str!("../migrations/sqlite/0023_assertions.sql")),
        (24, "passes", include_str!("../migrations/sqlite/0024_passes.sql")),
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

/// Puts words, with spaces between, at a place of the index.
async fn add_words(connection: &mut Connection, place: i64, words: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO words (rowid, said) VALUES ($1, $2)";
    sqlx::query(sql).bind(place).bind(words).execute(connection).await?;
    Ok(())
}

/// Takes words from their place. The index does not keep them: it is told what they were.
async fn remove_words(connection: &mut Connection, place: i64, words: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO words (words, rowid, said) VALUES ('delete', $1, $2)";
    sqlx::query(sql).bind(place).bind(words).execute(connection).await?;
    Ok(())
}

/// The places where what value 1 asks for stands: the latest so many.
fn places(most: u32) -> String {
    format!("SELECT rowid FROM words WHERE words MATCH $1 ORDER BY rowid DESC LIMIT {most}")
}

/// Numbers as one value.
fn several(numbers: Vec<i64>) -> String {
    serde_json::Value::from(numbers).to_string()
}

/// Whether a session names one of the texts of each of so many values, from number `first` on.
fn names_of_each(first: usize, count: usize) -> String {
    let one =
        |n| format!("SELECT session FROM session_texts WHERE text IN (SELECT value FROM json_each(${n}))");
    let all: Vec<String> = (first..first + count).map(one).collect();
    format!("session IN ({})", all.join(" INTERSECT "))
}

/// What asks for a term. Words are letters and digits, so that nothing in them is read as anything else.
fn asking(term: &Term) -> String {
    let begins = if term.begins { " *" } else { "" };
    format!("\"{}\"{begins}", term.words.join(" "))
}

fn text(text: &str) -> Text {
    text.to_owned()
}

fn read_text(text: Text) -> String {
    text
}

#[cfg(test)]
mod tests;
