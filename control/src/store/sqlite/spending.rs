//! What was used of budgets: each reporter's own count, and the sums.

use sluice_engine::budget::{Counter, Key, RESERVED_MS, Spent};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::super::{StoreError, WhichSpending};
use super::holds::unsigned;
use super::writer::signed;

/// How long a window's counts are kept after its end, for reports that come late.
const KEPT_MS: u64 = 24 * 3600 * 1000;

/// The largest number that is kept: so many of them still add up.
const MOST: u64 = 1 << 52;

/// Takes in what a reporter has counted in all. What was used never shrinks.
pub async fn report(
    connection: &mut SqliteConnection,
    reporter: &str,
    counters: &[Counter],
    now_ms: u64,
) -> Result<(), StoreError> {
    let last = sqlx::query("SELECT ifnull(max(rev), 0) FROM spending").fetch_one(&mut *connection).await?;
    // Not below the clock: rows that were pruned had numbers, too, and those who ask remember them.
    let rev = last.try_get::<i64, _>(0)?.saturating_add(1).max(signed(now_ms));
    for counter in counters {
        let Counter { key, used, reserved } = counter;
        let kept = |number: u64| signed(number.min(MOST));
        sqlx::query(
            "INSERT INTO spending (budget, window_s, start_ms, holder, reporter, end_ms, requests, input_tokens,
                                   output_tokens, cost_micro_usd, reserved_input, reserved_output, reserved_cost,
                                   seen_ms, rev)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (budget, window_s, start_ms, holder, reporter) DO UPDATE SET
               requests = max(requests, excluded.requests),
               input_tokens = max(input_tokens, excluded.input_tokens),
               output_tokens = max(output_tokens, excluded.output_tokens),
               cost_micro_usd = max(cost_micro_usd, excluded.cost_micro_usd),
               reserved_input = excluded.reserved_input, reserved_output = excluded.reserved_output,
               reserved_cost = excluded.reserved_cost, seen_ms = excluded.seen_ms, rev = excluded.rev",
        )
        .bind(&key.budget)
        .bind(kept(key.window_seconds))
        .bind(kept(key.start_ms))
        .bind(serde_json::to_string(&key.holder).unwrap_or_default())
        .bind(reporter)
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
    sqlx::query("DELETE FROM spending WHERE end_ms < ?")
        .bind(signed(now_ms.saturating_sub(KEPT_MS)))
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// The sums of windows that have not ended, and where this answer ends.
pub async fn sums(
    pool: &SqlitePool,
    which: WhichSpending,
    now_ms: u64,
) -> Result<(u64, Vec<Counter>), StoreError> {
    // First, so that what is written in between is told again the next time, and not left out.
    let last = sqlx::query("SELECT ifnull(max(rev), 0) FROM spending").fetch_one(pool).await?;
    let last = unsigned(last.try_get(0)?).max(which.after);
    let rows = sqlx::query(
        "SELECT budget, window_s, start_ms, holder, sum(requests), sum(input_tokens), sum(output_tokens),
                sum(cost_micro_usd),
                sum(CASE WHEN seen_ms > ?1 THEN reserved_input ELSE 0 END),
                sum(CASE WHEN seen_ms > ?1 THEN reserved_output ELSE 0 END),
                sum(CASE WHEN seen_ms > ?1 THEN reserved_cost ELSE 0 END)
         FROM spending
         WHERE reporter <> ?2 AND end_ms > ?3 AND (budget, window_s, start_ms, holder) IN
               (SELECT budget, window_s, start_ms, holder FROM spending WHERE rev > ?4 AND reporter <> ?2)
         GROUP BY budget, window_s, start_ms, holder
         ORDER BY budget, holder, start_ms",
    )
    .bind(signed(now_ms.saturating_sub(RESERVED_MS)))
    .bind(which.except.unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use sluice_engine::budget::Holder;
    use tempfile::TempDir;

    use super::super::Sqlite;
    use super::*;
    use crate::store::Store;

    const NOW: u64 = 1_795_000_000_000;
    const HOUR: u64 = 3_600_000;

    async fn store() -> (Sqlite, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (open(&dir).await, dir)
    }

    async fn open(dir: &TempDir) -> Sqlite {
        Sqlite::open(&dir.path().join("test.db"), SigningKey::from_bytes(&[5; 32])).await.unwrap()
    }

    fn counter(group: &str, requests: u64, tokens: u64, reserved: u64) -> Counter {
        Counter {
            key: Key {
                budget: "b".into(),
                window_seconds: 3600,
                start_ms: NOW - NOW % HOUR,
                holder: Holder::Group(group.into()),
            },
            used: Spent { requests, output_tokens: tokens, ..Spent::default() },
            reserved: Spent { output_tokens: reserved, ..Spent::default() },
        }
    }

    async fn sums(store: &Sqlite, except: &str, after: u64, now_ms: u64) -> (u64, Vec<(u64, u64, u64)>) {
        let which = WhichSpending { except: Some(except.into()), after };
        let (after, counters) = store.spending(which, now_ms).await.unwrap();
        let figures =
            counters.iter().map(|own| (own.used.requests, own.used.tokens(), own.reserved.tokens()));
        (after, figures.collect())
    }

    #[tokio::test]
    async fn what_envoys_counted_adds_up_and_a_report_told_twice_or_late_changes_nothing() {
        let (store, _dir) = store().await;
        for (reporter, tokens) in [("one", 10), ("two", 5), ("one", 30), ("one", 30), ("one", 10)] {
            store.report_spending(reporter.into(), vec![counter("g", 1, tokens, 0)], NOW).await.unwrap();
        }
        assert_eq!(sums(&store, "", 0, NOW).await.1, [(2, 35, 0)]);
        assert_eq!(sums(&store, "one", 0, NOW).await.1, [(1, 5, 0)], "the others'");
        assert_eq!(sums(&store, "three", 0, NOW).await.1, [(2, 35, 0)], "an Envoy that has just started");
    }

    #[tokio::test]
    async fn an_answer_goes_on_where_the_last_one_ended() {
        let (store, _dir) = store().await;
        store
            .report_spending("one".into(), vec![counter("g", 1, 1, 0), counter("h", 1, 1, 0)], NOW)
            .await
            .unwrap();
        let (after, all) = sums(&store, "two", 0, NOW).await;
        assert_eq!(all.len(), 2);
        assert_eq!(sums(&store, "two", after, NOW).await, (after, vec![]));
        store.report_spending("one".into(), vec![counter("h", 2, 9, 0)], NOW).await.unwrap();
        let (later, changed) = sums(&store, "two", after, NOW).await;
        assert_eq!((later > after, changed), (true, vec![(2, 9, 0)]));
        // One's own report is no news, and others' windows that have ended are none either.
        store.report_spending("two".into(), vec![counter("g", 7, 7, 0)], NOW).await.unwrap();
        assert_eq!(sums(&store, "two", later, NOW).await.1, []);
        assert_eq!(sums(&store, "two", 0, NOW + HOUR).await.1, []);
    }

    #[tokio::test]
    async fn reservations_of_an_envoy_that_fell_silent_are_left_out() {
        let (store, _dir) = store().await;
        store.report_spending("one".into(), vec![counter("g", 1, 1, 500)], NOW).await.unwrap();
        assert_eq!(sums(&store, "two", 0, NOW).await.1, [(1, 1, 500)]);
        assert_eq!(sums(&store, "two", 0, NOW + RESERVED_MS).await.1, [(1, 1, 0)]);
        store.report_spending("one".into(), vec![counter("g", 1, 1, 0)], NOW + 1).await.unwrap();
        assert_eq!(sums(&store, "two", 0, NOW + 1).await.1, [(1, 1, 0)], "given back");
    }

    #[tokio::test]
    async fn counts_outlive_a_restart_and_go_a_day_after_their_window() {
        let (store, dir) = store().await;
        store.report_spending("one".into(), vec![counter("g", 1, 8, 0)], NOW).await.unwrap();
        let (after, _) = sums(&store, "two", 0, NOW).await;
        store.close().await;
        let store = open(&dir).await;
        assert_eq!(sums(&store, "two", 0, NOW).await.1, [(1, 8, 0)]);
        // A report long after prunes; what comes then is still news to whoever asked before.
        let later = NOW + 26 * HOUR;
        let mut fresh = counter("g", 1, 3, 0);
        fresh.key.start_ms = later - later % HOUR;
        store.report_spending("one".into(), vec![fresh], later).await.unwrap();
        assert_eq!(sums(&store, "two", after, later).await.1, [(1, 3, 0)]);
        assert_eq!(sums(&store, "two", 0, NOW).await.1.len(), 1, "the old window is gone");
    }

    #[tokio::test]
    async fn absurd_numbers_still_add_up() {
        let (store, _dir) = store().await;
        for reporter in ["one", "two", "three"] {
            store
                .report_spending(reporter.into(), vec![counter("g", 1, u64::MAX, u64::MAX)], NOW)
                .await
                .unwrap();
        }
        assert_eq!(sums(&store, "", 0, NOW).await.1, [(3, 3 * MOST, 3 * MOST)]);
    }

    #[tokio::test]
    async fn many_reports_at_once_are_all_there() {
        let (store, _dir) = store().await;
        let store = std::sync::Arc::new(store);
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..50_u64 {
            let store = std::sync::Arc::clone(&store);
            tasks.spawn(async move {
                for tokens in 1..=10 {
                    let told = vec![counter("g", 1, tokens, 0)];
                    store.report_spending(format!("envoy {n}"), told, NOW).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(sums(&store, "", 0, NOW).await.1, [(50, 500, 0)]);
    }
}
