//! What SQL's functions do when they are called.
//!
//! Three classes, so that a function that nobody thought of is never taken for a read:
//! - `pure_functions.txt`: built-in functions that only compute or look. PostgreSQL's are those that its catalogue
//!   (`pg_proc`, version 16) calls immutable or stable in every variant, less those that load code, and the
//!   volatile ones that change nothing (`random`, `currval`); MySQL's, SQLite's and T-SQL's come from the function
//!   references of MySQL 8.4, MariaDB 11, SQLite 3.46 and SQL Server 2022; then the common ones of pgcrypto,
//!   pg_trgm, hstore, fuzzystrmatch, ltree, PostGIS, pgvector and TimescaleDB.
//! - [`SIDE_EFFECTS`]: functions that are known to act.
//! - every other name, in particular one with a schema: a function of somebody's own, which could do anything.

use crate::command::Effect;

/// What calling a function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Computes or looks.
    Pure,
    /// Acts.
    Acts(Effect, &'static str),
    /// Not known.
    Unknown,
}

/// Sorted, one name a line.
static PURE: &str = include_str!("pure_functions.txt");

/// Functions that act: a name or, with `*`, the beginning of one; what it does; and to what.
///
/// Sources: PostgreSQL 16 manual, chapters 9.27 (server control, backup, replication, files), 9.17 (sequences),
/// 35.4 (large objects), F.11 (dblink), F.1 (adminpack); MySQL 8.4 manual, 14.14 (locks) and 14.8 (`LOAD_FILE`);
/// SQLite's `ext/misc/fileio.c` and core functions; Microsoft's reference for rowset functions.
const SIDE_EFFECTS: [(&str, Effect, &str); 72] = [
    ("apoc.*", Effect::Unknown, "runs a procedure"),
    ("benchmark", Effect::Administer, "keeps the server busy"),
    ("binary_upgrade_*", Effect::Administer, "changes the catalogue"),
    ("brin_*", Effect::Administer, "changes an index"),
    ("crosstab*", Effect::Unknown, "runs SQL from a string"),
    ("cursor_to_xml*", Effect::Unknown, "runs a cursor"),
    ("dblink*", Effect::Unknown, "runs SQL on another server"),
    ("edit", Effect::Administer, "starts a program"),
    ("eval", Effect::Unknown, "runs SQL from a string"),
    ("exec", Effect::Unknown, "runs SQL from a string"),
    ("fts3_tokenizer", Effect::Administer, "loads code"),
    ("get_lock", Effect::Transaction, "takes a lock"),
    ("gin_clean_pending_list", Effect::Administer, "changes an index"),
    ("http_*", Effect::Unknown, "calls another host"),
    ("load_extension", Effect::Administer, "loads code"),
    ("load_file", Effect::Administer, "reads a file on the server"),
    ("lo_*", Effect::Write, "changes large objects"),
    ("lo_export", Effect::Administer, "writes a file on the server"),
    ("lo_import", Effect::Administer, "reads a file on the server"),
    ("lo_unlink", Effect::Destroy, "removes a large object"),
    ("lowrite", Effect::Write, "changes large objects"),
    ("master_pos_wait", Effect::Administer, "keeps the server busy"),
    ("nextval", Effect::Write, "advances a sequence"),
    ("opendatasource", Effect::Administer, "reaches another server"),
    ("openquery", Effect::Unknown, "runs SQL on another server"),
    ("openrowset", Effect::Administer, "reaches files and other servers"),
    ("pg_advisory_*", Effect::Transaction, "takes a lock"),
    ("pg_backup_*", Effect::Administer, "controls a backup"),
    ("pg_cancel_backend", Effect::Administer, "stops other sessions"),
    ("pg_copy_*", Effect::Administer, "changes replication"),
    ("pg_create_*", Effect::Administer, "changes replication"),
    ("pg_current_xact_id", Effect::Transaction, "takes a transaction number"),
    ("pg_drop_replication_slot", Effect::Administer, "changes replication"),
    ("pg_export_snapshot", Effect::Transaction, "shares the snapshot"),
    ("pg_extension_config_dump", Effect::Administer, "changes the catalogue"),
    ("pg_file_*", Effect::Administer, "changes files on the server"),
    ("pg_import_system_collations", Effect::Administer, "changes the catalogue"),
    ("pg_log_*", Effect::Administer, "writes the server's log"),
    ("pg_logical_*", Effect::Administer, "changes replication"),
    ("pg_ls_*", Effect::Administer, "lists files on the server"),
    ("pg_nextoid", Effect::Administer, "changes the catalogue"),
    ("pg_notify", Effect::Write, "sends a notification"),
    ("pg_promote", Effect::Administer, "changes replication"),
    ("pg_read_*", Effect::Administer, "reads a file on the server"),
    ("pg_reload_conf", Effect::Administer, "changes the server's settings"),
    ("pg_replication_*", Effect::Administer, "changes replication"),
    ("pg_restore_*", Effect::Administer, "changes statistics"),
    ("pg_rotate_logfile*", Effect::Administer, "changes the server's log"),
    ("pg_sleep*", Effect::Administer, "keeps the server busy"),
    ("pg_start_backup", Effect::Administer, "controls a backup"),
    ("pg_stat_file", Effect::Administer, "reads a file on the server"),
    ("pg_stat_reset*", Effect::Administer, "clears statistics"),
    ("pg_stop_*", Effect::Administer, "controls a backup"),
    ("pg_switch_*", Effect::Administer, "changes the write-ahead log"),
    ("pg_terminate_backend", Effect::Administer, "ends other sessions"),
    ("pg_try_advisory_*", Effect::Transaction, "takes a lock"),
    ("pg_wal_replay_*", Effect::Administer, "changes replication"),
    ("query_to_xml*", Effect::Unknown, "runs SQL from a string"),
    ("readfile", Effect::Administer, "reads a file"),
    ("release_*lock*", Effect::Transaction, "releases a lock"),
    ("set_config", Effect::Administer, "changes a setting"),
    ("setseed", Effect::Transaction, "changes the session"),
    ("setval", Effect::Write, "sets a sequence"),
    ("shell", Effect::Administer, "starts a program"),
    ("sleep", Effect::Administer, "keeps the server busy"),
    ("sys_*", Effect::Administer, "starts a program on the server"),
    ("ts_rewrite", Effect::Unknown, "runs SQL from a string"),
    ("ts_stat", Effect::Unknown, "runs SQL from a string"),
    ("txid_current", Effect::Transaction, "takes a transaction number"),
    ("wait_*", Effect::Administer, "keeps the server busy"),
    ("writefile", Effect::Administer, "writes a file"),
    ("xp_*", Effect::Administer, "starts a program on the server"),
];

/// What calling the function does, by its name in lower case, without a schema.
pub fn call(name: &str) -> Call {
    let exact = SIDE_EFFECTS.iter().find(|(entry, ..)| *entry == name);
    let entry = exact.or_else(|| {
        SIDE_EFFECTS
            .iter()
            .find(|(entry, ..)| entry.split_once('*').is_some_and(|(head, _)| name.starts_with(head)))
    });
    let pure = is_listed(PURE, name);
    match entry {
        Some((entry, effect, why)) if !pure || !entry.contains('*') => Call::Acts(*effect, why),
        _ if pure => Call::Pure,
        _ => Call::Unknown,
    }
}

/// Binary search in a sorted text of one name a line.
fn is_listed(list: &'static str, name: &str) -> bool {
    let bytes = list.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let before = bytes.get(low..middle).unwrap_or_default();
        let start = low + before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = bytes.get(start..high).unwrap_or_default();
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match line.cmp(name.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = start + line.len() + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

/// Words that may stand before a parenthesis without being called: reserved words, and the names of types.
const NOT_CALLED: [&str; 77] = [
    "all",
    "and",
    "any",
    "array",
    "as",
    "between",
    "bigint",
    "binary",
    "bit",
    "blob",
    "both",
    "bpchar",
    "by",
    "case",
    "char",
    "character",
    "datetime2",
    "datetimeoffset",
    "decimal",
    "distinct",
    "double",
    "else",
    "except",
    "exists",
    "float",
    "for",
    "from",
    "group",
    "having",
    "ilike",
    "in",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "lateral",
    "leading",
    "like",
    "limit",
    "not",
    "numeric",
    "nvarchar",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "over",
    "precision",
    "returning",
    "row",
    "select",
    "smallint",
    "some",
    "then",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tinyint",
    "to",
    "top",
    "trailing",
    "union",
    "using",
    "values",
    "varbinary",
    "varbit",
    "varchar",
    "varying",
    "when",
    "where",
    "window",
    "with",
];

/// Words that are not called where an operand stands before them: `a REGEXP (...)`, `FROM t PARTITION (p)`.
const NOT_CALLED_AFTER_OPERAND: [&str; 20] = [
    "against",
    "apply",
    "bernoulli",
    "columns",
    "div",
    "filter",
    "glob",
    "index",
    "key",
    "mod",
    "option",
    "partition",
    "pivot",
    "regexp",
    "repeatable",
    "rlike",
    "system",
    "tablesample",
    "unpivot",
    "xor",
];

/// Whether the word, in lower case, may stand before a parenthesis without being called.
pub fn is_not_called(word: &str) -> bool {
    NOT_CALLED.binary_search(&word).is_ok()
}

/// The same for words that follow an operand.
pub fn is_not_called_after_operand(word: &str) -> bool {
    NOT_CALLED_AFTER_OPERAND.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_so_that_searching_them_finds_everything() {
        let names: Vec<_> = PURE.lines().collect();
        assert!(names.is_sorted() && names.len() > 900);
        assert!(names.iter().all(|name| is_listed(PURE, name)));
        assert!(NOT_CALLED.is_sorted() && NOT_CALLED_AFTER_OPERAND.is_sorted());
        assert!(SIDE_EFFECTS.iter().all(|(name, ..)| !names.contains(name)));
    }

    #[test]
    fn a_name_is_pure_or_acts_or_is_not_known() {
        assert_eq!(call("count"), Call::Pure);
        assert_eq!(call("abbrev"), Call::Pure);
        assert_eq!(call("zeroblob"), Call::Pure);
        assert!(matches!(call("lo_export"), Call::Acts(Effect::Administer, _)));
        assert!(matches!(call("dblink_exec"), Call::Acts(Effect::Unknown, _)));
        for name in ["", "coun", "countt", "my_function", "\n"] {
            assert_eq!(call(name), Call::Unknown, "{name:?}");
        }
    }
}
