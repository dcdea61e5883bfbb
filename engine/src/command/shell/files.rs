//! Programs on files whose arguments have to be understood: `find`, `sed`, `awk`, `dd`, `rm`, `curl`, `tar`.

use super::flags::{self, Flag};
use super::judge::{Call, Input, Judge, operands};
use super::script::{HOLE, Word};
use super::{scripts, transfers};
use crate::command::Effect;

/// Judges a call if its program is one of these.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    let words = call.words;
    match call.name {
        "find" | "gfind" => find(judge, words),
        "fd" | "fdfind" => fd(judge, words),
        "sed" | "gsed" => scripts::sed(judge, words),
        "awk" | "gawk" | "mawk" | "nawk" => scripts::awk(judge, words),
        "tee" => match words
            .iter()
            .all(|word| word.text.starts_with('-') || word.text == "/dev/null" || word.text == "/dev/stderr")
        {
            true => judge.add(Effect::Read, "tee without a file"),
            false => {
                judge.add(Effect::Write, "tee writes a file");
                operands(words).iter().for_each(|path| written(judge, path, "tee writes a file"));
            }
        },
        "dd" => dd(judge, words),
        "rm" | "unlink" | "shred" | "srm" | "wipe" => {
            judge.add_to(Effect::Destroy, format!("{} removes files", call.name), operands(words));
        }
        "cp" | "mv" | "install" | "ln" | "touch" | "mkdir" | "mktemp" | "mkfifo" | "rmdir" => {
            judge.add_to(Effect::Write, format!("{} changes files", call.name), operands(words));
            for path in operands(words) {
                written(judge, &path, "changes files");
            }
        }
        "chmod" | "chown" | "chgrp" | "setfacl" | "chattr" => rights(judge, call),
        "truncate" => judge.add_to(Effect::Destroy, "truncate cuts files", operands(words)),
        "curl" => transfers::curl(judge, words),
        "wget" => transfers::wget(judge, words),
        "tar" | "bsdtar" | "gtar" => tar(judge, words),
        "unzip" => by_flags(judge, call, "-l -p -t -v -Z -z"),
        "gzip" | "gunzip" | "bzip2" | "bunzip2" | "xz" | "unxz" | "zstd" | "unzstd" | "lz4" => {
            by_flags(judge, call, "-c -l -t --stdout --to-stdout --list --test")
        }
        "rsync" => match (
            flags::find(
                words,
                "--del --delete --delete-before --delete-after --delete-excluded --delete-during --remove-source-files",
            ),
            flags::find(words, "-e --rsh --rsync-path"),
        ) {
            (_, Flag::Present | Flag::Possible) => judge.add(Effect::Unknown, "rsync starts a program"),
            (Flag::Absent, _) => judge.add(Effect::Write, "rsync changes files"),
            _ => judge.add(Effect::Destroy, "rsync removes files"),
        },
        "test" | "[" => match words.iter().any(|word| word.text == "-v" || word.text == "-R") {
            true => judge.add(Effect::Unknown, "a condition that evaluates its operands"),
            false => judge.add(Effect::Read, "test only looks"),
        },
        _ => return false,
    }
    true
}

/// A file that is written: what that means depends on where it is.
pub fn written(judge: &mut Judge, path: &str, why: &'static str) {
    let home = path.strip_prefix("~/").or_else(|| path.strip_prefix("$HOME/")).unwrap_or(path);
    let below = |directories: &[&str]| directories.iter().any(|directory| path.starts_with(directory));
    let (effect, why) =
        if path.contains(".ssh/") || below(&["/etc/sudoers", "/etc/passwd", "/etc/shadow", "/etc/group"]) {
            (Effect::Grant, "writes a file that says who may do what")
        } else if below(&[
            "/dev/sd",
            "/dev/nvme",
            "/dev/vd",
            "/dev/hd",
            "/dev/mmcblk",
            "/dev/disk",
            "/dev/mapper",
            "/dev/mem",
        ]) {
            (Effect::Destroy, "writes over a device")
        } else if below(&["/etc/", "/boot/", "/sys/", "/proc/", "/usr/", "/bin/", "/sbin/", "/lib/"]) {
            (Effect::Administer, "writes a file of the system")
        } else if below(&["/dev/tcp/", "/dev/udp/"]) {
            (Effect::Unknown, "writes to a connection")
        } else if matches!(
            home,
            ".bashrc" | ".profile" | ".bash_profile" | ".zshrc" | ".gitconfig" | ".npmrc" | ".psqlrc"
        ) || home.contains(".git/")
        {
            (Effect::Administer, "writes a file that later commands read as settings or code")
        } else {
            (Effect::Write, why)
        };
    judge.add_to(effect, why, vec![path.chars().take(128).collect()]);
}

/// Reads with one of the flags, else writes.
fn by_flags(judge: &mut Judge, call: &Call<'_>, looks: &str) {
    match flags::find(call.words, looks) {
        Flag::Present if !call.words.iter().any(flags::could_be_flag) => {
            judge.add(Effect::Read, format!("{} only looks", call.name))
        }
        _ => judge.add(Effect::Write, format!("{} changes files", call.name)),
    }
}

fn find(judge: &mut Judge, words: &[Word]) {
    judge.add(Effect::Read, "find only looks");
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        match word.text.as_str() {
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                let rest = words.get(at..).unwrap_or_default();
                let end =
                    rest.iter().position(|word| word.text == ";" || word.text == "+").unwrap_or(rest.len());
                // What is found stands for `{}`.
                let found = |word: &Word| Word {
                    text: word.text.replace("{}", &format!("./{HOLE}")),
                    ..word.clone()
                };
                let command: Vec<Word> = rest.iter().take(end).map(found).collect();
                judge.words(&command, &Input::Unknown(String::new()));
                at += end;
            }
            "-delete" => judge.add(Effect::Destroy, "find -delete removes files"),
            "-fprint" | "-fprint0" | "-fprintf" | "-fls" => judge.add(Effect::Write, "find writes a file"),
            text => {
                let unclear = word.splits || (text.contains(HOLE) && text.starts_with([HOLE, '-']));
                let pattern = word.globs
                    && text.starts_with(['*', '?', '[', '-'])
                    && !text.rsplit(['*', '?', ']']).next().is_some_and(|end| end.contains('.'));
                if unclear || pattern {
                    judge.add(Effect::Unknown, "an argument of find may be an action");
                }
            }
        }
    }
}

fn fd(judge: &mut Judge, words: &[Word]) {
    match words.iter().position(|word| matches!(word.text.as_str(), "-x" | "-X" | "--exec" | "--exec-batch"))
    {
        Some(at) => judge.words(words.get(at + 1..).unwrap_or_default(), &Input::Unknown(String::new())),
        None => match flags::find(words, "-x -X --exec --exec-batch") {
            Flag::Absent => judge.add(Effect::Read, "fd only looks"),
            _ => judge.add(Effect::Unknown, "fd starts a program"),
        },
    }
}

fn dd(judge: &mut Judge, words: &[Word]) {
    judge.add(Effect::Read, "dd reads");
    for word in words {
        if word.splits || word.text.starts_with(HOLE) {
            judge.add(Effect::Unknown, "an argument of dd that is only known when it runs");
        }
        match word.text.strip_prefix("of=") {
            Some("/dev/null" | "/dev/stdout") | None => {}
            Some(path) => written(judge, path, "dd writes a file"),
        }
    }
}

fn rights(judge: &mut Judge, call: &Call<'_>) {
    let operands = operands(call.words);
    let wide = operands.iter().any(|path| {
        matches!(path.as_str(), "/" | "/*" | "/etc" | "/usr" | "/var" | "/home" | "/bin" | "/lib" | "~" | "*")
    });
    if wide && flags::find(call.words, "-R --recursive") == Flag::Present {
        judge.add_to(
            Effect::Destroy,
            format!("{} of everything below a directory of the system", call.name),
            operands.clone(),
        );
    }
    judge.add_to(Effect::Grant, format!("{} changes who may do what with files", call.name), operands);
}

fn tar(judge: &mut Judge, words: &[Word]) {
    let starts = "--to-command --use-compress-program --checkpoint-action --info-script --new-volume-script --rsh-command --rmt-command --index-file -I -F";
    if flags::find(words, starts) != Flag::Absent {
        return judge.add(Effect::Unknown, "tar starts a program");
    }
    let mode = words.first().map(|word| word.text.trim_start_matches('-')).unwrap_or_default();
    let lists = words.first().is_some_and(|word| word.text == "--list")
        || (!mode.is_empty() && mode.contains('t') && mode.chars().all(|c| "tvfzjJaZ".contains(c)));
    match lists
        && !words
            .iter()
            .any(|word| word.text.starts_with('-') && word.text.contains(['x', 'c', 'r', 'u', 'A']))
    {
        true => judge.add(Effect::Read, "tar -t only looks"),
        false => judge.add(Effect::Write, "tar changes files"),
    }
}
