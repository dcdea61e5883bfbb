//! Exchanges as OpenTelemetry spans, and what was decided as log records, sent by OTLP (docs/otel.md).
//!
//! The log is what is sent: each signal follows it with a cursor of its own in the store ([`crate::store::Followers`]),
//! so that nothing is lost over a restart, and one replica at a time sends. What was on its way when a service ended, or
//! whose answer was lost, is sent again, with the same ids. No text of a request or reply is in it.
//!
//! The encoding is OTLP's JSON: a part of the protocol that the OpenTelemetry Collector takes at the same address as the
//! binary one, and that needs nothing but `serde_json`.

mod follower;
mod logs;
mod place;
mod send;
mod spans;
mod target;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::Value;

use crate::client::Client;
use crate::store::{Store, StoreError};
use follower::{Follower, PAGE};
pub use target::{Headers, Target, TargetError, pairs};
use value::Attributes;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A span for each exchange.
    Traces,
    /// A log record for each decision, and for everything else that the log has.
    Logs,
}

impl Signal {
    /// The word for it, also at the end of its address (`/v1/traces`).
    pub fn word(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }

    /// What its follower is called in the store.
    fn follower(self) -> String {
        format!("otlp.{}", self.word())
    }
}

/// Where spans and log records go, and what they say of where they come from.
#[derive(Debug, Clone)]
pub struct Otlp {
    /// Where spans go; absent: none are sent.
    pub traces: Option<Target>,
    /// Where log records go; absent: none are sent.
    pub logs: Option<Target>,
    /// What speaks to them.
    pub client: Client,
    /// `service.name` and other attributes of the resource.
    pub resource: Vec<(String, String)>,
}

impl Otlp {
    /// Has each signal that is new begin here: what is written from now on is sent.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn begin(&self, store: &dyn Store) -> Result<(), StoreError> {
        for (signal, target) in [(Signal::Traces, &self.traces), (Signal::Logs, &self.logs)] {
            if target.is_some() {
                store.followed(&signal.follower()).await?;
            }
        }
        Ok(())
    }

    /// Sends for ever. `instance`: what this replica is called in `service.instance.id`, and when replicas take turns.
    pub async fn run(
        self,
        store: Arc<dyn Store>,
        instance: String,
        sending: Sending,
        clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    ) {
        let resource = resource(&instance, &self.resource);
        let follow = |signal, target: Option<Target>| {
            let (store, sending, clock) = (Arc::clone(&store), sending.clone(), Arc::clone(&clock));
            let (client, holder, resource) = (self.client.clone(), instance.clone(), resource.clone());
            async move {
                if let Some(target) = target {
                    Follower { signal, target, client, store, clock, holder, resource, sending, page: PAGE }
                        .run()
                        .await;
                }
            }
        };
        tokio::join!(follow(Signal::Traces, self.traces), follow(Signal::Logs, self.logs));
    }
}

/// Which signal a number is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    signal: &'static str,
}

/// What became of spans and log records, for metrics.
#[derive(Debug, Clone, Default)]
pub struct Sending {
    sent: Family<Of, Counter>,
    failed: Family<Of, Counter>,
    dropped: Family<Of, Counter>,
    behind: Family<Of, Gauge>,
}

impl Sending {
    /// Has Prometheus told of them.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Spans and log records that a receiver has taken";
        registry.register("otlp_sent", help, self.sent.clone());
        registry.register("otlp_failed", "Tries to send them that came to nothing", self.failed.clone());
        let help = "Spans and log records that a receiver refused, and that are not sent again";
        registry.register("otlp_dropped", help, self.dropped.clone());
        let help = "Entries of the log that were not looked at yet; the same at each replica";
        registry.register("otlp_behind_entries", help, self.behind.clone());
    }
}

/// The attributes of the resource, each once; what was given comes before what is known.
fn resource(instance: &str, given: &[(String, String)]) -> Value {
    let known = [("service.version", env!("CARGO_PKG_VERSION")), ("service.instance.id", instance)];
    let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all: BTreeMap<&str, &str> = known.into_iter().chain(given).collect();
    let mut attributes = Attributes::default();
    all.into_iter().for_each(|(name, value)| attributes.set(name, value));
    attributes.into_value()
}

/// A message of one signal.
fn message(signal: Signal, resource: &Value, items: Vec<Value>) -> Value {
    let scope = serde_json::json!({"name": "sluice", "version": env!("CARGO_PKG_VERSION")});
    let resource = serde_json::json!({"attributes": resource});
    match signal {
        Signal::Traces => serde_json::json!({"resourceSpans": [
            {"resource": resource, "scopeSpans": [{"scope": scope, "spans": items}]},
        ]}),
        Signal::Logs => serde_json::json!({"resourceLogs": [
            {"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": items}]},
        ]}),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_attribute_of_the_resource_stands_once_and_what_was_given_counts() {
        let given = [("service.name", "gate"), ("service.version", "mine"), ("b", "1"), ("b", "2")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let one = |name: &str, value: &str| json!({"key": name, "value": {"stringValue": value}});
        assert_eq!(
            resource("w1", &given),
            json!([
                one("b", "2"),
                one("service.instance.id", "w1"),
                one("service.name", "gate"),
                one("service.version", "mine"),
            ])
        );
    }
}
