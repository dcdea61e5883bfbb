//! Items, for people.

use super::super::print::{Paint, clean_line, say, short, time};
use crate::http::ShownItem;
use crate::reviews::{Attestation, Choice, Item, Suggestion, Through, told_part};

/// The columns of [`row`].
pub const HEAD: [&str; 7] = ["N", "WHO", "ROLE", "USED", "LAST (UTC)", "SUGGESTED", "DECIDED"];

/// An item on one line.
pub fn row(shown: &ShownItem) -> Vec<String> {
    let item = &shown.item;
    let who = if shown.yours { format!("{} (you)", item.subject) } else { item.subject.clone() };
    let role = match &item.grant {
        Some(grant) => format!("{} (grant {grant})", item.role),
        None => item.role.clone(),
    };
    vec![
        item.n.to_string(),
        short(&clean_line(&who), 36),
        short(&clean_line(&role), 36),
        item.right.used.map_or_else(|| "never".into(), |used| format!("{}x", used.count)),
        item.right.used.map_or_else(|| "-".into(), |used| time(used.last_ms)),
        short(&clean_line(&suggested(&item.suggestion)), 60),
        item.decision.as_ref().map_or_else(|| "-".into(), |decision| short(&decided(decision), 60)),
    ]
}

fn suggested(suggestion: &Suggestion) -> String {
    match suggestion.choice {
        None => "-".into(),
        Some(Choice::Certify) => "certify".into(),
        Some(Choice::Revoke) => "revoke".into(),
        Some(Choice::Reduce) => {
            format!("reduce by {}", suggestion.part.as_ref().map(told_part).unwrap_or_default())
        }
    }
}

fn decided(decision: &Attestation) -> String {
    let by = decision.by.as_ref().map_or("nobody", |(_, subject)| subject.as_str());
    let part = decision.part.as_ref().map(|part| format!(" ({})", told_part(part))).unwrap_or_default();
    clean_line(&format!("{}{part} by {by}: {}", decision.choice.word(), decision.reason))
}

/// An item with everything that helps to decide it.
pub fn tell(item: &Item) {
    let paint = Paint::detect();
    let line = |name: &str, value: &str| say(&format!("{} {value}", paint.dim(&format!("{name:<10}"))));
    line("item", &paint.bold(&item.n.to_string()));
    line("who", &paint.bold(&clean_line(&format!("{} ({})", item.subject, item.issuer))));
    line("groups", &clean_line(&item.groups.join(", ")));
    line("role", &paint.bold(&clean_line(&item.role)));
    for through in &item.right.through {
        let said = match through {
            Through::Group { binding, group } => format!("the group {group}, by binding {binding}"),
            Through::Subject { binding } => format!("the subject, by binding {binding}"),
            Through::Grant { grant, until_ms } => format!("grant {grant}, until {} UTC", time(*until_ms)),
        };
        line("through", &clean_line(&said));
    }
    let list =
        |entries: &[String]| if entries.is_empty() { "-".into() } else { clean_line(&entries.join(", ")) };
    line("scopes", &list(&item.right.scopes));
    line("models", &list(&item.right.models));
    line("tools", &item.right.tools.as_deref().map_or_else(|| "all".into(), list));
    let used = match item.right.used {
        Some(used) => format!("{} times, last {} UTC", used.count, time(used.last_ms)),
        None => paint.yellow("never"),
    };
    line("used", &used);
    if let Some(seen) = &item.seen {
        line("", &format!("models {}", list(&seen.models)));
        line("", &format!("tools {}", list(&seen.tools)));
        line(
            "in all",
            &format!(
                "{} exchanges, {} denials, {} holds, {} findings, {} to {} UTC",
                seen.exchanges,
                seen.denied,
                seen.held,
                seen.findings,
                time(seen.first_ms),
                time(seen.last_ms)
            ),
        );
    }
    line("suggested", &clean_line(&format!("{}: {}", suggested(&item.suggestion), item.suggestion.why)));
    if let Some(decision) = &item.decision {
        line("decided", &decided(decision));
    }
}
