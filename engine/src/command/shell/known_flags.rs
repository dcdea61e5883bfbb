//! Programs whose every flag is known: one that is not listed makes the call unknown, as it may start a program,
//! read settings or write a file. Sources: the manuals of GNU coreutils 9, OpenSSH 9, Info-ZIP 3, MySQL 8.4 and
//! MariaDB 11, PostgreSQL 17, systemd 255, iproute2 6, bat 0.24, pip 24 and kubectl 1.31.

use super::flags;
use super::judge::{Call, Input, Judge, operands};
use super::script::Word;
use super::wrappers;
use crate::command::Effect::{self, Administer, Destroy, Read, Unknown, Write};

/// What a program does by its flags.
struct Known {
    /// The programs, or their subcommands (`pip list`; `kubectl *` for every one that only looks).
    names: &'static [&'static str],
    /// What it does by itself.
    does: Effect,
    /// Flags that change nothing of that, without a value or with `=value`.
    bare: &'static str,
    /// Flags that change nothing of that, with a value after them.
    value: &'static str,
    /// Flags that do something else; with a value where they end in `=`.
    acts: &'static [(&'static str, Effect)],
}

const PROGRAMS: &[Known] = &[
    Known {
        names: &["split"],
        does: Write,
        bare: "-d -x -e -u --numeric-suffixes --hex-suffixes --elide-empty-files --unbuffered --verbose",
        value: "-l -b -n -a -C -t --lines --bytes --number --suffix-length --line-bytes --separator --additional-suffix",
        acts: &[],
    },
    Known {
        names: &["scp"],
        does: Write,
        bare: "-3 -4 -6 -A -B -C -O -R -p -q -r -s -v",
        value: "-P -i -l -c -J",
        acts: &[],
    },
    Known {
        names: &["sftp"],
        does: Write,
        bare: "-4 -6 -A -a -C -p -q -r -v",
        value: "-P -i -l -c -J -B -R",
        acts: &[],
    },
    Known {
        names: &["zip"],
        does: Write,
        bare: "-r -q -j -y -u -f -v -X -D -g -0 -1 -2 -3 -4 -5 -6 -7 -8 -9",
        value: "-x -i",
        acts: &[("-m", Destroy)],
    },
    Known {
        names: &["mysqldump", "mariadb-dump"],
        does: Read,
        bare: "-A -B -C -E -K -N -Q -R -X -Y -a -c -d -e -f -i -k -l -n -q -t -v -x --add-drop-database --add-drop-table --add-drop-trigger --add-locks --all-databases --comments --compact --complete-insert --compress --create-options --databases --disable-keys --dump-date --events --extended-insert --force --hex-blob --insert-ignore --lock-all-tables --lock-tables --no-autocommit --no-create-db --no-create-info --no-data --no-tablespaces --opt --order-by-primary --quick --quote-names --replace --routines --set-charset --single-transaction --skip-add-drop-table --skip-add-locks --skip-comments --skip-disable-keys --skip-dump-date --skip-extended-insert --skip-lock-tables --skip-opt --skip-quick --skip-set-charset --skip-triggers --skip-tz-utc --tables --triggers --tz-utc --verbose --xml --password --set-gtid-purged --column-statistics",
        value: "-h -u -P -S -w --host --user --port --socket --protocol --where --ignore-table --default-character-set --max-allowed-packet --net-buffer-length --ssl-mode --ssl-ca --compatible",
        acts: &[
            ("--delete-master-logs --delete-source-logs", Destroy),
            ("-F --flush-logs --flush-privileges", Administer),
            ("-r= -T= --result-file= --tab= --log-error=", Write),
        ],
    },
    Known {
        names: &["ss"],
        does: Read,
        bare: "-n -r -a -l -o -e -m -p -i -s -4 -6 -0 -t -u -d -w -x -S -H -O -T -Z -z -b -E -M -V -h -B --numeric --all --listening --options --extended --memory --processes --info --summary --ipv4 --ipv6 --tcp --udp --raw --unix --no-header --oneline --resolve --tos --cgroup --events --bound-inactive",
        value: "-f -A --family --query --socket",
        acts: &[("-K --kill", Administer), ("-D= --diag=", Write)],
    },
    Known {
        names: &["journalctl"],
        does: Read,
        bare: "-a -e -f -k -l -m -q -r -x -n -b -N --all --catalog --disk-usage --dmesg --fields --follow --full --header --list-boots --merge --no-full --no-hostname --no-pager --no-tail --pager-end --quiet --reverse --show-cursor --system --truncate-newline --user --utc --verify --boot --lines --list-catalog --dump-catalog -0 -1 -2 -3 -4 -5 -6 -7 -8 -9",
        value: "-u -t -p -g -o -S -U -c -F -D -M -T --after-cursor --case-sensitive --cursor --directory --exclude-identifier --facility --field --file --grep --identifier --invocation --machine --namespace --output --output-fields --priority --root --since --unit --until --user-unit",
        acts: &[
            ("--cursor-file=", Write),
            (
                "--rotate --vacuum-size= --vacuum-time= --vacuum-files= --flush --sync --relinquish-var --smart-relinquish-var --setup-keys --update-catalog",
                Administer,
            ),
        ],
    },
    Known {
        names: &["bat", "batcat"],
        does: Read,
        bare: "-p -n -A -P -f -u -L -S --plain --number --show-all --force-colorization --unbuffered --list-languages --list-themes --diff --chop-long-lines --no-paging --squeeze-blank",
        value: "-l -H -m -r -d --language --highlight-line --file-name --tabs --wrap --terminal-width --color --italic-text --decorations --paging --theme --style --line-range --diff-context --map-syntax",
        acts: &[("--build --clear", Write)],
    },
    Known {
        names: &[
            "pip list",
            "pip show",
            "pip freeze",
            "pip check",
            "pip3 list",
            "pip3 show",
            "pip3 freeze",
            "pip3 check",
        ],
        does: Read,
        bare: "-q -v -o -u -e -l -f --quiet --verbose --outdated --uptodate --editable --exclude-editable --include-editable --local --user --pre --not-required --files --all --no-color --no-input --isolated --disable-pip-version-check --no-python-version-warning --require-virtualenv",
        value: "--format --exclude --path --timeout --retries",
        acts: &[("--log= --log-file= --local-log=", Write)],
    },
    Known {
        names: &["kubectl *", "oc *", "k *"],
        does: Read,
        bare: "-A -R -w -f -p -i --all --all-containers --all-namespaces --client --containers --flatten --follow --ignore-errors --ignore-not-found --insecure-skip-tls-verify --list --minify --namespaced --no-headers --output-watch-events --prefix --previous --quiet --raw --recursive --server-print --short --show-capacity --show-events --show-kind --show-labels --show-managed-fields --timestamps --use-protocol-buffers --watch --watch-only --sum --warnings-as-errors --match-server-version --cached --help -h",
        value: "-n -o -l -c -L -s -v --namespace --output --selector --container --label-columns --server --context --cluster --user --request-timeout --as --as-group --as-uid --sort-by --field-selector --filename --chunk-size --tail --since --since-time --max-log-requests --limit-bytes --pod-running-timeout --template --subresource --for --timeout --api-version --api-group --verbs --categories --types --revision --output-directory",
        acts: &[("--log-file= --log-dir= --profile-output= --cache-dir=", Write), ("--profile=", Write)],
    },
];

/// Judges a call if its program is one of these.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    let Some(known) = PROGRAMS.iter().find(|known| known.names.contains(&call.name)) else { return false };
    match known.does {
        Read => judge.add(Read, format!("{} only looks", call.name)),
        does => judge.add_to(does, format!("{} writes files", call.name), operands(call.words)),
    }
    if call.name.starts_with("bat") && call.words.first().is_some_and(|word| word.text == "cache") {
        judge.add(Write, "bat cache changes the cache");
    }
    if super::judge::asks_for_version(call.words) {
        return true;
    }
    let reaches = matches!(call.name, "scp" | "sftp");
    flags_of(judge, known, call);
    if call.name == "sftp" {
        // Only `sftp host:file` does what stands here; else it reads commands, of which `!` starts a program.
        let fetches = operands(call.words).iter().any(|operand| operand.contains(':'));
        if call.input != &Input::Inherited || !fetches {
            judge.add(Unknown, "sftp reads commands that do not stand here");
        }
    }
    if reaches && call.words.iter().any(|word| word.text.contains(['`', '$', ';', '|', '&'])) {
        judge.add(Unknown, format!("{} of a path that a shell elsewhere may evaluate", call.name));
    }
    true
}

/// Judges the flags of a subcommand that by itself only looks.
pub fn subcommand(judge: &mut Judge, program: &str, subcommand: &str, words: &[Word]) {
    let names = [format!("{program} {subcommand}"), format!("{program} *")];
    let known = PROGRAMS.iter().find(|known| names.iter().any(|name| known.names.contains(&name.as_str())));
    if let Some(known) = known {
        flags_of(judge, known, &Call { name: program, words, input: &Input::Inherited });
    }
}

/// Judges every flag. `--` does not end them: it may be the value of the flag before it.
fn flags_of(judge: &mut Judge, known: &Known, call: &Call<'_>) {
    let name = call.name;
    let mut words = call.words;
    while let Some((word, rest)) = words.split_first() {
        words = rest;
        let text = word.text.as_str();
        if flags::could_be_flag(word) {
            judge.add(Unknown, format!("an argument of {name} may be a flag"));
            continue;
        }
        if !text.starts_with('-') || matches!(text, "-" | "--") {
            continue;
        }
        if let Some(option) = ssh_option(name, text, rest) {
            if !option.is_some_and(wrappers::harmless_option) {
                judge.add(Unknown, format!("{name} with an option that may start a program"));
            }
            words = if text == "-o" { rest.get(1..).unwrap_or_default() } else { rest };
            continue;
        }
        let takes_next = match text.strip_prefix("--") {
            Some(_) => long(judge, known, name, text),
            None => cluster(judge, known, name, text),
        };
        if takes_next {
            if rest.first().is_some_and(|value| value.splits || value.globs) {
                judge.add(Unknown, format!("an argument of {name} may be a flag"));
            }
            words = rest.get(1..).unwrap_or_default();
        }
    }
}

/// The option of ssh after `-o`, where it is known; the outer none where there is no `-o`.
fn ssh_option<'a>(name: &str, text: &'a str, rest: &'a [Word]) -> Option<Option<&'a str>> {
    if !matches!(name, "scp" | "sftp") {
        return None;
    }
    match text.strip_prefix("-o")? {
        "" => Some(rest.first().and_then(Word::known)),
        attached => Some(Some(attached)),
    }
}

fn listed(flags: &str, flag: &str) -> bool {
    flags.split_ascii_whitespace().any(|listed| listed == flag)
}

/// What a flag does, and whether it takes a value; none where it is not known.
fn meaning(known: &Known, flag: &str) -> Option<(Option<Effect>, bool)> {
    if listed(known.bare, flag) {
        return Some((None, false));
    }
    if listed(known.value, flag) {
        return Some((None, true));
    }
    known.acts.iter().find_map(|(flags, effect)| {
        let valued = flags.split_ascii_whitespace().any(|listed| listed.strip_suffix('=') == Some(flag));
        (valued || listed(flags, flag)).then_some((Some(*effect), valued))
    })
}

fn act(judge: &mut Judge, name: &str, flag: &str, effect: Effect) {
    judge.add(effect, format!("{name} {flag} does more than {name} alone"));
}

/// Judges `--flag` or `--flag=value`; whether the next word is its value.
fn long(judge: &mut Judge, known: &Known, name: &str, text: &str) -> bool {
    let (flag, attached) = text.split_once('=').map_or((text, false), |(flag, _)| (flag, true));
    match meaning(known, flag) {
        Some((effect, valued)) => {
            effect.into_iter().for_each(|effect| act(judge, name, flag, effect));
            valued && !attached
        }
        None => {
            judge.add(Unknown, format!("{name} with a flag that is not known"));
            false
        }
    }
}

/// Judges `-abc`; whether the next word is the value of the last letter.
fn cluster(judge: &mut Judge, known: &Known, name: &str, text: &str) -> bool {
    // `-psecret` of MySQL, and `-p` alone.
    if text.starts_with("-p") && name.ends_with("dump") {
        return false;
    }
    for (at, letter) in text.char_indices().skip(1) {
        let flag = format!("-{letter}");
        match meaning(known, &flag) {
            Some((effect, valued)) => {
                effect.into_iter().for_each(|effect| act(judge, name, &flag, effect));
                if valued {
                    return text.len() == at + letter.len_utf8();
                }
            }
            None => {
                judge.add(Unknown, format!("{name} with a flag that is not known"));
                return false;
            }
        }
    }
    false
}
