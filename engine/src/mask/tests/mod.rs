//! What the masking engine promises, over corpora of our own. Values are marked `⟦so⟧` in the corpora.

// A test may slice: a wrong place is a failure.
#![allow(clippy::string_slice)]

mod edits;
mod evasions;
mod found;
mod leaks;
mod named;
mod passes;
mod recall;
mod streams;

use super::{Direction, Edit, Finding, Masker, Memory, Profile};
use crate::policy::document::{CustomPattern, Masking};

pub(super) const KEY: &[u8] = b"a tenant key of thirty-two bytes";

/// A masker with the default policy.
pub(super) fn masker() -> Masker {
    Masker::new(&Masking::default(), KEY).unwrap()
}

/// A masker with every pack.
pub(super) fn masker_with_packs() -> Masker {
    let mut packs: Vec<String> = super::pack_kinds().iter().map(|(pack, _)| (*pack).to_owned()).collect();
    packs.dedup();
    Masker::new(&Masking { packs, ..Masking::default() }, KEY).unwrap()
}

/// A masker with custom patterns.
pub(super) fn masker_with_custom() -> Masker {
    let pattern = |name: &str, pattern: &str| CustomPattern {
        name: name.into(),
        pattern: pattern.into(),
        ..CustomPattern::default()
    };
    let custom = vec![
        pattern("employee", r"\bEMP-\d{4,8}\b"),
        pattern("project", r"(?i)project [a-z]{3,20}"),
        pattern("ticket", r"[A-Z]{2,5}-\d{1,6}"),
    ];
    Masker::new(&Masking { custom, ..Masking::default() }, KEY).unwrap()
}

/// Splices.
pub(super) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut out = String::new();
    let mut done = 0;
    for edit in edits {
        assert!(edit.start >= done && edit.end >= edit.start, "edits overlap in {text:?}");
        out.push_str(&text[done..edit.start]);
        out.push_str(&edit.with);
        done = edit.end;
    }
    out.push_str(&text[done..]);
    out
}

/// What a text becomes on its way in a direction, with a memory of its own.
pub(super) fn masked(masker: &Masker, text: &str, direction: Direction) -> String {
    apply(text, &masker.edits(text, direction, &Profile::default(), &mut Memory::default()))
}

/// Findings as kind and text.
pub(super) fn seen(masker: &Masker, text: &str) -> Vec<(String, String)> {
    let value = |f: &Finding| (f.kind.to_string(), text[f.start..f.end].to_owned());
    masker.find(text).iter().map(value).collect()
}

/// Takes the marks off a text; the marked spans.
pub(super) fn unmark(marked: &str) -> (String, Vec<String>) {
    let text = marked.replace(['⟦', '⟧'], "");
    let values = marked.split('⟦').skip(1).filter_map(|p| p.split('⟧').next().map(str::to_owned)).collect();
    (text, values)
}

/// A sequence of numbers that is the same in every run (xorshift64*).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    pub(super) fn text(&mut self, alphabet: &str, len: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..len).map(|_| *self.pick(&letters)).collect()
    }
}

pub(super) const DIGITS: &str = "0123456789";
pub(super) const BASE62: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Maskers with the default policy, with every pack, and with custom patterns.
pub(super) fn maskers() -> [Masker; 3] {
    [masker(), masker_with_packs(), masker_with_custom()]
}

/// The texts of all corpora.
pub(super) fn corpora() -> Vec<String> {
    include_str!("found.rs")
        .lines()
        .chain(include_str!("evasions.rs").lines())
        .filter(|l| l.contains('⟦'))
        .map(|l| unmark(l).0)
        .chain(include_str!("passes.txt").lines().map(str::to_owned))
        .collect()
}

/// The corpora and as many hostile texts.
pub(super) fn texts(hostile_ones: usize) -> Vec<String> {
    let (mut numbers, masker) = (Numbers(77), masker());
    let mut texts = corpora();
    texts.extend((0..hostile_ones).map(|_| hostile(&mut numbers, &masker)));
    texts
}

/// Text made of fragments that detectors, masks and disguises are made of.
pub(super) fn hostile(numbers: &mut Numbers, masker: &Masker) -> String {
    let fragments = [
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
        "password",
        "password=",
        "token: ",
        "sk-ant-",
        "AKIA",
        "eyJhbGciOiJIUzI1NiJ9.",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "-----",
        "-----END PRIVATE KEY-----",
        "\n",
        "\\n",
        "\\u0040",
        "\\",
        "&#64;",
        "&",
        "%40",
        "%",
        "\u{200b}",
        "\u{a0}",
        "４",
        "＠",
        "é",
        "漢",
        "🙂",
        "(",
        ")",
        "+1",
        "+",
        "415-555-0100",
        "123-45-6789",
        "DE89370400440532013000",
        "<",
        "<email:",
        ">",
        "[redacted:email]",
        "postgres://u:",
        "@h.com",
        "EMP-1234",
        "project alpha",
        "a",
        "Z",
        "x9",
        "_",
        "abcdefghijklmnopqrstuvwx",
        "'",
        "SSN ",
        "phone ",
        "0x",
        "1A1z",
        "::",
        "2606:4700",
        "8.8.8.8",
        "A",
        "QX-77",
    ];
    let mut text = String::new();
    for _ in 0..1 + numbers.below(14) {
        match numbers.below(12) {
            0 => {
                let len = 1 + numbers.below(50);
                text.push_str(&numbers.text(BASE62, len));
            }
            1 => {
                let len = 1 + numbers.below(22);
                text.push_str(&numbers.text(DIGITS, len));
            }
            2 => {
                let value = format!("{}@example.com", numbers.text("abc", 4));
                let direction = *numbers.pick(&[Direction::Request, Direction::Response]);
                text.push_str(&masked(masker, &value, direction));
            }
            3 => text.push_str(&masked(masker, "ann@example.com", Direction::Request)),
            _ => text.push_str(fragments[numbers.below(fragments.len())]),
        }
    }
    text
}
