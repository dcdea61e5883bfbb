//! Entries as events of the Open Cybersecurity Schema Framework, 1.3.0 (<https://schema.ocsf.io/1.3.0>), for a SIEM.
//!
//! | entry | class |
//! |---|---|
//! | exchange | API Activity (6003) |
//! | hold | API Activity (6003), with the hold as its resource |
//! | grant | User Access Management (3005) |
//! | token, sign-in | Authentication (3002) |
//! | review | User Access Management (3005) |
//! | pass, delegation | User Access Management (3005) |
//! | policy | API Activity (6003), with the policy as its resource |
//! | revocation | Account Change (3001) |
//!
//! No event carries a body: who, when, what, which rule, how it ended.

mod approvals;
mod signin;

use serde_json::{Map, Value, json};
use sluice_engine::policy::bundle::Revocation;
use sluice_engine::policy::document::Action;
use sluice_engine::record::{Record, Stage, Who};

use super::{
    Entry, GrantEvent, HoldChange, HoldEvent, RestoreEvent, RetentionEvent, ReviewChange, ReviewEvent,
    TokenEvent,
};
use crate::grants::GrantState;
use crate::store::Stored;
use crate::tokens::revocation::Revoked;

/// Severities and statuses of the schema.
const INFORMATIONAL: u8 = 1;
const LOW: u8 = 2;
const MEDIUM: u8 = 3;
const UNKNOWN: u8 = 0;
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;
const OTHER: u8 = 99;

/// The event of an entry; `None` when its text cannot be read any more, which verification tells.
pub fn event(stored: &Stored) -> Option<Value> {
    let entry = serde_json::from_str(&stored.entry).ok()?;
    let mut event = match &entry {
        Entry::Exchange(record) => exchange(record),
        Entry::Hold(event) => hold(event),
        Entry::Grant(event) => grant(event),
        Entry::Token(event) => token(event),
        Entry::SignIn(event) => signin::event(event),
        Entry::Review(event) => review(event),
        Entry::Pass(event) => approvals::pass(event),
        Entry::Delegation(event) => approvals::delegation(event),
        Entry::Policy(event) => approvals::policy(event),
        Entry::Revocation(revoked) => revocation(revoked),
        Entry::Restore(event) => restore(event),
        Entry::Retention(event) => retention(event),
    };
    event.insert(
        "metadata".into(),
        json!({
            "version": "1.3.0",
            "product": {"name": "Sluice", "vendor_name": "Sluice", "version": env!("CARGO_PKG_VERSION")},
            "log_name": stored.writer,
            "sequence": stored.cursor,
            "uid": format!("{}/{}", stored.writer, stored.seq),
            "profiles": ["security_control"],
        }),
    );
    Some(Value::Object(event))
}

/// What all classes have.
fn base(class: u32, activity: u8, at_ms: u64, severity: u8, status: u8) -> Map<String, Value> {
    let base = json!({
        "class_uid": class, "category_uid": class / 1000, "activity_id": activity,
        "type_uid": u64::from(class) * 100 + u64::from(activity), "time": at_ms, "severity_id": severity,
        "status_id": status,
    });
    base.as_object().cloned().unwrap_or_default()
}

fn exchange(record: &Record) -> Map<String, Value> {
    let acted = |action| record.decisions.iter().any(|d| d.did(action));
    let (denied, held) = (acted(Action::Deny), acted(Action::Hold));
    let status = match record.status {
        Some(status) if status < 400 => SUCCESS,
        Some(_) => FAILURE,
        None if denied => FAILURE,
        None => UNKNOWN,
    };
    let severity = if denied {
        MEDIUM
    } else if held {
        LOW
    } else {
        INFORMATIONAL
    };
    let mut event = base(6003, activity(&record.route), record.at_ms, severity, status);
    event.insert("actor".into(), actor(record.principal.as_ref(), record.session.as_deref()));
    event.insert(
        "api".into(),
        json!({"operation": record.route, "service": {"name": "Claude API"}, "request": {"uid": record.exchange}}),
    );
    event.insert("src_endpoint".into(), json!({"name": record.node}));
    event.insert("action_id".into(), if denied { 2 } else { 1 }.into());
    event.insert("disposition_id".into(), if denied { 2 } else { 1 }.into());
    event.insert("duration".into(), record.duration_ms.into());
    if let Some(status) = record.status {
        event.insert("http_response".into(), json!({"code": status}));
    }
    let stage = match record.stage {
        Stage::Open => "open",
        Stage::Edited => "edited",
        Stage::Close => "close",
    };
    event.insert(
        "unmapped".into(),
        json!({
            "stage": stage, "model": record.model, "agent": record.agent, "policy_version": record.policy_version,
            "decisions": record.decisions, "findings": record.findings, "usage": record.usage,
            "stop_reason": record.stop_reason,
        }),
    );
    event
}

/// Create, read, update, delete, or other, by the route's last word.
fn activity(route: &str) -> u8 {
    match route.rsplit('.').next().unwrap_or_default() {
        "create" | "upload" => 1,
        "read" | "list" | "count_tokens" | "results" | "download" => 2,
        "update" | "cancel" => 3,
        "delete" | "archive" => 4,
        _ => OTHER,
    }
}

fn hold(hold: &HoldEvent) -> Map<String, Value> {
    let (severity, status) = match hold.change {
        HoldChange::Opened | HoldChange::Agreed => (LOW, UNKNOWN),
        HoldChange::Approved => (LOW, SUCCESS),
        HoldChange::Denied => (MEDIUM, FAILURE),
        HoldChange::Expired => (LOW, FAILURE),
        HoldChange::Used | HoldChange::Commented => (INFORMATIONAL, SUCCESS),
    };
    let name = hold.change.word();
    let mut event = base(6003, OTHER, hold.at_ms, severity, status);
    let who = hold.by.as_ref().map(|(issuer, subject)| Who {
        issuer: issuer.clone(),
        subject: subject.clone(),
        groups: Vec::new(),
    });
    let who = who.unwrap_or_else(|| hold.requester.clone());
    event.insert("activity_name".into(), format!("Hold {name}").into());
    event.insert("actor".into(), actor(Some(&who), hold.session.as_deref()));
    event.insert(
        "api".into(),
        json!({"operation": format!("hold.{name}"), "service": {"name": "Sluice"}, "request": {"uid": hold.exchange}}),
    );
    event.insert("src_endpoint".into(), json!({"name": "control"}));
    event.insert("resources".into(), json!([{"uid": hold.id, "type": "hold"}]));
    event.insert("comment".into(), hold.reason.clone().into());
    event.insert(
        "unmapped".into(),
        json!({
            "rule": hold.rule, "requester": hold.requester, "for": hold.on_behalf, "pass": hold.pass,
            "masked": hold.masked,
        }),
    );
    event
}

fn grant(grant: &GrantEvent) -> Map<String, Value> {
    // Assign Privileges and Revoke Privileges.
    let (activity, severity, status) = match grant.state {
        GrantState::Live => (1, if grant.break_glass { MEDIUM } else { LOW }, SUCCESS),
        GrantState::Revoked | GrantState::Ended => (2, INFORMATIONAL, SUCCESS),
        GrantState::Waiting => (OTHER, INFORMATIONAL, UNKNOWN),
        GrantState::Denied | GrantState::Expired => (OTHER, LOW, FAILURE),
    };
    let mut event = base(3005, activity, grant.at_ms, severity, status);
    let by = grant.by.as_ref().map(|(issuer, subject)| Who {
        issuer: issuer.clone(),
        subject: subject.clone(),
        groups: Vec::new(),
    });
    event.insert("activity_name".into(), format!("Grant {}", grant.state.word()).into());
    event.insert("actor".into(), actor(Some(by.as_ref().unwrap_or(&grant.who)), None));
    event.insert("user".into(), user(&grant.who));
    event.insert("privileges".into(), json!(grant.roles));
    event.insert("resource".into(), json!({"uid": grant.id, "name": grant.name, "type": "grant"}));
    event.insert("comment".into(), grant.reason.clone().into());
    event.insert(
        "unmapped".into(),
        json!({
            "wish": grant.wish, "break_glass": grant.break_glass, "ends_time": grant.ends_ms, "for": grant.on_behalf,
        }),
    );
    event
}

fn token(token: &TokenEvent) -> Map<String, Value> {
    // Service Ticket Request: a token for a token.
    let mut event = base(3002, 4, token.at_ms, INFORMATIONAL, SUCCESS);
    event.insert("actor".into(), actor(Some(&token.who), None));
    event.insert("user".into(), user(&token.who));
    event.insert("auth_protocol".into(), "OAuth 2.0".into());
    event.insert("session".into(), json!({"uid": token.id, "expiration_time": token.expires_ms}));
    event.insert("service".into(), json!({"name": "Claude API"}));
    event.insert(
        "unmapped".into(),
        json!({"scopes": token.scopes, "from": token.from, "device": token.device}),
    );
    event
}

/// Account Change (3001): what somebody had until now no longer lets them in.
fn revocation(revoked: &Revoked) -> Map<String, Value> {
    let mut event = base(3001, OTHER, revoked.at_ms, LOW, SUCCESS);
    event.insert("activity_name".into(), "Revoke Tokens".into());
    event.insert("actor".into(), actor(Some(&revoked.by), None));
    let (name, uid) = match &revoked.what {
        Revocation::Subject { issuer, subject, .. } => (subject.clone(), format!("{issuer}/{subject}")),
        Revocation::Token { issuer, id } => (id.clone(), format!("{issuer}/{id}")),
    };
    let user = revoked.holder.as_ref().map_or_else(|| json!({"name": name, "uid": uid}), user);
    event.insert("user".into(), user);
    event.insert("comment".into(), revoked.reason.clone().into());
    event.insert("unmapped".into(), json!({"what": revoked.what, "until_time": revoked.until_ms}));
    event
}

fn review(review: &ReviewEvent) -> Map<String, Value> {
    // Assign Privileges and Revoke Privileges.
    let (activity, severity) = match review.change {
        ReviewChange::Lifted => (1, LOW),
        ReviewChange::Revoked | ReviewChange::Reduced | ReviewChange::Unattested => (2, LOW),
        _ => (OTHER, INFORMATIONAL),
    };
    let who = |(issuer, subject): &(String, String)| Who {
        issuer: issuer.clone(),
        subject: subject.clone(),
        groups: Vec::new(),
    };
    let mut event = base(3005, activity, review.at_ms, severity, SUCCESS);
    event.insert("activity_name".into(), format!("Review {}", review.change.word()).into());
    event.insert("actor".into(), actor(review.by.as_ref().map(who).as_ref(), None));
    if let Some(about) = &review.about {
        event.insert("user".into(), user(&who(&(about.issuer.clone(), about.subject.clone()))));
        event.insert("privileges".into(), json!([about.role]));
    }
    event.insert("resource".into(), json!({"uid": review.review, "name": review.name, "type": "review"}));
    event.insert("comment".into(), review.reason.clone().into());
    event
        .insert("unmapped".into(), json!({"item": review.about, "part": review.part, "items": review.items}));
    event
}

/// Datastore Activity: the log's own store.
fn restore(event: &RestoreEvent) -> Map<String, Value> {
    let mut map = base(6005, OTHER, event.at_ms, MEDIUM, SUCCESS);
    map.insert("activity_name".into(), "Restore from a backup".into());
    map.insert("actor".into(), json!({"app_name": "sluice"}));
    map.insert("database".into(), json!({"name": "sluice", "type_id": 1}));
    map.insert("unmapped".into(), json!({"backup_time": event.backup_at_ms}));
    map
}

/// Datastore Activity: texts go.
fn retention(event: &RetentionEvent) -> Map<String, Value> {
    let mut map = base(6005, 4, event.at_ms, INFORMATIONAL, SUCCESS);
    map.insert("actor".into(), json!({"app_name": "sluice"}));
    map.insert("database".into(), json!({"name": "sluice", "type_id": 1}));
    map.insert("unmapped".into(), json!({"before_time": event.before_ms}));
    map
}

fn actor(who: Option<&Who>, session: Option<&str>) -> Value {
    let mut actor = Map::new();
    actor.insert(
        "user".into(),
        who.map_or_else(|| json!({"name": "(not verified)", "type_id": UNKNOWN}), user),
    );
    if let Some(session) = session {
        actor.insert("session".into(), json!({"uid": session}));
    }
    Value::Object(actor)
}

fn user(who: &Who) -> Value {
    let groups: Vec<Value> = who.groups.iter().map(|group| json!({"name": group})).collect();
    json!({"name": who.subject, "uid": format!("{}/{}", who.issuer, who.subject), "groups": groups})
}
