//! Events of approvals for a time, delegations and policy.

use serde_json::{Map, Value, json};
use sluice_engine::record::Who;

use super::{FAILURE, INFORMATIONAL, LOW, MEDIUM, OTHER, SUCCESS, UNKNOWN, actor, base, user};
use crate::approvals::DecidedBy;
use crate::records::{DelegationEvent, PassEvent, PolicyChange, PolicyEvent};

/// User Access Management: Assign Privileges or Revoke Privileges.
pub fn pass(pass: &PassEvent) -> Map<String, Value> {
    let (activity, severity, name) =
        if pass.revoked { (2, INFORMATIONAL, "revoked") } else { (1, LOW, "given") };
    let mut event = base(3005, activity, pass.at_ms, severity, SUCCESS);
    event.insert("activity_name".into(), format!("Pass {name}").into());
    event.insert("actor".into(), actor(pass.by.as_ref().map(spoke).as_ref(), None));
    event.insert("user".into(), user(&pass.who));
    event.insert("privileges".into(), json!([format!("rule {}", pass.rule)]));
    event.insert("resource".into(), json!({"uid": pass.id, "name": pass.rule, "type": "pass"}));
    event.insert("comment".into(), pass.by.as_ref().and_then(|by| by.reason.clone()).into());
    event.insert("unmapped".into(), json!({"hold": pass.hold, "ends_time": pass.ends_ms}));
    event
}

/// The same, of the right of an approver.
pub fn delegation(event: &DelegationEvent) -> Map<String, Value> {
    let given = &event.delegation;
    let ended = given.ended.as_ref();
    let (activity, name) = if ended.is_some() { (2, "ended") } else { (1, "given") };
    let mut out = base(3005, activity, event.at_ms, LOW, SUCCESS);
    let to = Who { issuer: given.issuer.clone(), subject: given.subject.clone(), groups: Vec::new() };
    out.insert("activity_name".into(), format!("Delegation {name}").into());
    out.insert("actor".into(), actor(Some(&ended.map_or_else(|| given.from.clone(), spoke)), None));
    out.insert("user".into(), user(&to));
    let groups: Vec<String> = given.groups.iter().map(|group| format!("decides for {group}")).collect();
    out.insert("privileges".into(), json!(groups));
    out.insert("resource".into(), json!({"uid": given.id, "name": given.subject, "type": "delegation"}));
    let reason = ended.map_or_else(|| Some(given.reason.clone()), |by| by.reason.clone());
    out.insert("comment".into(), reason.into());
    out.insert("unmapped".into(), json!({"from": user(&given.from), "ends_time": given.ends_ms}));
    out
}

/// API Activity, with the policy as its resource.
pub fn policy(policy: &PolicyEvent) -> Map<String, Value> {
    let (severity, status) = match policy.change {
        PolicyChange::InForce | PolicyChange::Accepted => (MEDIUM, SUCCESS),
        PolicyChange::Proposed => (LOW, UNKNOWN),
        PolicyChange::Rejected | PolicyChange::Stale => (LOW, FAILURE),
        PolicyChange::Withdrawn => (INFORMATIONAL, SUCCESS),
    };
    let word = policy.change.word();
    let mut event = base(6003, OTHER, policy.at_ms, severity, status);
    let by = policy.by.as_ref().map(spoke);
    let service = Who { issuer: "sluice".into(), subject: "control".into(), groups: Vec::new() };
    event.insert("activity_name".into(), format!("Policy {word}").into());
    event.insert("actor".into(), actor(Some(by.as_ref().unwrap_or(&service)), None));
    let operation = format!("policy.{}", word.replace(' ', "_"));
    event.insert("api".into(), json!({"operation": operation, "service": {"name": "Sluice"}}));
    event.insert("src_endpoint".into(), json!({"name": "control"}));
    event.insert("resources".into(), json!([{"uid": policy.version, "type": "policy"}]));
    event.insert("comment".into(), policy.by.as_ref().and_then(|by| by.reason.clone()).into());
    event.insert("unmapped".into(), json!({"proposal": policy.proposal, "files": policy.files}));
    event
}

fn spoke(by: &DecidedBy) -> Who {
    Who { issuer: by.issuer.clone(), subject: by.subject.clone(), groups: Vec::new() }
}
