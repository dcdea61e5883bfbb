//! What was used of budgets.

use async_trait::async_trait;
use sluice_engine::budget::Counter;

use super::StoreError;

/// Which counters of budgets are read.
#[derive(Debug, Clone, Default)]
pub struct WhichSpending {
    /// What this reporter has counted itself is left out.
    pub except: Option<String>,
    /// Only counters that someone has changed since an answer that ended here.
    pub after: u64,
}

/// Spending. Times are Unix milliseconds, given by the caller.
#[async_trait]
pub trait Spending: Send + Sync {
    /// Takes in what a reporter has counted of budgets in all. Told twice, or late, it changes nothing.
    async fn report_spending(
        &self,
        reporter: String,
        counters: Vec<Counter>,
        now_ms: u64,
    ) -> Result<(), StoreError>;

    /// What all reporters together have counted of windows that have not ended, and where this answer ends.
    async fn spending(&self, which: WhichSpending, now_ms: u64) -> Result<(u64, Vec<Counter>), StoreError>;
}
