//! What a caller reads whose budget does not allow a request.

use super::{Claim, Holder, Limits, Spent};
use crate::claude::error::ErrorKind;
use crate::judge::Refusal;
use crate::policy::document::{Duration, Usd};

/// The longest `retry-after` with which a client is told to come again by itself: Claude Code gives up above.
const PATIENCE_SECONDS: u64 = 60;

/// When what is reserved may have been given back.
const RESERVED_SECONDS: u64 = 5;

/// Why a budget does not allow a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Its requests are used up.
    Requests,
    /// Its tokens are used up.
    Tokens,
    /// Its tokens of prompts are used up.
    InputTokens,
    /// Its tokens of replies are used up.
    OutputTokens,
    /// Its dollars are used up.
    Cost,
    /// What is left of it is reserved by requests under way.
    Reserved(Box<Why>),
    /// A batch may use more than what is left.
    TooMuch(Box<Why>),
    /// It limits cost, and this model has no price.
    Unpriced(String),
}

/// A budget that does not allow a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// The budget's name.
    pub budget: String,
    /// Why.
    pub why: Why,
    holder: Holder,
    limits: Limits,
    window: Duration,
    message: Option<String>,
    used: Spent,
    reserved: Spent,
    most: Spent,
    /// When the window ends, in Unix milliseconds.
    until_ms: u64,
}

impl Exceeded {
    pub(super) fn new(claim: &Claim, why: Why, used: Spent, reserved: Spent) -> Box<Self> {
        Box::new(Self {
            budget: claim.budget.name.clone(),
            why,
            holder: claim.key.holder.clone(),
            limits: claim.budget.limits,
            window: claim.budget.window,
            message: claim.budget.message.clone(),
            used,
            reserved,
            most: claim.most,
            until_ms: claim.key.end_ms(),
        })
    }

    /// The one of two that keeps the caller out for longer.
    #[must_use]
    pub fn worse(self: Box<Self>, other: Box<Self>) -> Box<Self> {
        if other.weight() > self.weight() { other } else { self }
    }

    fn weight(&self) -> (u8, u64) {
        let class = match self.why {
            Why::Reserved(_) => 0,
            Why::Requests | Why::Tokens | Why::InputTokens | Why::OutputTokens | Why::Cost => 1,
            Why::TooMuch(_) => 2,
            Why::Unpriced(_) => 3,
        };
        (class, self.until_ms)
    }

    /// The refusal: a rate is `rate_limit_error`, a budget that is used up `billing_error`.
    pub fn refusal(&self, now_ms: u64) -> Refusal {
        let kind = match self.why {
            Why::Requests | Why::Reserved(_) => ErrorKind::RateLimit,
            Why::Unpriced(_) => ErrorKind::Permission,
            _ => ErrorKind::Billing,
        };
        let budget = &self.budget;
        let mut message = match &self.why {
            Why::Unpriced(model) => format!(
                "budget `{budget}` limits cost, and model `{}` has no price in the policy, so that it cannot be counted; use another model, or ask for an entry in `prices`",
                model.chars().take(100).collect::<String>()
            ),
            Why::Requests => format!(
                "budget `{budget}`{} allows {}, and {} were made; {}",
                self.whose(),
                self.limit(&Why::Requests),
                self.used.requests,
                self.next(now_ms)
            ),
            Why::Reserved(what) => format!(
                "what is left of budget `{budget}`{} is reserved by requests under way: {} used and up to {} reserved of {}; come again when one has ended",
                self.whose(),
                amount(what, self.used),
                amount(what, self.reserved),
                self.limit(what)
            ),
            Why::TooMuch(what) => format!(
                "this batch may use {}, which is more than is left of budget `{budget}`{}: {} used and reserved of {}; send a smaller batch or a smaller `max_tokens`, or wait: {}",
                amount(what, self.most),
                self.whose(),
                amount(what, self.used.plus(self.reserved)),
                self.limit(what),
                self.next(now_ms)
            ),
            why => format!(
                "budget `{budget}`{} is used up: {} of {}; {}",
                self.whose(),
                amount(why, self.used),
                self.limit(why),
                self.next(now_ms)
            ),
        };
        if let Some(more) = &self.message {
            message.push_str(". ");
            message.push_str(more);
        }
        Refusal::new(kind, budget, message)
    }

    /// Seconds until it is worth coming again, and whether a client should do so by itself.
    pub fn retry(&self, now_ms: u64) -> Option<(u64, bool)> {
        let seconds = self.until_ms.saturating_sub(now_ms).div_ceil(1000).max(1);
        match self.why {
            Why::Unpriced(_) => None,
            Why::Reserved(_) => Some((RESERVED_SECONDS.min(seconds), true)),
            Why::Requests => Some((seconds, seconds <= PATIENCE_SECONDS)),
            _ => Some((seconds, false)),
        }
    }

    /// The headers of the answer beside `retry-after` and `x-should-retry`.
    ///
    /// `anthropic-ratelimit-unified-*` are what Claude Code 2.1.330 reads of an answer with 429; its own gateway sends the
    /// same for a spend limit. With `overage-disabled-reason` it makes one attempt and shows our message; without it, to
    /// people who signed in to a gateway, it says in front that this is no usage limit of theirs (seen in a run).
    pub fn headers(&self, now_ms: u64) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if self.why == Why::Requests {
            headers.extend([
                ("anthropic-ratelimit-requests-limit", self.limits.requests.unwrap_or(0).to_string()),
                ("anthropic-ratelimit-requests-remaining", "0".into()),
                ("anthropic-ratelimit-requests-reset", rfc3339(self.until_ms)),
            ]);
        }
        if self.retry(now_ms).is_some_and(|(_, again)| !again) {
            let reset = self.until_ms.div_ceil(1000).to_string();
            headers.extend([
                ("anthropic-ratelimit-unified-status", "rejected".into()),
                ("anthropic-ratelimit-unified-reset", reset.clone()),
                ("anthropic-ratelimit-unified-overage-reset", reset),
                ("anthropic-ratelimit-unified-overage-disabled-reason", "org_spend_cap_reached".into()),
            ]);
        }
        headers
    }

    fn whose(&self) -> String {
        match &self.holder {
            Holder::Person { .. } => String::new(),
            Holder::Group(group) => format!(" of group `{group}`"),
        }
    }

    fn limit(&self, why: &Why) -> String {
        let limit = |limit: Option<u64>| limit.unwrap_or(0);
        let window = self.window;
        match why {
            Why::Requests => format!("{} requests in {window}", limit(self.limits.requests)),
            Why::Tokens => format!("{} tokens in {window}", limit(self.limits.tokens)),
            Why::InputTokens => format!("{} input tokens in {window}", limit(self.limits.input_tokens)),
            Why::OutputTokens => format!("{} output tokens in {window}", limit(self.limits.output_tokens)),
            _ => format!("{} US dollars in {window}", Usd::micros(limit(self.limits.cost_micro_usd))),
        }
    }

    fn next(&self, now_ms: u64) -> String {
        let seconds = self.until_ms.saturating_sub(now_ms).div_ceil(1000);
        let length = match seconds {
            0..=119 => format!("{seconds} s"),
            120..=7199 => format!("{} min", seconds.div_ceil(60)),
            7200..=172_799 => format!("{} h", seconds.div_ceil(3600)),
            _ => format!("{} days", seconds.div_ceil(86_400)),
        };
        format!("it is free again in {length}, at {} UTC", utc(self.until_ms))
    }
}

fn amount(why: &Why, spent: Spent) -> String {
    match why {
        Why::Requests => spent.requests.to_string(),
        Why::Tokens => spent.tokens().to_string(),
        Why::InputTokens => spent.input_tokens.to_string(),
        Why::OutputTokens => spent.output_tokens.to_string(),
        // To the cent, upwards: nobody reads millionths in a sentence.
        _ => Usd::micros(spent.cost_micro_usd.div_ceil(10_000).saturating_mul(10_000)).to_string(),
    }
}

impl super::Standing {
    /// The informational headers that the API sends of its own limits, for these: of several, the one with the least
    /// left.
    pub fn headers(all: &[Self]) -> Vec<(&'static str, String)> {
        let least = |limit: fn(&Limits) -> Option<u64>, taken: fn(Spent) -> u64| {
            let limited =
                all.iter().filter_map(|own| Some((limit(&own.limits)?, taken(own.taken), own.until_ms)));
            limited.min_by_key(|(limit, taken, until)| (limit.saturating_sub(*taken), u64::MAX - until))
        };
        let mut headers = Vec::new();
        if let Some((limit, taken, until_ms)) = least(|limits| limits.requests, |spent| spent.requests) {
            headers.extend([
                ("anthropic-ratelimit-requests-limit", limit.to_string()),
                ("anthropic-ratelimit-requests-remaining", limit.saturating_sub(taken).to_string()),
                ("anthropic-ratelimit-requests-reset", rfc3339(until_ms)),
            ]);
        }
        if let Some((limit, taken, until_ms)) = least(|limits| limits.tokens, Spent::tokens) {
            headers.extend([
                ("anthropic-ratelimit-tokens-limit", limit.to_string()),
                ("anthropic-ratelimit-tokens-remaining", limit.saturating_sub(taken).to_string()),
                ("anthropic-ratelimit-tokens-reset", rfc3339(until_ms)),
            ]);
        }
        headers
    }
}

fn rfc3339(ms: u64) -> String {
    format!("{}Z", utc(ms).replace(' ', "T"))
}

/// A moment in UTC, to the second: `2026-11-21 23:22:05`. By Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
pub fn utc(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}
