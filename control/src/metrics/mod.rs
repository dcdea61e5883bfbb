//! What the service tells of itself, for Prometheus: OpenMetrics text at `/metrics`, on a listener of its own.
//!
//! Labels have few values: routes are templates, issuers are those of the policy, and nobody's name stands in one. Where
//! several replicas tell of the database they share (holds that wait, grants that are live), each says the same: take
//! the largest, and sum what is counted.

mod http;
mod state;

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use http::{Http, measure};
pub use state::{Seen, serve};

use crate::anchors::Kept;
use crate::otlp::Sending;
use crate::records::Entry;

/// Media type of what [`Metrics::text`] gives.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of what takes between a tenth of a millisecond and ten seconds, in seconds.
const SHORT: [f64; 13] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0];

/// Bounds of calls, some of which wait for up to a minute, in seconds.
const CALLS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0];

/// Bounds of what people take to decide, in seconds: from ten seconds to a day.
const PEOPLE: [f64; 10] = [10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 86_400.0];

/// Bounds of how many writes share a commit.
const GROUPS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// What the store counts while it writes. Clones count together.
#[derive(Debug, Clone)]
pub struct Meter {
    /// Entries of the log, by what they are.
    pub entries: Family<Kind, Counter>,
    /// Bytes of the blocks that came with them; those that were there already are counted, too.
    pub bytes: Counter,
    /// What happened to holds.
    pub holds: Family<Change, Counter>,
    /// From the begin of a transaction to its commit, synced, in seconds.
    pub commit: Histogram,
    /// Writes that shared a transaction.
    pub group: Histogram,
    /// Writes that wait for the writer.
    pub queue: Gauge,
    /// Transactions that failed.
    pub failed: Counter,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// `exchange`, `hold`, `grant`, ...
    pub entry: String,
}

/// What happened to a hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Change {
    /// `opened`, `approved`, `denied`, `expired`, `used`.
    pub change: String,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            entries: Family::default(),
            bytes: Counter::default(),
            holds: Family::default(),
            commit: Histogram::new(SHORT),
            group: Histogram::new(GROUPS),
            queue: Gauge::default(),
            failed: Counter::default(),
        }
    }
}

/// An issuer of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Issuer {
    issuer: String,
}

/// Everything that is told.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests.
    pub http: Http,
    /// From a hold's first request to a person's decision, in seconds.
    pub decision: Histogram,
    /// Bundles that could not be made or signed.
    pub signing_faults: Counter,
    /// Checkpoints kept elsewhere.
    pub checkpoints: Kept,
    /// Spans and log records sent.
    pub otlp: Sending,
    holds_waiting: Gauge,
    oldest_hold: Gauge,
    grants_live: Gauge,
    bundle_issued: Gauge,
    bundle_fingerprint: Gauge,
    policy_faults: Gauge,
    issuer_keys: Family<Issuer, Gauge>,
    issuer_faulty: Family<Issuer, Gauge>,
    store_trouble: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(&Meter::default())
    }
}

impl Metrics {
    /// All of them, with those of a store.
    pub fn new(meter: &Meter) -> Self {
        let mut registry = Registry::with_prefix("sluice");
        let all = &mut registry;
        let gauge = |all: &mut Registry, name: &str, help: &str| {
            let gauge: Gauge = Gauge::default();
            all.register(name, help, gauge.clone());
            gauge
        };
        let seconds = |all: &mut Registry, name: &str, help: &str| {
            let gauge: Gauge = Gauge::default();
            all.register_with_unit(name, help, Unit::Seconds, gauge.clone());
            gauge
        };
        let http = Http::register(all);
        let decision = Histogram::new(PEOPLE);
        let help = "From a hold's first request to a person's decision";
        all.register_with_unit("hold_decision", help, Unit::Seconds, decision.clone());
        let signing_faults = Counter::default();
        all.register("signing_faults", "Bundles that could not be made or signed", signing_faults.clone());
        let (issuer_keys, issuer_faulty) = (Family::default(), Family::default());
        all.register("issuer_keys", "Public keys that are known of an issuer", issuer_keys.clone());
        let help = "Whether the last fetch of an issuer's keys failed; the old ones stay";
        all.register("issuer_faulty", help, issuer_faulty.clone());
        let metrics = Self {
            http,
            decision,
            checkpoints: Kept::default(),
            otlp: Sending::default(),
            signing_faults,
            issuer_keys,
            issuer_faulty,
            holds_waiting: gauge(all, "holds_waiting", "Holds that wait for a person"),
            oldest_hold: seconds(
                all,
                "hold_oldest_waiting",
                "Age of the oldest hold that waits; 0: none does",
            ),
            grants_live: gauge(all, "grants_live", "Grants that are live"),
            bundle_issued: seconds(
                all,
                "bundle_issued_timestamp",
                "When the bundle that is out was signed, Unix time",
            ),
            bundle_fingerprint: gauge(
                all,
                "bundle_fingerprint",
                "The first 48 bits of the version of the bundle that is out",
            ),
            policy_faults: gauge(
                all,
                "policy_faults",
                "Faults of the policy files; while there are any, the last good policy stays",
            ),
            store_trouble: gauge(all, "store_trouble", "Whether the store takes no writes at the moment"),
            registry: Registry::default(),
        };
        all.register(
            "checkpoints_kept",
            "Checkpoints that were kept elsewhere",
            metrics.checkpoints.kept.clone(),
        );
        let help = "Times that a checkpoint could not be kept elsewhere";
        all.register("checkpoints_failed", help, metrics.checkpoints.failed.clone());
        let help = "Times that a checkpoint was found elsewhere which the log, as it is now, contradicts: it was cut off or \
                    rewritten";
        all.register("checkpoints_contradicted", help, metrics.checkpoints.contradicted.clone());
        metrics.otlp.register(all);
        all.register("records_written", "Entries of the log", meter.entries.clone());
        let help = "Bytes of text blocks that were handed in";
        all.register_with_unit("blocks_written", help, Unit::Bytes, meter.bytes.clone());
        all.register("hold_changes", "What happened to holds", meter.holds.clone());
        all.register_with_unit(
            "store_commit",
            "Duration of a transaction",
            Unit::Seconds,
            meter.commit.clone(),
        );
        all.register("store_commit_writes", "Writes that shared a transaction", meter.group.clone());
        all.register("store_queue_writes", "Writes that wait for the writer", meter.queue.clone());
        all.register("store_commits_failed", "Transactions that failed", meter.failed.clone());
        Self { registry, ..metrics }
    }

    /// All of them, as OpenMetrics text.
    ///
    /// # Errors
    /// When the text cannot be written, which a `String` does not give reason to.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Meter {
    /// A transaction was committed.
    pub fn committed(&self, log: &[Entry], writes: usize, block_bytes: usize, took: Duration) {
        let count = |number: usize| number as u64;
        for entry in log {
            self.entries.get_or_create(&Kind { entry: entry.kind().to_owned() }).inc();
            if let Entry::Hold(event) = entry {
                let change = format!("{:?}", event.change).to_lowercase();
                self.holds.get_or_create(&Change { change }).inc();
            }
        }
        self.bytes.inc_by(count(block_bytes));
        self.commit.observe(took.as_secs_f64());
        self.group.observe(writes as f64);
    }
}
