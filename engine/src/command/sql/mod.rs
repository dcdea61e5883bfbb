//! The effect of SQL: PostgreSQL's, and MySQL's, SQLite's and T-SQL's as far as they share.
//!
//! Not a grammar. A lexer per dialect cuts the text into statements; each is read by the word it begins with, and
//! then every token of it is looked at ([`scan`]). Where the dialects disagree, every reading counts.
//!
//! What follows from that, on purpose:
//! - A function that is not known to be harmless makes a statement unknown ([`functions`]).
//! - EXPLAIN of a statement that changes something counts as that statement.
//! - Row locks and LOCK TABLE are writes, as PostgreSQL's read-only transactions see them.
//! - A script of psql or `sqlite3` may hold client commands ([`client`]).
//!
//! Limits: a view or a trigger may do more than the statement says; Oracle's `q'[...]'` strings and servers that
//! run with other lexical rules than their default (`ANSI_QUOTES`, `standard_conforming_strings = off`) are not
//! covered; a setting that would change those rules counts as administering.

pub(super) use self::scan::Found;
use self::scan::Scan;
use self::token::{Dialect, Kind, Token, Tokens};
use super::{Effect, Effects, MAX_STATEMENTS, MAX_TEXT, Reading, Statement};

mod client;
mod condition;
mod functions;
mod lead;
mod objects;
mod scan;
mod session;
mod source;
mod structure;
mod token;

/// How deep strings that hold SQL are followed.
const MAX_NESTING: usize = 2;

/// The longest such string, in bytes: each is read once per dialect.
const MAX_INSIDE: usize = 1 << 16;

/// Reads SQL. The most severe reading among the dialects wins where they differ. Linear in the text's length;
/// never fails: what is not understood is unknown.
pub fn sql(text: &str) -> Reading {
    at_nesting(text, 0)
}

/// Reads SQL found inside something else.
pub(super) fn at_nesting(text: &str, nesting: usize) -> Reading {
    if text.len() > MAX_TEXT {
        return Reading::unknown("longer than what is read", 0..text.len());
    }
    if text.contains('\0') {
        return Reading::unknown("holds a NUL character", 0..text.len());
    }
    let lower = text.to_ascii_lowercase();
    let mut readings: Vec<(Vec<Statement>, bool)> = Vec::new();
    let mut cuts: Vec<Tokens> = Vec::new();
    let dialects = if token::diverges(text) { Dialect::ALL.as_slice() } else { &[Dialect::Postgres] };
    for dialect in dialects {
        let tokens = token::tokens(text, *dialect);
        // Most dialects cut most texts in the same way, and then read them in the same way.
        if !cuts.contains(&tokens) {
            readings.push(read(text, &lower, &tokens, *dialect, nesting));
            cuts.push(tokens);
        }
    }
    let any_complete = readings.iter().any(|(_, complete)| *complete);
    let worst = |statements: &[Statement]| statements.iter().map(|statement| statement.effect).max();
    readings.sort_by_key(|(statements, complete)| (std::cmp::Reverse(worst(statements)), !complete));
    let mut statements: Vec<Statement> = Vec::new();
    for (reading, _) in readings {
        let seen: Effects = statements.iter().map(|statement| statement.effect).collect();
        statements.extend(reading.into_iter().filter(|statement| !seen.contains(statement.effect)));
    }
    if !any_complete {
        statements.extend(Reading::unknown("a quote or comment does not end", 0..text.len()).statements);
    }
    // PostgreSQL ends a line at a carriage return, others do not: what is a comment depends on it.
    let bytes = text.as_bytes();
    if bytes.iter().zip(bytes.iter().skip(1)).any(|(one, two)| *one == b'\r' && *two != b'\n') {
        statements
            .extend(Reading::unknown("a carriage return without a line feed", 0..text.len()).statements);
    }
    Reading::of(statements, text.len())
}

/// What one dialect makes of the text, and whether it read all of it.
fn read(
    text: &str,
    lower: &str,
    tokens: &Tokens,
    dialect: Dialect,
    nesting: usize,
) -> (Vec<Statement>, bool) {
    let Tokens { list, complete: whole } = tokens;
    let whole = *whole;
    let mut complete = whole;
    let mut statements = Vec::new();
    let mut rest = list.as_slice();
    while !rest.is_empty() && statements.len() <= MAX_STATEMENTS {
        // A client command at the beginning is a statement of its own.
        let meta = rest.first().is_some_and(|token| token.kind == Kind::Meta);
        let end = rest.iter().position(|token| token.kind == Kind::End).unwrap_or(rest.len());
        let end = if meta { 1 } else { end };
        let command = rest.first().and_then(|token| text.get(token.range())).unwrap_or_default();
        if meta && command.starts_with("\\d") && rest.len() > 1 {
            // To MySQL's client it names the delimiter of what follows.
            let range = 0..text.len();
            statements.extend(Reading::unknown("\\d in front of other statements", range).statements);
        }
        let (head, tail) = rest.split_at(end);
        // `--comment` is two minus signs to MySQL, and a statement that begins with them is refused.
        let refused =
            dialect.is_mysql() && head.first().is_some_and(|token| text.get(token.range()) == Some("-"));
        complete &= !refused;
        // A statement that does not end is refused by the dialect; it may still be what another one reads.
        if !refused && !head.is_empty() && (whole || !tail.is_empty()) {
            statements.extend(statement(text, lower, head, nesting));
        }
        rest = if meta { tail } else { tail.get(1..).unwrap_or_default() };
    }
    (statements, complete)
}

fn statement(text: &str, lower: &str, tokens: &[Token], nesting: usize) -> Vec<Statement> {
    let mut scan = Scan::new(text, lower, tokens, nesting);
    scan.read();
    let objects = objects::objects(&scan);
    let start = tokens.first().map_or(0, |token| token.range().start);
    let end = tokens.last().map_or(0, |token| token.range().end);
    let mut seen = Effects::default();
    let mut statements = Vec::new();
    for Found { effect, why } in scan.found {
        if !seen.contains(effect) {
            seen.insert(effect);
            statements.push(Statement { effect, why, objects: objects.clone(), text: start..end });
        }
    }
    statements
}

/// What SQL inside something else does.
fn inside(text: &str, nesting: usize) -> Vec<Found> {
    if nesting > MAX_NESTING || text.len() > MAX_INSIDE {
        return vec![Found {
            effect: Effect::Unknown,
            why: "SQL nested deeper, or longer, than is read".into(),
        }];
    }
    let statements = at_nesting(text, nesting).statements;
    statements.into_iter().map(|statement| Found { effect: statement.effect, why: statement.why }).collect()
}

/// What the SQL in a string literal does.
fn inside_string(literal: &str, nesting: usize) -> Vec<Found> {
    if let Some(tag) =
        literal.strip_prefix('$').and_then(|rest| rest.split_once('$')).map(|(tag, _)| tag.len() + 2)
    {
        let body = literal.get(tag..literal.len().saturating_sub(tag)).unwrap_or_default();
        return inside(body, nesting);
    }
    let body = literal.split_once('\'').and_then(|(_, rest)| rest.strip_suffix('\'')).unwrap_or_default();
    inside(&body.replace("''", "'"), nesting)
}
