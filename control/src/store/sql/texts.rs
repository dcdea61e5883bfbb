//! The index of what was said: which words are in which text, and which session names it.
//!
//! A text has a number of its own: rows of `blocks` may be numbered anew when a database is copied.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sluice_engine::record::Block;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{Connection, Text, add_words, asking, places, read_text, remove_words};
use super::Database;
use super::columns::{ROWS, column, digest_bytes, digest_text, is_usual};
use super::turn::{Turn, Write};
use crate::search::{Term, words_of};
use crate::store::numbers::numbers;
use crate::store::{Indexed, Indexing, PLACES, Standing, StoreError, Texts};

/// Digests in one statement.
const DIGESTS: usize = 200;

#[async_trait]
impl Texts for Database {
    async fn indexed(&self) -> Result<Indexed, StoreError> {
        let sql = "SELECT done, (SELECT coalesce(max(id), 0) FROM entries) FROM text_index";
        let row = sqlx::query(sql).fetch_one(&self.readers).await?;
        Ok(Indexed { done: row.try_get(0)?, last: row.try_get(1)? })
    }

    async fn unnamed(&self, session: &str, digests: Vec<String>) -> Result<Vec<(Block, bool)>, StoreError> {
        let mut found = Vec::new();
        for some in digests.chunks(DIGESTS) {
            let sql = format!(
                "SELECT b.digest, b.list, t.id, CASE WHEN t.id IS NULL OR b.list THEN b.text END AS text
                 FROM blocks b LEFT JOIN texts t ON t.digest = b.digest
                 WHERE b.digest IN ({}) AND NOT EXISTS
                   (SELECT 1 FROM session_texts s WHERE s.text = t.id AND s.session = $1)",
                numbers(2, some.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(some.len() == 1).bind(column(session));
            for digest in some {
                query = query.bind(digest_bytes(digest));
            }
            for row in &query.fetch_all(&self.readers).await? {
                let text = row.try_get::<Option<Text>, _>("text")?.map(read_text).unwrap_or_default();
                let block = Block { digest: digest_text(row)?, text, list: row.try_get("list")? };
                found.push((block, row.try_get::<Option<i64>, _>("id")?.is_some()));
            }
        }
        Ok(found)
    }

    async fn texts_with(&self, term: &Term) -> Result<Standing, StoreError> {
        let sql = places(PLACES + 1);
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(asking(term)).fetch_all(&self.readers).await?;
        let most = PLACES as usize;
        let mut texts = Vec::new();
        for row in rows.iter().take(most) {
            texts.push(row.try_get::<i64, _>(0)? >> 16);
        }
        // The parts of a text stand together.
        texts.dedup();
        Ok(Standing { texts, common: rows.len() > most })
    }

    async fn index(&self, indexing: Indexing) -> Result<(), StoreError> {
        self.write(indexing).await
    }
}

impl Write for Indexing {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let connection = &mut *turn.connection;
        let moved = sqlx::query("UPDATE text_index SET done = $2 WHERE done = $1")
            .bind(self.from)
            .bind(self.upto)
            .execute(&mut *connection)
            .await?;
        if moved.rows_affected() != 1 {
            return Ok(());
        }
        let parts: BTreeMap<&str, &[String]> =
            self.texts.iter().map(|text| (text.digest.as_str(), text.parts.as_slice())).collect();
        let new: Vec<&str> = parts.keys().copied().collect();
        for (digest, id) in insert(connection, &new).await? {
            let parts = parts.get(digest.as_str()).copied().unwrap_or_default();
            for (n, words) in (0..).zip(parts) {
                add_words(connection, place(id, n), words).await?;
            }
        }
        let named: Vec<&(String, String)> = self.named.iter().collect();
        for some in named.chunks(ROWS) {
            let rows = (0..some.len()).map(|n| {
                format!("SELECT id, CAST(${} AS TEXT) FROM texts WHERE digest = ${}", 2 * n + 1, 2 * n + 2)
            });
            let sql = format!(
                "INSERT INTO session_texts (text, session) {} ON CONFLICT DO NOTHING",
                rows.collect::<Vec<_>>().join(" UNION ALL ")
            );
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(is_usual(some.len()));
            for (digest, session) in some {
                query = query.bind(column(session)).bind(digest_bytes(digest));
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// Gives texts their numbers: those that are still there, and that nobody has numbered before.
async fn insert(connection: &mut Connection, digests: &[&str]) -> Result<Vec<(String, i64)>, StoreError> {
    let mut ids = Vec::new();
    for some in digests.chunks(DIGESTS) {
        let sql = format!(
            "INSERT INTO texts (digest) SELECT digest FROM blocks WHERE digest IN ({}) ON CONFLICT DO NOTHING
             RETURNING digest, id",
            numbers(1, some.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(some.len() == 1);
        for digest in some {
            query = query.bind(digest_bytes(digest));
        }
        for row in &query.fetch_all(&mut *connection).await? {
            ids.push((digest_text(row)?, row.try_get("id")?));
        }
    }
    Ok(ids)
}

/// Removes blocks from the index: their words, and who named them. Those that are not in it are left alone.
pub async fn forget(connection: &mut Connection, blocks: &[&Block]) -> Result<(), StoreError> {
    for some in blocks.chunks(DIGESTS) {
        let sql =
            format!("DELETE FROM texts WHERE digest IN ({}) RETURNING digest, id", numbers(1, some.len()));
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for block in some {
            query = query.bind(digest_bytes(&block.digest));
        }
        let gone = query.fetch_all(&mut *connection).await?;
        for row in &gone {
            let (digest, id) = (digest_text(row)?, row.try_get::<i64, _>("id")?);
            sqlx::query("DELETE FROM session_texts WHERE text = $1")
                .bind(id)
                .execute(&mut *connection)
                .await?;
            let Some(block) = some.iter().find(|block| block.digest == digest) else { continue };
            for (n, words) in (0..).zip(&words_of(block)) {
                remove_words(connection, place(id, n), words).await?;
            }
        }
    }
    Ok(())
}

/// Where a part of a text stands in the index. No text has 65,536 parts: that is a hundred times the largest body.
fn place(text: i64, part: i64) -> i64 {
    text << 16 | part & 0xffff
}
