//! A report as CI systems read it.

use std::fmt::Write as _;

use super::run::{CaseReport, Report};

/// The report as JUnit XML: a suite for each file, a case for each case, and one for the coverage of the rules where
/// that is too low. `least`: the percentage that is asked for; `why`: what is said about
/// a failed case of the suite with this number.
pub fn junit(report: &Report, least: Option<usize>, why: impl Fn(usize, &CaseReport) -> String) -> String {
    let uncovered: Vec<_> = report
        .coverage
        .iter()
        .filter(|coverage| least.is_some_and(|least| coverage.percent() < least))
        .collect();
    let (tests, failures) =
        (report.passed + report.failed + uncovered.len(), report.failed + uncovered.len());
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites name=\"sluice policy test\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">"
    );
    for (number, suite) in report.suites.iter().enumerate() {
        let failed = suite.cases.iter().filter(|case| !case.differences.is_empty()).count();
        let took: f64 = suite.cases.iter().map(|case| case.took.as_secs_f64()).sum();
        let file = escape(&suite.file);
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"{took:.3}\">",
            suite.cases.len()
        );
        for case in &suite.cases {
            let (name, time) = (escape(&case.name), case.took.as_secs_f64());
            let head = format!("<testcase classname=\"{file}\" name=\"{name}\" time=\"{time:.3}\"");
            let Some(first) = case.differences.first() else {
                let _ = writeln!(xml, "    {head}/>");
                continue;
            };
            let message = escape(&format!("{}: expected {}, got {}", first.field, first.expected, first.got));
            let text = escape_text(&why(number, case));
            let _ = writeln!(
                xml,
                "    {head}>\n      <failure message=\"{message}\" type=\"difference\">{text}</failure>\n    </testcase>"
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    if !uncovered.is_empty() {
        let count = uncovered.len();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"coverage of rules\" tests=\"{count}\" failures=\"{count}\" errors=\"0\">"
        );
        for coverage in uncovered {
            let name = escape(&coverage.policy.join(", "));
            let message = escape(&format!(
                "{} % reached; no case reaches {}",
                coverage.percent(),
                coverage.unreached.join(", ")
            ));
            let _ = writeln!(
                xml,
                "    <testcase classname=\"coverage\" name=\"{name}\">\n      <failure message=\"{message}\" type=\"coverage\"/>\n    </testcase>"
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>");
    xml
}

/// Text for an element, in which lines stay lines.
fn escape_text(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// Text for an attribute. What XML 1.0 cannot carry at all (section 2.2) becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
