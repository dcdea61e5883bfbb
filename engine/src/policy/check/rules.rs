//! Rules: that each can be compiled, can match, and says who approves.

use super::{Found, check_together};
use crate::claude::routes;
use crate::mcp::routes as mcp;
use crate::policy::document::{Action, Part, Policy, Rule};
use crate::policy::{pattern, rule};

/// Names that records give to decisions of the engine itself.
const RESERVED: &[&str] = &[
    "token",
    "route",
    "scope",
    "model",
    "tool",
    "server_tool",
    "mcp_server",
    "beta",
    "max_tokens",
    "thinking_budget",
    "media",
    "body",
    "method",
    "tool_definition",
];

pub(super) fn check(policy: &Policy, found: &mut Found) {
    found.names("rules", policy.rules.iter().map(|rule| &rule.name));
    let routes: Vec<_> = routes::all().chain(mcp::ROUTES).map(|route| route.name).collect();
    let (mut texts, mut inputs) = (Vec::new(), Vec::new());
    for (n, rule) in policy.rules.iter().enumerate() {
        let place = |field: &str| format!("rules[{n}].{field}");
        if RESERVED.contains(&rule.name.as_str()) {
            let why = format!(
                "`{}` is a name that records use for the gateway's own decisions; choose another",
                rule.name
            );
            found.add(place("name"), why);
        }
        found.known(&place("when.routes"), "route", &rule.when.routes, &routes);
        found.globs(&place("when.models"), &rule.when.models);
        found.globs(&place("when.tools"), &rule.when.tools);
        found.globs(&place("when.findings"), &rule.when.findings);
        for (field, regex, all) in
            [("when.text", &rule.when.text, &mut texts), ("when.input", &rule.when.input, &mut inputs)]
        {
            match regex.as_deref().map(|regex| (regex, pattern::check(regex))) {
                Some((_, Err(why))) => found.add(place(field), why),
                Some((regex, Ok(()))) => all.push(regex),
                None => {}
            }
        }
        check_approval(n, rule, found);
        if !rule::parts(rule).iter().any(|part| can_match(rule, *part)) {
            found.add(place("when"), never(rule));
        }
    }
    check_together("rules[].when.text", &texts, found);
    check_together("rules[].when.input", &inputs, found);
}

fn check_approval(n: usize, rule: &Rule, found: &mut Found) {
    let place = |field: &str| format!("rules[{n}].{field}");
    match (&rule.approval, rule.action) {
        (None, Action::Hold) => {
            found.add(
                place("approval"),
                "a rule that holds must say who may approve: `approval: {groups: [...]}`",
            );
        }
        (Some(_), Action::Allow | Action::Deny) => {
            found.add(place("approval"), "only a rule with `action: hold` is approved; remove it, or hold");
        }
        (Some(approval), Action::Hold) => {
            if approval.groups.iter().all(String::is_empty) {
                found.add(place("approval.groups"), "it names no group, so that nobody could approve");
            }
            if approval.expires.as_seconds() == 0 {
                found.add(place("approval.expires"), "zero would deny every hold at once");
            }
        }
        (None, Action::Allow | Action::Deny) => {}
    }
}

/// Whether the conditions can hold together for the part: a tool call has an input and no text, other parts have
/// text, and only tool calls and their results belong to a tool.
fn can_match(rule: &Rule, part: Part) -> bool {
    let when = &rule.when;
    let call = part == Part::ToolCall;
    (when.text.is_none() || !call)
        && ((when.input.is_none() && when.effects.is_empty()) || call)
        && (when.tools.is_empty() || call || part == Part::ToolResult)
}

fn never(rule: &Rule) -> &'static str {
    let when = &rule.when;
    if when.text.is_some() && rule::parts(rule).contains(&Part::ToolCall) {
        "the rule can never match: a tool call has no `text`; look into its strings with `input`, or name another `part`"
    } else {
        "the rule can never match: `tools`, `input` and `effects` are about tool calls (`tools` also about tool results); add `part: [toolCall]` or leave `part` out"
    }
}
