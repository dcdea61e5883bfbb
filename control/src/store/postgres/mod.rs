//! The store on PostgreSQL 15 or newer, for several replicas.
//!
//! Each replica writes a chain of its own, with its own key. Writes of all replicas take turns: each transaction
//! holds one advisory lock while it looks at holds and adds to the log. What takes long, blocks of text, is written
//! before that, so that a turn is short; and what gathers in a replica meanwhile goes in one transaction. So a hold
//! is decided and used once whichever replica is asked, and a cursor into the log passes nothing by.
//!
//! A replica that changes a hold tells the others (`NOTIFY`), who wake whoever waits for it.

#[allow(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../sql/mod.rs"]
mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, SqlSafeStr};

use super::{Heard, News, StoreError};
use crate::search::{BREAK, Term};

/// The store on PostgreSQL.
pub type Postgres = sql::Database;

type Connection = sqlx::PgConnection;
type Pool = sqlx::PgPool;
type Row = sqlx::postgres::PgRow;
/// Bytes, since text of PostgreSQL holds no NUL.
type Text = Vec<u8>;

const BEGIN: &str = "BEGIN";

/// The advisory lock whose holder may write: "sluice" in ASCII.
const TURN: i64 = 0x736c_7569_6365;

/// Where news are told.
const CHANNEL: &str = "sluice";

/// Connections that read.
const READERS: u32 = 8;

impl Postgres {
    /// Connects, and brings the tables up to date; replicas that start together take turns at that. `key` signs
    /// this replica's chain; the writer is named after it.
    ///
    /// # Errors
    /// [`StoreError::Open`] when it cannot be reached, or is older than PostgreSQL 15.
    pub async fn connect(url: &str, key: SigningKey) -> Result<Self, StoreError> {
        let options = options(url)?;
        let place = place(&options);
        let failed = |why: String| StoreError::Open { what: place.clone(), why };
        // A replica that hangs in the middle must not keep the others from their turn for long.
        let for_writing = options.clone().options([
            ("synchronous_commit", "on"),
            ("statement_timeout", "30s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        let writer = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(10));
        let writer = writer.connect_with(for_writing).await.map_err(|e| failed(e.to_string()))?;
        check_server(&writer).await.map_err(failed)?;
        migrator().run(&writer).await.map_err(|e| failed(e.to_string()))?;
        let readers = readers(options).await.map_err(|e| failed(e.to_string()))?;
        Self::start(writer, readers, key).await
    }

    /// Connects for reading alone.
    ///
    /// # Errors
    /// [`StoreError::Open`] when it cannot be reached.
    pub async fn connect_to_read(url: &str) -> Result<Self, StoreError> {
        let options = options(url)?;
        let place = place(&options);
        let pool = readers(options).await;
        Ok(Self::only_read(pool.map_err(|e| StoreError::Open { what: place, why: e.to_string() })?))
    }
}

/// A connection to copy all of it, or from all of it, however long that takes.
pub(super) async fn connection(url: &str) -> Result<Connection, StoreError> {
    let options = options(url)?;
    let place = place(&options);
    options.connect().await.map_err(|e| StoreError::Open { what: place, why: e.to_string() })
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    // The URL may carry a password: it is never repeated.
    let why = "it is not a URL as in postgres://user:password@host:5432/database";
    PgConnectOptions::from_str(url)
        .map(|options| options.application_name("sluice").disable_statement_logging())
        .map_err(|_| StoreError::Open { what: "at the URL given".into(), why: why.into() })
}

/// Host, port and name: what may be said of a database.
fn place(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or("(default)");
    format!("{name} at {}:{}", options.get_host(), options.get_port())
}

async fn readers(options: PgConnectOptions) -> Result<Pool, sqlx::Error> {
    let options = options.options([("default_transaction_read_only", "on"), ("statement_timeout", "60s")]);
    let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(Duration::from_secs(10));
    pool.connect_with(options).await
}

async fn check_server(pool: &Pool) -> Result<(), String> {
    let asked = "SELECT current_setting('server_version_num')::int, current_setting('fsync')";
    let (version, fsync): (i32, String) =
        sqlx::query_as(asked).fetch_one(pool).await.map_err(|e| e.to_string())?;
    if version < 150_000 {
        return Err(format!("its version is {}, and 15 is the oldest that will do", version / 10_000));
    }
    if fsync != "on" {
        tracing::warn!(
            "the database runs with fsync = {fsync}: what Sluice acknowledges may be lost when its machine fails; \
             set fsync = on"
        );
    }
    Ok(())
}

fn migrator() -> Migrator {
    let texts = [
        (1, "first", include_str!("../migrations/postgres/0001_first.sql")),
        (2, "grants", include_str!("../migrations/postgres/0002_grants.sql")),
        (3, "spending", include_str!("../migrations/postgres/0003_spending.sql")),
        (4, "listed", include_str!("../migrations/postgres/0004_listed.sql")),
        (5, "visits", include_str!("../migrations/postgres/0005_visits.sql")),
        (6, "revocations", include_str!("../migrations/postgres/0006_revocations.sql")),
        (7, "refresh", include_str!("../migrations/postgres/0007_refresh.sql")),
        (8, "devices", include_str!("../migrations/postgres/0008_devices.sql")),
        (9, "usage", include_str!("../migrations/postgres/0009_usage.sql")),
        (10, "reviews", include_str!("../migrations/postgres/0010_reviews.sql")),
        (11, "approvals", include_str!("../migrations/postgres/0011_approvals.sql")),
        (12, "proposals", include_str!("../migrations/postgres/0012_proposals.sql")),
        (13, "retention", include_str!("../migrations/postgres/0013_retention.sql")),
        (14, "days", include_str!("../migrations/postgres/0014_days.sql")),
        (15, "notices", include_str!("../migrations/postgres/0015_notices.sql")),
        (16, "edited", include_str!("../migrations/postgres/0016_edited.sql")),
        (17, "followers", include_str!("../migrations/postgres/0017_followers.sql")),
        (18, "previews", include_str!("../migrations/postgres/0018_previews.sql")),
        (19, "texts", include_str!("../migrations/postgres/0019_texts.sql")),
        (20, "trouble", include_str!("../migrations/postgres/0020_trouble.sql")),
        (21, "vouched", include_str!("../migrations/postgres/0021_vouched.sql")),
        (22, "assertions", include_str!("../migrations/postgres/0022_assertions.sql")),
        (23, "passes", include_str!("../migrations/postgres/0023_passes.sql")),
    ];
    let migrations = texts.map(|(version, name, text)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.to_vec())
}

/// Waits until no other replica writes; the turn ends with the transaction.
pub(super) async fn take_turn(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(TURN).execute(connection).await?;
    Ok(())
}

/// Tells all replicas, when the transaction is committed, what has changed.
async fn announce(connection: &mut Connection, news: News<'_>) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(news.word()).execute(connection).await?;
    Ok(())
}

/// Hears of what changed, until the connection cannot be had again.
async fn listen(pool: &Pool, heard: Heard) -> StoreError {
    let listening = async {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        heard(News::Missed);
        loop {
            match listener.try_recv().await? {
                Some(told) => heard(News::read(told.payload())),
                None => heard(News::Missed),
            }
        }
    };
    let ended: Result<std::convert::Infallible, sqlx::Error> = listening.await;
    match ended {
        Ok(never) => match never {},
        Err(error) => error.into(),
    }
}

/// Puts words, with spaces between, at a place of the index.
async fn add_words(connection: &mut Connection, place: i64, words: &str) -> Result<(), StoreError> {
    let mut lexemes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (at, word) in (1..).zip(words.split(' ')).filter(|(_, word)| *word != BREAK) {
        let at: u32 = at;
        lexemes.entry(word).or_default().push(at.to_string());
    }
    let lexemes = lexemes.iter().map(|(word, at)| format!("'{word}':{}", at.join(",")));
    let vector = lexemes.collect::<Vec<_>>().join(" ");
    let sql = "INSERT INTO words (id, words) VALUES ($1, CAST($2 AS tsvector))";
    sqlx::query(sql).bind(place).bind(vector).execute(connection).await?;
    Ok(())
}

/// Takes words from their place.
async fn remove_words(connection: &mut Connection, place: i64, _words: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM words WHERE id = $1").bind(place).execute(connection).await?;
    Ok(())
}

/// The places where what value 1 asks for stands: the latest so many.
fn places(most: u32) -> String {
    format!("SELECT id FROM words WHERE words @@ CAST($1 AS tsquery) ORDER BY id DESC LIMIT {most}")
}

/// Numbers as one value.
fn several(numbers: Vec<i64>) -> Vec<i64> {
    numbers
}

/// Whether a session names one of the texts of each of so many values, from number `first` on. As one array they are
/// looked up once; as a subquery they were once for each session, where the planner expected few sessions.
fn names_of_each(first: usize, count: usize) -> String {
    let one = |n| format!("SELECT session FROM session_texts WHERE text = ANY (${n})");
    let all: Vec<String> = (first..first + count).map(one).collect();
    format!("session = ANY (ARRAY({}))", all.join(" INTERSECT "))
}

/// What asks for a term. Words are letters and digits, so that nothing in them is read as anything else.
fn asking(term: &Term) -> String {
    let words: Vec<String> = term.words.iter().map(|word| format!("'{word}'")).collect();
    let begins = if term.begins { ":*" } else { "" };
    format!("{}{begins}", words.join(" <-> "))
}

fn text(text: &str) -> Text {
    text.as_bytes().to_vec()
}

/// What is not UTF-8 was tampered with: it becomes something that its digest does not fit.
fn read_text(text: Text) -> String {
    String::from_utf8(text).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
}
