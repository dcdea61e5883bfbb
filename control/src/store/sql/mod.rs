//! What both databases have in common: the statements, and one task that writes.
//!
//! The text here is compiled once inside of [`super`] for each database, which gives it its types and what it does
//! otherwise. Statements number their values (`$1`), as both databases understand.
//!
//! All writes go through one task ([`writer`]) that owns the only writing connection. Writes that wait share a
//! transaction, and so a sync of the disk; each is answered after the commit. Reads have connections of their own
//! and see what is committed.

mod approvals;
mod columns;
mod days;
mod followers;
mod grants;
mod holds;
mod log;
mod notices;
mod operation;
mod policies;
mod retention;
mod reviews;
mod revocations;
mod spending;
mod tokens;
pub mod turn;
mod usage;
mod visits;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Pool;
use crate::metrics::Meter;
use crate::store::{Heard, Store, StoreError};
use turn::{Job, Waiting, Write};

/// Writes that may wait for the writer. Beyond it callers wait to hand theirs in.
const QUEUE: usize = 4096;

/// The store on one database.
#[derive(Debug)]
pub struct Database {
    readers: Pool,
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    trouble: Arc<Mutex<Option<String>>>,
    meter: Meter,
}

impl Database {
    /// Starts the writer on a pool of one connection.
    pub(super) async fn start(writer: Pool, readers: Pool, key: SigningKey) -> Result<Self, StoreError> {
        let trouble = Arc::new(Mutex::new(None));
        let (jobs, queue) = mpsc::channel(QUEUE);
        let meter = Meter::default();
        let writer = writer::Writer::new(writer, key, Arc::clone(&trouble), meter.clone()).await?;
        let task = tokio::spawn(writer.run(queue));
        Ok(Self { readers, jobs: Mutex::new(Some(jobs)), task: Mutex::new(Some(task)), trouble, meter })
    }

    /// Takes no writes.
    pub(super) fn only_read(readers: Pool) -> Self {
        let (jobs, task) = (Mutex::new(None), Mutex::new(None));
        Self { readers, jobs, task, trouble: Arc::default(), meter: Meter::default() }
    }

    /// Has the writer run a write; returns after the commit.
    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Waiting { write, answer: None, reply });
        jobs.ok_or(StoreError::Closed)?.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

#[async_trait]
impl Store for Database {
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
