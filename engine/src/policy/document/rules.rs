//! Rules: what is denied or held beyond what roles say.

use serde::{Deserialize, Serialize};

use super::Approval;

/// When all of `when` holds for some part of an exchange, the action is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Name that denials, holds and records carry. Given once.
    ///
    /// Example: `no-destruction`
    pub name: String,
    /// The conditions; all that are given must hold. None: every prompt and tool result.
    #[serde(default)]
    pub when: When,
    /// What happens.
    ///
    /// Example: `deny`
    pub action: Action,
    /// What the caller reads: say what to do instead. Absent: a sentence made from the rule's name.
    ///
    /// Example: `Readers only look. Ask for the group writers to change something.`
    #[serde(default)]
    pub message: Option<String>,
    /// Who may approve; for `action: hold`, and needed there.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Only record that the rule would have acted. Begin with this, look at the records, then leave it out.
    ///
    /// Example: `true`
    #[serde(default)]
    pub observe: bool,
}

/// The conditions of a rule. A list holds when one of its entries does; an absent condition always holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// Which parts of an exchange are looked at. Absent: what the other conditions are about (a request, tool calls), else
    /// prompts and tool results.
    ///
    /// Example: `[toolResult]`
    pub part: Vec<Part>,
    /// Route names, as globs.
    ///
    /// Example: `["messages.*"]`
    pub routes: Vec<String>,
    /// Groups of the caller (exact).
    ///
    /// Example: `[readers]`
    pub groups: Vec<String>,
    /// Model names, as globs.
    ///
    /// Example: `["claude-opus-*"]`
    pub models: Vec<String>,
    /// A regular expression (syntax of the Rust crate `regex`, classes in ASCII) searched for in the part's text, as it
    /// stands and without disguises: zero-width characters, full-width and mathematical letters, HTML entities. `(?i)` in
    /// front: case does not count.
    ///
    /// Example: `(?i)ignore (all )?previous instructions`
    pub text: Option<String>,
    /// Tool names, as globs. Of a tool call; of a tool result, the tool that gave it.
    ///
    /// Example: `[Write, "mcp__*__query"]`
    pub tools: Vec<String>,
    /// A regular expression searched for in every text of a tool call's input, names of fields included.
    ///
    /// Example: `(?i)prod(uction)?`
    pub input: Option<String>,
    /// Kinds of personal data or secrets in the part, as globs.
    ///
    /// Example: `[payment_card, "*_key"]`
    pub findings: Vec<String>,
    /// What the commands in a tool call would do. A command that is not understood has the effect `unknown` alone: list
    /// `unknown` too where it should count as the worst. Try it: `sluice effect sql`, `sluice effect shell`.
    ///
    /// Example: `[destroy, grant, administer]`
    pub effects: Vec<crate::command::Effect>,
    /// Files that a tool call names, as globs: `*` is any run of characters, slashes too, and `/a/*` is also `/a` itself.
    /// `//`, `.`, `..`, `~` and case are seen through; a path of which it cannot be told where it leads fits every glob.
    /// Paths that are written out in shell commands count, those that a command makes up do not.
    ///
    /// Example: `["/etc/*", "~/.ssh/*", "*/.env"]`
    pub paths: Vec<String>,
    /// Files that do not count, as globs; without `paths`, all others in fields for paths do. Relative paths are written
    /// `./x`. Only what leads there for certain is an exception: no `..`, no other case.
    ///
    /// Example: `["/workspace/*", "./*"]`
    pub paths_except: Vec<String>,
    /// Hosts that a tool call names, as globs, without scheme and port. User parts, encodings, numbers for addresses and
    /// other tricks are seen through; a URL that readers may take for different hosts fits every glob. URLs and hosts that
    /// are written out in shell commands count.
    ///
    /// Example: `[localhost, "10.*", 169.254.169.254, "*.internal"]`
    pub hosts: Vec<String>,
    /// Hosts that do not count, as globs; without `hosts`, all others in URLs do. `*.example.com` is not `example.com`: write both.
    ///
    /// Example: `[docs.example.com, "*.docs.example.com"]`
    pub hosts_except: Vec<String>,
    /// The part is larger than this, in bytes: a text, the JSON of a tool call's input, or (`part: [request]`) of a whole
    /// request.
    ///
    /// Example: `200000`
    pub larger_than: Option<u64>,
    /// Tools that the request offers to the model, as globs over their names and types.
    ///
    /// Example: `["computer*", code_execution]`
    pub tools_offered: Vec<String>,
    /// MCP servers that the request asks the provider to call, as globs over their URLs.
    ///
    /// Example: `["https://*.example.com"]`
    pub mcp_servers: Vec<String>,
    /// `anthropic-beta` values of the request, in headers or body, as globs.
    ///
    /// Example: `["files-api-*"]`
    pub betas: Vec<String>,
}

/// A part of an exchange that rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// System text and what user messages say.
    Prompt,
    /// What tools gave back, on its way to the model.
    ToolResult,
    /// A tool call by the model, on its way to the agent.
    ToolCall,
    /// A request as a whole: its size, the tools, MCP servers and betas that it asks for. Of a batch, each request.
    Request,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It goes on, and the record names the rule.
    Allow,
    /// It waits until a person approves or denies it, or the time is over.
    Hold,
    /// It is refused: a request with 403, a tool call by a text in its place.
    Deny,
}

/// Which field of a tool's input holds a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandField {
    /// Tool names, as globs.
    ///
    /// Example: `["query_*", run_sql]`
    pub tools: Vec<String>,
    /// Field names (exact), found at any depth of the input, also in JSON inside texts.
    ///
    /// Example: `[sql]`
    pub fields: Vec<String>,
    /// How the field's text is read.
    ///
    /// Example: `sql`
    pub language: Language,
}

/// Which fields of a tool's input hold something, beside those that are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolFields {
    /// Tool names, as globs.
    ///
    /// Example: `["mcp__cms__*"]`
    pub tools: Vec<String>,
    /// Field names, found at any depth of the input, also in JSON inside texts. `assetKey`, `asset_key` and `Asset-Key` are
    /// one name.
    ///
    /// Example: `[asset_key]`
    pub fields: Vec<String>,
}

/// How a command is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Language {
    /// SQL of PostgreSQL, MySQL, SQLite or T-SQL.
    Sql,
    /// POSIX shell and bash.
    Shell,
}
