//! MCP servers, compiled.

use super::document::{McpServer, ServerAsk};
use super::glob::{self, Glob, globs};
use super::rights::Wrong;

/// An MCP server behind the filter.
#[derive(Debug)]
pub struct CompiledMcp {
    /// As the policy has it.
    pub server: McpServer,
    /// The scope that a caller needs.
    pub scope: String,
    methods: Vec<Glob>,
}

impl CompiledMcp {
    pub(super) fn new(server: &McpServer) -> Result<Self, Wrong> {
        let methods =
            globs(&server.methods).map_err(|(n, why)| (format!("methods[{n}]"), why.to_string()))?;
        Ok(Self { server: server.clone(), scope: scope(&server.name), methods })
    }

    /// The name by which roles and rules know one of its tools.
    pub fn tool(&self, tool: &str) -> String {
        format!("mcp__{}__{tool}", self.server.name)
    }

    /// Whether policy lets this method pass although the specification does not know it.
    pub fn takes(&self, method: &str) -> bool {
        glob::first(&self.methods, method).is_some()
    }

    /// Whether the server may ask this of the client.
    pub fn may_ask(&self, ask: ServerAsk) -> bool {
        self.server.server_may_ask.contains(&ask)
    }

    /// Whether a request to this authority and path is for the server.
    pub(super) fn is_at(&self, authority: &str, path: &str) -> bool {
        let fits = |host: &String| {
            let bare = authority.rsplit_once(':').map_or(authority, |(bare, _)| bare);
            host.eq_ignore_ascii_case(authority) || !host.contains(':') && host.eq_ignore_ascii_case(bare)
        };
        self.server.path == path && self.server.host.as_ref().is_none_or(fits)
    }
}

/// The scope that an MCP server takes.
pub fn scope(server: &str) -> String {
    format!("mcp.{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_at_its_exact_path_and_host() {
        let at = |host: Option<&str>, authority: &str, path: &str| {
            let server = serde_json::json!({"name": "n", "path": "/mcp/n", "host": host});
            CompiledMcp::new(&serde_json::from_value(server).unwrap()).unwrap().is_at(authority, path)
        };
        for (host, authority, path, expected) in [
            (None, "any:8080", "/mcp/n", true),
            (None, "any:8080", "/mcp/n?x=1", false),
            (None, "any:8080", "/mcp/n/", false),
            (None, "any:8080", "/mcp/N", false),
            (Some("notes.test"), "notes.test", "/mcp/n", true),
            (Some("notes.test"), "NOTES.test:8080", "/mcp/n", true),
            (Some("notes.test"), "other.test", "/mcp/n", false),
            (Some("notes.test"), "", "/mcp/n", false),
            (Some("notes.test:80"), "notes.test:80", "/mcp/n", true),
            (Some("notes.test:80"), "notes.test:81", "/mcp/n", false),
            (Some("notes.test:80"), "notes.test", "/mcp/n", false),
        ] {
            assert_eq!(at(host, authority, path), expected, "{host:?} {authority} {path}");
        }
    }
}
