//! What an exchange asks of budgets, and what it used.

use super::Case;
use crate::budget::{Budgets, Claims, Demand, Ended, Exceeded, Spent};
use crate::claude::routes::Kind;
use crate::json::Value;
use crate::record::Usage;

impl Case {
    /// Prices and budgets of the bundle that this exchange is judged by.
    pub fn budgets(&self) -> &Budgets {
        &self.runtime.budgets
    }

    /// What the request asks of each budget that applies to it. Call it once the body was judged.
    ///
    /// # Errors
    /// When a budget limits cost and the model has no price.
    pub fn claims(&self, now_ms: u64) -> Result<Claims, Box<Exceeded>> {
        self.runtime.budgets.claims(&self.principal, self.route.name, &self.demands, now_ms)
    }

    /// What the exchange used of each claim. `forwarded`: it went upstream; `status`: upstream's, once it replied.
    pub fn used(&self, claims: &Claims, forwarded: bool, status: Option<u16>) -> Vec<Spent> {
        let ended = match (forwarded, status) {
            (false, _) => Ended::Refused,
            (true, None) => Ended::Unanswered,
            (true, Some(status)) => Ended::Replied { status, seen: self.seen },
        };
        let prices = self.runtime.budgets.prices();
        claims.iter().map(|claim| claim.used(ended, self.usage, self.model.as_deref(), prices)).collect()
    }

    /// Remembers what the requests of a body may use.
    pub(super) fn read_demands<'d, 'a: 'd>(&mut self, requests: impl Iterator<Item = Value<'d, 'a>>) {
        let mut demands: Vec<Demand> = Vec::new();
        for root in requests {
            let model = root.str("model").map(Into::into);
            let demand = match self.route.kind {
                Kind::Messages | Kind::BatchCreate => {
                    let most = root.get("max_tokens").and_then(Value::as_u64);
                    let apart = self.route.kind == Kind::BatchCreate;
                    Demand { apart, ..Demand::message(model, root.raw().len(), most) }
                }
                Kind::CountTokens => Demand::plain(model),
                _ => Demand::plain(None),
            };
            match demands.iter_mut().find(|other| other.model == demand.model) {
                Some(other) => other.join(&demand),
                None => demands.push(demand),
            }
        }
        if !demands.is_empty() {
            self.demands = demands;
        }
    }

    /// Tokens used, with what they cost.
    pub(super) fn priced_usage(&self) -> Option<Usage> {
        let usage = self.usage?;
        if self.route.kind != Kind::Messages {
            return Some(usage);
        }
        let asked = self.demands.first().and_then(|demand| demand.model.as_deref());
        let mut models = [self.model.as_deref(), asked].into_iter().flatten();
        let cost = models.find_map(|model| self.runtime.budgets.prices().cost(model, &usage));
        Some(Usage { cost_micro_usd: cost, ..usage })
    }
}
