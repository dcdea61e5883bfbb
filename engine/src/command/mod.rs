//! What a command would do: the effect of SQL and of shell text.
//!
//! Both readers are safe by construction: they know what is harmless and call the rest [`Effect::Unknown`].
//! Nothing is called a read because nothing bad was found in it; it is called a read because every part of it
//! was recognised as something that only looks. Text that is cut off, nested beyond a bound, longer than
//! [`MAX_TEXT`] or holds control characters is unknown.
//!
//! ```text
//!  text ──► sql ────► lexer, one per dialect ──► statements ──► clauses, functions, conditions ─┐
//!  text ──► shell ──► words and pipelines ─────► programs, wrappers ──► sql, shell ─────────────┴──► Reading
//! ```

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

mod shell;
mod sql;

pub use shell::shell;
pub use sql::sql;

/// The longest text that is read, in bytes (1 MiB). Longer text is one [`Effect::Unknown`].
pub const MAX_TEXT: usize = 1 << 20;

/// The most statements a reading lists. What comes after is one more statement that is unknown.
pub const MAX_STATEMENTS: usize = 512;

/// What a command would do, from the least to the most that it takes to be sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Only looks.
    Read,
    /// Opens, ends or steers a transaction or session.
    Transaction,
    /// Adds or changes data.
    Write,
    /// Creates or alters structure.
    Define,
    /// Removes data or structure beyond single rows.
    Destroy,
    /// Changes who may do what.
    Grant,
    /// Changes the system itself: settings, users, processes, programs on the server.
    Administer,
    /// Not understood; never taken for a read.
    Unknown,
}

impl Effect {
    /// Every effect, from the least severe to the most.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Transaction,
        Self::Write,
        Self::Define,
        Self::Destroy,
        Self::Grant,
        Self::Administer,
        Self::Unknown,
    ];

    /// The name as policies and records write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Transaction => "transaction",
            Self::Write => "write",
            Self::Define => "define",
            Self::Destroy => "destroy",
            Self::Grant => "grant",
            Self::Administer => "administer",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of effects.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Effects(u8);

impl Effects {
    /// Whether the effect is in the set.
    pub fn contains(self, effect: Effect) -> bool {
        self.0 & (1 << effect as u8) != 0
    }

    /// Adds an effect.
    pub fn insert(&mut self, effect: Effect) {
        self.0 |= 1 << effect as u8;
    }

    /// The effects in the set, from the least severe to the most.
    pub fn iter(self) -> impl Iterator<Item = Effect> {
        Effect::ALL.into_iter().filter(move |effect| self.contains(*effect))
    }

    /// Whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Effect> for Effects {
    fn from_iter<I: IntoIterator<Item = Effect>>(effects: I) -> Self {
        let mut set = Self::default();
        effects.into_iter().for_each(|effect| set.insert(effect));
        set
    }
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// One thing that a command would do. A statement of the text that does several things appears several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it would do.
    pub effect: Effect,
    /// A short phrase for a person (`DROP TABLE removes a table`). Names keywords, programs and flags; never a
    /// literal of the text.
    pub why: Cow<'static, str>,
    /// Tables, files and the like that it touches, where that can be told; in order, without repetition, at most
    /// [`MAX_OBJECTS`].
    pub objects: Vec<String>,
    /// Where it stands in the text, in bytes.
    pub text: Range<usize>,
}

/// The most objects that a statement names.
pub const MAX_OBJECTS: usize = 16;

/// What a text would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// In order of the text; never empty: text without a statement gives one that is unknown.
    pub statements: Vec<Statement>,
}

impl Reading {
    /// Every effect that occurs.
    pub fn effects(&self) -> Effects {
        self.statements.iter().map(|statement| statement.effect).collect()
    }

    /// The most severe effect, in the order of [`Effect::ALL`]. [`Effect::Unknown`] is the most severe of all:
    /// what is not understood could be anything that a policy forbids.
    pub fn worst(&self) -> Effect {
        self.statements.iter().map(|statement| statement.effect).max().unwrap_or(Effect::Unknown)
    }

    /// One statement of unknown effect.
    fn unknown(why: impl Into<Cow<'static, str>>, text: Range<usize>) -> Self {
        let why = why.into();
        Self { statements: vec![Statement { effect: Effect::Unknown, why, objects: Vec::new(), text }] }
    }

    /// A reading of these statements, or one unknown where there are none or too many.
    fn of(mut statements: Vec<Statement>, length: usize) -> Self {
        if statements.is_empty() {
            return Self::unknown("no statement was found", 0..length);
        }
        if statements.len() > MAX_STATEMENTS {
            statements.truncate(MAX_STATEMENTS);
            statements.extend(Self::unknown("more statements than are read", 0..length).statements);
        }
        Self { statements }
    }
}

#[cfg(test)]
mod tests;
