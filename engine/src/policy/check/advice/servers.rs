//! MCP servers that are never reached, or wait for longer than anybody does.

use super::Found;
use crate::policy::document::Policy;

/// The longest that a request waits in the filter, in seconds (the plugin's `holdSeconds` as it comes).
const PATIENCE: u64 = 270;

pub(super) fn advice(policy: &Policy, found: &mut Found) {
    for (n, server) in policy.mcp.iter().enumerate() {
        if server.host.as_ref().is_some_and(|host| host.contains('/')) {
            let why = "a host is compared as clients send it, without a scheme and a path: `mcp.example.com`; no request \
                       is for this one";
            found.add(format!("mcp[{n}].host"), why);
        }
        if server.wait.is_some_and(|wait| wait.as_seconds() > PATIENCE) {
            let why = format!(
                "clients and proxies give up at 300s; wait {PATIENCE}s at most, and let them call again"
            );
            found.add(format!("mcp[{n}].wait"), why);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_host_with_a_scheme_and_a_wait_that_outlasts_clients_are_told() {
        let told = |field: &str, value: Value| {
            let mut server = json!({"name": "n", "path": "/mcp/n"});
            server[field] = value;
            let mut found = Found::default();
            advice(&serde_json::from_value(json!({"mcp": [server]})).unwrap(), &mut found);
            found.0.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
        };
        assert_eq!(told("host", json!("https://n.test")), ["mcp[0].host"]);
        assert_eq!(told("host", json!("n.test:8080")), [""; 0]);
        assert_eq!(told("wait", json!("271s")), ["mcp[0].wait"]);
        assert_eq!(told("wait", json!("270s")), [""; 0]);
    }
}
