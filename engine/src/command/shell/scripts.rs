//! `sed` and `awk`: programs whose own scripts have to be understood.

use super::flags::{self, Flag};
use super::judge::{Judge, operands};
use super::script::{HOLE, Word};
use crate::command::Effect;

/// sed: scripts of addresses and `p`, `d`, `q`, `=`, `s///` only look; `w`, `e` and files of scripts do not.
pub fn sed(judge: &mut Judge, words: &[Word]) {
    if let Flag::Present = flags::find(words, "-i --in-place") {
        return judge.add_to(Effect::Write, "sed -i changes files", operands(words));
    }
    let mut scripts = Vec::new();
    let mut operand = None;
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        let text = word.text.as_str();
        match text {
            "-n" | "-E" | "-r" | "-s" | "-u" | "-z" | "-nE" | "-nr" | "-En" | "-rn" | "--quiet"
            | "--silent" | "--regexp-extended" | "--null-data" | "--posix" => {}
            "-e" | "--expression" | "-ne" | "-Ee" | "-re" => {
                scripts.extend(rest.first());
                rest = rest.get(1..).unwrap_or_default();
            }
            _ if text.starts_with('-') || flags::could_be_flag(word) => {
                return judge.add(Effect::Unknown, "sed with flags that are not known");
            }
            _ => operand = operand.or(Some(word)),
        }
    }
    if scripts.is_empty() {
        scripts.extend(operand);
    }
    let harmless = !scripts.is_empty()
        && scripts.iter().all(|script| script.known().or(plain_pattern(script)).is_some_and(sed_only_looks));
    match harmless {
        true => judge.add(Effect::Read, "sed only looks"),
        false => judge.add(Effect::Unknown, "a sed script that is not understood"),
    }
}

/// A quoted word may hold `*`; only unquoted ones are patterns of the shell.
fn plain_pattern(word: &Word) -> Option<&str> {
    (word.quoted && !word.text.contains(HOLE)).then_some(&word.text)
}

fn sed_only_looks(script: &str) -> bool {
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', ';', '{', '}']);
        if rest.is_empty() {
            return true;
        }
        // Addresses.
        loop {
            rest = rest.trim_start_matches(|c: char| {
                c.is_ascii_digit() || matches!(c, '$' | ',' | ' ' | '!' | '+' | '~')
            });
            let Some(pattern) = rest.strip_prefix('/') else { break };
            let Some(after) = delimited(pattern, '/') else { return false };
            rest = after.trim_start_matches(['I', 'M']);
        }
        rest = rest.trim_start_matches([' ', '{']);
        let mut chars = rest.chars();
        match chars.next() {
            Some('p' | 'd' | 'q' | '=' | 'P' | 'D' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | 'l' | 'Q') => {
                rest = chars.as_str().trim_start_matches(|c: char| c.is_ascii_digit())
            }
            Some('s' | 'y') => {
                let Some(delimiter) =
                    chars.next().filter(|c| !c.is_alphanumeric() && !matches!(c, '\\' | '\n' | ' '))
                else {
                    return false;
                };
                let Some(after) =
                    delimited(chars.as_str(), delimiter).and_then(|after| delimited(after, delimiter))
                else {
                    return false;
                };
                rest = after.trim_start_matches(|c: char| {
                    c.is_ascii_digit() || matches!(c, 'g' | 'p' | 'i' | 'I' | 'm' | 'M')
                });
            }
            None => return true,
            _ => return false,
        }
        rest = rest.trim_start_matches([' ', '\t']);
        if !(rest.is_empty() || rest.starts_with([';', '\n', '}'])) {
            return false;
        }
    }
}

/// What follows the delimiter that is not escaped. A class (`[/]`) may hold it, which is refused.
fn delimited(text: &str, delimiter: char) -> Option<&str> {
    let mut chars = text.chars();
    let mut class = false;
    loop {
        match chars.next()? {
            '\\' => {
                chars.next()?;
            }
            '[' => class = true,
            ']' => class = false,
            '\n' => return None,
            c if c == delimiter => return (!class).then_some(chars.as_str()),
            _ => {}
        }
    }
}

/// awk: a program without pipes, redirections, `system` and `getline` only looks.
pub fn awk(judge: &mut Judge, words: &[Word]) {
    let mut rest = words;
    let mut program = None;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        match word.text.as_str() {
            "-F" | "-v" if rest.first().is_some_and(|value| !value.splits) => {
                rest = rest.get(1..).unwrap_or_default()
            }
            "-F" | "-v" => break,
            text if program.is_none()
                && (text.starts_with("-F") || text.starts_with("-v"))
                && !word.splits => {}
            text if program.is_none()
                && (text.starts_with('-') || flags::could_be_flag(word) && !word.quoted) =>
            {
                break;
            }
            _ => program = program.or(Some(word)),
        }
    }
    match program.and_then(|word| word.known().or(plain_pattern(word))) {
        Some(program) if awk_only_looks(program) => judge.add(Effect::Read, "awk only looks"),
        _ => judge.add(Effect::Unknown, "an awk program that is not understood, or that acts"),
    }
}

fn awk_only_looks(program: &str) -> bool {
    let lower = program.to_ascii_lowercase();
    if ["system", "getline", "@", "close", "fflush", "/inet"].iter().any(|word| lower.contains(word)) {
        return false;
    }
    // What comes before the first `print` can compare (`$3 > 5`) and match (`/a|b/`); after it, those write.
    let printed = lower.find("print").and_then(|at| lower.get(at..)).unwrap_or_default();
    let printed = printed.replace("||", "").replace(">=", "");
    !printed.contains(['|', '>'])
}
