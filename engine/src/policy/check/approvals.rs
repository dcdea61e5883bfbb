//! Approvals, wherever they stand: that somebody may approve what waits, and that enough people can.

use super::Found;
use crate::policy::document::{Action, Approval, MediaAction, Policy};

/// What an approval is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// Exchanges that wait: they may be let go for a time.
    Holds,
    /// Rights, and definitions of tools, which last by themselves.
    Lasting,
}

pub(super) fn check(policy: &Policy, found: &mut Found) {
    found.globs("access.teams", &policy.access.teams);
    for (n, rule) in policy.rules.iter().enumerate() {
        let field = format!("rules[{n}].approval");
        let holds = rule.action == Action::Hold;
        said(&field, "a rule with `action: hold`", rule.approval.as_ref(), holds, found);
        one(policy, &field, rule.approval.as_ref().filter(|_| holds), For::Holds, found);
    }
    let (media, holds) = (policy.masking.media_approval.as_ref(), policy.masking.media == MediaAction::Hold);
    said("masking.mediaApproval", "`masking.media: hold`", media, holds, found);
    one(policy, "masking.mediaApproval", media.filter(|_| holds), For::Holds, found);
    for (n, grant) in policy.grants.iter().enumerate() {
        let approval = grant.approval.as_ref().filter(|_| !grant.break_glass);
        one(policy, &format!("grants[{n}].approval"), approval, For::Lasting, found);
    }
    for (n, server) in policy.mcp.iter().enumerate() {
        let approval = server.definitions.as_ref().map(|definitions| &definitions.approval);
        one(policy, &format!("mcp[{n}].definitions.approval"), approval, For::Lasting, found);
    }
}

/// Who may approve is said where something holds, and only there. `what`: what holds.
fn said(field: &str, what: &str, approval: Option<&Approval>, holds: bool, found: &mut Found) {
    match approval {
        None if holds => {
            found.add(field, format!("{what} must say who may approve: `{{groups: [...]}}`"));
        }
        Some(_) if !holds => found.add(field, format!("only {what} is approved; remove it, or hold")),
        _ => {}
    }
}

fn one(policy: &Policy, field: &str, approval: Option<&Approval>, purpose: For, found: &mut Found) {
    let Some(approval) = approval else { return };
    if approval.groups.iter().all(String::is_empty) {
        found.add(format!("{field}.groups"), "it names no group, so that nobody could approve");
    }
    if approval.expires.as_seconds() == 0 {
        found.add(format!("{field}.expires"), "zero would deny every hold at once");
    }
    if approval.quorum == 0 || approval.quorum > Approval::MOST {
        let why = format!("it is the number of people who must approve, from 1 to {}", Approval::MOST);
        found.add(format!("{field}.quorum"), why);
    }
    if approval.exclude_team && policy.access.teams.is_empty() {
        let why = "nothing says which groups are teams: name them in `access.teams`, as in `[\"team-*\"]`";
        found.add(format!("{field}.excludeTeam"), why);
    }
    let Some(longest) = approval.grant_for else { return };
    let field = format!("{field}.grantFor");
    if purpose == For::Lasting {
        found.add(field, "what is approved here lasts by itself; only holds are approved for a time");
    } else if longest.as_seconds() == 0 || longest > Approval::LONGEST_GRANT {
        let most = Approval::LONGEST_GRANT;
        found.add(
            field,
            format!("it is more than nothing and at most {most}; what is wanted for longer is a role"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(more: &Value) -> Vec<String> {
        let approval = |fields: &Value| {
            let mut approval = json!({"groups": ["approvers"]});
            approval.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            approval
        };
        let policy: Policy = serde_json::from_value(json!({
            "rules": [{"name": "r", "action": "hold", "approval": approval(more)}],
            "grants": [{"name": "g", "roles": [], "groups": [], "approval": approval(more)}],
            "mcp": [{"name": "m", "path": "/m", "definitions": {"approval": approval(more)}}],
            "masking": {"media": "hold", "mediaApproval": approval(more)},
        }))
        .unwrap();
        let mut found = Found::default();
        check(&policy, &mut found);
        found.0.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn every_approval_is_held_to_the_same() {
        let all = [
            "rules[0].approval",
            "masking.mediaApproval",
            "grants[0].approval",
            "mcp[0].definitions.approval",
        ];
        for (fields, last) in [
            (json!({"groups": []}), "groups"),
            (json!({"groups": [""]}), "groups"),
            (json!({"expires": "0s"}), "expires"),
            (json!({"quorum": 0}), "quorum"),
            (json!({"quorum": 21}), "quorum"),
            (json!({"excludeTeam": true}), "excludeTeam"),
            (json!({"grantFor": "0s"}), "grantFor"),
            (json!({"grantFor": "8d"}), "grantFor"),
        ] {
            assert_eq!(found(&fields), all.map(|place| format!("{place}.{last}")), "{fields}");
        }
        assert_eq!(found(&json!({"quorum": 20, "expires": "1s"})), [""; 0]);
    }

    #[test]
    fn only_what_waits_is_approved_for_a_time() {
        let lasting = ["grants[0].approval.grantFor", "mcp[0].definitions.approval.grantFor"];
        assert_eq!(found(&json!({"grantFor": "1h"})), lasting);
    }

    #[test]
    fn teams_are_globs() {
        let policy = serde_json::from_value(json!({"access": {"teams": ["team-*", "[a]"]}})).unwrap();
        let mut found = Found::default();
        check(&policy, &mut found);
        assert_eq!(
            found.0.iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>(),
            ["access.teams[1]"]
        );
    }
}
