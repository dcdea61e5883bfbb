//! Cases from the caller's principal to the last byte of the reply.

mod budgets;
mod edits;
mod evasions;
mod reach;
mod replies;
mod requests;
mod streams;
mod traces;
mod turns;
mod whole;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{Case, Runtime};
use crate::claude::routes::route;
use crate::identity::Principal;
use crate::policy::bundle::{Bundle, FORMAT};
use crate::wire::{HoldDecision, HoldState};

/// A runtime of a policy; roles and bindings that allow `staff` everything are put in where it has none.
pub(super) fn runtime(mut policy: Value) -> Arc<Runtime> {
    let fields = policy.as_object_mut().unwrap();
    fields.entry("issuers").or_insert(json!([{"name":"idp","issuer":"https://idp","audiences":["sluice"]}]));
    fields.entry("roles").or_insert(json!([{"name":"all","scopes":["*"],"models":["*"],
        "serverTools":{"allow":["*"]},"mcpServers":{"allow":["*"]}}]));
    fields.entry("bindings").or_insert(json!([{"name":"staff","groups":["staff"],"roles":["all"]}]));
    let bundle = Bundle {
        format: FORMAT,
        version: "v1".into(),
        policy_version: "p1".into(),
        issued_at_ms: 0,
        policy: serde_json::from_value(policy).unwrap(),
        keys: Vec::new(),
        tenant_key: BASE64.encode([7; 32]),
        grants: Vec::new(),
        revocations: Vec::new(),
        withheld: Vec::new(),
    };
    Arc::new(Runtime::new(bundle).unwrap())
}

fn case_on(runtime: &Arc<Runtime>, method: &str, path: &str) -> Case {
    let principal = Principal {
        issuer: "idp".into(),
        subject: "ann".into(),
        groups: vec!["staff".into()],
        scopes: None,
        actor: None,
        expires_ms: u64::MAX,
    };
    let (case, allowed) =
        Case::open(runtime.clone(), principal, route(method, path).unwrap(), "e".repeat(32), 1000);
    allowed.unwrap();
    case
}

pub(super) fn case(policy: Value) -> Case {
    case_on(&runtime(policy), "POST", "/v1/messages")
}

pub(super) fn state(decision: HoldDecision) -> HoldState {
    HoldState {
        id: "h1".into(),
        decision,
        reason: Some("because".into()),
        by: Some("bob".into()),
        masked: Vec::new(),
    }
}

/// A rule about Bash commands.
fn bash_rule(name: &str, input: &str, action: &str) -> Value {
    let mut rule =
        json!({"name":name,"when":{"tools":["Bash"],"input":input},"action":action,"message":"not here"});
    if action == "hold" {
        rule["approval"] = json!({"groups":["approvers"]});
    }
    rule
}
