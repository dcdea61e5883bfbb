//! The corpora in `corpus/`: what changes something is never called a read, and what only looks is.

use sluice_engine::command::{self, Effect, Reading};

/// The lines of a corpus: what is expected, and the text.
fn cases(corpus: &str) -> impl Iterator<Item = (&str, String)> {
    corpus.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (expected, text) = line.split_once('\t').unwrap_or_else(|| panic!("no tab: {line}"));
        (expected, unescape(text))
    })
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('0') => out.push('\0'),
                Some('\\') => out.push('\\'),
                Some('u') => {
                    let code: String = chars.by_ref().take(4).collect();
                    out.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
                }
                other => panic!("unknown escape \\{other:?} in {text}"),
            },
            _ => out.push(c),
        }
    }
    out
}

fn effect(name: &str) -> Effect {
    Effect::ALL.into_iter().find(|effect| effect.name() == name).unwrap_or_else(|| panic!("no effect {name}"))
}

fn misses(corpus: &str, read: fn(&str) -> Reading) -> (usize, Vec<String>) {
    let mut count = 0;
    let mut misses = Vec::new();
    for (expected, text) in cases(corpus) {
        count += 1;
        let reading = read(&text);
        if !reading.effects().contains(effect(expected)) || reading.worst() == Effect::Read {
            misses.push(format!("{expected}: {text:?} was {:?}", reading.effects()));
        }
    }
    (count, misses)
}

fn not_reads(corpus: &str, read: fn(&str) -> Reading) -> (usize, Vec<String>) {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (_, text) in cases(corpus) {
        count += 1;
        let reading = read(&text);
        if reading.worst() != Effect::Read {
            let why: Vec<_> = reading.statements.iter().map(|s| format!("{}: {}", s.effect, s.why)).collect();
            wrong.push(format!("{text:?} was {why:?}"));
        }
    }
    (count, wrong)
}

#[test]
fn sql_that_changes_something_is_called_what_it_is() {
    let (count, misses) = misses(include_str!("corpus/sql_changes.tsv"), command::sql);
    assert!(misses.is_empty(), "{} of {count}:\n{}", misses.len(), misses.join("\n"));
    assert!(count >= 400);
}

#[test]
fn sql_that_only_looks_is_called_a_read() {
    let (count, wrong) = not_reads(include_str!("corpus/sql_reads.tsv"), command::sql);
    assert!(wrong.len() * 50 <= count, "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} of {count} plain reads are not called read:\n{}", wrong.len(), wrong.join("\n"));
}

/// Statements that change something and are called read; plain reads that are not; how many plain reads.
fn against_the_oracle(corpus: &str) -> (Vec<String>, Vec<String>, usize) {
    let (mut missed, mut wrong, mut plain) = (Vec::new(), Vec::new(), 0);
    for (label, text) in cases(corpus) {
        let reading = command::sql(&text);
        let read = reading.worst() == Effect::Read;
        plain += usize::from(label == "reads");
        match label {
            "reads" if !read => wrong.push(format!("{text:?} was {:?}", reading.statements)),
            "changes" | "session" if read => missed.push(format!("{label}: {text:?}")),
            _ => {}
        }
    }
    (missed, wrong, plain)
}

#[test]
fn postgres_grammar_finds_no_change_that_was_called_a_read() {
    let (missed, wrong, plain) = against_the_oracle(include_str!("corpus/postgres_generated.tsv"));
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(wrong.len() * 20 <= plain, "{} of {plain}:\n{}", wrong.len(), wrong.join("\n"));
}

/// `SLUICE_ORACLE=labels.tsv cargo test -p sluice-engine --test command -- --ignored --nocapture`
#[test]
#[ignore = "reads the file that SLUICE_ORACLE names, made by oracle/postgres.py"]
fn postgres_grammar_on_a_file_of_labels() {
    let path = std::env::var("SLUICE_ORACLE").expect("SLUICE_ORACLE names a file of labels");
    let (missed, wrong, plain) = against_the_oracle(&std::fs::read_to_string(path).unwrap());
    println!("{}\n{} plain reads of {plain} not called read:", missed.join("\n"), wrong.len());
    wrong.iter().for_each(|line| println!("{line}"));
    println!("{} changes called read; {} of {plain} plain reads not called read", missed.len(), wrong.len());
}
