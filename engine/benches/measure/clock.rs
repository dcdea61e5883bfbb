//! How benches take times: the fastest of many runs, since others use the machine too.

use std::time::{Duration, Instant};

/// Least runs, and how long they go on at least: V8 compiles what runs often anew while it runs.
const RUNS: usize = 5;
const LEAST: Duration = Duration::from_millis(60);

/// Seconds of the fastest run.
pub fn fastest(mut run: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = f64::MAX;
    let mut runs = 0;
    while runs < RUNS || begin.elapsed() < LEAST {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    best
}

/// Megabytes a second of the fastest run over so many bytes.
pub fn speed(bytes: usize, run: impl FnMut()) -> f64 {
    bytes as f64 / fastest(run) / 1e6
}
