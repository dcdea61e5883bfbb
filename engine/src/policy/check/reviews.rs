//! Access reviews.

use super::{Found, nearest};
use crate::policy::document::{Duration, Policy};

/// The shortest time from start to start: a review takes people's time, and ends in rights that are gone.
const SHORTEST: Duration = Duration::hours(24);

/// Reminders of one review: what comes too often is not read.
const REMINDERS: usize = 10;

pub(super) fn check(policy: &Policy, found: &mut Found) {
    found.names("reviews", policy.reviews.iter().map(|review| &review.name));
    let roles: Vec<_> = policy.roles.iter().map(|role| role.name.as_str()).collect();
    for (n, review) in policy.reviews.iter().enumerate() {
        let place = |field: &str| format!("reviews[{n}].{field}");
        for (m, role) in review.scope.roles.iter().enumerate() {
            if !roles.contains(&role.as_str()) {
                let why = format!("there is no role `{role}`");
                found.suggest(place(&format!("scope.roles[{m}]")), why, nearest(role, &roles));
            }
        }
        found.globs(&place("scope.models"), &review.scope.models);
        found.globs(&place("scope.tools"), &review.scope.tools);
        if review.reviewers.is_empty() {
            let why = "it is empty, so that nobody may decide, and all would be taken back at the deadline";
            found.add(place("reviewers"), why);
        }
        if review.deadline.as_seconds() == 0 {
            found.add(
                place("deadline"),
                "zero would take everything back at once; leave it out for the default",
            );
        }
        if let Some(every) = review.every {
            if every < SHORTEST {
                found.add(place("every"), "it starts once a day at the most: write 1d or longer");
            } else if every <= review.deadline {
                let why = "the next one would start before this one is over: make it longer than `deadline`";
                found.add(place("every"), why);
            }
        }
        if review.reminders.len() > REMINDERS {
            found.add(place("reminders"), format!("there are at most {REMINDERS}"));
        }
        for (m, reminder) in review.reminders.iter().enumerate() {
            if *reminder >= review.deadline || reminder.as_seconds() == 0 {
                let why = "a reminder comes after the start and before the deadline";
                found.add(place(&format!("reminders[{m}]")), why);
            }
        }
    }
}
