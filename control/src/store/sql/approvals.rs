//! Delegations, passes, comments. The functions that change one run inside the writer's transaction.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_engine::record::Who;
use sluice_engine::wire::HoldAsk;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Row};
use super::columns::{column, signed, unsigned};
use super::turn::{Turn, Write};
use super::{Database, holds};
use crate::approvals::{DecidedBy, Delegation, Pass};
use crate::holds::Comment;
use crate::records::{DelegationEvent, Entry, HoldEvent, PassEvent};
use crate::reviews::Use;
use crate::store::numbers::numbers;
use crate::store::{Approvals, Commented, StoreError};

/// Comments that a hold may have.
const COMMENTS: i64 = 100;

/// Delegations to one person, and passes of one person under one rule, that are looked at.
const LOOKED_AT: i64 = 100;

/// Passes whose uses are counted by one statement.
const COUNTED: usize = 250;

#[async_trait]
impl Approvals for Database {
    async fn delegate(&self, delegation: Delegation) -> Result<(), StoreError> {
        self.write(Delegate(delegation)).await
    }

    async fn end_delegation(&self, id: &str, by: DecidedBy) -> Result<Option<Delegation>, StoreError> {
        self.write(EndDelegation { id: id.to_owned(), by }).await
    }

    async fn delegation(&self, id: &str) -> Result<Option<Delegation>, StoreError> {
        by_id(&mut *self.readers.acquire().await?, "delegations", id).await
    }

    async fn delegations(&self, limit: u32) -> Result<Vec<Delegation>, StoreError> {
        newest(&mut *self.readers.acquire().await?, "delegations", limit).await
    }

    async fn delegations_to(&self, who: &Who, now_ms: u64) -> Result<Vec<Delegation>, StoreError> {
        delegations_to(&mut *self.readers.acquire().await?, who, now_ms).await
    }

    async fn revoke_pass(&self, id: &str, by: DecidedBy) -> Result<Option<Pass>, StoreError> {
        self.write(RevokePass { id: id.to_owned(), by }).await
    }

    async fn pass(&self, id: &str) -> Result<Option<Pass>, StoreError> {
        by_id(&mut *self.readers.acquire().await?, "passes", id).await
    }

    async fn passes(&self, limit: u32) -> Result<Vec<Pass>, StoreError> {
        newest(&mut *self.readers.acquire().await?, "passes", limit).await
    }

    async fn pass_uses(&self, passes: &[Pass]) -> Result<HashMap<String, Use>, StoreError> {
        let mut uses = HashMap::new();
        for some in passes.chunks(COUNTED) {
            let (ids, holds) = (numbers(1, some.len()), numbers(some.len() + 1, some.len()));
            let sql = format!(
                "SELECT pass, count(*) AS times, max(created_ms) AS last FROM holds
                 WHERE pass IN ({ids}) AND id NOT IN ({holds}) GROUP BY pass"
            );
            let query = sqlx::query(AssertSqlSafe(sql));
            let query = some.iter().fold(query, |query, pass| query.bind(&pass.id));
            let query = some.iter().fold(query, |query, pass| query.bind(&pass.hold));
            for row in query.fetch_all(&self.readers).await? {
                let (count, last_ms) = (row.try_get("times")?, row.try_get("last")?);
                let used = Use { count: unsigned(count), last_ms: unsigned(last_ms) };
                uses.insert(row.try_get("pass")?, used);
            }
        }
        Ok(uses)
    }

    async fn comment(&self, hold: &str, comment: Comment) -> Result<Commented, StoreError> {
        self.write(Say { hold: hold.to_owned(), comment }).await
    }

    async fn comments(&self, hold: &str) -> Result<Vec<Comment>, StoreError> {
        let query = sqlx::query("SELECT detail FROM comments WHERE hold = $1 ORDER BY id").bind(hold);
        query.fetch_all(&self.readers).await?.iter().map(read).collect()
    }
}

struct Delegate(Delegation);

impl Write for Delegate {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let given = &self.0;
        sqlx::query(
            "INSERT INTO delegations (id, issuer, subject, created_ms, ends_ms, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&given.id)
        .bind(column(&given.issuer))
        .bind(column(&given.subject))
        .bind(signed(given.created_ms))
        .bind(signed(given.ends_ms))
        .bind(json(given)?)
        .execute(&mut *turn.connection)
        .await?;
        let event = DelegationEvent { at_ms: given.created_ms, delegation: given.clone() };
        turn.log.push(Entry::Delegation(Box::new(event)));
        Ok(())
    }
}

struct EndDelegation {
    id: String,
    by: DecidedBy,
}

impl Write for EndDelegation {
    type Answer = Option<Delegation>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Option<Delegation>, StoreError> {
        let found: Option<Delegation> = by_id(turn.connection, "delegations", &self.id).await?;
        let Some(mut given) = found else { return Ok(None) };
        if given.is_live(self.by.at_ms) {
            given.ended = Some(self.by.clone());
            update(turn.connection, "delegations", &self.id, &given).await?;
            let event = DelegationEvent { at_ms: self.by.at_ms, delegation: given.clone() };
            turn.log.push(Entry::Delegation(Box::new(event)));
        }
        Ok(Some(given))
    }
}

/// Ends the live delegations for which there is a reason, as the service.
pub async fn end_delegations(
    turn: &mut Turn<'_>,
    now_ms: u64,
    why: impl Fn(&Delegation) -> Option<String>,
) -> Result<(), StoreError> {
    let query = sqlx::query("SELECT detail FROM delegations WHERE ends_ms > $1").bind(signed(now_ms));
    let rows = query.fetch_all(&mut *turn.connection).await?;
    let all: Vec<Delegation> = rows.iter().map(read).collect::<Result<_, _>>()?;
    for mut given in all.into_iter().filter(|given| given.is_live(now_ms)) {
        let Some(reason) = why(&given) else { continue };
        let service = Who { issuer: "sluice".into(), subject: "control".into(), groups: Vec::new() };
        given.ended = Some(DecidedBy::new(&service, now_ms, Some(reason)));
        update(turn.connection, "delegations", &given.id, &given).await?;
        turn.log.push(Entry::Delegation(Box::new(DelegationEvent { at_ms: now_ms, delegation: given })));
    }
    Ok(())
}

struct RevokePass {
    id: String,
    by: DecidedBy,
}

impl Write for RevokePass {
    type Answer = Option<Pass>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Option<Pass>, StoreError> {
        let Some(mut pass): Option<Pass> = by_id(turn.connection, "passes", &self.id).await? else {
            return Ok(None);
        };
        if pass.is_live(self.by.at_ms) {
            pass.revoked = Some(self.by.clone());
            update(turn.connection, "passes", &self.id, &pass).await?;
            turn.log.push(Entry::Pass(Box::new(PassEvent::new(&pass, self.by.at_ms))));
        }
        Ok(Some(pass))
    }
}

struct Say {
    hold: String,
    comment: Comment,
}

impl Write for Say {
    type Answer = Commented;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Commented, StoreError> {
        let Some(hold) = holds::by_id(turn.connection, &self.hold).await? else {
            return Ok(Commented::Unknown);
        };
        let count = sqlx::query("SELECT count(*) FROM comments WHERE hold = $1").bind(&self.hold);
        if count.fetch_one(&mut *turn.connection).await?.try_get::<i64, _>(0)? >= COMMENTS {
            return Ok(Commented::Full);
        }
        sqlx::query("INSERT INTO comments (hold, detail) VALUES ($1, $2)")
            .bind(&self.hold)
            .bind(json(&self.comment)?)
            .execute(&mut *turn.connection)
            .await?;
        turn.log.push(Entry::Hold(Box::new(HoldEvent::commented(&hold, &self.comment))));
        Ok(Commented::Done)
    }
}

/// The delegations that somebody may use now.
pub async fn delegations_to(
    connection: &mut Connection,
    who: &Who,
    now_ms: u64,
) -> Result<Vec<Delegation>, StoreError> {
    let rows = sqlx::query(
        "SELECT detail FROM delegations WHERE issuer = $1 AND subject = $2 AND ends_ms > $3
         ORDER BY created_ms DESC, id LIMIT $4",
    )
    .bind(column(&who.issuer))
    .bind(column(&who.subject))
    .bind(signed(now_ms))
    .bind(LOOKED_AT)
    .fetch_all(connection)
    .await?;
    let all: Vec<Delegation> = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(all.into_iter().filter(|given| given.is_live(now_ms)).collect())
}

/// The pass that approves what is asked, if there is one.
pub async fn pass_for(
    connection: &mut Connection,
    ask: &HoldAsk,
    now_ms: u64,
) -> Result<Option<Pass>, StoreError> {
    let rows = sqlx::query(
        "SELECT detail FROM passes WHERE issuer = $1 AND subject = $2 AND rule = $3 AND ends_ms > $4
         ORDER BY created_ms DESC, id LIMIT $5",
    )
    .bind(column(&ask.who.issuer))
    .bind(column(&ask.who.subject))
    .bind(column(&ask.rule))
    .bind(signed(now_ms))
    .bind(LOOKED_AT)
    .fetch_all(connection)
    .await?;
    let all: Vec<Pass> = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(all.into_iter().find(|pass| pass.covers(ask, now_ms)))
}

/// Writes a pass that a decision has opened.
pub async fn open_pass(
    connection: &mut Connection,
    pass: &Pass,
    log: &mut Vec<Entry>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO passes (id, issuer, subject, rule, created_ms, ends_ms, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&pass.id)
    .bind(column(&pass.who.issuer))
    .bind(column(&pass.who.subject))
    .bind(column(&pass.rule))
    .bind(signed(pass.from_ms))
    .bind(signed(pass.ends_ms))
    .bind(json(pass)?)
    .execute(connection)
    .await?;
    log.push(Entry::Pass(Box::new(PassEvent::new(pass, pass.from_ms))));
    Ok(())
}

async fn by_id<T: DeserializeOwned>(
    connection: &mut Connection,
    table: &'static str,
    id: &str,
) -> Result<Option<T>, StoreError> {
    let sql = format!("SELECT detail FROM {table} WHERE id = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

async fn newest<T: DeserializeOwned>(
    connection: &mut Connection,
    table: &'static str,
    limit: u32,
) -> Result<Vec<T>, StoreError> {
    let sql = format!("SELECT detail FROM {table} ORDER BY created_ms DESC, id LIMIT $1");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit)).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

async fn update(
    connection: &mut Connection,
    table: &'static str,
    id: &str,
    detail: &impl Serialize,
) -> Result<(), StoreError> {
    let sql = format!("UPDATE {table} SET detail = $1 WHERE id = $2");
    sqlx::query(AssertSqlSafe(sql)).bind(json(detail)?).bind(id).execute(connection).await?;
    Ok(())
}

/// As a column holds it.
pub fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| unreadable(&e))
}

fn read<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    serde_json::from_str(&row.try_get::<String, _>("detail")?).map_err(|e| unreadable(&e))
}

fn unreadable(why: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "a delegation, pass or comment".into(), why: why.to_string() }
}
