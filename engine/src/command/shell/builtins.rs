//! The shell's own commands that change the session, and small programs whose arguments decide.

use super::flags::{self, Flag, could_be_flag};
use super::judge::{Call, Judge};
use super::script::Word;
use super::variables;
use crate::command::Effect;

/// Judges a call if its program is one of these.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    let words = call.words;
    match call.name {
        "set" => set(judge, words),
        "shopt" => match words.iter().all(|word| {
            matches!(
                word.text.as_str(),
                "-s" | "-u"
                    | "-p"
                    | "-q"
                    | "globstar"
                    | "nullglob"
                    | "dotglob"
                    | "failglob"
                    | "nocaseglob"
                    | "inherit_errexit"
                    | "lastpipe"
            )
        }) {
            true => judge.add(Effect::Read, "shopt changes how files are found"),
            false => judge.add(Effect::Unknown, "shopt changes how text is read"),
        },
        "export" | "declare" | "typeset" | "local" | "readonly" => declare(judge, call),
        "read" | "mapfile" | "readarray" | "unset" | "getopts" => {
            match flags::find(words, "-a -C -e -i *[* ") {
                _ if words.iter().any(variables::may_name_one) => {
                    judge.add(Effect::Unknown, variables::MAY_ACT)
                }
                Flag::Absent => judge.add(Effect::Read, format!("{} sets variables", call.name)),
                _ => judge.add(Effect::Unknown, format!("{} may evaluate the name that it sets", call.name)),
            }
        }
        "wait" => match flags::find(words, "-p") {
            Flag::Absent => judge.add(Effect::Read, "wait only looks"),
            _ => judge.add(Effect::Unknown, "wait -p evaluates the name that it sets"),
        },
        "crontab" => crontab(judge, words),
        "printf" => {
            match words.first().is_some_and(|word| word.text.starts_with("-v") || could_be_flag(word)) {
                true => judge.add(Effect::Unknown, "printf -v evaluates the name that it sets"),
                false => judge.add(Effect::Read, "printf prints"),
            }
        }
        "umask" | "ulimit" => match words.is_empty()
            || words.iter().all(|word| matches!(word.text.as_str(), "-a" | "-S" | "-p"))
        {
            true => judge.add(Effect::Read, format!("{} only looks", call.name)),
            false => judge.add(Effect::Transaction, format!("{} changes the session", call.name)),
        },
        "kill" => match words.first().is_some_and(|word| matches!(word.text.as_str(), "-0" | "-l" | "-L")) {
            true => judge.add(Effect::Read, "kill only looks"),
            false => judge.add(Effect::Administer, "kill ends processes"),
        },
        "alias" if words.is_empty() => judge.add(Effect::Read, "alias only looks"),
        "uniq" => outputs(judge, call, "-f -s -w -D"),
        "xxd" => outputs(judge, call, "-s -l -c -g"),
        "date" => date(judge, words),
        "ip" => network(judge, words),
        "ifconfig" => match words {
            [] => judge.add(Effect::Read, "ifconfig only looks"),
            [one] if !could_be_flag(one) => judge.add(Effect::Read, "ifconfig only looks"),
            _ => judge.add(Effect::Administer, "ifconfig changes the network"),
        },
        _ => return false,
    }
    true
}

/// `crontab -l`, perhaps of another user; everything else changes it, also without arguments: from its input.
fn crontab(judge: &mut Judge, words: &[Word]) {
    let mut rest = words;
    while let [flag, user, after @ ..] = rest
        && flag.text == "-u"
        && user.known().is_some()
    {
        rest = after;
    }
    match rest {
        [only] if matches!(only.text.as_str(), "-l" | "-V") => judge.add(Effect::Read, "crontab only looks"),
        _ => judge.add(Effect::Administer, "crontab changes what runs by itself"),
    }
}

/// `set -euo pipefail` and its like. `-a` exports what is set later; `--` sets arguments.
fn set(judge: &mut Judge, words: &[Word]) {
    let mut options = false;
    let harmless = words.iter().all(|word| {
        let text = word.text.as_str();
        let named =
            options && matches!(text, "pipefail" | "errexit" | "nounset" | "xtrace" | "noglob" | "noclobber");
        options = (text.starts_with('-') || text.starts_with('+')) && text.ends_with('o');
        let letters = text
            .strip_prefix(['-', '+'])
            .is_some_and(|letters| !letters.is_empty() && letters.bytes().all(|b| b"euxvCfnoE".contains(&b)));
        named || (letters && word.known().is_some())
    });
    match harmless {
        true => judge.add(Effect::Read, "set changes how the script runs"),
        false => judge.add(Effect::Unknown, "set changes more than how the script stops"),
    }
}

/// Variables that are declared: with `-i`, `-n` and an index their values are evaluated.
fn declare(judge: &mut Judge, call: &Call<'_>) {
    for word in call.words {
        let text = word.text.as_str();
        let name = text.split(['=', '+']).next().unwrap_or_default();
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match text {
            "-p" | "-r" | "-g" | "-a" | "-A" | "-l" | "-u" => judge.add(Effect::Read, "declares variables"),
            _ if !plain => judge.add(Effect::Unknown, "a declaration that may be evaluated"),
            _ if call.name == "export" => {
                judge.add(Effect::Transaction, "export changes the session");
                judge.exported(name);
            }
            _ => {
                judge.add(Effect::Read, "declares variables");
                judge.declared(name);
            }
        }
    }
    if call.words.is_empty() {
        judge.add(Effect::Read, "shows variables");
    }
}

/// A second operand is a file that is written.
fn outputs(judge: &mut Judge, call: &Call<'_>, value: &str) {
    let mut operands = 0;
    let mut skip = false;
    for word in call.words {
        let flag = word.text.starts_with('-');
        operands += usize::from(!flag && !skip) + usize::from(word.splits || word.globs);
        skip = value.split(' ').any(|flag| flag == word.text);
    }
    match operands {
        0 | 1 => judge.add(Effect::Read, format!("{} only looks", call.name)),
        _ => judge.add(Effect::Write, format!("{} writes a file", call.name)),
    }
}

fn date(judge: &mut Judge, words: &[Word]) {
    let mut valued = false;
    let sets = words.iter().any(|word| {
        let text = word.text.as_str();
        let operand = !valued && !text.starts_with(['+', '-']);
        valued = matches!(text, "-d" | "--date" | "-r" | "--reference" | "-f" | "-v" | "-I");
        operand || word.splits || text.starts_with("--s") || (text.starts_with("-s") && !valued)
    });
    match sets {
        true => judge.add(Effect::Administer, "date may set the clock"),
        false => judge.add(Effect::Read, "date only looks"),
    }
}

fn network(judge: &mut Judge, words: &[Word]) {
    let looks = words.iter().all(|word| {
        matches!(
            word.text.as_str(),
            "a" | "addr"
                | "address"
                | "l"
                | "link"
                | "r"
                | "route"
                | "n"
                | "neigh"
                | "rule"
                | "show"
                | "list"
                | "ls"
                | "get"
                | "dev"
                | "-br"
                | "-brief"
                | "-4"
                | "-6"
                | "-o"
                | "-j"
                | "-p"
                | "-s"
                | "-d"
                | "-c"
                | "-json"
                | "-color"
        ) || word.known().is_some_and(|text| {
            text.starts_with(|c: char| c.is_ascii_digit())
                || ["eth", "en", "wl", "lo", "docker", "br-", "tun"]
                    .iter()
                    .any(|start| text.starts_with(start))
        })
    });
    match looks {
        true => judge.add(Effect::Read, "ip only looks"),
        false => judge.add(Effect::Administer, "ip may change the network"),
    }
}
