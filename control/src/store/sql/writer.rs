//! The one task that writes: many waiting writes, one transaction, one sync.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ed25519_dalek::SigningKey;
use sluice_engine::record::chain::{self, Hash};
use sluice_engine::record::checkpoint::Checkpoint;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::mpsc;

use super::super::{BEGIN, Connection, Pool, take_turn};
use super::columns::{ROWS, column, is_usual, signed};
use super::days::DaySums;
use super::log::{self, Marks, Tally};
use super::notices;
use super::retention;
use super::turn::{Job, Turn};
use crate::metrics::Meter;
use crate::records::{Entry, writer_name};
use crate::store::StoreError;
use crate::store::numbers::rows_of;

/// Writes that share a transaction: at most this many, and no more once they carry this many bytes.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 32 << 20;

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
    meter: Meter,
}

impl Writer {
    /// A writer on a pool of one connection, which goes on where its chain stands.
    pub async fn new(
        pool: Pool,
        key: SigningKey,
        trouble: Arc<Mutex<Option<String>>>,
        meter: Meter,
    ) -> Result<Self, StoreError> {
        let name = writer_name(&key.verifying_key());
        let at = head(&mut *pool.acquire().await?, &name).await?;
        Ok(Self { pool, key, name, at, perhaps: None, pruned_ms: 0, trouble, meter })
    }

    pub async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let bytes_of = |job: &dyn Job| job.blocks().iter().map(|block| block.text.len()).sum::<usize>();
        while let Some(first) = queue.recv().await {
            let mut bytes = bytes_of(&*first);
            self.meter.queue.set(i64::try_from(queue.len()).unwrap_or(i64::MAX));
            let mut jobs = vec![first];
            while jobs.len() < GROUP
                && bytes < GROUP_BYTES
                && let Ok(job) = queue.try_recv()
            {
                bytes += bytes_of(&*job);
                jobs.push(job);
            }
            self.write_all(jobs).await;
        }
        self.pool.close().await;
    }

    async fn write_all(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let together = self.transaction(&mut jobs).await;
        // One write that the database refuses must not take the others with it.
        let alone = together.is_err() && jobs.len() > 1;
        for mut job in jobs {
            let outcome = match alone {
                true => self.transaction(std::slice::from_mut(&mut job)).await,
                false => together.clone(),
            };
            self.note_trouble(outcome.as_ref().err());
            job.end(outcome);
        }
    }

    fn note_trouble(&self, error: Option<&StoreError>) {
        if let Some(error) = error {
            self.meter.failed.inc();
            tracing::error!(%error, "nothing was written");
        }
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = error.map(ToString::to_string);
    }

    async fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let began = Instant::now();
        let writes = jobs.len();
        let block_bytes: usize = jobs.iter().flat_map(|job| job.blocks()).map(|block| block.text.len()).sum();
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        // Dropped on the way out, the transaction is rolled back.
        let connection = &mut *transaction;
        self.settle(connection).await?;
        log::write_blocks(connection, jobs.iter().flat_map(|job| job.blocks())).await?;
        take_turn(connection).await?;
        let sent: Vec<_> = jobs.iter().flat_map(|job| job.blocks()).collect();
        retention::revive(connection, &sent).await?;
        let mut turn = Turn {
            connection: &mut *connection,
            log: Vec::new(),
            tally: Tally::default(),
            marks: Marks::default(),
            days: DaySums::default(),
            pruned_ms: &mut self.pruned_ms,
        };
        for job in jobs {
            job.run(&mut turn).await?;
        }
        let Turn { log, tally, marks, days, .. } = turn;
        let at = self.write_entries(connection, &log).await?;
        notices::note(connection, &log).await?;
        tally.write(connection).await?;
        marks.write(connection).await?;
        days.write(connection).await?;
        if let Err(error) = transaction.commit().await {
            self.perhaps = Some(at);
            return Err(error.into());
        }
        self.at = at;
        self.meter.committed(&log, writes, block_bytes, began.elapsed());
        Ok(())
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
