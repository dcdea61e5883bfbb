//! The command lines of clouds, by the verbs of their operations.

use super::flags::{self, Flag};
use super::judge::{Call, Judge};
use super::script::Word;
use crate::command::Effect::{self, Administer, Define, Destroy, Grant, Read, Transaction, Unknown, Write};

/// Verbs as operations begin with them, and what they do.
const VERBS: [(&str, Effect); 58] = [
    ("abort", Administer),
    ("add", Write),
    ("allocate", Define),
    ("assign", Grant),
    ("associate", Define),
    ("attach", Define),
    ("authorize", Grant),
    ("batch-get", Read),
    ("cancel", Administer),
    ("clone", Define),
    ("copy", Write),
    ("create", Define),
    ("delete", Destroy),
    ("deploy", Define),
    ("deregister", Destroy),
    ("describe", Read),
    ("destroy", Destroy),
    ("detach", Define),
    ("disable", Administer),
    ("disassociate", Define),
    ("enable", Administer),
    ("filter", Read),
    ("get", Read),
    ("head", Read),
    ("import", Write),
    ("list", Read),
    ("lookup", Read),
    ("modify", Define),
    ("patch", Write),
    ("promote", Administer),
    ("publish", Write),
    ("purge", Destroy),
    ("put", Write),
    ("reboot", Administer),
    ("register", Define),
    ("remove", Destroy),
    ("replace", Define),
    ("reset", Administer),
    ("resize", Define),
    ("restart", Administer),
    ("restore", Administer),
    ("resume", Administer),
    ("revoke", Grant),
    ("rollback", Administer),
    ("scale", Define),
    ("search", Read),
    ("send-message", Write),
    ("set", Define),
    ("show", Read),
    ("start", Administer),
    ("stop", Administer),
    ("suspend", Administer),
    ("tag", Write),
    ("terminate", Destroy),
    ("undelete", Define),
    ("untag", Write),
    ("update", Define),
    ("upgrade", Define),
];

/// Services whose changes say who may do what.
const RIGHTS: [&str; 12] = [
    "iam",
    "sts",
    "organizations",
    "sso",
    "sso-admin",
    "identitystore",
    "cognito-idp",
    "ad",
    "role",
    "policy",
    "ram",
    "acm-pca",
];

/// Judges a call if its program is one of these.
pub fn judge(judge: &mut Judge, call: &Call<'_>) -> bool {
    match call.name {
        "aws" => aws(judge, call.words),
        "gcloud" => gcloud(judge, call.words),
        "gsutil" => gsutil(judge, call.words),
        "az" => az(judge, call.words),
        "gh" => return gh_api(judge, call.words),
        _ => return false,
    }
    true
}

/// What the verb at the beginning of an operation does.
fn verb(operation: &str) -> Effect {
    let begins = |verb: &str| {
        operation.strip_prefix(verb).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    VERBS.iter().find(|(verb, _)| begins(verb)).map_or(Unknown, |(_, effect)| *effect)
}

/// Says what an operation of a cloud does, by its service.
fn says(judge: &mut Judge, cloud: &str, service: &str, effect: Effect) {
    let effect = if RIGHTS.contains(&service) && !matches!(effect, Read | Unknown) { Grant } else { effect };
    let what = match effect {
        Read => "only looks",
        Destroy => "removes something",
        Grant => "changes who may do what",
        Administer => "starts, stops or switches something",
        Unknown => "an operation that is not known",
        _ => "changes something",
    };
    judge.add(effect, format!("{cloud}: {what}"));
}

fn aws(judge: &mut Judge, words: &[Word]) {
    let Some(found) = flags::subcommand(
        words,
        "--debug --no-cli-pager --no-verify-ssl --no-paginate --no-sign-request",
        "--profile --region --output --query --endpoint-url --color --ca-bundle",
    ) else {
        return judge.add(Unknown, "aws with flags that are not known, or without a service");
    };
    let (service, operation) =
        (found.path.first().copied().unwrap_or_default(), found.path.get(1).copied().unwrap_or_default());
    let effect = match (service, operation) {
        ("s3", "ls" | "presign") => Read,
        ("s3", "rm" | "rb") => Destroy,
        ("s3", "sync" | "mv") if flags::find(found.rest, "--delete") != Flag::Absent => Destroy,
        ("s3", "cp" | "sync" | "mv" | "mb" | "website") => Write,
        ("s3api", "get-object") | ("s3api", "get-object-torrent") => Write,
        // What these operations get is written to the file that is named behind their flags.
        ("apigateway", "get-export" | "get-sdk")
        | ("glacier", "get-job-output")
        | ("iot-data", "get-thing-shadow")
        | ("ebs", "get-snapshot-block")
        | ("codeartifact", "get-package-version-asset")
        | ("appconfig", "get-configuration")
        | ("appconfigdata", "get-latest-configuration")
        | ("mediastore-data", "get-object")
        | ("workmailmessageflow", "get-raw-message-content")
        | ("schemas", "get-code-binding-source")
        | ("location", "get-map-glyphs" | "get-map-sprites" | "get-map-style-descriptor" | "get-map-tile") => {
            Write
        }
        // Credentials for someone else to use.
        ("sts", operation) if operation.starts_with("assume-role") || operation.ends_with("-token") => Grant,
        ("configure", "list" | "get" | "list-profiles") => Read,
        ("configure", _) => Administer,
        (
            "lambda" | "ssm" | "ecs" | "stepfunctions",
            "invoke" | "send-command" | "start-session" | "execute-command",
        ) => Unknown,
        ("logs", "tail") | (_, "wait") => Read,
        ("ec2", operation) if operation.starts_with("run-") => Define,
        ("ec2", operation) if operation.starts_with("authorize-") || operation.starts_with("revoke-") => {
            Grant
        }
        ("s3api", operation) if operation.contains("policy") || operation.contains("acl") => {
            if operation.starts_with("get-") { Read } else { Grant }
        }
        (_, operation) => verb(operation),
    };
    // Some operations write what they get into a file that is named at the end.
    if effect == Read && found.rest.iter().any(|word| word.splits) {
        judge.add(Unknown, "an argument of aws that is only known when it runs");
    }
    let writes = operation.starts_with("get-") && found.path.len() > 2;
    says(judge, "aws", service, if writes { Write } else { effect });
}

fn gcloud(judge: &mut Judge, words: &[Word]) {
    let Some(found) =
        flags::subcommand(words, "-q --quiet", "--project --account --configuration --format --verbosity")
    else {
        return judge.add(Unknown, "gcloud with flags that are not known, or without a group");
    };
    if flags::find(words, "--flags-file") != Flag::Absent {
        judge.add(Unknown, "gcloud with flags from a file, or that may be");
    }
    let path = &found.path;
    let has = |starts: &[&str]| path.iter().any(|word| starts.iter().any(|start| word.starts_with(start)));
    // The verb is not at a fixed place: only a plural before it (`instances list`) tells it from a name.
    let looks = path.windows(2).any(|pair| matches!(pair, [group, "list" | "describe" | "read" | "get-value" | "get-iam-policy"] if group.ends_with('s') || matches!(*group, "config" | "auth" | "logging")));
    let before = path
        .iter()
        .take_while(|word| !matches!(**word, "list" | "describe" | "read" | "get-value" | "get-iam-policy"));
    let clean = before.clone().all(|word| {
        verb(word) == Unknown && !matches!(*word, "ssh" | "scp" | "submit" | "run" | "execute" | "call")
    });
    let effect = match () {
        () if has(&["delete", "destroy", "purge"]) => Destroy,
        () if has(&["add-iam", "set-iam", "remove-iam", "service-accounts"]) && !(looks && clean) => Grant,
        () if looks && clean => Read,
        () if has(&["ssh", "scp", "submit", "run", "execute", "call", "builds"]) => Unknown,
        () => path
            .iter()
            .map(|word| verb(word))
            .filter(|effect| !matches!(effect, Unknown | Read))
            .max()
            .unwrap_or(Unknown),
    };
    says(judge, "gcloud", path.first().copied().unwrap_or_default(), effect);
}

fn gsutil(judge: &mut Judge, words: &[Word]) {
    let Some(found) = flags::subcommand(words, "-m -q", "") else {
        return judge.add(Unknown, "gsutil with flags that are not known");
    };
    let effect = match found.path.first().copied().unwrap_or_default() {
        "ls" | "cat" | "du" | "stat" | "version" | "hash" => Read,
        "rm" | "rb" => Destroy,
        "rsync" if flags::find(found.rest, "-d") != Flag::Absent => Destroy,
        "cp" | "mv" | "rsync" | "mb" | "setmeta" | "compose" => Write,
        "acl" | "iam" | "defacl" => Grant,
        _ => Unknown,
    };
    says(judge, "gsutil", "", effect);
}

fn az(judge: &mut Judge, words: &[Word]) {
    let Some(found) = flags::subcommand(words, "", "") else {
        return judge.add(Unknown, "az with flags before its group");
    };
    let group = found.path.first().copied().unwrap_or_default();
    let last = found.path.last().copied().unwrap_or_default();
    let effect = match (group, last) {
        ("login" | "logout", _) => Transaction,
        ("account", "get-access-token") => Grant,
        ("rest" | "extension", _) => Unknown,
        _ if found.path.iter().any(|word| matches!(verb(word), Destroy)) => Destroy,
        _ if found.path.len() < 2 => Unknown,
        _ if found.path.iter().rev().skip(1).any(|word| verb(word) != Unknown) => Unknown,
        _ => verb(last),
    };
    let rights = found.path.iter().find(|word| RIGHTS.contains(word)).copied().unwrap_or(group);
    says(judge, "az", rights, effect);
}

/// `gh api`: GET unless a method or a field says otherwise.
fn gh_api(judge: &mut Judge, words: &[Word]) -> bool {
    if words.first().is_none_or(|word| word.text != "api") {
        return false;
    }
    let rest = words.get(1..).unwrap_or_default();
    let method = rest.windows(2).find_map(|pair| match pair {
        [flag, method] if matches!(flag.text.as_str(), "-X" | "--method") => {
            Some(method.text.to_ascii_uppercase())
        }
        _ => None,
    });
    let sends = flags::find(rest, "-f -F --raw-field --field --input");
    let attached = rest
        .iter()
        .any(|word| word.text.len() > 2 && word.text.starts_with("-X") || word.text.starts_with("--method="));
    let effect = match method.as_deref() {
        _ if rest.iter().any(|word| word.splits) => Unknown,
        Some("DELETE") => Destroy,
        Some("GET") if !attached => Read,
        Some(_) => Write,
        None if attached || rest.iter().any(|word| word.text == "graphql") => Unknown,
        None if sends == Flag::Absent => Read,
        None => Write,
    };
    says(judge, "gh api", "", effect);
    true
}
