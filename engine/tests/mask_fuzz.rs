//! Random and mutated input against the JSON walker, the decoder of event streams, the stream masker and the
//! detectors. Each target runs for `FUZZ_SECONDS` (default: one second); `make fuzz` runs them longer. `FUZZ_SEED`
//! starts another sequence; a failure prints the seed and the input.
//!
//! Mutation starts from the corpora and from fragments that detectors are made of, and is not guided by coverage:
//! libFuzzer needs a nightly compiler, which this workspace is not built with, and bolero, which also runs on a stable
//! one, generates blindly there and would bring some 35 crates, several of them in second versions.

// A test may panic: that is how it fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::{Duration, Instant};

use sluice_engine::claude::sse::Decoder;
use sluice_engine::json::{self, JsonError, Kind, Splices, Value};
use sluice_engine::mask::{Direction, Masker, Memory, Profile, StreamMasker, pack_kinds};
use sluice_engine::policy::document::{CustomPattern, Masking};

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

    fn text(&mut self, seeds: &[&str]) -> String {
        String::from_utf8_lossy(&self.bytes(seeds)).into_owned()
    }

    /// Places at which bytes or a text are cut, in order.
    fn cuts(&mut self, len: usize) -> Vec<usize> {
        let share = 1 + self.below(8);
        (1..len).filter(|_| self.below(share) == 0).collect()
    }
}

/// Says what was read when a target panics.
struct Shown<'t>(&'t str);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("while reading {:?}", self.0);
        }
    }
}

/// Runs a target until its time is over.
fn run(mut target: impl FnMut(&mut Random, &[&str])) {
    let number =
        |name: &str, other: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(other);
    let seeds: Vec<&str> =
        LINES.lines().chain(FOUND.lines().filter(|l| l.contains('⟦'))).filter(|l| !l.is_empty()).collect();
    let seed = number("FUZZ_SEED", 0x51CE_5EED);
    let (mut random, start, mut rounds) = (Random(seed), Instant::now(), 0_u64);
    let time = Duration::from_secs(number("FUZZ_SECONDS", 1));
    // At least some rounds, however slow the machine is.
    while rounds < 50 || start.elapsed() < time {
        target(&mut random, &seeds);
        rounds += 1;
    }
    println!("{rounds} rounds from seed {seed}");
}

fn maskers() -> Vec<Masker> {
    let mut packs: Vec<String> = pack_kinds().iter().map(|(pack, _)| (*pack).to_owned()).collect();
    packs.dedup();
    let pattern = |name: &str, pattern: &str| CustomPattern {
        name: name.into(),
        pattern: pattern.into(),
        ..CustomPattern::default()
    };
    let custom = vec![pattern("employee", r"\bEMP-\d{4,8}\b"), pattern("ticket", r"[A-Z]{2,5}-\d{1,6}")];
    [Masking::default(), Masking { packs, ..Masking::default() }, Masking { custom, ..Masking::default() }]
        .iter()
        .map(|masking| Masker::new(masking, b"a tenant key of thirty-two bytes").unwrap())
        .collect()
}

fn strings<'d, 'a>(value: Value<'d, 'a>, out: &mut Vec<Value<'d, 'a>>) {
    match value.kind() {
        Kind::String => out.push(value),
        Kind::Array => value.items().for_each(|item| strings(item, out)),
        Kind::Object => value.entries().for_each(|(key, value)| {
            out.push(key);
            strings(value, out);
        }),
        _ => {}
    }
}

/// What the walker reads another parser reads too, and a string that is replaced by itself says the same.
#[test]
fn the_json_walker_agrees_with_another_parser() {
    run(|random, seeds| {
        let bytes = if random.below(2) == 0 {
            random.bytes(seeds)
        } else {
            let text = random.text(seeds);
            let value = serde_json::json!({"a": text, "b": [random.below(99), null, text], text.as_str(): {"c": true}});
            let mut bytes = value.to_string().into_bytes();
            if random.below(3) == 0 {
                let at = random.below(bytes.len());
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
            bytes
        };
        let other = serde_json::from_slice::<serde_json::Value>(&bytes);
        match json::parse(&bytes, 64) {
            Err(JsonError::Syntax(_)) => assert!(other.is_err(), "{:?}", String::from_utf8_lossy(&bytes)),
            Err(_) => {}
            Ok(doc) => {
                let mut found = Vec::new();
                strings(doc.root(), &mut found);
                let mut splices = Splices::new();
                for value in &found {
                    assert!(value.span().end <= bytes.len());
                    let text = value.text().unwrap().into_owned();
                    value.splice([(0..text.len(), text.as_str())], &mut splices);
                }
                // The other parser refuses numbers that are too large for it.
                if let Ok(other) = other {
                    let again: serde_json::Value = serde_json::from_slice(&splices.apply(&bytes)).unwrap();
                    assert_eq!(again, other, "{:?}", String::from_utf8_lossy(&bytes));
                }
            }
        }
    });
}

/// Events are the same however the bytes are cut, and nothing of the bytes is lost.
#[test]
fn event_streams_are_read_the_same_at_every_split() {
    run(|random, seeds| {
        let mut bytes = random.bytes(seeds);
        for _ in 0..random.below(6) {
            let at = random.below(bytes.len());
            let end = ["\n", "\n\n", "\r\n\r\n", "\r", "\ndata: x\n\n"][random.below(5)];
            bytes.splice(at..at, end.bytes());
        }
        let read = |cuts: &[usize]| {
            let (mut decoder, mut events, mut from) = (Decoder::default(), Vec::new(), 0);
            for to in cuts.iter().copied().chain([bytes.len()]) {
                decoder.push(&bytes[from..to]).unwrap();
                from = to;
                while let Some(event) = decoder.next_event() {
                    events.push(event);
                }
            }
            (events, decoder.rest())
        };
        let whole = read(&[]);
        let (events, rest) = read(&random.cuts(bytes.len()));
        let names = |events: &[sluice_engine::claude::sse::Event]| -> Vec<(String, Vec<u8>)> {
            let told = events.iter().filter(|e| !e.data.is_empty());
            told.map(|e| (e.name.clone(), e.data.clone())).collect()
        };
        assert_eq!(names(&events), names(&whole.0), "{:?}", String::from_utf8_lossy(&bytes));
        let raw: Vec<u8> = events.iter().flat_map(|e| e.raw.clone()).chain(rest).collect();
        assert_eq!(raw, bytes);
    });
}

fn apply(masker: &Masker, text: &str, direction: Direction) -> String {
    let (mut out, mut done) = (String::new(), 0);
    for edit in masker.edits(text, direction, &Profile::default(), &mut Memory::default()) {
        assert!(edit.start >= done && edit.end >= edit.start, "{text:?}");
        out.push_str(&text[done..edit.start]);
        out.push_str(&edit.with);
        done = edit.end;
    }
    out + &text[done..]
}

/// However a text is cut, what leaves the stream is what the whole becomes.
#[test]
fn a_stream_that_is_cut_anywhere_is_masked_as_the_whole() {
    let maskers = maskers();
    run(|random, seeds| {
        let (masker, text) = (&maskers[random.below(3)], random.text(seeds));
        let direction = [Direction::Request, Direction::Response][random.below(2)];
        let whole = apply(masker, &text, direction);
        for _ in 0..3 {
            let cuts: Vec<usize> =
                random.cuts(text.len()).into_iter().filter(|at| text.is_char_boundary(*at)).collect();
            let (mut stream, mut memory, mut out) = (StreamMasker::new(), Memory::default(), String::new());
            let _shown = Shown(&text);
            let mut from = 0;
            for to in cuts.iter().copied().chain([text.len()]) {
                stream.push(masker, direction, &Profile::default(), &mut memory, &text[from..to], &mut out);
                from = to;
            }
            stream.finish(masker, direction, &Profile::default(), &mut memory, &mut out);
            assert_eq!(out, whole, "{direction:?} {text:?} cut at {cuts:?}");
        }
    });
}

/// Findings are in order, disjoint, not empty, in bounds and at characters.
#[test]
fn findings_stand_in_order_within_the_text() {
    let maskers = maskers();
    run(|random, seeds| {
        let (masker, text) = (&maskers[random.below(3)], random.text(seeds));
        let mut done = 0;
        for finding in masker.find(&text) {
            assert!(finding.start >= done && finding.end > finding.start, "{text:?} {finding:?}");
            assert!(text.get(finding.start..finding.end).is_some(), "{text:?} {finding:?}");
            done = finding.end;
        }
    });
}
