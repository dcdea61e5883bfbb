//! The root context's work: the bundle comes in, records go out, and what failed is asked again.
//!
//! One VM polls control for all of them: whoever holds the lease in the data that VMs share. It puts the bundle
//! there, and every VM takes it at its next tick, after checking the signature itself.

use std::cell::RefCell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use sluice_engine::policy::bundle::SignedBundle;
use sluice_engine::wire::{self, BatchReply, Refresh};

use crate::exchange::Exchange;
use crate::host::{Call, Host, Side};
use crate::metrics::{Counter, Gauge};
use crate::shared::{LOOK_MS, Shared};
use crate::spending::Reports;

/// How long control may let a poll wait, in seconds.
const POLL_SECONDS: u64 = 25;
/// Bytes of the node id that control is told.
const NODE_BYTES: usize = 200;
/// A lease that is not renewed passes on after this.
const LEASE_MS: u64 = 3000;
/// After a poll that failed.
const POLL_PAUSE_MS: u64 = 500;
/// An issuer is asked about this often at the most.
const REFRESH_PAUSE_MS: u64 = 1000;
const RECORDS_TIMEOUT_MS: u64 = 10_000;

/// Who polls.
#[derive(Serialize, Deserialize)]
struct Lease {
    vm: String,
    until_ms: u64,
}

/// What a call of the root context was about.
enum Asked {
    Bundle,
    Records(String),
    Refresh,
    Spending,
}

/// The root context's state, beside what it shares with exchanges.
pub struct Root {
    /// What it shares.
    pub shared: Rc<Shared>,
    /// This root's own context.
    context: u32,
    vm: String,
    calls: std::collections::HashMap<u32, Asked>,
    /// Whether control's last answer was a good one.
    reached: bool,
    polling: bool,
    poll_at_ms: u64,
    refresh_at_ms: u64,
    /// When everything was last looked after.
    looked_ms: u64,
    reports: Reports,
    /// Records and bytes in the queue, as the gauges have them.
    told: (i64, i64),
}

impl Root {
    /// Starts with the bundle in the plugin configuration, if there is one.
    pub fn new(shared: Rc<Shared>, context: u32, vm: String, host: &dyn Host) -> Self {
        if let Some(bundle) = &shared.settings.config.bundle {
            shared.load(bundle, host);
        }
        Self {
            shared,
            context,
            vm,
            calls: Default::default(),
            reached: true,
            polling: false,
            poll_at_ms: 0,
            refresh_at_ms: 0,
            looked_ms: 0,
            reports: Reports::default(),
            told: (0, 0),
        }
    }

    /// Whether control has acknowledged every record.
    pub fn is_drained(&self) -> bool {
        self.shared.queue.borrow().is_empty()
    }

    /// Cuts what waits for it, and looks after all else as often as that is due.
    pub fn tick(&mut self, host: &dyn Host) {
        let cuts = self.shared.queue.borrow_mut().cut_some();
        let now_ms = host.now_ms();
        // A clock that was set back must not keep us from it.
        if self.shared.tick_ms.get() == LOOK_MS || now_ms.abs_diff(self.looked_ms) >= LOOK_MS {
            self.looked_ms = now_ms;
            self.look_after_all(host, now_ms);
        } else if self.shared.queue.borrow().has_batch() {
            self.send_records(host, now_ms);
        }
        // Where something waited, more will come: only a tick that finds nothing is the last of them.
        self.shared.tick(cuts, host);
    }

    fn look_after_all(&mut self, host: &dyn Host, now_ms: u64) {
        self.shared.take(host);
        self.poll(host, now_ms);
        self.report(host, now_ms);
        self.send_records(host, now_ms);
        self.refresh(host, now_ms);
        for (context, exchange) in self.shared.due(now_ms) {
            self.drive(context, &exchange, host, |exchange| exchange.retry(host));
        }
        self.shared.proxied.borrow_mut().retain(|_, (_, exchange)| exchange.strong_count() > 0);
        // The host takes whatever comes next in this callback for ours again.
        let _ = host.enter(self.context);
        self.tell_queue(host);
    }

    /// The gauges are those of all VMs together: each adds what has changed in its own queue.
    fn tell_queue(&mut self, host: &dyn Host) {
        let (records, bytes) = self.shared.queue.borrow().size();
        let number = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        let now = (number(records), number(bytes));
        let before = std::mem::replace(&mut self.told, now);
        for (gauge, by) in [(Gauge::QueueRecords, now.0 - before.0), (Gauge::QueueBytes, now.1 - before.1)] {
            if by != 0 {
                host.add(gauge, by);
            }
        }
    }

    /// Control has answered a call that this context made, for itself or for an exchange.
    pub fn answered(&mut self, token: u32, headers: usize, host: &dyn Host) {
        let proxied = self.shared.proxied.borrow_mut().remove(&token);
        if let Some((context, exchange)) = proxied {
            if let Some(exchange) = exchange.upgrade() {
                self.drive(context, &exchange, host, |exchange| exchange.answered(token, headers, host));
            }
            let _ = host.enter(self.context);
            return;
        }
        let Some(asked) = self.calls.remove(&token) else { return };
        let now_ms = host.now_ms();
        let (status, body) = read_answer(headers, host);
        self.note_status(status, &asked, host);
        match asked {
            Asked::Bundle => {
                self.polling = false;
                match (status, serde_json::from_slice::<SignedBundle>(&body)) {
                    (200, Ok(bundle)) if self.shared.share(&bundle, &body, host) => {}
                    (304, _) => {}
                    // Nor at once after a bundle that was kept out: control would send the same.
                    _ => self.poll_at_ms = now_ms + POLL_PAUSE_MS,
                }
                self.poll(host, now_ms);
                self.report(host, now_ms);
            }
            Asked::Spending => match status {
                200 if self.reports.answered(&body, &self.shared, host, now_ms) => {}
                _ => self.reports.failed(),
            },
            Asked::Records(id) => {
                let mut queue = self.shared.queue.borrow_mut();
                match (status, serde_json::from_slice::<BatchReply>(&body)) {
                    (200, Ok(reply)) if queue.is_sending(&id) => {
                        let written = queue.answered(&reply, now_ms);
                        host.count(Counter::Recorded, written as u64);
                    }
                    _ => queue.failed(now_ms),
                }
                drop(queue);
                self.send_records(host, now_ms);
            }
            Asked::Refresh => {}
        }
    }

    /// Runs a step of an exchange in its own context. A call that it makes is answered to this context, since its
    /// callback is the one that runs.
    fn drive(
        &self,
        context: u32,
        exchange: &Rc<RefCell<Exchange>>,
        host: &dyn Host,
        step: impl FnOnce(&mut Exchange) -> Option<u32>,
    ) {
        if host.enter(context).is_ok()
            && let Some(token) = step(&mut exchange.borrow_mut())
        {
            self.shared.proxied.borrow_mut().insert(token, (context, Rc::downgrade(exchange)));
        }
    }

    /// Counts each failure, logs the first of a row and the end of it.
    fn note_status(&mut self, status: u16, asked: &Asked, host: &dyn Host) {
        let good = matches!(status, 200 | 202 | 304);
        if !good {
            host.count(Counter::ControlFailed, 1);
            let why = match status {
                0 => format!("control was not reached with {}", asked.name()),
                _ => format!("control answered {status} to {}", asked.name()),
            };
            *self.shared.trouble.borrow_mut() = Some((host.now_ms(), why));
        }
        match (self.reached, good) {
            (true, false) => log::warn!(
                "sluice: control answered {status} to {}; enforcement goes on with the last bundle",
                asked.name()
            ),
            (false, true) => log::info!("sluice: control answers"),
            _ => {}
        }
        self.reached = good;
    }

    fn poll(&mut self, host: &dyn Host, now_ms: u64) {
        if !self.leads(host, now_ms) || self.polling || now_ms < self.poll_at_ms {
            return;
        }
        let runtime = self.shared.runtime.borrow().clone();
        // Asked for by what is in force and when it was signed: a renewed signature is news, too.
        let after = runtime
            .map(|own| format!("after={}&issued={}&", own.version, own.issued_at_ms))
            .unwrap_or_default();
        let call = Call {
            method: "GET",
            path: format!(
                "{}?{after}wait={POLL_SECONDS}&node={}&filter={}{}",
                wire::BUNDLE,
                escaped(&self.shared.node),
                env!("CARGO_PKG_VERSION"),
                self.standing()
            ),
            body: Vec::new(),
            form: false,
            timeout_ms: (POLL_SECONDS + 5) * 1000,
        };
        match host.call(&call) {
            Ok(token) => {
                self.polling = true;
                self.calls.insert(token, Asked::Bundle);
            }
            Err(why) => {
                host.count(Counter::ControlFailed, 1);
                log::error!(
                    "sluice: control cannot be asked for the bundle (cluster `{}`): {why}",
                    self.shared.settings.config.control_cluster
                );
                self.poll_at_ms = now_ms + POLL_PAUSE_MS;
            }
        }
    }

    /// How things stand here, for whoever looks after the fleet: what went wrong last, and records that wait.
    fn standing(&self) -> String {
        let mut query = String::new();
        if let Some((at_ms, why)) = &*self.shared.trouble.borrow() {
            query.push_str(&format!("&trouble={}&troubled={at_ms}", escaped(why)));
        }
        let (records, _) = self.shared.queue.borrow().size();
        if records > 0 {
            query.push_str(&format!("&queued={records}"));
        }
        query
    }

    /// Takes or renews the lease; says whether this VM has it.
    fn leads(&mut self, host: &dyn Host, now_ms: u64) -> bool {
        let key = self.shared.key("lease");
        let current = host.shared(&key);
        let lease = current.as_ref().and_then(|(bytes, _)| serde_json::from_slice::<Lease>(bytes).ok());
        if let Some(lease) = &lease {
            let mine = lease.vm == self.vm;
            if !mine && lease.until_ms > now_ms {
                return false;
            }
            if mine && lease.until_ms > now_ms + LEASE_MS / 2 {
                return true;
            }
        }
        let new = Lease { vm: self.vm.clone(), until_ms: now_ms + LEASE_MS };
        let Ok(bytes) = serde_json::to_vec(&new) else { return false };
        // Without a value there is no version to compare; two VMs that start at once may both poll for a while.
        host.set_shared(&key, &bytes, current.and_then(|(_, version)| version))
    }

    fn send_records(&mut self, host: &dyn Host, now_ms: u64) {
        let Some(batch) = self.shared.queue.borrow_mut().batch(now_ms) else { return };
        let Ok(body) = serde_json::to_vec(&batch) else { return };
        let call = Call {
            method: "POST",
            path: wire::RECORDS.into(),
            body,
            form: false,
            timeout_ms: RECORDS_TIMEOUT_MS,
        };
        match host.call(&call) {
            Ok(token) => {
                self.calls.insert(token, Asked::Records(batch.id));
            }
            Err(_) => {
                host.count(Counter::ControlFailed, 1);
                self.shared.queue.borrow_mut().failed(now_ms);
            }
        }
    }

    /// Tells control what was used of budgets, where there are any.
    fn report(&mut self, host: &dyn Host, now_ms: u64) {
        let counts = self.shared.runtime.borrow().as_ref().is_some_and(|own| !own.budgets.is_empty());
        if !counts || !self.leads(host, now_ms) {
            return;
        }
        let Some(call) = self.reports.next(&self.shared, host, now_ms) else { return };
        match host.call(&call) {
            Ok(token) => {
                self.calls.insert(token, Asked::Spending);
            }
            Err(_) => {
                host.count(Counter::ControlFailed, 1);
                self.reports.failed();
            }
        }
    }

    fn refresh(&mut self, host: &dyn Host, now_ms: u64) {
        if now_ms < self.refresh_at_ms {
            return;
        }
        let refreshes = std::mem::take(&mut *self.shared.refreshes.borrow_mut());
        for (issuer, kid) in refreshes {
            self.refresh_at_ms = now_ms + REFRESH_PAUSE_MS;
            let Ok(body) = serde_json::to_vec(&Refresh { issuer, kid }) else { continue };
            let call = Call {
                method: "POST",
                path: wire::REFRESH.into(),
                body,
                form: false,
                timeout_ms: RECORDS_TIMEOUT_MS,
            };
            if let Ok(token) = host.call(&call) {
                self.calls.insert(token, Asked::Refresh);
            }
        }
    }
}

impl Asked {
    fn name(&self) -> &'static str {
        match self {
            Asked::Bundle => "the poll for a bundle",
            Asked::Records(_) => "a batch of records",
            Asked::Refresh => "the wish for fresh keys",
            Asked::Spending => "what was used of budgets",
        }
    }
}

/// A text as it stands in a query (RFC 3986, section 2.3); of a very long one the beginning.
fn escaped(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let byte = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    name.bytes().take(NODE_BYTES).map(byte).collect()
}

/// Status and body of control's answer. Without headers the connection was reset; there is nothing to read then.
pub fn read_answer(headers: usize, host: &dyn Host) -> (u16, Vec<u8>) {
    if headers == 0 {
        return (0, Vec::new());
    }
    let headers = host.headers(Side::Call).unwrap_or_default();
    let status = headers.iter().find(|(name, _)| name == ":status").and_then(|(_, value)| value.parse().ok());
    (status.unwrap_or(0), host.body(Side::Call).unwrap_or_default())
}
