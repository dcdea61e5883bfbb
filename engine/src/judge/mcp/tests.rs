//! A client, an MCP server, and what passes between them.

mod lists;
mod replies;
mod requests;

use serde_json::{Value as Json, json};

use super::super::tests::runtime;
use super::super::{Case, Judged, Refusal, Replied};
use crate::claude::error::ErrorKind;
use crate::identity::Principal;

const MAIL: &str = "jane.doe@example.com";

fn policy(more: Json) -> Json {
    let mut policy = json!({
        "mcp":[{"name":"notes","path":"/mcp/notes"}],
        "roles":[{"name":"all","scopes":["mcp.notes"],"tools":{"deny":["mcp__notes__drop*"]}}],
        "recording":{"mode":"background"},
    });
    policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    policy
}

fn open(policy: Json, method: &str, headers: &[(&str, &str)]) -> (Case, Result<(), Refusal>) {
    let runtime = runtime(policy);
    let server = runtime.compiled.mcp_server("any", "/mcp/notes").unwrap().clone();
    let principal = Principal {
        issuer: "idp".into(),
        subject: "ann".into(),
        groups: vec!["staff".into()],
        scopes: None,
        actor: None,
        expires_ms: u64::MAX,
    };
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Case::open_mcp(runtime, principal, server, method, &headers, "e".repeat(32), 1000)
}

fn case(more: Json) -> Case {
    let (case, allowed) = open(policy(more), "POST", &[("mcp-session-id", "s1")]);
    allowed.unwrap();
    case
}

fn request(method: &str, params: Json) -> Json {
    json!({"jsonrpc":"2.0","id":7,"method":method,"params":params})
}

fn call(tool: &str, arguments: Json) -> Json {
    request("tools/call", json!({"name":tool,"arguments":arguments}))
}

fn ask(case: &mut Case, body: &Json) -> Judged {
    case.request(body.to_string().as_bytes(), &[])
}

fn refused(more: Json, body: &Json) -> (ErrorKind, String) {
    let refusal = ask(&mut case(more), body).refusal.unwrap_or_else(|| panic!("{body}"));
    (refusal.kind, refusal.rule)
}

/// A case whose request was this one and went on.
fn asked(more: Json, body: &Json) -> Case {
    let mut case = case(more);
    assert_eq!(ask(&mut case, body).refusal, None, "{body}");
    case
}

fn reply(case: &mut Case, body: &Json) -> Json {
    reply_with(case, body, 200)
}

fn reply_with(case: &mut Case, body: &Json, status: u16) -> Json {
    match case.reply(body.to_string().as_bytes(), status, None) {
        Replied::Ready { body: changed, .. } => {
            changed.map_or(body.clone(), |changed| serde_json::from_slice(&changed).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn result(result: Json) -> Json {
    json!({"jsonrpc":"2.0","id":7,"result":result})
}

fn said(text: &str) -> Json {
    result(json!({"content":[{"type":"text","text":text}]}))
}

fn rule(name: &str, when: Json, action: &str) -> Json {
    let mut rule = json!({"name":name,"when":when,"action":action,"message":"not here"});
    if action == "hold" {
        rule["approval"] = json!({"groups":["approvers"]});
    }
    rule
}
