//! How fast masking reads, by kind of text, beside a loop that only looks at each byte.

use std::hint::black_box;

use sluice_engine::mask::{Direction, Masker, Memory, Profile, StreamMasker};

use super::Table;
use super::clock::speed;
use super::load::{custom, masking};
use super::texts::{
    CODE, FINDINGS, HOSTILE, LOGS, NON_ASCII, PROSE, SHORT, SIZE, agent_traffic, drawn, repeated,
};

/// Least MB/s on what agents send, and on hostile text.
const TRAFFIC: f64 = 300.0;
const WORST: f64 = 40.0;

/// Bytes of a stream, and of each of its pieces.
const STREAM: usize = SHORT / 2;
const PIECE: usize = 24;

/// Adds a row for each text.
pub fn measure(table: &mut Table<'_>) {
    let (Some(masker), Some(with_custom)) = (masking(Vec::new()), masking(custom())) else { return };
    table.head(&["MB/s", "mask", "bar", "", "byte loop", "50 custom", "stream"]);
    let named: [(&str, String, f64); 8] = [
        ("prose", repeated(PROSE, SIZE), TRAFFIC),
        ("code", repeated(CODE, SIZE), TRAFFIC),
        ("JSON logs", repeated(LOGS, SIZE), TRAFFIC),
        ("the three in turn", agent_traffic(), TRAFFIC),
        ("base64", drawn(SHORT), WORST),
        ("other scripts", repeated(NON_ASCII, SHORT), WORST),
        ("dense with findings", repeated(FINDINGS, SHORT), WORST),
        ("nothing but spaces", repeated(" ", SHORT), TRAFFIC),
    ];
    for (name, text, bar) in named {
        row(table, name, &text, bar, &masker, &with_custom);
    }
    for unit in HOSTILE {
        row(table, &format!("{unit:?}"), &repeated(unit, SHORT), WORST, &masker, &with_custom);
    }
}

fn row(table: &mut Table<'_>, name: &str, text: &str, bar: f64, masker: &Masker, with_custom: &Masker) {
    if !table.wants(name) {
        return;
    }
    let bytes = speed(text.len(), || {
        let sum = |sum: u8, b: u8| if b.is_ascii_alphabetic() { sum } else { sum ^ b };
        black_box(black_box(text).bytes().fold(0_u8, sum));
    });
    let (mask, custom) = (whole(masker, text), whole(with_custom, text));
    let rest = [bytes, custom, stream(masker, text)].map(|figure| format!("{figure:.0}"));
    table.row(name, mask, bar, mask >= bar, &rest);
}

/// MB/s of one text as a whole.
pub fn whole(masker: &Masker, text: &str) -> f64 {
    speed(text.len(), || {
        let mut memory = Memory::default();
        black_box(masker.edits(black_box(text), Direction::Request, &Profile::default(), &mut memory));
    })
}

/// MB/s of the front of a text in pieces, each as long as a word or two.
fn stream(masker: &Masker, text: &str) -> f64 {
    let text = text.get(..text.floor_char_boundary(STREAM)).unwrap_or_default();
    let profile = Profile::default();
    speed(text.len(), || {
        let (mut stream, mut memory, mut out) = (StreamMasker::new(), Memory::default(), String::new());
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.ceil_char_boundary(PIECE.min(rest.len())));
            stream.push(masker, Direction::Response, &profile, &mut memory, piece, &mut out);
            rest = after;
        }
        stream.finish(masker, Direction::Response, &profile, &mut memory, &mut out);
        black_box(out);
    })
}
