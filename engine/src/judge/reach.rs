//! Which files and hosts a tool call names.

use std::borrow::Cow;

use super::calls::NESTED_DEPTH;
use crate::json::{self, JsonError, Kind, Value};
use crate::policy::compile::Compiled;
use crate::policy::document::Language;
use crate::target::Targets;

/// What the input names, in fields at any depth, also in JSON inside strings. `None`: no rule asks.
pub(super) fn targets(compiled: &Compiled, tool: &str, input: Value<'_, '_>) -> Option<Targets> {
    if !compiled.asks_for_targets() {
        return None;
    }
    let mut search = Search { compiled, tool, found: Targets::default() };
    search.value(input, NESTED_DEPTH);
    Some(search.found)
}

struct Search<'c> {
    compiled: &'c Compiled,
    tool: &'c str,
    found: Targets,
}

impl Search<'_> {
    fn value(&mut self, value: Value<'_, '_>, nested: u32) {
        match value.kind() {
            Kind::Object => {
                for (key, value) in value.entries() {
                    self.field(&key.text().unwrap_or_default(), value);
                    self.value(value, nested);
                }
            }
            Kind::Array => value.items().for_each(|item| self.value(item, nested)),
            Kind::String => self.nested(&value.text().unwrap_or_default(), nested),
            _ => {}
        }
    }

    fn field(&mut self, field: &str, value: Value<'_, '_>) {
        let shell = self.compiled.command_language(self.tool, field) == Some(Language::Shell);
        let (paths, urls) =
            (self.compiled.holds_paths(self.tool, field), self.compiled.holds_urls(self.tool, field));
        if !(shell || paths || urls) {
            return;
        }
        for text in strings(value) {
            if shell {
                self.found.command(&text);
            }
            if paths {
                self.found.path(&text);
            }
            if urls {
                self.found.url(&text);
            }
        }
    }

    /// JSON in a string. What looks like it and cannot be read with certainty could name anything.
    fn nested(&mut self, text: &str, nested: u32) {
        if !text.trim_start().starts_with(['{', '[']) {
            return;
        }
        match (json::parse(text.as_bytes(), 32), nested.checked_sub(1)) {
            (Ok(doc), Some(nested)) => self.value(doc.root(), nested),
            (Err(JsonError::Syntax(_)), _) => {}
            _ => self.found.anything(),
        }
    }
}

/// The value, or the strings of a list.
fn strings<'a>(value: Value<'_, 'a>) -> Vec<Cow<'a, str>> {
    match value.kind() {
        Kind::Array => value.items().filter_map(|item| item.text()).collect(),
        _ => value.text().into_iter().collect(),
    }
}
