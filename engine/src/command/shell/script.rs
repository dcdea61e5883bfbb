//! What is read of a script: its simple commands, their words and redirections.

use std::ops::Range;

/// Stands in a word for what is only known when it runs.
pub const HOLE: char = '\0';

/// A word after quote removal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// Its text, with a [`HOLE`] for each part that is only known when it runs.
    pub text: String,
    /// The same with variables as this script set them, and nothing for what is not known.
    pub guess: String,
    /// An unquoted part is only known when it runs: it may become no word, or several.
    pub splits: bool,
    /// Unquoted `*`, `?` or `[`: may become several words, the names of files.
    pub globs: bool,
    /// Some part was quoted.
    pub quoted: bool,
}

impl Word {
    /// The text, where all of it is known.
    pub fn known(&self) -> Option<&str> {
        (!self.text.contains(HOLE) && !self.globs).then_some(&self.text)
    }

    /// A word of known text.
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), guess: text.to_owned(), ..Self::default() }
    }
}

/// What a redirection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `<`.
    From,
    /// `>`, `>>`, `>|`, `<>`, `&>`.
    To,
    /// `<<` and `<<<`: the target is the text itself.
    Text,
    /// `>&1`, `<&0`.
    Duplicate,
}

/// A redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// What it does.
    pub direction: Direction,
    /// Its file, descriptor or text.
    pub target: Word,
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// `NAME=value` in front.
    pub assignments: Vec<(String, Word)>,
    /// The program and its arguments.
    pub words: Vec<Word>,
    /// Its redirections, in order.
    pub redirects: Vec<Redirect>,
    /// The command before it in the list feeds its standard input.
    pub piped: bool,
    /// Something that cannot be seen feeds its standard input: the end of a loop, group or subshell.
    pub fed: bool,
    /// Where it stands in the text.
    pub text: Range<usize>,
    /// Here-documents whose text comes after the line.
    pub(super) awaits: Vec<Pending>,
}

/// What was read of a script.
#[derive(Debug, Default)]
pub struct Script {
    /// Its commands.
    pub commands: Vec<Command>,
    /// What could not be read.
    pub doubts: Vec<&'static str>,
}

/// What a pipe carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// There is none.
    Nothing,
    /// What the command before it prints.
    Command,
    /// What a loop, a group or a subshell prints.
    Unseen,
}

/// A here-document whose text comes after the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// The command that it belongs to.
    pub command: usize,
    /// Which of its redirections.
    pub redirect: usize,
    /// The line that ends it.
    pub delimiter: String,
    /// Nothing in it is expanded.
    pub quoted: bool,
    /// Leading tabs are stripped.
    pub tabs: bool,
}
