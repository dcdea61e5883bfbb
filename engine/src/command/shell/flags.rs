//! Looking for flags among arguments.

use super::script::{HOLE, Word};

/// Whether a flag stands among arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// No.
    Absent,
    /// A word that is only known when it runs could be it.
    Possible,
    /// Yes.
    Present,
}

/// Whether a word could become a flag when it runs.
pub fn could_be_flag(word: &Word) -> bool {
    let first = word.text.chars().next();
    (word.text.contains(HOLE) && (word.splits || matches!(first, None | Some(HOLE | '-'))))
        || (word.globs && matches!(first, None | Some('*' | '?' | '[' | '-')))
}

/// Looks for any of the flags: `-x` also inside a cluster (`-nx`), `--long` also cut short (`--lo`) and with a
/// value (`--long=1`). Several are separated by spaces. A word without a dash is an argument, with `*` for any text
/// around it (`+*`, `*=*`); `*` alone stands for any argument that is no flag.
pub fn find(words: &[Word], flags: &str) -> Flag {
    let mut found = Flag::Absent;
    for word in words {
        let text = word.text.as_str();
        let hit = flags.split_ascii_whitespace().any(|flag| {
            match (flag.strip_prefix("--"), flag.strip_prefix('-')) {
                (Some(_), _) => {
                    let name = text.split('=').next().unwrap_or_default();
                    name.len() > 2 && flag.starts_with(name)
                }
                (None, Some(short)) => text
                    .strip_prefix('-')
                    .is_some_and(|cluster| !cluster.starts_with('-') && cluster.contains(short)),
                (None, None) if flag == "*" => !text.starts_with('-') && !text.is_empty(),
                (None, None) => match (flag.strip_prefix('*'), flag.strip_suffix('*')) {
                    (Some(inside), _) => text.contains(inside.trim_end_matches('*')),
                    (None, Some(start)) => text.starts_with(start),
                    (None, None) => text == flag,
                },
            }
        });
        if hit {
            return Flag::Present;
        }
        if could_be_flag(word) && !flags.is_empty() {
            found = Flag::Possible;
        }
    }
    found
}

/// The words of a subcommand (`stash list`), and the arguments after its first word.
pub struct Subcommand<'a> {
    /// Up to four words that are no flags, until the first flag.
    pub path: Vec<&'a str>,
    /// What follows the first of them.
    pub rest: &'a [Word],
}

/// Finds the subcommand behind a program's own flags, of which all must be known: `bare` ones, and those with a
/// `value` after them. `--flag=value` is complete in itself. None where it cannot be told.
pub fn subcommand<'a>(words: &'a [Word], bare: &str, value: &str) -> Option<Subcommand<'a>> {
    let mut at = 0;
    loop {
        let word = words.get(at)?;
        if word.splits || word.globs {
            return None;
        }
        let text = word.known().or(word.text.starts_with("--").then_some(&word.text))?;
        let listed = |flags: &str| flags.split_ascii_whitespace().any(|flag| flag == text);
        if !text.starts_with('-') {
            break;
        }
        if text == "--" {
            at += 1;
            // What follows is the command, whatever it looks like.
            words.get(at)?.known()?;
            break;
        }
        if listed(value) {
            if words.get(at + 1).is_none_or(|word| word.splits || word.globs) {
                return None;
            }
            at += 2;
        } else if listed(bare)
            || value.split_ascii_whitespace().any(|flag| {
                text.strip_prefix(flag).is_some_and(|rest| flag.starts_with("--") && rest.starts_with('='))
            })
        {
            at += 1;
        } else {
            return None;
        }
    }
    let (_, rest) = words.split_at_checked(at + 1)?;
    let path = words
        .get(at..)?
        .iter()
        .map_while(|word| word.known().filter(|text| !text.starts_with('-') && !text.is_empty()));
    Some(Subcommand { path: path.take(4).collect(), rest })
}
