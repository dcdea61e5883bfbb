//! How many refused sign-ins the log takes: whoever can reach the service can be refused, as often as they like.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Within this time, in milliseconds, the log takes so many from one address, and so many in all: enough to see an attack, and
/// a few megabytes a day at the most.
const WINDOW_MS: u64 = 600_000;
const OF_ONE: u32 = 10;
const IN_ALL: u32 = 100;

/// Refused sign-ins of this replica.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    since_ms: u64,
    written: u32,
    /// Addresses of those that were written; no more of them than that.
    by: HashMap<Option<IpAddr>, u32>,
    left_out: u64,
}

impl Refusals {
    /// Counts one. `Some`: the log takes it, and that so many before it were left out.
    pub fn take(&self, address: Option<IpAddr>, now_ms: u64) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms >= window.since_ms.saturating_add(WINDOW_MS) {
            *window = Window { since_ms: now_ms, left_out: window.left_out, ..Window::default() };
        }
        let of_one = window.by.get(&address).copied().unwrap_or_default();
        if window.written >= IN_ALL || of_one >= OF_ONE {
            window.left_out = window.left_out.saturating_add(1);
            return None;
        }
        window.written += 1;
        window.by.insert(address, of_one + 1);
        Some(std::mem::take(&mut window.left_out))
    }

    /// How many were left out, once their time is over and nobody came after them.
    pub fn overdue(&self, now_ms: u64) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = now_ms >= window.since_ms.saturating_add(WINDOW_MS) && window.left_out > 0;
        over.then(|| std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from_bits(n)))
    }

    #[test]
    fn one_address_fills_ten_lines_and_what_was_left_out_is_told_by_the_next() {
        let refusals = Refusals::default();
        let taken = (0..1000).filter(|n| refusals.take(address(1), 1000 + n).is_some()).count();
        assert_eq!(taken, 10);
        assert_eq!(refusals.take(address(2), 2000), Some(990), "others are heard, and tell it");
        assert_eq!(refusals.take(address(1), 2001), None);
        assert_eq!(refusals.take(address(1), 1000 + WINDOW_MS), Some(1), "a new time begins");
    }

    #[test]
    fn many_addresses_fill_a_hundred_lines_and_no_memory() {
        let refusals = Refusals::default();
        let taken = (0..5000).filter(|n| refusals.take(address(*n), 1000).is_some()).count();
        assert_eq!(taken, 100);
        assert_eq!(refusals.0.lock().unwrap().by.len(), 100);
        assert_eq!(refusals.overdue(1000), None);
        assert_eq!(refusals.overdue(1000 + WINDOW_MS), Some(4900), "also when nobody comes after them");
        assert_eq!(refusals.overdue(1000 + WINDOW_MS), None);
    }
}
