//! Retention: when blocks were named last, and which of them go.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use serde_json::Value;
use sluice_engine::record::{Block, Piece};
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Text, read_text};
use super::Database;
use super::columns::{digest_bytes, digest_text, signed, unsigned};
use super::log::{block, write_blocks};
use super::texts::forget;
use super::turn::{Turn, Write};
use crate::records::{Entry, RetentionEvent, Through};
use crate::store::numbers::numbers;
use crate::store::{Retention, StoreError};

/// A day in milliseconds.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// How long blocks below the floor stay: longer than any write takes from the look whether its blocks are there to its
/// commit.
const GRACE_MS: u64 = 10 * 60 * 1000;

/// What stands in the place of a hold's preview.
const REMOVED: &str = "(removed: older than the policy keeps texts)";

/// Blocks that go in one step. Their words are taken from the pages of the index, which SQLite does in one and a half
/// milliseconds for a block of 120 words.
const GOING: u32 = 10;

/// Digests in one statement.
const DIGESTS: usize = 200;

#[async_trait]
impl Retention for Database {
    async fn mark(&self, most: u32, now_ms: u64) -> Result<bool, StoreError> {
        self.write(Mark { most, now_ms }).await
    }

    async fn raise_floor(&self, day: i64, now_ms: u64) -> Result<bool, StoreError> {
        self.write(RaiseFloor { day, now_ms }).await
    }

    async fn sweep(&self, most: u32, now_ms: u64) -> Result<u64, StoreError> {
        self.write(Sweep { most, now_ms }).await
    }

    async fn clear_previews(&self, most: u32) -> Result<u64, StoreError> {
        // Asking is cheap and happens all the time; writing is neither.
        if old_holds(&mut *self.readers.acquire().await?, 1).await?.is_empty() {
            return Ok(0);
        }
        self.write(ClearPreviews(most)).await
    }
}

struct Mark {
    most: u32,
    now_ms: u64,
}

impl Write for Mark {
    type Answer = bool;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        mark(turn.connection, self.most, self.now_ms).await
    }
}

/// An entry's day is never before that of the one before it in its chain, whatever the clocks of filters say, nor in the
/// future: so the floor is at one place of each chain.
async fn mark(connection: &mut Connection, most: u32, now_ms: u64) -> Result<bool, StoreError> {
    let rows = sqlx::query(
        "SELECT id, writer, seq, entry FROM entries WHERE id > (SELECT marked FROM retention) ORDER BY id LIMIT $1",
    )
    .bind(i64::from(most))
    .fetch_all(&mut *connection)
    .await?;
    let mut days: HashMap<String, i64> = HashMap::new();
    for row in sqlx::query("SELECT writer, max(day) FROM chain_days GROUP BY writer")
        .fetch_all(&mut *connection)
        .await?
    {
        days.insert(row.try_get(0)?, row.try_get(1)?);
    }
    let mut named: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    let mut marked = None;
    for row in &rows {
        marked = Some(row.try_get::<i64, _>("id")?);
        // What cannot be read any more was tampered with, which verification tells.
        let Ok(Entry::Exchange(record)) = serde_json::from_str(&row.try_get::<String, _>("entry")?) else {
            continue;
        };
        let writer: String = row.try_get("writer")?;
        let own = signed(record.at_ms.min(now_ms) / DAY_MS);
        let day = days.get(&writer).map_or(own, |last| own.max(*last));
        sqlx::query(
            "INSERT INTO chain_days (writer, day, seq) VALUES ($1, $2, $3)
             ON CONFLICT (writer, day) DO UPDATE SET seq = excluded.seq",
        )
        .bind(&writer)
        .bind(day)
        .bind(row.try_get::<i64, _>("seq")?)
        .execute(&mut *connection)
        .await?;
        days.insert(writer, day);
        named.entry(day).or_default().extend(record.body.into_iter().flat_map(|body| digests(body.pieces)));
    }
    for (day, digests) in named {
        name(connection, day, digests.into_iter().collect()).await?;
    }
    if let Some(marked) = marked {
        sqlx::query("UPDATE retention SET marked = $1").bind(marked).execute(&mut *connection).await?;
    }
    Ok(rows.len() < most as usize)
}

/// Blocks, and what they name, were named on this day. A list that was is not followed: what it names was named with it.
async fn name(connection: &mut Connection, day: i64, mut left: Vec<String>) -> Result<(), StoreError> {
    while !left.is_empty() {
        let some = left.split_off(left.len().saturating_sub(DIGESTS));
        let list = numbers(2, some.len());
        let sql = format!(
            "SELECT digest, list, text FROM blocks WHERE (used_day IS NULL OR used_day < $1) AND digest IN ({list})"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(day);
        for digest in &some {
            query = query.bind(digest_bytes(digest));
        }
        let rows = query.fetch_all(&mut *connection).await?;
        if rows.is_empty() {
            continue;
        }
        let sql = format!("UPDATE blocks SET used_day = $1 WHERE digest IN ({})", numbers(2, rows.len()));
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(day);
        for row in &rows {
            query = query.bind(row.try_get::<Vec<u8>, _>("digest")?);
            if row.try_get("list")? {
                let text = read_text(row.try_get::<Text, _>("text")?);
                let pieces: Vec<Piece> = serde_json::from_str(&text).unwrap_or_default();
                left.extend(digests(pieces));
            }
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

struct RaiseFloor {
    day: i64,
    now_ms: u64,
}

impl Write for RaiseFloor {
    type Answer = bool;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let raised = sqlx::query("UPDATE retention SET floor_day = $1, acted_ms = $2 WHERE floor_day < $1")
            .bind(self.day)
            .bind(signed(self.now_ms))
            .execute(&mut *turn.connection)
            .await?;
        if raised.rows_affected() != 1 {
            return Ok(false);
        }
        let rows = sqlx::query(
            "SELECT writer, max(seq) FROM chain_days WHERE day < $1 GROUP BY writer ORDER BY writer",
        )
        .bind(self.day)
        .fetch_all(&mut *turn.connection)
        .await?;
        let through =
            rows.iter().map(|row| Ok(Through { writer: row.try_get(0)?, seq: unsigned(row.try_get(1)?) }));
        let through: Vec<Through> = through.collect::<Result<_, StoreError>>()?;
        if !through.is_empty() {
            let before_ms = unsigned(self.day).saturating_mul(DAY_MS);
            let event = RetentionEvent { at_ms: self.now_ms, before_ms, through };
            turn.log.push(Entry::Retention(Box::new(event)));
        }
        Ok(true)
    }
}

struct Sweep {
    most: u32,
    now_ms: u64,
}

impl Write for Sweep {
    type Answer = u64;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<u64, StoreError> {
        let acted: i64 = sqlx::query("SELECT acted_ms FROM retention")
            .fetch_one(&mut *turn.connection)
            .await?
            .try_get(0)?;
        // An entry that nobody has looked at may name what would go.
        let quiet = unsigned(acted).saturating_add(GRACE_MS) < self.now_ms;
        if !quiet || !mark(turn.connection, self.most, self.now_ms).await? {
            return Ok(0);
        }
        let rows = sqlx::query(
            "DELETE FROM blocks WHERE rowid IN
               (SELECT rowid FROM blocks WHERE used_day < (SELECT floor_day FROM retention) LIMIT $1)
             RETURNING digest, list, text",
        )
        .bind(i64::from(self.most.min(GOING)))
        .fetch_all(&mut *turn.connection)
        .await?;
        let gone: Vec<Block> = rows.iter().map(block).collect::<Result<_, _>>()?;
        forget(turn.connection, &gone.iter().collect::<Vec<_>>()).await?;
        Ok(gone.len() as u64)
    }
}

/// Holds that began before the floor, behind those that were looked at, the oldest first: when they began, id, state and what
/// was asked.
async fn old_holds(
    connection: &mut Connection,
    most: u32,
) -> Result<Vec<(i64, String, String, String)>, StoreError> {
    let rows = sqlx::query(
        "SELECT created_ms, id, state, ask FROM holds
         WHERE (created_ms, id) > ((SELECT previews_ms FROM retention), (SELECT previews_id FROM retention))
           AND created_ms < (SELECT floor_day FROM retention) * $1
         ORDER BY created_ms, id LIMIT $2",
    )
    .bind(signed(DAY_MS))
    .bind(i64::from(most))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))).collect()
}

struct ClearPreviews(u32);

impl Write for ClearPreviews {
    type Answer = u64;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<u64, StoreError> {
        let mut seen = 0;
        for (created_ms, id, state, ask) in old_holds(turn.connection, self.0).await? {
            // Whoever decides must see it. Its time is over soon, and it is looked at then.
            if state == "waiting" {
                break;
            }
            // A row that cannot be read shows nothing to anybody.
            if let Ok(mut asked) = serde_json::from_str::<Value>(&ask)
                && let Some(preview) = asked.get_mut("preview")
            {
                *preview = REMOVED.into();
                // What reviewers had masked stood in it. An approval without its texts is none any more.
                let sql =
                    "UPDATE holds SET ask = $1, masked = CASE WHEN masked IS NULL THEN NULL ELSE '[]' END
                           WHERE id = $2";
                sqlx::query(sql).bind(asked.to_string()).bind(&id).execute(&mut *turn.connection).await?;
            }
            sqlx::query("UPDATE retention SET previews_ms = $1, previews_id = $2")
                .bind(created_ms)
                .bind(&id)
                .execute(&mut *turn.connection)
                .await?;
            seen += 1;
        }
        Ok(seen)
    }
}

/// Blocks that are sent again are there again, also those that were about to go, or went since they were sent.
pub async fn revive(connection: &mut Connection, blocks: &[&Block]) -> Result<(), StoreError> {
    if blocks.is_empty() {
        return Ok(());
    }
    let floor: i64 =
        sqlx::query("SELECT floor_day FROM retention").fetch_one(&mut *connection).await?.try_get(0)?;
    if floor < 0 {
        return Ok(());
    }
    for some in blocks.chunks(DIGESTS) {
        let sql = format!("SELECT digest FROM blocks WHERE digest IN ({})", numbers(1, some.len()));
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for block in some {
            query = query.bind(digest_bytes(&block.digest));
        }
        let rows = query.fetch_all(&mut *connection).await?;
        let there: BTreeSet<Vec<u8>> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let gone = some.iter().copied().filter(|block| !there.contains(&digest_bytes(&block.digest)));
        write_blocks(connection, gone).await?;
        let sql = format!(
            "UPDATE blocks SET used_day = NULL WHERE used_day < $1 AND digest IN ({}) RETURNING digest",
            numbers(2, some.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(floor);
        for block in some {
            query = query.bind(digest_bytes(&block.digest));
        }
        let rows = query.fetch_all(&mut *connection).await?;
        let revived: BTreeSet<String> = rows.iter().map(digest_text).collect::<Result<_, _>>()?;
        // What they name may have gone in between: whoever names them now is followed anew.
        let revived: Vec<&Block> =
            some.iter().copied().filter(|block| revived.contains(&block.digest)).collect();
        forget(connection, &revived).await?;
    }
    Ok(())
}

fn digests(pieces: Vec<Piece>) -> impl Iterator<Item = String> {
    pieces.into_iter().filter_map(|piece| match piece {
        Piece::Block(digest) => Some(digest),
        Piece::Text(_) => None,
    })
}
