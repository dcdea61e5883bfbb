//! What a statement does by the word that it begins with.

use super::condition;
use super::scan::{Scan, Strictness, clip};
use super::token::Kind;
use crate::command::Effect::{self, Administer, Define, Destroy, Grant, Read, Transaction, Unknown, Write};

impl Scan<'_> {
    /// Reads the statement from its first token on.
    pub fn read(&mut self) {
        let mut from = 0;
        while self.op(from) == "(" {
            from += 1;
        }
        if self.kind(from) == Some(Kind::Word) {
            from = self.lead(from);
        } else if self.kind(from) != Some(Kind::Meta) {
            self.add(Unknown, "no keyword where the statement begins");
        }
        self.walk(from);
        if self.found.is_empty() {
            self.add(Unknown, "no keyword that says what the statement does");
        }
    }

    /// Reads the statement that begins with the word at `at`; returns where the walk goes on.
    pub fn lead(&mut self, at: usize) -> usize {
        let next = self.word(at + 1);
        let (effect, why): (Effect, &'static str) = match self.word(at) {
            "select" | "values" => (Read, "SELECT only looks"),
            "table" => (Read, "TABLE only looks"),
            "with" => {
                let mut body = self.explain_with(at);
                while self.op(body) == "(" {
                    body += 1;
                }
                if matches!(self.word(body), "select" | "values" | "table") {
                    self.add(Read, "SELECT only looks");
                }
                return at + 1;
            }
            "explain" | "describe" | "desc" => return self.explain_plan(at),
            "show" | "help" => return self.show(at),
            "insert" | "replace" => return self.insert(at),
            "update" => return self.update(at),
            "delete" => return self.delete(at),
            "merge" => return self.merge(at),
            "copy" => return self.copy(at),
            "load" if matches!(next, "data" | "xml") => (Write, "LOAD DATA adds rows from a file"),
            "bulk" => (Write, "BULK INSERT adds rows from a file"),
            "updatetext" | "writetext" => (Write, "changes a large value"),
            "truncate" => (Destroy, "TRUNCATE removes every row"),
            "create" => return self.create(at),
            "alter" => return self.alter(at),
            "drop" => return self.drop(at),
            "rename" if next == "user" => (Grant, "RENAME USER changes a user"),
            "rename" | "comment" => return self.loosely(at, Define, "changes the structure"),
            "import" => return self.loosely(at, Define, "IMPORT creates tables"),
            "refresh" => (Write, "REFRESH fills a materialized view"),
            "grant" | "revoke" | "deny" => return self.grant(at),
            "reassign" => return self.loosely(at, Grant, "REASSIGN OWNED changes owners"),
            "security" => return self.loosely(at, Grant, "SECURITY LABEL changes a label"),
            "setuser" | "revert" => (Grant, "changes who the session acts as"),
            "set" => return self.set(at),
            "reset" | "discard" => return self.reset(at),
            "pragma" => return self.pragma(at),
            "begin" | "commit" | "rollback" | "savepoint" | "release" | "end" | "abort" | "save" | "xa" => {
                (Transaction, "steers a transaction")
            }
            "start" if next == "transaction" => (Transaction, "steers a transaction"),
            "use" => (Transaction, "USE changes the database of the session"),
            "declare" => (Transaction, "DECLARE makes a cursor or a variable"),
            "fetch" | "move" | "close" | "open" | "deallocate" | "listen" | "unlisten" => {
                (Transaction, "changes the session")
            }
            "unlock" => (Transaction, "UNLOCK TABLES releases locks"),
            "lock" => (Write, "LOCK TABLE keeps others out"),
            "notify" => (Write, "NOTIFY sends a notification"),
            "print" => (Read, "PRINT only shows"),
            "checksum" if next == "table" => (Read, "CHECKSUM TABLE only looks"),
            "prepare" => return self.prepare(at),
            "execute" | "exec" => return self.execute(at),
            "do" | "call" => {
                self.nested(at, 6);
                (Unknown, "runs code that is stored or written in another language")
            }
            "attach" | "detach" => (Administer, "opens or closes a database file"),
            "vacuum" if next == "into" || self.word(at + 2) == "into" => {
                (Administer, "VACUUM INTO writes a copy of the database to a file")
            }
            "vacuum" | "analyze" | "analyse" | "reindex" | "cluster" | "checkpoint" | "optimize"
            | "repair" | "check" | "cache" => (Administer, "maintains the database"),
            "kill" => (Administer, "KILL ends other sessions"),
            "shutdown" | "restart" => (Administer, "stops the server"),
            "start" | "stop" | "change" | "reconfigure" | "flush" | "clone" | "install" | "uninstall"
            | "load" | "dbcc" | "backup" | "binlog" | "purge" => (Administer, "changes the server"),
            "restore" => (Administer, "RESTORE replaces a database"),
            "waitfor" => (Administer, "WAITFOR keeps the server busy"),
            _ => {
                self.strictness = Strictness::Strict;
                (Unknown, "a statement that is not known")
            }
        };
        self.add(effect, effect_why(self.word(at), why));
        at + 1
    }

    /// Reads the rest as something that is stored, or that only changes structure.
    pub fn loosely(
        &mut self,
        at: usize,
        effect: Effect,
        why: impl Into<std::borrow::Cow<'static, str>>,
    ) -> usize {
        self.strictness = Strictness::Loose;
        self.add(effect, why);
        at + 1
    }

    /// EXPLAIN shows a plan. With ANALYZE it also runs the statement, and some dialects take the word for a name
    /// and go on to the statement behind it, so whatever that does counts either way.
    fn explain_plan(&mut self, at: usize) -> usize {
        self.add(Read, "EXPLAIN shows a plan");
        let mut from = at + 1;
        if self.op(from) == "(" {
            from = self.close(from) + 1;
        }
        while matches!(
            self.word(from),
            "analyze" | "analyse" | "verbose" | "extended" | "partitions" | "query" | "plan"
        ) {
            from += 1;
        }
        if self.word(from) == "format" {
            from += 3;
        }
        match self.word(from) {
            "execute" | "create" | "refresh" | "declare" | "replace" | "merge" => self.lead(from),
            _ => from,
        }
    }

    fn show(&mut self, at: usize) -> usize {
        self.add(Read, "SHOW only looks");
        for at in self.level(at + 1).take(4).collect::<Vec<_>>() {
            if matches!(self.word(at), "create" | "open" | "grants" | "replace") {
                self.explain(at);
            }
        }
        at + 1
    }

    fn insert(&mut self, at: usize) -> usize {
        if self.word(at) == "replace" && !(self.word(at + 1) == "into" || self.is_name(at + 1)) {
            self.add(Unknown, "a statement that is not known");
        }
        self.add(Write, "INSERT adds rows");
        let mut from = at + 1;
        while matches!(
            self.word(from),
            "low_priority"
                | "delayed"
                | "high_priority"
                | "ignore"
                | "or"
                | "replace"
                | "abort"
                | "fail"
                | "rollback"
                | "into"
                | "overwrite"
                | "table"
        ) {
            self.explain(from);
            if self.word(from) == "overwrite" {
                self.add(Destroy, "INSERT OVERWRITE removes what was there");
            }
            from += 1;
            if self.word(from - 1) == "into" && self.word(from) != "table" {
                break;
            }
        }
        self.target(from)
    }

    /// The table that a statement changes: its name is no call, and the system's own tables are special.
    /// Returns the token after it.
    fn target(&mut self, from: usize) -> usize {
        let (name, after) = self.name(from);
        (from..after).for_each(|at| self.explain(at));
        let name = name.to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        let users = [
            "pg_authid",
            "pg_auth_members",
            "pg_shadow",
            "pg_user",
            "pg_roles",
            "pg_db_role_setting",
            "pg_policy",
        ];
        if users.contains(&last)
            || (name.starts_with("mysql.") && !matches!(last, "time_zone" | "time_zone_name"))
        {
            self.add(Grant, format!("changes {}, which says who may do what", clip(&name)));
        } else if last.starts_with("pg_")
            || last.starts_with("sqlite_")
            || name.starts_with("sys.")
            || name.starts_with("performance_schema.")
        {
            self.add(Administer, format!("changes {}, a table of the system", clip(&name)));
        }
        after
    }

    fn update(&mut self, at: usize) -> usize {
        let before = self.word_before(at);
        let upsert = match before {
            "key" => at >= 3 && self.word(at - 2) == "duplicate" && self.word(at - 3) == "on",
            "do" => self.word(at + 1) == "set",
            "then" => self.word(at + 1) == "set" || self.is_name(at + 1),
            _ => false,
        };
        if upsert {
            self.add(Write, "changes the rows that are there already");
            let set = at + 1;
            if self.word(set) == "set" {
                self.explain(set);
            }
            return at + 1;
        }
        let set = self.level(at + 1).find(|at| self.word(*at) == "set");
        match set {
            Some(set) => self.explain(set),
            None => self.add(Unknown, "UPDATE without SET"),
        }
        let mut from = at + 1;
        while matches!(
            self.word(from),
            "only" | "low_priority" | "ignore" | "or" | "rollback" | "abort" | "replace" | "fail"
        ) {
            self.explain(from);
            from += 1;
        }
        self.target(from);
        if condition::restricts_statement(self, at) {
            self.add(Write, "UPDATE changes rows");
        } else {
            self.add(Destroy, "UPDATE without a WHERE that clearly restricts it changes every row");
        }
        at + 1
    }

    fn delete(&mut self, at: usize) -> usize {
        if self.word_before(at) == "then" {
            self.add(Destroy, "MERGE may delete rows");
            return at + 1;
        }
        let mut from = at + 1;
        while matches!(self.word(from), "from" | "only" | "low_priority" | "quick" | "ignore") {
            from += 1;
        }
        self.target(from);
        if condition::restricts_statement(self, at) {
            self.add(Write, "DELETE removes rows");
        } else {
            self.add(Destroy, "DELETE without a WHERE that clearly restricts it removes every row");
        }
        at + 1
    }

    fn merge(&mut self, at: usize) -> usize {
        self.add(Write, "MERGE changes rows");
        let from = at + 1;
        let into = usize::from(self.word(from) == "into");
        if into == 1 {
            self.explain(from);
        }
        let after = self.target(from + into);
        let on = self.level(after).find(|at| self.word(*at) == "on");
        let end = self.level(after).find(|at| self.word(*at) == "when");
        if let (Some(on), Some(end)) = (on, end)
            && !condition::restricts(self, on + 1..end)
        {
            self.add(Destroy, "MERGE without an ON that clearly restricts it changes every row");
        }
        after
    }

    /// COPY moves rows between a table and the client, a file on the server, or a program there.
    fn copy(&mut self, at: usize) -> usize {
        let mut from = at + 1;
        let mut to = None;
        for at in self.level(at + 1) {
            if matches!(self.word(at), "from" | "to") {
                to = Some(at);
                break;
            }
        }
        match to {
            Some(to) => {
                match self.word(to) {
                    "from" => self.add(Write, "COPY FROM adds rows"),
                    _ => self.add(Read, "COPY TO only looks"),
                }
                match (self.kind(to + 1), self.word(to + 1)) {
                    (_, "stdin" | "stdout") => {}
                    (_, "program") => self.add(Administer, "COPY PROGRAM runs a program on the server"),
                    (Some(Kind::Text), _) => self.add(Administer, "COPY uses a file on the server"),
                    _ => self.add(Unknown, "COPY to or from something that is not known"),
                }
            }
            None => self.add(Unknown, "COPY without FROM or TO"),
        }
        if self.op(from) == "(" {
            return self.statement_inside(from + 1);
        }
        from = self.name(from).1;
        (at + 1..from).for_each(|at| self.explain(at));
        if let Some(to) = to {
            // Options and columns, then a WHERE.
            (from..to + 3)
                .filter(|at| self.op(*at + 1) == "(")
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|at| self.explain(at));
        }
        from
    }

    /// Where the walk goes on for a statement inside COPY or PREPARE: it finds what changes something by itself.
    fn statement_inside(&mut self, at: usize) -> usize {
        if !matches!(
            self.word(at),
            "select" | "with" | "values" | "table" | "insert" | "update" | "delete" | "merge"
        ) {
            self.add(Unknown, "a statement inside another that is not known");
        }
        at
    }

    fn prepare(&mut self, at: usize) -> usize {
        self.add(Transaction, "PREPARE keeps a statement for later");
        if self.word(at + 1) == "transaction" {
            return at + 1;
        }
        let source = self.level(at + 2).find(|at| matches!(self.word(*at), "as" | "from"));
        match source {
            Some(from) if self.word(from) == "as" && self.kind(from + 1) == Some(Kind::Word) => {
                self.lead(from + 1)
            }
            _ => {
                self.nested(at, 4);
                self.add(Unknown, "PREPARE of a statement that is in a string or variable");
                at + 1
            }
        }
    }

    fn execute(&mut self, at: usize) -> usize {
        if self.word(at + 1) == "as" {
            self.add(Grant, "EXECUTE AS changes who the session acts as");
            return at + 2;
        }
        self.nested(at, 6);
        let name = (at + 1..at + 6)
            .map(|at| self.word(at))
            .find(|name| name.starts_with("xp_") || name.starts_with("sp_"));
        if let Some(name) =
            name.filter(|name| name.starts_with("xp_") || matches!(*name, "sp_configure" | "sp_oacreate"))
        {
            self.add(
                Administer,
                format!("{} starts a program on the server or changes its settings", clip(name)),
            );
        }
        self.add(Unknown, "runs code that is stored or in a string");
        at + 1
    }

    fn grant(&mut self, at: usize) -> usize {
        let mut end = at + 1;
        while end < self.len() && !matches!(self.word(end), "on" | "to" | "from") {
            self.explain(end);
            end += 1;
        }
        for at in end..self.len() {
            if self.word(at) == "grant" && self.word_before(at) == "with" {
                self.explain(at);
            }
        }
        self.loosely(end.saturating_sub(1), Grant, "changes who may do what")
    }

    /// Judges strings near a token as SQL, so that what `EXEC('DROP TABLE t')` would do is said too. The
    /// statement stays unknown whatever is found.
    fn nested(&mut self, at: usize, reach: usize) {
        for at in at + 1..at + 1 + reach {
            if self.kind(at) == Some(Kind::Text) {
                let found = super::inside_string(self.source(at), self.nesting + 1);
                found.into_iter().for_each(|found| self.add(found.effect, found.why));
            }
        }
    }
}

/// The reason, with the keyword in front where the reason does not name one.
fn effect_why(word: &str, why: &'static str) -> std::borrow::Cow<'static, str> {
    if why.starts_with(|c: char| c.is_ascii_uppercase()) || why.starts_with("a ") {
        why.into()
    } else {
        format!("{} {why}", clip(word).to_ascii_uppercase()).into()
    }
}
