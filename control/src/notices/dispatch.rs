//! Sends what is due, on every replica.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sluice_engine::policy::document::Channel;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::send::{TIMEOUT, send};
use super::{Channels, Delivery, DeliveryState, Outcome};
use crate::client::Client;
use crate::keys::random;
use crate::policies::Publisher;
use crate::store::{Store, StoreError, Taking, Tried};

/// How often the outbox and what is due are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// How often the files of channels are looked at.
const CHECKED: Duration = Duration::from_secs(30);

/// How long a try may take before it counts as lost: the time of the call, and of what is around it.
const TAKEN: Duration = TIMEOUT.saturating_mul(4);

/// Tries of one channel at once; a slow one keeps nobody else waiting.
const AT_ONCE: u32 = 4;

/// Sends notices for as long as the service runs. Whatever is on its way when it ends is sent again.
#[derive(Clone)]
pub struct Dispatcher {
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// The policy in force.
    pub bundle: Publisher,
    /// Where URLs and secrets are.
    pub channels: Channels,
    /// Calls.
    pub client: Client,
    /// The service's own URL, for links.
    pub public_url: String,
    /// The time, in Unix milliseconds.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Tries under way.
#[derive(Default)]
struct Flights {
    all: JoinSet<()>,
    slots: BTreeMap<String, Arc<Semaphore>>,
}

impl Dispatcher {
    /// Sends, for ever.
    pub async fn run(self) {
        let mut flights = Flights::default();
        let watching = self.clone().watch();
        tokio::pin!(watching);
        loop {
            if let Err(error) = self.tick(&mut flights).await {
                tracing::error!(%error, "notices wait: the store cannot be asked");
                tokio::time::sleep(EVERY).await;
            }
            tokio::select! {
                () = &mut watching => {}
                () = tokio::time::sleep(EVERY) => {}
                () = flights.landed() => {}
            }
        }
    }

    /// One look: news become deliveries, and those whose time has come take off.
    async fn tick(&self, flights: &mut Flights) -> Result<(), StoreError> {
        let now = (self.clock)();
        let policy = self.channels_now();
        let authors = self.bundle.borrow().policy.access.authors.clone();
        self.store.route_news(policy.clone(), authors, now).await?;
        for channel in self.store.due_channels(now).await? {
            let free = flights.free(&channel);
            if free == 0 {
                continue;
            }
            let until_ms = now.saturating_add(u64::try_from(TAKEN.as_millis()).unwrap_or(u64::MAX));
            let taking = Taking { channel: channel.clone(), most: free, until_ms };
            for delivery in self.store.take_deliveries(taking, now).await? {
                let to = policy.iter().find(|own| own.name == channel).cloned();
                flights.start(self.clone(), to, delivery);
            }
        }
        Ok(())
    }

    /// Tries one delivery, and writes down what came of it.
    async fn deliver(&self, channel: Option<&Channel>, delivery: &Delivery) {
        let now = (self.clock)();
        let outcome = send(&self.client, &self.channels, channel, delivery, &self.public_url, now).await;
        if let Outcome::Failed { why, .. } = &outcome {
            let (channel, tries) = (&delivery.channel, delivery.tries);
            tracing::warn!(delivery = delivery.id, channel, tries, why, "a notice did not arrive");
        }
        let random = random::<4>().map(u32::from_be_bytes).unwrap_or_default();
        let tried = Tried { delivery: delivery.id.clone(), tries: delivery.tries, outcome, random };
        match self.store.tried(tried, (self.clock)()).await {
            Ok(Some(now)) if now.state == DeliveryState::Dead => tracing::error!(
                delivery = now.id,
                channel = now.channel,
                event = now.notice.kind(),
                "a notice is dead: it will not be tried again until somebody says so (`sluice notices retry`)"
            ),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(delivery = delivery.id, %error, "what became of a notice was not written down")
            }
        }
    }

    /// Says loudly when a channel cannot be told, and when it can again.
    async fn watch(self) {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        let mut bundle = self.bundle.clone();
        loop {
            let mut faults = BTreeMap::new();
            for channel in self.channels_now() {
                if let Some(fault) = self.channels.fault(&channel).await {
                    if known.get(&channel.name) != Some(&fault) {
                        tracing::error!(
                            channel = channel.name,
                            fault,
                            "nobody is told on this channel; its notices wait, and then die"
                        );
                    }
                    faults.insert(channel.name, fault);
                }
            }
            for channel in known.keys().filter(|channel| !faults.contains_key(*channel)) {
                tracing::info!(channel, "this channel is in order");
            }
            known = faults;
            tokio::select! {
                changed = bundle.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = tokio::time::sleep(CHECKED) => {}
            }
        }
    }

    fn channels_now(&self) -> Vec<Channel> {
        self.bundle.borrow().policy.notices.clone()
    }
}

impl Flights {
    /// How many more a channel may have under way.
    fn free(&mut self, channel: &str) -> u32 {
        u32::try_from(self.slots(channel).available_permits()).unwrap_or(AT_ONCE)
    }

    fn start(&mut self, dispatcher: Dispatcher, channel: Option<Channel>, delivery: Delivery) {
        let slot = self.slots(&delivery.channel).try_acquire_owned();
        self.all.spawn(async move {
            dispatcher.deliver(channel.as_ref(), &delivery).await;
            drop(slot);
        });
    }

    fn slots(&mut self, channel: &str) -> Arc<Semaphore> {
        let new = || Arc::new(Semaphore::new(AT_ONCE as usize));
        Arc::clone(self.slots.entry(channel.to_owned()).or_insert_with(new))
    }

    /// Waits until one has come to its end; for ever where none is under way.
    async fn landed(&mut self) {
        match self.all.join_next().await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::error!(%error, "a try of a notice ended badly; it is tried again"),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
