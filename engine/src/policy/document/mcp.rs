//! MCP servers that callers reach through the filter.

use serde::{Deserialize, Serialize};

use super::{Approval, Duration};

/// An MCP server behind the filter. The scope `mcp.NAME` lets a caller use it; which of its tools, the role's `tools`
/// say, as `mcp__NAME__TOOL`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpServer {
    /// Name in scopes and tool names: letters, digits, `-` and single `_`. Clients should call the server the same, so
    /// that one rule fits what the model calls and what reaches the server.
    ///
    /// Example: `notes`
    pub name: String,
    /// The exact path of the server's endpoint, as clients send it: `/mcp/notes`.
    ///
    /// Example: `/mcp/notes`
    pub path: String,
    /// Only on this host, as clients send it (with a port where it is to count). Absent: on any.
    ///
    /// Example: `mcp.internal.example`
    #[serde(default)]
    pub host: Option<String>,
    /// What the server may ask of the client. Default: nothing.
    ///
    /// Example: `[elicitation]`
    #[serde(default)]
    pub server_may_ask: Vec<ServerAsk>,
    /// Further methods that pass, as globs, beside those of the specification; masked and recorded. Default: none.
    ///
    /// Example: `["x/*"]`
    #[serde(default)]
    pub methods: Vec<String>,
    /// Whether the caller's `authorization` goes on to the server. Default: no; Envoy puts the server's own on.
    ///
    /// Example: `true`
    #[serde(default)]
    pub pass_token: bool,
    /// Watches the definitions of the server's tools. Absent: they may change as they like.
    ///
    /// Example: `{ approval: { groups: [platform] } }`
    #[serde(default)]
    pub definitions: Option<Definitions>,
    /// How long a call waits for an approval before the client is told to call again. Clients give up on their own:
    /// the TypeScript SDK after 60 s by default. Default: the plugin's `holdSeconds`.
    ///
    /// Example: `50s`
    #[serde(default)]
    pub wait: Option<Duration>,
}

/// What a server may ask of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ServerAsk {
    /// A completion by the client's model (`sampling/createMessage`).
    Sampling,
    /// An answer by the client's user (`elicitation/create`).
    Elicitation,
    /// The client's folders (`roots/list`).
    Roots,
}

/// How the definitions of tools (name, description, schemas, annotations) are watched. One that changed is left out of
/// lists, and calls of its tool wait, until someone approves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definitions {
    /// What happens to a tool that was never seen.
    ///
    /// Example: `approve`
    #[serde(default)]
    pub first: FirstSeen,
    /// Who approves a definition.
    ///
    /// Example: `{ groups: [platform] }`
    pub approval: Approval,
}

/// What happens to a tool that was never seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum FirstSeen {
    /// Its first definition counts as approved.
    #[default]
    Trust,
    /// Its first definition needs an approval, too.
    Approve,
}
