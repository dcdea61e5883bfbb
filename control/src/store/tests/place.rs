//! A store of a test's own, on either database.

#[path = "../../../tests/service/postgres.rs"]
pub mod postgres;

use std::path::PathBuf;

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
        On::Postgres => Place::Url(postgres::database().await),
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
        verify(&*self.store, &[self.key.verifying_key()], &[]).await.unwrap()
    }

    /// Somebody with the database and without the key.
    pub async fn tamper(&self, sql: &str) {
        self.attempt(sql).await.unwrap();
    }

    /// The same, where the database may refuse it.
    pub async fn attempt(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.place {
            Place::File(path, _) => {
                let url = format!("sqlite://{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
            Place::Url(url) => {
                let mut connection = PgConnection::connect(url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
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
