//! What must hold whatever is read: by the JSON walker, the decoder of event streams, the stream masker and the
//! detectors. Each property is a function of bytes, and fails by a panic.
//!
//! libFuzzer looks for bytes that break one (`make fuzz`, coverage-guided); `engine/tests/mask_fuzz.rs` tries random
//! and mutated ones for a second each with every run of the tests.

use std::sync::OnceLock;

use sluice_engine::claude::sse::{Decoder, Event};
use sluice_engine::json::{self, JsonError, Kind, Splices, Value};
use sluice_engine::mask::{Direction, Masker, Memory, Profile, StreamMasker, pack_kinds};
use sluice_engine::policy::document::{CustomPattern, Masking};

/// Bytes of an input that choose: which masker, which direction, where to cut.
const CHOICES: usize = 8;

/// Maskers with the default kinds, with every pack, and with custom patterns.
fn maskers() -> &'static [Masker] {
    static MASKERS: OnceLock<Vec<Masker>> = OnceLock::new();
    MASKERS.get_or_init(|| {
        let mut packs: Vec<String> = pack_kinds().iter().map(|(pack, _)| (*pack).to_owned()).collect();
        packs.dedup();
        let pattern = |name: &str, pattern: &str| CustomPattern {
            name: name.into(),
            pattern: pattern.into(),
            ..CustomPattern::default()
        };
        let custom = vec![pattern("employee", r"\bEMP-\d{4,8}\b"), pattern("ticket", r"[A-Z]{2,5}-\d{1,6}")];
        [
            Masking::default(),
            Masking { packs, ..Masking::default() },
            Masking { custom, ..Masking::default() },
        ]
        .iter()
        .map(|masking| Masker::new(masking, b"a tenant key of thirty-two bytes").unwrap())
        .collect()
    })
}

/// Splits an input into what chooses and what is read.
fn chosen(input: &[u8]) -> ([u8; CHOICES], &[u8]) {
    let (choices, rest) = input.split_at(input.len().min(CHOICES));
    let mut all = [0; CHOICES];
    all[..choices.len()].copy_from_slice(choices);
    (all, rest)
}

/// Places at which something of this length is cut, in order, as the choices say.
fn cuts(choices: [u8; CHOICES], len: usize) -> Vec<usize> {
    let share = 1 + u64::from(choices[7] % 8);
    let mut state = u64::from_le_bytes(choices) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 11
    };
    (1..len).filter(|_| next() % share == 0).collect()
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
pub fn json(bytes: &[u8]) {
    let other = serde_json::from_slice::<serde_json::Value>(bytes);
    match json::parse(bytes, 64) {
        Err(JsonError::Syntax(_)) => assert!(other.is_err(), "{:?}", String::from_utf8_lossy(bytes)),
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
                let again: serde_json::Value = serde_json::from_slice(&splices.apply(bytes)).unwrap();
                assert_eq!(again, other, "{:?}", String::from_utf8_lossy(bytes));
            }
        }
    }
}

/// Events are the same however the bytes are cut, and nothing of the bytes is lost.
pub fn events(input: &[u8]) {
    let (choices, bytes) = chosen(input);
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
    let (events, rest) = read(&cuts(choices, bytes.len()));
    let told = |events: &[Event]| -> Vec<(String, Vec<u8>)> {
        let told = events.iter().filter(|e| !e.data.is_empty());
        told.map(|e| (e.name.clone(), e.data.clone())).collect()
    };
    assert_eq!(told(&events), told(&whole.0), "{:?}", String::from_utf8_lossy(bytes));
    let raw: Vec<u8> = events.iter().flat_map(|e| e.raw.clone()).chain(rest).collect();
    assert_eq!(raw, bytes);
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
pub fn stream(input: &[u8]) {
    let (choices, bytes) = chosen(input);
    let text = String::from_utf8_lossy(bytes);
    let masker = &maskers()[usize::from(choices[0]) % 3];
    let direction = [Direction::Request, Direction::Response][usize::from(choices[1]) % 2];
    let whole = apply(masker, &text, direction);
    let cuts: Vec<usize> =
        cuts(choices, text.len()).into_iter().filter(|at| text.is_char_boundary(*at)).collect();
    let (mut stream, mut memory, mut out) = (StreamMasker::new(), Memory::default(), String::new());
    let mut from = 0;
    for to in cuts.iter().copied().chain([text.len()]) {
        stream.push(masker, direction, &Profile::default(), &mut memory, &text[from..to], &mut out);
        from = to;
    }
    stream.finish(masker, direction, &Profile::default(), &mut memory, &mut out);
    assert_eq!(out, whole, "{direction:?} {text:?} cut at {cuts:?}");
}

/// Findings are in order, disjoint, not empty, in bounds and at characters.
pub fn findings(input: &[u8]) {
    let (choices, bytes) = chosen(input);
    let text = String::from_utf8_lossy(bytes);
    let mut done = 0;
    for finding in maskers()[usize::from(choices[0]) % 3].find(&text) {
        assert!(finding.start >= done && finding.end > finding.start, "{text:?} {finding:?}");
        assert!(text.get(finding.start..finding.end).is_some(), "{text:?} {finding:?}");
        done = finding.end;
    }
}
