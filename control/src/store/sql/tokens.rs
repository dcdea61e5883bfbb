//! Families of refresh tokens, devices, and used assertions. What changes them runs inside the writer's transaction.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;

use super::super::Connection;
use super::Database;
use super::columns::{column, signed, unsigned};
use super::turn::{Turn, Write};
use crate::records::{Entry, SignInEvent};
use crate::store::{StoreError, Tokens};
use crate::tokens::device::{Device, PAUSE_MS, Poll, WAITING};
use crate::tokens::family::{Family, ROTATIONS, Rotated, Rotation};
use crate::tokens::source::Source;

#[async_trait]
impl Tokens for Database {
    async fn open_family(&self, family: Family, hash: String, entry: Entry) -> Result<(), StoreError> {
        self.write(Open { family, hash, entry }).await
    }

    async fn family(&self, hash: &str, now_ms: u64) -> Result<Option<Family>, StoreError> {
        let sql = "SELECT f.detail FROM refresh_tokens t JOIN families f ON f.id = t.family
                   WHERE t.hash = $1 AND f.state = 'live' AND f.ends_ms > $2";
        let query = sqlx::query(sql).bind(hash).bind(signed(now_ms));
        let row = query.fetch_optional(&mut *self.readers.acquire().await?).await?;
        row.map(|row| read("a sign-in", row.try_get("detail")?)).transpose()
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        self.write(Rotate(rotation)).await
    }

    async fn open_device(&self, device: Device, hash: String) -> Result<bool, StoreError> {
        self.write(Ask { device, hash }).await
    }

    async fn device(&self, user_code: &str, now_ms: u64) -> Result<Option<Device>, StoreError> {
        by_user_code(&mut *self.readers.acquire().await?, user_code, now_ms).await
    }

    async fn decide_device(
        &self,
        user_code: String,
        source: Option<Source>,
        event: SignInEvent,
    ) -> Result<bool, StoreError> {
        self.write(Decide { user_code, source, event }).await
    }

    async fn poll_device(&self, hash: String, now_ms: u64) -> Result<Poll, StoreError> {
        // A code that is made up costs a look and no write.
        let known = sqlx::query("SELECT 1 FROM devices WHERE code = $1").bind(&hash);
        if known.fetch_optional(&mut *self.readers.acquire().await?).await?.is_none() {
            return Ok(Poll::Gone);
        }
        self.write(Poller { hash, now_ms }).await
    }

    async fn use_assertion(&self, hash: String, until_ms: u64) -> Result<bool, StoreError> {
        self.write(Use { hash, until_ms }).await
    }

    async fn forget_tokens(&self, now_ms: u64) -> Result<(), StoreError> {
        let sql = "SELECT (SELECT count(*) FROM families WHERE ends_ms <= $1)
                        + (SELECT count(*) FROM devices WHERE expires_ms <= $1)
                        + (SELECT count(*) FROM used_assertions WHERE until_ms <= $1)";
        let query = sqlx::query(sql).bind(signed(now_ms));
        let over: i64 = query.fetch_one(&mut *self.readers.acquire().await?).await?.try_get(0)?;
        if over == 0 {
            return Ok(());
        }
        self.write(Forget { now_ms }).await
    }
}

struct Open {
    family: Family,
    hash: String,
    entry: Entry,
}

impl Write for Open {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let family = &self.family;
        sqlx::query("INSERT INTO families (id, state, ends_ms, detail) VALUES ($1, 'live', $2, $3)")
            .bind(&family.id)
            .bind(signed(family.ends_ms))
            .bind(json(family)?)
            .execute(&mut *turn.connection)
            .await?;
        for origin in &family.source.from.tokens {
            sqlx::query(
                "INSERT INTO family_origins (issuer, token, family) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(column(&origin.0))
            .bind(column(&origin.1))
            .bind(&family.id)
            .execute(&mut *turn.connection)
            .await?;
        }
        add(turn.connection, &self.hash, &family.id).await?;
        turn.log.push(self.entry.clone());
        Ok(())
    }
}

struct Rotate(Rotation);

impl Write for Rotate {
    type Answer = Rotated;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Rotated, StoreError> {
        let sql = "SELECT t.family, t.used, (SELECT count(*) FROM refresh_tokens o WHERE o.family = t.family) AS kept
                   FROM refresh_tokens t JOIN families f ON f.id = t.family
                   WHERE t.hash = $1 AND f.state = 'live' AND f.ends_ms > $2";
        let query = sqlx::query(sql).bind(&self.0.shown).bind(signed(self.0.now_ms));
        let Some(row) = query.fetch_optional(&mut *turn.connection).await? else { return Ok(Rotated::Gone) };
        let (family, used): (String, i64) = (row.try_get("family")?, row.try_get("used")?);
        if used != 0 {
            sqlx::query("UPDATE families SET state = 'ended' WHERE id = $1")
                .bind(&family)
                .execute(&mut *turn.connection)
                .await?;
            return Ok(Rotated::Reused);
        }
        if row.try_get::<i64, _>("kept")? >= ROTATIONS {
            return Ok(Rotated::Gone);
        }
        sqlx::query("UPDATE refresh_tokens SET used = 1 WHERE hash = $1")
            .bind(&self.0.shown)
            .execute(&mut *turn.connection)
            .await?;
        add(turn.connection, &self.0.next, &family).await?;
        turn.log.push(self.0.entry.clone());
        Ok(Rotated::Done)
    }
}

async fn add(connection: &mut Connection, hash: &str, family: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO refresh_tokens (hash, family, used) VALUES ($1, $2, 0)")
        .bind(hash)
        .bind(family)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the families that come from a token, or are named so themselves.
pub async fn end_families(connection: &mut Connection, issuer: &str, token: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE families SET state = 'ended'
         WHERE id IN (SELECT family FROM family_origins WHERE issuer = $1 AND token = $2)",
    )
    .bind(column(issuer))
    .bind(column(token))
    .execute(connection)
    .await?;
    Ok(())
}

struct Ask {
    device: Device,
    hash: String,
}

impl Write for Ask {
    type Answer = bool;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let waiting = sqlx::query("SELECT count(*) FROM devices WHERE expires_ms > $1")
            .bind(signed(self.device.created_ms))
            .fetch_one(&mut *turn.connection)
            .await?;
        if waiting.try_get::<i64, _>(0)? >= WAITING {
            return Ok(false);
        }
        let done = sqlx::query(
            "INSERT INTO devices (code, user_code, state, expires_ms, polled_ms, pause_ms, detail)
             VALUES ($1, $2, 'waiting', $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(&self.hash)
        .bind(&self.device.user_code)
        .bind(signed(self.device.expires_ms))
        .bind(0_i64)
        .bind(signed(PAUSE_MS))
        .bind(json(&self.device)?)
        .execute(&mut *turn.connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

struct Decide {
    user_code: String,
    source: Option<Source>,
    event: SignInEvent,
}

impl Write for Decide {
    type Answer = bool;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let Some(device) = by_user_code(turn.connection, &self.user_code, self.event.at_ms).await? else {
            return Ok(false);
        };
        let state = if self.source.is_some() { "approved" } else { "denied" };
        let device = Device { source: self.source.clone(), ..device };
        sqlx::query("UPDATE devices SET state = $1, detail = $2 WHERE user_code = $3")
            .bind(state)
            .bind(json(&device)?)
            .bind(&self.user_code)
            .execute(&mut *turn.connection)
            .await?;
        turn.log.push(Entry::SignIn(Box::new(self.event.clone())));
        Ok(true)
    }
}

async fn by_user_code(
    connection: &mut Connection,
    user_code: &str,
    now_ms: u64,
) -> Result<Option<Device>, StoreError> {
    let sql = "SELECT detail FROM devices WHERE user_code = $1 AND state = 'waiting' AND expires_ms > $2";
    let query = sqlx::query(sql).bind(column(user_code)).bind(signed(now_ms));
    let row = query.fetch_optional(connection).await?;
    row.map(|row| read("a device", row.try_get("detail")?)).transpose()
}

struct Poller {
    hash: String,
    now_ms: u64,
}

impl Write for Poller {
    type Answer = Poll;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Poll, StoreError> {
        let sql = "SELECT state, expires_ms, polled_ms, pause_ms, detail FROM devices WHERE code = $1";
        let row = sqlx::query(sql).bind(&self.hash).fetch_optional(&mut *turn.connection).await?;
        let Some(row) = row else { return Ok(Poll::Gone) };
        let time = |name| Ok::<_, StoreError>(unsigned(row.try_get(name)?));
        if time("expires_ms")? <= self.now_ms {
            return Ok(Poll::Gone);
        }
        let (polled_ms, pause_ms) = (time("polled_ms")?, time("pause_ms")?);
        // A clock in between the two ends: a second is forgiven.
        if self.now_ms < polled_ms.saturating_add(pause_ms).saturating_sub(1000) {
            self.note(turn.connection, pause_ms.saturating_add(PAUSE_MS)).await?;
            return Ok(Poll::SlowDown);
        }
        match row.try_get::<String, _>("state")?.as_str() {
            "waiting" => {
                self.note(turn.connection, pause_ms).await?;
                Ok(Poll::Pending)
            }
            state => {
                // Told once, whatever it is.
                sqlx::query("DELETE FROM devices WHERE code = $1")
                    .bind(&self.hash)
                    .execute(&mut *turn.connection)
                    .await?;
                if state == "approved" {
                    Ok(Poll::Approved(Box::new(read("a device", row.try_get("detail")?)?)))
                } else {
                    Ok(Poll::Denied)
                }
            }
        }
    }
}

impl Poller {
    async fn note(&self, connection: &mut Connection, pause_ms: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET polled_ms = $1, pause_ms = $2 WHERE code = $3")
            .bind(signed(self.now_ms))
            .bind(signed(pause_ms))
            .bind(&self.hash)
            .execute(connection)
            .await?;
        Ok(())
    }
}

struct Use {
    hash: String,
    until_ms: u64,
}

impl Write for Use {
    type Answer = bool;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let sql = "INSERT INTO used_assertions (hash, until_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(&self.hash).bind(signed(self.until_ms));
        Ok(query.execute(&mut *turn.connection).await?.rows_affected() == 1)
    }
}

struct Forget {
    now_ms: u64,
}

impl Write for Forget {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM refresh_tokens WHERE family IN (SELECT id FROM families WHERE ends_ms <= $1)",
            "DELETE FROM family_origins WHERE family IN (SELECT id FROM families WHERE ends_ms <= $1)",
            "DELETE FROM families WHERE ends_ms <= $1",
            "DELETE FROM devices WHERE expires_ms <= $1",
            "DELETE FROM used_assertions WHERE until_ms <= $1",
        ] {
            sqlx::query(sql).bind(signed(self.now_ms)).execute(&mut *turn.connection).await?;
        }
        Ok(())
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| unreadable("a sign-in", &e))
}

fn read<T: DeserializeOwned>(what: &str, detail: String) -> Result<T, StoreError> {
    serde_json::from_str(&detail).map_err(|e| unreadable(what, &e))
}

fn unreadable(what: &str, why: &serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: what.into(), why: why.to_string() }
}
