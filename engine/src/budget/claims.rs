//! Which budgets apply to a request, and what it asks of each.

use std::sync::Arc;

use super::{Demand, Ended, Exceeded, Holder, Key, Prices, Spent, Why};
use crate::identity::Principal;
use crate::policy::document::{Budget, Per, Policy, Usd};
use crate::policy::glob::{self, Glob};
use crate::record::Usage;

/// The budgets of a policy, compiled.
#[derive(Debug, Clone, Default)]
pub struct Budgets {
    prices: Prices,
    budgets: Vec<Arc<Compiled>>,
}

/// A budget, compiled.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) name: String,
    groups: Vec<String>,
    subjects: Vec<String>,
    per: Per,
    routes: Vec<Glob>,
    models: Vec<Glob>,
    pub(super) limits: Limits,
    pub(super) window: crate::policy::document::Duration,
    pub(super) message: Option<String>,
}

/// The limits of a budget; `None`: not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests.
    pub requests: Option<u64>,
    /// Tokens of both kinds.
    pub tokens: Option<u64>,
    /// Tokens of prompts.
    pub input_tokens: Option<u64>,
    /// Tokens of replies.
    pub output_tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub cost_micro_usd: Option<u64>,
}

/// What one request asks of one budget of one holder.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Whose budget it is, and which window.
    pub key: Key,
    pub(super) budget: Arc<Compiled>,
    /// Requests that are counted at once.
    pub(super) requests: u64,
    /// The most tokens and dollars that it may use.
    pub(super) most: Spent,
    /// Whether tokens are used, and the budget limits them or what they cost.
    pub(super) answered: bool,
    /// Whether all of it must fit into what is left: nobody will say later what it used.
    pub(super) strict: bool,
    demands: Vec<Demand>,
}

/// What one request asks of all budgets that apply to it.
pub type Claims = Vec<Claim>;

impl Budgets {
    /// Compiles prices and budgets.
    ///
    /// # Errors
    /// The place in the policy and what is wrong there.
    pub fn new(policy: &Policy) -> Result<Self, (String, String)> {
        let text = |(field, why): (String, glob::GlobError)| (field, why.to_string());
        let mut budgets = Vec::new();
        for (n, budget) in policy.budgets.iter().enumerate() {
            let list = |field: &str, texts: &[String]| {
                glob::globs(texts).map_err(|(m, why)| text((format!("budgets[{n}].{field}[{m}]"), why)))
            };
            if budget.window.as_seconds() == 0 {
                return Err((format!("budgets[{n}].window"), "it is missing or zero".into()));
            }
            budgets.push(Arc::new(Compiled {
                name: budget.name.clone(),
                groups: budget.groups.clone(),
                subjects: budget.subjects.clone(),
                per: budget.per,
                routes: list("routes", &budget.routes)?,
                models: list("models", &budget.models)?,
                limits: Limits::of(budget),
                window: budget.window,
                message: budget.message.clone(),
            }));
        }
        Ok(Self { prices: Prices::new(&policy.prices).map_err(text)?, budgets })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.budgets.is_empty()
    }

    /// The price table.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// What the request asks of each budget that applies to it.
    ///
    /// # Errors
    /// [`Why::Unpriced`] when a budget limits cost and a model has no price: what cannot be counted is refused.
    pub fn claims(
        &self,
        principal: &Principal,
        route: &str,
        demands: &[Demand],
        now_ms: u64,
    ) -> Result<Claims, Box<Exceeded>> {
        let mut claims = Claims::new();
        for budget in self.budgets.iter().filter(|budget| budget.takes_route(route)) {
            let mine: Vec<Demand> = demands.iter().filter(|d| budget.takes_model(d)).cloned().collect();
            if mine.is_empty() {
                continue;
            }
            for holder in budget.holders(principal) {
                let claim = Claim::new(budget, holder, &mine, &self.prices, now_ms);
                if let Some(model) = claim.unpriced(&self.prices) {
                    return Err(Exceeded::new(
                        &claim,
                        Why::Unpriced(model),
                        Spent::default(),
                        Spent::default(),
                    ));
                }
                claims.push(claim);
            }
        }
        Ok(claims)
    }
}

impl Compiled {
    fn takes_route(&self, route: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|glob| glob.matches(route))
    }

    fn takes_model(&self, demand: &Demand) -> bool {
        let fits = |model: &String| self.models.iter().any(|glob| glob.matches(model));
        self.models.is_empty() || demand.model.as_ref().is_some_and(fits)
    }

    /// Whose counters a request of this principal goes to.
    fn holders(&self, principal: &Principal) -> Vec<Holder> {
        let own = |group: &&String| principal.groups.contains(group);
        match self.per {
            Per::Group => {
                let mut groups: Vec<_> = self.groups.iter().filter(own).collect();
                groups.sort_unstable();
                groups.dedup();
                groups.into_iter().map(|group| Holder::Group(group.clone())).collect()
            }
            Per::Person => {
                let everyone = self.groups.is_empty() && self.subjects.is_empty();
                let named = self.subjects.contains(&principal.subject) || self.groups.iter().any(|g| own(&g));
                let person =
                    Holder::Person { issuer: principal.issuer.clone(), subject: principal.subject.clone() };
                (everyone || named).then_some(person).into_iter().collect()
            }
        }
    }
}

impl Claim {
    fn new(budget: &Arc<Compiled>, holder: Holder, demands: &[Demand], prices: &Prices, now_ms: u64) -> Self {
        let window_ms = budget.window.as_millis().max(1);
        Self {
            key: Key {
                budget: budget.name.clone(),
                window_seconds: budget.window.as_seconds(),
                start_ms: now_ms - now_ms % window_ms,
                holder,
            },
            budget: Arc::clone(budget),
            requests: demands.iter().fold(0, |sum, demand| sum.saturating_add(demand.requests)),
            most: demands.iter().fold(Spent::default(), |sum, demand| sum.plus(demand.most(prices))),
            answered: budget.limits.limit_use() && demands.iter().any(|demand| demand.answered),
            strict: demands.iter().any(|demand| demand.apart),
            demands: demands.to_vec(),
        }
    }

    /// The model that cannot be counted, where cost is limited.
    fn unpriced(&self, prices: &Prices) -> Option<String> {
        self.budget.limits.cost_micro_usd?;
        let mut answered = self.demands.iter().filter(|demand| demand.answered);
        let missing =
            answered.find(|d| d.model.as_deref().is_none_or(|model| prices.rates(model).is_none()))?;
        Some(missing.model.clone().unwrap_or_default())
    }

    /// The most that it may use.
    pub fn most(&self) -> Spent {
        self.most
    }

    /// Whether something is reserved that is to be settled at the end.
    pub fn reserves(&self) -> bool {
        self.answered
    }

    /// What it used in the end; see [`Demand::used`].
    pub fn used(&self, ended: Ended, usage: Option<Usage>, model: Option<&str>, prices: &Prices) -> Spent {
        let used = self.demands.iter().map(|demand| demand.used(ended, usage, model, prices));
        used.fold(Spent::default(), Spent::plus)
    }
}

impl Limits {
    /// Those of a budget.
    pub fn of(budget: &Budget) -> Self {
        Self {
            requests: budget.requests,
            tokens: budget.tokens,
            input_tokens: budget.input_tokens,
            output_tokens: budget.output_tokens,
            cost_micro_usd: budget.cost.map(Usd::as_micros),
        }
    }

    /// Whether there is one on what replies use.
    fn limit_use(&self) -> bool {
        self.of_use(Spent::default()).iter().any(|(limit, ..)| limit.is_some())
    }

    /// The limits on what replies use, each with what `spent` has of it.
    pub(super) fn of_use(&self, spent: Spent) -> [(Option<u64>, u64, Why); 4] {
        [
            (self.cost_micro_usd, spent.cost_micro_usd, Why::Cost),
            (self.tokens, spent.tokens(), Why::Tokens),
            (self.input_tokens, spent.input_tokens, Why::InputTokens),
            (self.output_tokens, spent.output_tokens, Why::OutputTokens),
        ]
    }
}
