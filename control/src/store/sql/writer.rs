//! The one task that writes: many waiting writes, one transaction, one sync.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::SigningKey;
use sluice_engine::record::Block;
use sluice_engine::record::chain::{self, Hash};
use sluice_engine::record::checkpoint::Checkpoint;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::{mpsc, oneshot};

use super::super::{BEGIN, Connection, Pool, take_turn, text};
use super::{grants, holds, tally::Tally};
use crate::grants::{Change, Grant};
use crate::holds::Hold;
use crate::records::{Entry, writer_name};
use crate::store::{Addition, Changed, Decided, Decision, Enrolled, StoreError};

/// Writes that share a transaction: at most this many, and no more once they carry this many bytes.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 32 << 20;

/// Rows of one `INSERT`. SQLite takes 32,766 values in a statement; more rows gain nothing.
const ROWS: usize = 32;

/// How long a batch's id is remembered: far beyond any retry.
const BATCH_MEMORY_MS: u64 = 24 * 3600 * 1000;

/// Something to write, and who waits for it.
pub struct Job {
    pub write: Write,
    pub reply: oneshot::Sender<Result<Written, StoreError>>,
}

/// Something to write.
pub enum Write {
    Add(Box<Addition>, u64),
    Claim(String, String, u64),
    Decide(Decision, u64),
    Expire(u64),
    OpenGrant(Box<Grant>),
    ChangeGrant(Change, u64),
    EndGrants(u64),
    Enrol(Enrolled),
    /// A statement on the writer's own connection.
    #[cfg(test)]
    Raw(&'static str),
}

/// What came of it.
pub enum Written {
    Hold(Option<Hold>),
    Decided(Decided),
    Expired(Vec<String>),
    Changed(Changed),
    Ended(usize),
    Done,
}

impl Write {
    fn bytes(&self) -> usize {
        match self {
            Self::Add(addition, _) => addition.blocks.iter().map(|b| b.text.len()).sum(),
            _ => 0,
        }
    }
}

/// What a transaction adds to the log. Rows are written at its end, many at a time.
#[derive(Default)]
struct Pending {
    entries: Vec<Entry>,
    tally: Tally,
}

/// Where the chain stands.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    seq: u64,
    hash: Hash,
}

pub struct Writer {
    pool: Pool,
    key: SigningKey,
    name: String,
    at: Place,
    /// Where the chain stands if a commit took place of which we have not heard.
    perhaps: Option<Place>,
    pruned_ms: u64,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Writer {
    /// A writer on a pool of one connection, which goes on where its chain stands.
    pub async fn new(
        pool: Pool,
        key: SigningKey,
        trouble: Arc<Mutex<Option<String>>>,
    ) -> Result<Self, StoreError> {
        let name = writer_name(&key.verifying_key());
        let at = head(&mut *pool.acquire().await?, &name).await?;
        Ok(Self { pool, key, name, at, perhaps: None, pruned_ms: 0, trouble })
    }

    pub async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.recv().await {
            let mut bytes = first.write.bytes();
            let mut jobs = vec![first];
            while jobs.len() < GROUP
                && bytes < GROUP_BYTES
                && let Ok(job) = queue.try_recv()
            {
                bytes += job.write.bytes();
                jobs.push(job);
            }
            self.write_all(jobs).await;
        }
        self.pool.close().await;
    }

    async fn write_all(&mut self, jobs: Vec<Job>) {
        let (writes, replies): (Vec<Write>, Vec<_>) = jobs.into_iter().map(|j| (j.write, j.reply)).unzip();
        match self.transaction(&writes).await {
            Ok(written) => {
                self.note_trouble(None);
                for (reply, written) in replies.into_iter().zip(written) {
                    // A caller that went away has its write all the same.
                    let _gone = reply.send(Ok(written));
                }
            }
            // One write that the database refuses must not take the others with it.
            Err(_) if writes.len() > 1 => {
                for (write, reply) in writes.into_iter().zip(replies) {
                    let outcome = self.transaction(std::slice::from_ref(&write)).await;
                    self.note_trouble(outcome.as_ref().err());
                    let _gone =
                        reply.send(outcome.and_then(|w| w.into_iter().next().ok_or(StoreError::Closed)));
                }
            }
            Err(error) => {
                self.note_trouble(Some(&error));
                for reply in replies {
                    let _gone = reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn note_trouble(&self, error: Option<&StoreError>) {
        if let Some(error) = error {
            tracing::error!(%error, "nothing was written");
        }
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = error.map(ToString::to_string);
    }

    async fn transaction(&mut self, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        // Dropped on the way out, the transaction is rolled back.
        let connection = &mut *transaction;
        self.settle(connection).await?;
        write_blocks(connection, writes).await?;
        take_turn(connection).await?;
        let mut pending = Pending::default();
        let mut written = Vec::with_capacity(writes.len());
        for write in writes {
            written.push(self.one(connection, write, &mut pending).await?);
        }
        let at = self.write_entries(connection, &pending.entries).await?;
        pending.tally.write(connection).await?;
        if let Err(error) = transaction.commit().await {
            self.perhaps = Some(at);
            return Err(error.into());
        }
        self.at = at;
        Ok(written)
    }

    /// A commit whose answer was lost may have taken place; the database knows.
    async fn settle(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        let Some(perhaps) = self.perhaps else { return Ok(()) };
        let found = head(connection, &self.name).await?;
        if found != self.at && found != perhaps {
            return Err(StoreError::Unreadable {
                what: "the chain's head".into(),
                why: "it is not where this service has left it: another service writes with the same record key, \
                      or somebody has changed the database"
                    .into(),
            });
        }
        self.at = found;
        self.perhaps = None;
        Ok(())
    }

    async fn one(
        &mut self,
        connection: &mut Connection,
        write: &Write,
        pending: &mut Pending,
    ) -> Result<Written, StoreError> {
        let log = &mut pending.entries;
        Ok(match write {
            Write::Add(addition, now) => Written::Hold(self.add(connection, addition, *now, pending).await?),
            Write::Claim(id, exchange, now) => {
                Written::Hold(holds::claim(connection, id, exchange, *now, log).await?)
            }
            Write::Decide(decision, now) => {
                Written::Decided(holds::decide(connection, decision, *now, log).await?)
            }
            Write::Expire(now) => Written::Expired(holds::expire(connection, *now, log).await?),
            Write::OpenGrant(grant) => {
                grants::open(connection, grant, log).await?;
                Written::Done
            }
            Write::ChangeGrant(change, now) => {
                Written::Changed(grants::change(connection, change, *now, log).await?)
            }
            Write::EndGrants(now) => Written::Ended(grants::end(connection, *now, log).await?),
            Write::Enrol(writer) => {
                enrol(connection, writer).await?;
                Written::Done
            }
            #[cfg(test)]
            Write::Raw(sql) => {
                sqlx::query(*sql).fetch_all(connection).await?;
                Written::Done
            }
        })
    }

    async fn add(
        &mut self,
        connection: &mut Connection,
        addition: &Addition,
        now_ms: u64,
        pending: &mut Pending,
    ) -> Result<Option<Hold>, StoreError> {
        let fresh = match addition.batch {
            Some(batch) => self.is_new_batch(connection, batch, now_ms).await?,
            None => true,
        };
        if fresh {
            for entry in &addition.entries {
                if addition.batch.is_none() && is_written(connection, entry, &pending.entries).await? {
                    continue;
                }
                pending.tally.count(entry);
                pending.entries.push(entry.clone());
            }
        }
        match &addition.ask {
            Some(ask) => Ok(Some(holds::ask(connection, ask, now_ms, &mut pending.entries).await?)),
            None => Ok(None),
        }
    }

    async fn is_new_batch(
        &mut self,
        connection: &mut Connection,
        batch: [u8; 32],
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        if now_ms.saturating_sub(self.pruned_ms) > BATCH_MEMORY_MS / 24 {
            sqlx::query("DELETE FROM batches WHERE at_ms < $1")
                .bind(signed(now_ms.saturating_sub(BATCH_MEMORY_MS)))
                .execute(&mut *connection)
                .await?;
            self.pruned_ms = now_ms;
        }
        let done = sqlx::query("INSERT INTO batches (key, at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(batch.to_vec())
            .bind(signed(now_ms))
            .execute(connection)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Chains and writes entries; says where the chain then stands.
    async fn write_entries(
        &self,
        connection: &mut Connection,
        entries: &[Entry],
    ) -> Result<Place, StoreError> {
        let mut at = self.at;
        let last = at.seq + entries.len() as u64;
        for some in entries.chunks(ROWS) {
            let rows = rows_of(some.len(), 7);
            let sql = format!(
                "INSERT INTO entries (writer, seq, hash, entry, session, exchange, signature) VALUES {rows}"
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for entry in some {
                let json = entry.to_json();
                at.seq += 1;
                at.hash = chain::link(&at.hash, at.seq, json.as_bytes());
                let signature = (at.seq == last).then(|| self.checkpoint(at).sign(&self.key).to_vec());
                query = query
                    .bind(self.name.clone())
                    .bind(signed(at.seq))
                    .bind(at.hash.0.to_vec())
                    .bind(json)
                    .bind(entry.session().map(column))
                    .bind(entry.exchange().map(column))
                    .bind(signature);
            }
            query.persistent(is_usual(some.len())).execute(&mut *connection).await?;
        }
        if !entries.is_empty() {
            let signature = self.checkpoint(at).sign(&self.key);
            sqlx::query(
                "INSERT INTO heads (writer, seq, hash, signature) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (writer) DO UPDATE
                 SET seq = excluded.seq, hash = excluded.hash, signature = excluded.signature",
            )
            .bind(&self.name)
            .bind(signed(at.seq))
            .bind(at.hash.0.to_vec())
            .bind(signature.to_vec())
            .execute(connection)
            .await?;
        }
        Ok(at)
    }

    fn checkpoint(&self, at: Place) -> Checkpoint {
        Checkpoint { writer: self.name.clone(), seq: at.seq, hash: at.hash }
    }
}

/// Where a writer's chain stands in the database.
async fn head(connection: &mut Connection, name: &str) -> Result<Place, StoreError> {
    let found = sqlx::query("SELECT seq, hash FROM heads WHERE writer = $1").bind(name);
    let Some(row) = found.fetch_optional(connection).await? else {
        return Ok(Place { seq: 0, hash: chain::genesis(name) });
    };
    let hash: Vec<u8> = row.try_get(1)?;
    let hash = <[u8; 32]>::try_from(hash).map_err(|_| StoreError::Unreadable {
        what: "the chain's head".into(),
        why: "its hash is not 32 bytes long".into(),
    })?;
    Ok(Place { seq: u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(), hash: Hash(hash) })
}

async fn enrol(connection: &mut Connection, writer: &Enrolled) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO writers (writer, key, signature) VALUES ($1, $2, $3)
         ON CONFLICT (writer) DO UPDATE SET key = excluded.key, signature = excluded.signature",
    )
    .bind(&writer.writer)
    .bind(writer.key.clone())
    .bind(writer.signature.clone())
    .execute(connection)
    .await?;
    Ok(())
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
async fn write_blocks(connection: &mut Connection, writes: &[Write]) -> Result<(), StoreError> {
    let blocks = writes.iter().flat_map(|write| match write {
        Write::Add(addition, _) => addition.blocks.as_slice(),
        _ => &[],
    });
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

/// Whether statements with so many rows come again and again, and are worth keeping.
fn is_usual(rows: usize) -> bool {
    rows == ROWS || rows == 1
}

/// `($1, $2), ($3, $4)`: rows of values.
pub fn rows_of(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let values: Vec<String> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", values.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// A digest as it is stored. What is no digest becomes one that nothing has.
pub fn digest_bytes(digest: &str) -> Vec<u8> {
    let pairs = digest.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect::<Option<Vec<u8>>>().unwrap_or_default()
}

/// Text of others as a column holds it: PostgreSQL's text has no NUL.
pub fn column(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Integers of databases are signed; times and numbers never come near the end.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
