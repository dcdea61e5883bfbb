//! Programs on files whose arguments have to be understood: `find`, `sed`, `awk`, `dd`, `rm`, `curl`, `tar`.

use super::flags::{self, Flag};
use super::judge::{Call, Input, Judge, operands};
use super::parse::{HOLE, Word};
use crate::command::Effect;

/// Judges a call if its program is one of these.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    let words = call.words;
    match call.name {
        "find" | "gfind" => find(judge, words),
        "fd" | "fdfind" => fd(judge, words),
        "sed" | "gsed" => sed(judge, words),
        "awk" | "gawk" | "mawk" | "nawk" => awk(judge, words),
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
        "curl" => curl(judge, words),
        "wget" => wget(judge, words),
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

/// sed: scripts of addresses and `p`, `d`, `q`, `=`, `s///` only look; `w`, `e` and files of scripts do not.
fn sed(judge: &mut Judge, words: &[Word]) {
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
fn awk(judge: &mut Judge, words: &[Word]) {
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

/// curl: only flags that are known to fetch are a read.
fn curl(judge: &mut Judge, words: &[Word]) {
    const BARE: &str = "-s -S -f -L -i -I -v -k -g -4 -6 -G -N -# --silent --show-error --fail --location --include --head --verbose --insecure --compressed --get --no-buffer --http1.1 --http2 --fail-with-body --globoff --version --help";
    const VALUE: &str = "-H --header -A --user-agent -e --referer -u --user -m --max-time --connect-timeout --retry --retry-delay --max-redirs -b --cookie --url --resolve --limit-rate -r --range";
    const WRITES: &str = "-o -O -J -c -D --output --remote-name --remote-name-all --remote-header-name --cookie-jar --dump-header --create-dirs --output-dir --trace --trace-ascii --stderr";
    const SENDS: &str = "-d -F -T --data --data-raw --data-binary --data-urlencode --data-ascii --json --form --form-string --upload-file";
    let listed = |flags: &str, flag: &str| flags.split_ascii_whitespace().any(|listed| listed == flag);
    let gets = words.iter().any(|word| matches!(word.text.as_str(), "-G" | "--get"));
    judge.add(Effect::Read, "curl fetches");
    if words.iter().any(|word| word.splits) {
        judge.add(Effect::Unknown, "an argument of curl that may be a flag");
    }
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        let text = word.text.as_str();
        if flags::could_be_flag(word) && (word.splits || text.starts_with('-')) {
            judge.add(Effect::Unknown, "an argument of curl that may be a flag");
            continue;
        }
        if !text.starts_with('-') || text == "-" {
            continue;
        }
        let (flag, value) = match text.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (text, None),
        };
        let letters = || text.char_indices().skip(1).map(|(_, letter)| format!("-{letter}"));
        if listed(VALUE, flag) {
            rest = if value.is_none() { rest.get(1..).unwrap_or_default() } else { rest };
        } else if matches!(flag, "-X" | "--request") {
            let method = value.or(rest.first().map(|word| word.text.as_str())).unwrap_or_default();
            sends(judge, method);
            rest = rest.get(1..).unwrap_or_default();
        } else if let Some(method) = text.strip_prefix("-X") {
            sends(judge, method);
        } else if listed(WRITES, flag) {
            let target = rest.first().map(|word| word.text.clone()).unwrap_or_default();
            if !(matches!(flag, "-o" | "--output") && target == "/dev/null") {
                judge.add(Effect::Write, "curl writes a file");
            }
            if !matches!(
                flag,
                "-O" | "-J"
                    | "--remote-name"
                    | "--remote-header-name"
                    | "--create-dirs"
                    | "--remote-name-all"
            ) {
                rest = rest.get(1..).unwrap_or_default();
            }
        } else if listed(SENDS, flag)
            || (!text.starts_with("--") && ["-d", "-F", "-T"].iter().any(|flag| text.starts_with(flag)))
        {
            if !gets {
                judge.add(Effect::Write, "curl sends data");
            }
            rest = if listed(SENDS, flag) { rest.get(1..).unwrap_or_default() } else { rest };
        } else if flag == "-w" || flag == "--write-out" {
            if rest
                .first()
                .is_none_or(|format| format.text.contains("output{") || format.text.starts_with('@'))
            {
                judge.add(Effect::Write, "curl writes a file");
            }
            rest = rest.get(1..).unwrap_or_default();
        } else if listed(BARE, flag) || (!text.starts_with("--") && letters().all(|flag| listed(BARE, &flag)))
        {
        } else if !text.starts_with("--")
            && letters().all(|flag| listed(BARE, &flag) || listed(WRITES, &flag))
        {
            // `-sSLo file`.
            judge.add(Effect::Write, "curl writes a file");
            rest = rest.get(usize::from(text.ends_with('o'))..).unwrap_or_default();
        } else if !text.starts_with("--")
            && letters()
                .all(|flag| listed(BARE, &flag) || listed(VALUE, &flag) || flag == "-X" || flag == "-d")
        {
            if text.contains('X') {
                sends(judge, rest.first().map(|word| word.text.as_str()).unwrap_or_default());
            }
            if text.contains('d') {
                judge.add(Effect::Write, "curl sends data");
            }
            rest = rest.get(1..).unwrap_or_default();
        } else {
            judge.add(Effect::Unknown, "curl with a flag that is not known");
        }
    }
}

fn sends(judge: &mut Judge, method: &str) {
    match method.to_ascii_uppercase().as_str() {
        "GET" | "HEAD" | "OPTIONS" => {}
        "DELETE" => judge.add(Effect::Destroy, "curl -X DELETE removes something"),
        "POST" | "PUT" | "PATCH" => judge.add(Effect::Write, "curl sends a request that changes something"),
        _ => judge.add(Effect::Unknown, "curl with a method that is not known"),
    }
}

fn wget(judge: &mut Judge, words: &[Word]) {
    let known = words.iter().all(|word| {
        let text = word.text.as_str();
        !flags::could_be_flag(word)
            && (!text.starts_with('-')
                || matches!(
                    text,
                    "-q" | "-qO-" | "-O-" | "-O" | "-" | "-nv" | "-S" | "--spider" | "-qO" | "--quiet"
                ))
    });
    let prints = words.iter().any(|word| matches!(word.text.as_str(), "-qO-" | "-O-" | "--spider"))
        || words.windows(2).any(|pair| matches!(pair, [flag, target] if matches!(flag.text.as_str(), "-O" | "-qO") && target.text == "-"));
    match (known, prints) {
        (true, true) => judge.add(Effect::Read, "wget fetches"),
        (true, false) => judge.add(Effect::Write, "wget writes a file"),
        _ => {
            judge.add(Effect::Write, "wget writes a file");
            judge.add(Effect::Unknown, "wget with a flag that is not known");
        }
    }
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
