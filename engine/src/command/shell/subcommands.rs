//! Programs with subcommands: what each subcommand does, and the flags that make it something else.
//!
//! Sources: the manuals of git 2.47, Docker 27, kubectl 1.31, Helm 3.16, Terraform 1.9, systemd 255, apt 2.9,
//! npm 10, pip 24, cargo 1.8x and GitHub CLI 2.6x.

use super::flags::{self, Flag, Subcommand};
use super::judge::{Call, Judge, asks_for_version};
use super::parse::Word;
use crate::command::Effect::{self, Administer, Define, Destroy, Grant, Read, Transaction, Unknown, Write};

/// A row: the subcommand; what it does; flags or arguments that change that (see [`flags::find`]); to what.
type Row = (&'static str, Effect, &'static str, Effect);

/// A program: its name, its own flags without and with a value, its rows.
struct Program {
    name: &'static str,
    bare: &'static str,
    value: &'static str,
    rows: &'static [Row],
}

/// kubectl's flags without a value.
pub const KUBECTL_BARE: &str = "--insecure-skip-tls-verify --warnings-as-errors";
/// kubectl's flags with a value. Not `--kubeconfig`: such a file may name a program that fetches credentials.
pub const KUBECTL_VALUE: &str =
    "-n --namespace --context --cluster --user -s --server --request-timeout -v --as --as-group";

const GIT_LOOKS: &str = "--output --ext-diff --textconv -O --open-files-in-pager --upload-pack --exec";

const GIT: &[Row] = &[
    ("add", Write, "", Write),
    ("am", Write, "", Write),
    ("apply", Write, "--check --stat --numstat --summary", Write),
    ("archive", Read, "-o --output --remote --exec", Unknown),
    ("bisect", Write, "run", Unknown),
    ("blame", Read, GIT_LOOKS, Unknown),
    (
        "branch",
        Read,
        "* -d -D -m -M -c -C -f -u -t --delete --move --copy --force --set-upstream-to --unset-upstream --edit-description --track",
        Write,
    ),
    ("bundle", Write, "", Write),
    ("cat-file", Read, "--batch-command --filters --textconv", Unknown),
    ("check-attr", Read, "", Read),
    ("check-ignore", Read, "", Read),
    ("checkout", Write, "-f --force --ours --theirs", Destroy),
    ("cherry", Read, "", Read),
    ("cherry-pick", Write, "", Write),
    ("clean", Destroy, "", Destroy),
    ("clone", Write, "-c -u --config --upload-pack --template *::*", Unknown),
    ("commit", Write, "", Write),
    ("config", Unknown, "", Unknown),
    ("config get", Read, "", Read),
    ("config list", Read, "", Read),
    ("count-objects", Read, "", Read),
    ("describe", Read, "", Read),
    ("diff", Read, GIT_LOOKS, Unknown),
    ("diff-files", Read, GIT_LOOKS, Unknown),
    ("diff-index", Read, GIT_LOOKS, Unknown),
    ("diff-tree", Read, GIT_LOOKS, Unknown),
    ("fetch", Write, "--upload-pack *::*", Unknown),
    ("filter-branch", Destroy, "", Destroy),
    ("filter-repo", Destroy, "", Destroy),
    ("for-each-ref", Read, "", Read),
    ("format-patch", Write, "", Write),
    ("fsck", Read, "--lost-found", Write),
    ("gc", Write, "--prune", Destroy),
    ("grep", Read, GIT_LOOKS, Unknown),
    ("init", Write, "--template", Unknown),
    ("log", Read, GIT_LOOKS, Unknown),
    ("ls-files", Read, "", Read),
    ("ls-remote", Read, "--upload-pack --exec *::*", Unknown),
    ("ls-tree", Read, "", Read),
    ("merge", Write, "", Write),
    ("merge-base", Read, "", Read),
    ("mv", Write, "", Write),
    ("name-rev", Read, "", Read),
    ("notes", Write, "", Write),
    ("notes list", Read, "", Read),
    ("notes show", Read, "", Read),
    ("prune", Destroy, "", Destroy),
    ("pull", Write, "--upload-pack *::* -r --rebase", Write),
    (
        "push",
        Write,
        "-f -d --force --force-with-lease --force-if-includes --delete --mirror --prune +* :*",
        Destroy,
    ),
    ("range-diff", Read, GIT_LOOKS, Unknown),
    ("rebase", Write, "-x --exec -i --interactive", Unknown),
    ("reflog", Read, "", Read),
    ("reflog delete", Destroy, "", Destroy),
    ("reflog expire", Destroy, "", Destroy),
    ("remote", Read, "*", Write),
    ("remote add", Write, "*::*", Unknown),
    ("remote get-url", Read, "", Read),
    ("remote remove", Destroy, "", Destroy),
    ("remote rm", Destroy, "", Destroy),
    ("remote show", Read, "*::*", Unknown),
    ("reset", Write, "--hard --merge --keep", Destroy),
    ("restore", Destroy, "", Destroy),
    ("rev-list", Read, "", Read),
    ("rev-parse", Read, "", Read),
    ("revert", Write, "", Write),
    ("rm", Destroy, "", Destroy),
    ("shortlog", Read, "--output", Unknown),
    ("show", Read, GIT_LOOKS, Unknown),
    ("show-branch", Read, "", Read),
    ("show-ref", Read, "", Read),
    ("sparse-checkout list", Read, "", Read),
    ("stash", Write, "", Write),
    ("stash clear", Destroy, "", Destroy),
    ("stash drop", Destroy, "", Destroy),
    ("stash list", Read, GIT_LOOKS, Unknown),
    ("stash show", Read, GIT_LOOKS, Unknown),
    ("status", Read, "", Read),
    ("submodule", Read, "*", Unknown),
    ("submodule status", Read, "", Read),
    ("submodule summary", Read, "", Read),
    ("switch", Write, "-f --force --discard-changes", Destroy),
    ("symbolic-ref", Write, "", Write),
    ("tag", Read, "* -d -a -s -f -m --delete --annotate --sign --force", Write),
    ("update-ref", Write, "-d --stdin", Destroy),
    ("var", Read, "", Read),
    ("verify-commit", Read, "", Read),
    ("version", Read, "", Read),
    ("whatchanged", Read, GIT_LOOKS, Unknown),
    ("worktree", Write, "", Write),
    ("worktree list", Read, "", Read),
    ("worktree remove", Destroy, "", Destroy),
];

const DOCKER: &[Row] = &[
    ("builder prune", Destroy, "", Destroy),
    ("buildx prune", Destroy, "", Destroy),
    ("commit", Write, "", Write),
    ("container inspect", Read, "", Read),
    ("container list", Read, "", Read),
    ("container logs", Read, "", Read),
    ("container ls", Read, "", Read),
    ("container prune", Destroy, "", Destroy),
    ("container rm", Destroy, "", Destroy),
    ("container stats", Read, "", Read),
    ("container stop", Administer, "", Administer),
    ("context ls", Read, "", Read),
    ("context show", Read, "", Read),
    ("cp", Write, "", Write),
    ("diff", Read, "", Read),
    ("events", Read, "", Read),
    ("export", Write, "", Write),
    ("history", Read, "", Read),
    ("image history", Read, "", Read),
    ("image inspect", Read, "", Read),
    ("image list", Read, "", Read),
    ("image ls", Read, "", Read),
    ("image prune", Destroy, "", Destroy),
    ("image rm", Destroy, "", Destroy),
    ("images", Read, "", Read),
    ("info", Read, "", Read),
    ("inspect", Read, "", Read),
    ("kill", Administer, "", Administer),
    ("load", Write, "", Write),
    ("login", Grant, "", Grant),
    ("logout", Grant, "", Grant),
    ("logs", Read, "", Read),
    ("manifest inspect", Read, "", Read),
    ("network create", Define, "", Define),
    ("network inspect", Read, "", Read),
    ("network ls", Read, "", Read),
    ("network prune", Destroy, "", Destroy),
    ("network rm", Destroy, "", Destroy),
    ("node ls", Read, "", Read),
    ("pause", Administer, "", Administer),
    ("port", Read, "", Read),
    ("ps", Read, "", Read),
    ("pull", Write, "", Write),
    ("push", Write, "", Write),
    ("rename", Write, "", Write),
    ("restart", Administer, "", Administer),
    ("rm", Destroy, "", Destroy),
    ("rmi", Destroy, "", Destroy),
    ("save", Write, "", Write),
    ("search", Read, "", Read),
    ("service logs", Read, "", Read),
    ("service ls", Read, "", Read),
    ("service ps", Read, "", Read),
    ("service rm", Destroy, "", Destroy),
    ("stack ls", Read, "", Read),
    ("stack ps", Read, "", Read),
    ("stack rm", Destroy, "", Destroy),
    ("start", Administer, "", Administer),
    ("stats", Read, "", Read),
    ("stop", Administer, "", Administer),
    ("system df", Read, "", Read),
    ("system info", Read, "", Read),
    ("system prune", Destroy, "", Destroy),
    ("tag", Write, "", Write),
    ("top", Read, "", Read),
    ("unpause", Administer, "", Administer),
    ("version", Read, "", Read),
    ("volume create", Define, "", Define),
    ("volume inspect", Read, "", Read),
    ("volume ls", Read, "", Read),
    ("volume prune", Destroy, "", Destroy),
    ("volume rm", Destroy, "", Destroy),
];

const KUBECTL: &[Row] = &[
    ("annotate", Write, "", Write),
    ("api-resources", Read, "", Read),
    ("api-versions", Read, "", Read),
    ("apply", Write, "--prune --force", Destroy),
    ("auth can-i", Read, "", Read),
    ("auth reconcile", Grant, "", Grant),
    ("auth whoami", Read, "", Read),
    ("autoscale", Write, "", Write),
    ("certificate", Grant, "", Grant),
    ("cluster-info", Read, "dump --output-directory", Write),
    ("config current-context", Read, "", Read),
    ("config get-contexts", Read, "", Read),
    ("config use-context", Transaction, "", Transaction),
    ("config view", Read, "", Read),
    ("cordon", Administer, "", Administer),
    ("cp", Write, "", Write),
    ("create", Write, "role* clusterrole* rolebinding* serviceaccount token", Grant),
    ("delete", Destroy, "", Destroy),
    ("describe", Read, "", Read),
    ("diff", Read, "", Read),
    ("drain", Administer, "", Administer),
    ("edit", Write, "", Write),
    ("events", Read, "", Read),
    ("explain", Read, "", Read),
    ("expose", Define, "", Define),
    ("get", Read, "", Read),
    ("label", Write, "", Write),
    ("logs", Read, "", Read),
    ("options", Read, "", Read),
    ("patch", Write, "", Write),
    ("replace", Write, "--force", Destroy),
    ("rollout", Write, "", Write),
    ("rollout history", Read, "", Read),
    ("rollout status", Read, "", Read),
    ("scale", Write, "", Write),
    ("set", Write, "", Write),
    ("taint", Administer, "", Administer),
    ("top", Read, "", Read),
    ("uncordon", Administer, "", Administer),
    ("version", Read, "", Read),
    ("wait", Read, "", Read),
];

const HELM: &[Row] = &[
    ("delete", Destroy, "", Destroy),
    ("env", Read, "", Read),
    ("get", Read, "--post-renderer", Unknown),
    ("history", Read, "", Read),
    ("install", Write, "--post-renderer", Unknown),
    ("lint", Read, "", Read),
    ("list", Read, "", Read),
    ("ls", Read, "", Read),
    ("repo", Write, "", Write),
    ("repo list", Read, "", Read),
    ("rollback", Write, "", Write),
    ("search", Read, "", Read),
    ("show", Read, "", Read),
    ("status", Read, "", Read),
    ("template", Read, "--post-renderer --output-dir", Unknown),
    ("uninstall", Destroy, "", Destroy),
    ("upgrade", Write, "--post-renderer", Unknown),
    ("version", Read, "", Read),
];

const TERRAFORM: &[Row] = &[
    ("apply", Define, "-destroy", Destroy),
    ("destroy", Destroy, "", Destroy),
    ("fmt", Write, "", Write),
    ("force-unlock", Administer, "", Administer),
    ("graph", Read, "", Read),
    ("import", Define, "", Define),
    ("output", Read, "", Read),
    ("show", Read, "", Read),
    ("state list", Read, "", Read),
    ("state mv", Define, "", Define),
    ("state pull", Read, "", Read),
    ("state push", Destroy, "", Destroy),
    ("state rm", Destroy, "", Destroy),
    ("state show", Read, "", Read),
    ("taint", Define, "", Define),
    ("untaint", Define, "", Define),
    ("version", Read, "", Read),
    ("workspace delete", Destroy, "", Destroy),
    ("workspace list", Read, "", Read),
    ("workspace new", Define, "", Define),
    ("workspace select", Transaction, "", Transaction),
    ("workspace show", Read, "", Read),
];

const SYSTEMCTL: &[Row] = &[
    ("cat", Read, "", Read),
    ("get-default", Read, "", Read),
    ("is-active", Read, "", Read),
    ("is-enabled", Read, "", Read),
    ("is-failed", Read, "", Read),
    ("is-system-running", Read, "", Read),
    ("list-dependencies", Read, "", Read),
    ("list-jobs", Read, "", Read),
    ("list-sockets", Read, "", Read),
    ("list-timers", Read, "", Read),
    ("list-unit-files", Read, "", Read),
    ("list-units", Read, "", Read),
    ("show", Read, "", Read),
    ("status", Read, "", Read),
    ("*", Administer, "", Administer),
];

const PACKAGES: &[Row] = &[
    ("check", Read, "", Read),
    ("config get", Read, "", Read),
    ("config list", Read, "", Read),
    ("depends", Read, "", Read),
    ("freeze", Read, "", Read),
    ("index", Read, "", Read),
    ("info", Read, "", Read),
    ("list", Read, "", Read),
    ("ls", Read, "", Read),
    ("policy", Read, "", Read),
    ("search", Read, "", Read),
    ("show", Read, "", Read),
    ("view", Read, "", Read),
    ("why", Read, "", Read),
];

const REMOVES: &[Row] = &[
    ("autoremove", Administer, "", Administer),
    ("depends", Read, "-o -c --option --config-file", Unknown),
    ("info", Read, "-o -c --option --config-file", Unknown),
    ("list", Read, "-o -c --option --config-file", Unknown),
    ("policy", Read, "-o -c --option --config-file", Unknown),
    ("purge", Administer, "", Administer),
    ("remove", Administer, "", Administer),
    ("search", Read, "-o -c --option --config-file", Unknown),
    ("show", Read, "-o -c --option --config-file", Unknown),
    ("*", Administer, "", Administer),
];

const CARGO: &[Row] = &[
    ("info", Read, "", Read),
    ("locate-project", Read, "", Read),
    ("pkgid", Read, "", Read),
    ("search", Read, "", Read),
    ("version", Read, "", Read),
];

const GO: &[Row] = &[("env", Read, "-w -u", Write), ("version", Read, "", Read)];

const GH: &[Row] = &[
    ("auth status", Read, "-t --show-token", Unknown),
    ("gist list", Read, "", Read),
    ("gist view", Read, "", Read),
    ("issue", Write, "", Write),
    ("issue delete", Destroy, "", Destroy),
    ("issue list", Read, "", Read),
    ("issue status", Read, "", Read),
    ("issue view", Read, "", Read),
    ("label list", Read, "", Read),
    ("pr", Write, "", Write),
    ("pr checks", Read, "", Read),
    ("pr diff", Read, "", Read),
    ("pr list", Read, "", Read),
    ("pr status", Read, "", Read),
    ("pr view", Read, "", Read),
    ("release", Write, "", Write),
    ("release delete", Destroy, "", Destroy),
    ("release list", Read, "", Read),
    ("release view", Read, "", Read),
    ("repo", Write, "", Write),
    ("repo delete", Destroy, "", Destroy),
    ("repo list", Read, "", Read),
    ("repo view", Read, "", Read),
    ("run", Administer, "", Administer),
    ("run delete", Destroy, "", Destroy),
    ("run list", Read, "", Read),
    ("run view", Read, "", Read),
    ("search", Read, "", Read),
    ("secret", Grant, "", Grant),
    ("secret list", Read, "", Read),
    ("status", Read, "", Read),
    ("workflow", Administer, "", Administer),
    ("workflow list", Read, "", Read),
    ("workflow view", Read, "", Read),
];

const PULUMI: &[Row] = &[
    ("destroy", Destroy, "", Destroy),
    ("stack ls", Read, "", Read),
    ("stack output", Read, "", Read),
    ("stack rm", Destroy, "", Destroy),
    ("version", Read, "", Read),
];

const PROGRAMS: &[Program] = &[
    Program {
        name: "git",
        bare: "--no-pager --no-optional-locks --literal-pathspecs --bare -P -p --paginate --no-replace-objects",
        value: "-C",
        rows: GIT,
    },
    Program {
        name: "docker",
        bare: "-D --debug",
        value: "-H --host --context -c -l --log-level",
        rows: DOCKER,
    },
    Program { name: "podman", bare: "", value: "", rows: DOCKER },
    Program { name: "nerdctl", bare: "", value: "-n --namespace", rows: DOCKER },
    Program { name: "kubectl", bare: KUBECTL_BARE, value: KUBECTL_VALUE, rows: KUBECTL },
    Program { name: "oc", bare: KUBECTL_BARE, value: KUBECTL_VALUE, rows: KUBECTL },
    Program { name: "k", bare: KUBECTL_BARE, value: KUBECTL_VALUE, rows: KUBECTL },
    Program { name: "helm", bare: "--debug", value: "-n --namespace --kube-context", rows: HELM },
    Program { name: "terraform", bare: "", value: "", rows: TERRAFORM },
    Program { name: "tofu", bare: "", value: "", rows: TERRAFORM },
    Program { name: "pulumi", bare: "--non-interactive", value: "-s --stack -C --cwd", rows: PULUMI },
    Program {
        name: "systemctl",
        bare: "--user --system --no-pager -a --all -q --quiet --failed",
        value: "-t --type -n --state -p",
        rows: SYSTEMCTL,
    },
    Program { name: "apt", bare: "-q -qq", value: "", rows: REMOVES },
    Program { name: "apt-get", bare: "-q -qq -y", value: "", rows: REMOVES },
    Program { name: "yum", bare: "-q -y", value: "", rows: REMOVES },
    Program { name: "dnf", bare: "-q -y", value: "", rows: REMOVES },
    Program { name: "apk", bare: "-q", value: "", rows: REMOVES },
    Program { name: "brew", bare: "", value: "", rows: PACKAGES },
    Program { name: "npm", bare: "", value: "", rows: PACKAGES },
    Program { name: "pnpm", bare: "", value: "", rows: PACKAGES },
    Program { name: "yarn", bare: "", value: "", rows: PACKAGES },
    Program { name: "pip", bare: "", value: "", rows: PACKAGES },
    Program { name: "pip3", bare: "", value: "", rows: PACKAGES },
    Program { name: "gem", bare: "", value: "", rows: PACKAGES },
    Program { name: "composer", bare: "", value: "", rows: PACKAGES },
    Program { name: "cargo", bare: "", value: "", rows: CARGO },
    Program { name: "go", bare: "", value: "", rows: GO },
    Program { name: "gh", bare: "", value: "-R --repo", rows: GH },
];

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
