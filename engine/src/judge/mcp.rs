//! Messages to and from MCP servers: which method, which tool, what text, and what the server may ask in turn.
//!
//! ```text
//!  POST  request ──► right to the tool, rules on the call, definition approved? ──► server
//!        reply   ◄── tools filtered, results judged, text masked, questions of the server dropped ◄── JSON or SSE
//!  GET   ◄── the same, for what the server begins
//! ```

mod definitions;
mod list;
mod reply;
mod request;
mod stream;

use std::sync::Arc;

pub(super) use stream::McpStream;

use super::{Case, Refusal, Runtime};
use crate::claude::error::ErrorKind;
use crate::identity::Principal;
use crate::mcp::answer::Answers;
use crate::mcp::head::Head;
use crate::mcp::routes;
use crate::policy::document::ServerAsk;
use crate::policy::mcp::CompiledMcp;
use crate::policy::rights::Denied;

/// What the case of an exchange with an MCP server knows beside.
pub(super) struct Mcp {
    server: Arc<CompiledMcp>,
    head: Head,
    answers: Answers,
    /// The name by which rules know what is called.
    tool: Option<String>,
    /// Headers that must change with the body.
    headers: Vec<(String, String)>,
    /// The list of tools that control is asked about, until its answer was used.
    compared: Option<definitions::Compared>,
}

impl Mcp {
    /// The scope that the server takes.
    pub(super) fn scope(&self) -> &str {
        &self.server.scope
    }

    /// Takes the name of what was called.
    pub(super) fn called(&mut self) -> Option<String> {
        self.tool.take()
    }
}

impl Case {
    /// Opens the case of a verified caller who asks an MCP server. `method`: of HTTP; `headers`: all, with names in
    /// lower case.
    ///
    /// # Errors
    /// As [`Case::open`]; also when the method or the headers cannot be taken.
    pub fn open_mcp(
        runtime: Arc<Runtime>,
        principal: Principal,
        server: Arc<CompiledMcp>,
        method: &str,
        headers: &[(String, String)],
        exchange: String,
        now_ms: u64,
    ) -> (Self, Result<(), Refusal>) {
        let route = routes::of_http(method).unwrap_or(routes::UNREAD);
        let (mut case, opened) = Self::open(runtime, principal, route, exchange, now_ms);
        let head = Head::read(headers);
        let allowed = opened.and_then(|()| case.check_mcp(&server, method, headers, &head));
        if let Err(refusal) = &allowed {
            case.note(refusal);
        }
        let head = head.unwrap_or_default();
        let own = headers.iter().find(|(name, _)| name == "x-claude-code-session-id").map(|(_, value)| value);
        case.session = head.session.as_ref().or(own).map(|session| case.recorded_text(session));
        let answers = Answers { modern: head.is_modern(), ..Answers::default() };
        case.mcp = Some(Mcp { server, head, answers, tool: None, headers: Vec::new(), compared: None });
        (case, allowed)
    }

    fn check_mcp(
        &self,
        server: &CompiledMcp,
        method: &str,
        headers: &[(String, String)],
        head: &Result<Head, &'static str>,
    ) -> Result<(), Refusal> {
        self.rights.check_scope(&server.scope).map_err(|denied| Refusal::denied(&denied))?;
        if routes::of_http(method).is_none() {
            let message = "an MCP server takes POST, GET and DELETE";
            return Err(Refusal::new(ErrorKind::Permission, "method", message));
        }
        let json = |(name, value): &(String, String)| {
            let kind = value.split(';').next().unwrap_or_default().trim();
            name != "content-type" || kind.eq_ignore_ascii_case("application/json")
        };
        if method == "POST" && !headers.iter().all(json) {
            let message = "a message for an MCP server is sent with `content-type: application/json`";
            return Err(Refusal::new(ErrorKind::Encoding, "body", message));
        }
        head.as_ref().map(drop).map_err(|why| Refusal::new(ErrorKind::InvalidRequest, "body", *why))
    }

    /// Sets the session that the server began with its answer.
    pub fn set_mcp_session(&mut self, session: &str) {
        if self.mcp.is_some() && self.session.is_none() {
            self.session = Some(self.recorded_text(session));
        }
    }

    /// How a request to an MCP server is answered in the server's place; `None` for any other exchange.
    pub fn answers(&self) -> Option<Answers> {
        self.mcp.as_ref().map(|mcp| mcp.answers.clone())
    }

    /// Whether the caller's `authorization` goes on.
    pub fn passes_token(&self) -> bool {
        self.mcp.as_ref().is_some_and(|mcp| mcp.server.server.pass_token)
    }

    /// Headers of the request that must be set anew since the body was changed.
    pub fn changed_headers(&self) -> &[(String, String)] {
        self.mcp.as_ref().map(|mcp| mcp.headers.as_slice()).unwrap_or_default()
    }

    /// How long the client can be kept waiting, in seconds, where policy says so.
    pub fn patience(&self) -> Option<u64> {
        self.mcp.as_ref()?.server.server.wait.map(|wait| wait.as_seconds())
    }

    fn mcp_server(&self) -> Option<Arc<CompiledMcp>> {
        self.mcp.as_ref().map(|mcp| Arc::clone(&mcp.server))
    }

    /// Notes that a tool was left out of a list.
    fn note_denied(&mut self, denied: &Denied, tool: &str) {
        self.decisions.push(crate::record::Decision {
            tool: Some(tool.to_owned()),
            role: denied.role().map(str::to_owned),
            left_out: true,
            ..super::decision(denied.rule(), crate::policy::document::Action::Deny)
        });
    }
}

/// What a server would ask with a method; `None`: nothing that policy is about.
fn ask_of(method: &str) -> Option<ServerAsk> {
    match method {
        "sampling/createMessage" => Some(ServerAsk::Sampling),
        "elicitation/create" => Some(ServerAsk::Elicitation),
        "roots/list" => Some(ServerAsk::Roots),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
