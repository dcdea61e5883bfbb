//! Whether a WHERE clearly restricts what a statement changes.
//!
//! No function can tell whether a condition is always true, so the question is turned around: a condition
//! restricts when every alternative of its ORs has, among its ANDs, a comparison of a column that is understood:
//! equality, an order, a list, a pattern, IS NULL, or a subquery that itself restricts. What is true of every row
//! (`1 = 1`, `id = id`, `id > 0`, `name LIKE '%'`, `id IS NOT NULL`), what only leaves something out (`id <> 7`,
//! NOT ...), what is not a comparison (`WHERE id`, true in MySQL for every number but 0), and arithmetic or
//! functions through which a comparison could lose its meaning (`id * 0 = 0`) do not count.

use std::ops::Range;

use super::scan::{Scan, unquoted};
use super::token::Kind;

/// How deep parentheses and subqueries are followed.
const MAX_DEPTH: usize = 24;

/// Functions through which a comparison keeps its meaning.
const TRANSPARENT: [&str; 36] = [
    "any",
    "array",
    "cast",
    "coalesce",
    "convert",
    "curdate",
    "current_date",
    "current_timestamp",
    "date",
    "date_add",
    "date_sub",
    "date_trunc",
    "dateadd",
    "datepart",
    "datetime",
    "day",
    "decimal",
    "extract",
    "getdate",
    "ifnull",
    "in",
    "interval",
    "isnull",
    "lower",
    "ltrim",
    "make_interval",
    "month",
    "now",
    "rtrim",
    "strftime",
    "to_date",
    "to_timestamp",
    "trim",
    "upper",
    "varchar",
    "year",
];

/// Words in a condition that are not columns.
const NOT_COLUMNS: [&str; 58] = [
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "at",
    "between",
    "both",
    "by",
    "case",
    "cast",
    "collate",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "date",
    "default",
    "desc",
    "distinct",
    "else",
    "end",
    "escape",
    "exists",
    "false",
    "from",
    "ilike",
    "in",
    "interval",
    "is",
    "isnull",
    "like",
    "localtime",
    "localtimestamp",
    "not",
    "notnull",
    "null",
    "of",
    "on",
    "or",
    "rlike",
    "row",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "sysdate",
    "then",
    "time",
    "timestamp",
    "to",
    "true",
    "unknown",
    "when",
    "zone",
];

/// Whether the DELETE or UPDATE that begins at a token has a WHERE that restricts it.
pub fn restricts_statement(scan: &Scan<'_>, at: usize) -> bool {
    let Some(from) = scan.level(at + 1).find(|at| scan.word(*at) == "where") else { return false };
    // A second statement may follow without a semicolon: the WHERE must be this one's.
    let another = |at: &usize| matches!(scan.word(*at), "delete" | "update" | "select" | "insert" | "exec");
    if scan.level(at + 1).take_while(|at| *at < from).any(|at| another(&at)) {
        return false;
    }
    if scan.word(from + 1) == "current" && scan.word(from + 2) == "of" {
        return true;
    }
    restricts(scan, from + 1..end(scan, from + 1))
}

/// Where the condition that begins at a token ends.
fn end(scan: &Scan<'_>, from: usize) -> usize {
    let stop = |word: &str| {
        matches!(
            word,
            "returning"
                | "limit"
                | "order"
                | "group"
                | "having"
                | "option"
                | "union"
                | "except"
                | "intersect"
                | "window"
                | "delete"
                | "update"
                | "insert"
                | "select"
                | "drop"
                | "exec"
                | "execute"
                | "truncate"
                | "merge"
                | "create"
                | "alter"
                | "grant"
                | "offset"
                | "fetch"
                | "for"
                | "when"
        )
    };
    let mut last = from;
    for at in scan.level(from) {
        if stop(scan.word(at)) {
            return at;
        }
        last = scan.close(at) + 1;
    }
    last
}

/// Whether the condition in these tokens restricts.
pub fn restricts(scan: &Scan<'_>, range: Range<usize>) -> bool {
    all_alternatives(scan, range, 0)
}

fn all_alternatives(scan: &Scan<'_>, range: Range<usize>, depth: usize) -> bool {
    if depth > MAX_DEPTH || range.is_empty() {
        return false;
    }
    let ors = |at: usize| matches!(scan.word(at), "or" | "xor") || scan.op(at) == "||";
    split(scan, range, ors).into_iter().all(|alternative| {
        let mut between = false;
        let ands = |at: usize| {
            between |= scan.word(at) == "between";
            let and = scan.word(at) == "and" || scan.op(at) == "&&";
            // The first AND after a BETWEEN belongs to it.
            and && !std::mem::take(&mut between)
        };
        split(scan, alternative, ands).into_iter().any(|term| comparison(scan, term, depth))
    })
}

/// Cuts a range at the tokens, outside deeper parentheses, that `cut` says.
fn split(scan: &Scan<'_>, range: Range<usize>, mut cut: impl FnMut(usize) -> bool) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    for at in scan.level(range.start).take_while(|at| *at < range.end) {
        if cut(at) {
            parts.push(start..at);
            start = at + 1;
        }
    }
    parts.push(start..range.end);
    parts
}

fn comparison(scan: &Scan<'_>, term: Range<usize>, depth: usize) -> bool {
    let Range { start, end } = term;
    if scan.op(start) == "(" && scan.close(start) + 1 == end {
        return all_alternatives(scan, start + 1..end - 1, depth + 1);
    }
    if scan.word(start) == "exists" && scan.op(start + 1) == "(" && scan.close(start + 1) + 1 == end {
        return subquery(scan, start + 2..end - 1, depth + 1);
    }
    let operators: Vec<usize> =
        scan.level(start).take_while(|at| *at < end).filter(|at| compares(scan, *at)).collect();
    let &[operator] = operators.as_slice() else { return false };
    let (left, right) = (start..operator, operator + 1..end);
    if right.is_empty() || left.is_empty() || !transparent(scan, start..end) {
        return false;
    }
    let columns = columns(scan, start..end);
    if columns.is_empty() || columns.len() > 32 || string_or_name(scan, &left, &right) {
        return false;
    }
    let repeated = columns.iter().enumerate().any(|(at, one)| {
        columns.iter().skip(at + 1).any(|other| {
            let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
            one == other || (last(one) == last(other) && (!one.contains('.') || !other.contains('.')))
        })
    });
    if repeated {
        return false;
    }
    match (scan.word(operator), scan.op(operator)) {
        ("is", _) => {
            matches!(scan.word(operator + 1), "null" | "true" | "false" | "unknown") && right.len() == 1
        }
        ("in", _) | (_, "=" | "==" | "<=>" | "@>" | "<@" | "?" | "@") => {
            subqueries_restrict(scan, right, depth)
        }
        ("like" | "ilike" | "glob" | "between" | "match", _) => pattern_restricts(scan, right),
        (_, "~" | "~*" | "~~") | ("regexp" | "rlike", _) => pattern_restricts(scan, right),
        (_, "<" | "<=") => bounds(scan, &left, &right) && subqueries_restrict(scan, right, depth),
        (_, ">" | ">=") => bounds(scan, &right, &left) && subqueries_restrict(scan, right, depth),
        _ => false,
    }
}

fn compares(scan: &Scan<'_>, at: usize) -> bool {
    matches!(
        scan.op(at),
        "=" | "=="
            | "<=>"
            | "<"
            | ">"
            | "<="
            | ">="
            | "<>"
            | "!="
            | "!<"
            | "~"
            | "~*"
            | "!~"
            | "!~*"
            | "~~"
            | "@>"
            | "<@"
            | "?"
            | "@"
    ) && !(scan.op(at) == "@" && scan.is_name(at + 1) && scan.kind(at.wrapping_sub(1)) == Some(Kind::Op))
        || matches!(
            scan.word(at),
            "is" | "in"
                | "like"
                | "ilike"
                | "between"
                | "regexp"
                | "rlike"
                | "glob"
                | "match"
                | "similar"
                | "not"
                | "isnull"
                | "notnull"
                | "overlaps"
                | "member"
                | "sounds"
        )
}

/// Whether nothing in the range, outside subqueries, could take the meaning from a comparison.
fn transparent(scan: &Scan<'_>, range: Range<usize>) -> bool {
    outside_subqueries(scan, range).all(|at| {
        let arithmetic = matches!(scan.op(at), "*" | "/" | "%" | "&" | "|" | "^" | "#" | "!" | "||");
        let word = scan.word(at);
        let called = scan.op(at + 1) == "(" && scan.is_name(at) && !TRANSPARENT.contains(&word);
        !arithmetic && !called && !matches!(word, "case" | "div" | "mod" | "xor")
    })
}

/// The tokens of a range without what is in subqueries.
fn outside_subqueries<'s>(scan: &'s Scan<'_>, range: Range<usize>) -> impl Iterator<Item = usize> + 's {
    let mut at = range.start;
    std::iter::from_fn(move || {
        while scan.op(at) == "(" && matches!(scan.word(at + 1), "select" | "with" | "values") {
            at = scan.close(at) + 1;
        }
        at += 1;
        (at <= range.end).then(|| at - 1)
    })
}

/// The columns that a range names, outside subqueries.
fn columns(scan: &Scan<'_>, range: Range<usize>) -> Vec<String> {
    let mut columns = Vec::new();
    let mut named = range.start;
    for at in outside_subqueries(scan, range) {
        if at < named || !scan.is_name(at) {
            continue;
        }
        let (name, after) = scan.name(at);
        named = after;
        let literal = scan.kind(after) == Some(Kind::Text);
        let unit = at > 0 && matches!(scan.kind(at - 1), Some(Kind::Text | Kind::Number));
        let variable = matches!(scan.op_before(at), "@" | "::");
        let word = scan.word(at);
        if !(NOT_COLUMNS.contains(&word) || scan.op(after) == "(" || literal || unit || variable) {
            columns.push(name.to_ascii_lowercase());
        }
    }
    columns
}

/// `"a" = 'a'` and `"a" = 0`: to MySQL the left side is a string, and the condition true of every row.
fn string_or_name(scan: &Scan<'_>, left: &Range<usize>, right: &Range<usize>) -> bool {
    let string = |side: &Range<usize>| side.len() == 1 && scan.source(side.start).starts_with('"');
    let constant = |side: &Range<usize>| {
        side.len() == 1 && matches!(scan.kind(side.start), Some(Kind::Text | Kind::Number | Kind::Quoted))
    };
    let same = |one: &Range<usize>, other: &Range<usize>| {
        let text = scan.source(other.start);
        let text = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(unquoted(text));
        text == unquoted(scan.source(one.start)) || text == "0"
    };
    (string(left) && constant(right) && same(left, right))
        || (string(right) && constant(left) && same(right, left))
}

/// Whether every subquery on the right side restricts.
fn subqueries_restrict(scan: &Scan<'_>, range: Range<usize>, depth: usize) -> bool {
    let mut at = range.start;
    while at < range.end {
        if scan.op(at) == "(" && matches!(scan.word(at + 1), "select" | "with" | "values" | "table") {
            if !subquery(scan, at + 1..scan.close(at), depth + 1) {
                return false;
            }
            at = scan.close(at);
        }
        at += 1;
    }
    true
}

/// A subquery restricts when its own WHERE does and nothing is joined to it by UNION.
fn subquery(scan: &Scan<'_>, range: Range<usize>, depth: usize) -> bool {
    if depth > MAX_DEPTH || scan.word(range.start) != "select" {
        return false;
    }
    let level = || scan.level(range.start).take_while(|at| *at < range.end);
    if level().any(|at| scan.word(at) == "union") {
        return false;
    }
    let limited = level().any(|at| {
        matches!(scan.word(at), "limit" | "having") || (scan.word(at) == "top" && at == range.start + 1)
    });
    let from = level().find(|at| scan.word(*at) == "where");
    limited
        || from.is_some_and(|from| {
            all_alternatives(scan, from + 1..end(scan, from + 1).min(range.end), depth + 1)
        })
}

/// `LIKE '%'`, `~ '.*'`: a pattern must hold something, and nothing that makes it optional. BETWEEN must not span
/// everything.
fn pattern_restricts(scan: &Scan<'_>, right: Range<usize>) -> bool {
    if let Some(and) = right.clone().find(|at| scan.word(*at) == "and") {
        return lower_bound(scan, &(right.start..and)) || upper_bound(scan, &(and + 1..right.end));
    }
    if scan.kind(right.start) != Some(Kind::Text) {
        return right.len() <= 3;
    }
    let pattern = scan.source(right.start);
    pattern.chars().any(char::is_alphanumeric)
        && !pattern.contains(".*|")
        && !pattern.contains(['?', '|', '{'])
        && !pattern.chars().zip(pattern.chars().skip(1)).any(|(one, two)| two == '*' && one.is_alphanumeric())
}

/// `small < large`: false where one side is so extreme a constant that every value passes.
fn bounds(scan: &Scan<'_>, small: &Range<usize>, large: &Range<usize>) -> bool {
    lower_bound(scan, small) && upper_bound(scan, large)
}

/// Whether, as a lower bound, the range is more than a constant that nearly every value exceeds: a number of at
/// most 1, a negative one, a text before the year 2000.
fn lower_bound(scan: &Scan<'_>, range: &Range<usize>) -> bool {
    let last = range.end.saturating_sub(1);
    match scan.kind(last) {
        Some(Kind::Number) => {
            scan.op(range.start) != "-" && number(scan, last).is_some_and(|value| value > 1.0)
        }
        Some(Kind::Text) => scan.source(last).chars().nth(1).is_some_and(|c| c > '1'),
        _ => true,
    }
}

/// Whether, as an upper bound, the range is less than a constant below which nearly every value lies: a number of
/// 1e9, a text after the year 2100.
fn upper_bound(scan: &Scan<'_>, range: &Range<usize>) -> bool {
    let last = range.end.saturating_sub(1);
    match scan.kind(last) {
        Some(Kind::Number) => number(scan, last).is_some_and(|value| value < 1e9),
        Some(Kind::Text) => scan.source(last).get(1..3).is_some_and(|head| {
            if head.starts_with(|c: char| c.is_ascii_digit()) { head < "21" } else { head < "zz" }
        }),
        _ => true,
    }
}

fn number(scan: &Scan<'_>, at: usize) -> Option<f64> {
    scan.source(at).parse().ok()
}
