//! What identities have used: one row an identity, `detail` is all of it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sluice_engine::record::Record;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Row};
use super::Database;
use super::columns::{ROWS, column, is_usual, signed, unsigned};
use super::turn::{Turn, Write};
use crate::reviews::Usage;
use crate::store::numbers::rows_of;
use crate::store::{Backlog, StoreError, Usages, WhichUsage};

#[async_trait]
impl Usages for Database {
    async fn usages(&self, which: WhichUsage) -> Result<Vec<Usage>, StoreError> {
        let (issuer, subject) = which.after.unzip();
        let sql = "SELECT detail FROM usage WHERE CAST($1 AS TEXT) IS NULL OR (issuer, subject) > ($1, $2)
                   ORDER BY issuer, subject LIMIT $3";
        let query = sqlx::query(sql)
            .bind(issuer.as_deref().map(column))
            .bind(subject.as_deref().map(column))
            .bind(i64::from(which.limit));
        Ok(query.fetch_all(&self.readers).await?.iter().filter_map(read).collect())
    }

    async fn usage(&self, issuer: &str, subject: &str) -> Result<Option<Usage>, StoreError> {
        let query = sqlx::query("SELECT detail FROM usage WHERE issuer = $1 AND subject = $2");
        let row = query.bind(column(issuer)).bind(column(subject)).fetch_optional(&self.readers).await?;
        Ok(row.as_ref().and_then(read))
    }

    async fn usage_since(&self) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query("SELECT min(first_ms) FROM usage").fetch_one(&self.readers).await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(unsigned))
    }

    async fn usage_backlog(&self) -> Result<Option<Backlog>, StoreError> {
        backlog(&mut *self.readers.acquire().await?).await
    }

    async fn add_usage(&self, from: Backlog, upto: i64, usage: Vec<Usage>) -> Result<(), StoreError> {
        self.write(CatchUp { from, upto, usage }).await
    }
}

struct CatchUp {
    from: Backlog,
    upto: i64,
    usage: Vec<Usage>,
}

impl Write for CatchUp {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        if backlog(turn.connection).await? != Some(self.from) {
            return Ok(());
        }
        sqlx::query("UPDATE usage_backlog SET done = $1")
            .bind(self.upto)
            .execute(&mut *turn.connection)
            .await?;
        let mut used = Used::default();
        self.usage.iter().for_each(|usage| used.add(usage.clone()));
        used.write(turn.connection).await
    }
}

async fn backlog(connection: &mut Connection) -> Result<Option<Backlog>, StoreError> {
    let found = sqlx::query("SELECT done, until FROM usage_backlog WHERE done < until");
    let Some(row) = found.fetch_optional(connection).await? else { return Ok(None) };
    Ok(Some(Backlog { after: row.try_get(0)?, until: row.try_get(1)? }))
}

/// What one transaction adds, by issuer and subject.
#[derive(Default)]
pub struct Used(BTreeMap<(String, String), Usage>);

impl Used {
    pub fn count(&mut self, record: &Record) {
        Usage::of(record).into_iter().for_each(|usage| self.add(usage));
    }

    fn add(&mut self, usage: Usage) {
        let key = (column(&usage.issuer), column(&usage.subject));
        match self.0.get_mut(&key) {
            Some(known) => known.merge(&usage),
            None => drop(self.0.insert(key, usage)),
        }
    }

    /// Adds to what is there. Transactions that write take turns, so that nobody adds in between.
    pub async fn write(mut self, connection: &mut Connection) -> Result<(), StoreError> {
        let keys: Vec<(String, String)> = self.0.keys().cloned().collect();
        for some in keys.chunks(ROWS) {
            let rows = rows_of(some.len(), 2);
            let sql = format!("SELECT detail FROM usage WHERE (issuer, subject) IN (VALUES {rows})");
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (issuer, subject) in some {
                query = query.bind(issuer).bind(subject);
            }
            let found = query.persistent(is_usual(some.len())).fetch_all(&mut *connection).await?;
            for mut known in found.iter().filter_map(read) {
                if let Some(usage) = self.0.get_mut(&(column(&known.issuer), column(&known.subject))) {
                    known.merge(usage);
                    *usage = known;
                }
            }
            self.write_rows(connection, some).await?;
        }
        Ok(())
    }

    async fn write_rows(
        &self,
        connection: &mut Connection,
        keys: &[(String, String)],
    ) -> Result<(), StoreError> {
        let rows = rows_of(keys.len(), 4);
        let sql = format!(
            "INSERT INTO usage (issuer, subject, first_ms, detail) VALUES {rows}
             ON CONFLICT (issuer, subject) DO UPDATE SET first_ms = excluded.first_ms, detail = excluded.detail"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for key in keys {
            let usage = self.0.get(key).cloned().unwrap_or_default();
            let unreadable = |why: serde_json::Error| StoreError::Unreadable {
                what: "what an identity has used".into(),
                why: why.to_string(),
            };
            let detail = serde_json::to_string(&usage).map_err(unreadable)?;
            query = query.bind(&key.0).bind(&key.1).bind(signed(usage.first_ms)).bind(detail);
        }
        query.persistent(is_usual(keys.len())).execute(connection).await?;
        Ok(())
    }
}

/// A row that cannot be read counts for nothing: the log is the truth, and must be written on.
fn read(row: &Row) -> Option<Usage> {
    let detail: String = row.try_get("detail").ok()?;
    match serde_json::from_str(&detail) {
        Ok(usage) => Some(usage),
        Err(error) => {
            tracing::error!(%error, "what an identity has used cannot be read, and is counted anew");
            None
        }
    }
}
