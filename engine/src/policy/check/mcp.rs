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
        if server.wait.is_some_and(|wait| wait.as_seconds() == 0) {
            found.add(place("wait"), "zero would wait for nobody; leave it out for the default");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(servers: Value) -> Vec<(String, String)> {
        let policy: Policy = serde_json::from_value(json!({ "mcp": servers })).unwrap();
        let mut found = Found::default();
        check(&policy, &mut found);
        found.0.into_iter().map(|problem| (problem.field, problem.why)).collect()
    }

    #[test]
    fn each_mistake_is_found_where_it_is() {
        let good = json!({"name":"notes","path":"/mcp/notes","methods":["vendor/*"],"serverMayAsk":["roots"],
            "definitions":{"approval":{"groups":["approvers"]}},"wait":"50s"});
        assert_eq!(found(json!([good])), []);
        for (field, value, place, why) in [
            ("name", json!("two__parts"), "mcp[0].name", "single `_`"),
            ("name", json!("a.b"), "mcp[0].name", "letters, digits"),
            ("name", json!(""), "mcp[0].name", "no name"),
            ("path", json!("/"), "mcp[0].path", "plain form"),
            ("path", json!("/mcp/../v1"), "mcp[0].path", "plain form"),
            ("path", json!("mcp"), "mcp[0].path", "plain form"),
            ("path", json!("/v1/messages"), "mcp[0].path", "belongs to the Claude API"),
            ("path", json!("/api/hello"), "mcp[0].path", "belongs to the Claude API"),
            ("methods", json!(["[a]"]), "mcp[0].methods[0]", "no meaning"),
            ("wait", json!("0s"), "mcp[0].wait", "nobody"),
        ] {
            let mut server = good.clone();
            server[field] = value;
            let problems = found(json!([server]));
            assert!(
                problems.iter().any(|(at, says)| at == place && says.contains(why)),
                "{place}: {problems:?}"
            );
        }
        let other = |host: Value| json!({"name":"other","path":"/mcp/notes","host":host});
        assert_eq!(found(json!([good, other(json!("a.test"))]))[0].0, "mcp[1].path");
        assert_eq!(found(json!([other(json!("a.test")), good])), []);
    }
}
