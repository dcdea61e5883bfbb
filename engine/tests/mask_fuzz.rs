//! The properties of `engine/fuzz` on random and mutated input. Each runs for `FUZZ_SECONDS` (default: one second);
//! `FUZZ_SEED` starts another sequence; a failure prints the seed and the input. `make fuzz` looks for input that
//! breaks them with libFuzzer, guided by coverage.

// A test may panic: that is how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "../fuzz/src/lib.rs"]
mod properties;

use std::time::{Duration, Instant};

const LINES: &str = include_str!("../src/mask/tests/passes.txt");
const FOUND: &str = include_str!("../src/mask/tests/found.rs");

const FRAGMENTS: [&str; 56] = [
    "@",
    "ann@example.com",
    "4111",
    " ",
    "-",
    "1111",
    "4111111111111111",
    ".",
    "/",
    ":",
    "://",
    "=",
    "\"",
    "\\\"",
    "password=",
    "sk-ant-",
    "sk-ant-api03-k3v9Qa0Lm2xR7bTz",
    "AKIA",
    "eyJhbGciOiJIUzI1NiJ9.",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw",
    "\n",
    "\r\n",
    "\\n",
    "\\u0040",
    "\\u00",
    "\\",
    "&#64;",
    "&commat;",
    "&",
    "%40",
    "%",
    "\u{200b}",
    "\u{a0}",
    "４",
    "é",
    "漢",
    "🙂",
    "(",
    ")",
    "+1",
    "_",
    "__",
    ">",
    "DE89370400440532013000",
    "<email:",
    "[redacted:email]",
    "{",
    "}",
    "[",
    "]",
    ",",
    "null",
    "data: ",
    "event: x\n",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// A line of the corpora or fragments, cut, joined and with bytes changed.
    fn bytes(&mut self, seeds: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..1 + self.below(12) {
            match self.below(4) {
                0 => {
                    let seed = seeds[self.below(seeds.len())].as_bytes();
                    let from = self.below(seed.len());
                    let to = from + self.below(seed.len() - from + 1);
                    out.extend_from_slice(&seed[from..to]);
                }
                1 => {
                    let seed = out.clone();
                    let from = self.below(seed.len());
                    out.extend_from_slice(&seed[from..]);
                }
                _ => out.extend_from_slice(FRAGMENTS[self.below(FRAGMENTS.len())].as_bytes()),
            }
        }
        for _ in 0..self.below(4) {
            if !out.is_empty() {
                let at = self.below(out.len());
                out[at] = u8::try_from(self.below(256)).unwrap();
            }
        }
        out.truncate(4000);
        out
    }
}

/// Says what was read when a target panics.
struct Shown<'t>(&'t [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("while reading {:?}", String::from_utf8_lossy(self.0));
        }
    }
}

/// Tries a property until its time is over.
fn run(property: fn(&[u8])) {
    let number =
        |name: &str, other: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(other);
    let seeds: Vec<&str> =
        LINES.lines().chain(FOUND.lines().filter(|l| l.contains('⟦'))).filter(|l| !l.is_empty()).collect();
    let seed = number("FUZZ_SEED", 0x51CE_5EED);
    let (mut random, start, mut rounds) = (Random(seed), Instant::now(), 0_u64);
    let time = Duration::from_secs(number("FUZZ_SECONDS", 1));
    // At least some rounds, however slow the machine is.
    while rounds < 50 || start.elapsed() < time {
        let input = random.bytes(&seeds);
        let _shown = Shown(&input);
        property(&input);
        rounds += 1;
    }
    println!("{rounds} rounds from seed {seed}");
}

#[test]
fn the_json_walker_agrees_with_another_parser() {
    run(properties::json);
    // Random bytes are seldom JSON.
    run(|input| {
        let text = String::from_utf8_lossy(input);
        let value =
            serde_json::json!({"a": text, "b": [input.len(), null, text], text.as_ref(): {"c": true}});
        let mut bytes = value.to_string().into_bytes();
        if input.len().is_multiple_of(3) {
            let at = input.len() % bytes.len();
            bytes[at] = input.first().copied().unwrap_or_default();
        }
        properties::json(&bytes);
    });
}

#[test]
fn event_streams_are_read_the_same_at_every_split() {
    run(|input| {
        let mut bytes = input.to_vec();
        let ends: [&[u8]; 5] = [b"\n", b"\n\n", b"\r\n\r\n", b"\r", b"\ndata: x\n\n"];
        for n in 0..input.len() % 6 {
            let at =
                input.iter().map(|b| usize::from(*b)).sum::<usize>().wrapping_mul(n + 7) % (bytes.len() + 1);
            bytes.splice(at..at, ends[(n + input.len()) % 5].iter().copied());
        }
        properties::events(&bytes);
    });
}

#[test]
fn a_stream_that_is_cut_anywhere_is_masked_as_the_whole() {
    run(properties::stream);
}

#[test]
fn findings_stand_in_order_within_the_text() {
    run(properties::findings);
}
