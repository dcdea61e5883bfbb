//! Rules: what is denied or held beyond what roles say.

use serde::{Deserialize, Serialize};

use super::Duration;

/// A rule: when all of `when` holds for some part of an exchange, the action is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Name that denials, holds and records carry.
    pub name: String,
    /// The conditions; all of those given must hold.
    #[serde(default)]
    pub when: When,
    /// What happens. The most restrictive action among the rules that match wins: deny, then hold, then allow.
    pub action: Action,
    /// What the caller reads. Absent: a sentence made from the rule's name.
    #[serde(default)]
    pub message: Option<String>,
    /// Who may approve, for `hold`.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Only record that the rule would have acted.
    #[serde(default)]
    pub observe: bool,
}

/// The conditions of a rule. A list holds when one of its entries does; an absent condition always holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// Which part of an exchange is looked at. Absent: tool calls when `tool`, `input` or `effects` is given,
    /// else prompts and tool results.
    pub part: Vec<Part>,
    /// Route names, as globs.
    pub routes: Vec<String>,
    /// Groups of the principal (exact).
    pub groups: Vec<String>,
    /// Model names, as globs.
    pub models: Vec<String>,
    /// A regular expression searched for in the part's text.
    pub text: Option<String>,
    /// Tool names, as globs. For a tool call; for a tool result, the tool that gave it.
    pub tools: Vec<String>,
    /// A regular expression searched for in every string of the tool's input.
    pub input: Option<String>,
    /// Finding kinds (globs) in the part.
    pub findings: Vec<String>,
    /// Effects of the commands in the tool's input. A command that was not understood has the effect `unknown`
    /// alone: list `unknown` too where it should count as the worst.
    pub effects: Vec<crate::command::Effect>,
    /// Files that a tool call names, as globs over their paths.
    pub paths: Vec<String>,
    /// Files that do not count for `paths`.
    pub paths_except: Vec<String>,
    /// Hosts that a tool call names, as globs.
    pub hosts: Vec<String>,
    /// Hosts that do not count for `hosts`.
    pub hosts_except: Vec<String>,
    /// The part is larger than this, in bytes.
    pub larger_than: Option<u64>,
    /// Tools that the request offers to the model, as globs over their names and types.
    pub tools_offered: Vec<String>,
    /// MCP servers that the request brings along, as globs over their URLs.
    pub mcp_servers: Vec<String>,
    /// `anthropic-beta` values of the request, as globs.
    pub betas: Vec<String>,
}

/// A part of an exchange that rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Nothing; recorded.
    Allow,
    /// Waits for a person.
    Hold,
    /// Refused.
    Deny,
}

/// Who may approve a hold, and within what time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// Groups of which an approver must be a member. Never the requester, whatever the groups.
    pub groups: Vec<String>,
    /// After this the hold is denied. Default 1 h.
    #[serde(default = "Approval::default_expires")]
    pub expires: Duration,
    /// Whether a reason must be given. Default true.
    #[serde(default = "yes")]
    pub reason: bool,
}

impl Approval {
    /// One hour.
    pub fn default_expires() -> Duration {
        Duration::hours(1)
    }
}

/// Which field of a tool's input holds a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandField {
    /// Tool names, as globs.
    pub tools: Vec<String>,
    /// Field names; found at any depth of the input.
    pub fields: Vec<String>,
    /// How the field's text is read.
    pub language: Language,
}

/// Which fields of a tool's input hold something, beside those that are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolFields {
    /// Tool names, as globs.
    pub tools: Vec<String>,
    /// Field names; found at any depth of the input, whatever their case, with `_` and `-` or without.
    pub fields: Vec<String>,
}

/// How a command is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Language {
    /// SQL of PostgreSQL, MySQL, SQLite or T-SQL.
    Sql,
    /// POSIX shell and bash.
    Shell,
}

fn yes() -> bool {
    true
}
