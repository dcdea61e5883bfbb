//! The counters of budgets, in the data that VMs share.
//!
//! A fixed number of tables, each with the counters of some holders, so that memory is bounded by who is active: what
//! ended leaves its table. Each change reads a table, changes the copy, and writes it back if no other VM was faster.

use sluice_engine::budget::Table;

use crate::host::{Host, NOT_THERE};
use crate::shared::Shared;

/// How many tables there are: enough that each is small with ten thousand holders, and that workers seldom meet in one.
pub const SHARDS: u32 = 512;

/// How often a change is tried. Of those who meet one always gets through, so that even many workers are done long before.
const TRIES: u32 = 1000;

impl Shared {
    fn table_key(&self, shard: u32) -> String {
        // The number is that of the tables' form: a filter of another release must not read them.
        self.key(&format!("budgets-1/{shard}"))
    }

    /// A table's bytes and version; `None`: there is none yet.
    pub fn table_bytes(&self, shard: u32, host: &dyn Host) -> Option<(Vec<u8>, Option<u32>)> {
        host.shared(&self.table_key(shard))
    }

    /// A table.
    ///
    /// # Errors
    /// When what is there cannot be read.
    pub fn table(&self, shard: u32, host: &dyn Host) -> Result<Table, Unreadable> {
        self.table_bytes(shard, host).map_or(Ok(Table::default()), |(bytes, _)| read(&bytes))
    }

    /// Changes a table. `change` may run several times, each time on what is there then; the last run is what counts.
    ///
    /// # Errors
    /// When the table cannot be read or written: nothing was counted then.
    pub fn change_table<T>(
        &self,
        shard: u32,
        host: &dyn Host,
        mut change: impl FnMut(&mut Table) -> T,
    ) -> Result<T, Unreadable> {
        let key = self.table_key(shard);
        for _ in 0..TRIES {
            let (mut table, version) = match self.table_bytes(shard, host) {
                Some((bytes, version)) => (read(&bytes)?, version),
                None => (Table::default(), NOT_THERE),
            };
            let before = table.clone();
            let out = change(&mut table);
            if table == before {
                return Ok(out);
            }
            let bytes = serde_json::to_vec(&table).map_err(|_| Unreadable)?;
            if host.set_shared(&key, &bytes, version) {
                return Ok(out);
            }
        }
        Err(Unreadable)
    }

    /// The name under which this Envoy counts: drawn once, by whichever VM comes first.
    pub fn reporter(&self, host: &dyn Host) -> Option<String> {
        let key = self.key("reporter");
        if host.shared(&key).is_none() {
            host.set_shared(&key, host.random_id().as_bytes(), NOT_THERE);
        }
        String::from_utf8(host.shared(&key)?.0).ok()
    }

    /// Control has told what was used before this Envoy started.
    pub fn set_totals_known(&self, host: &dyn Host) {
        if !self.totals_known.replace(true) {
            host.set_shared(&self.key("totals"), b"known", None);
        }
    }

    /// Whether control has told what was used before this Envoy started.
    pub fn are_totals_known(&self, host: &dyn Host) -> bool {
        if !self.totals_known.get() && host.shared(&self.key("totals")).is_some() {
            self.totals_known.set(true);
        }
        self.totals_known.get()
    }
}

/// Reads a table.
///
/// # Errors
/// When it is none.
pub fn read(bytes: &[u8]) -> Result<Table, Unreadable> {
    serde_json::from_slice(bytes).map_err(|_| Unreadable)
}

/// A table that cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the counters of budgets in the shared data cannot be read or written")]
pub struct Unreadable;
