//! [`Holds`] on a database.

use async_trait::async_trait;
use sluice_engine::wire::{HoldDecision, ToolsSeen};

use super::super::Database;
use super::super::turn::{Turn, Write};
use super::definitions;
use crate::holds::Hold;
use crate::store::{Decided, Decision, Holds, StoreError};

#[async_trait]
impl Holds for Database {
    async fn claim(&self, hold: &str, exchange: &str, now_ms: u64) -> Result<Option<Hold>, StoreError> {
        self.write(Claim { hold: hold.to_owned(), exchange: exchange.to_owned(), now_ms }).await
    }

    async fn decide(&self, decision: Decision, now_ms: u64) -> Result<Decided, StoreError> {
        self.write(Decide { decision, now_ms }).await
    }

    async fn tools_seen(&self, seen: ToolsSeen, now_ms: u64) -> Result<Vec<String>, StoreError> {
        self.write(See { seen, now_ms }).await
    }

    async fn expire(&self, now_ms: u64) -> Result<Vec<String>, StoreError> {
        // Asking is cheap and happens all the time; writing is neither.
        if super::overdue(&mut *self.readers.acquire().await?, now_ms).await? == 0 {
            return Ok(Vec::new());
        }
        self.write(Expire { now_ms }).await
    }

    async fn hold(&self, id: &str) -> Result<Option<Hold>, StoreError> {
        super::by_id(&mut *self.readers.acquire().await?, id).await
    }

    async fn holds(&self, state: Option<HoldDecision>, limit: u32) -> Result<Vec<Hold>, StoreError> {
        super::list(&mut *self.readers.acquire().await?, state, limit).await
    }
}

struct Claim {
    hold: String,
    exchange: String,
    now_ms: u64,
}

impl Write for Claim {
    type Answer = Option<Hold>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Option<Hold>, StoreError> {
        super::claim(turn.connection, &self.hold, &self.exchange, self.now_ms, &mut turn.log).await
    }
}

struct Decide {
    decision: Decision,
    now_ms: u64,
}

impl Write for Decide {
    type Answer = Decided;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Decided, StoreError> {
        super::decide(turn.connection, &self.decision, self.now_ms, &mut turn.log).await
    }
}

struct See {
    seen: ToolsSeen,
    now_ms: u64,
}

impl Write for See {
    type Answer = Vec<String>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Vec<String>, StoreError> {
        definitions::seen(turn.connection, &self.seen, self.now_ms, &mut turn.log).await
    }
}

struct Expire {
    now_ms: u64,
}

impl Write for Expire {
    type Answer = Vec<String>;

    async fn run(&self, turn: &mut Turn<'_>) -> Result<Vec<String>, StoreError> {
        super::expire(turn.connection, self.now_ms, &mut turn.log).await
    }
}
