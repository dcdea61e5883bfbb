//! Times, as people read them.

use sluice_engine::budget::utc;

/// A moment, for `<time>`.
#[derive(Debug, Clone)]
pub struct When {
    /// Unix milliseconds.
    pub ms: u64,
    /// `2026-11-22 05:51:03 UTC`.
    pub full: String,
    /// `2026-11-22T05:51:03Z`.
    pub machine: String,
    /// How far from now: `3m ago`, `in 12m`.
    pub near: String,
}

impl When {
    /// A moment as seen from now.
    pub fn new(ms: u64, now_ms: u64) -> Self {
        let full = utc(ms);
        let near = match ms > now_ms {
            true => format!("in {}", span(ms - now_ms)),
            false => format!("{} ago", span(now_ms - ms)),
        };
        Self { ms, machine: format!("{}Z", full.replace(' ', "T")), full: format!("{full} UTC"), near }
    }
}

/// A length of time in its largest unit: `40s`, `12m`, `3h`, `5d`.
pub fn span(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..60 => format!("{s}s"),
        s @ 60..5400 => format!("{}m", s / 60),
        s @ 5400..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}
