//! `sluice policy test`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::faults;
use super::steps::Steps;
use crate::cli::print::{Paint, clean, clean_line, say};
use crate::cli::{Failure, Outcome};
use crate::serve::now_ms;
use crate::trial::cases::{CaseReport, Report, Suite, find, junit, run};

/// Run the cases that stand beside policies, on the engine that the sidecar runs.
///
/// Cases stand in files that end in `.test.yaml`: who calls, what they send, what the API answers, and what must come
/// of it. docs/policy-tests.md describes them. A streamed reply is fed in one piece and at many splits, and all must
/// come to the same.
///
/// Ends with 0 when every case came out as expected, with 1 when one did not or too few rules are covered, with 2 when
/// the files are not in order: then nothing was run.
#[derive(Debug, Args)]
pub struct Test {
    /// A file of cases, a directory in and below which they are looked for, or a policy with cases beside it.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Fail when cases reach fewer than this percentage of a policy's rules.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    coverage_at_least: Option<u8>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Form,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people: what failed, and why.
    Text,
    /// For programs: everything, with the steps of each case.
    Json,
    /// JUnit XML, for CI systems.
    Junit,
}

impl Test {
    pub fn run(self) -> Outcome {
        let mut suites = Vec::new();
        let mut wrong = Vec::new();
        for path in &self.paths {
            match find(path) {
                Err(fault) => wrong.push(fault),
                Ok(files) => {
                    for file in files {
                        match Suite::read(&file) {
                            Ok(suite) => suites.push(suite),
                            Err(faults) => wrong.extend(faults),
                        }
                    }
                }
            }
        }
        if !wrong.is_empty() {
            return Err(Failure::Cannot(faults("the cases cannot be run", &wrong)));
        }
        let report = run(&suites, now_ms())
            .map_err(|wrong| Failure::Cannot(faults("the cases cannot be run", &wrong)))?;
        let least = self.coverage_at_least.map(usize::from);
        match self.output {
            Form::Json => say(&serde_json::to_string(&report).map_err(Failure::cannot)?),
            Form::Junit => say(&junit(&report, least, |number, case| {
                suites.get(number).map(|suite| why(suite, case, Paint::plain())).unwrap_or_default()
            })),
            Form::Text => tell(&report, &suites),
        }
        let uncovered = report.coverage.iter().find(|one| least.is_some_and(|least| one.percent() < least));
        match (report.failed, uncovered) {
            (0, None) => Ok(()),
            (0, Some(coverage)) => {
                let (percent, least) = (coverage.percent(), least.unwrap_or_default());
                Err(Failure::No(format!("the cases reach {percent} % of the rules, asked for are {least} %")))
            }
            (1, _) => Err(Failure::No("one case did not come out as expected".into())),
            (many, _) => Err(Failure::No(format!("{many} cases did not come out as expected"))),
        }
    }
}

fn tell(report: &Report, suites: &[Suite]) {
    let paint = Paint::detect();
    for (suite, read) in report.suites.iter().zip(suites) {
        say(&paint.bold(&suite.file));
        for case in &suite.cases {
            if case.differences.is_empty() {
                say(&format!("  {} {}", paint.green("ok"), clean(&case.name)));
                continue;
            }
            say(&format!("  {} {}", paint.red("FAILED"), clean(&case.name)));
            say(&indented(&why(read, case, paint)));
        }
    }
    for coverage in &report.coverage {
        let reached = coverage.rules.len().saturating_sub(coverage.unreached.len());
        let files = coverage.policy.join(", ");
        say(&format!(
            "{files}: {reached} of {} rules reached, {} %",
            coverage.rules.len(),
            coverage.percent()
        ));
        if !coverage.unreached.is_empty() {
            say(&format!("  {} {}", paint.yellow("no case reaches"), clean(&coverage.unreached.join(", "))));
        }
    }
    let failed = format!("{} failed", report.failed);
    let failed = if report.failed > 0 { paint.red(&failed) } else { failed };
    say(&format!("{} passed, {failed}", report.passed));
}

/// What differs, and the steps that led there.
fn why(suite: &Suite, case: &CaseReport, paint: Paint) -> String {
    let mut text = String::new();
    for one in &case.differences {
        let (expected, got) = (clean_line(&one.expected), clean_line(&one.got));
        text.push_str(&format!("{}: expected {}\n", one.field, paint.green(&expected)));
        text.push_str(&format!("{:>width$}  got {}\n", "", paint.red(&got), width = one.field.len() + 5));
    }
    text.push_str(&Steps::new(&suite.policy.policy, Some(&case.principal), paint).write(&case.outcome));
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("      {line}")).collect::<Vec<_>>().join("\n")
}
