//! Where news go, and who people in Slack are.

use super::{Found, nearest};
use crate::policy::document::Policy;

/// Longest name of a channel: it becomes the name of files, and of keys in a secret.
const MAX_NAME: usize = 60;

pub(super) fn check(policy: &Policy, found: &mut Found) {
    found.names("notices", policy.notices.iter().map(|channel| &channel.name));
    for (n, channel) in policy.notices.iter().enumerate() {
        if !channel.name.is_empty() && !is_file_name(&channel.name) {
            found.add(
                format!("notices[{n}].name"),
                format!(
                    "`{}` is the name of files, too: at most {MAX_NAME} small letters, digits, `-` and `_`",
                    channel.name
                ),
            );
        }
    }
    let issuers: Vec<_> = policy.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    for (n, person) in policy.people.iter().enumerate() {
        let place = |field: &str| format!("people[{n}].{field}");
        if !is_member_id(&person.slack) {
            let why = "it is not a member ID of Slack, as in `U0123ABCD`: copy it from the profile of the person there";
            found.add(place("slack"), why);
        }
        if policy.people.iter().take(n).any(|other| other.slack == person.slack) {
            found.add(place("slack"), format!("`{}` is taken by an earlier entry", person.slack));
        }
        if !issuers.contains(&person.issuer.as_str()) {
            let why = format!("there is no issuer `{}`", person.issuer);
            found.suggest(place("issuer"), why, nearest(&person.issuer, &issuers));
        }
        if person.subject.trim().is_empty() {
            found.add(place("subject"), "it is empty; write the subject as it stands in the person's tokens");
        }
        if person.groups.is_empty() {
            found.add(place("groups"), "it is empty, so that they may decide nothing; name groups of theirs");
        }
    }
}

fn is_file_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// `U` or `W` and what Slack makes up of large letters and digits.
fn is_member_id(id: &str) -> bool {
    let rest = id.strip_prefix(['U', 'W']).unwrap_or_default();
    (1..=40).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
