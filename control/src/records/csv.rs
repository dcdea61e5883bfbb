//! Entries as rows of a table, for whoever reads the log in a spreadsheet.

use sluice_engine::policy::bundle::Revocation;
use sluice_engine::record::{Decision, Stage, Who};

use super::Entry;
use crate::approvals::DecidedBy;
use crate::grants::GrantState;
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
                Stage::Edited => "exchange edited".into(),
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
            row.at_ms = event.at_ms;
            row.what = format!("hold {}", event.change.word());
            row.decisions = format!("hold {} by rule {}", event.id, event.rule);
            if let Some(masked) = event.masked {
                row.decisions.push_str(&format!(", {masked} texts masked"));
            }
            row.reason = event.reason;
            row.who = Some(by(event.by, event.requester));
        }
        Entry::Grant(event) => {
            row.at_ms = event.at_ms;
            row.what = format!("grant {}", event.state.word());
            let glass = if event.break_glass { ", break-glass" } else { "" };
            row.decisions = format!(
                "grant {} ({}{glass}) of {} to {}",
                event.id,
                event.name,
                event.roles.join(", "),
                event.who.subject
            );
            // The wish is the asker's own reason; whoever decides has theirs, or none.
            let asked =
                event.state == GrantState::Waiting || event.break_glass && event.state == GrantState::Live;
            row.reason = event.reason.or(asked.then_some(event.wish));
            row.who = Some(by(event.by, event.who));
        }
        Entry::Review(event) => {
            row.at_ms = event.at_ms;
            row.what = format!("review {}", event.change.word());
            row.decisions = format!("review {} ({})", event.review, event.name);
            if let Some(about) = &event.about {
                row.decisions.push_str(&format!(", {} of {} ({})", about.role, about.subject, about.issuer));
            }
            row.reason = event.reason;
            row.who = event.by.map(|(issuer, subject)| Who { issuer, subject, groups: Vec::new() });
            row.policy = event.policy_version.unwrap_or_default();
        }
        Entry::Token(event) => {
            row.at_ms = event.at_ms;
            row.what = "token exchanged".into();
            row.decisions = format!("token {}", event.id);
            row.who = Some(event.who);
        }
        Entry::SignIn(event) => {
            row.at_ms = event.at_ms;
            row.what = event.change.words().into();
            let known = [
                Some(format!("by {}", event.by)),
                event.address.map(|address| format!("from {address}")),
                event.visit.map(|visit| format!("visit {visit}")),
                event.device.map(|device| format!("device {device}")),
                (event.left_out > 0).then(|| format!("{} more refused before", event.left_out)),
            ];
            row.decisions = known.into_iter().flatten().collect::<Vec<_>>().join("; ");
            row.reason = event.why;
            row.who = event.who;
        }
        Entry::Pass(event) => {
            row.at_ms = event.at_ms;
            row.what = if event.revoked { "pass revoked" } else { "pass given" }.into();
            row.decisions = format!(
                "pass {} from hold {} under rule {} to {}",
                event.id, event.hold, event.rule, event.who.subject
            );
            row.reason = event.by.as_ref().and_then(|by| by.reason.clone());
            row.who = Some(by(event.by.map(named), event.who));
        }
        Entry::Delegation(event) => {
            let given = event.delegation;
            row.at_ms = event.at_ms;
            row.what = if given.ended.is_some() { "delegation ended" } else { "delegation given" }.into();
            row.decisions =
                format!("delegation {} of {} to {}", given.id, given.groups.join(", "), given.subject);
            row.reason = match &given.ended {
                Some(by) => by.reason.clone(),
                None => Some(given.reason),
            };
            row.who = Some(by(given.ended.map(named), given.from));
        }
        Entry::Policy(event) => {
            row.at_ms = event.at_ms;
            row.what = format!("policy {}", event.change.word());
            row.decisions = event.proposal.map(|id| format!("proposal {id}")).unwrap_or_default();
            row.reason = event.by.as_ref().and_then(|by| by.reason.clone());
            row.who = event.by.map(|by| Who { issuer: by.issuer, subject: by.subject, groups: Vec::new() });
            row.policy = event.version;
        }
        Entry::Revocation(revoked) => {
            row.at_ms = revoked.at_ms;
            row.what = "revocation".into();
            row.decisions = match revoked.what {
                Revocation::Token { issuer, id } => format!("token {id} of {issuer} revoked"),
                Revocation::Subject { issuer, subject, .. } => {
                    format!("tokens of {subject} ({issuer}) revoked")
                }
            };
            row.reason = revoked.reason;
            row.who = Some(revoked.by);
        }
        Entry::Retention(event) => {
            row.at_ms = event.at_ms;
            row.what = "texts removed by retention".into();
            row.decisions = format!("older than {}", sluice_engine::budget::utc(event.before_ms));
        }
        Entry::Restore(event) => {
            row.at_ms = event.at_ms;
            row.what = "restored from a backup".into();
            row.decisions = format!("backup of {}", sluice_engine::budget::utc(event.backup_at_ms));
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
            sluice_engine::budget::utc(self.at_ms),
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
    let observed = match (decision.observed, decision.left_out) {
        (true, _) => " (observed)",
        (_, true) => " (left out)",
        _ => "",
    };
    let tool = decision.tool.as_ref().map(|tool| format!(" {tool}")).unwrap_or_default();
    let edited = decision.edited_by.as_ref().map(|who| format!(", edited by {who}")).unwrap_or_default();
    format!("{:?} by {}{tool}{observed}{edited}", decision.action, decision.rule).to_lowercase()
}

/// Who did it, or whom it is about.
fn by(by: Option<(String, String)>, about: Who) -> Who {
    by.map_or(about, |(issuer, subject)| Who { issuer, subject, groups: Vec::new() })
}

fn named(by: DecidedBy) -> (String, String) {
    (by.issuer, by.subject)
}

/// A line as in RFC 4180. A cell that a spreadsheet would take for a formula starts with an apostrophe (OWASP, "CSV
/// Injection"). Control characters would reach the terminal of whoever looks at the file: U+FFFD stands for each but
/// line breaks and tabs.
pub fn line(cells: &[String]) -> String {
    let cell = |text: &String| {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let plain = |c: char| if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { '\u{fffd}' } else { c };
        let text: String = formula.then_some('\'').into_iter().chain(text.chars().map(plain)).collect();
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

    fn of_grant(state: &str, more: serde_json::Value) -> String {
        let who = serde_json::json!({"issuer": "idp", "subject": "ann", "groups": []});
        let mut entry = serde_json::json!({"id": "g1", "state": state, "atMs": 0, "name": "more", "roles": ["writer"],
            "who": who, "wish": "the asker's words", "breakGlass": false, "endsMs": 0});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let entry = Entry::Grant(serde_json::from_value(entry).unwrap());
        let entry = serde_json::to_string(&entry).unwrap();
        let hash = sluice_engine::record::chain::Hash([0; 32]);
        row(&Stored { cursor: 1, writer: "w".into(), seq: 1, hash, entry, signature: None }).unwrap()
    }

    #[test]
    fn a_grant_has_its_name_its_glass_and_the_reason_of_who_gave_one() {
        let by = serde_json::json!({"by": ["idp", "bob"]});
        let broken = serde_json::json!({"breakGlass": true});
        for (state, more, words, wish) in [
            ("waiting", serde_json::json!({}), "grant g1 (more) of writer to ann", true),
            ("live", by, "grant g1 (more) of writer to ann", false),
            ("live", broken.clone(), "grant g1 (more, break-glass) of writer to ann", true),
            ("ended", broken, "grant g1 (more, break-glass) of writer to ann", false),
        ] {
            let row = of_grant(state, more);
            assert!(row.contains(words), "{row}");
            assert_eq!(row.contains("the asker's words"), wish, "{row}");
        }
    }

    #[test]
    fn what_would_move_a_terminal_stands_in_no_cell() {
        let cells = ["a\u{1b}[2Jb".to_owned(), "\u{7}=1".to_owned(), "c\u{9b}d\te".to_owned()];
        assert_eq!(line(&cells), "a\u{fffd}[2Jb,\u{fffd}=1,c\u{fffd}d\te\r\n");
    }

    #[test]
    fn a_cell_that_would_be_a_formula_or_break_the_table_does_neither() {
        let cells = ["=HYPERLINK(\"x\")", "+1", "-1", "@x", "a,b", "two\nlines", "say \"hi\"", "plain"];
        assert_eq!(
            line(&cells.map(str::to_owned)),
            "\"'=HYPERLINK(\"\"x\"\")\",'+1,'-1,'@x,\"a,b\",\"two\nlines\",\"say \"\"hi\"\"\",plain\r\n"
        );
    }
}
