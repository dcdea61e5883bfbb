//! A store of a test's own, on either database.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ed25519_dalek::SigningKey;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::records::{Report, verify};
use crate::store::Store;
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
}

/// A store with its place.
pub struct Kept {
    pub store: Box<dyn Store>,
    pub key: SigningKey,
    pub place: Place,
}

/// Where a store keeps what it has.
pub enum Place {
    File(PathBuf, #[allow(dead_code, reason = "removed when dropped")] tempfile::TempDir),
    Url(String),
}

/// A new store.
pub async fn kept(on: On) -> Kept {
    let place = match on {
        On::Sqlite => {
            let dir = tempfile::tempdir().unwrap();
            Place::File(dir.path().join("test.db"), dir)
        }
        On::Postgres => Place::Url(database().await),
    };
    let key = SigningKey::from_bytes(&[5; 32]);
    Kept { store: place.open(&key).await, key, place }
}

impl Place {
    pub async fn open(&self, key: &SigningKey) -> Box<dyn Store> {
        match self {
            Self::File(path, _) => Box::new(Sqlite::open(path, key.clone()).await.unwrap()),
            Self::Url(url) => Box::new(Postgres::connect(url, key.clone()).await.unwrap()),
        }
    }

    pub fn path(&self) -> &PathBuf {
        match self {
            Self::File(path, _) => path,
            Self::Url(_) => panic!("a database is no file"),
        }
    }

    pub fn url(&self) -> &str {
        match self {
            Self::File(..) => panic!("a file has no URL"),
            Self::Url(url) => url,
        }
    }
}

impl Kept {
    pub async fn verify(&self) -> Report {
        verify(&*self.store, &[self.key.verifying_key()], None).await.unwrap()
    }

    /// Somebody with the database and without the key.
    pub async fn tamper(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.place {
            Place::File(path, _) => {
                let url = format!("sqlite://{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Place::Url(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Bytes as a statement has them.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        match &self.place {
            Place::File(..) => format!("x'{hex}'"),
            Place::Url(_) => format!("'\\x{hex}'::bytea"),
        }
    }
}

/// A new database on the server that `TEST_DATABASE_URL` names, or on one of our own.
async fn database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("sluice_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let server = server();
    let mut connection = PgConnection::connect(server).await.unwrap();
    let sql = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// The URL of a server, started once for all tests of this program.
fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| {
        if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            return (url, None);
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres.sh");
        // It ends with our end of its input, so with this process.
        let mut command = Command::new(script);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("postgres://"), "PostgreSQL did not start; see what {script} says");
        (url.trim().to_owned(), Some(child))
    });
    url
}
