//! Recall, precision and speed of each default detector, as a table: `make mask-report`.
//!
//! * Recall: of generated, well-formed values in eight places, how many are found whole.
//! * Precision: of what is found among these values, as many that are almost one (a wrong check digit, a
//!   placeholder, a piece), and the hard negatives of the tests, how much is a value.
//! * MB/s: one kind alone over 1 MB of prose, code and JSON logs. All at once are in the last line.
//!
//! The generator is deterministic. Numbers, addresses and tokens are made by rules of its own. `keys.tsv` was taken
//! from the detectors' table of formats: for keys, recall says that a format is found wherever it stands, not that
//! the format is the provider's.

#[path = "../measure/mod.rs"]
mod measure;
mod values;

use std::collections::BTreeMap;
use std::process::ExitCode;

use measure::{scan, texts};
use sluice_engine::mask::{Masker, default_kinds};
use sluice_engine::policy::document::{MaskStyle, Masking};
use values::{Draw, Sample, samples};

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
    right: usize,
    wrong: usize,
}

fn count(
    masker: &Masker,
    text: &str,
    planted: Option<(&str, usize, usize)>,
    scores: &mut BTreeMap<String, Score>,
) {
    if let Some((kind, ..)) = planted {
        scores.entry(kind.to_owned()).or_default().planted += 1;
    }
    for finding in masker.find(text) {
        let score = scores.entry(finding.kind.to_string()).or_default();
        match planted {
            Some((kind, start, end))
                if *finding.kind == *kind && finding.start < end && finding.end > start =>
            {
                score.right += 1;
                score.whole += usize::from((finding.start, finding.end) == (start, end));
            }
            _ => score.wrong += 1,
        }
    }
}

fn masker(kinds: &[(&str, MaskStyle)]) -> Option<Masker> {
    let kinds = kinds.iter().map(|(kind, style)| ((*kind).to_owned(), *style)).collect();
    Masker::new(&Masking { kinds, ..Masking::default() }, KEY).ok()
}

fn main() -> ExitCode {
    let Some(all) = masker(&[]) else { return ExitCode::from(2) };
    let mut scores = BTreeMap::new();
    let samples = samples();
    for Sample { kind, context, after, valid, almost } in &samples {
        let mut draw = Draw::new(kind);
        for round in 0..ROUNDS {
            let frame = FRAMES.get(round % FRAMES.len()).copied().unwrap_or("{}");
            let value = valid(&mut draw);
            let front = format!("{}{context}", frame.split("{}").next().unwrap_or_default());
            let text = format!("{front}{value}{after}{}", frame.split("{}").nth(1).unwrap_or_default());
            count(&all, &text, Some((kind, front.len(), front.len() + value.len())), &mut scores);
            let text = frame.replace("{}", &format!("{context}{}{after}", almost(&mut draw)));
            count(&all, &text, None, &mut scores);
        }
    }
    for line in NEGATIVES.lines() {
        count(&all, &line.replace("\\n", "\n"), None, &mut scores);
    }
    let text = texts::agent_traffic();
    let mut low = Vec::new();
    println!("{:24} {:>8} {:>10} {:>8}", "detector", "recall", "precision", "MB/s");
    for kind in default_kinds() {
        let Some(score) = scores.get(kind).filter(|score| score.planted > 0) else {
            low.push(format!("{kind}: the report has no values of it"));
            continue;
        };
        let recall = score.whole as f64 / score.planted as f64;
        let precision = score.right as f64 / (score.right + score.wrong).max(1) as f64;
        if recall < LEAST_RECALL || precision < LEAST_PRECISION {
            low.push(format!("{kind}: below {LEAST_RECALL} recall or {LEAST_PRECISION} precision"));
        }
        let Some(alone) = masker(&[("*", MaskStyle::Off), (kind, MaskStyle::Pseudonym)]) else { continue };
        println!("{kind:24} {recall:8.4} {precision:10.4} {:8.0}", scan::whole(&alone, &text));
    }
    let sum = |field: fn(&Score) -> usize| scores.values().map(field).sum::<usize>() as f64;
    let found = sum(|s| s.right) + sum(|s| s.wrong);
    println!(
        "{:24} {:8.4} {:10.4} {:8.0}",
        "all",
        sum(|s| s.whole) / sum(|s| s.planted),
        sum(|s| s.right) / found,
        scan::whole(&all, &text)
    );
    low.iter().for_each(|line| println!("{line}"));
    if low.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
