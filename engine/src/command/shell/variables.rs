//! Variables that change what programs do, however they are set: `PATH=x`, `for PATH in x`, `read PATH`,
//! `${PATH:=x}`.

use super::script::{HOLE, Word};

/// Why setting such a variable is unknown.
pub const MAY_ACT: &str = "a variable that may change what programs do";

/// Variables that are harmless in front of a command that only looks. Any other could make it do something else
/// (`PAGER`, `LD_PRELOAD`, `GIT_SSH_COMMAND`, `PATH`).
const HARMLESS_VARIABLES: [&str; 28] = [
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_REGION",
    "CI",
    "CLICOLOR",
    "COLUMNS",
    "DEBIAN_FRONTEND",
    "FORCE_COLOR",
    "GREP_COLOR",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_NUMERIC",
    "LINES",
    "MYSQL_PWD",
    "NO_COLOR",
    "PGCONNECT_TIMEOUT",
    "PGDATABASE",
    "PGHOST",
    "PGPASSWORD",
    "PGPORT",
    "PGUSER",
    "TERM",
    "TZ",
    "TF_IN_AUTOMATION",
    "SYSTEMD_COLORS",
];

/// Beginnings of the names of variables that programs take commands, code or paths from.
const ACTING_VARIABLES: [&str; 42] = [
    "BASH",
    "BROWSER",
    "CDPATH",
    "DOCKER_",
    "DYLD_",
    "EDITOR",
    "ENV",
    "FPATH",
    "GIT_",
    "GLOBIGNORE",
    "HOME",
    "IFS",
    "JAVA_",
    "KUBE",
    "LD_",
    "LESS",
    "MAKE",
    "MAN",
    "MYSQL_",
    "NODE_",
    "PAGER",
    "PATH",
    "PERL",
    "PG",
    "PROMPT",
    "PS0",
    "PS1",
    "PS2",
    "PS4",
    "PSQL",
    "PYTHON",
    "RSYNC",
    "RUBY",
    "RUST",
    "SHELL",
    "SSH_",
    "SUDO_",
    "TAR_",
    "TMPDIR",
    "VISUAL",
    "XDG_",
    "ZDOTDIR",
];

/// Whether the variable is harmless in front of a command that only looks.
pub fn is_harmless(name: &str) -> bool {
    HARMLESS_VARIABLES.contains(&name)
}

/// Whether a variable that is set for the rest of the script may change what programs do.
pub fn acts(name: &str) -> bool {
    ACTING_VARIABLES.iter().any(|start| name.starts_with(start)) && !is_harmless(name)
}

/// Whether a word, taken for the name of a variable, may be one of those: also if part of it is only known when it
/// runs.
pub fn may_name_one(word: &Word) -> bool {
    let name = word.text.as_str();
    let plain = name.chars().all(|letter| letter == HOLE || letter == '_' || letter.is_ascii_alphanumeric());
    plain && (name.contains(HOLE) || word.globs || acts(name))
}
