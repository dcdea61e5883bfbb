//! Reads: connections of their own, which see what is committed.

use sluice_engine::record::Block;
use sluice_engine::record::chain::Hash;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use super::super::{Head, Session, StoreError, Stored, Which, WhichSessions};
use super::holds::unsigned;
use super::writer::signed;

/// Digests asked for in one statement.
const DIGESTS: usize = 200;

/// How many holds wait beyond their end.
pub async fn overdue(pool: &SqlitePool, now_ms: u64) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT count(*) FROM holds WHERE state = 'waiting' AND expires_ms <= ?")
        .bind(signed(now_ms))
        .fetch_one(pool)
        .await?;
    Ok(row.try_get(0)?)
}

/// Which of the digests are not there.
pub async fn missing(pool: &SqlitePool, digests: Vec<String>) -> Result<Vec<String>, StoreError> {
    let mut present = std::collections::HashSet::new();
    for some in digests.chunks(DIGESTS) {
        for row in
            by_digest(pool, "SELECT lower(hex(digest)) AS digest FROM blocks WHERE digest IN", some).await?
        {
            present.insert(row.try_get::<String, _>(0)?);
        }
    }
    Ok(digests.into_iter().filter(|digest| !present.contains(digest)).collect())
}

/// The blocks with these digests.
pub async fn blocks(pool: &SqlitePool, digests: Vec<String>) -> Result<Vec<Block>, StoreError> {
    let mut blocks = Vec::with_capacity(digests.len());
    for some in digests.chunks(DIGESTS) {
        for row in by_digest(
            pool,
            "SELECT lower(hex(digest)) AS digest, text, list FROM blocks WHERE digest IN",
            some,
        )
        .await?
        {
            blocks.push(block(&row)?);
        }
    }
    Ok(blocks)
}

async fn by_digest(
    pool: &SqlitePool,
    select: &str,
    digests: &[String],
) -> Result<Vec<SqliteRow>, StoreError> {
    let sql = format!("{select} ({})", vec!["unhex(?)"; digests.len()].join(", "));
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(digests.len() == 1);
    for digest in digests {
        query = query.bind(digest.clone());
    }
    Ok(query.fetch_all(pool).await?)
}

/// Blocks behind a cursor.
pub async fn blocks_after(
    pool: &SqlitePool,
    cursor: i64,
    limit: u32,
) -> Result<Vec<(i64, Block)>, StoreError> {
    let sql = "SELECT rowid, lower(hex(digest)) AS digest, text, list FROM blocks WHERE rowid > ? ORDER BY rowid LIMIT ?";
    let rows = sqlx::query(sql).bind(cursor).bind(limit).fetch_all(pool).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, block(row)?))).collect()
}

fn block(row: &SqliteRow) -> Result<Block, StoreError> {
    Ok(Block { digest: row.try_get("digest")?, text: row.try_get("text")?, list: row.try_get("list")? })
}

/// Entries in the order of writing; of one writer, by their numbers.
pub async fn entries(pool: &SqlitePool, which: Which) -> Result<Vec<Stored>, StoreError> {
    let (filter, order) = match (&which.session, &which.writer) {
        (Some(_), _) => ("session = ? AND id > ?", "id"),
        (None, Some(_)) => ("writer = ? AND seq > ?", "seq"),
        (None, None) => ("? IS NULL AND id > ?", "id"),
    };
    let sql = format!(
        "SELECT id, writer, seq, hash, entry, signature FROM entries WHERE {filter} ORDER BY {order} LIMIT ?"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(which.session.or(which.writer))
        .bind(which.after)
        .bind(which.limit)
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Stored {
                cursor: row.try_get("id")?,
                writer: row.try_get("writer")?,
                seq: unsigned(row.try_get("seq")?),
                hash: hash(row)?,
                entry: row.try_get("entry")?,
                signature: row.try_get("signature")?,
            })
        })
        .collect()
}

/// A hash of another length was tampered with: it becomes one that fits nothing.
fn hash(row: &SqliteRow) -> Result<Hash, StoreError> {
    let bytes: Vec<u8> = row.try_get("hash")?;
    Ok(Hash(<[u8; 32]>::try_from(bytes).unwrap_or_default()))
}

/// Where each writer's chain stands.
pub async fn heads(pool: &SqlitePool) -> Result<Vec<Head>, StoreError> {
    // A head that was removed must not hide the entries of its writer.
    let sql = "SELECT writer, seq, hash, signature FROM heads
               UNION ALL
               SELECT DISTINCT writer, 0, zeroblob(32), zeroblob(0) FROM entries
               WHERE writer NOT IN (SELECT writer FROM heads)
               ORDER BY writer";
    let rows = sqlx::query(sql).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Head {
                writer: row.try_get("writer")?,
                seq: unsigned(row.try_get("seq")?),
                hash: hash(row)?,
                signature: row.try_get("signature")?,
            })
        })
        .collect()
}

/// Sessions, the latest first.
pub async fn sessions(pool: &SqlitePool, which: WhichSessions) -> Result<Vec<Session>, StoreError> {
    let (before, id) = which.before.map_or((i64::MAX, None), |(ms, id)| (signed(ms), Some(id)));
    let rows = sqlx::query(
        "SELECT session, issuer, subject, named, first_ms, last_ms, exchanges, denied, held, findings,
                input_tokens, output_tokens
         FROM sessions
         WHERE (?1 IS NULL OR subject = ?1) AND (last_ms < ?2 OR (last_ms = ?2 AND session > ifnull(?3, '')))
         ORDER BY last_ms DESC, session LIMIT ?4",
    )
    .bind(which.subject)
    .bind(before)
    .bind(id)
    .bind(which.limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let number = |name| row.try_get::<i64, _>(name).map(unsigned);
            Ok(Session {
                session: row.try_get("session")?,
                named: row.try_get("named")?,
                issuer: row.try_get("issuer")?,
                subject: row.try_get("subject")?,
                first_ms: number("first_ms")?,
                last_ms: number("last_ms")?,
                exchanges: number("exchanges")?,
                denied: number("denied")?,
                held: number("held")?,
                findings: number("findings")?,
                input_tokens: number("input_tokens")?,
                output_tokens: number("output_tokens")?,
            })
        })
        .collect()
}
