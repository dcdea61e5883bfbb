//! What stands in a `*.test.yaml` file, as types. `docs/policy-tests.md` shows it to people.
//!
//! Field names are camelCase in YAML. Unknown fields are errors: a misspelt expectation must not silently vanish.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use sluice_engine::command::Effect;

use super::forms::{CallerForm, Names, ToolForm};
use crate::trial::exchange::{Answer, Verdict};

/// A file of cases.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TestFile {
    /// The policy: files or directories, seen from this file's folder; together they make one policy. Absent: the
    /// file beside this one that has its name without `.test`.
    pub policy: Names,
    /// Callers, by the name that cases use.
    pub principals: BTreeMap<String, Caller>,
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// Who is calling, as a token would say it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Caller {
    /// The subject. Absent: the name under which the principal stands in the file, or `someone`.
    pub subject: Option<String>,
    /// The groups.
    pub groups: Names,
    /// The scopes of the token. Absent: the token carries none and so does not narrow.
    pub scopes: Option<Names>,
    /// The issuer, by its name in the policy. Absent: the policy's first.
    pub issuer: Option<String>,
}

/// One exchange, and what is expected to come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What the case shows, as a sentence.
    pub name: String,
    /// The caller: a name among `principals`, or one written here.
    pub principal: CallerForm,
    /// What the caller sends. Absent: a short prompt that nothing is wrong with.
    #[serde(default)]
    pub request: Request,
    /// What the API answers. Absent: only the request is judged.
    #[serde(default)]
    pub reply: Option<Reply>,
    /// What reviewers say to all that is held. Absent: nothing yet, so that the verdict is `hold`.
    #[serde(default)]
    pub holds: Answer,
    /// What must come of it.
    pub expect: Expect,
}

/// What the caller sends: a whole body (`body`, `file`), or short forms from which one is made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Request {
    /// Method and path. Absent: `POST /v1/messages`.
    pub route: Option<String>,
    /// Headers; `anthropic-beta`, `content-encoding` and those of the session are looked at.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<Value>,
    /// A file with the body, seen from the test file's folder.
    pub file: Option<PathBuf>,
    /// Short form: the model. Absent: `claude-sonnet-4-5`.
    pub model: Option<String>,
    /// Short form: the system text.
    pub system: Option<String>,
    /// Short form: what the user says.
    pub prompt: Option<String>,
    /// Short form: a tool that was called, and what it gave back.
    pub tool_result: Option<ToolResult>,
    /// Short form: the tools that are offered to the model, by name or as the API takes them.
    pub tools: Vec<ToolForm>,
    /// Short form: URLs of MCP servers that the API is to call.
    pub mcp_servers: Names,
    /// Short form: values of `anthropic-beta`.
    pub betas: Names,
    /// Short form: `max_tokens`. Absent: 1024.
    pub max_tokens: Option<u64>,
    /// Short form: `thinking.budget_tokens`.
    pub thinking_budget: Option<u64>,
}

impl Request {
    /// Whether the body is given as it is, and not made from short forms.
    pub fn is_whole(&self) -> bool {
        self.body.is_some() || self.file.is_some()
    }
}

/// What a tool gave back.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolResult {
    /// The tool.
    pub tool: String,
    /// Its result.
    pub text: String,
}

/// What the API answers: a whole message (`body`, `file`), a stream (`stream`, `file`), or short forms from which a
/// message is made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Reply {
    /// The status. Absent: 200.
    pub status: Option<u16>,
    /// The message.
    pub body: Option<Value>,
    /// Server-sent events, as text.
    pub stream: Option<String>,
    /// A file with either, seen from the test file's folder.
    pub file: Option<PathBuf>,
    /// Short form: what the model says.
    pub text: Option<String>,
    /// Short form: a tool that the model calls.
    pub call: Option<Call>,
    /// Short form: several calls in one reply.
    pub calls: Vec<Call>,
    /// Whether a message comes as a whole, as a stream, or is tried both ways, which must come to the same.
    pub sent: Sent,
}

/// A tool call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// The tool.
    pub tool: String,
    /// Its input. Absent: empty.
    #[serde(default = "empty")]
    pub input: Value,
    /// Whether the provider runs the tool itself (`server_tool_use`).
    #[serde(default)]
    pub server: bool,
}

/// How a message reaches the filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sent {
    /// Both ways.
    #[default]
    Both,
    /// As one JSON body.
    Whole,
    /// As server-sent events.
    Stream,
}

/// What must come of a case. What is not written is not looked at.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    /// The verdict on the exchange: the most restrictive of those on its parts, or `hold` when it waits.
    pub verdict: Verdict,
    /// The rule that decided, or the built-in reason (`scope`, `model`, `tool`, `max_tokens`, `body`, ...).
    #[serde(default)]
    pub rule: Option<String>,
    /// The rules that matched and only observe; in any order.
    #[serde(default)]
    pub observed: Option<Names>,
    /// The HTTP status that the caller gets.
    #[serde(default)]
    pub status: Option<u16>,
    /// Words that the caller reads in the refusal, or in what stands in the place of a refused call.
    #[serde(default)]
    pub message: Names,
    /// What was masked, in the request and in the reply: finding kinds and how many. Nothing else may be masked;
    /// `{}`: nothing at all.
    #[serde(default)]
    pub masks: Option<BTreeMap<String, u32>>,
    /// The effects of the commands in tool calls; all of them, in any order.
    #[serde(default)]
    pub effects: Option<Vec<Effect>>,
    /// What leaves for the model. Nothing does when the request is refused or waits.
    #[serde(default)]
    pub forwarded: Leaving,
    /// What leaves for the caller: the reply, or the refusal.
    #[serde(default)]
    pub returned: Leaving,
}

/// What must and must not stand in something that leaves. Texts are looked for in strings, escapes resolved, and in
/// the bytes as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Leaving {
    /// Each of these.
    pub contains: Names,
    /// None of these.
    pub lacks: Names,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}
