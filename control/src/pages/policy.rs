//! The policy in force, readable; who may do what; and a request tried on it.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use sluice_engine::judge::Step;
use sluice_engine::policy::document::{Action, AllowDeny, Policy, Role, Rule};

use super::failure::Failure;
use super::form::Sent;
use super::page;
use super::shell::{Shell, Visitor};
use super::text::{Markup, marked};
use super::when::When;
use crate::http::policy::Tried;
use crate::http::{self, Control, Problem};
use crate::records::text::{clean, clean_line, short};
use crate::trial::exchange::Verdict;

#[derive(Template)]
#[template(path = "policy.html")]
struct Page {
    shell: Shell,
    version: String,
    since: When,
    files: Vec<String>,
    faults: Vec<String>,
    roles: Vec<String>,
    holders: Vec<Holder>,
    rights: Vec<Right>,
    rules: Vec<Shown>,
    facts: Vec<(&'static str, String)>,
    json: String,
}

/// A group or subject, and which roles it has.
struct Holder {
    name: String,
    kind: &'static str,
    has: Vec<bool>,
}

/// A right, and what each role says of it.
struct Right {
    name: &'static str,
    of: Vec<String>,
}

struct Shown {
    name: String,
    action: &'static str,
    tone: &'static str,
    observe: bool,
    when: Vec<(String, String)>,
    message: String,
    approval: String,
}

#[derive(Template)]
#[template(path = "trial.html")]
struct TrialPage {
    shell: Shell,
    subject: String,
    groups: String,
    model: String,
    prompt: String,
    tool: String,
    input: String,
    known: Vec<String>,
    came: Option<Came>,
}

/// What came of a trial.
struct Came {
    verdict: &'static str,
    tone: &'static str,
    rule: String,
    status: String,
    roles: Vec<String>,
    lines: Vec<(&'static str, Markup)>,
    messages: Vec<String>,
    forwarded: Option<Markup>,
}

/// `GET /policy`.
pub async fn show(visitor: Visitor, state: State<Arc<Control>>) -> Result<Response, Failure> {
    let now = (state.clock)();
    let shell = visitor.policy(&state, "Policy", "/policy");
    let Json(effective) = http::policy::effective(visitor.person, state).await?;
    let (policy, status) = (&effective.policy, &effective.status);
    let access = &policy.access;
    let masking = serde_json::to_value(&policy.masking).unwrap_or_default();
    let facts = vec![
        ("Auditors", clean_line(&access.auditors.join(", "))),
        ("Operators", clean_line(&access.operators.join(", "))),
        ("Authors", clean_line(&access.authors.join(", "))),
        ("Recording", word(&policy.recording.mode)),
        ("Masking", set(&masking)),
        ("Grants", policy.grants.iter().map(|grant| clean_line(&grant.name)).collect::<Vec<_>>().join(", ")),
        (
            "Budgets",
            policy.budgets.iter().map(|budget| clean_line(&budget.name)).collect::<Vec<_>>().join(", "),
        ),
        (
            "MCP servers",
            policy.mcp.iter().map(|server| clean_line(&server.name)).collect::<Vec<_>>().join(", "),
        ),
    ];
    Ok(page(&Page {
        shell,
        version: status.version.chars().take(12).collect(),
        since: When::new(status.since_ms, now),
        files: status.files.iter().map(|file| clean_line(file)).collect(),
        faults: status.faults.iter().map(|fault| clean_line(&fault.to_string())).collect(),
        roles: policy.roles.iter().map(|role| clean_line(&role.name)).collect(),
        holders: holders(policy),
        rights: rights(policy),
        rules: policy.rules.iter().map(rule).collect(),
        facts: facts.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
        json: clean(&serde_json::to_string_pretty(policy).unwrap_or_default()),
    }))
}

fn holders(policy: &Policy) -> Vec<Holder> {
    let mut names: Vec<(&str, &'static str)> = Vec::new();
    for binding in &policy.bindings {
        let groups = binding.groups.iter().map(|group| (group.as_str(), "group"));
        for name in groups.chain(binding.subjects.iter().map(|subject| (subject.as_str(), "person"))) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let has = |name: &str, kind: &str, role: &Role| {
        policy.bindings.iter().any(|binding| {
            let of = if kind == "group" { &binding.groups } else { &binding.subjects };
            of.iter().any(|own| own == name) && binding.roles.contains(&role.name)
        })
    };
    let holder = |(name, kind): (&str, &'static str)| Holder {
        name: clean_line(name),
        kind,
        has: policy.roles.iter().map(|role| has(name, kind, role)).collect(),
    };
    names.into_iter().map(holder).collect()
}

fn rights(policy: &Policy) -> Vec<Right> {
    let list = |all: &[String], none: &str| {
        if all.is_empty() { none.to_owned() } else { clean_line(&all.join(", ")) }
    };
    let both = |of: &AllowDeny, absent: &str| {
        let allow = of.allow.as_ref().map_or_else(|| absent.to_owned(), |all| list(all, "none"));
        if of.deny.is_empty() { allow } else { format!("{allow}; never {}", clean_line(&of.deny.join(", "))) }
    };
    let limit = |limit: Option<u64>| limit.map_or_else(|| "no limit".into(), |limit| limit.to_string());
    let right =
        |name, say: &dyn Fn(&Role) -> String| Right { name, of: policy.roles.iter().map(say).collect() };
    vec![
        right("Endpoints", &|role| list(&role.scopes, "none")),
        right("Models", &|role| list(&role.models, "none")),
        right("Tools", &|role| both(&role.tools, "all")),
        right("Server tools", &|role| both(&role.server_tools, "none")),
        right("MCP at the provider", &|role| both(&role.mcp_servers, "none")),
        right("Betas", &|role| both(&role.betas, "all")),
        right("Largest max_tokens", &|role| limit(role.max_tokens)),
        right("Thinking budget", &|role| limit(role.thinking_budget)),
        right("Sees unmasked", &|role| list(&role.unmasked, "nothing")),
    ]
}

fn rule(rule: &Rule) -> Shown {
    let (action, tone) = match rule.action {
        Action::Allow => ("allow", "allow"),
        Action::Hold => ("hold", "hold"),
        Action::Deny => ("deny", "deny"),
    };
    let when = serde_json::to_value(&rule.when).unwrap_or_default();
    let when = when.as_object().into_iter().flatten().filter(|(_, value)| !is_nothing(value));
    let approval = rule.approval.as_ref().map(|by| {
        let reason = if by.reason { ", with a reason" } else { "" };
        format!("{} decide within {}{reason}", clean_line(&by.groups.join(", ")), by.expires)
    });
    Shown {
        name: clean_line(&rule.name),
        action,
        tone,
        observe: word_of(rule, "observe") == "true",
        when: when.map(|(name, value)| (clean_line(name), clean_line(&flat(value)))).collect(),
        message: rule.message.as_deref().map(clean_line).unwrap_or_default(),
        approval: approval.unwrap_or_default(),
    }
}

fn word_of(rule: &Rule, field: &str) -> String {
    serde_json::to_value(rule).ok().and_then(|rule| rule.get(field).map(flat)).unwrap_or_default()
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).map(|value| flat(&value)).unwrap_or_default()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        _ => false,
    }
}

/// A value in one line.
fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(flat).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !is_nothing(value));
            said.map(|(name, value)| format!("{name} {}", flat(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The settings of an object that say something, one after the other.
fn set(value: &Value) -> String {
    short(&clean_line(&flat(value)), 300)
}

/// `GET /policy/trial`.
pub async fn form(visitor: Visitor, state: State<Arc<Control>>) -> Result<Response, Failure> {
    // Whoever may not read the policy may not try it either.
    let _may = http::policy::effective(visitor.person.clone(), state.clone()).await?;
    Ok(page(&TrialPage {
        shell: visitor.policy(&state, "Try the policy", "/policy/trial"),
        subject: "someone".into(),
        groups: String::new(),
        model: "claude-sonnet-4-5".into(),
        prompt: String::new(),
        tool: String::new(),
        input: String::new(),
        known: groups(&state),
        came: None,
    }))
}

/// Groups that the policy names, to choose from.
fn groups(control: &Control) -> Vec<String> {
    let out = control.bundle.borrow();
    let mut groups: Vec<String> = out
        .policy
        .bindings
        .iter()
        .flat_map(|binding| &binding.groups)
        .map(|group| clean_line(group))
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

/// `POST /policy/trial`.
pub async fn trial(state: State<Arc<Control>>, Sent { visitor, form }: Sent) -> Result<Response, Failure> {
    let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
    let (subject, groups_asked, model, prompt) =
        (text("subject"), text("groups"), text("model"), text("prompt"));
    let (tool, input) = (text("tool"), text("input"));
    let request = match serde_json::from_str::<Value>(&prompt) {
        Ok(body) if body.is_object() => body,
        _ => {
            let said = if prompt.is_empty() { "Hello." } else { &prompt };
            json!({"model": model, "max_tokens": 1024, "messages": [{"role": "user", "content": said}]})
        }
    };
    let reply = match tool.as_str() {
        "" => Value::Null,
        tool => {
            let input = match serde_json::from_str::<Value>(&input) {
                Ok(input) if input.is_object() => input,
                _ if input.starts_with('{') => {
                    return Err(Problem::bad_request("the tool's input begins as JSON and is none").into());
                }
                _ => json!({"command": input, "sql": input, "query": input}),
            };
            json!({
                "id": "msg_trial", "type": "message", "role": "assistant", "model": model, "stop_reason": "tool_use",
                "content": [{"type": "tool_use", "id": "toolu_trial", "name": tool, "input": input}],
                "usage": {"input_tokens": 1, "output_tokens": 1},
            })
        }
    };
    let list: Vec<&str> =
        groups_asked.split([',', ' ']).map(str::trim).filter(|group| !group.is_empty()).collect();
    let mut asked = json!({"subject": subject, "groups": list, "request": request});
    if let (Some(fields), false) = (asked.as_object_mut(), reply.is_null()) {
        fields.insert("reply".into(), reply);
    }
    let person = visitor.person.clone();
    let Json(tried) = http::policy::trial(person, state.clone(), Bytes::from(asked.to_string())).await?;
    Ok(page(&TrialPage {
        shell: visitor.policy(&state, "Try the policy", "/policy/trial"),
        known: groups(&state),
        came: Some(came(&tried)),
        subject,
        groups: groups_asked,
        model,
        prompt,
        tool,
        input,
    }))
}

fn came(tried: &Tried) -> Came {
    let outcome = &tried.outcome;
    let tone = match outcome.verdict {
        Verdict::Allow => "allow",
        Verdict::Hold => "hold",
        Verdict::Deny => "deny",
    };
    let roles = tried.roles.iter().map(|role| {
        let through = match (&role.binding, &role.group) {
            (Some(binding), Some(group)) => format!("binding {binding}, group {group}"),
            (Some(binding), None) => format!("binding {binding}, by name"),
            (None, _) => "a grant".into(),
        };
        clean_line(&format!("{} through {through}", role.role))
    });
    Came {
        verdict: outcome.verdict.name(),
        tone,
        rule: outcome.rule.as_deref().map(clean_line).unwrap_or_default(),
        status: outcome.status.map(|status| status.to_string()).unwrap_or_default(),
        roles: roles.collect(),
        lines: outcome.steps.iter().flat_map(lines).map(|(what, text)| (what, marked(&text))).collect(),
        messages: outcome.messages.iter().map(|message| clean(message)).collect(),
        forwarded: tried.forwarded.as_deref().map(|body| {
            let pretty = serde_json::from_str::<Value>(body).ok();
            let pretty = pretty.and_then(|body| serde_json::to_string_pretty(&body).ok());
            marked(&short(pretty.as_deref().unwrap_or(body), 20_000))
        }),
    }
}

/// A step of a trial in words.
fn lines(step: &Step) -> Vec<(&'static str, String)> {
    match step {
        Step::Right { what, name, allowed, role, entry, why } => {
            let by = match (role, entry) {
                (Some(role), Some(entry)) => format!("role {role} ({entry})"),
                (Some(role), None) => format!("role {role}, which lists none and so takes any"),
                _ => why.clone().unwrap_or_default(),
            };
            let verdict = if *allowed { "allowed" } else { "not allowed" };
            vec![("right", format!("{} {name}: {verdict} by {by}", what.replace('_', " ")))]
        }
        Step::Limit { field, value, limit, role, allowed } => {
            let role = role.as_deref().unwrap_or("none");
            let text = match (limit, allowed) {
                (None, _) => format!("{field} {value}: role {role} sets no limit"),
                (Some(limit), true) => format!("{field} {value}: within {limit} of role {role}"),
                (Some(limit), false) => format!("{field} {value}: over {limit} of role {role}"),
            };
            vec![("limit", text)]
        }
        Step::Found { pointer, kind, count, masked, .. } => {
            let became = if *masked { "masked" } else { "not masked" };
            vec![("found", format!("{count} {kind} in {pointer}: {became}"))]
        }
        Step::Restored { pointer, count } => vec![("restored", format!("{count} in {pointer}"))],
        Step::Call { tool, statements, .. } => {
            let mut all = vec![("call", tool.clone())];
            all.extend(statements.iter().map(|statement| ("", statement.clone())));
            all
        }
        Step::Rules { part, tool, rules, .. } => {
            let of = tool.as_ref().map(|tool| format!(" of {tool}")).unwrap_or_default();
            let mut all = vec![("rules", format!("on the {}{of}", word(part)))];
            for looked in rules.iter().filter(|looked| looked.unmet != Some("part")) {
                let text = match looked.unmet {
                    None => format!("{}: matched, {}", looked.rule, word(&looked.action)),
                    Some(unmet) => format!("{}: not matched, because of {unmet}", looked.rule),
                };
                all.push(("", text));
            }
            all
        }
    }
}
