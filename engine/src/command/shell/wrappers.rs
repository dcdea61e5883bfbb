//! Programs that start what their arguments say: `sudo`, `env`, `sh -c`, `xargs`, `ssh`, `docker exec`.

use super::flags;
use super::judge::{Call, Input, Judge};
use super::script::{HOLE, Word};
use crate::command::Effect;

/// Judges a call if its program is one of these.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    let words = call.words;
    match call.name {
        "sudo" => prefix(
            judge,
            call,
            "-n -E -H -S -k -P -b -A --non-interactive --preserve-env --set-home",
            "-u -g -p -C -h --user --group",
        ),
        "doas" => prefix(judge, call, "-n", "-u"),
        "nohup" | "setsid" | "unbuffer" | "catchsegv" | "builtin" => prefix(judge, call, "-w", ""),
        "nice" => prefix(judge, call, "", "-n --adjustment"),
        "ionice" => prefix(judge, call, "-t", "-c -n"),
        "stdbuf" => prefix(judge, call, "-oL -eL -o0 -e0 -i0 -iL", "-i -o -e"),
        "chrt" | "taskset" => operand_then(judge, call, "-c -r -f -b", ""),
        "timeout" => {
            operand_then(judge, call, "--foreground --preserve-status -v", "-s -k --signal --kill-after")
        }
        "busybox" | "toybox" => prefix(judge, call, "", ""),
        "time" => prefix(judge, call, "-p -v", "-f"),
        "command" => match words.first().map(|word| word.text.as_str()) {
            Some("-v" | "-V") => judge.add(Effect::Read, "command -v only looks"),
            _ => prefix(judge, call, "-p", ""),
        },
        "exec" => match words.is_empty() {
            true => judge.add(Effect::Read, "redirects"),
            false => prefix(judge, call, "-c -l", "-a"),
        },
        "env" => env(judge, call),
        "xargs" => xargs(judge, call),
        "eval" => joined(judge, words, call.input),
        "watch" => match flags::subcommand(words, "-d -t -b -e -g -c", "-n --interval") {
            Some(found) => {
                joined(judge, words.get(words.len() - found.rest.len() - 1..).unwrap_or_default(), call.input)
            }
            None => judge.add(Effect::Unknown, "watch with flags that are not known"),
        },
        "trap" => match words {
            [] => judge.add(Effect::Read, "trap only looks"),
            [first, ..] => match first.known() {
                Some("-" | "-l" | "-p" | "") => judge.add(Effect::Read, "trap resets or looks"),
                Some(script) => judge.inner_script(script),
                None => judge.add(Effect::Unknown, "trap of what is only known when it runs"),
            },
        },
        "sh" | "bash" | "dash" | "ash" | "ksh" => shell(judge, call),
        "su" | "runuser" => {
            match words.iter().position(|word| matches!(word.text.as_str(), "-c" | "--command")) {
                Some(at) => {
                    judge.add(Effect::Unknown, "su starts a shell of another user");
                    joined(judge, words.get(at + 1..at + 2).unwrap_or_default(), call.input);
                }
                None => judge.add(Effect::Unknown, "su starts a shell of another user"),
            }
        }
        "ssh" => ssh(judge, call),
        "docker" | "podman" | "nerdctl" => return container(judge, call),
        "docker-compose" => return compose(judge, words, call.input),
        "kubectl" | "oc" | "k" => return kubectl(judge, call),
        _ => return false,
    }
    true
}

/// The command behind a wrapper's own flags.
fn prefix(judge: &mut Judge, call: &Call<'_>, bare: &str, value: &str) {
    match flags::subcommand(call.words, bare, value) {
        Some(found) => judge.words(command_of(call.words, found.rest), call.input),
        None if super::judge::asks_for_version(call.words) => judge.add(Effect::Read, "tells its version"),
        None if call.name == "nice" && call.words.is_empty() => judge.add(Effect::Read, "nice only looks"),
        None => judge.add(
            Effect::Unknown,
            format!("{} with flags that are not known, or without a command", call.name),
        ),
    }
}

/// The same, with one operand between the flags and the command.
fn operand_then(judge: &mut Judge, call: &Call<'_>, bare: &str, value: &str) {
    match flags::subcommand(call.words, bare, value) {
        Some(found) if !found.rest.is_empty() => judge.words(found.rest, call.input),
        _ => judge.add(
            Effect::Unknown,
            format!("{} with flags that are not known, or without a command", call.name),
        ),
    }
}

/// The arguments from the subcommand on.
fn command_of<'a>(words: &'a [Word], rest: &[Word]) -> &'a [Word] {
    words.get(words.len().saturating_sub(rest.len() + 1)..).unwrap_or_default()
}

fn env(judge: &mut Judge, call: &Call<'_>) {
    let mut words = call.words;
    while let Some((first, rest)) = words.split_first() {
        let text = first.text.as_str();
        if matches!(text, "-i" | "-" | "-0" | "--ignore-environment" | "--null") {
            words = rest;
        } else if matches!(text, "-u" | "--unset") && rest.first().is_some_and(|word| word.known().is_some())
        {
            words = rest.get(1..).unwrap_or_default();
        } else if text.starts_with('-') || first.splits || first.globs {
            return judge.add(Effect::Unknown, "env with flags that are not known");
        } else if let Some((name, _)) = text.split_once('=') {
            judge.exported(name);
            words = rest;
        } else {
            return judge.words(words, call.input);
        }
    }
    judge.add(Effect::Read, "env only looks");
}

fn xargs(judge: &mut Judge, call: &Call<'_>) {
    let bare = "-0 -r -t -x --null --no-run-if-empty --verbose";
    let value = "-n -P -L -s -d -E -a --max-args --max-procs --delimiter --arg-file --max-lines";
    let mut words = call.words;
    // `-I {}` puts what is read anywhere, also into a script; `-n1` and `-P4` are complete in themselves.
    while let Some((first, rest)) = words.split_first() {
        let text = first.text.as_str();
        let attached =
            ["-n", "-P", "-L", "-s", "-d"].iter().any(|flag| text.len() > 2 && text.starts_with(flag));
        if matches!(text, "-I" | "-i" | "-J") {
            words = rest.get(1..).unwrap_or_default();
        } else if attached || text.starts_with("-I") || bare.split(' ').any(|flag| flag == text) {
            words = rest;
        } else if value.split(' ').any(|flag| flag == text) {
            words = rest.get(1..).unwrap_or_default();
        } else {
            break;
        }
    }
    if words.is_empty() {
        return judge.add(Effect::Read, "xargs prints its arguments");
    }
    // What is read becomes further arguments, of which nothing is known.
    let placeholder = call.words.iter().position(|word| word.text.starts_with("-I")).map(|at| {
        let attached =
            call.words.get(at).and_then(|word| word.text.strip_prefix("-I")).filter(|text| !text.is_empty());
        attached.or(call.words.get(at + 1).map(|word| word.text.as_str())).unwrap_or("{}").to_owned()
    });
    let mut inner: Vec<Word> = words
        .iter()
        .map(|word| match &placeholder {
            Some(mark) if !mark.is_empty() && word.text.contains(mark.as_str()) => {
                Word { text: word.text.replace(mark.as_str(), &HOLE.to_string()), ..word.clone() }
            }
            _ => word.clone(),
        })
        .collect();
    if placeholder.is_none() {
        inner.push(Word { text: HOLE.into(), splits: true, ..Word::default() });
    }
    judge.words(&inner, &Input::Unknown(String::new()));
    // What feeds xargs may be known, and then so is what it starts.
    if let Input::Known(text) | Input::Unknown(text) = call.input
        && placeholder.is_none()
        && !text.is_empty()
    {
        let guessed: Vec<Word> =
            words.iter().cloned().chain(text.split_whitespace().take(64).map(Word::plain)).collect();
        judge.words(&guessed, &Input::Unknown(String::new()));
    }
}

/// A script put together of words, as `eval` and `ssh` do.
fn joined(judge: &mut Judge, words: &[Word], _input: &Input) {
    if words.iter().any(|word| word.known().is_none()) {
        judge.add(Effect::Unknown, "a script that is only known when it runs");
    }
    let script: Vec<_> = words.iter().map(|word| word.guess.as_str()).collect();
    judge.inner_script(&script.join(" "));
}

fn shell(judge: &mut Judge, call: &Call<'_>) {
    let mut words = call.words;
    while let Some((first, rest)) = words.split_first() {
        let text = first.text.as_str();
        let cluster = text
            .strip_prefix('-')
            .filter(|cluster| !cluster.is_empty() && cluster.bytes().all(|byte| byte.is_ascii_alphabetic()));
        if first.splits {
            break;
        }
        match cluster {
            // `bash -lc script`; what `-l` and `-i` read first are the user's own files.
            Some(cluster)
                if cluster.contains('c') && cluster.bytes().all(|byte| b"clieuxvn".contains(&byte)) =>
            {
                return joined(judge, rest.get(..1).unwrap_or_default(), call.input);
            }
            Some(cluster) if cluster.bytes().all(|byte| b"lieuxvn".contains(&byte)) => words = rest,
            Some("o")
                if rest
                    .first()
                    .is_some_and(|word| matches!(word.text.as_str(), "pipefail" | "errexit" | "nounset")) =>
            {
                words = rest.get(1..).unwrap_or_default();
            }
            Some("s") if rest.is_empty() => words = rest,
            _ if matches!(text, "--norc" | "--noprofile" | "--posix" | "--login" | "-") => words = rest,
            _ if text == "--version" => return judge.add(Effect::Read, "tells its version"),
            _ => return judge.add(Effect::Unknown, "runs a script whose text is not here"),
        }
    }
    match call.input {
        Input::Known(script) if words.is_empty() => judge.inner_script(script),
        Input::Unknown(guess) => {
            judge.add(Effect::Unknown, "runs a script that is only known when it runs");
            if !guess.is_empty() {
                judge.inner_script(guess);
            }
        }
        _ => judge.add(Effect::Unknown, "runs a script whose text is not here"),
    }
}

fn ssh(judge: &mut Judge, call: &Call<'_>) {
    let mut words = call.words;
    while let Some((first, rest)) = words.split_first() {
        match first.text.as_str() {
            "-t" | "-tt" | "-T" | "-q" | "-v" | "-x" | "-n" | "-4" | "-6" | "-C" => words = rest,
            "-p" | "-l" | "-i" | "-J" if rest.first().is_some_and(|word| word.known().is_some()) => {
                words = rest.get(1..).unwrap_or_default()
            }
            "-o" if rest.first().and_then(Word::known).is_some_and(harmless_option) => {
                words = rest.get(1..).unwrap_or_default()
            }
            option if option.strip_prefix("-o").is_some_and(harmless_option) => words = rest,
            _ => break,
        }
    }
    match words.split_first() {
        Some((host, command))
            if !command.is_empty() && host.known().is_some_and(|host| !host.starts_with('-')) =>
        {
            joined(judge, command, call.input);
        }
        _ => judge.add(Effect::Unknown, "ssh without a command, or with flags that are not known"),
    }
}

/// Options of ssh that start nothing.
pub fn harmless_option(option: &str) -> bool {
    let name = option.split(['=', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    matches!(
        name.as_str(),
        "stricthostkeychecking"
            | "batchmode"
            | "connecttimeout"
            | "userknownhostsfile"
            | "loglevel"
            | "serveraliveinterval"
            | "identitiesonly"
    )
}

fn container(judge: &mut Judge, call: &Call<'_>) -> bool {
    let Some(found) =
        flags::subcommand(call.words, "-D --debug", "-H --host --context -c --config -l --log-level")
    else {
        return false;
    };
    match found.path.first() {
        Some(&"exec") => exec(judge, found.rest, call.input),
        Some(&"container") if found.path.get(1) == Some(&"exec") => {
            exec(judge, found.rest.get(1..).unwrap_or_default(), call.input)
        }
        Some(&"compose") => return compose(judge, found.rest, call.input),
        _ => return false,
    }
    true
}

fn exec(judge: &mut Judge, words: &[Word], input: &Input) {
    let bare = "-i -t -it -ti -d -T --interactive --tty --detach --privileged --no-TTY";
    match flags::subcommand(words, bare, "-u --user -w --workdir --index -e --env --env-file") {
        Some(found) if !found.rest.is_empty() => judge.words(found.rest, input),
        _ => judge.add(Effect::Unknown, "exec with flags that are not known, or without a command"),
    }
}

fn compose(judge: &mut Judge, words: &[Word], input: &Input) -> bool {
    let Some(found) = flags::subcommand(
        words,
        "--ansi --compatibility",
        "-f --file -p --project-name --profile --env-file --project-directory",
    ) else {
        judge.add(Effect::Unknown, "compose with flags that are not known");
        return true;
    };
    match found.path.first().copied().unwrap_or_default() {
        "exec" => exec(judge, found.rest, input),
        "ps" | "logs" | "config" | "ls" | "images" | "top" | "version" | "port" | "events" => {
            match flags::find(found.rest, "-o --output") {
                flags::Flag::Absent => judge.add(Effect::Read, "compose only looks"),
                _ => judge.add(Effect::Write, "compose writes a file"),
            }
        }
        "down" | "rm" => judge.add(Effect::Destroy, "compose removes containers"),
        "stop" | "kill" | "restart" | "start" | "pause" | "unpause" => {
            judge.add(Effect::Administer, "compose starts or stops containers")
        }
        "pull" | "push" => judge.add(Effect::Write, "compose moves images"),
        _ => judge.add(Effect::Unknown, "compose runs code which does not stand here"),
    }
    true
}

fn kubectl(judge: &mut Judge, call: &Call<'_>) -> bool {
    let Some(found) = flags::subcommand(
        call.words,
        super::subcommand_tables::KUBECTL_BARE,
        super::subcommand_tables::KUBECTL_VALUE,
    ) else {
        return false;
    };
    if found.path.first() != Some(&"exec") {
        return false;
    }
    match found.rest.iter().position(|word| word.text == "--") {
        Some(at) if found.rest.iter().take(at).all(|word| !word.splits) => {
            judge.words(found.rest.get(at + 1..).unwrap_or_default(), call.input)
        }
        _ => judge.add(Effect::Unknown, "exec without `--` before its command"),
    }
    true
}
