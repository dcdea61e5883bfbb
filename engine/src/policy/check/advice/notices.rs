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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(policy: Value) -> Vec<String> {
        let mut found = Found::default();
        advice(&serde_json::from_value(policy).unwrap(), &mut found);
        found.0.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn news_that_reach_nobody_are_pointed_out() {
        let grants = json!([{"name": "glass", "roles": ["w"], "groups": ["oncall"], "breakGlass": true}]);
        let people = json!([{"slack": "U1", "issuer": "own", "subject": "ben", "groups": ["leads"]}]);
        let channel = |to: &str| json!([{"name": "c", "to": to}]);
        assert_eq!(told(json!({"grants": grants})), ["grants[0].breakGlass"]);
        assert_eq!(told(json!({"grants": grants, "notices": channel("webhook")})), [""; 0]);
        assert_eq!(told(json!({"people": people, "notices": channel("teams")})), ["people"]);
        assert_eq!(told(json!({"people": people, "notices": channel("slack")})), [""; 0]);
    }
}
