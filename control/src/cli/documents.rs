//! Standard input as one text or as JSON lines, for commands that do what the filter does to a text.

use std::io::{self, BufRead};

use clap::ValueEnum;
use serde_json::Value;

use super::{Failure, Outcome};

/// What comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Input {
    /// JSON lines when the first line that is not empty is an object with a `text`; otherwise text.
    Auto,
    /// One document.
    Text,
    /// JSON lines.
    Jsonl,
}

/// A document that was read, and the form that it came in.
pub struct Document<'t> {
    /// The text; of a JSON line, what its `text` holds.
    pub text: &'t str,
    /// Whether it is one of JSON lines.
    pub line: bool,
}

/// Why reading or writing ended early.
pub enum Ended {
    /// What reads the output cannot be written to.
    Written(io::Error),
    /// Something else.
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// How the command ends. A reader that went away (`| head`) is no failure.
pub fn outcome(done: Result<(), Ended>) -> Outcome {
    match done {
        Err(Ended::Written(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Ended::Written(error)) => Err(Failure::cannot(format!("the output cannot be written: {error}"))),
        Err(Ended::Failed(failure)) => Err(failure),
        Ok(()) => Ok(()),
    }
}

/// Why the input cannot be read.
pub fn cannot_read(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData => {
            Failure::cannot("the input is not UTF-8 text; convert it first (iconv)")
        }
        _ => Failure::cannot(format!("the input cannot be read: {error}")),
    }
}

/// Gives each document to `each`, as soon as it was read.
pub fn documents(
    form: Input,
    mut input: impl BufRead,
    mut each: impl FnMut(Document<'_>) -> Result<(), Ended>,
) -> Result<(), Ended> {
    let mut first = String::new();
    let mut number = 0;
    while first.trim().is_empty() {
        number += 1;
        if input.read_line(&mut first).map_err(|e| cannot_read(&e))? == 0 {
            break;
        }
    }
    // Lines before the first that says something belong to a text.
    let line = first.lines().last().unwrap_or_default();
    let lines = match form {
        Input::Text => false,
        Input::Jsonl => true,
        Input::Auto => text_of(line).is_some(),
    };
    if !lines {
        let mut text = first;
        input.read_to_string(&mut text).map_err(|e| cannot_read(&e))?;
        return each(Document { text: &text, line: false });
    }
    let mut line = line.to_owned();
    loop {
        if !line.trim().is_empty() {
            let text = text_of(&line).ok_or_else(|| {
                Failure::cannot(format!("line {number} of the input is no JSON object with a string `text`; mend it, or say --input text"))
            })?;
            each(Document { text: &text, line: true })?;
        }
        line.clear();
        number += 1;
        if input.read_line(&mut line).map_err(|e| cannot_read(&e))? == 0 {
            return Ok(());
        }
    }
}

fn text_of(line: &str) -> Option<String> {
    match serde_json::from_str::<Value>(line).ok()?.get_mut("text")?.take() {
        Value::String(text) => Some(text),
        _ => None,
    }
}
