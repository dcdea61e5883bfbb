//! Entries as rows of a table, for whoever reads the log in a spreadsheet.

use sluice_engine::record::{Decision, Stage, Who};

use super::{Entry, HoldChange};
use crate::store::Stored;

/// The columns.
const COLUMNS: [&str; 17] = [
    "cursor",
    "time_utc",
    "what",
    "issuer",
    "subject",
    "groups",
    "session",
    "exchange",
    "route",
    "model",
    "status",
    "decisions",
    "findings",
    "input_tokens",
    "output_tokens",
    "reason",
    "policy_version",
];

/// The first line.
pub fn head() -> String {
    line(&COLUMNS.map(str::to_owned))
}

/// The row of an entry; `None` when its text cannot be read any more, which verification tells.
pub fn row(stored: &Stored) -> Option<String> {
    let entry: Entry = serde_json::from_str(&stored.entry).ok()?;
    let mut row =
        Row { cursor: stored.cursor, session: entry.session().map(str::to_owned), ..Row::default() };
    row.exchange = entry.exchange().map(str::to_owned);
    match entry {
        Entry::Exchange(record) => {
            row.at_ms = record.at_ms;
            row.what = match record.stage {
                Stage::Open => "exchange opened".into(),
                Stage::Close => "exchange closed".into(),
            };
            row.who = record.principal;
            row.route = Some(record.route);
            row.model = record.model;
            row.status = record.status.map(|status| status.to_string());
            row.decisions = record.decisions.iter().map(decision).collect::<Vec<_>>().join("; ");
            let findings = record.findings.iter().map(|(kind, count)| format!("{kind}: {count}"));
            row.findings = findings.collect::<Vec<_>>().join("; ");
            row.tokens = record.usage.map(|usage| {
                let prompt = usage.input_tokens.saturating_add(usage.cache_read_input_tokens);
                (prompt.saturating_add(usage.cache_creation_input_tokens), usage.output_tokens)
            });
            row.policy = record.policy_version;
        }
        Entry::Hold(event) => {
            let change = match event.change {
                HoldChange::Opened => "opened",
                HoldChange::Approved => "approved",
                HoldChange::Denied => "denied",
                HoldChange::Expired => "expired",
                HoldChange::Used => "used",
            };
            row.at_ms = event.at_ms;
            row.what = format!("hold {change}");
            row.decisions = format!("hold {} by rule {}", event.id, event.rule);
            row.reason = event.reason;
            row.who = Some(by(event.by, event.requester));
        }
        Entry::Grant(event) => {
            row.at_ms = event.at_ms;
            row.what = format!("grant {}", event.state.word());
            row.decisions =
                format!("grant {} of {} to {}", event.id, event.roles.join(", "), event.who.subject);
            row.reason = event.reason.or(Some(event.wish));
            row.who = Some(by(event.by, event.who));
        }
        Entry::Token(event) => {
            row.at_ms = event.at_ms;
            row.what = "token exchanged".into();
            row.decisions = format!("token {}", event.id);
            row.who = Some(event.who);
        }
    }
    Some(row.line())
}

#[derive(Default)]
struct Row {
    cursor: i64,
    at_ms: u64,
    what: String,
    who: Option<Who>,
    session: Option<String>,
    exchange: Option<String>,
    route: Option<String>,
    model: Option<String>,
    status: Option<String>,
    decisions: String,
    findings: String,
    tokens: Option<(u64, u64)>,
    reason: Option<String>,
    policy: String,
}

impl Row {
    fn line(self) -> String {
        let who = self.who.unwrap_or_else(|| Who {
            issuer: String::new(),
            subject: String::new(),
            groups: Vec::new(),
        });
        let (input, output) = self.tokens.unzip();
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        line(&[
            self.cursor.to_string(),
            crate::clock::utc(self.at_ms),
            self.what,
            who.issuer,
            who.subject,
            who.groups.join("; "),
            self.session.unwrap_or_default(),
            self.exchange.unwrap_or_default(),
            self.route.unwrap_or_default(),
            self.model.unwrap_or_default(),
            self.status.unwrap_or_default(),
            self.decisions,
            self.findings,
            number(input),
            number(output),
            self.reason.unwrap_or_default(),
            self.policy,
        ])
    }
}

fn decision(decision: &Decision) -> String {
    let observed = if decision.observed { " (observed)" } else { "" };
    let tool = decision.tool.as_ref().map(|tool| format!(" {tool}")).unwrap_or_default();
    format!("{:?} by {}{tool}{observed}", decision.action, decision.rule).to_lowercase()
}

/// Who did it, or whom it is about.
fn by(by: Option<(String, String)>, about: Who) -> Who {
    by.map_or(about, |(issuer, subject)| Who { issuer, subject, groups: Vec::new() })
}

/// A line as in RFC 4180. A cell that a spreadsheet would take for a formula starts with an apostrophe (OWASP, "CSV
/// Injection").
fn line(cells: &[String]) -> String {
    let cell = |text: &String| {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = if formula { format!("'{text}") } else { text.clone() };
        if text.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let mut line = cells.iter().map(cell).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_would_be_a_formula_or_break_the_table_does_neither() {
        let cells = ["=HYPERLINK(\"x\")", "+1", "-1", "@x", "a,b", "two\nlines", "say \"hi\"", "plain"];
        assert_eq!(
            line(&cells.map(str::to_owned)),
            "\"'=HYPERLINK(\"\"x\"\")\",'+1,'-1,'@x,\"a,b\",\"two\nlines\",\"say \"\"hi\"\"\",plain\r\n"
        );
    }
}
