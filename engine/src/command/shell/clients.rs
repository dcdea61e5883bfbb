//! Clients of databases: the SQL in their arguments and on their standard input is judged as SQL.

use super::judge::{Call, Input, Judge, asks_for_version};
use super::parse::Word;
use crate::command::Effect;

/// How a client takes SQL.
struct Client {
    name: &'static str,
    /// Flags whose value is SQL.
    sql: &'static str,
    /// Flags with another value.
    value: &'static str,
    /// Flags without a value; their letters may stand together.
    bare: &'static str,
    /// Flags that write a file.
    writes: &'static str,
    /// Flags that only look by themselves.
    looks: &'static str,
    /// Whether an operand after the first is SQL, as with `sqlite3 file "select 1"`.
    operand: bool,
}

/// Any flag that is not listed makes a call unknown: `psql -f`, `mysql --init-command`, `sqlite3 -init`.
const CLIENTS: [Client; 8] = [
    Client {
        name: "psql",
        sql: "-c --command",
        value: "-d --dbname -h --host -p --port -U --username -P --pset -F --field-separator -R --record-separator",
        bare: "-A -a -b -e -E -n -q -s -S -t -w -W -x -X -z -0 -1 -H --csv --no-align --tuples-only --no-psqlrc --quiet --expanded --html --no-password --echo-all --single-transaction --no-readline",
        writes: "-o --output -L --log-file",
        looks: "-l --list -V --version --help",
        operand: false,
    },
    Client {
        name: "mysql",
        sql: "-e --execute",
        value: "-h --host -P --port -u --user -D --database -S --socket --protocol --default-character-set --ssl-mode --connect-timeout",
        bare: "-B -N -s -t -v -r -A -C -E -G -H -X -n -q -w --batch --skip-column-names --silent --table --raw --vertical --verbose --html --xml --no-auto-rehash --password --force -f",
        writes: "--tee",
        looks: "-V --version --help",
        operand: false,
    },
    Client {
        name: "sqlite3",
        sql: "-cmd",
        value: "-separator -nullvalue -newline",
        bare: "-header -noheader -csv -json -column -line -list -html -markdown -table -box -batch -readonly -quote -tabs -ascii -echo -bail -stats -safe",
        writes: "",
        looks: "-version -help --version",
        operand: true,
    },
    Client {
        name: "sqlcmd",
        sql: "-Q -q",
        value: "-S -U -P -d -s -w -h -l -t -y -Y",
        bare: "-E -C -W -b -I -N -k -m",
        writes: "-o",
        looks: "--version -?",
        operand: false,
    },
    Client {
        name: "duckdb",
        sql: "-c -s",
        value: "-separator -nullvalue",
        bare: "-header -noheader -csv -json -column -line -list -markdown -table -box -batch -readonly",
        writes: "",
        looks: "-version --version",
        operand: true,
    },
    Client {
        name: "clickhouse-client",
        sql: "-q --query",
        value: "-h --host --port -u --user -d --database -f --format --password",
        bare: "-m -n --multiline --multiquery -t --time --secure -s",
        writes: "",
        looks: "-V --version --help",
        operand: false,
    },
    Client {
        name: "cockroach",
        sql: "-e --execute",
        value: "--url --host --port -u --user -d --database --format",
        bare: "--insecure",
        writes: "",
        looks: "version",
        operand: false,
    },
    Client { name: "bq", sql: "", value: "", bare: "", writes: "", looks: "version ls show", operand: true },
];

/// Judges a call if its program is a client of a database.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    match call.name {
        "redis-cli" => redis(judge, call.words),
        "mongosh" | "mongo" => judge.add(Effect::Unknown, "runs JavaScript"),
        name => {
            let name = if name == "mariadb" { "mysql" } else { name };
            let Some(client) = CLIENTS.iter().find(|client| client.name == name) else { return false };
            sql_client(judge, call, client);
        }
    }
    true
}

fn listed(flags: &str, flag: &str) -> bool {
    flags.split_ascii_whitespace().any(|listed| listed == flag)
}

fn sql_client(judge: &mut Judge, call: &Call<'_>, client: &Client) {
    let mut words = call.words;
    let mut operands = 0;
    let mut seen = false;
    if client.name == "cockroach" && words.first().is_some_and(|word| word.text == "sql") {
        words = words.get(1..).unwrap_or_default();
    }
    if client.name == "bq" {
        return match words.first().and_then(Word::known) {
            Some("ls" | "show" | "version") => judge.add(Effect::Read, "bq only looks"),
            Some("query") => {
                judge.add(Effect::Transaction, "bq runs a query");
                words
                    .iter()
                    .skip(1)
                    .filter(|word| !word.text.starts_with('-'))
                    .for_each(|word| sql_word(judge, word));
            }
            Some("rm") => judge.add(Effect::Destroy, "bq rm removes data"),
            _ => judge.add(Effect::Unknown, "bq with a command that is not known"),
        };
    }
    if asks_for_version(words) {
        return judge.add(Effect::Read, "tells its version");
    }
    while let Some((word, rest)) = words.split_first() {
        words = rest;
        if word.splits || word.globs {
            judge.add(Effect::Unknown, "an argument of a database client that is only known when it runs");
            continue;
        }
        let text = word.text.as_str();
        if !text.starts_with('-') || text == "-" {
            operands += 1;
            if client.operand && operands > 1 {
                seen = true;
                sql_word(judge, word);
            }
            continue;
        }
        let (flag, attached) = match text.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (text, None),
        };
        let short: String = text.chars().take(2).collect();
        let long = text.starts_with("--") || client.operand;
        if listed(client.sql, flag) {
            seen = true;
            match (attached, words.split_first()) {
                (Some(_), _) => {
                    let guess = word.guess.split_once('=').map_or("", |(_, value)| value).to_owned();
                    let text = attached.unwrap_or_default().to_owned();
                    sql_word(judge, &Word { text, guess, ..word.clone() });
                }
                (None, Some((sql, rest))) => {
                    sql_word(judge, sql);
                    words = rest;
                }
                (None, None) => judge.add(Effect::Unknown, "a flag without its SQL"),
            }
        } else if listed(client.writes, flag) || (!long && listed(client.writes, &short)) {
            judge.add(Effect::Write, "a database client writes a file");
            if attached.is_none() && text.len() == flag.len() {
                words = words.get(1..).unwrap_or_default();
            }
        } else if listed(client.looks, flag) {
            seen = true;
            judge.add(Effect::Read, "a database client only looks");
        } else if listed(client.value, flag) {
            let value = words.first();
            if attached.is_none() && value.is_some_and(|value| value.splits) {
                judge
                    .add(Effect::Unknown, "an argument of a database client that is only known when it runs");
            }
            words = if attached.is_none() { words.get(1..).unwrap_or_default() } else { words };
        } else if listed(client.bare, flag) || (flag == "--password" && attached.is_some()) {
        } else if !long && listed(client.value, &short) {
            // `-hlocalhost`.
        } else if !long && text.starts_with("-p") && client.name == "mysql" {
            // `-psecret`.
        } else if long || !cluster(judge, client, word, &mut words, &mut seen) {
            judge.add(Effect::Unknown, format!("{} with a flag that is not known", client.name));
        }
    }
    if let Input::Known(sql) = call.input
        && client.name == "sqlcmd"
        && sql.lines().any(|line| line.trim_start().starts_with([':', '!']))
    {
        judge.add(Effect::Unknown, "a command of sqlcmd among SQL");
    }
    match call.input {
        Input::Known(sql) => judge.inner_sql(sql),
        Input::Unknown(guess) if !seen => {
            judge.add(Effect::Unknown, "SQL that is only known when it runs");
            if !guess.is_empty() {
                judge.inner_sql(guess);
            }
        }
        Input::Inherited if !seen => judge.add(Effect::Unknown, "SQL that is read from elsewhere"),
        _ => {}
    }
}

/// `-Atc SQL`: letters that take nothing, and perhaps one at the end that takes the SQL, attached or not.
fn cluster(judge: &mut Judge, client: &Client, word: &Word, rest: &mut &[Word], seen: &mut bool) -> bool {
    for (at, letter) in word.text.char_indices().skip(1) {
        let flag = format!("-{letter}");
        if listed(client.sql, &flag) {
            *seen = true;
            let attached = word.text.get(at + letter.len_utf8()..).unwrap_or_default();
            if attached.is_empty() {
                let Some((sql, after)) = rest.split_first() else { return false };
                sql_word(judge, sql);
                *rest = after;
            } else {
                let guess = word.guess.get(at + letter.len_utf8()..).unwrap_or_default();
                sql_word(judge, &Word { text: attached.into(), guess: guess.into(), ..word.clone() });
            }
            return true;
        }
        if listed(client.looks, &flag) {
            *seen = true;
            judge.add(Effect::Read, "a database client only looks");
        } else if listed(client.value, &flag) {
            return true;
        } else if !listed(client.bare, &flag) {
            return false;
        }
    }
    true
}

fn sql_word(judge: &mut Judge, word: &Word) {
    match word.known() {
        Some(sql) => judge.inner_sql(sql),
        None => {
            judge.add(Effect::Unknown, "SQL that is only known when it runs");
            judge.inner_sql(&word.guess);
        }
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
        "ACL" => judge.add(Effect::Grant, "redis-cli changes who may do what"),
        "CONFIG" | "SHUTDOWN" | "DEBUG" | "REPLICAOF" | "SLAVEOF" | "MODULE" | "CLIENT" | "SAVE"
        | "BGSAVE" => {
            judge.add(Effect::Administer, "redis-cli changes the server");
        }
        _ => judge.add(Effect::Unknown, "redis-cli with a command that is not known"),
    }
}
