//! Clients of servers with commands of their own: `redis-cli`, `mysqladmin`, `bq`.

use super::clients::sql_word;
use super::judge::{Call, Input, Judge, asks_for_version};
use super::script::Word;
use crate::command::Effect;

/// Judges a call if its program is one of these.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    match call.name {
        "redis-cli" => redis(judge, call.words),
        "mysqladmin" | "mariadb-admin" => mysqladmin(judge, call.words),
        "bq" => bq(judge, call),
        _ => return false,
    }
    true
}

/// mysqladmin runs all of its words, one after the other.
fn mysqladmin(judge: &mut Judge, words: &[Word]) {
    if asks_for_version(words) {
        return judge.add(Effect::Read, "mysqladmin tells its version");
    }
    let mut words = words;
    while let Some((word, rest)) = words.split_first() {
        words = rest;
        match word.known().unwrap_or_default() {
            "status" | "ping" | "version" | "processlist" | "variables" | "extended-status" => {
                judge.add(Effect::Read, "mysqladmin only looks");
            }
            "drop" => judge.add(Effect::Destroy, "mysqladmin drop removes a database"),
            "create" => judge.add(Effect::Define, "mysqladmin create creates a database"),
            "password" | "old-password" => judge.add(Effect::Grant, "mysqladmin changes a password"),
            "debug" | "kill" | "refresh" | "reload" | "shutdown" | "start-slave" | "stop-slave"
            | "start-replica" | "stop-replica" => {
                judge.add(Effect::Administer, "mysqladmin changes the server")
            }
            command if command.starts_with("flush-") => {
                judge.add(Effect::Administer, "mysqladmin changes the server");
            }
            "-h" | "-u" | "-P" | "-S" | "-i" | "-c" | "--host" | "--user" | "--port" | "--socket"
            | "--sleep" | "--count"
                if rest.first().is_some_and(|value| !value.splits && !value.globs) =>
            {
                words = rest.get(1..).unwrap_or_default();
            }
            "-p" | "-s" | "-v" | "-r" | "-E" | "--password" | "--silent" | "--verbose" | "--relative" => {}
            // `-uroot`, `-psecret`, `--host=x`.
            flag if ["-u", "-p", "-h", "-P", "-S"].iter().any(|start| flag.starts_with(start)) => {}
            flag if ["--host=", "--user=", "--port=", "--socket=", "--password=", "--protocol="]
                .iter()
                .any(|start| flag.starts_with(start)) => {}
            _ => judge.add(Effect::Unknown, "mysqladmin with a word that is not known"),
        }
    }
}

/// bq: a query is what its SQL is, and what its flags make of the result. Every flag must be known; one dash is as
/// good as two.
fn bq(judge: &mut Judge, call: &Call<'_>) {
    const BARE: &str = "use_legacy_sql nouse_legacy_sql dry_run nodry_run use_cache nouse_cache headless quiet q batch nobatch all a datasets d jobs j models m routines schema view all_users";
    const VALUE: &str = "format max_rows max_results n project_id dataset_id location maximum_bytes_billed parameter label job_id filter start_row s";
    let mut command = None;
    let mut queries = 0;
    let mut words = call.words;
    while let Some((word, rest)) = words.split_first() {
        words = rest;
        let text = word.text.as_str();
        if word.splits || word.globs {
            judge.add(Effect::Unknown, "an argument of bq that is only known when it runs");
        } else if let Some(flag) = text.strip_prefix('-') {
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let (name, attached) = flag.split_once('=').map_or((flag, false), |(name, _)| (name, true));
            let listed = |flags: &str| flags.split_ascii_whitespace().any(|listed| listed == name);
            match name {
                "replace" => judge.add(Effect::Destroy, "bq --replace replaces a table"),
                "append_table" => judge.add(Effect::Write, "bq --append_table adds to a table"),
                "destination_table" => judge.add(Effect::Write, "bq --destination_table writes a table"),
                "schedule" => judge.add(Effect::Define, "bq --schedule creates a query that runs by itself"),
                _ if listed(BARE) || (attached && listed(VALUE)) => {}
                _ if listed(VALUE) => {}
                _ => judge.add(Effect::Unknown, "bq with a flag that is not known"),
            }
            let valued = listed(VALUE) || matches!(name, "destination_table" | "schedule");
            if valued && !attached {
                if rest.first().is_some_and(|value| value.splits || value.globs) {
                    judge.add(Effect::Unknown, "an argument of bq that is only known when it runs");
                }
                words = rest.get(1..).unwrap_or_default();
            }
        } else if command.is_none() {
            command = Some(text);
        } else if command == Some("query") {
            queries += 1;
            sql_word(judge, word);
        }
    }
    match command {
        Some("ls" | "show" | "version") => judge.add(Effect::Read, "bq only looks"),
        Some("query") => match call.input {
            Input::Known(sql) => judge.inner_sql(sql),
            _ if queries == 0 => judge.add(Effect::Unknown, "SQL that is read from elsewhere"),
            _ => {}
        },
        Some("rm") => judge.add(Effect::Destroy, "bq rm removes data"),
        _ => judge.add(Effect::Unknown, "bq with a command that is not known"),
    }
}

/// Redis commands that only look.
const REDIS_LOOKS: [&str; 40] = [
    "BITCOUNT",
    "DBSIZE",
    "ECHO",
    "EXISTS",
    "GEODIST",
    "GEOPOS",
    "GET",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HSCAN",
    "HVALS",
    "INFO",
    "KEYS",
    "LINDEX",
    "LLEN",
    "LRANGE",
    "MGET",
    "PING",
    "PTTL",
    "SCAN",
    "SCARD",
    "SISMEMBER",
    "SMEMBERS",
    "SSCAN",
    "STRLEN",
    "TIME",
    "TTL",
    "TYPE",
    "XLEN",
    "XRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZRANGE",
    "ZSCAN",
    "ZSCORE",
];

fn redis(judge: &mut Judge, words: &[Word]) {
    let Some(found) = super::flags::subcommand(
        words,
        "--raw --csv --json --no-auth-warning --tls",
        "-h -p -a -n -u --user --pass",
    ) else {
        return judge.add(Effect::Unknown, "redis-cli with flags that are not known, or without a command");
    };
    let command = found.path.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    match command.as_str() {
        command if REDIS_LOOKS.contains(&command) => judge.add(Effect::Read, "redis-cli only looks"),
        "FLUSHALL" | "FLUSHDB" | "DEL" | "UNLINK" | "XTRIM" | "LTRIM" => {
            judge.add(Effect::Destroy, "redis-cli removes keys")
        }
        "SET" | "SETEX" | "HSET" | "LPUSH" | "RPUSH" | "SADD" | "ZADD" | "INCR" | "DECR" | "EXPIRE"
        | "PUBLISH" | "RENAME" => {
            judge.add(Effect::Write, "redis-cli changes keys");
        }
        "CONFIG" | "CLIENT" | "MODULE" | "ACL" if redis_looks(&command, &found.path) => {
            judge.add(Effect::Read, "redis-cli only looks");
        }
        "ACL" => judge.add(Effect::Grant, "redis-cli changes who may do what"),
        "CONFIG" | "SHUTDOWN" | "DEBUG" | "REPLICAOF" | "SLAVEOF" | "MODULE" | "CLIENT" | "SAVE"
        | "BGSAVE" => {
            judge.add(Effect::Administer, "redis-cli changes the server");
        }
        _ => judge.add(Effect::Unknown, "redis-cli with a command that is not known"),
    }
}

/// Commands of two words that only look. Not `ACL LOG`, which may be followed by RESET.
fn redis_looks(command: &str, path: &[&str]) -> bool {
    let second = path.get(1).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    matches!(
        (command, second.as_str()),
        ("CONFIG", "GET")
            | ("CLIENT", "LIST" | "INFO" | "ID")
            | ("MODULE", "LIST")
            | ("ACL", "LIST" | "WHOAMI" | "USERS" | "CAT")
    )
}
