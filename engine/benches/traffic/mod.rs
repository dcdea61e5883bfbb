//! Texts that benches read, and how they measure.

// Each bench uses a part of it.
#![allow(dead_code)]

use std::time::Instant;

/// Bytes of each text.
pub const SIZE: usize = 1 << 20;

/// Runs of which the fastest counts.
const RUNS: usize = 7;

/// English prose with dates and numbers.
pub const PROSE: &str = "The gateway reads every request before it leaves, and what it does not understand it refuses. \
    Nobody had asked for this in 2019, when the first drafts went round; by the spring of 2024 it was on page 3 of every \
    questionnaire. \"We wanted to know,\" she said, \"who had approved what, and when.\" It took them 18 months.\n\n";

/// Source code.
pub const CODE: &str = "    pub fn settle(&mut self, at: usize) -> Result<Vec<Region>, Error> {\n        let mut out = Vec::with_capacity(self.len);\n        \
    for (index, item) in self.items.iter().enumerate() {\n            if item.start >= at && !item.is_empty() {\n                \
    out.push(Region { start: item.start, end: item.end, kind: index });\n            }\n        }\n        // the rest: see #1234\n        Ok(out)\n    }\n\n";

/// JSON logs.
pub const LOGS: &str = "{\"ts\":\"2026-11-21T23:22:05.123Z\",\"level\":\"info\",\"msg\":\"request done\",\"status\":200,\"ms\":12.5,\
    \"id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\",\"path\":\"/v1/messages?beta=true\",\"user\":1234567,\"ok\":true}\n";

/// A support ticket: findings of four kinds.
pub const FINDINGS: &str = "ticket 4711 from ann.smith@example.com: card 4111 1111 1111 1111 was declined, please call (415) 555-0100 \
    about it. Her key AKIAZ3MSDX5QW7RT2UVB leaked too, she says, and the rest of this line is plain prose about nothing. ";

/// Text in other scripts.
pub const NON_ASCII: &str = "Die Größe des Körpers — ungefähr 3 m — “überrascht” niemanden… 日本語のテキストも流れる。 Ça va très bien, merci. ";

/// A text of [`SIZE`] bytes.
pub fn repeated(unit: &str) -> String {
    let mut text = unit.repeat(SIZE / unit.len() + 1);
    let mut end = SIZE;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Characters of base64 that look drawn at random; the same in every run.
pub fn drawn(len: usize) -> String {
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let draw = |_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        alphabet.get(usize::try_from(seed >> 58).unwrap_or(0)).copied().unwrap_or('A')
    };
    (0..len).map(draw).collect()
}

/// Megabytes a second of the fastest run.
pub fn speed(bytes: usize, mut run: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    bytes as f64 / best / 1e6
}
