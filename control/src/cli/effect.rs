//! `sluice effect`: what SQL or shell text would do, as the filter reads it.

use std::io::{self, Write as _};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use sluice_engine::command::{self, Effect as What, Reading};

use super::documents::{Document, Ended, Input, documents, outcome};
use super::print::{Paint, clean_line};
use super::{Failure, Outcome};

/// Say what a command would do, as the filter reads it: the same engine.
#[derive(Debug, Subcommand)]
pub enum Effect {
    /// Read SQL: PostgreSQL, MySQL, SQLite and T-SQL, as far as they share.
    Sql(Asked),
    /// Read shell text: POSIX shell and bash, with what it hands to other programs (`psql -c`, `ssh`, `xargs`, ...).
    Shell(Asked),
}

/// Reads a command on standard input, or JSON lines, each an object with a `text`. A command gives a table for
/// people; JSON lines give a line each, in order:
///
///   {"effect":"destroy","why":"DROP TABLE removes a table","statements":[{"effect":"destroy","why":"...","objects":["users"],"start":0,"end":16}]}
///
/// `effect` is the most severe of all statements, `why` its reason. From the least severe: read, transaction, write,
/// define, destroy, grant, administer, unknown. What is not understood is `unknown`, and never `read`. `start` and
/// `end` are offsets in bytes of UTF-8 into the command. One statement that does two things is listed twice.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = "Examples:\n  \
    echo 'DELETE FROM users' | sluice effect sql\n  \
    echo \"psql -c 'select 1' | tee out.txt\" | sluice effect shell\n  \
    jq -c '{text: .command}' calls.jsonl | sluice effect shell | jq -r .effect | sort | uniq -c"
)]
pub struct Asked {
    /// What comes in.
    #[arg(long, default_value = "auto")]
    input: Input,
    /// How to write it. Without it: text for a command, JSON for JSON lines.
    #[arg(long)]
    output: Option<Form>,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs: a line for each command.
    Json,
}

/// What is written for a command.
#[derive(Debug, Serialize)]
struct Line<'r> {
    effect: What,
    why: &'r str,
    statements: Vec<Statement<'r>>,
}

#[derive(Debug, Serialize)]
struct Statement<'r> {
    effect: What,
    why: &'r str,
    objects: &'r [String],
    start: usize,
    end: usize,
}

impl Effect {
    pub fn run(self) -> Outcome {
        let (read, asked): (fn(&str) -> Reading, Asked) = match self {
            Self::Sql(asked) => (command::sql, asked),
            Self::Shell(asked) => (command::shell, asked),
        };
        let paint = Paint::detect();
        let mut output = io::stdout().lock();
        outcome(documents(asked.input, io::stdin().lock(), |Document { text, line }| {
            let reading = read(text);
            let form = asked.output.unwrap_or(if line { Form::Json } else { Form::Text });
            let said = match form {
                Form::Text => table(&reading, paint),
                Form::Json => serde_json::to_string(&summed(&reading)).map_err(Failure::cannot)?,
            };
            writeln!(output, "{said}").and_then(|()| output.flush()).map_err(Ended::Written)
        }))
    }
}

fn summed(reading: &Reading) -> Line<'_> {
    let effect = reading.worst();
    let statements: Vec<_> = reading
        .statements
        .iter()
        .map(|one| Statement {
            effect: one.effect,
            why: &one.why,
            objects: &one.objects,
            start: one.text.start,
            end: one.text.end,
        })
        .collect();
    let why = statements.iter().find(|one| one.effect == effect).map(|one| one.why).unwrap_or_default();
    Line { effect, why, statements }
}

/// The effect, and below it a line for each statement: effect, why, objects.
fn table(reading: &Reading, paint: Paint) -> String {
    let worst = reading.worst();
    let mut out = coloured(worst, worst.name(), paint);
    let width = reading.statements.iter().map(|one| one.effect.name().len()).max().unwrap_or(0);
    for one in &reading.statements {
        let effect = coloured(one.effect, &format!("{:<width$}", one.effect.name()), paint);
        out.push_str(&format!("\n  {effect}  {}", clean_line(&one.why)));
        if !one.objects.is_empty() {
            out.push_str(&paint.dim(&format!("  [{}]", clean_line(&one.objects.join(", ")))));
        }
    }
    out
}

fn coloured(effect: What, text: &str, paint: Paint) -> String {
    match effect {
        What::Read | What::Transaction => paint.green(text),
        What::Write | What::Define => paint.yellow(text),
        What::Destroy | What::Grant | What::Administer | What::Unknown => paint.red(text),
    }
}
