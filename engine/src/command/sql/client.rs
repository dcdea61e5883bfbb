//! Commands to the client that stand among SQL: psql's `\copy`, `sqlite3`'s `.shell`, MySQL's `\!`.

use super::scan::{Found, clip};
use crate::command::Effect::{self, Administer, Read, Transaction, Unknown, Write};

/// Commands that look or change how results are shown. Every other `\d...` of psql looks, too.
const LOOKS: [&str; 44] = [
    "\\?",
    "\\a",
    "\\conninfo",
    "\\copyright",
    "\\dt",
    "\\f",
    "\\h",
    "\\l",
    "\\l+",
    "\\p",
    "\\pset",
    "\\q",
    "\\sf",
    "\\sv",
    "\\t",
    "\\timing",
    "\\x",
    "\\z",
    "\\r",
    ".changes",
    ".databases",
    ".dbinfo",
    ".dump",
    ".echo",
    ".eqp",
    ".exit",
    ".explain",
    ".fullschema",
    ".header",
    ".headers",
    ".help",
    ".indexes",
    ".indices",
    ".mode",
    ".nullvalue",
    ".print",
    ".quit",
    ".schema",
    ".separator",
    ".show",
    ".stats",
    ".tables",
    ".timer",
    ".width",
];

/// What one such command does; `line` is the rest of its line.
pub fn command(line: &str, nesting: usize) -> Vec<Found> {
    let found = |effect: Effect, why: String| vec![Found { effect, why: why.into() }];
    let (name, rest) = line.split_at(line.find([' ', '\t', '\r']).unwrap_or(line.len()));
    if let Some(program) =
        line.strip_prefix("\\!").or_else(|| matches!(name, ".shell" | ".system" | "\\system").then_some(rest))
    {
        let mut list = found(Administer, "a client command starts a program".into());
        list.extend(crate::command::shell::inside(program, nesting + 1));
        return list;
    }
    if line.contains('`') {
        return found(Administer, "a client command with `` ` `` starts a program".into());
    }
    // `\d` names a delimiter in MySQL's client, and psql goes on after a second backslash.
    let plain = rest.split_whitespace().count() <= 2
        && rest.chars().all(|c| {
            c.is_alphanumeric()
                || matches!(c, ' ' | '\t' | '\r' | '_' | '.' | '*' | '+' | '"' | '-' | '|' | ',')
        });
    let describes = name.strip_prefix("\\d").is_some_and(|more| {
        more.len() <= 4 && !more.contains(|c: char| !(c.is_ascii_alphabetic() || matches!(c, '+' | 'S')))
    });
    let name = name.to_ascii_lowercase();
    match name.trim_end_matches(';') {
        name if plain && (describes || LOOKS.contains(&name)) && name != ".print" => {
            found(Read, format!("{} only shows", clip(name)))
        }
        ".print" | ".echo" => found(Read, "shows text".into()),
        "\\c" | "\\connect" if plain => found(Transaction, "connects to another database".into()),
        "\\copy" if !rest.to_ascii_lowercase().contains("program") => {
            let mut list = found(Write, "\\copy moves rows between a table and a file".into());
            // `\copy (query) to file` runs the query.
            list.extend(
                super::inside(&format!("COPY {rest}"), nesting + 1)
                    .into_iter()
                    .filter(|found| found.effect > Write && found.effect != Administer),
            );
            list
        }
        name => {
            found(Unknown, format!("{} is a client command that is not known to be harmless", clip(name)))
        }
    }
}
