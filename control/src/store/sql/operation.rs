//! How the store is doing.

use async_trait::async_trait;
use sqlx::Row as _;

use super::Database;
use super::columns::{signed, unsigned};
use super::turn::{Turn, Write};
use crate::metrics::{Meter, Seen};
use crate::store::{Operation, StoreError};

/// The key of the row that a probe writes: no batch has one so short.
const PROBE: &[u8] = b"probe";

#[async_trait]
impl Operation for Database {
    fn meter(&self) -> &Meter {
        &self.meter
    }

    async fn seen(&self, now_ms: u64) -> Result<Seen, StoreError> {
        let asked = "SELECT count(*), min(created_ms) FROM holds WHERE state = 'waiting' AND expires_ms > $1";
        let holds = sqlx::query(asked).bind(signed(now_ms)).fetch_one(&self.readers).await?;
        let asked = "SELECT count(*) FROM grants WHERE state = 'live' AND ends_ms > $1";
        let grants = sqlx::query(asked).bind(signed(now_ms)).fetch_one(&self.readers).await?;
        Ok(Seen {
            holds_waiting: unsigned(holds.try_get(0)?),
            oldest_hold_ms: holds.try_get::<Option<i64>, _>(1)?.map(unsigned),
            grants_live: unsigned(grants.try_get(0)?),
        })
    }

    async fn probe(&self, now_ms: u64) -> Result<(), StoreError> {
        self.write(Probe(now_ms)).await
    }
}

struct Probe(u64);

impl Write for Probe {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO batches (key, at_ms) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET at_ms = excluded.at_ms",
        )
        .bind(PROBE.to_vec())
        .bind(signed(self.0))
        .execute(&mut *turn.connection)
        .await?;
        Ok(())
    }
}
