//! Where text lives in the bodies of the Messages API.
//!
//! A body is cut into [`Unit`]s: what rules look at as a whole, a system block, a block of a message, a tool result.
//! Each names the strings that may be masked (its leaves) and those that must never change on the wire but are
//! masked in the record. Everything that is not known to be protected is a leaf: an unknown block type or an
//! unknown field is read, not waved through.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::json::{Kind, Value};
use crate::mask::Edit;
use crate::policy::document::Part;

/// Something that rules look at as a whole.
#[derive(Debug, Default)]
pub struct Unit<'d, 'a> {
    /// What it is to rules; `None`: masked, but not judged as text (definitions of
    /// tools, and what the model says or said; its calls are judged by themselves).
    pub part: Option<Part>,
    /// Index into `messages`, for what stands in a message.
    pub message: Option<usize>,
    /// The tool that gave the result.
    pub tool: Option<Cow<'a, str>>,
    /// Strings that may be masked, in order.
    pub leaves: Vec<Value<'d, 'a>>,
    /// The leaves in which masking for the wire changed something, and what it changed.
    pub touched: Vec<(Value<'d, 'a>, Vec<Edit>)>,
    /// Base64 of a text document.
    pub encoded: Vec<Value<'d, 'a>>,
    /// Strings that leave as they came, and are masked where the body is recorded (thinking, compaction).
    pub sealed: Vec<Value<'d, 'a>>,
    /// Identifiers, types and addresses: they leave as they came, too.
    pub fixed: Vec<Value<'d, 'a>>,
    /// Credentials meant for the provider: forwarded, never recorded.
    pub secrets: Vec<Value<'d, 'a>>,
    /// How many pieces of media cannot be read: images, PDFs, URLs and file ids as sources.
    pub media: usize,
}

/// Whether a field of an API object is never text: changing it would break the exchange. Only strings are; an
/// object under such a name (a schema's property) is read.
fn is_protected(key: &str, value: Value<'_, '_>) -> bool {
    value.kind() == Kind::String && is_protected_key(key)
}

fn is_protected_key(key: &str) -> bool {
    matches!(
        key,
        "type"
            | "role"
            | "id"
            | "model"
            | "signature"
            | "cache_control"
            | "media_type"
            | "stop_reason"
            | "caller"
    ) || key.ends_with("_id") && key != "user_id"
        || key.starts_with("encrypted_")
}

/// The units of a body of `POST /v1/messages` or `/v1/messages/count_tokens`.
pub fn of_request<'d, 'a>(root: Value<'d, 'a>) -> Vec<Unit<'d, 'a>> {
    let mut units = Vec::new();
    let mut rest = Unit::default();
    let mut callers = HashMap::new();
    for (key, value) in root.entries() {
        match key.text().as_deref() {
            Some("system") => contents(value, |block| {
                let mut unit = Unit { part: Some(Part::Prompt), ..Unit::default() };
                unit.block(block);
                units.push(unit);
            }),
            Some("messages") if value.kind() == Kind::Array => messages(value, &mut callers, &mut units),
            Some("tools") if value.kind() == Kind::Array => {
                value.items().for_each(|tool| rest.tool_definition(tool))
            }
            Some("mcp_servers") if value.kind() == Kind::Array => {
                value.items().for_each(|server| rest.mcp_server(server))
            }
            Some("metadata") => rest.everything(value),
            Some(key) if is_protected(key, value) => rest.fixed.push(value),
            _ => rest.fields(value),
        }
    }
    units.push(rest);
    units
}

/// The units of a message in a reply, and of any other reply of the API.
pub fn of_reply<'d, 'a>(root: Value<'d, 'a>) -> Vec<Unit<'d, 'a>> {
    let mut units = Vec::new();
    let mut rest = Unit::default();
    for (key, value) in root.entries() {
        match key.text().as_deref() {
            Some("content") => contents(value, |block| {
                let mut unit = Unit::default();
                unit.block(block);
                units.push(unit);
            }),
            Some(key) if is_protected(key, value) => rest.fixed.push(value),
            _ => rest.fields(value),
        }
    }
    units.push(rest);
    units
}

/// Whether a block of this type calls a tool (`tool_use`, `server_tool_use`, `mcp_tool_use`).
pub fn is_call(kind: &str) -> bool {
    kind.ends_with("tool_use")
}

/// The strings of any JSON that is not a message: every one that is not protected.
pub fn of_any<'d, 'a>(root: Value<'d, 'a>) -> Unit<'d, 'a> {
    let mut unit = Unit::default();
    unit.fields(root);
    unit
}

/// The strings of an object but for those below `key`.
pub fn around<'d, 'a>(root: Value<'d, 'a>, key: &str) -> Unit<'d, 'a> {
    let mut unit = Unit::default();
    unit.fields_but(root, |own| own == key);
    unit
}

/// The strings of one block or fragment of a block.
pub fn of_block<'d, 'a>(block: Value<'d, 'a>) -> Unit<'d, 'a> {
    let mut unit = Unit::default();
    unit.block(block);
    unit
}

/// All strings below a value, keys of objects too.
pub fn all_strings<'d, 'a>(value: Value<'d, 'a>) -> Vec<Value<'d, 'a>> {
    let mut unit = Unit::default();
    unit.everything(value);
    unit.leaves
}

/// A content that is one string or an array of blocks: each block, or the string itself.
fn contents<'d, 'a>(value: Value<'d, 'a>, mut each: impl FnMut(Value<'d, 'a>)) {
    match value.kind() {
        Kind::Array => value.items().for_each(each),
        _ => each(value),
    }
}

/// `callers`: names of tools by the id of their call, to tell which tool a result is from.
fn messages<'d, 'a>(
    value: Value<'d, 'a>,
    callers: &mut HashMap<Cow<'a, str>, Cow<'a, str>>,
    units: &mut Vec<Unit<'d, 'a>>,
) {
    let mut fixed = Vec::new();
    for (index, message) in value.items().enumerate() {
        if message.kind() != Kind::Object {
            let mut unit = Unit { part: Some(Part::Prompt), message: Some(index), ..Unit::default() };
            unit.fields(message);
            units.push(unit);
        }
        let by_model = message.get("role").is_some_and(|role| role.is("assistant"));
        for (key, value) in message.entries() {
            match key.text().as_deref() {
                Some("content") => contents(value, |block| {
                    if let (Some(id), Some(name)) = (block.str("id"), block.str("name")) {
                        callers.insert(id, name);
                    }
                    let result = block.str("type").is_some_and(|kind| kind.ends_with("tool_result"));
                    let mut unit = Unit { message: Some(index), ..Unit::default() };
                    unit.part = match (by_model, result) {
                        (true, false) => None,
                        (false, false) => Some(Part::Prompt),
                        (_, true) => Some(Part::ToolResult),
                    };
                    if result {
                        unit.tool = block.str("tool_use_id").and_then(|id| callers.get(&id).cloned());
                    }
                    unit.block(block);
                    units.push(unit);
                }),
                Some(key) if is_protected(key, value) => fixed.push(value),
                _ => {
                    let mut unit = Unit { message: Some(index), ..Unit::default() };
                    unit.fields(value);
                    units.push(unit);
                }
            }
        }
    }
    units.push(Unit { fixed, ..Unit::default() });
}

impl<'d, 'a> Unit<'d, 'a> {
    /// A block, or a string that stands for a text block.
    fn block(&mut self, block: Value<'d, 'a>) {
        match block.str("type").as_deref() {
            Some("thinking" | "redacted_thinking") => {
                self.sealed.extend(block.get("thinking").filter(|v| v.kind() == Kind::String));
            }
            Some("compaction") => {
                self.sealed.extend(block.get("content").filter(|v| v.kind() == Kind::String));
            }
            Some(kind) if is_call(kind) => self.call(block),
            Some("base64") => self.base64(block),
            Some("url" | "file" | "image_url") => {
                self.media += 1;
                self.fields_but(block, |key| matches!(key, "url"));
                block.get("url").into_iter().for_each(|url| self.fix(url));
            }
            Some("json_schema") => {
                self.fields_but(block, |key| key == "schema");
                block.get("schema").into_iter().for_each(|schema| self.everything(schema));
            }
            Some("tool_reference") => {
                self.fields_but(block, |key| key == "tool_name");
                block.get("tool_name").into_iter().for_each(|name| self.fix(name));
            }
            _ => self.fields(block),
        }
    }

    /// A call: its input is free, keys included; its name is not text.
    fn call(&mut self, block: Value<'d, 'a>) {
        for (key, value) in block.entries() {
            match key.text().as_deref() {
                Some("input") => self.everything(value),
                Some("name" | "server_name") => self.fix(value),
                Some(key) if is_protected(key, value) => self.fix(value),
                _ => self.fields(value),
            }
        }
    }

    /// A source in base64: text is read, anything else is media.
    fn base64(&mut self, source: Value<'d, 'a>) {
        let text = source.str("media_type").is_some_and(|media| media.starts_with("text/"));
        match source.get("data").filter(|data| data.kind() == Kind::String) {
            Some(data) if text => self.encoded.push(data),
            _ => self.media += 1,
        }
        self.fields_but(source, |key| key == "data");
    }

    fn tool_definition(&mut self, tool: Value<'d, 'a>) {
        if tool.kind() != Kind::Object {
            self.fields(tool);
        }
        for (key, value) in tool.entries() {
            match key.text().as_deref() {
                Some("name") => self.fix(value),
                Some("input_schema" | "input_examples") => self.everything(value),
                Some(key) if is_protected(key, value) => self.fix(value),
                _ => self.fields(value),
            }
        }
    }

    fn mcp_server(&mut self, server: Value<'d, 'a>) {
        self.secrets.extend(server.get("authorization_token").filter(|v| v.kind() == Kind::String));
        self.fields_but(server, |key| matches!(key, "name" | "url" | "authorization_token"));
        ["name", "url"].iter().filter_map(|key| server.get(key)).for_each(|value| self.fix(value));
    }

    /// What is never changed when it is a string, and read when it is more.
    fn fix(&mut self, value: Value<'d, 'a>) {
        if value.kind() == Kind::String { self.fixed.push(value) } else { self.fields(value) }
    }

    /// All strings below, but for protected fields; what has a type of its own is read as a block.
    fn fields(&mut self, value: Value<'d, 'a>) {
        self.fields_but(value, |_| false);
    }

    fn fields_but(&mut self, value: Value<'d, 'a>, skip: impl Fn(&str) -> bool) {
        match value.kind() {
            Kind::String => self.leaves.push(value),
            Kind::Array => value.items().for_each(|item| self.nested(item)),
            Kind::Object => {
                for (key, value) in value.entries() {
                    let key = key.text().unwrap_or_default();
                    if skip(&key) {
                        continue;
                    }
                    if is_protected(&key, value) { self.fixed.push(value) } else { self.nested(value) }
                }
            }
            _ => {}
        }
    }

    fn nested(&mut self, value: Value<'d, 'a>) {
        match value.kind() {
            Kind::Object if value.get("type").is_some_and(|kind| kind.kind() == Kind::String) => {
                self.block(value)
            }
            _ => self.fields(value),
        }
    }

    /// All strings below, keys included: a region whose shape the API does not know.
    fn everything(&mut self, value: Value<'d, 'a>) {
        match value.kind() {
            Kind::String => self.leaves.push(value),
            Kind::Array => value.items().for_each(|item| self.everything(item)),
            Kind::Object => {
                for (key, value) in value.entries() {
                    self.leaves.push(key);
                    self.everything(value);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn leaves(units: &[Unit<'_, '_>]) -> Vec<String> {
        units.iter().flat_map(|unit| &unit.leaves).map(|leaf| leaf.text().unwrap().into_owned()).collect()
    }

    /// Every value that starts with `T` must be found, and nothing else.
    const REQUEST: &str = r#"{
      "model":"m","max_tokens":5,"stop_sequences":["T stop"],
      "metadata":{"user_id":"T user"},
      "system":[{"type":"text","text":"T system","cache_control":{"type":"ephemeral"}}],
      "tools":[{"name":"Bash","description":"T tool","input_schema":{"type":"T object","T key":{"description":"T schema"}}}],
      "mcp_servers":[{"type":"url","name":"n","url":"https://x","authorization_token":"secret"}],
      "messages":[
        {"role":"user","content":"T prompt"},
        {"role":"assistant","content":[
          {"type":"thinking","thinking":"private","signature":"sig"},
          {"type":"redacted_thinking","data":"opaque"},
          {"type":"text","text":"T said","citations":[{"type":"char_location","cited_text":"T cited","document_title":"T title","file_id":"f"}]},
          {"type":"tool_use","id":"toolu_1","name":"Bash","input":{"T command":"T rm","T deep":[{"T k":"T v"}]}}]},
        {"role":"user","content":[
          {"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"T result"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},
          {"type":"tool_result","tool_use_id":"toolu_1","content":"T plain"},
          {"type":"document","title":"T doc","context":"T context","source":{"type":"text","media_type":"text/plain","data":"T data"}},
          {"type":"document","source":{"type":"content","content":[{"type":"text","text":"T nested"}]}},
          {"type":"document","source":{"type":"base64","media_type":"text/plain","data":"VCBlbmNvZGVk"}},
          {"type":"image","source":{"type":"url","url":"https://x/y.png"}},
          {"type":"search_result","source":"T source","title":"T found","content":[{"type":"text","text":"T hit"}]},
          {"type":"from_the_future","words":{"a":["T new"]},"text":"T newer"}]}],
      "new_field":{"deep":[["T unknown"]]}}"#;

    #[test]
    fn every_place_of_free_text_is_a_leaf_and_no_protected_field_is() {
        let doc = parse(REQUEST.as_bytes(), 64).unwrap();
        let units = of_request(doc.root());
        let found = leaves(&units);
        let expected = REQUEST.matches("\"T ").count();
        assert_eq!(found.iter().filter(|text| text.starts_with("T ")).count(), expected, "{found:?}");
        let other: Vec<_> = found.iter().filter(|text| !text.starts_with("T ")).collect();
        assert_eq!(other, ["user_id", "type", "description"], "keys of free regions only");
    }

    #[test]
    fn thinking_is_sealed_tokens_are_secret_and_media_is_counted() {
        let doc = parse(REQUEST.as_bytes(), 64).unwrap();
        let units = of_request(doc.root());
        let say = |values: Vec<Value<'_, '_>>| -> Vec<String> {
            values.iter().map(|value| value.text().unwrap().into_owned()).collect()
        };
        assert_eq!(say(units.iter().flat_map(|unit| unit.sealed.clone()).collect()), ["private"]);
        assert_eq!(say(units.iter().flat_map(|unit| unit.secrets.clone()).collect()), ["secret"]);
        assert_eq!(say(units.iter().flat_map(|unit| unit.encoded.clone()).collect()), ["VCBlbmNvZGVk"]);
        assert_eq!(units.iter().map(|unit| unit.media).sum::<usize>(), 2);
    }

    #[test]
    fn a_tool_result_knows_its_tool() {
        let doc = parse(REQUEST.as_bytes(), 64).unwrap();
        let units = of_request(doc.root());
        let results: Vec<_> = units.iter().filter(|unit| unit.part == Some(Part::ToolResult)).collect();
        assert_eq!(results.len(), 2);
        assert!(results.iter().all(|unit| unit.tool.as_deref() == Some("Bash") && unit.message == Some(2)));
    }
}
