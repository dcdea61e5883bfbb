//! SET, RESET and PRAGMA: what is only the session's, and what is more.

use super::scan::{Scan, clip};
use crate::command::Effect::{Administer, Grant, Read, Transaction};

/// Settings that change how the session shows, waits or plans, and nothing else. Not among them: what changes
/// how text is read (`sql_mode`, `standard_conforming_strings`, character sets but UTF-8), what turns checks off
/// (`session_replication_role`, `row_security`, `foreign_key_checks`), and what is logged.
const HARMLESS: [&str; 50] = [
    "ansi_nulls",
    "ansi_padding",
    "ansi_warnings",
    "application_name",
    "arithabort",
    "autocommit",
    "bytea_output",
    "client_min_messages",
    "concat_null_yields_null",
    "constraints",
    "cte_max_recursion_depth",
    "dateformat",
    "datestyle",
    "deadlock_priority",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "enable_bitmapscan",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_indexscan",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_seqscan",
    "enable_sort",
    "extra_float_digits",
    "fmtonly",
    "group_concat_max_len",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    "jit",
    "language",
    "lock_timeout",
    "max_execution_time",
    "max_parallel_workers_per_gather",
    "max_statement_time",
    "nocount",
    "noexec",
    "numeric_roundabort",
    "optimizer_trace",
    "profiling",
    "random_page_cost",
    "rowcount",
    "search_path",
    "sql_select_limit",
    "statement_timeout",
    "statistics",
    "textsize",
    "time_zone",
    "timezone",
    "work_mem",
];

/// SQLite's pragmas that look, with or without an argument.
const PRAGMA_LOOKS: [&str; 17] = [
    "collation_list",
    "compile_options",
    "database_list",
    "foreign_key_check",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "pragma_list",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "data_version",
];

/// SQLite's pragmas that look when they have no argument.
const PRAGMA_LOOKS_ALONE: [&str; 18] = [
    "application_id",
    "auto_vacuum",
    "busy_timeout",
    "cache_size",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "journal_mode",
    "locking_mode",
    "max_page_count",
    "mmap_size",
    "page_count",
    "page_size",
    "recursive_triggers",
    "schema_version",
    "synchronous",
    "temp_store",
    "user_version",
];

impl Scan<'_> {
    /// SET.
    pub fn set(&mut self, at: usize) -> usize {
        let mut from = at + 1;
        let mut global = false;
        for at in at + 1..self.len() {
            global |=
                matches!(self.word(at), "global" | "persist" | "persist_only") && self.op_before(at) != ".";
        }
        if matches!(self.word(from), "session" | "local") {
            from += 1;
        }
        let (first, second) = (self.word(from), self.word(from + 1));
        if matches!(first, "role" | "authorization" | "password" | "default") {
            self.add(Grant, "SET ROLE or PASSWORD changes who may do what");
        } else if global {
            self.add(Administer, "SET GLOBAL changes the server's settings");
        } else if matches!((first, second), ("transaction" | "characteristics", _) | ("time", "zone"))
            || first.starts_with("showplan_")
        {
            self.add(Transaction, "SET steers the session");
        } else if matches!(
            (first, second),
            ("names" | "charset" | "client_encoding", _) | ("character", "set")
        ) {
            let utf8 = (from + 1..from + 4).any(|at| self.source(at).to_ascii_lowercase().contains("utf"));
            match utf8 {
                true => self.add(Transaction, "SET NAMES steers the session"),
                false => self.add(Administer, "SET NAMES changes how text is read"),
            }
        } else {
            self.settings(from);
        }
        from
    }

    /// The settings of a SET, separated by commas.
    fn settings(&mut self, from: usize) {
        let list = matches!(self.word(from), "search_path" | "datestyle");
        let mut harmless = self.is_harmless(from);
        if !list {
            let commas: Vec<_> = self.level(from).filter(|at| self.op(*at) == ",").collect();
            harmless &= commas.into_iter().all(|comma| self.is_harmless(comma + 1));
        }
        match harmless {
            true => self.add(Transaction, "SET steers the session"),
            false => self.add(Administer, "SET of a setting that changes more than the session's display"),
        }
    }

    fn is_harmless(&self, at: usize) -> bool {
        if self.op(at) == "@" {
            return self.op(at + 1) != "@" && self.is_name(at + 1);
        }
        let at = at + usize::from(matches!(self.word(at), "session" | "local"));
        HARMLESS.contains(&self.word(at)) && self.op(at + 1) != "."
    }

    /// RESET and DISCARD.
    pub fn reset(&mut self, at: usize) -> usize {
        match self.word(at + 1) {
            "role" | "session" => self.add(Grant, "RESET ROLE changes who the session acts as"),
            "master" | "slave" | "replica" | "binary" | "query" | "persist" => {
                self.add(Administer, "RESET changes the server");
            }
            _ => self.add(Transaction, "RESET steers the session"),
        }
        at + 1
    }

    /// SQLite's PRAGMA.
    pub fn pragma(&mut self, at: usize) -> usize {
        let (name, after) = self.name(at + 1);
        let name = name.to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        let alone = after >= self.len();
        // With `=` even `table_info` takes its argument; a bare word may follow in another dialect.
        let looks = if alone {
            PRAGMA_LOOKS.contains(&last) || PRAGMA_LOOKS_ALONE.contains(&last)
        } else {
            PRAGMA_LOOKS.contains(&last) && matches!(self.op(after), "(" | "=")
        };
        match looks {
            true => self.add(Read, "PRAGMA only looks"),
            false => self.add(Administer, format!("PRAGMA {} may change the database", clip(last))),
        }
        (at + 1..after).for_each(|at| self.explain(at));
        after
    }
}
