//! The one task that writes: many waiting writes, one transaction, one sync.

use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::SigningKey;
use sluice_engine::record::Block;
use sluice_engine::record::chain::{self, Hash};
use sluice_engine::record::checkpoint::Checkpoint;
use sluice_engine::wire::ToolsSeen;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::sync::{mpsc, oneshot};

use super::super::{Addition, Decided, Decision, StoreError};
use super::{holds, tally::Tally};
use crate::holds::Hold;
use crate::records::{Entry, writer_name};

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
    Tools(Box<ToolsSeen>, u64),
    Expire(u64),
    /// Lets the file grow no more, as a full disk would; or again.
    #[cfg(test)]
    Fill(bool),
}

/// What came of it.
pub enum Written {
    Hold(Option<Hold>),
    Decided(Decided),
    Expired(Vec<String>),
    Unapproved(Vec<String>),
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
pub struct Pending {
    pub entries: Vec<Entry>,
    blocks: Vec<Block>,
    tally: Tally,
}

pub struct Writer {
    connection: SqliteConnection,
    key: SigningKey,
    name: String,
    seq: u64,
    hash: Hash,
    pruned_ms: u64,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Writer {
    pub async fn new(
        mut connection: SqliteConnection,
        key: SigningKey,
        trouble: Arc<Mutex<Option<String>>>,
    ) -> Result<Self, StoreError> {
        let name = writer_name(&key.verifying_key());
        let head = sqlx::query("SELECT seq, hash FROM heads WHERE writer = ?")
            .bind(&name)
            .fetch_optional(&mut connection)
            .await?;
        let (seq, hash) = match head {
            None => (0, chain::genesis(&name)),
            Some(row) => {
                let hash: Vec<u8> = row.try_get(1)?;
                let hash = <[u8; 32]>::try_from(hash).map_err(|_| StoreError::Unreadable {
                    what: "the chain's head".into(),
                    why: "its hash is not 32 bytes long".into(),
                })?;
                (u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(), Hash(hash))
            }
        };
        Ok(Self { connection, key, name, seq, hash, pruned_ms: 0, trouble })
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
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed cleanly; nothing is lost, the next start recovers");
        }
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
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        match self.write_and_commit(writes).await {
            Ok((written, seq, hash)) => {
                self.seq = seq;
                self.hash = hash;
                Ok(written)
            }
            Err(error) => {
                // A full disk may have rolled it back already.
                let _already = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
                Err(error)
            }
        }
    }

    async fn write_and_commit(&mut self, writes: &[Write]) -> Result<(Vec<Written>, u64, Hash), StoreError> {
        let mut pending = Pending::default();
        let mut written = Vec::with_capacity(writes.len());
        for write in writes {
            written.push(match write {
                Write::Add(addition, now) => Written::Hold(self.add(addition, *now, &mut pending).await?),
                Write::Claim(id, exchange, now) => {
                    let connection = &mut self.connection;
                    Written::Hold(holds::claim(connection, id, exchange, *now, &mut pending.entries).await?)
                }
                Write::Decide(decision, now) => {
                    let connection = &mut self.connection;
                    Written::Decided(holds::decide(connection, decision, *now, &mut pending.entries).await?)
                }
                Write::Tools(seen, now) => {
                    let connection = &mut self.connection;
                    let log = &mut pending.entries;
                    Written::Unapproved(holds::definitions::seen(connection, seen, *now, log).await?)
                }
                #[cfg(test)]
                Write::Fill(full) => {
                    let pages = if *full { 1 } else { 1_000_000_000 };
                    let sql = format!("PRAGMA max_page_count = {pages}");
                    sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut self.connection).await?;
                    Written::Hold(None)
                }
                Write::Expire(now) => {
                    Written::Expired(holds::expire(&mut self.connection, *now, &mut pending.entries).await?)
                }
            });
        }
        self.write_blocks(&pending.blocks).await?;
        let (seq, hash) = self.write_entries(&pending.entries).await?;
        pending.tally.write(&mut self.connection).await?;
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok((written, seq, hash))
    }

    async fn add(
        &mut self,
        addition: &Addition,
        now_ms: u64,
        pending: &mut Pending,
    ) -> Result<Option<Hold>, StoreError> {
        let fresh = match addition.batch {
            Some(batch) => self.is_new_batch(batch, now_ms).await?,
            None => true,
        };
        if fresh {
            for entry in &addition.entries {
                if addition.batch.is_none() && self.is_written(entry, &pending.entries).await? {
                    continue;
                }
                pending.tally.count(entry);
                pending.entries.push(entry.clone());
            }
            pending.blocks.extend(addition.blocks.iter().cloned());
        }
        match &addition.ask {
            Some(ask) => {
                let hold = holds::ask(&mut self.connection, ask, now_ms, &mut pending.entries).await?;
                Ok(Some(hold))
            }
            None => Ok(None),
        }
    }

    async fn is_new_batch(&mut self, batch: [u8; 32], now_ms: u64) -> Result<bool, StoreError> {
        if now_ms.saturating_sub(self.pruned_ms) > BATCH_MEMORY_MS / 24 {
            sqlx::query("DELETE FROM batches WHERE at_ms < ?")
                .bind(signed(now_ms.saturating_sub(BATCH_MEMORY_MS)))
                .execute(&mut self.connection)
                .await?;
            self.pruned_ms = now_ms;
        }
        let done = sqlx::query("INSERT INTO batches (key, at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(batch.to_vec())
            .bind(signed(now_ms))
            .execute(&mut self.connection)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether the very same entry stands there already: an answer was lost and the filter asked again.
    async fn is_written(&mut self, entry: &Entry, pending: &[Entry]) -> Result<bool, StoreError> {
        if pending.contains(entry) {
            return Ok(true);
        }
        let found = sqlx::query("SELECT 1 FROM entries WHERE exchange = ? AND entry = ?")
            .bind(entry.exchange())
            .bind(entry.to_json())
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(found.is_some())
    }

    async fn write_blocks(&mut self, blocks: &[Block]) -> Result<(), StoreError> {
        for rows in blocks.chunks(ROWS) {
            let sql =
                insert("INSERT INTO blocks (digest, list, text) VALUES", "(unhex(?), ?, ?)", rows.len());
            let mut query = sqlx::query(AssertSqlSafe(format!("{sql} ON CONFLICT DO NOTHING")));
            for block in rows {
                query = query.bind(block.digest.clone()).bind(block.list).bind(block.text.clone());
            }
            query.persistent(rows.len() == ROWS || rows.len() == 1).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    async fn write_entries(&mut self, entries: &[Entry]) -> Result<(u64, Hash), StoreError> {
        let (mut seq, mut hash) = (self.seq, self.hash);
        let last = seq + entries.len() as u64;
        for rows in entries.chunks(ROWS) {
            let sql = insert(
                "INSERT INTO entries (writer, seq, hash, entry, session, exchange, signature) VALUES",
                "(?, ?, ?, ?, ?, ?, ?)",
                rows.len(),
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for entry in rows {
                let json = entry.to_json();
                seq += 1;
                hash = chain::link(&hash, seq, json.as_bytes());
                let signature = (seq == last).then(|| self.checkpoint(seq, hash).sign(&self.key).to_vec());
                query = query
                    .bind(self.name.clone())
                    .bind(signed(seq))
                    .bind(hash.0.to_vec())
                    .bind(json)
                    .bind(entry.session().map(str::to_owned))
                    .bind(entry.exchange().map(str::to_owned))
                    .bind(signature);
            }
            query.persistent(rows.len() == ROWS || rows.len() == 1).execute(&mut self.connection).await?;
        }
        if !entries.is_empty() {
            let signature = self.checkpoint(seq, hash).sign(&self.key);
            sqlx::query(
                "INSERT INTO heads (writer, seq, hash, signature) VALUES (?, ?, ?, ?)
                 ON CONFLICT (writer) DO UPDATE
                 SET seq = excluded.seq, hash = excluded.hash, signature = excluded.signature",
            )
            .bind(&self.name)
            .bind(signed(seq))
            .bind(hash.0.to_vec())
            .bind(signature.to_vec())
            .execute(&mut self.connection)
            .await?;
        }
        Ok((seq, hash))
    }

    fn checkpoint(&self, seq: u64, hash: Hash) -> Checkpoint {
        Checkpoint { writer: self.name.clone(), seq, hash }
    }
}

fn insert(head: &str, row: &str, rows: usize) -> String {
    format!("{head} {}", vec![row; rows].join(", "))
}

/// SQLite's integers are signed; times and numbers never come near the end.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
