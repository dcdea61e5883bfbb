//! What holds for every text: no panic, no surprise by wrapping, no more than linear work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use sluice_engine::command::{self, Effect, MAX_TEXT, Reading};

/// A small generator of numbers (xorshift), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

const PIECES: [&str; 96] = [
    "select", "SELECT", "delete", "from", "where", "update", "set", "insert", "into", "values", "with", "as",
    "(", ")", "((", "))", "$(", "$((", "${", "}", "`", "'", "\"", "\\", "$$", "$a$", "/*", "*/", "/*!", "--",
    "#", ";", "\n", "\r", "\t", " ", "  ", ",", ".", "=", "<", ">", "<<", "<<<", "<<EOF\n", "EOF\n", ">>",
    "|", "||", "&", "&&", "[", "]", "[[", "]]", "{", "{a,b}", "if", "then", "fi", "for", "in", "do", "done",
    "case", "esac", "x", "1", "0x1f", "1.5e", "é", "\u{a0}", "\u{0}", "rm", "-rf", "/", "ls", "echo", "cat",
    "psql", "-c", "sh", "sudo", "xargs", "find", "-exec", "git", "*", "?", "!", "~", "E'", "U&\"", "$'",
    "$x", "go\n",
];

fn soup(numbers: &mut Numbers) -> String {
    let length = numbers.below(40);
    let glue = if numbers.below(2) == 0 { " " } else { "" };
    (0..length).map(|_| PIECES[numbers.below(PIECES.len())]).collect::<Vec<_>>().join(glue)
}

fn whole(reading: &Reading, text: &str) {
    assert!(!reading.statements.is_empty(), "{text:?}");
    for statement in &reading.statements {
        assert!(
            statement.text.start <= statement.text.end && statement.text.end <= text.len(),
            "{text:?} {statement:?}"
        );
        assert!(!statement.why.is_empty(), "{text:?}");
    }
    assert!(reading.effects().contains(reading.worst()));
}

#[test]
fn no_text_makes_the_readers_panic() {
    let mut numbers = Numbers(0x5eed_1234_abcd_0001);
    for round in 0..60_000 {
        let text = match round % 3 {
            0 => {
                let bytes: Vec<u8> = (0..numbers.below(60)).map(|_| numbers.below(256) as u8).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => soup(&mut numbers),
        };
        whole(&command::sql(&text), &text);
        whole(&command::shell(&text), &text);
    }
}

/// The texts of a corpus that decode without control characters; with those that are not understood by themselves,
/// or without: a wrapping can complete them.
fn texts(corpus: &str, unknown: bool) -> Vec<String> {
    let lines = corpus.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
    let lines = lines.filter(|(effect, _)| unknown || *effect != "unknown");
    let plain = lines.filter(|(_, text)| {
        !text.contains("\\u") && !text.contains("\\0") && !text.contains("\\r") && !text.trim().is_empty()
    });
    plain
        .map(|(_, text)| {
            text.replace("\\\\", "\u{1}").replace("\\n", "\n").replace("\\t", "\t").replace('\u{1}', "\\")
        })
        .collect()
}

#[test]
fn sql_stays_what_it_is_inside_other_statements_and_comments() {
    for text in texts(include_str!("corpus/sql_changes.tsv"), false) {
        let wrapped = [
            format!("/* a */ {text}"),
            format!("-- a\n{text}"),
            format!("\n\t {text}"),
            format!("SELECT 1; {text}"),
            format!("SELECT 1;\n{text}\n"),
            format!("SELECT ';'; {text}"),
            format!("SELECT $$;$$; {text}"),
            format!("{text}\n; SELECT 1"),
            text.chars().rev().skip_while(|c| c.is_whitespace()).collect::<String>().chars().rev().collect(),
        ];
        for text in wrapped {
            assert_ne!(command::sql(&text).worst(), Effect::Read, "{text:?}");
        }
    }
}

#[test]
fn sql_stays_what_it_is_in_any_case() {
    let mut numbers = Numbers(0x5eed_1234_abcd_0002);
    for text in texts(include_str!("corpus/sql_changes.tsv"), false) {
        let mixed: String = text
            .chars()
            .map(|c| if numbers.below(2) == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect();
        for text in [text.to_ascii_uppercase(), text.to_ascii_lowercase(), mixed] {
            assert_ne!(command::sql(&text).worst(), Effect::Read, "{text:?}");
        }
    }
}

#[test]
fn shell_text_stays_what_it_is_inside_other_commands() {
    for text in texts(include_str!("corpus/shell_changes.tsv"), false) {
        let quoted = text.replace('\'', "'\\''");
        let wrapped = [
            format!("ls; {text}"),
            format!("ls\n{text}\nls"),
            format!("# a\n{text}"),
            format!("true && {text}"),
            format!("if true; then\n{text}\nfi"),
            format!("(\n{text}\n)"),
            format!("f() {{\n{text}\n}}"),
            format!("echo $(\n{text}\n)"),
            format!("echo \"$(\n{text}\n)\""),
            format!("sh -c '{quoted}'"),
            format!("sudo bash -lc '{quoted}'"),
            format!("eval '{quoted}'"),
            format!("ssh host '{quoted}'"),
            format!("docker exec c sh -c '{quoted}'"),
            format!("bash << 'END_OF_IT'\n{text}\nEND_OF_IT\n"),
        ];
        for text in wrapped {
            assert_ne!(command::shell(&text).worst(), Effect::Read, "{text:?}");
        }
    }
}

#[test]
fn sql_stays_what_it_is_inside_clients() {
    for text in texts(include_str!("corpus/sql_changes.tsv"), false) {
        if text.starts_with('-') {
            continue;
        }
        let quoted = text.replace('\'', "'\\''");
        for text in [
            format!("psql -c '{quoted}'"),
            format!("mysql -e '{quoted}' d"),
            format!("sqlite3 x.db '{quoted}'"),
            format!("psql << 'END'\n{text}\nEND\n"),
            format!("echo '{quoted}' | psql"),
        ] {
            assert_ne!(command::shell(&text).worst(), Effect::Read, "{text:?}");
        }
    }
}

#[test]
fn a_megabyte_of_anything_is_read_in_linear_time_and_bounded_depth() {
    // Optimised frames must fit the stack of the wasm, which is 1 MiB.
    let stack = if cfg!(debug_assertions) { 2 << 20 } else { 1 << 19 };
    std::thread::Builder::new().stack_size(stack).spawn(read_repetitions).unwrap().join().unwrap();
}

fn read_repetitions() {
    let repeated = [
        "(",
        ")",
        "[",
        "{",
        "$(",
        "$($(",
        "$((",
        "${",
        "${x:-",
        "\"$(",
        "\"${x:-",
        "`",
        "\\`",
        "'",
        "\"",
        "<(",
        "<<a\n",
        "<<a ",
        "case x in ",
        "case x in a) ",
        "if ",
        "sudo ",
        "env ",
        "sh -c ",
        "xargs ",
        "find -exec ",
        "eval ",
        "a=$a$a;",
        "{a,",
        "[[ ",
        "! ",
        "ls|",
        "ls;",
        "echo rm|",
        "$'\\",
        "/*",
        "/*!",
        "*/",
        "--",
        "#",
        "$$",
        "$a",
        "$a$",
        "select ",
        "select(",
        "select 1;",
        "select * from (",
        "with a as (",
        "with a as (select 1), ",
        "delete from t where (",
        "delete ",
        "update ",
        "update t set ",
        "exec 'a' ",
        "exec('a')",
        "do $$a$$ ",
        "alter ",
        "alter table a drop b, ",
        "create table a ",
        "grant ",
        "drop ",
        "merge into t using s on ",
        "explain ",
        "f(",
        "a.",
        "a.b(",
        ";",
        "go\n",
        " go",
        "\\d ",
        ".x\n",
        "where a=1 or ",
        "delete from t where a = 1 and ",
        "copy (",
        "set @a=1,",
        "a,",
        "from a,",
        "$x",
        "x=y ",
        "a\\\n",
        "\n",
        "é",
        "\u{a0}",
    ];
    for piece in repeated {
        // Without optimisation a quarter is enough to tell linear from not.
        let length = if cfg!(debug_assertions) { MAX_TEXT / 4 } else { MAX_TEXT };
        let text = piece.repeat(length / piece.len());
        for (name, read) in [("sql", command::sql as fn(&str) -> Reading), ("shell", command::shell)] {
            let start = Instant::now();
            whole(&read(&text), &text);
            let taken = start.elapsed();
            if taken > Duration::from_millis(300) {
                println!("{name} {piece:?} {taken:?}");
            }
            assert!(taken < Duration::from_secs(10), "{name} of {piece:?} took {taken:?}");
        }
    }
    let long = "a".repeat(MAX_TEXT + 1);
    assert_eq!(command::sql(&long).worst(), Effect::Unknown);
    assert_eq!(command::shell(&long).worst(), Effect::Unknown);
}

/// `cargo test --release -p sluice-engine --test command_properties -- --ignored --nocapture`
#[test]
#[ignore = "prints how long commands take, and asserts nothing: for a release build"]
fn how_long_a_command_takes() {
    let corpora = [
        ("sql reads", include_str!("corpus/sql_reads.tsv"), command::sql as fn(&str) -> Reading),
        ("sql changes", include_str!("corpus/sql_changes.tsv"), command::sql),
        ("sql generated", include_str!("corpus/postgres_generated.tsv"), command::sql),
        ("shell reads", include_str!("corpus/shell_reads.tsv"), command::shell),
        ("shell changes", include_str!("corpus/shell_changes.tsv"), command::shell),
    ];
    for (name, corpus, read) in corpora {
        let texts = texts(corpus, true);
        let mut times: Vec<Duration> = texts
            .iter()
            .map(|text| {
                let rounds = 50;
                let start = Instant::now();
                (0..rounds).for_each(|_| {
                    std::hint::black_box(read(std::hint::black_box(text)));
                });
                start.elapsed() / rounds
            })
            .collect();
        times.sort();
        let bytes: usize = texts.iter().map(String::len).sum();
        let mean = times.iter().sum::<Duration>() / times.len() as u32;
        println!(
            "{name}: {} texts of {} bytes: mean {mean:?}, p99 {:?}, max {:?}",
            texts.len(),
            bytes / texts.len(),
            times[times.len() * 99 / 100],
            times.last().unwrap()
        );
    }
}
