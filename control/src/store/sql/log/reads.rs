//! Reads: connections of their own, which see what is committed.

use sluice_engine::record::Block;
use sluice_engine::record::chain::Hash;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::super::{Pool, Row, Text, names_of_each, read_text, several};
use super::super::columns::{column, digest_bytes, digest_text, signed, unsigned};
use crate::store::numbers::numbers;
use crate::store::{Enrolled, Head, Session, StoreError, Stored, Verdicts, Which, WhichSessions};

/// Digests asked for in one statement.
const DIGESTS: usize = 200;

/// Which of the digests are not there.
pub async fn missing(pool: &Pool, digests: Vec<String>) -> Result<Vec<String>, StoreError> {
    // What retention is about to remove counts as gone.
    let there = "SELECT digest FROM blocks
                 WHERE (used_day IS NULL OR used_day >= (SELECT floor_day FROM retention)) AND digest IN";
    let mut present = std::collections::HashSet::new();
    for some in digests.chunks(DIGESTS) {
        for row in by_digest(pool, there, some).await? {
            present.insert(digest_text(&row)?);
        }
    }
    Ok(digests.into_iter().filter(|digest| !present.contains(digest)).collect())
}

/// The blocks with these digests.
pub async fn blocks(pool: &Pool, digests: Vec<String>) -> Result<Vec<Block>, StoreError> {
    let mut blocks = Vec::with_capacity(digests.len());
    for some in digests.chunks(DIGESTS) {
        for row in by_digest(pool, "SELECT digest, text, list FROM blocks WHERE digest IN", some).await? {
            blocks.push(block(&row)?);
        }
    }
    Ok(blocks)
}

async fn by_digest(pool: &Pool, select: &str, digests: &[String]) -> Result<Vec<Row>, StoreError> {
    let sql = format!("{select} ({})", numbers(1, digests.len()));
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(digests.len() == 1);
    for digest in digests {
        query = query.bind(digest_bytes(digest));
    }
    Ok(query.fetch_all(pool).await?)
}

/// Blocks behind a cursor.
pub async fn blocks_after(pool: &Pool, cursor: i64, limit: u32) -> Result<Vec<(i64, Block)>, StoreError> {
    let sql = "SELECT rowid, digest, text, list FROM blocks WHERE rowid > $1 ORDER BY rowid LIMIT $2";
    let rows = sqlx::query(sql).bind(cursor).bind(i64::from(limit)).fetch_all(pool).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, block(row)?))).collect()
}

pub fn block(row: &Row) -> Result<Block, StoreError> {
    let digest = digest_text(row)?;
    Ok(Block { digest, text: read_text(row.try_get::<Text, _>("text")?), list: row.try_get("list")? })
}

/// Entries in the order of writing; of one writer, by their numbers.
pub async fn entries(pool: &Pool, which: Which) -> Result<Vec<Stored>, StoreError> {
    let (filter, order) = match (&which.session, &which.exchange, &which.writer) {
        (Some(_), ..) => ("session = $1 AND id > $2", "id"),
        (None, Some(_), _) => ("exchange = $1 AND id > $2", "id"),
        (None, None, Some(_)) => ("writer = $1 AND seq > $2", "seq"),
        (None, None, None) => ("CAST($1 AS TEXT) IS NULL AND id > $2", "id"),
    };
    let sql = format!(
        "SELECT id, writer, seq, hash, entry, signature FROM entries WHERE {filter} ORDER BY {order} LIMIT $3"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(which.session.or(which.exchange).or(which.writer).as_deref().map(column))
        .bind(which.after)
        .bind(i64::from(which.limit))
        .fetch_all(pool)
        .await?;
    rows.iter().map(stored).collect()
}

/// The latest entry by which retention says what it removes. It is of no session, so that only entries without one are
/// looked through, from the latest on.
pub async fn last_retention(pool: &Pool) -> Result<Option<Stored>, StoreError> {
    let sql = "SELECT id, writer, seq, hash, entry, signature FROM entries
               WHERE session IS NULL AND entry LIKE '{\"retention\":%' ORDER BY id DESC LIMIT 1";
    let row = sqlx::query(sql).fetch_optional(pool).await?;
    row.as_ref().map(stored).transpose()
}

fn stored(row: &Row) -> Result<Stored, StoreError> {
    Ok(Stored {
        cursor: row.try_get("id")?,
        writer: row.try_get("writer")?,
        seq: unsigned(row.try_get("seq")?),
        hash: hash(row)?,
        entry: row.try_get("entry")?,
        signature: row.try_get("signature")?,
    })
}

/// A hash of another length was tampered with: it becomes one that fits nothing.
fn hash(row: &Row) -> Result<Hash, StoreError> {
    let bytes: Vec<u8> = row.try_get("hash")?;
    Ok(Hash(<[u8; 32]>::try_from(bytes).unwrap_or_default()))
}

/// Where each writer's chain stands.
pub async fn heads(pool: &Pool) -> Result<Vec<Head>, StoreError> {
    // A head that was removed must not hide the entries of its writer.
    let sql = "SELECT writer, seq, hash, signature FROM heads
               UNION ALL
               SELECT DISTINCT writer, 0, $1, $2 FROM entries
               WHERE writer NOT IN (SELECT writer FROM heads)
               ORDER BY writer";
    let rows = sqlx::query(sql).bind(vec![0_u8; 32]).bind(Vec::<u8>::new()).fetch_all(pool).await?;
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

/// The writers that are known.
pub async fn enrolled(pool: &Pool) -> Result<Vec<Enrolled>, StoreError> {
    let rows =
        sqlx::query("SELECT writer, key, signature FROM writers ORDER BY writer").fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            let (key, signature) = (row.try_get("key")?, row.try_get("signature")?);
            Ok(Enrolled { writer: row.try_get("writer")?, key, signature })
        })
        .collect()
}

/// Sessions, the latest first.
pub async fn sessions(pool: &Pool, which: WhichSessions) -> Result<Vec<Session>, StoreError> {
    let (before, id) = which.before.map_or((i64::MAX, None), |(ms, id)| (signed(ms), Some(id)));
    let mut more = String::new();
    more.push_str(match which.verdicts {
        None => "",
        Some(Verdicts::Denied) => " AND denied > 0",
        Some(Verdicts::Held) => " AND held > 0",
        Some(Verdicts::Allowed) => " AND denied = 0 AND held = 0",
    });
    let mut values = 7;
    for _ in &which.marks {
        more.push_str(&format!(
            " AND session IN (SELECT session FROM session_marks WHERE kind = ${} AND value = ${})",
            values + 1,
            values + 2
        ));
        values += 2;
    }
    if !which.texts.is_empty() {
        more.push_str(&format!(" AND {}", names_of_each(values + 1, which.texts.len())));
    }
    let sql = format!(
        "SELECT session, issuer, subject, named, first_ms, last_ms, exchanges, denied, held, findings,
                input_tokens, output_tokens
         FROM sessions
         WHERE (CAST($1 AS TEXT) IS NULL OR subject = $1) AND (last_ms < $2 OR (last_ms = $2 AND session > coalesce($3, '')))
           AND (CAST($5 AS TEXT) IS NULL OR lower(subject) LIKE $5 ESCAPE '!') AND last_ms >= $6 AND first_ms < $7{more}
         ORDER BY last_ms DESC, session LIMIT $4"
    );
    let person = which.person.as_deref().map(|person| {
        let plain = column(&person.to_lowercase()).replace('!', "!!").replace('%', "!%").replace('_', "!_");
        format!("%{plain}%")
    });
    let mut query = sqlx::query(AssertSqlSafe(sql))
        .bind(which.subject.as_deref().map(column))
        .bind(before)
        .bind(id)
        .bind(i64::from(which.limit))
        .bind(person)
        .bind(signed(which.since_ms.unwrap_or_default()))
        .bind(which.until_ms.map_or(i64::MAX, signed));
    for (mark, value) in &which.marks {
        query = query.bind(mark.word()).bind(column(value));
    }
    for texts in which.texts {
        query = query.bind(several(texts));
    }
    let rows = query.fetch_all(pool).await?;
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
