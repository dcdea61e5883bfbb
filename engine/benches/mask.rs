//! How fast masking reads, by kind of text, beside a loop that only looks at each byte.
//!
//! `cargo bench -p sluice-engine --bench mask` natively. In V8: build with `--target wasm32-wasip1 --profile wasm` and run the
//! module under Node's WASI; the figures there are what a filter inside Envoy can reach.

mod traffic;

use std::hint::black_box;
use std::time::Instant;

use sluice_engine::mask::{Direction, Masker, Memory, Profile, StreamMasker};
use sluice_engine::policy::document::{CustomPattern, Masking};
use traffic::{CODE, FINDINGS, LOGS, NON_ASCII, PROSE, SIZE, drawn, repeated, speed};

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
    texts.push(("base64".to_owned(), drawn(SIZE)));
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
