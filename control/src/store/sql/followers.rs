//! Followers of the log: one row each.

use async_trait::async_trait;
use sqlx::Row as _;

use super::Database;
use super::columns::{signed, unsigned};
use super::turn::{Turn, Write};
use crate::store::{Advance, Followed, Followers, StoreError};

#[async_trait]
impl Followers for Database {
    async fn followed(&self, follower: &str) -> Result<Followed, StoreError> {
        if let Some(found) = find(self, follower).await? {
            return Ok(found);
        }
        self.write(Begin(follower.to_owned())).await?;
        find(self, follower).await?.ok_or_else(|| StoreError::Unreadable {
            what: "where a follower of the log stands".into(),
            why: "its row is gone".into(),
        })
    }

    async fn advance(&self, step: Advance, now_ms: u64) -> Result<bool, StoreError> {
        self.write(Step { step, now_ms }).await
    }
}

async fn find(database: &Database, follower: &str) -> Result<Option<Followed>, StoreError> {
    let sql = "SELECT done, holder, until_ms, (SELECT coalesce(max(id), 0) FROM entries) FROM followers WHERE name = $1";
    let row = sqlx::query(sql).bind(follower).fetch_optional(&database.readers).await?;
    row.map(|row| {
        Ok(Followed {
            done: row.try_get(0)?,
            holder: row.try_get(1)?,
            until_ms: unsigned(row.try_get(2)?),
            end: row.try_get(3)?,
        })
    })
    .transpose()
}

struct Begin(String);

impl Write for Begin {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO followers (name, done, holder, until_ms)
             SELECT CAST($1 AS TEXT), coalesce(max(id), 0), '', 0 FROM entries WHERE true ON CONFLICT DO NOTHING",
        )
        .bind(&self.0)
        .execute(&mut *turn.connection)
        .await?;
        Ok(())
    }
}

struct Step {
    step: Advance,
    now_ms: u64,
}

impl Write for Step {
    type Answer = bool;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let Self { step, now_ms } = self;
        let done = sqlx::query(
            "UPDATE followers SET done = $1, holder = $2, until_ms = $3
             WHERE name = $4 AND done = $5 AND (holder = $2 OR until_ms <= $6)",
        )
        .bind(step.to)
        .bind(&step.holder)
        .bind(signed(step.until_ms))
        .bind(&step.follower)
        .bind(step.from)
        .bind(signed(*now_ms))
        .execute(&mut *turn.connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
