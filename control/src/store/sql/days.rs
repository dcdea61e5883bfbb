//! What was used, by day, added up per transaction; and the sidecars that are seen.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sluice_engine::policy::document::Action;
use sluice_engine::record::{Record, Stage};
use sqlx::{AssertSqlSafe, Row as _};

use super::super::Connection;
use super::Database;
use super::columns::{ROWS, column, is_usual, signed, unsigned};
use super::turn::{Turn, Write};
use crate::records::Entry;
use crate::store::numbers::rows_of;
use crate::store::{By, Days, Sidecar, StoreError, Sums, Used};

/// A day, in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// The longest name that is told apart, in characters: some come from callers.
const NAME: usize = 120;

/// The highest step of latency, in milliseconds: above five minutes.
const LONGEST: u64 = 1 << 19;

/// Additions to days.
#[derive(Default)]
pub struct DaySums(BTreeMap<(u64, By, String), Sums>);

impl DaySums {
    /// Takes in an entry.
    pub fn count(&mut self, entry: &Entry) {
        let Entry::Exchange(record) = entry else { return };
        let acted = |action| record.decisions.iter().filter(|one| one.did(action)).count() as u64;
        let usage = record.usage.unwrap_or_default();
        let input = usage.input_tokens.saturating_add(usage.cache_read_input_tokens);
        let sums = Sums {
            times: u64::from(record.stage == Stage::Open),
            denied: acted(Action::Deny),
            held: acted(Action::Hold),
            input_tokens: input.saturating_add(usage.cache_creation_input_tokens),
            output_tokens: usage.output_tokens,
            cost_micro_usd: usage.cost_micro_usd.unwrap_or_default(),
        };
        self.add(record, By::All, "", &sums);
        for group in record.principal.iter().flat_map(|who| &who.groups) {
            self.add(record, By::Group, group, &sums);
        }
        // A model that was only asked for is a name that a caller made up.
        if let (Some(model), true) = (&record.model, record.usage.is_some()) {
            self.add(record, By::Model, model, &Sums { times: 1, ..sums });
        }
        for one in record.decisions.iter().filter(|one| one.did(Action::Deny) || one.did(Action::Hold)) {
            let (denied, held) = (u64::from(one.did(Action::Deny)), u64::from(one.did(Action::Hold)));
            self.add(record, By::Rule, &one.rule, &Sums { times: 1, denied, held, ..Sums::default() });
        }
        for (kind, count) in &record.findings {
            self.add(record, By::Finding, kind, &Sums { times: u64::from(*count), ..Sums::default() });
        }
        if let (Stage::Close, Some(ms)) = (record.stage, record.duration_ms) {
            let step = ms.max(1).checked_next_power_of_two().unwrap_or(LONGEST).min(LONGEST);
            self.add(record, By::Latency, &step.to_string(), &Sums { times: 1, ..Sums::default() });
        }
    }

    fn add(&mut self, record: &Record, by: By, name: &str, sums: &Sums) {
        let name = column(&name.chars().take(NAME).collect::<String>());
        self.0.entry((record.at_ms / DAY_MS, by, name)).or_default().add(sums);
    }

    /// Writes them.
    pub async fn write(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let rows: Vec<_> = self.0.iter().collect();
        for some in rows.chunks(ROWS) {
            let values = rows_of(some.len(), 9);
            let sql = format!(
                "INSERT INTO usage_days (day, kind, name, times, denied, held, input_tokens, output_tokens,
                                         cost_micro_usd)
                 VALUES {values}
                 ON CONFLICT (day, kind, name) DO UPDATE SET
                   times = usage_days.times + excluded.times,
                   denied = usage_days.denied + excluded.denied,
                   held = usage_days.held + excluded.held,
                   input_tokens = usage_days.input_tokens + excluded.input_tokens,
                   output_tokens = usage_days.output_tokens + excluded.output_tokens,
                   cost_micro_usd = usage_days.cost_micro_usd + excluded.cost_micro_usd"
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for ((day, by, name), sums) in some {
                query = query.bind(signed(*day)).bind(by.word()).bind(name.clone());
                for number in [
                    sums.times,
                    sums.denied,
                    sums.held,
                    sums.input_tokens,
                    sums.output_tokens,
                    sums.cost_micro_usd,
                ] {
                    query = query.bind(signed(number));
                }
            }
            query.persistent(is_usual(some.len())).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Days for Database {
    async fn days(&self, from_day: u64) -> Result<Vec<Used>, StoreError> {
        let rows = sqlx::query(
            "SELECT day, kind, name, times, denied, held, input_tokens, output_tokens, cost_micro_usd
             FROM usage_days WHERE day >= $1 ORDER BY day, kind, name",
        )
        .bind(signed(from_day))
        .fetch_all(&self.readers)
        .await?;
        let mut used = Vec::with_capacity(rows.len());
        for row in &rows {
            let number = |name| row.try_get::<i64, _>(name).map(unsigned);
            let kind: String = row.try_get("kind")?;
            // A kind of a later release.
            let Some(by) = By::ALL.into_iter().find(|by| by.word() == kind) else { continue };
            let sums = Sums {
                times: number("times")?,
                denied: number("denied")?,
                held: number("held")?,
                input_tokens: number("input_tokens")?,
                output_tokens: number("output_tokens")?,
                cost_micro_usd: number("cost_micro_usd")?,
            };
            used.push(Used { day: number("day")?, by, name: row.try_get("name")?, sums });
        }
        Ok(used)
    }

    async fn see_sidecars(&self, seen: Vec<Sidecar>) -> Result<(), StoreError> {
        self.write(See(seen)).await
    }

    async fn sidecars(&self, since_ms: u64) -> Result<Vec<Sidecar>, StoreError> {
        let rows = sqlx::query(
            "SELECT node, filter, bundle, issued_ms, first_ms, seen_ms, trouble, trouble_ms, queued FROM sidecars
             WHERE seen_ms >= $1 ORDER BY node",
        )
        .bind(signed(since_ms))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let number = |name| row.try_get::<i64, _>(name).map(unsigned);
                Ok(Sidecar {
                    node: row.try_get("node")?,
                    filter: row.try_get("filter")?,
                    bundle: row.try_get("bundle")?,
                    issued_ms: number("issued_ms")?,
                    first_ms: number("first_ms")?,
                    seen_ms: number("seen_ms")?,
                    trouble: row.try_get("trouble")?,
                    trouble_ms: number("trouble_ms")?,
                    queued: number("queued")?,
                })
            })
            .collect()
    }
}

/// Sidecars that were seen.
struct See(Vec<Sidecar>);

impl Write for See {
    type Answer = ();

    async fn run(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for one in &self.0 {
            sqlx::query(
                "INSERT INTO sidecars (node, filter, bundle, issued_ms, first_ms, seen_ms, trouble, trouble_ms, queued)
                 VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8)
                 ON CONFLICT (node) DO UPDATE SET filter = excluded.filter, bundle = excluded.bundle,
                   issued_ms = excluded.issued_ms, seen_ms = excluded.seen_ms, trouble = excluded.trouble,
                   trouble_ms = excluded.trouble_ms, queued = excluded.queued
                 WHERE excluded.seen_ms >= sidecars.seen_ms",
            )
            .bind(column(&one.node))
            .bind(column(&one.filter))
            .bind(column(&one.bundle))
            .bind(signed(one.issued_ms))
            .bind(signed(one.seen_ms))
            .bind(column(&one.trouble))
            .bind(signed(one.trouble_ms))
            .bind(signed(one.queued))
            .execute(&mut *turn.connection)
            .await?;
        }
        Ok(())
    }
}
