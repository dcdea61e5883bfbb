//! A write, from whoever asks for it to the transaction that it runs in.

use std::future::Future;

use async_trait::async_trait;
use sluice_engine::record::Block;
use tokio::sync::oneshot;

use super::super::Connection;
use super::days::DaySums;
use super::log::{Marks, Tally};
use crate::records::Entry;
use crate::store::StoreError;

/// Something to write. It may run twice: when a transaction that it shares fails, it runs again in one of its own.
pub trait Write: Send + Sync + 'static {
    /// What the caller is told after the commit.
    type Answer: Send + Sync + 'static;

    /// Blocks of text that are written before the turn begins.
    fn blocks(&self) -> &[Block] {
        &[]
    }

    /// Writes.
    fn run(&self, turn: &mut Turn<'_>) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;
}

/// A transaction that has the right to write, and what it adds to the log. Entries are written at its end, many at
/// a time.
pub struct Turn<'a> {
    pub connection: &'a mut Connection,
    pub log: Vec<Entry>,
    pub tally: Tally,
    pub marks: Marks,
    pub days: DaySums,
    /// When batches were forgotten last, in Unix milliseconds.
    pub pruned_ms: &'a mut u64,
}

/// A write and who waits for it.
#[async_trait]
pub trait Job: Send + Sync {
    /// See [`Write::blocks`].
    fn blocks(&self) -> &[Block];

    /// Runs the write and keeps its answer.
    async fn run(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError>;

    /// Tells who waits, after the commit or without it.
    fn end(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// [`Job`] for any write.
pub struct Waiting<W: Write> {
    pub write: W,
    pub answer: Option<W::Answer>,
    pub reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

#[async_trait]
impl<W: Write> Job for Waiting<W> {
    fn blocks(&self) -> &[Block] {
        self.write.blocks()
    }

    async fn run(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.answer = Some(self.write.run(turn).await?);
        Ok(())
    }

    fn end(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { answer, reply, .. } = *self;
        // A caller that went away has its write all the same.
        let _gone = reply.send(outcome.and_then(|()| answer.ok_or(StoreError::Closed)));
    }
}
