//! What a request asks for, and what it used in the end.

use super::{Prices, Spent};
use crate::record::Usage;

/// How many bytes of a body are taken for one token where nothing better is known yet: fewer than a token of English
/// or code has, so that the estimate is on the high side.
const BYTES_PER_TOKEN: u64 = 3;

/// More than a model writes in one reply: what is taken for `max_tokens` where the body has no plain integer for it, and
/// where it has a larger one, which the API refuses. So nobody reserves all that a group has with one wild request.
const MOST_OUTPUT: u64 = 128_000;

/// The largest context of a model, for the same reason.
const MOST_INPUT: u64 = 1_000_000;

/// What one request, or the requests of one model in a batch, may use at the most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// The model asked for.
    pub model: Option<String>,
    /// How many requests.
    pub requests: u64,
    /// Tokens of the prompt, by an estimate.
    pub input_tokens: u64,
    /// Tokens that the model may write.
    pub output_tokens: u64,
    /// Whether a model answers: `count_tokens`, lists and files use no tokens.
    pub answered: bool,
    /// Whether what it uses is only known later, elsewhere, or never: a batch.
    pub apart: bool,
}

/// How an exchange ended, for what is not known of its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It never went upstream.
    Refused,
    /// It went upstream, and the client left before a reply began.
    Unanswered,
    /// Upstream replied with this status. `seen`: bytes that the model wrote, when the reply was cut before it said its
    /// usage.
    Replied {
        /// The HTTP status.
        status: u16,
        /// Bytes of text, thinking and tool input.
        seen: Option<u64>,
    },
}

impl Demand {
    /// A request that uses no tokens.
    pub fn plain(model: Option<String>) -> Self {
        Self { model, requests: 1, ..Self::default() }
    }

    /// A Messages request of so many bytes.
    pub fn message(model: Option<String>, bytes: usize, max_tokens: Option<u64>) -> Self {
        Self {
            model,
            requests: 1,
            input_tokens: tokens(bytes as u64).min(MOST_INPUT),
            output_tokens: max_tokens.unwrap_or(MOST_OUTPUT).min(MOST_OUTPUT),
            answered: true,
            apart: false,
        }
    }

    /// Takes in another request of the same model.
    pub fn join(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
    }

    /// The most that it may use, requests left out. A model without a price costs nothing here: where cost is limited
    /// it is refused.
    pub fn most(&self, prices: &Prices) -> Spent {
        let rates = self.model.as_deref().and_then(|model| prices.rates(model));
        Spent {
            requests: 0,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost_micro_usd: rates.map_or(0, |rates| rates.most(self.input_tokens, self.output_tokens)),
        }
    }

    /// What it used. `usage` is what the reply said, `model` who answered.
    ///
    /// * Refused here, or by upstream with an error: nothing.
    /// * The client left before the reply began: the prompt.
    /// * The reply was cut: what it said so far, and for the output what of it was seen.
    /// * A reply that says nothing of its usage: the most. So does a batch, once it is created.
    pub fn used(&self, ended: Ended, usage: Option<Usage>, model: Option<&str>, prices: &Prices) -> Spent {
        if !self.answered {
            return Spent::default();
        }
        if self.apart {
            let failed = matches!(ended, Ended::Refused | Ended::Replied { status: 400.., .. });
            return if failed { Spent::default() } else { self.most(prices) };
        }
        let prompt = Usage { input_tokens: self.input_tokens, ..Usage::default() };
        let most = Usage { output_tokens: self.output_tokens, ..prompt };
        let used = match (ended, usage) {
            (Ended::Refused, _) => Usage::default(),
            (Ended::Unanswered, usage) => usage.unwrap_or(prompt),
            (Ended::Replied { seen: None, .. }, Some(usage)) => usage,
            (Ended::Replied { status, .. }, _) if status >= 400 => Usage::default(),
            (Ended::Replied { seen: Some(seen), .. }, usage) => {
                let said = usage.unwrap_or(prompt);
                Usage { output_tokens: said.output_tokens.max(tokens(seen)), ..said }
            }
            (Ended::Replied { seen: None, .. }, None) => most,
        };
        self.spent(&used, model, prices)
    }

    fn spent(&self, usage: &Usage, model: Option<&str>, prices: &Prices) -> Spent {
        // Who answered may be a dated name of who was asked, or another model that the provider fell back to.
        let cost = model.and_then(|model| prices.cost(model, usage));
        let cost = cost.or_else(|| prices.cost(self.model.as_deref()?, usage));
        let cached = usage.cache_read_input_tokens.saturating_add(usage.cache_creation_input_tokens);
        Spent {
            requests: 0,
            input_tokens: usage.input_tokens.saturating_add(cached),
            output_tokens: usage.output_tokens,
            cost_micro_usd: cost.unwrap_or(0),
        }
    }
}

/// Tokens of so many bytes, by the estimate.
fn tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}
