//! The tables and other objects that a statement names.

use super::scan::Scan;
use crate::command::MAX_OBJECTS;

/// Names after FROM, JOIN, INTO, TABLE and the like, in order and once each.
pub fn objects(scan: &Scan<'_>) -> Vec<String> {
    let mut objects: Vec<String> = Vec::new();
    let mut at = 0;
    while at < scan.len() && objects.len() < MAX_OBJECTS {
        let introduces = introduces(scan, at);
        at += 1;
        if !introduces {
            continue;
        }
        while matches!(
            scan.word(at),
            "if" | "not"
                | "exists"
                | "only"
                | "ignore"
                | "concurrently"
                | "low_priority"
                | "quick"
                | "table"
                | "or"
                | "replace"
        ) {
            at += 1;
        }
        loop {
            let (name, after) = scan.name(at);
            let called = scan.op(after) == "("
                && !matches!(scan.word(at.saturating_sub(1)), "into" | "table" | "exists");
            if name.is_empty() || called || is_keyword(scan.word(at)) {
                break;
            }
            at = after;
            if !objects.contains(&name) && objects.len() < MAX_OBJECTS && name.len() <= 128 {
                objects.push(name);
            }
            // `a, b` and `a x, b y` and `a AS x, b`.
            at += usize::from(scan.word(at) == "as");
            let aliased = scan.is_name(at) && scan.op(at + 1) == ",";
            at += usize::from(aliased);
            if scan.op(at) != "," {
                break;
            }
            at += 1;
        }
    }
    objects
}

fn introduces(scan: &Scan<'_>, at: usize) -> bool {
    match scan.word(at) {
        "from" => scan.word_before(at) != "distinct" && !in_function(scan, at),
        "join" | "into" | "table" | "tables" | "view" | "database" | "schema" | "sequence" | "truncate"
        | "copy" | "function" | "procedure" | "trigger" | "role" | "login" => true,
        "user" => matches!(scan.word_before(at), "create" | "alter" | "drop"),
        "index" => matches!(scan.word_before(at), "create" | "unique" | "drop" | "alter"),
        "on" => matches!(scan.word(0), "create" | "grant" | "revoke" | "comment"),
        "update" => !matches!(scan.word_before(at), "for" | "key" | "do" | "on"),
        _ => false,
    }
}

/// `EXTRACT(YEAR FROM x)`, `TRIM(BOTH FROM x)`, `SUBSTRING(x FROM 2)`.
fn in_function(scan: &Scan<'_>, at: usize) -> bool {
    (at.saturating_sub(8)..at).any(|open| {
        scan.op(open) == "("
            && scan.close(open) > at
            && matches!(scan.word_before(open), "extract" | "trim" | "substring" | "overlay" | "position")
    })
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "select"
            | "set"
            | "where"
            | "values"
            | "lateral"
            | "unnest"
            | "program"
            | "stdin"
            | "outfile"
            | "dumpfile"
            | "as"
            | "on"
    )
}
