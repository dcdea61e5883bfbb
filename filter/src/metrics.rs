//! What the filter tells of itself: Envoy's stats, below `wasmcustom.`.
//!
//! The ABI has names without labels. A label therefore stands in the name, as `NAME.LABEL.VALUE`, and `stats_tags` of
//! Envoy's bootstrap takes it out again (`envoy/bootstrap.yaml`).

use sluice_engine::policy::document::Action;
use sluice_engine::record::{Decision, Record};

use crate::host::Host;

/// Something that is counted. Grows for as long as Envoy runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Requests that went upstream.
    Forwarded,
    /// Requests that were refused by policy or identity.
    Denied,
    /// Requests refused because the filter could not decide or record.
    Unavailable,
    /// Decisions of rules and rights that let something pass.
    DecidedAllow,
    /// Decisions that refused something.
    DecidedDeny,
    /// Decisions that held something.
    DecidedHold,
    /// Decisions of rules that only observe.
    Observed,
    /// Holds that were asked for.
    Held,
    /// Bundles that were kept out.
    BundleRejected,
    /// Bundles that came into force, in each VM.
    BundleLoaded,
    /// Calls to control that failed.
    ControlFailed,
    /// Records that control has acknowledged.
    Recorded,
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Forwarded,
        Self::Denied,
        Self::Unavailable,
        Self::DecidedAllow,
        Self::DecidedDeny,
        Self::DecidedHold,
        Self::Observed,
        Self::Held,
        Self::BundleRejected,
        Self::BundleLoaded,
        Self::ControlFailed,
        Self::Recorded,
    ];

    /// Its name in Envoy's stats.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "sluice_requests_total.verdict.forwarded",
            Self::Denied => "sluice_requests_total.verdict.denied",
            Self::Unavailable => "sluice_requests_total.verdict.unavailable",
            Self::DecidedAllow => "sluice_decisions_total.action.allow",
            Self::DecidedDeny => "sluice_decisions_total.action.deny",
            Self::DecidedHold => "sluice_decisions_total.action.hold",
            Self::Observed => "sluice_decisions_total.action.observed",
            Self::Held => "sluice_holds_asked_total",
            Self::BundleRejected => "sluice_bundles_rejected_total",
            Self::BundleLoaded => "sluice_bundles_loaded_total",
            Self::ControlFailed => "sluice_control_calls_failed_total",
            Self::Recorded => "sluice_records_acknowledged_total",
        }
    }
}

/// Something that stands at a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gauge {
    /// Records that wait for control, in all VMs together. What a VM that crashed had waiting stays in it.
    QueueRecords,
    /// Their bytes.
    QueueBytes,
    /// When the bundle in force was signed, in Unix seconds: its age is the time since.
    BundleIssued,
    /// Which bundle is in force ([`fingerprint`]).
    BundleFingerprint,
}

impl Gauge {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::QueueRecords, Self::QueueBytes, Self::BundleIssued, Self::BundleFingerprint];

    /// Its name in Envoy's stats.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueRecords => "sluice_queue_records",
            Self::QueueBytes => "sluice_queue_bytes",
            Self::BundleIssued => "sluice_bundle_issued_timestamp_seconds",
            Self::BundleFingerprint => "sluice_bundle_fingerprint",
        }
    }
}

/// The counter of findings of a kind. Kinds are those of the detectors and of the policy, so there are few; what cannot
/// stand in a name becomes `_`.
pub fn findings(kind: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    format!("sluice_findings_total.kind.{}", kind.chars().map(plain).collect::<String>())
}

/// A bundle's version as a number: its first 48 bits, which a float holds exactly. Control tells the same number of the
/// bundle that is out.
pub fn fingerprint(version: &str) -> u64 {
    version.get(..12).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

/// Counts what a record says.
pub fn count(record: &Record, host: &dyn Host) {
    for decision in &record.decisions {
        host.count(decided(decision), 1);
    }
    for (kind, found) in &record.findings {
        host.count_findings(kind, u64::from(*found));
    }
}

fn decided(decision: &Decision) -> Counter {
    match decision.action {
        _ if decision.observed => Counter::Observed,
        Action::Allow => Counter::DecidedAllow,
        Action::Deny => Counter::DecidedDeny,
        Action::Hold => Counter::DecidedHold,
    }
}
