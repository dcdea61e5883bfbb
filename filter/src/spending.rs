//! What was used of budgets goes to control, and what other Envoys used comes back.
//!
//! One VM does it for all of its Envoy: the one that also polls for the bundle. It tells what was counted in all, so
//! that a report that is lost, late or told twice, by this VM or the next, does no harm.

use std::collections::HashMap;

use sluice_engine::budget::{Counter, Key};
use sluice_engine::wire::{self, Spending, SpendingReply};

use crate::budgets::{SHARDS, read};
use crate::host::{Call, Host};
use crate::shared::Shared;

/// How often others' counters are asked for.
const POLL_MS: u64 = 1000;
/// How soon after the last report a change here is told.
const REPORT_MS: u64 = 400;
/// How often reservations are told again: control forgets those of an Envoy that is silent for
/// [`RESERVED_MS`](sluice_engine::budget::RESERVED_MS).
const REMIND_MS: u64 = 5000;
/// How long what was read of an unchanged table is good: reservations of a VM that died lapse without a change.
const REREAD_MS: u64 = 60_000;
/// Counters in one report at the most.
const COUNTERS: usize = 2000;
const TIMEOUT_MS: u64 = 5000;

/// Reports of one Envoy, as far as this VM makes them.
#[derive(Default)]
pub struct Reports {
    /// Where control's last answer ended.
    after: u64,
    /// What control has acknowledged, and when.
    told: HashMap<Key, (Counter, u64)>,
    /// What is under way.
    sent: Option<Vec<Counter>>,
    sent_ms: u64,
    /// The tables as they were last read.
    seen: HashMap<u32, Seen>,
}

/// What was read of a table.
struct Seen {
    version: Option<u32>,
    at_ms: u64,
    /// What was counted here; what only others have counted is left out.
    own: Vec<Counter>,
    /// Whether the table can be made smaller from this moment on, in Unix milliseconds.
    over_ms: Option<u64>,
}

impl Reports {
    /// The next report, when there is one to send now.
    pub fn next(&mut self, shared: &Shared, host: &dyn Host, now_ms: u64) -> Option<Call> {
        let since = now_ms.saturating_sub(self.sent_ms);
        let known = shared.are_totals_known(host);
        if self.sent.is_some() || since < REPORT_MS {
            return None;
        }
        let changed = self.changed(shared, host, now_ms);
        if known && changed.is_empty() && since < POLL_MS {
            return None;
        }
        let reporter = shared.reporter(host)?;
        let body =
            serde_json::to_vec(&Spending { reporter, after: self.after, counters: changed.clone() }).ok()?;
        self.sent = Some(changed);
        self.sent_ms = now_ms;
        Some(Call { method: "POST", path: wire::BUDGETS.into(), body, form: false, timeout_ms: TIMEOUT_MS })
    }

    /// The report could not be sent, or control did not take it: it is made anew.
    pub fn failed(&mut self) {
        self.sent = None;
    }

    /// Control has answered. Says whether it could be read.
    pub fn answered(&mut self, body: &[u8], shared: &Shared, host: &dyn Host, now_ms: u64) -> bool {
        let Ok(reply) = serde_json::from_slice::<SpendingReply>(body) else {
            self.failed();
            return false;
        };
        for counter in self.sent.take().unwrap_or_default() {
            self.told.insert(counter.key.clone(), (counter, now_ms));
        }
        let mut by_shard: HashMap<u32, Vec<Counter>> = HashMap::new();
        for counter in reply.counters.into_iter().filter(|counter| !counter.is_over(now_ms)) {
            by_shard.entry(counter.key.shard(SHARDS)).or_default().push(counter);
        }
        for (shard, counters) in by_shard {
            let taken = shared.change_table(shard, host, |table| {
                table.tell(&counters, now_ms);
            });
            if let Err(why) = taken {
                log::error!("sluice: {why}; what other gateways used is not counted here");
                return false;
            }
        }
        self.after = reply.after;
        shared.set_totals_known(host);
        true
    }

    /// What control does not know yet.
    fn changed(&mut self, shared: &Shared, host: &dyn Host, now_ms: u64) -> Vec<Counter> {
        for shard in 0..SHARDS {
            self.look(shard, shared, host, now_ms);
        }
        let own = || self.seen.values().flat_map(|seen| &seen.own);
        let told = &mut self.told;
        if told.len() > 2 * own().count() + COUNTERS {
            told.retain(|_, (counter, _)| !counter.is_over(now_ms));
        }
        let news = |counter: &&Counter| match told.get(&counter.key) {
            Some((last, at_ms)) => {
                last != *counter
                    || (!counter.reserved.is_zero() && now_ms.saturating_sub(*at_ms) >= REMIND_MS)
            }
            None => true,
        };
        own().filter(news).take(COUNTERS).cloned().collect()
    }

    /// Reads a table, unless it is as it was; lets it forget what is over.
    fn look(&mut self, shard: u32, shared: &Shared, host: &dyn Host, now_ms: u64) {
        let Some((bytes, version)) = shared.table_bytes(shard, host) else { return };
        let fresh = |seen: &&Seen| {
            version.is_some() && seen.version == version && now_ms.saturating_sub(seen.at_ms) < REREAD_MS
        };
        if self.seen.get(&shard).is_none_or(|seen| !fresh(&seen)) {
            let Ok(table) = read(&bytes) else { return };
            let over_ms = table.counters(now_ms).filter_map(|counter| counter.over_ms()).min();
            // What was counted here has a request at the least.
            let own = table.counters(now_ms).filter(|counter| !counter.used.is_zero()).collect();
            self.seen.insert(shard, Seen { version, at_ms: now_ms, own, over_ms });
        }
        let over_ms = self.seen.get(&shard).and_then(|seen| seen.over_ms);
        if over_ms.is_some_and(|over_ms| over_ms <= now_ms) {
            // What could not be written is tried again the next time.
            let _ = shared.change_table(shard, host, |table| table.evict(now_ms));
        }
    }
}
