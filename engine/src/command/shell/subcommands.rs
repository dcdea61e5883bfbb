//! Programs with subcommands: what each subcommand does, and the flags that make it something else.

use super::flags::{self, Flag, Subcommand};
use super::judge::{Call, Judge, asks_for_version};
use super::known_flags;
use super::script::Word;
use super::subcommand_tables::{PROGRAMS, Row};
use crate::command::Effect::{Administer, Define, Destroy, Grant, Read, Transaction, Unknown, Write};

/// Judges a call if its program is one of these.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    let Some(program) = PROGRAMS.iter().find(|program| program.name == call.name) else {
        return packages(judge, call);
    };
    if asks_for_version(call.words) {
        judge.add(Read, format!("{} tells its version", call.name));
        return true;
    }
    let Some(found) = flags::subcommand(call.words, program.bare, program.value) else {
        judge.add(Unknown, format!("{} with flags that are not known, or without a subcommand", call.name));
        return true;
    };
    if call.name == "git" && git(judge, &found) {
        return true;
    }
    match row(program.rows, &found.path) {
        Some(row) => by_row(judge, call.name, row, &found),
        None => judge.add(
            Unknown,
            format!(
                "{} with a subcommand that is not known, or that runs code which does not stand here",
                call.name
            ),
        ),
    }
    true
}

/// The row of the two first words, else of the first, else of any.
fn row<'r>(rows: &'r [Row], path: &[&str]) -> Option<&'r Row> {
    let first = path.first().copied().unwrap_or_default();
    let both = path.get(1).map(|second| format!("{first} {second}"));
    rows.iter()
        .find(|(name, ..)| Some(*name) == both.as_deref())
        .or_else(|| rows.iter().find(|(name, ..)| *name == first))
        .or_else(|| rows.iter().find(|(name, ..)| *name == "*"))
}

fn by_row(judge: &mut Judge, program: &str, row: &Row, found: &Subcommand<'_>) {
    let (name, effect, unless, then) = *row;
    // Behind `stash list` come the arguments after `list`.
    let words = found.rest.get(name.split(' ').count() - 1..).unwrap_or_default();
    let shown = if name == "*" { found.path.first().copied().unwrap_or_default() } else { name };
    if effect == Read {
        known_flags::subcommand(judge, program, name, words);
    }
    let does = match flags::find(words, unless) {
        Flag::Absent => effect,
        Flag::Present => then,
        Flag::Possible if effect == Read => Unknown,
        Flag::Possible => {
            judge.add(then, format!("an argument of {program} {shown} may be a flag"));
            effect
        }
    };
    let what = match does {
        Read => "only looks",
        Transaction => "changes the session",
        Write => "changes something",
        Define => "changes the structure",
        Destroy => "removes something",
        Grant => "changes who may do what",
        Administer => "changes the system",
        Unknown => "may start a program or write a file",
    };
    judge.add(does, format!("{program} {shown} {what}"));
}

/// What the table of git cannot say.
fn git(judge: &mut Judge, found: &Subcommand<'_>) -> bool {
    let words = found.rest;
    let has = |flags: &[&str]| words.iter().any(|word| flags.contains(&word.text.as_str()));
    match found.path.first().copied().unwrap_or_default() {
        "clean"
            if flags::find(words, "-n --dry-run") == Flag::Present
                && flags::find(words, "-f --force") == Flag::Absent =>
        {
            judge.add(Read, "git clean -n only looks");
        }
        "branch" | "tag"
            if has(&["-l", "--list", "--contains", "--merged", "--no-merged", "--points-at"]) =>
        {
            match flags::find(words, "-d -D -m -M -f --delete --force --move --edit-description") {
                Flag::Absent => judge.add(Read, "git lists branches or tags"),
                _ => judge.add(Destroy, "git changes branches or tags"),
            }
        }
        "branch" | "tag" if has(&["-d", "-D", "--delete"]) => {
            judge.add(Destroy, "git removes branches or tags")
        }
        "config" if has(&["--get", "--get-all", "--get-regexp", "--list", "-l"]) => {
            match flags::find(
                words,
                "--add --unset --unset-all --replace-all --rename-section --remove-section --edit -e",
            ) {
                Flag::Absent => judge.add(Read, "git config only looks"),
                _ => judge.add(Unknown, "git config changes what git starts"),
            }
        }
        "checkout" if has(&["--", "."]) => judge.add(Destroy, "git checkout of files throws changes away"),
        "restore" if has(&["--staged", "-S"]) && !has(&["--worktree", "-W"]) => {
            judge.add(Write, "git restore --staged changes the index")
        }
        "push" if flags::find(words, "--receive-pack --exec *::*") != Flag::Absent => {
            judge.add(Unknown, "git push may start a program");
            return false;
        }
        "filter-branch" | "filter-repo" => {
            judge.add(Unknown, "git runs code on every commit");
            return false;
        }
        "rm" if has(&["--cached"]) => judge.add(Write, "git rm --cached changes the index"),
        _ => return false,
    }
    true
}

/// `dpkg` and `rpm`, which have flags for subcommands.
fn packages(judge: &mut Judge, call: &Call<'_>) -> bool {
    let looks: &[&str] = match call.name {
        "dpkg" => &[
            "-l",
            "-L",
            "-s",
            "-S",
            "-p",
            "-c",
            "-I",
            "--list",
            "--listfiles",
            "--status",
            "--search",
            "--print-architecture",
            "--version",
        ],
        "rpm" => &["-q", "-qa", "-qi", "-ql", "-qf", "-qc", "-qd", "-V", "--query", "--version"],
        _ => return false,
    };
    let first = call.words.first().and_then(Word::known).unwrap_or_default();
    match looks.contains(&first)
        && !call.words.iter().any(|word| word.splits)
        && flags::find(call.words, "--pipe --eval -E --define --pre-invoke --post-invoke") == Flag::Absent
    {
        true => judge.add(Read, format!("{} only looks", call.name)),
        false => judge.add(Administer, format!("{} changes what is installed", call.name)),
    }
    true
}
