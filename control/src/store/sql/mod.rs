//! What both databases have in common: the statements, and one task that writes.
//!
//! The text here is compiled once inside of [`super`] for each database, which gives it its types and what it does
//! otherwise. Statements number their values (`$1`), as both databases understand.
//!
//! All writes go through one task ([`writer`]) that owns the only writing connection. Writes that wait share a
//! transaction, and so a sync of the disk; each is answered after the commit. Reads have connections of their own
//! and see what is committed.

mod grants;
mod holds;
mod reads;
mod spending;
mod tally;
pub mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use sluice_engine::budget::Counter;
use sluice_engine::record::Block;
use sluice_engine::wire::{HoldDecision, ToolsSeen};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Pool;
use crate::grants::{Change, Grant, GrantState};
use crate::holds::Hold;
use crate::store::{
    Addition, Changed, Decided, Decision, Enrolled, Head, Heard, Session, Store, StoreError, Stored, Which,
    WhichSessions, WhichSpending,
};
use writer::{Job, Write, Written};

/// Writes that may wait for the writer. Beyond it callers wait to hand theirs in.
const QUEUE: usize = 4096;

/// The store on one database.
#[derive(Debug)]
pub struct Database {
    readers: Pool,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Database {
    /// Starts the writer on a pool of one connection.
    pub(super) async fn start(writer: Pool, readers: Pool, key: SigningKey) -> Result<Self, StoreError> {
        let trouble = Arc::new(Mutex::new(None));
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writer = writer::Writer::new(writer, key, Arc::clone(&trouble)).await?;
        let task = tokio::spawn(writer.run(queue));
        Ok(Self { readers, jobs: Mutex::new(Some(jobs)), task: Mutex::new(Some(task)), trouble })
    }

    /// Takes no writes.
    pub(super) fn only_read(readers: Pool) -> Self {
        Self { readers, jobs: Mutex::new(None), task: Mutex::new(None), trouble: Arc::default() }
    }

    pub(super) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (reply, answer) = oneshot::channel();
        let job = Job { write, reply };
        jobs.ok_or(StoreError::Closed)?.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

#[async_trait]
impl Store for Database {
    async fn add(&self, addition: Addition, now_ms: u64) -> Result<Option<Hold>, StoreError> {
        match self.write(Write::Add(Box::new(addition), now_ms)).await? {
            Written::Hold(hold) => Ok(hold),
            _ => Ok(None),
        }
    }

    async fn claim(&self, hold: &str, exchange: &str, now_ms: u64) -> Result<Option<Hold>, StoreError> {
        match self.write(Write::Claim(hold.to_owned(), exchange.to_owned(), now_ms)).await? {
            Written::Hold(hold) => Ok(hold),
            _ => Ok(None),
        }
    }

    async fn decide(&self, decision: Decision, now_ms: u64) -> Result<Decided, StoreError> {
        match self.write(Write::Decide(decision, now_ms)).await? {
            Written::Decided(decided) => Ok(decided),
            _ => Ok(Decided::Unknown),
        }
    }

    async fn expire(&self, now_ms: u64) -> Result<Vec<String>, StoreError> {
        // Asking is cheap and happens all the time; writing is neither.
        if reads::overdue(&self.readers, now_ms).await? == 0 {
            return Ok(Vec::new());
        }
        match self.write(Write::Expire(now_ms)).await? {
            Written::Expired(ids) => Ok(ids),
            _ => Ok(Vec::new()),
        }
    }

    async fn tools_seen(&self, seen: ToolsSeen, now_ms: u64) -> Result<Vec<String>, StoreError> {
        match self.write(Write::Tools(Box::new(seen), now_ms)).await? {
            Written::Unapproved(tools) => Ok(tools),
            _ => Err(StoreError::Closed),
        }
    }

    async fn open_grant(&self, grant: Grant) -> Result<(), StoreError> {
        self.write(Write::OpenGrant(Box::new(grant))).await.map(|_| ())
    }

    async fn change_grant(&self, change: Change, now_ms: u64) -> Result<Changed, StoreError> {
        match self.write(Write::ChangeGrant(change, now_ms)).await? {
            Written::Changed(changed) => Ok(changed),
            _ => Ok(Changed::Unknown),
        }
    }

    async fn end_grants(&self, now_ms: u64) -> Result<usize, StoreError> {
        let overdue = grants::overdue(&mut *self.readers.acquire().await?, now_ms).await?;
        if overdue == 0 {
            return Ok(0);
        }
        match self.write(Write::EndGrants(now_ms)).await? {
            Written::Ended(count) => Ok(count),
            _ => Ok(0),
        }
    }

    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError> {
        grants::by_id(&mut *self.readers.acquire().await?, id).await
    }

    async fn grants(&self, state: Option<GrantState>, limit: u32) -> Result<Vec<Grant>, StoreError> {
        grants::list(&mut *self.readers.acquire().await?, state, limit).await
    }

    async fn grants_of(&self, subject: &str, limit: u32) -> Result<Vec<Grant>, StoreError> {
        grants::of(&mut *self.readers.acquire().await?, subject, limit).await
    }

    async fn enrol(&self, writer: Enrolled) -> Result<(), StoreError> {
        self.write(Write::Enrol(writer)).await.map(|_| ())
    }

    async fn enrolled(&self) -> Result<Vec<Enrolled>, StoreError> {
        reads::enrolled(&self.readers).await
    }

    async fn hold(&self, id: &str) -> Result<Option<Hold>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        holds::by_id(&mut connection, id).await
    }

    async fn holds(&self, state: Option<HoldDecision>, limit: u32) -> Result<Vec<Hold>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        holds::list(&mut connection, state, limit).await
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

    async fn sessions(&self, which: WhichSessions) -> Result<Vec<Session>, StoreError> {
        reads::sessions(&self.readers, which).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        reads::heads(&self.readers).await
    }

    async fn report_spending(
        &self,
        reporter: String,
        counters: Vec<Counter>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.write(Write::Spending(reporter, counters, now_ms)).await.map(|_| ())
    }

    async fn spending(&self, which: WhichSpending, now_ms: u64) -> Result<(u64, Vec<Counter>), StoreError> {
        spending::sums(&self.readers, which, now_ms).await
    }

    async fn listen(&self, heard: Heard) -> StoreError {
        super::listen(&self.readers, heard).await
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn close(&self) {
        // The last connection to close folds SQLite's write-ahead log into the file, and only the writer's can.
        self.readers.close().await;
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer ended badly");
        }
    }
}
