//! Revocations. The functions that change them run inside the writer's transaction.

use async_trait::async_trait;
use sluice_engine::policy::bundle::Revocation;
use sqlx::Row as _;

use super::super::{Connection, announce};
use super::Database;
use super::columns::{column, signed};
use super::tokens::end_families;
use super::turn::{Turn, Write};
use super::vouched::end_of_revoked;
use crate::records::Entry;
use crate::store::{News, Revocations, StoreError};
use crate::tokens::revocation::Revoked;

/// Tokens of one holder that are remembered one by one. Beyond it everything of theirs ends.
const OF_ONE: i64 = 50;

/// Revocations by holders that are remembered at once: some 2 MB of bundle. Those of operators are always taken.
const OF_HOLDERS: i64 = 20_000;

#[async_trait]
impl Revocations for Database {
    async fn revoke(&self, revoked: Revoked) -> Result<Option<Revoked>, StoreError> {
        self.write(Revoke(revoked)).await
    }

    async fn revoked(&self, now_ms: u64) -> Result<Vec<Revocation>, StoreError> {
        let sql = "SELECT kind, issuer, name, before_ms FROM revocations WHERE until_ms > $1";
        let query = sqlx::query(sql).bind(signed(now_ms));
        let rows = query.fetch_all(&mut *self.readers.acquire().await?).await?;
        rows.iter()
            .map(|row| {
                let (issuer, name) = (row.try_get("issuer")?, row.try_get("name")?);
                let before_ms = u64::try_from(row.try_get::<i64, _>("before_ms")?).unwrap_or_default();
                Ok(match row.try_get::<String, _>("kind")?.as_str() {
                    "token" => Revocation::Token { issuer, id: name },
                    _ => Revocation::Subject { issuer, subject: name, before_ms },
                })
            })
            .collect()
    }

    async fn revocations(&self, now_ms: u64, limit: u32) -> Result<Vec<Revoked>, StoreError> {
        let sql = "SELECT detail FROM revocations WHERE until_ms > $1 ORDER BY at_ms DESC, name LIMIT $2";
        let query = sqlx::query(sql).bind(signed(now_ms)).bind(i64::from(limit));
        let rows = query.fetch_all(&mut *self.readers.acquire().await?).await?;
        rows.iter().map(|row| read(&row.try_get::<String, _>("detail")?)).collect()
    }

    async fn forget_revocations(&self, now_ms: u64) -> Result<(), StoreError> {
        let sql = "SELECT count(*) FROM revocations WHERE until_ms <= $1";
        let query = sqlx::query(sql).bind(signed(now_ms));
        let over: i64 = query.fetch_one(&mut *self.readers.acquire().await?).await?.try_get(0)?;
        if over == 0 {
            return Ok(());
        }
        self.write(Forget { now_ms }).await
    }
}

struct Revoke(Revoked);

impl Write for Revoke {
    type Answer = Option<Revoked>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Option<Revoked>, StoreError> {
        let mut revoked = self.0.clone();
        if revoked.is_by_holder() {
            if count(turn.connection, None).await? >= OF_HOLDERS {
                return Ok(None);
            }
            if count(turn.connection, holder(&revoked).as_deref()).await? >= OF_ONE {
                revoked = revoked.widened();
            }
        }
        let revoked = merged(turn.connection, revoked).await?;
        put(turn.connection, &revoked).await?;
        if let Revocation::Token { issuer, id } = &revoked.what {
            end_families(turn.connection, issuer, id).await?;
        }
        end_of_revoked(turn, &revoked.what, revoked.at_ms).await?;
        announce(turn.connection, News::Revocations).await?;
        turn.log.push(Entry::Revocation(Box::new(revoked.clone())));
        Ok(Some(revoked))
    }
}

struct Forget {
    now_ms: u64,
}

impl Write for Forget {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM revocations WHERE until_ms <= $1").bind(signed(self.now_ms));
        query.execute(&mut *turn.connection).await?;
        Ok(())
    }
}

/// How many are remembered of a holder, or of all.
async fn count(connection: &mut Connection, holder: Option<&str>) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM revocations WHERE holder IS NOT NULL AND (CAST($1 AS TEXT) IS NULL OR holder = $1)";
    Ok(sqlx::query(sql).bind(holder).fetch_one(connection).await?.try_get(0)?)
}

/// One that stands there already is never made weaker.
async fn merged(connection: &mut Connection, mut new: Revoked) -> Result<Revoked, StoreError> {
    let (kind, issuer, name, _) = key(&new.what);
    let sql = "SELECT before_ms, until_ms FROM revocations WHERE kind = $1 AND issuer = $2 AND name = $3";
    let query = sqlx::query(sql).bind(kind).bind(column(issuer)).bind(column(name));
    if let Some(row) = query.fetch_optional(connection).await? {
        let time =
            |name| Ok::<_, StoreError>(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or_default());
        new.until_ms = new.until_ms.max(time("until_ms")?);
        if let Revocation::Subject { before_ms, .. } = &mut new.what {
            *before_ms = (*before_ms).max(time("before_ms")?);
        }
    }
    Ok(new)
}

async fn put(connection: &mut Connection, revoked: &Revoked) -> Result<(), StoreError> {
    let (kind, issuer, name, before_ms) = key(&revoked.what);
    let detail = serde_json::to_string(revoked).map_err(|e| unreadable(&e))?;
    sqlx::query(
        "INSERT INTO revocations (kind, issuer, name, before_ms, holder, until_ms, at_ms, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (kind, issuer, name) DO UPDATE
         SET before_ms = excluded.before_ms, until_ms = excluded.until_ms, at_ms = excluded.at_ms, detail = excluded.detail",
    )
    .bind(kind)
    .bind(column(issuer))
    .bind(column(name))
    .bind(signed(before_ms))
    .bind(holder(revoked))
    .bind(signed(revoked.until_ms))
    .bind(signed(revoked.at_ms))
    .bind(detail)
    .execute(connection)
    .await?;
    Ok(())
}

/// Kind, issuer, name and moment, as the columns have them.
fn key(what: &Revocation) -> (&'static str, &str, &str, u64) {
    match what {
        Revocation::Token { issuer, id } => ("token", issuer, id, 0),
        Revocation::Subject { issuer, subject, before_ms } => ("subject", issuer, subject, *before_ms),
    }
}

/// The holder who gave a token back, in one text.
fn holder(revoked: &Revoked) -> Option<String> {
    let holder = revoked.holder.as_ref().filter(|_| revoked.is_by_holder())?;
    Some(column(&format!("{} {}", holder.issuer, holder.subject)))
}

fn read(detail: &str) -> Result<Revoked, StoreError> {
    serde_json::from_str(detail).map_err(|e| unreadable(&e))
}

fn unreadable(why: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "a revocation".into(), why: why.to_string() }
}
