//! What was used of budgets: each reporter's own count, and the sums.

use async_trait::async_trait;
use sluice_engine::budget::{Counter, Key, RESERVED_MS, Spent};
use sqlx::Row as _;

use super::super::{Connection, Pool};
use super::Database;
use super::columns::{column, signed, unsigned};
use super::turn::{Turn, Write};
use crate::store::{Spending, StoreError, WhichSpending};

/// How long a window's counts are kept after its end, for reports that come late.
const KEPT_MS: u64 = 24 * 3600 * 1000;

/// The largest number that is kept: so many of them still add up.
const MOST: u64 = 1 << 52;

#[async_trait]
impl Spending for Database {
    async fn report_spending(
        &self,
        reporter: String,
        counters: Vec<Counter>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.write(Report { reporter, counters, now_ms }).await
    }

    async fn spending(&self, which: WhichSpending, now_ms: u64) -> Result<(u64, Vec<Counter>), StoreError> {
        sums(&self.readers, which, now_ms).await
    }
}

struct Report {
    reporter: String,
    counters: Vec<Counter>,
    now_ms: u64,
}

impl Write for Report {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        report(turn.connection, &self.reporter, &self.counters, self.now_ms).await
    }
}

/// Takes in what a reporter has counted in all. What was used never shrinks.
async fn report(
    connection: &mut Connection,
    reporter: &str,
    counters: &[Counter],
    now_ms: u64,
) -> Result<(), StoreError> {
    let last = sqlx::query("SELECT coalesce(max(rev), 0) FROM spending").fetch_one(&mut *connection).await?;
    // Not below the clock: rows that were pruned had numbers, too, and those who ask remember them.
    let rev = last.try_get::<i64, _>(0)?.saturating_add(1).max(signed(now_ms));
    for counter in counters {
        let Counter { key, used, reserved } = counter;
        let kept = |number: u64| signed(number.min(MOST));
        sqlx::query(
            "INSERT INTO spending (budget, window_s, start_ms, holder, reporter, end_ms, requests, input_tokens,
                                   output_tokens, cost_micro_usd, reserved_input, reserved_output, reserved_cost,
                                   seen_ms, rev)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT (budget, window_s, start_ms, holder, reporter) DO UPDATE SET
               requests = CASE WHEN excluded.requests > spending.requests
                 THEN excluded.requests ELSE spending.requests END,
               input_tokens = CASE WHEN excluded.input_tokens > spending.input_tokens
                 THEN excluded.input_tokens ELSE spending.input_tokens END,
               output_tokens = CASE WHEN excluded.output_tokens > spending.output_tokens
                 THEN excluded.output_tokens ELSE spending.output_tokens END,
               cost_micro_usd = CASE WHEN excluded.cost_micro_usd > spending.cost_micro_usd
                 THEN excluded.cost_micro_usd ELSE spending.cost_micro_usd END,
               reserved_input = excluded.reserved_input, reserved_output = excluded.reserved_output,
               reserved_cost = excluded.reserved_cost, seen_ms = excluded.seen_ms, rev = excluded.rev",
        )
        .bind(column(&key.budget))
        .bind(kept(key.window_seconds))
        .bind(kept(key.start_ms))
        .bind(serde_json::to_string(&key.holder).unwrap_or_default())
        .bind(column(reporter))
        .bind(kept(key.end_ms()))
        .bind(kept(used.requests))
        .bind(kept(used.input_tokens))
        .bind(kept(used.output_tokens))
        .bind(kept(used.cost_micro_usd))
        .bind(kept(reserved.input_tokens))
        .bind(kept(reserved.output_tokens))
        .bind(kept(reserved.cost_micro_usd))
        .bind(signed(now_ms))
        .bind(rev)
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query("DELETE FROM spending WHERE end_ms < $1")
        .bind(signed(now_ms.saturating_sub(KEPT_MS)))
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// The sums of windows that have not ended, and where this answer ends.
async fn sums(pool: &Pool, which: WhichSpending, now_ms: u64) -> Result<(u64, Vec<Counter>), StoreError> {
    // First, so that what is written in between is told again the next time, and not left out.
    let last = sqlx::query("SELECT coalesce(max(rev), 0) FROM spending").fetch_one(pool).await?;
    let last = unsigned(last.try_get(0)?).max(which.after);
    let rows = sqlx::query(
        "SELECT budget, window_s, start_ms, holder,
                CAST(sum(requests) AS BIGINT), CAST(sum(input_tokens) AS BIGINT),
                CAST(sum(output_tokens) AS BIGINT), CAST(sum(cost_micro_usd) AS BIGINT),
                CAST(sum(CASE WHEN seen_ms > $1 THEN reserved_input ELSE 0 END) AS BIGINT),
                CAST(sum(CASE WHEN seen_ms > $1 THEN reserved_output ELSE 0 END) AS BIGINT),
                CAST(sum(CASE WHEN seen_ms > $1 THEN reserved_cost ELSE 0 END) AS BIGINT)
         FROM spending
         WHERE reporter <> $2 AND end_ms > $3 AND (budget, window_s, start_ms, holder) IN
               (SELECT budget, window_s, start_ms, holder FROM spending WHERE rev > $4 AND reporter <> $2)
         GROUP BY budget, window_s, start_ms, holder
         ORDER BY budget, holder, start_ms",
    )
    .bind(signed(now_ms.saturating_sub(RESERVED_MS)))
    .bind(column(&which.except.unwrap_or_default()))
    .bind(signed(now_ms))
    .bind(signed(which.after))
    .fetch_all(pool)
    .await?;
    let counters = rows.iter().map(|row| {
        let number = |at: usize| row.try_get::<i64, _>(at).map(unsigned);
        let holder: String = row.try_get(3)?;
        let unreadable = |e: serde_json::Error| StoreError::Unreadable {
            what: "the holder of a budget".into(),
            why: e.to_string(),
        };
        let used = Spent {
            requests: number(4)?,
            input_tokens: number(5)?,
            output_tokens: number(6)?,
            cost_micro_usd: number(7)?,
        };
        let reserved = Spent {
            requests: 0,
            input_tokens: number(8)?,
            output_tokens: number(9)?,
            cost_micro_usd: number(10)?,
        };
        let key = Key {
            budget: row.try_get(0)?,
            window_seconds: number(1)?,
            start_ms: number(2)?,
            holder: serde_json::from_str(&holder).map_err(unreadable)?,
        };
        Ok(Counter { key, used, reserved })
    });
    Ok((last, counters.collect::<Result<_, StoreError>>()?))
}
