//! One signal follows the log.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::send::{Outcome, TIMEOUT, send};
use super::{Of, Sending, Signal, Target, logs, message, spans};
use crate::client::Client;
use crate::keys::random;
use crate::store::{Advance, Followed, Store, StoreError, Which};

/// How often the log's end is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Entries that are looked at for one message.
pub const PAGE: u32 = 500;

/// The largest message, in bytes; the Collector takes 20 MiB.
const LARGEST: usize = 4 << 20;

/// How long a turn lasts: much longer than a message takes.
const TURN: Duration = TIMEOUT.saturating_mul(6);

/// The first pause after a failure, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// The longest that a receiver may ask to be left alone.
const ASKED: Duration = Duration::from_secs(3600);

/// One signal on its way to one receiver.
pub struct Follower {
    /// The signal.
    pub signal: Signal,
    /// The receiver.
    pub target: Target,
    /// What calls it.
    pub client: Client,
    /// The log.
    pub store: Arc<dyn Store>,
    /// The time, in Unix milliseconds.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// What this replica is called.
    pub holder: String,
    /// What messages say of who sends them.
    pub resource: Value,
    /// What became of them.
    pub sending: Sending,
    /// Entries of the next message, [`PAGE`] at first: fewer after one that was refused, to find what it was refused
    /// for.
    pub page: u32,
}

/// What a look at the log came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It went on, and there may be more.
    On,
    /// There is nothing to do.
    Rest,
    /// It failed. The receiver asks for so many milliseconds.
    Failed(Option<u64>),
}

impl Follower {
    /// Follows for ever.
    pub async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            let step = self.step().await.unwrap_or_else(|error| {
                tracing::error!(signal = self.signal.word(), %error, "OTLP: the log cannot be read, or not followed");
                Step::Failed(None)
            });
            failures = if matches!(step, Step::Failed(_)) { failures.saturating_add(1) } else { 0 };
            match step {
                Step::On => {}
                Step::Rest => tokio::time::sleep(EVERY).await,
                Step::Failed(asked) => {
                    let random = random::<4>().map(u32::from_be_bytes).unwrap_or_default();
                    tokio::time::sleep(pause(failures, asked, random)).await;
                }
            }
        }
    }

    /// One message, or what stands in its way.
    pub(super) async fn step(&mut self) -> Result<Step, StoreError> {
        let name = self.signal.follower();
        let at = self.store.followed(&name).await?;
        let of = Of { signal: self.signal.word() };
        self.sending.behind.get_or_create(&of).set(at.end.saturating_sub(at.done));
        let others = at.holder != self.holder && at.until_ms > (self.clock)();
        if at.done >= at.end || others {
            return Ok(Step::Rest);
        }
        let which = Which { after: at.done, limit: self.page, ..Which::default() };
        let entries = self.store.entries(which).await?;
        let Some(last) = entries.last().map(|last| last.cursor) else { return Ok(Step::Rest) };
        let items = match self.signal {
            Signal::Traces => spans::spans(&*self.store, &entries).await?,
            Signal::Logs => logs::records(&*self.store, &entries).await?,
        };
        if items.is_empty() {
            return self.advance(&name, &at, last).await;
        }
        if !self.holds(&at) && self.advance(&name, &at, at.done).await? == Step::Rest {
            return Ok(Step::Rest);
        }
        let count = items.len() as u64;
        let body = message(self.signal, &self.resource, items).to_string().into_bytes();
        let outcome = if body.len() > LARGEST && entries.len() > 1 {
            Outcome::Refused(format!("the message would have {} bytes", body.len()))
        } else {
            send(&self.client, &self.target, body, (self.clock)()).await
        };
        match outcome {
            Outcome::Taken(rejected, said) => {
                self.note_taken(count, rejected, said.as_deref());
                self.page = self.page.saturating_mul(2).min(PAGE);
                self.advance(&name, &at, last).await
            }
            Outcome::Later(why, asked) => {
                self.sending.failed.get_or_create(&of).inc();
                let signal = self.signal.word();
                tracing::warn!(signal, why, "OTLP: nothing was sent; it is tried again, and nothing is lost");
                Ok(Step::Failed(asked))
            }
            Outcome::Refused(why) if entries.len() > 1 => {
                // Some of it may be taken by itself.
                self.page = u32::try_from(entries.len() / 2).unwrap_or(PAGE);
                self.sending.failed.get_or_create(&of).inc();
                let signal = self.signal.word();
                tracing::warn!(
                    signal,
                    why,
                    page = self.page,
                    "OTLP: a message was refused; smaller ones are tried"
                );
                Ok(Step::Failed(None))
            }
            Outcome::Refused(why) => {
                // With a pause behind it: a receiver that refuses everything must not empty the log.
                self.sending.dropped.get_or_create(&of).inc_by(count);
                let signal = self.signal.word();
                tracing::error!(
                    signal,
                    why,
                    cursor = last,
                    "OTLP: what this entry of the log came to is left out"
                );
                self.advance(&name, &at, last).await?;
                Ok(Step::Failed(None))
            }
        }
    }

    /// Whether it is this replica's turn for longer than a message takes.
    fn holds(&self, at: &Followed) -> bool {
        let needed = (self.clock)().saturating_add(ms(TIMEOUT.saturating_mul(2)));
        at.holder == self.holder && at.until_ms > needed
    }

    async fn advance(&self, name: &str, at: &Followed, to: i64) -> Result<Step, StoreError> {
        let now = (self.clock)();
        let step = Advance {
            follower: name.to_owned(),
            holder: self.holder.clone(),
            from: at.done,
            to,
            until_ms: now.saturating_add(ms(TURN)),
        };
        Ok(if self.store.advance(step, now).await? { Step::On } else { Step::Rest })
    }

    fn note_taken(&self, count: u64, rejected: u64, said: Option<&str>) {
        let of = Of { signal: self.signal.word() };
        let rejected = rejected.min(count);
        self.sending.sent.get_or_create(&of).inc_by(count - rejected);
        if rejected > 0 {
            self.sending.dropped.get_or_create(&of).inc_by(rejected);
        }
        if rejected > 0 || said.is_some() {
            let said = said.unwrap_or("it does not say why");
            tracing::warn!(signal = of.signal, rejected, said, "OTLP: the receiver did not take everything");
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The pause after so many failures: twice as long each time, between half and all of it as `random` says, and not shorter
/// than the receiver asks.
fn pause(failures: u32, asked_ms: Option<u64>, random: u32) -> Duration {
    let planned = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    let jittered = planned.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX));
    jittered.max(Duration::from_millis(asked_ms.unwrap_or_default()).min(ASKED))
}

#[cfg(test)]
mod tests;
