//! `curl` and `wget`: what is fetched, sent and written.

use super::flags;
use super::judge::Judge;
use super::script::Word;
use crate::command::Effect;

/// curl: only flags that are known to fetch are a read.
pub fn curl(judge: &mut Judge, words: &[Word]) {
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
            address(judge, text);
            continue;
        }
        let (flag, value) = match text.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (text, None),
        };
        let letters = || text.char_indices().skip(1).map(|(_, letter)| format!("-{letter}"));
        if listed(VALUE, flag) {
            if flag == "--url" {
                address(judge, value.or(rest.first().map(|word| word.text.as_str())).unwrap_or_default());
            }
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

/// An address that is fetched: only by HTTP, FTP or from a file. Others (`gopher:`, `dict:`, `telnet:`) send what
/// they are told to any port. curl takes the scheme from the name of the host where none is written.
fn address(judge: &mut Judge, text: &str) {
    let lower = text.to_ascii_lowercase();
    let scheme =
        lower.split_once(":/").map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains(['/', '?', '#']));
    let known = match scheme {
        Some(scheme) => matches!(scheme, "http" | "https" | "ftp" | "ftps" | "file"),
        None => {
            let host = lower.rsplit_once('@').map_or(lower.as_str(), |(_, host)| host);
            !["dict.", "ldap.", "imap.", "smtp.", "pop3."]
                .iter()
                .any(|start| lower.starts_with(start) || host.starts_with(start))
        }
    };
    if !known {
        judge.add(Effect::Unknown, "curl with a scheme that is not known");
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

/// wget: writes a file unless it is told to print.
pub fn wget(judge: &mut Judge, words: &[Word]) {
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
