//! The log: entries, blocks, and what listings show of sessions.

mod marks;
mod reads;
mod tally;

use std::collections::BTreeMap;

use async_trait::async_trait;
use sluice_engine::record::Block;
use sqlx::AssertSqlSafe;

use super::super::{Connection, text};
use super::columns::{ROWS, column, digest_bytes, is_usual, signed};
use super::turn::{Turn, Write};
use super::{Database, holds};
use crate::holds::Hold;
use crate::records::Entry;
use crate::store::numbers::rows_of;
use crate::store::{Addition, Enrolled, Head, Log, Session, StoreError, Stored, Which, WhichSessions};

pub use marks::Marks;
pub use reads::block;
pub use tally::Tally;

/// How long a batch's id is remembered: far beyond any retry.
const BATCH_MEMORY_MS: u64 = 24 * 3600 * 1000;

#[async_trait]
impl Log for Database {
    async fn add(&self, addition: Addition, now_ms: u64) -> Result<Option<Hold>, StoreError> {
        self.write(Add { addition, now_ms }).await
    }

    async fn missing(&self, digests: Vec<String>) -> Result<Vec<String>, StoreError> {
        reads::missing(&self.readers, digests).await
    }

    async fn blocks(&self, digests: Vec<String>) -> Result<Vec<Block>, StoreError> {
        reads::blocks(&self.readers, digests).await
    }

    async fn blocks_after(&self, cursor: i64, limit: u32) -> Result<Vec<(i64, Block)>, StoreError> {
        reads::blocks_after(&self.readers, cursor, limit).await
    }

    async fn entries(&self, which: Which) -> Result<Vec<Stored>, StoreError> {
        reads::entries(&self.readers, which).await
    }

    async fn last_retention(&self) -> Result<Option<Stored>, StoreError> {
        reads::last_retention(&self.readers).await
    }

    async fn sessions(&self, which: WhichSessions) -> Result<Vec<Session>, StoreError> {
        reads::sessions(&self.readers, which).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        reads::heads(&self.readers).await
    }

    async fn enrol(&self, writer: Enrolled) -> Result<(), StoreError> {
        self.write(Enrol(writer)).await
    }

    async fn enrolled(&self) -> Result<Vec<Enrolled>, StoreError> {
        reads::enrolled(&self.readers).await
    }
}

/// Entries and blocks, and a hold to open or to join.
struct Add {
    addition: Addition,
    now_ms: u64,
}

impl Write for Add {
    type Answer = Option<Hold>;

    fn blocks(&self) -> &[Block] {
        &self.addition.blocks
    }

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Option<Hold>, StoreError> {
        let Self { addition, now_ms } = self;
        let fresh = match addition.batch {
            Some(batch) => is_new_batch(turn, batch, *now_ms).await?,
            None => true,
        };
        if fresh {
            for entry in &addition.entries {
                if addition.batch.is_none() && is_written(turn.connection, entry, &turn.log).await? {
                    continue;
                }
                turn.tally.count(entry);
                turn.marks.count(entry);
                turn.days.count(entry);
                turn.log.push(entry.clone());
            }
        }
        match &addition.ask {
            Some(ask) => Ok(Some(holds::ask(turn.connection, ask, *now_ms, &mut turn.log).await?)),
            None => Ok(None),
        }
    }
}

/// A writer of the log, made known.
struct Enrol(Enrolled);

impl Write for Enrol {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO writers (writer, key, signature) VALUES ($1, $2, $3)
             ON CONFLICT (writer) DO UPDATE SET key = excluded.key, signature = excluded.signature",
        )
        .bind(&self.0.writer)
        .bind(self.0.key.clone())
        .bind(self.0.signature.clone())
        .execute(&mut *turn.connection)
        .await?;
        Ok(())
    }
}

async fn is_new_batch(turn: &mut Turn<'_>, batch: [u8; 32], now_ms: u64) -> Result<bool, StoreError> {
    if now_ms.saturating_sub(*turn.pruned_ms) > BATCH_MEMORY_MS / 24 {
        sqlx::query("DELETE FROM batches WHERE at_ms < $1")
            .bind(signed(now_ms.saturating_sub(BATCH_MEMORY_MS)))
            .execute(&mut *turn.connection)
            .await?;
        *turn.pruned_ms = now_ms;
    }
    let done = sqlx::query("INSERT INTO batches (key, at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(batch.to_vec())
        .bind(signed(now_ms))
        .execute(&mut *turn.connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether the very same entry stands there already: an answer was lost and the filter asked again.
async fn is_written(
    connection: &mut Connection,
    entry: &Entry,
    pending: &[Entry],
) -> Result<bool, StoreError> {
    if pending.contains(entry) {
        return Ok(true);
    }
    let found = sqlx::query("SELECT 1 FROM entries WHERE exchange = $1 AND entry = $2")
        .bind(entry.exchange().map(column))
        .bind(entry.to_json())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

/// Writes all blocks, each once, in the order of their digests: writers that wait for each other's blocks never
/// wait in a circle. A batch that turns out to be written before has its blocks there already.
pub async fn write_blocks(
    connection: &mut Connection,
    blocks: impl Iterator<Item = &Block> + Send,
) -> Result<(), StoreError> {
    let blocks: BTreeMap<&str, &Block> = blocks.map(|block| (block.digest.as_str(), block)).collect();
    let blocks: Vec<&Block> = blocks.into_values().collect();
    for some in blocks.chunks(ROWS) {
        let rows = rows_of(some.len(), 3);
        let sql = format!("INSERT INTO blocks (digest, list, text) VALUES {rows} ON CONFLICT DO NOTHING");
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for block in some {
            query = query.bind(digest_bytes(&block.digest)).bind(block.list).bind(text(&block.text));
        }
        query.persistent(is_usual(some.len())).execute(&mut *connection).await?;
    }
    Ok(())
}
