//! CREATE, ALTER and DROP.

use super::scan::{Scan, Strictness, clip};
use crate::command::Effect::{Administer, Define, Destroy, Grant, Transaction};

/// Kinds of objects that say who may do what.
const RIGHTS: [&str; 8] =
    ["user", "role", "login", "group", "policy", "credential", "authorization", "privileges"];

/// Kinds of objects that change the server, or bring code or other servers into it.
const SYSTEM: [&str; 20] = [
    "access",
    "assembly",
    "endpoint",
    "event",
    "extension",
    "instance",
    "language",
    "library",
    "logfile",
    "plugin",
    "publication",
    "resource",
    "server",
    "spatial_ref_sys",
    "subscription",
    "system",
    "tablespace",
    "transform",
    "undo",
    "wrapper",
];

/// Kinds of objects that hold structure.
const STRUCTURE: [&str; 26] = [
    "aggregate",
    "cast",
    "collation",
    "constraint",
    "conversion",
    "database",
    "domain",
    "function",
    "index",
    "materialized",
    "operator",
    "package",
    "proc",
    "procedure",
    "routine",
    "rule",
    "schema",
    "sequence",
    "statistics",
    "synonym",
    "table",
    "text",
    "trigger",
    "type",
    "view",
    "virtual",
];

impl Scan<'_> {
    /// The word that says what kind of object is meant, among the first after the keyword.
    fn object_kind(&self, at: usize) -> &str {
        (at + 1..at + 14)
            .map(|at| self.word(at))
            .find(|word| RIGHTS.contains(word) || SYSTEM.contains(word) || STRUCTURE.contains(word))
            .unwrap_or_default()
    }

    /// CREATE.
    pub fn create(&mut self, at: usize) -> usize {
        let kind = self.object_kind(at).to_owned();
        let replaces = self.word(at + 1) == "or" && self.word(at + 2) == "replace";
        (at + 1..at + 3).for_each(|at| self.explain(at));
        self.strictness = Strictness::Loose;
        match kind.as_str() {
            kind if RIGHTS.contains(&kind) => {
                self.add(Grant, format!("CREATE {} changes who may do what", upper(kind)))
            }
            kind if SYSTEM.contains(&kind) => {
                self.add(Administer, format!("CREATE {} changes the server", upper(kind)))
            }
            "table" | "database" if replaces => self.add(Destroy, "CREATE OR REPLACE removes what was there"),
            "table" | "materialized" => {
                self.add(Define, "CREATE TABLE creates a table");
                // `CREATE TABLE AS` runs its query now.
                let runs = (at..self.len())
                    .any(|at| matches!(self.word(at), "select" | "with" | "values" | "execute"));
                if runs {
                    self.strictness = Strictness::Strict;
                    return self.created_name(at);
                }
            }
            "" => self.add(crate::command::Effect::Unknown, "CREATE of something that is not known"),
            kind => {
                self.add(Define, format!("CREATE {} creates a {kind}", upper(kind)));
                self.stored_code(at);
            }
        }
        at + 1
    }

    /// Explains the name and the column list of a new table.
    fn created_name(&mut self, at: usize) -> usize {
        let kind = (at..at + 14).find(|at| matches!(self.word(*at), "table" | "view")).unwrap_or(at);
        let mut from = kind + 1;
        while matches!(self.word(from), "if" | "not" | "exists") {
            from += 1;
        }
        let (_, after) = self.name(from);
        (at..after).for_each(|at| self.explain(at));
        for at in after..self.len() {
            if matches!(self.word(at), "with" | "distributed" | "partition") && self.op(at + 1) == "(" {
                self.explain(at);
            }
        }
        after
    }

    /// What the attributes of a function or procedure say beyond that it is created.
    fn stored_code(&mut self, at: usize) {
        for at in at..self.len() {
            match (self.word(at), self.word(at + 1)) {
                ("security", "definer") => self.add(Grant, "SECURITY DEFINER lends the owner's rights"),
                ("language", language) if !matches!(language, "sql" | "plpgsql" | "") => {
                    self.add(Administer, "code in a language that may reach the server");
                }
                ("soname", _) => self.add(Administer, "SONAME loads code"),
                _ => {}
            }
        }
    }

    /// ALTER.
    pub fn alter(&mut self, at: usize) -> usize {
        let kind = match self.word(at + 1) {
            "default" => "privileges",
            _ => self.object_kind(at),
        };
        let kind = kind.to_owned();
        self.explain(at + 1);
        self.strictness = Strictness::Loose;
        match kind.as_str() {
            kind if RIGHTS.contains(&kind) => {
                self.add(Grant, format!("ALTER {} changes who may do what", upper(kind)))
            }
            kind if SYSTEM.contains(&kind) || kind == "database" => {
                self.add(Administer, format!("ALTER {} changes the server", upper(kind)));
            }
            "" => self.add(crate::command::Effect::Unknown, "ALTER of something that is not known"),
            kind => self.add(Define, format!("ALTER {} changes a {kind}", upper(kind))),
        }
        self.stored_code(at);
        for at in at + 1..self.len() {
            match (self.word(at), self.word(at + 1)) {
                ("owner", "to") => self.add(Grant, "OWNER TO changes the owner"),
                ("row", "level") => self.add(Grant, "ROW LEVEL SECURITY changes who sees which rows"),
                ("set", _) => self.explain(at),
                ("disable" | "enable", "trigger") => self.add(Administer, "turns a trigger on or off"),
                ("discard", _) => self.add(Destroy, "DISCARD removes data"),
                ("drop", what) if !RIGHTS.contains(&what) => {
                    self.explain(at);
                    let data = !matches!(
                        what,
                        "constraint"
                            | "default"
                            | "not"
                            | "identity"
                            | "expression"
                            | "primary"
                            | "foreign"
                            | "check"
                    );
                    if data {
                        self.add(Destroy, "ALTER ... DROP removes a part and what is in it");
                    }
                }
                // `ALTER COLUMN`; but `ALTER USER` would be T-SQL's next statement.
                ("alter" | "create", what)
                    if !(RIGHTS.contains(&what) || SYSTEM.contains(&what) || STRUCTURE.contains(&what)) =>
                {
                    self.explain(at);
                }
                _ => {}
            }
        }
        at + 1
    }

    /// DROP.
    pub fn drop(&mut self, at: usize) -> usize {
        let kind = self.object_kind(at).to_owned();
        let kind = if self.word(at + 1) == "owned" { "owned" } else { kind.as_str() };
        self.strictness = Strictness::Loose;
        match kind {
            _ if self.word(at + 1) == "prepare" => self.add(Transaction, "DROP PREPARE changes the session"),
            kind if RIGHTS.contains(&kind) => {
                self.add(Grant, format!("DROP {} changes who may do what", upper(kind)))
            }
            "" => self.add(Destroy, "DROP removes something"),
            kind => self.add(Destroy, format!("DROP {} removes a {}", upper(kind), clip(kind))),
        }
        at + 1
    }
}

fn upper(word: &str) -> String {
    clip(word).to_ascii_uppercase()
}
