//! News that reach nobody.

use super::Found;
use crate::policy::document::{Policy, Receiver};

pub(super) fn advice(policy: &Policy, found: &mut Found) {
    let glass = policy.grants.iter().position(|grant| grant.break_glass);
    if let Some(n) = glass.filter(|_| policy.notices.is_empty()) {
        let why = "nobody is told when somebody takes it: it stands in the record alone; name a channel in `notices`";
        found.add(format!("grants[{n}].breakGlass"), why);
    }
    let slack = policy.notices.iter().any(|channel| channel.to == Receiver::Slack);
    if !policy.people.is_empty() && !slack {
        found.add("people", "no channel in `notices` goes to Slack, so that nobody decides from there");
    }
}
