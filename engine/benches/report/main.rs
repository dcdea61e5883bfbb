//! Recall, precision and speed of each detector, those in packs too, as a table: `make mask-report`.
//!
//! * Recall: of generated, well-formed values in eight places, how many are covered from end to end.
//! * Exact: how many of them are covered and nothing beside them. Passwords have signs in them, so that one in front of a
//!   comma is covered with what follows.
//! * Precision: of what is found among these values, as many that are almost one (a wrong check digit, a
//!   placeholder, a piece), and the hard negatives of the tests, how much is a value.
//! * MB/s: one kind alone over 1 MB of prose, code and JSON logs. All at once are in the last line.
//!
//! The generator is deterministic. Numbers, addresses and tokens are made by rules of its own. `keys.tsv` was taken
//! from the detectors' table of formats: for keys, recall says that a format is found wherever it stands, not that
//! the format is the provider's.

#[path = "../measure/mod.rs"]
mod measure;
mod packs;
mod values;

use std::collections::BTreeMap;
use std::process::ExitCode;

use measure::{scan, texts};
use sluice_engine::mask::{Masker, default_kinds, pack_kinds};
use sluice_engine::policy::document::{MaskStyle, Masking};
use values::{Draw, Sample};

const KEY: &[u8] = b"a tenant key of thirty-two bytes";
const ROUNDS: usize = 400;
const NEGATIVES: &str = include_str!("../../src/mask/tests/passes.txt");
const FRAMES: [&str; 8] =
    ["{}", "see {} here", "({})", "\"{}\"", "value: {}\n", "- {}, and", "<b>{}</b>", "a,{},b"];

/// The least that the report accepts.
const LEAST_RECALL: f64 = 0.99;
const LEAST_PRECISION: f64 = 0.98;

/// What was found of a kind.
#[derive(Default)]
struct Score {
    planted: usize,
    whole: usize,
    exact: usize,
    right: usize,
    wrong: usize,
}

type Scores = BTreeMap<String, Score>;

fn count(
    masker: &Masker,
    text: &str,
    planted: Option<(&str, usize, usize)>,
    counted: &dyn Fn(&str) -> bool,
    scores: &mut Scores,
) {
    if let Some((kind, ..)) = planted {
        scores.entry(kind.to_owned()).or_default().planted += 1;
    }
    for finding in masker.find(text).iter().filter(|finding| counted(&finding.kind)) {
        let score = scores.entry(finding.kind.to_string()).or_default();
        match planted {
            Some((kind, start, end))
                if *finding.kind == *kind && finding.start < end && finding.end > start =>
            {
                score.right += 1;
                score.whole += usize::from(finding.start <= start && end <= finding.end);
                score.exact += usize::from((finding.start, finding.end) == (start, end));
            }
            _ => score.wrong += 1,
        }
    }
}

fn masker(kinds: &[(&str, MaskStyle)]) -> Option<Masker> {
    let kinds = kinds.iter().map(|(kind, style)| ((*kind).to_owned(), *style)).collect();
    Masker::new(&Masking { kinds, ..Masking::default() }, KEY).ok()
}

/// Plants values, and what is almost one, in every frame. `counted`: kinds whose findings count.
fn plant(masker: &Masker, samples: &[Sample], counted: &dyn Fn(&str) -> bool, scores: &mut Scores) {
    for Sample { kind, context, after, valid, almost } in samples {
        let mut draw = Draw::new(kind);
        for round in 0..ROUNDS {
            let frame = FRAMES.get(round % FRAMES.len()).copied().unwrap_or("{}");
            let value = valid(&mut draw);
            let front = format!("{}{context}", frame.split("{}").next().unwrap_or_default());
            let text = format!("{front}{value}{after}{}", frame.split("{}").nth(1).unwrap_or_default());
            let planted = Some((*kind, front.len(), front.len() + value.len()));
            count(masker, &text, planted, counted, scores);
            let text = frame.replace("{}", &format!("{context}{}{after}", almost(&mut draw)));
            count(masker, &text, None, counted, scores);
        }
    }
    for line in NEGATIVES.lines() {
        count(masker, &line.replace("\\n", "\n"), None, counted, scores);
    }
}

fn main() -> ExitCode {
    let (defaults, in_packs) = (default_kinds(), pack_kinds());
    let is_default = |kind: &str| defaults.contains(&kind);
    let by_name: Vec<_> = in_packs.iter().map(|(_, kind)| (*kind, MaskStyle::Pseudonym)).collect();
    let (Some(plain), Some(everything)) = (masker(&[]), masker(&by_name)) else { return ExitCode::from(2) };
    let mut scores = Scores::new();
    plant(&plain, &values::samples(), &is_default, &mut scores);
    // Each pack by itself, as policies turn them on: numbers of different countries have the same form.
    for sample in packs::samples() {
        let of_kind = |(_, kind): &&(&str, &str)| *kind == sample.kind;
        let packs = in_packs.iter().find(of_kind).map(|(pack, _)| (*pack).to_owned()).into_iter().collect();
        let Ok(own) = Masker::new(&Masking { packs, ..Masking::default() }, KEY) else { continue };
        plant(&own, &[sample], &|kind| !is_default(kind), &mut scores);
    }

    let text = texts::agent_traffic();
    let mut low = Vec::new();
    println!(
        "{:10} {:24} {:>8} {:>8} {:>10} {:>8}",
        "pack", "detector", "recall", "exact", "precision", "MB/s"
    );
    let mut kinds: Vec<_> = defaults.iter().map(|kind| ("", *kind)).chain(in_packs).collect();
    kinds.dedup_by_key(|(_, kind)| *kind);
    for (pack, kind) in kinds {
        let Some(score) = scores.get(kind).filter(|score| score.planted > 0) else {
            low.push(format!("{kind}: the report has no values of it"));
            continue;
        };
        let recall = score.whole as f64 / score.planted as f64;
        let exact = score.exact as f64 / score.planted as f64;
        let precision = score.right as f64 / (score.right + score.wrong).max(1) as f64;
        if recall < LEAST_RECALL || precision < LEAST_PRECISION {
            low.push(format!("{kind}: below {LEAST_RECALL} recall or {LEAST_PRECISION} precision"));
        }
        let Some(alone) = masker(&[("*", MaskStyle::Off), (kind, MaskStyle::Pseudonym)]) else { continue };
        println!(
            "{pack:10} {kind:24} {recall:8.4} {exact:8.4} {precision:10.4} {:8.0}",
            scan::whole(&alone, &text)
        );
    }
    for (name, masker, own) in [("all by default", &plain, true), ("all", &everything, false)] {
        let counted = || scores.iter().filter(|(kind, _)| !own || is_default(kind)).map(|(_, score)| score);
        let sum = |field: fn(&Score) -> usize| counted().map(field).sum::<usize>() as f64;
        let recall = sum(|s| s.whole) / sum(|s| s.planted);
        let exact = sum(|s| s.exact) / sum(|s| s.planted);
        let precision = sum(|s| s.right) / (sum(|s| s.right) + sum(|s| s.wrong));
        println!(
            "{:10} {name:24} {recall:8.4} {exact:8.4} {precision:10.4} {:8.0}",
            "",
            scan::whole(masker, &text)
        );
    }
    low.iter().for_each(|line| println!("{line}"));
    if low.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
