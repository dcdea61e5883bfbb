//! How fast masking reads, by kind of text, beside a loop that only looks at each byte.
//!
//! `cargo bench -p sluice-engine --bench mask` natively. In V8: build with `--target wasm32-wasip1 --profile wasm` and run the
//! module under Node's WASI; the figures there are what a filter inside Envoy can reach.

use std::hint::black_box;
use std::time::Instant;

use sluice_engine::mask::{Direction, Masker, Memory, Profile, StreamMasker};
use sluice_engine::policy::document::{CustomPattern, Masking};

/// Bytes of each text.
const SIZE: usize = 1 << 20;
/// Runs of which the fastest counts.
const RUNS: usize = 7;

const PROSE: &str = "The gateway reads every request before it leaves, and what it does not understand it refuses. \
    Nobody had asked for this in 2019, when the first drafts went round; by the spring of 2024 it was on page 3 of every \
    questionnaire. \"We wanted to know,\" she said, \"who had approved what, and when.\" It took them 18 months.\n\n";

const CODE: &str = "    pub fn settle(&mut self, at: usize) -> Result<Vec<Region>, Error> {\n        let mut out = Vec::with_capacity(self.len);\n        \
    for (index, item) in self.items.iter().enumerate() {\n            if item.start >= at && !item.is_empty() {\n                \
    out.push(Region { start: item.start, end: item.end, kind: index });\n            }\n        }\n        // the rest: see #1234\n        Ok(out)\n    }\n\n";

const LOGS: &str = "{\"ts\":\"2026-11-21T23:22:05.123Z\",\"level\":\"info\",\"msg\":\"request done\",\"status\":200,\"ms\":12.5,\
    \"id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\",\"path\":\"/v1/messages?beta=true\",\"user\":1234567,\"ok\":true}\n";

const FINDINGS: &str = "ticket 4711 from ann.smith@example.com: card 4111 1111 1111 1111 was declined, please call (415) 555-0100 \
    about it. Her key AKIAZ3MSDX5QW7RT2UVB leaked too, she says, and the rest of this line is plain prose about nothing. ";

const NON_ASCII: &str = "Die Größe des Körpers — ungefähr 3 m — “überrascht” niemanden… 日本語のテキストも流れる。 Ça va très bien, merci. ";

fn repeated(unit: &str) -> String {
    let mut text = unit.repeat(SIZE / unit.len() + 1);
    let mut end = SIZE;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Characters that look drawn at random.
fn base64() -> String {
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let draw = |_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        alphabet.get(usize::try_from(seed >> 58).unwrap_or(0)).copied().unwrap_or('A')
    };
    (0..SIZE).map(draw).collect()
}

/// Megabytes a second of the fastest run.
fn speed(bytes: usize, mut run: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    bytes as f64 / best / 1e6
}

fn main() {
    let key = b"a tenant key of thirty-two bytes";
    let start = Instant::now();
    let Ok(masker) = Masker::new(&Masking::default(), key) else { return };
    let plain = start.elapsed();
    let custom = (0..50)
        .map(|i| CustomPattern {
            name: format!("c{i}"),
            pattern: format!(r"\bC{i}-[A-Z0-9]{{4,12}}\b"),
            ..CustomPattern::default()
        })
        .collect();
    let start = Instant::now();
    let Ok(with_custom) = Masker::new(&Masking { custom, ..Masking::default() }, key) else { return };
    println!("compiled in {plain:.1?}, with 50 custom patterns in {:.1?}", start.elapsed());

    let hostile = [
        "@",
        "a@",
        "a@b.",
        "1",
        "1 ",
        "4 ",
        "4111 ",
        "41-",
        "eyJ",
        "eyJ.",
        "eyJ-",
        "sk-",
        "sk-ant-",
        "AKIA",
        "ghp_",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----\n",
        "://",
        "://a:",
        "password=",
        "password=a1B2c3d4 ",
        "\"token\":\"",
        "<",
        "<a:",
        "[redacted:",
        "&#",
        "\\",
        "%4",
        "\u{200b}",
        "４",
        "DE89 ",
        "+1",
        "((",
        "a.b-",
        "token='",
        "x://u:p@",
    ];
    let mut texts: Vec<(String, String)> = [
        ("prose", PROSE),
        ("code", CODE),
        ("json logs", LOGS),
        ("findings", FINDINGS),
        ("other scripts", NON_ASCII),
    ]
    .iter()
    .map(|(name, unit)| ((*name).to_owned(), repeated(unit)))
    .collect();
    texts.push(("base64".to_owned(), base64()));
    texts.extend(hostile.iter().map(|unit| (format!("{unit:?}"), repeated(unit))));

    println!("{:32} {:>8} {:>8} {:>6} {:>8} {:>8}", "MB/s", "bytes", "mask", "ratio", "custom", "stream");
    for (name, text) in &texts {
        let bytes = speed(text.len(), || {
            black_box(
                black_box(text)
                    .bytes()
                    .fold(0_u8, |sum, b| if b.is_ascii_alphabetic() { sum } else { sum ^ b }),
            );
        });
        let scan = |masker: &Masker| {
            speed(text.len(), || {
                let mut memory = Memory::default();
                black_box(masker.edits(
                    black_box(text),
                    Direction::Request,
                    &Profile::default(),
                    &mut memory,
                ));
            })
        };
        let (mask, custom) = (scan(&masker), scan(&with_custom));
        let stream = speed(text.len() / 8, || {
            let (mut stream, mut memory, mut out) = (StreamMasker::new(), Memory::default(), String::new());
            let end = (text.len() / 8..).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let mut rest = text.get(..end).unwrap_or("");
            while !rest.is_empty() {
                let cut = (24..).find(|at| *at >= rest.len() || rest.is_char_boundary(*at)).unwrap_or(24);
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                stream.push(&masker, Direction::Response, &Profile::default(), &mut memory, piece, &mut out);
                rest = after;
            }
            stream.finish(&masker, Direction::Response, &Profile::default(), &mut memory, &mut out);
            black_box(out);
        });
        println!("{name:32} {bytes:8.0} {mask:8.0} {:6.2} {custom:8.0} {stream:8.1}", mask / bytes);
    }
}
