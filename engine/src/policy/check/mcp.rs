//! MCP servers: names that fit into tool names, paths that are nobody else's.

use super::Found;
use crate::claude::routes;
use crate::policy::document::Policy;

pub(super) fn check(policy: &Policy, found: &mut Found) {
    found.names("mcp", policy.mcp.iter().map(|server| &server.name));
    for (n, server) in policy.mcp.iter().enumerate() {
        let place = |field: &str| format!("mcp[{n}].{field}");
        let plain =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !server.name.is_empty() && !server.name.split('_').all(plain) {
            found.add(
                place("name"),
                "a server's name is letters, digits, `-` and single `_`: it is part of `mcp__NAME__TOOL`",
            );
        }
        if !routes::is_plain(&server.path) || server.path == "/" {
            found.add(place("path"), "it is the path of the endpoint in plain form, such as `/mcp/notes`");
        } else if routes::claims(&server.path) {
            found.add(
                place("path"),
                "this path belongs to the Claude API; choose another, and let Envoy rewrite it",
            );
        }
        let same = |other: &&crate::policy::document::McpServer| {
            other.path == server.path && (other.host == server.host || other.host.is_none())
        };
        if let Some(other) = policy.mcp.iter().take(n).find(same) {
            found.add(place("path"), format!("`{}` is at this path already", other.name));
        }
        found.globs(&place("methods"), &server.methods);
        if let Some(definitions) = &server.definitions {
            if definitions.approval.groups.iter().all(String::is_empty) {
                found.add(
                    place("definitions.approval.groups"),
                    "it names no group, so that nobody could approve",
                );
            }
            if definitions.approval.expires.as_seconds() == 0 {
                found.add(place("definitions.approval.expires"), "zero would deny every hold at once");
            }
        }
        if server.wait.is_some_and(|wait| wait.as_seconds() == 0) {
            found.add(place("wait"), "zero would wait for nobody; leave it out for the default");
        }
    }
}
