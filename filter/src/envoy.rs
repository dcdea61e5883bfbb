//! Envoy as the host: the proxy-wasm ABI, every status a typed error.
//!
//! The SDK's wrappers panic on statuses that they do not expect, and a panic in a callback can leave a stream
//! hanging; so what touches streams goes to the ABI directly. The SDK keeps what it must know of: calls and contexts.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::types::{MetricType, Status};

use crate::host::{Call, Host, HostError, Side};
use crate::metrics::{Counter, Gauge, findings};

// proxy-wasm ABI 0.2.1. Every pointer is only read or written during the call; memory that the host
// returns was allocated through `proxy_on_memory_allocate`, which the SDK exports as a boxed slice of bytes.
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;

const fn map_of(side: Side) -> u32 {
    match side {
        Side::Request => 0,
        Side::Response => 2,
        Side::Call => 6,
    }
}

const fn buffer_of(side: Side) -> u32 {
    match side {
        Side::Request => 0,
        Side::Response => 1,
        Side::Call => 4,
    }
}

fn checked(call: &'static str, status: u32) -> Result<(), HostError> {
    if status == OK { Ok(()) } else { Err(HostError { call, status }) }
}

/// Takes over memory that the host filled.
fn taken(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host got this memory from `proxy_on_memory_allocate(size)`: a boxed slice of `size` bytes.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// The ABI's form of a list of pairs: the number of pairs, all sizes, then keys and values, each with a NUL.
fn serialized(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    bytes.extend_from_slice(&size(pairs.len()));
    for (key, value) in pairs {
        bytes.extend_from_slice(&size(key.len()));
        bytes.extend_from_slice(&size(value.len()));
    }
    for part in pairs.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend_from_slice(part.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn deserialized(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let size = |at: usize| -> Option<usize> {
        let bytes = bytes.get(at..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let text = |at: usize, size: usize| -> Option<String> {
        Some(String::from_utf8_lossy(bytes.get(at..at + size)?).into_owned())
    };
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let count = size(0)?;
    let mut at = 4 + count.checked_mul(8)?;
    (0..count)
        .map(|n| {
            let (key_size, value_size) = (size(4 + n * 8)?, size(8 + n * 8)?);
            let key = text(at, key_size)?;
            at += key_size + 1;
            let value = text(at, value_size)?;
            at += value_size + 1;
            Some((key, value))
        })
        .collect()
}

/// Envoy.
pub struct Envoy {
    /// Cluster, authority and token of control.
    pub control: Control,
    /// The host's ids of counters.
    counters: HashMap<Counter, u32>,
    gauges: HashMap<Gauge, u32>,
    /// Those of kinds of findings, defined as they come.
    kinds: RefCell<HashMap<String, u32>>,
}

/// How control is reached.
#[derive(Default)]
pub struct Control {
    /// Envoy's cluster.
    pub cluster: String,
    /// `:authority`.
    pub authority: String,
    /// `authorization`, whole.
    pub authorization: String,
}

impl Envoy {
    /// Defines counters and gauges.
    pub fn new(control: Control) -> Self {
        let counter =
            |own: Counter| Some((own, hostcalls::define_metric(MetricType::Counter, own.name()).ok()?));
        let gauge = |own: Gauge| Some((own, hostcalls::define_metric(MetricType::Gauge, own.name()).ok()?));
        Self {
            control,
            counters: Counter::ALL.into_iter().filter_map(counter).collect(),
            gauges: Gauge::ALL.into_iter().filter_map(gauge).collect(),
            kinds: RefCell::default(),
        }
    }
}

impl Host for Envoy {
    fn now_ms(&self) -> u64 {
        let now = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn random_id(&self) -> String {
        let mut bytes = [0; 16];
        // Envoy implements WASI's `random_get`. Were it to fail, ids would only be less unique.
        if getrandom::fill(&mut bytes).is_err() {
            bytes = u128::from(self.now_ms()).to_be_bytes();
        }
        format!("{:032x}", u128::from_be_bytes(bytes))
    }

    fn headers(&self, side: Side) -> Result<Vec<(String, String)>, HostError> {
        let (mut data, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: both pointers are to live variables.
        let status = unsafe { proxy_get_header_map_pairs(map_of(side), &mut data, &mut size) };
        checked("proxy_get_header_map_pairs", status)?;
        deserialized(&taken(data, size))
            .ok_or(HostError { call: "proxy_get_header_map_pairs", status: u32::MAX })
    }

    fn set_header(&self, side: Side, name: &str, value: &str) -> Result<(), HostError> {
        // SAFETY: the slices live until the call returns.
        let status = unsafe {
            proxy_replace_header_map_value(
                map_of(side),
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        };
        checked("proxy_replace_header_map_value", status)
    }

    fn remove_header(&self, side: Side, name: &str) -> Result<(), HostError> {
        // SAFETY: the slice lives until the call returns.
        let status = unsafe { proxy_remove_header_map_value(map_of(side), name.as_ptr(), name.len()) };
        checked("proxy_remove_header_map_value", status)
    }

    fn body(&self, side: Side) -> Result<Vec<u8>, HostError> {
        let (mut data, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: both pointers are to live variables.
        let status =
            unsafe { proxy_get_buffer_bytes(buffer_of(side), 0, usize::MAX >> 1, &mut data, &mut size) };
        if status == NOT_FOUND {
            return Ok(Vec::new());
        }
        checked("proxy_get_buffer_bytes", status)?;
        Ok(taken(data, size))
    }

    fn set_body(&self, side: Side, body: &[u8]) -> Result<(), HostError> {
        // SAFETY: the slice lives until the call returns.
        let status =
            unsafe { proxy_set_buffer_bytes(buffer_of(side), 0, usize::MAX >> 1, body.as_ptr(), body.len()) };
        checked("proxy_set_buffer_bytes", status)
    }

    fn reply(&self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), HostError> {
        const DETAILS: &str = "sluice";
        let headers = serialized(headers);
        // SAFETY: the slices live until the call returns.
        let status = unsafe {
            proxy_send_local_response(
                u32::from(status),
                DETAILS.as_ptr(),
                DETAILS.len(),
                body.as_ptr(),
                body.len(),
                headers.as_ptr(),
                headers.len(),
                -1,
            )
        };
        checked("proxy_send_local_response", status)
    }

    fn resume(&self, side: Side) -> Result<(), HostError> {
        let stream = if side == Side::Request { 0 } else { 1 };
        // SAFETY: no pointers.
        checked("proxy_continue_stream", unsafe { proxy_continue_stream(stream) })
    }

    fn call(&self, call: &Call) -> Result<u32, HostError> {
        let kind = if call.form { "application/x-www-form-urlencoded" } else { "application/json" };
        let headers = vec![
            (":method", call.method),
            (":path", call.path.as_str()),
            (":authority", self.control.authority.as_str()),
            ("authorization", self.control.authorization.as_str()),
            ("content-type", kind),
        ];
        let body = (!call.body.is_empty()).then_some(call.body.as_slice());
        hostcalls::dispatch_http_call(
            &self.control.cluster,
            headers,
            body,
            Vec::new(),
            Duration::from_millis(call.timeout_ms),
        )
        .map_err(|status| HostError { call: "proxy_http_call", status: status as u32 })
    }

    fn enter(&self, context: u32) -> Result<(), HostError> {
        hostcalls::set_effective_context(context).map_err(|status: Status| HostError {
            call: "proxy_set_effective_context",
            status: status as u32,
        })
    }

    fn tick_every(&self, ms: u64) -> Result<(), HostError> {
        hostcalls::set_tick_period(Duration::from_millis(ms))
            .map_err(|status| HostError { call: "proxy_set_tick_period_milliseconds", status: status as u32 })
    }

    fn shared(&self, key: &str) -> Option<(Vec<u8>, Option<u32>)> {
        let (value, version) = hostcalls::get_shared_data(key).ok()?;
        value.map(|value| (value, version))
    }

    fn set_shared(&self, key: &str, value: &[u8], version: Option<u32>) -> bool {
        hostcalls::set_shared_data(key, Some(value), version).is_ok()
    }

    fn count(&self, counter: Counter, by: u64) {
        if let (Some(id), Ok(by)) = (self.counters.get(&counter), i64::try_from(by)) {
            let _ = hostcalls::increment_metric(*id, by);
        }
    }

    fn count_findings(&self, kind: &str, by: u64) {
        let known = self.kinds.borrow().get(kind).copied();
        let id = known.or_else(|| {
            let id = hostcalls::define_metric(MetricType::Counter, &findings(kind)).ok()?;
            self.kinds.borrow_mut().insert(kind.to_owned(), id);
            Some(id)
        });
        if let (Some(id), Ok(by)) = (id, i64::try_from(by)) {
            let _ = hostcalls::increment_metric(id, by);
        }
    }

    fn set(&self, gauge: Gauge, value: u64) {
        if let Some(id) = self.gauges.get(&gauge) {
            let _ = hostcalls::record_metric(*id, value);
        }
    }

    fn add(&self, gauge: Gauge, by: i64) {
        if let Some(id) = self.gauges.get(&gauge) {
            let _ = hostcalls::increment_metric(*id, by);
        }
    }
}
