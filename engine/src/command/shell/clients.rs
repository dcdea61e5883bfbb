//! Clients of databases: the SQL in their arguments and on their standard input is judged as SQL.

use super::judge::{Call, Input, Judge, asks_for_version};
use super::script::{HOLE, Word};
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
const CLIENTS: [Client; 7] = [
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
];

/// Judges a call if its program is a client of a database.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    match call.name {
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
            let value = match (attached, text.len() == flag.len()) {
                (Some(value), _) => value,
                (None, true) if listed(client.writes, flag) => words.first().map_or("", |word| &word.text),
                _ => text.get(2..).unwrap_or_default(),
            };
            // psql starts a program where the file begins with `|`.
            if value.trim_start().starts_with(['|', HOLE]) {
                judge.add(Effect::Unknown, "a database client that may give its output to a program");
            }
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

/// Judges a word that is SQL.
pub fn sql_word(judge: &mut Judge, word: &Word) {
    match word.known() {
        Some(sql) => judge.inner_sql(sql),
        None => {
            judge.add(Effect::Unknown, "SQL that is only known when it runs");
            judge.inner_sql(&word.guess);
        }
    }
}
