//! Which fields of which tools hold commands.

use super::document::{CommandField, Language};
use super::glob::{self, Glob, globs};
use super::rights::Wrong;

/// What is taken for a command where the policy says nothing else: the shell tools of Claude Code and of the API,
/// and the names that MCP servers for databases and shells use. A search tool's `query` is then read as SQL too;
/// what comes of it is the effect unknown, which only matters to rules that list it.
const DEFAULTS: &[(&[&str], &[&str], Language)] = &[
    (&["Bash", "bash", "bash_code_execution", "Monitor"], &["command"], Language::Shell),
    (
        &["shell", "Shell", "terminal", "Terminal", "execute_command", "run_command"],
        SHELL_FIELDS,
        Language::Shell,
    ),
    (&["*sql*", "*SQL*", "*query*", "*Query*", "*database*"], SQL_FIELDS, Language::Sql),
    (&["mcp__*"], SQL_FIELDS, Language::Sql),
    (&["mcp__*"], SHELL_FIELDS, Language::Shell),
];
const SQL_FIELDS: &[&str] = &["query", "sql", "statement", "queries", "statements"];
const SHELL_FIELDS: &[&str] = &["command", "cmd", "script", "commands"];

/// Where commands are found in tool inputs: the policy's own entries first, then the defaults.
#[derive(Debug)]
pub(super) struct Commands(Vec<(Vec<Glob>, Vec<String>, Language)>);

impl Commands {
    /// Compiles the entries of a policy; the error names the first that is wrong.
    pub fn new(entries: &[CommandField]) -> Result<Self, Wrong> {
        let mut all = Vec::new();
        for (n, entry) in entries.iter().enumerate() {
            let tools = globs(&entry.tools)
                .map_err(|(tool, why)| (format!("commands[{n}].tools[{tool}]"), why.to_string()))?;
            all.push((tools, entry.fields.clone(), entry.language));
        }
        for (tools, fields, language) in DEFAULTS {
            let tools = tools.iter().filter_map(|tool| Glob::new(tool).ok()).collect();
            all.push((tools, fields.iter().map(|field| (*field).to_owned()).collect(), *language));
        }
        Ok(Self(all))
    }

    /// How the text of a tool's input field is read, when it is a command. Case does not count: servers in Go take a
    /// field in any.
    pub fn language(&self, tool: &str, field: &str) -> Option<Language> {
        let (.., language) = self.0.iter().find(|(tools, fields, _)| {
            fields.iter().any(|known| known.eq_ignore_ascii_case(field)) && glob::first(tools, tool).is_some()
        })?;
        Some(*language)
    }
}
