//! Rules: that each can be compiled and can match.

use super::{Found, check_together};
use crate::claude::routes;
use crate::mcp::routes as mcp;
use crate::policy::document::{Part, Policy, Rule};
use crate::policy::server::ServerGlob;
use crate::policy::{pattern, rule};
use crate::target::{HostGlob, PathGlob};

/// Names that records give to decisions of the engine itself.
pub(super) const RESERVED: &[&str] = &[
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
    "budget",
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
        found.each(&place("when.paths"), &rule.when.paths, PathGlob::new);
        found.each(&place("when.pathsExcept"), &rule.when.paths_except, PathGlob::new);
        found.each(&place("when.hosts"), &rule.when.hosts, HostGlob::new);
        found.each(&place("when.hostsExcept"), &rule.when.hosts_except, HostGlob::new);
        found.globs(&place("when.toolsOffered"), &rule.when.tools_offered);
        found.each(&place("when.mcpServers"), &rule.when.mcp_servers, ServerGlob::new);
        found.globs(&place("when.betas"), &rule.when.betas);
        for (field, regex, all) in
            [("when.text", &rule.when.text, &mut texts), ("when.input", &rule.when.input, &mut inputs)]
        {
            match regex.as_deref().map(|regex| (regex, pattern::check(regex))) {
                Some((_, Err(why))) => found.add(place(field), why),
                Some((regex, Ok(()))) => all.push(regex),
                None => {}
            }
        }
        if !rule::parts(rule).iter().any(|part| can_match(rule, *part)) {
            found.add(place("when"), never(rule));
        }
    }
    check_together("rules[].when.text", &texts, found);
    check_together("rules[].when.input", &inputs, found);
}

/// Whether the conditions can hold together for the part: a tool call has an input and no text, a request has what it
/// asks for and nothing else, other parts have text, and only tool calls and their results belong to a tool.
fn can_match(rule: &Rule, part: Part) -> bool {
    let when = &rule.when;
    let (call, request) = (part == Part::ToolCall, part == Part::Request);
    (when.text.is_none() || !(call || request))
        && (!rule::is_about_calls(when) || call)
        && (!rule::is_about_requests(when) || request)
        && (when.findings.is_empty() || !request)
        && (when.tools.is_empty() || call || part == Part::ToolResult)
}

fn never(rule: &Rule) -> &'static str {
    let when = &rule.when;
    let parts = rule::parts(rule);
    if rule::is_about_requests(when) {
        "the rule can never match: `toolsOffered`, `mcpServers` and `betas` are about a request as a whole, which has no text, findings or tool call; give those conditions to a rule of their own, and leave `part` out"
    } else if when.text.is_some() && parts.contains(&Part::ToolCall) {
        "the rule can never match: a tool call has no `text`; look into its strings with `input`, or name another `part`"
    } else if parts == [Part::Request] {
        "the rule can never match: a request as a whole has a size, tools, MCP servers and betas; for anything else name another `part`"
    } else {
        "the rule can never match: `tools`, `input`, `effects`, `paths` and `hosts` are about tool calls (`tools` also about tool results); add `part: [toolCall]` or leave `part` out"
    }
}
