//! Files in the place of tables, as DuckDB reads them: `SELECT * FROM '/etc/passwd'`.

use super::scan::{Scan, unquoted};
use super::token::Kind;
use crate::command::Effect;

/// How far back the parenthesis around a FROM is looked for, in tokens and groups.
const MAX_BACK: usize = 64;

/// Ends of the names of files that are read as tables.
const SUFFIXES: [&str; 13] = [
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".db", ".duckdb", ".sqlite",
    ".gz", ".zst",
];

impl Scan<'_> {
    /// Looks at what follows a word that a table follows; a file there is read by the server or the client.
    pub fn check_source(&mut self, at: usize) {
        let reads = match self.word(at) {
            "from" => !self.is_operator_from(at) && self.any_file(at),
            "join" | "table" | "describe" | "desc" => self.is_file(at + 1),
            _ => return,
        };
        if reads {
            self.add(Effect::Unknown, "a string or a path in the place of a table may be a file");
        }
    }

    /// Whether one of the tables of a FROM is a file. Another FROM or the end of the clause ends the list.
    fn any_file(&self, from: usize) -> bool {
        if self.is_file(from + 1) {
            return true;
        }
        let ends = |at: &usize| {
            matches!(
                self.word(*at),
                "from"
                    | "where"
                    | "group"
                    | "order"
                    | "having"
                    | "limit"
                    | "union"
                    | "intersect"
                    | "except"
                    | "window"
                    | "returning"
                    | "values"
                    | "set"
                    | "select"
            )
        };
        self.level(from + 1).take_while(|at| !ends(at)).any(|at| self.op(at) == "," && self.is_file(at + 1))
    }

    /// Whether a string, or a quoted name that is a path, stands here, perhaps in parentheses.
    fn is_file(&self, at: usize) -> bool {
        let at = (at..at + MAX_BACK).find(|at| self.op(*at) != "(").unwrap_or(at);
        let path = |source: &str| {
            let name = unquoted(source).to_ascii_lowercase();
            name.contains(['/', '\\']) || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        };
        match self.kind(at) {
            // To MySQL, double quotes hold a string; to others, a name.
            Some(Kind::Text) if self.source(at).starts_with('"') => path(self.source(at)),
            Some(Kind::Text) => true,
            Some(Kind::Quoted | Kind::Word) => {
                let mut part = at;
                loop {
                    if self.kind(part) == Some(Kind::Quoted) && path(self.source(part)) {
                        return true;
                    }
                    if !self.is_name(part) || self.op(part + 1) != "." {
                        return false;
                    }
                    part += 2;
                }
            }
            _ => false,
        }
    }

    /// `IS DISTINCT FROM x`, `TRIM(BOTH FROM x)`, `COPY t FROM 'file'`: no table follows, or it is said elsewhere.
    fn is_operator_from(&self, at: usize) -> bool {
        let before = at.checked_sub(2).map_or("", |before| self.word(before));
        if self.word_before(at) == "distinct" && matches!(before, "is" | "not") {
            return true;
        }
        if matches!(self.word(0), "copy" | "bulk" | "restore" | "prepare" | "execute") && self.op(1) != "(" {
            return true;
        }
        let mut back = at;
        for _ in 0..MAX_BACK {
            let Some(here) = back.checked_sub(1) else { return false };
            match self.op(here) {
                "(" => {
                    return matches!(self.word_before(here), "extract" | "trim" | "substring" | "overlay");
                }
                ")" => back = self.close(here).min(here),
                _ if self.word(here) == "select" => return false,
                _ => back = here,
            }
        }
        false
    }
}
