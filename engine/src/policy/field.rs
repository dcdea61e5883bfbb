//! Which fields of a tool's input name files, and which name hosts.

use super::document::ToolFields;
use super::glob::{self, Glob, globs};
use super::rights::Wrong;

/// The names that tools give to fields for files: those of Claude Code (Read, Write, Edit, MultiEdit, NotebookEdit,
/// Glob, Grep, LS), of the API's text editor and memory tools, and of the MCP file system and git servers.
const PATHS: &[&str] = &[
    "path",
    "paths",
    "file",
    "files",
    "filepath",
    "filepaths",
    "filename",
    "filenames",
    "notebookpath",
    "oldpath",
    "newpath",
    "targetfile",
    "targetpath",
    "outputfile",
    "outputpath",
    "inputfile",
    "inputpath",
    "source",
    "destination",
    "src",
    "dst",
    "dest",
    "dir",
    "directory",
    "folder",
    "cwd",
    "workdir",
    "workingdirectory",
    "repopath",
    "root",
    "rootpath",
];

/// The names that tools give to fields for URLs: WebFetch, `web_fetch`, the MCP fetch and browser servers. `path` and
/// the like may hold a `file:` URL, and are looked at as well.
const URLS: &[&str] = &[
    "url",
    "urls",
    "uri",
    "uris",
    "href",
    "link",
    "links",
    "endpoint",
    "baseurl",
    "host",
    "hosts",
    "hostname",
    "domain",
    "website",
    "address",
    "targeturl",
    "webhook",
    "webhookurl",
    "callbackurl",
    "repourl",
    "remoteurl",
    "imageurl",
    "server",
    "serverurl",
];

/// Fields that hold something, by the tool: the policy's own entries, and the defaults for every tool.
#[derive(Debug)]
pub(super) struct Fields {
    own: Vec<(Vec<Glob>, Vec<String>)>,
    defaults: &'static [&'static str],
}

impl Fields {
    /// Fields for paths.
    pub fn paths(entries: &[ToolFields]) -> Result<Self, Wrong> {
        Self::new("paths", entries, PATHS)
    }

    /// Fields for URLs.
    pub fn urls(entries: &[ToolFields]) -> Result<Self, Wrong> {
        Self::new("urls", entries, URLS)
    }

    fn new(list: &str, entries: &[ToolFields], defaults: &'static [&'static str]) -> Result<Self, Wrong> {
        let mut own = Vec::new();
        for (n, entry) in entries.iter().enumerate() {
            let tools = globs(&entry.tools)
                .map_err(|(tool, why)| (format!("{list}[{n}].tools[{tool}]"), why.to_string()))?;
            own.push((tools, entry.fields.iter().map(|field| plain(field)).collect()));
        }
        Ok(Self { own, defaults })
    }

    /// Whether the tool's field is one of them. `file_path`, `filePath` and `File-Path` are one name.
    pub fn holds(&self, tool: &str, field: &str) -> bool {
        let field = plain(field);
        self.defaults.contains(&field.as_str())
            || self
                .own
                .iter()
                .any(|(tools, fields)| fields.contains(&field) && glob::first(tools, tool).is_some())
    }
}

fn plain(field: &str) -> String {
    field.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_however_its_name_is_written_and_a_policy_adds_its_own() {
        let own = [ToolFields { tools: vec!["mcp__cms__*".into()], fields: vec!["asset_key".into()] }];
        let paths = Fields::paths(&own).expect("fields");
        for (tool, field, expected) in [
            ("Write", "file_path", true),
            ("anything", "filePath", true),
            ("NotebookEdit", "notebook_path", true),
            ("Write", "content", false),
            ("mcp__cms__put", "assetKey", true),
            ("Write", "asset_key", false),
        ] {
            assert_eq!(paths.holds(tool, field), expected, "{tool} {field}");
        }
        let urls = Fields::urls(&[]).expect("fields");
        assert!(urls.holds("WebFetch", "url") && !urls.holds("WebFetch", "prompt"));
    }
}
