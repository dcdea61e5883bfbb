//! What a reply costs.

use crate::policy::document::{Price, Usd};
use crate::policy::glob::{Glob, GlobError};
use crate::record::Usage;

/// The price table, compiled.
#[derive(Debug, Clone, Default)]
pub struct Prices(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    models: Vec<Glob>,
    rates: Rates,
}

/// Micro-dollars for a million tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    input: u64,
    output: u64,
    cache_write: u64,
    cache_write_1h: u64,
    cache_read: u64,
}

const MILLION: u128 = 1_000_000;

impl Prices {
    /// Compiles the table.
    ///
    /// # Errors
    /// The place in the policy and what is wrong there.
    pub fn new(prices: &[Price]) -> Result<Self, (String, GlobError)> {
        let mut entries = Vec::new();
        for (n, price) in prices.iter().enumerate() {
            let models = crate::policy::glob::globs(&price.models)
                .map_err(|(m, why)| (format!("prices[{n}].models[{m}]"), why))?;
            entries.push(Entry { models, rates: Rates::new(price) });
        }
        Ok(Self(entries))
    }

    /// The rates of a model; `None`: it has no price.
    pub(super) fn rates(&self, model: &str) -> Option<&Rates> {
        let fits = |entry: &&Entry| entry.models.iter().any(|glob| glob.matches(model));
        self.0.iter().find(fits).map(|entry| &entry.rates)
    }

    /// What a reply cost, in micro-dollars, rounded up; `None`: the model has no price.
    pub fn cost(&self, model: &str, usage: &Usage) -> Option<u64> {
        Some(self.rates(model)?.cost(usage))
    }
}

impl Rates {
    /// The multiples of what is left out are the API's own: a cache write costs 1.25 times the input (an hour: twice),
    /// a cache read a tenth. Source: the API's pricing page, "Prompt caching".
    fn new(price: &Price) -> Self {
        let input = price.input.as_micros();
        let or = |given: Option<Usd>, times: u64, by: u64| {
            given.map_or(input.saturating_mul(times).div_ceil(by), Usd::as_micros)
        };
        Self {
            input,
            output: price.output.as_micros(),
            cache_write: or(price.cache_write, 5, 4),
            cache_write_1h: or(price.cache_write_1h, 2, 1),
            cache_read: or(price.cache_read, 1, 10),
        }
    }

    fn cost(&self, usage: &Usage) -> u64 {
        let hour = usage.cache_creation_1h_input_tokens.min(usage.cache_creation_input_tokens);
        let parts = [
            (usage.input_tokens, self.input),
            (usage.output_tokens, self.output),
            (usage.cache_creation_input_tokens - hour, self.cache_write),
            (hour, self.cache_write_1h),
            (usage.cache_read_input_tokens, self.cache_read),
        ];
        sum(&parts)
    }

    /// What a request may cost at the most: its prompt might all be written to the cache for an hour.
    pub(super) fn most(&self, input_tokens: u64, output_tokens: u64) -> u64 {
        let input = self.input.max(self.cache_write).max(self.cache_write_1h).max(self.cache_read);
        sum(&[(input_tokens, input), (output_tokens, self.output)])
    }
}

/// Tokens times micro-dollars for a million, rounded up to a micro-dollar.
fn sum(parts: &[(u64, u64)]) -> u64 {
    // The product of two 64-bit numbers fits; five of them may not.
    let sum = parts
        .iter()
        .fold(0u128, |sum, (tokens, rate)| sum.saturating_add(u128::from(*tokens) * u128::from(*rate)));
    u64::try_from(sum.div_ceil(MILLION)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prices(value: serde_json::Value) -> Prices {
        Prices::new(&serde_json::from_value::<Vec<Price>>(value).unwrap()).unwrap()
    }

    #[test]
    fn each_kind_of_token_has_its_price_and_the_sum_is_rounded_up_once() {
        let prices =
            prices(json!([{ "name": "s", "models": ["claude-sonnet-*"], "input": "3", "output": "15",
            "cacheWrite": "3.75", "cacheWrite1h": "6", "cacheRead": "0.3" }]));
        let usage = |input, output, write, hour, read| Usage {
            input_tokens: input,
            output_tokens: output,
            cache_creation_input_tokens: write,
            cache_creation_1h_input_tokens: hour,
            cache_read_input_tokens: read,
            ..Usage::default()
        };
        for (used, micros) in [
            (usage(1_000_000, 0, 0, 0, 0), 3_000_000),
            (usage(0, 1_000_000, 0, 0, 0), 15_000_000),
            (usage(0, 0, 1_000_000, 0, 0), 3_750_000),
            (usage(0, 0, 1_000_000, 1_000_000, 0), 6_000_000),
            (usage(0, 0, 1_000_000, 500_000, 0), 4_875_000),
            // More for an hour than was written at all: what a provider writes is no reason to count below zero.
            (usage(0, 0, 10, 99, 0), 60),
            (usage(0, 0, 0, 0, 1_000_000), 300_000),
            (usage(0, 0, 0, 0, 1), 1),
            (usage(1, 1, 0, 0, 1), 19),
            (usage(0, 0, 0, 0, 0), 0),
            (usage(u64::MAX, u64::MAX, u64::MAX, 0, u64::MAX), u64::MAX),
        ] {
            assert_eq!(prices.cost("claude-sonnet-x", &used), Some(micros), "{used:?}");
        }
        assert_eq!(prices.cost("claude-opus-x", &usage(1, 1, 1, 1, 1)), None, "a model without a price");
    }

    #[test]
    fn the_first_entry_that_fits_holds_and_cache_prices_follow_the_input() {
        let prices = prices(json!([
            { "name": "a", "models": ["claude-a-*"], "input": 1, "output": 5 },
            { "name": "rest", "models": ["*"], "input": 100, "output": 100 },
        ]));
        let million = Usage { input_tokens: 1_000_000, ..Usage::default() };
        assert_eq!(prices.cost("claude-a-1", &million), Some(1_000_000));
        assert_eq!(prices.cost("claude-b-1", &million), Some(100_000_000));
        let cached = Usage {
            cache_creation_input_tokens: 1_000_000,
            cache_read_input_tokens: 1_000_000,
            ..Usage::default()
        };
        assert_eq!(prices.cost("claude-a-1", &cached), Some(1_350_000));
    }
}
