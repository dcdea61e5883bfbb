//! The effect of shell text: POSIX shells and bash.
//!
//! [`parse`] lists the simple commands of a [`script`], whatever branch or substitution they stand in; [`judge`] says
//! what each would do, by tables of programs ([`programs`], [`subcommands`], [`known_flags`]) and by code for those that start
//! other programs ([`wrappers`]), hold SQL ([`clients`]) or need their arguments understood ([`files`]).
//!
//! The lines that are drawn, on purpose:
//! - What runs code that does not stand in the text is unknown: a build, a test run, a script, an interpreter
//!   (also with `-c`), a package manager's install, `make`, `cargo`, `npm test`, `terraform plan`. A policy for
//!   coders allows unknown, or allows by pattern; a policy for readers does not.
//! - A write through `>` is a write, whatever the file; one that is not kept (`/dev/null`, `2>&1`) is nothing.
//! - A program by any other path than the system's directories is unknown, whatever its name.
//! - A word that is only known when it runs is taken for a flag where a flag could do harm.
//! - Guesses (a variable that the script set, a substitution that echoes) only ever add effects.
//!
//! Limits: hooks, filters, aliases and plugins that files on the machine configure for git, kubectl, less and the
//! like are not seen, nor is what an earlier command of the session did to its environment.

use std::borrow::Cow;
use std::ops::Range;

use self::judge::Judge;
use super::sql::Found;
use super::{Effect, MAX_TEXT, Reading, Statement};

mod builtins;
mod clients;
mod cloud;
mod files;
mod flags;
mod judge;
mod known_flags;
mod parse;
mod programs;
mod reserved;
mod script;
mod scripts;
mod servers;
mod simple;
mod subcommand_tables;
mod subcommands;
mod transfers;
mod variables;
mod word;
mod wrappers;

/// How deep scripts in scripts (`sh -c`, `eval`, `ssh`) are followed.
const MAX_NESTING: usize = 6;

/// Reads shell text. Linear in its length; never fails: what is not understood is unknown.
pub fn shell(text: &str) -> Reading {
    let acts = acts(text, 0);
    let statements = acts.into_iter().map(|act| {
        let text = act.text.start.min(text.len())..act.text.end.min(text.len());
        Statement { effect: act.effect, why: act.why, objects: act.objects, text }
    });
    Reading::of(statements.collect(), text.len())
}

/// What a shell command inside something else does.
pub(super) fn inside(text: &str, nesting: usize) -> Vec<Found> {
    acts(text, nesting).into_iter().map(|act| Found { effect: act.effect, why: act.why }).collect()
}

/// One thing that a command does.
#[derive(Debug, Clone)]
struct Act {
    effect: Effect,
    why: Cow<'static, str>,
    objects: Vec<String>,
    text: Range<usize>,
}

fn acts(text: &str, nesting: usize) -> Vec<Act> {
    let whole = 0..text.len();
    let unknown = |why: &'static str| Act {
        effect: Effect::Unknown,
        why: why.into(),
        objects: Vec::new(),
        text: whole.clone(),
    };
    if text.len() > MAX_TEXT {
        return vec![unknown("longer than what is read")];
    }
    if nesting > MAX_NESTING {
        return vec![unknown("scripts nested deeper than are read")];
    }
    if text.bytes().any(|byte| (byte < b' ' && !matches!(byte, b'\n' | b'\t' | b'\r')) || byte == 0x7f) {
        return vec![unknown("holds a control character")];
    }
    let script = parse::script(text);
    let mut judge = Judge::new(nesting);
    judge.script(&script);
    let mut acts = judge.acts;
    acts.extend(script.doubts.into_iter().map(unknown));
    acts
}
