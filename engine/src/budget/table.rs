//! The counters: what was used, what is reserved, and what others have used.
//!
//! A table is plain data, so that it can live in memory that several VMs share: whoever changes it reads it, changes
//! the copy, and writes it back if nobody was faster.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Claim, Exceeded, Limits, Spent, Why};

/// How long a reservation stands: far longer than a reply may take. One whose VM died must not stand for ever.
const LAPSE_MS: u64 = 3_600_000;

/// What others have reserved is forgotten when nobody has told it again for this long: they may have died.
pub const RESERVED_MS: u64 = 15_000;

/// How long a counter is kept after its window, for replies that are still under way and for the last report.
const GRACE_MS: u64 = 120_000;

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// A person's own.
    Person {
        /// The issuer's name in the policy.
        issuer: String,
        /// The subject.
        subject: String,
    },
    /// All members of a group have it together.
    Group(String),
}

/// Names a counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The budget's name.
    pub budget: String,
    /// The length of its window. A budget that is given another window counts anew.
    pub window_seconds: u64,
    /// When the window began, in Unix milliseconds.
    pub start_ms: u64,
    /// Whose it is.
    pub holder: Holder,
}

impl Key {
    /// When the window ends, in Unix milliseconds.
    pub const fn end_ms(&self) -> u64 {
        self.start_ms.saturating_add(self.window_seconds.saturating_mul(1000))
    }

    /// A number below `shards`, the same for every window of a budget and holder.
    pub fn shard(&self, shards: u32) -> u32 {
        let mut sha = Sha256::new();
        let (kind, first, second) = match &self.holder {
            Holder::Person { issuer, subject } => ("person", issuer.as_str(), subject.as_str()),
            Holder::Group(group) => ("group", group.as_str(), ""),
        };
        for text in [self.budget.as_str(), kind, first, second] {
            sha.update((text.len() as u64).to_be_bytes());
            sha.update(text.as_bytes());
        }
        let start = sha.finalize().first_chunk::<4>().copied().unwrap_or_default();
        u32::from_be_bytes(start) % shards.max(1)
    }
}

/// What one counter says, as filters and control tell it each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counter {
    /// Which.
    pub key: Key,
    /// What was used.
    pub used: Spent,
    /// What is reserved for requests under way.
    pub reserved: Spent,
}

impl Counter {
    /// From when on nothing will be added to it any more, so that it can go; `None`: something is still under way.
    pub fn over_ms(&self) -> Option<u64> {
        self.reserved.is_zero().then(|| self.key.end_ms().saturating_add(GRACE_MS))
    }

    /// Whether nothing will be added to it any more.
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.over_ms().is_some_and(|over_ms| over_ms <= now_ms)
    }
}

/// Counters of some holders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    key: Key,
    used: Spent,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reserved: Vec<Reservation>,
    #[serde(default, skip_serializing_if = "Spent::is_zero")]
    others: Spent,
    #[serde(default, skip_serializing_if = "Spent::is_zero")]
    others_reserved: Spent,
    #[serde(default)]
    told_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reservation {
    exchange: String,
    most: Spent,
    until_ms: u64,
}

/// How a holder stands with a budget after a request was admitted, for the headers that say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The budget's limits.
    pub limits: Limits,
    /// What was used or is reserved.
    pub taken: Spent,
    /// When the window ends, in Unix milliseconds.
    pub until_ms: u64,
}

impl Table {
    /// Admits a request: counts it, and reserves what it may use.
    ///
    /// # Errors
    /// [`Exceeded`] when the budget does not allow it; nothing has changed then.
    pub fn admit(&mut self, claim: &Claim, exchange: &str, now_ms: u64) -> Result<Standing, Box<Exceeded>> {
        self.check(claim, now_ms)?;
        self.evict(now_ms);
        let taken = self.change(&claim.key, |row| {
            row.used.requests = row.used.requests.saturating_add(claim.requests);
            if claim.answered {
                let until_ms = now_ms.saturating_add(LAPSE_MS);
                let exchange = exchange.to_owned();
                row.reserved.push(Reservation { exchange, most: claim.most, until_ms });
            }
            row.used().plus(row.reserved(now_ms))
        });
        Ok(Standing { limits: claim.budget.limits, taken, until_ms: claim.key.end_ms() })
    }

    /// Whether a request would be admitted.
    ///
    /// # Errors
    /// [`Exceeded`] when it would not.
    pub fn check(&self, claim: &Claim, now_ms: u64) -> Result<(), Box<Exceeded>> {
        let row = self.rows.iter().find(|row| row.key == claim.key);
        let used = row.map(|row| row.used()).unwrap_or_default();
        let reserved = row.map(|row| row.reserved(now_ms)).unwrap_or_default();
        let exceeded = |why| Err(Exceeded::new(claim, why, used, reserved));
        let limits = claim.budget.limits;
        if claim.answered {
            for (limit, used, why) in limits.of_use(used) {
                if limit.is_some_and(|limit| used >= limit) {
                    return exceeded(why);
                }
            }
        }
        if limits.requests.is_some_and(|limit| used.requests.saturating_add(claim.requests) > limit) {
            return exceeded(Why::Requests);
        }
        if claim.answered && claim.strict {
            for (limit, taken, why) in limits.of_use(used.plus(reserved).plus(claim.most)) {
                if limit.is_some_and(|limit| taken > limit) {
                    return exceeded(Why::TooMuch(Box::new(why)));
                }
            }
        } else if claim.answered {
            for (limit, taken, why) in limits.of_use(used.plus(reserved)) {
                if limit.is_some_and(|limit| taken >= limit) {
                    return exceeded(Why::Reserved(Box::new(why)));
                }
            }
        }
        Ok(())
    }

    /// Counts a request that was refused for other reasons: it costs itself and nothing else.
    pub fn count(&mut self, claim: &Claim, now_ms: u64) {
        self.evict(now_ms);
        self.change(&claim.key, |row| {
            row.used.requests = row.used.requests.saturating_add(claim.requests);
        });
    }

    /// Ends a reservation and counts what was used. A window that has long ended is left alone.
    pub fn settle(&mut self, key: &Key, exchange: &str, used: Spent, now_ms: u64) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.key == *key) {
            row.reserved.retain(|reservation| reservation.exchange != exchange);
            row.used = row.used.plus(used);
        }
        self.evict(now_ms);
    }

    /// Takes in what all others together have used and reserved, as of now.
    pub fn tell(&mut self, all: &[Counter], now_ms: u64) {
        self.evict(now_ms);
        for others in all {
            self.change(&others.key, |row| {
                row.others = others.used;
                row.others_reserved = others.reserved;
                row.told_ms = now_ms;
            });
        }
    }

    /// What was counted here, what others told left out.
    pub fn counters(&self, now_ms: u64) -> impl Iterator<Item = Counter> {
        self.rows.iter().map(move |row| Counter {
            key: row.key.clone(),
            used: row.used,
            reserved: row.own_reserved(now_ms),
        })
    }

    /// Removes counters whose window has long ended, and reservations that have lapsed.
    pub fn evict(&mut self, now_ms: u64) {
        self.rows.retain(|row| !row.is_over(now_ms));
        for row in &mut self.rows {
            row.reserved.retain(|reservation| reservation.until_ms > now_ms);
        }
    }

    /// Changes the row of a key, which is made where there is none.
    fn change<T>(&mut self, key: &Key, change: impl FnOnce(&mut Row) -> T) -> T {
        if let Some(row) = self.rows.iter_mut().find(|row| row.key == *key) {
            return change(row);
        }
        let mut row = Row::new(key.clone());
        let out = change(&mut row);
        self.rows.push(row);
        out
    }
}

impl Row {
    fn new(key: Key) -> Self {
        let (used, others, others_reserved) = Default::default();
        Self { key, used, reserved: Vec::new(), others, others_reserved, told_ms: 0 }
    }

    fn used(&self) -> Spent {
        self.used.plus(self.others)
    }

    fn own_reserved(&self, now_ms: u64) -> Spent {
        let live = self.reserved.iter().filter(|reservation| reservation.until_ms > now_ms);
        live.fold(Spent::default(), |sum, reservation| sum.plus(reservation.most))
    }

    fn reserved(&self, now_ms: u64) -> Spent {
        let told = now_ms.saturating_sub(self.told_ms) < RESERVED_MS;
        self.own_reserved(now_ms).plus(if told { self.others_reserved } else { Spent::default() })
    }

    fn is_over(&self, now_ms: u64) -> bool {
        let live = self.reserved.iter().any(|reservation| reservation.until_ms > now_ms);
        !live && self.key.end_ms().saturating_add(GRACE_MS) <= now_ms
    }
}
