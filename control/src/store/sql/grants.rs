//! Grants. The functions that change one run inside the writer's transaction.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Row, announce};
use super::Database;
use super::approvals::delegations_to;
use super::columns::{column, signed};
use super::turn::{Turn, Write};
use crate::approvals::DecidedBy;
use crate::grants::{Change, Grant, GrantState};
use crate::records::{Entry, GrantEvent};
use crate::store::{Changed, Grants, News, StoreError};

/// Grants whose ends are written down in one go.
const ENDED: i64 = 1000;

#[async_trait]
impl Grants for Database {
    async fn open_grant(&self, grant: Grant) -> Result<(), StoreError> {
        self.write(Open(grant)).await
    }

    async fn change_grant(&self, change: Change, now_ms: u64) -> Result<Changed, StoreError> {
        self.write(Step { change, now_ms }).await
    }

    async fn end_grants(&self, now_ms: u64) -> Result<usize, StoreError> {
        if overdue(&mut *self.readers.acquire().await?, now_ms).await? == 0 {
            return Ok(0);
        }
        self.write(End { now_ms }).await
    }

    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError> {
        by_id(&mut *self.readers.acquire().await?, id).await
    }

    async fn grants(&self, state: Option<GrantState>, limit: u32) -> Result<Vec<Grant>, StoreError> {
        list(&mut *self.readers.acquire().await?, state, limit).await
    }

    async fn grants_of(&self, subject: &str, limit: u32) -> Result<Vec<Grant>, StoreError> {
        of(&mut *self.readers.acquire().await?, subject, limit).await
    }
}

struct Open(Grant);

impl Write for Open {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        open(turn.connection, &self.0, &mut turn.log).await
    }
}

struct Step {
    change: Change,
    now_ms: u64,
}

impl Write for Step {
    type Answer = Changed;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Changed, StoreError> {
        change(turn.connection, &self.change, self.now_ms, &mut turn.log).await
    }
}

struct End {
    now_ms: u64,
}

impl Write for End {
    type Answer = usize;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<usize, StoreError> {
        end(turn.connection, self.now_ms, &mut turn.log).await
    }
}

/// Writes a wish, or a grant that is live at once.
async fn open(connection: &mut Connection, grant: &Grant, log: &mut Vec<Entry>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO grants (id, state, subject, created_ms, ends_ms, detail) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&grant.id)
    .bind(grant.state.word())
    .bind(column(&grant.who.subject))
    .bind(signed(grant.created_ms))
    .bind(signed(grant.ends_ms))
    .bind(json(grant)?)
    .execute(&mut *connection)
    .await?;
    announce(connection, News::Grants).await?;
    log.push(Entry::Grant(Box::new(GrantEvent::opened(grant))));
    Ok(())
}

/// Takes a step, where it still has its place and they may.
pub async fn change(
    connection: &mut Connection,
    change: &Change,
    now_ms: u64,
    log: &mut Vec<Entry>,
) -> Result<Changed, StoreError> {
    let Some(grant) = by_id(connection, &change.grant).await? else { return Ok(Changed::Unknown) };
    let mut grant = grant.at(now_ms);
    let mut by = DecidedBy::new(&change.by, now_ms, change.reason.clone());
    if grant.state == GrantState::Waiting && change.step != crate::grants::Step::Revoke {
        let given = delegations_to(connection, &change.by, now_ms).await?;
        let approve = change.step == crate::grants::Step::Approve;
        match grant.terms().standing(&change.by, approve, &given, now_ms) {
            Ok(on_behalf) => by.on_behalf = on_behalf,
            Err(bar) => return Ok(Changed::Barred(bar)),
        }
    }
    if !grant.take(&change.step, by) {
        return Ok(Changed::TooLate(grant));
    }
    update(connection, &grant).await?;
    announce(connection, News::Grants).await?;
    log.push(Entry::Grant(Box::new(GrantEvent::changed(&grant, now_ms))));
    Ok(Changed::Done(grant))
}

/// Writes down the ends of grants and wishes whose time is over; says how many.
async fn end(connection: &mut Connection, now_ms: u64, log: &mut Vec<Entry>) -> Result<usize, StoreError> {
    let rows = sqlx::query(
        "SELECT id, detail FROM grants WHERE state IN ('waiting', 'live') AND ends_ms <= $1 ORDER BY ends_ms LIMIT $2",
    )
    .bind(signed(now_ms))
    .bind(ENDED)
    .fetch_all(&mut *connection)
    .await?;
    for grant in readable(&rows)? {
        let grant = grant.at(now_ms);
        update(connection, &grant).await?;
        log.push(Entry::Grant(Box::new(GrantEvent::changed(&grant, now_ms))));
    }
    if !rows.is_empty() {
        announce(connection, News::Grants).await?;
    }
    Ok(rows.len())
}

/// A grant by its id.
pub async fn by_id(connection: &mut Connection, id: &str) -> Result<Option<Grant>, StoreError> {
    let query = sqlx::query("SELECT detail FROM grants WHERE id = $1").bind(id);
    query.fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Grants, the newest first; of one state, or all.
async fn list(
    connection: &mut Connection,
    state: Option<GrantState>,
    limit: u32,
) -> Result<Vec<Grant>, StoreError> {
    let sql = "SELECT id, detail FROM grants WHERE CAST($1 AS TEXT) IS NULL OR state = $1
               ORDER BY created_ms DESC, id LIMIT $2";
    let query = sqlx::query(AssertSqlSafe(sql)).bind(state.map(GrantState::word)).bind(i64::from(limit));
    readable(&query.fetch_all(connection).await?)
}

/// Those that can be read. One that cannot gives no right; it must not keep the others from being read.
fn readable(rows: &[Row]) -> Result<Vec<Grant>, StoreError> {
    let mut grants = Vec::with_capacity(rows.len());
    for row in rows {
        match read(row) {
            Ok(grant) => grants.push(grant),
            Err(error) => {
                let grant: String = row.try_get("id")?;
                tracing::error!(grant, %error, "a grant gives no right, since it cannot be read");
            }
        }
    }
    Ok(grants)
}

/// Grants of a subject that wait or are live, the newest first.
async fn of(connection: &mut Connection, subject: &str, limit: u32) -> Result<Vec<Grant>, StoreError> {
    let sql = "SELECT id, detail FROM grants WHERE subject = $1 AND state IN ('waiting', 'live')
               ORDER BY created_ms DESC, id LIMIT $2";
    let query = sqlx::query(sql).bind(column(subject)).bind(i64::from(limit));
    readable(&query.fetch_all(connection).await?)
}

/// How many wait or are live beyond their end.
async fn overdue(connection: &mut Connection, now_ms: u64) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM grants WHERE state IN ('waiting', 'live') AND ends_ms <= $1";
    Ok(sqlx::query(sql).bind(signed(now_ms)).fetch_one(connection).await?.try_get(0)?)
}

async fn update(connection: &mut Connection, grant: &Grant) -> Result<(), StoreError> {
    sqlx::query("UPDATE grants SET state = $1, ends_ms = $2, detail = $3 WHERE id = $4")
        .bind(grant.state.word())
        .bind(signed(grant.ends_ms))
        .bind(json(grant)?)
        .bind(&grant.id)
        .execute(connection)
        .await?;
    Ok(())
}

fn json(grant: &Grant) -> Result<String, StoreError> {
    serde_json::to_string(grant).map_err(|e| unreadable(&e))
}

fn read(row: &Row) -> Result<Grant, StoreError> {
    serde_json::from_str(&row.try_get::<String, _>("detail")?).map_err(|e| unreadable(&e))
}

fn unreadable(why: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "a grant".into(), why: why.to_string() }
}
