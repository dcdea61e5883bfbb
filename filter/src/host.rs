//! What the filter needs of its host: one trait, with typed errors. Envoy is one host, tests have another.

use crate::metrics::{Counter, Gauge};

/// A header map or a body of which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the client, on its way upstream.
    Request,
    /// From upstream, on its way to the client.
    Response,
    /// Control's answer to a call of ours.
    Call,
}

/// What the host would not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host refused `{call}` with status {status}")]
pub struct HostError {
    /// The ABI function.
    pub call: &'static str,
    /// The proxy-wasm status.
    pub status: u32,
}

/// A call to control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path with query.
    pub path: String,
    /// JSON; empty for none.
    pub body: Vec<u8>,
    /// The body is a form instead.
    pub form: bool,
    /// Until Envoy gives up.
    pub timeout_ms: u64,
}

/// The version to give to [`Host::set_shared`] so that data is only made where there is none: Envoy compares versions
/// only of data that is there, and counts them up from 1. Source: `SharedData::set` in proxy-wasm-cpp-host.
pub const NOT_THERE: Option<u32> = Some(u32::MAX);

/// Every ability of the host that the filter uses. Acts on the context whose callback is running, or on the
/// one that [`Host::enter`] named.
pub trait Host {
    /// Unix milliseconds.
    fn now_ms(&self) -> u64;
    /// 16 random bytes in hexadecimal.
    fn random_id(&self) -> String;
    /// All headers, in order; names in lower case. What is not UTF-8 in a value is
    /// replaced by U+FFFD: the rest of it must still be seen.
    ///
    /// # Errors
    /// When the map cannot be read in this phase.
    fn headers(&self, side: Side) -> Result<Vec<(String, String)>, HostError>;
    /// Sets a header, replacing all of its values.
    ///
    /// # Errors
    /// When the headers have left already.
    fn set_header(&self, side: Side, name: &str, value: &str) -> Result<(), HostError>;
    /// Removes a header.
    ///
    /// # Errors
    /// When the headers have left already.
    fn remove_header(&self, side: Side, name: &str) -> Result<(), HostError>;
    /// The bytes that are buffered.
    ///
    /// # Errors
    /// When there is no such buffer.
    fn body(&self, side: Side) -> Result<Vec<u8>, HostError>;
    /// Replaces the bytes that are buffered.
    ///
    /// # Errors
    /// When there is no such buffer.
    fn set_body(&self, side: Side, body: &[u8]) -> Result<(), HostError>;
    /// Answers the client in the upstream's stead.
    ///
    /// # Errors
    /// When an answer has begun.
    fn reply(&self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), HostError>;
    /// Goes on with what a callback paused.
    ///
    /// # Errors
    /// When nothing is paused.
    fn resume(&self, side: Side) -> Result<(), HostError>;
    /// Calls control; the token comes back with the answer.
    ///
    /// # Errors
    /// When the cluster does not exist or does not take the call.
    fn call(&self, call: &Call) -> Result<u32, HostError>;
    /// Acts on another context from now on.
    ///
    /// # Errors
    /// When it is gone.
    fn enter(&self, context: u32) -> Result<(), HostError>;
    /// From now on the root context ticks, so many milliseconds after the tick before; 0: never again.
    ///
    /// # Errors
    /// When there is no timer.
    fn tick_every(&self, ms: u64) -> Result<(), HostError>;
    /// Data that all VMs share, and its version for compare-and-swap.
    fn shared(&self, key: &str) -> Option<(Vec<u8>, Option<u32>)>;
    /// Shares data; with a version, only if it is still the one. Says whether it was taken.
    fn set_shared(&self, key: &str, value: &[u8], version: Option<u32>) -> bool;
    /// Counts.
    fn count(&self, counter: Counter, by: u64);
    /// Counts findings of a kind.
    fn count_findings(&self, kind: &str, by: u64);
    /// Sets a gauge that is the same for all VMs.
    fn set(&self, gauge: Gauge, value: u64);
    /// Adds to a gauge that is the sum over all VMs.
    fn add(&self, gauge: Gauge, by: i64);
}
