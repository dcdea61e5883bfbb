//! The reference of the policy document, in Markdown, from its JSON Schema.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

const HEAD: &str = "# The policy, field by field

A policy is a YAML file, or a directory of them: lists are put together in the order of the files' names, a name may be
given once, and `masking`, `recording`, `limits` and `access` stand in one file. `sluice policy check PATH` says what is
wrong with one, and where.

Every field may be left out unless it says *needed*. Texts that stand for names are **globs** where it says so: `*` is any
run of characters, `?` is one, case counts, nothing else has a meaning. Durations are written `90s`, `15m`, `24h`, `7d`.

This page is made from the same comments as [policy.schema.json](policy.schema.json), which editors understand; begin a
file with `# yaml-language-server: $schema=` and its path or URL. `sluice policy reference` prints the page and `sluice policy
schema` the schema for the release that you run.
";

/// What comes first among the fields of an object, in this order; the others follow by name.
const FIRST: &[&str] = &[
    "name",
    "issuers",
    "roles",
    "bindings",
    "grants",
    "rules",
    "masking",
    "commands",
    "paths",
    "urls",
    "recording",
    "limits",
    "access",
    "issuer",
    "when",
    "action",
    "part",
    "scopes",
    "models",
    "tools",
    "allow",
    "groups",
    "subjects",
];

/// The reference of every field, from the schema of [`sluice_engine::policy::schema::schema`].
pub fn reference(schema: &Value) -> String {
    // Once to learn where each kind of object stands, once to write it.
    let mut page = Page { schema, out: String::new(), places: BTreeMap::new() };
    page.object("", schema);
    page.out = HEAD.to_owned();
    page.object("", schema);
    page.out
}

struct Page<'s> {
    schema: &'s Value,
    out: String,
    /// Where each kind of object stands, by its name among the definitions; its section has the first as heading.
    places: BTreeMap<String, Vec<String>>,
}

impl Page<'_> {
    /// A section on an object, and those on the objects in it.
    fn object(&mut self, place: &str, kind: &Value) {
        let heading = if place.is_empty() { "The file".to_owned() } else { format!("`{place}`") };
        let (about, _) = words(kind);
        let _ = write!(self.out, "\n## {heading}\n\n{about}\n\n");
        let others = self.places.values().find(|places| places.first().is_some_and(|first| first == place));
        if let Some([_, others @ ..]) = others.map(Vec::as_slice)
            && !others.is_empty()
        {
            let _ = write!(self.out, "The same in `{}`.\n\n", others.join("`, `"));
        }
        let needed: Vec<&str> = list(kind, "required").iter().filter_map(Value::as_str).collect();
        let fields = kind.get("properties").and_then(Value::as_object).into_iter().flatten();
        let mut fields: Vec<(&String, &Value)> = fields.collect();
        fields.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
        let mut inner = Vec::new();
        for (name, field) in fields {
            let full = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            self.field(&full, name, field, needed.contains(&name.as_str()));
            inner.extend(self.own_section(&full, field));
        }
        for (place, name) in inner {
            if let Some(kind) = self.schema.pointer(&format!("/$defs/{name}")) {
                self.object(&place, kind);
            }
        }
    }

    /// The section that a field's object gets here: its place and its name among the definitions.
    fn own_section(&self, place: &str, field: &Value) -> Option<(String, String)> {
        let (place, field) = match field.get("items") {
            Some(items) => (format!("{place}[]"), items),
            None => (place.to_owned(), field),
        };
        let name = reference_of(field)?;
        let first = self.places.get(name)?.first()?;
        (*first == place).then(|| (place, name.to_owned()))
    }

    fn field(&mut self, place: &str, name: &str, field: &Value, needed: bool) {
        let kind = self.kind(place, field);
        let default = match (needed, field.get("default")) {
            (true, _) => "*needed*".to_owned(),
            (false, Some(default)) if is_plain(default) => format!("default `{}`", inline(default)),
            (false, Some(Value::Object(_))) => "default: see there".to_owned(),
            _ => "default: none".to_owned(),
        };
        let (about, example) = words(field);
        let _ = write!(self.out, "- **`{name}`**: {kind}; {default}.\n  {}\n", about.replace('\n', "\n  "));
        if let Some(example) = example {
            let _ = writeln!(self.out, "  Example: {example}");
        }
        for (value, about) in self.choices(field) {
            let _ = writeln!(self.out, "  - `{value}`: {about}");
        }
    }

    /// What the field holds, in words.
    fn kind(&mut self, place: &str, field: &Value) -> String {
        if let Some(name) = reference_of(field) {
            let name = name.to_owned();
            let target = self.definition(field);
            return match target {
                Some(target) if target.get("properties").is_some() => {
                    let places = self.places.entry(name).or_default();
                    if !places.iter().any(|known| known == place) {
                        places.push(place.to_owned());
                    }
                    let first = places.first().map(String::as_str).unwrap_or_default();
                    format!("object, see [`{first}`](#{})", anchor(first))
                }
                Some(_) if name == "Duration" => "duration".to_owned(),
                _ => "one of the values below".to_owned(),
            };
        }
        match field.get("type").and_then(Value::as_str) {
            Some("array") => {
                let items = field.get("items").cloned().unwrap_or_default();
                match self.kind(&format!("{place}[]"), &items).as_str() {
                    "text" => "list of texts".to_owned(),
                    "one of the values below" => "list of the values below".to_owned(),
                    kind => format!("list of {}", kind.replacen("object", "objects", 1)),
                }
            }
            Some("string") => "text".to_owned(),
            Some("boolean") => "`true` or `false`".to_owned(),
            Some("integer") => "whole number".to_owned(),
            Some("object") => "object of names and the values below".to_owned(),
            _ => "any value".to_owned(),
        }
    }

    /// The values of an enumeration, wherever in the field it stands, and what each means.
    fn choices(&self, field: &Value) -> Vec<(String, String)> {
        let inner =
            field.get("items").or_else(|| field.get("additionalProperties").filter(|v| v.is_object()));
        let Some(kind) = self.definition(inner.unwrap_or(field)) else { return Vec::new() };
        let mut choices = Vec::new();
        for choice in list(kind, "oneOf") {
            let about = words(choice).0.replace('\n', " ");
            if let Some(value) = choice.get("const").and_then(Value::as_str) {
                choices.push((value.to_owned(), about));
            } else if let Some(values) = choice.get("enum") {
                let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
                choices.extend(values.map(|value| (value.to_owned(), about.clone())));
            } else if let Some(fields) = choice.get("properties").and_then(Value::as_object) {
                choices.extend(fields.iter().map(|(name, value)| (written(name, value), about.clone())));
            }
        }
        choices
    }

    fn definition(&self, field: &Value) -> Option<&Value> {
        self.schema.pointer(&format!("/$defs/{}", reference_of(field)?))
    }
}

/// `{ name: ... }`
fn written(name: &str, value: &Value) -> String {
    let what = if value.get("type").and_then(Value::as_str) == Some("string") { "URL" } else { "{...}" };
    format!("{{ {name}: {what} }}")
}

fn reference_of(field: &Value) -> Option<&str> {
    field.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"))
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The description, and the example behind it.
fn words(value: &Value) -> (String, Option<String>) {
    let text = value.get("description").and_then(Value::as_str).unwrap_or_default();
    match text.rsplit_once("\n\nExample: ") {
        Some((about, example)) => (about.to_owned(), Some(example.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Whether a default says something in a line.
fn is_plain(default: &Value) -> bool {
    match default {
        Value::Object(fields) => fields.is_empty(),
        Value::Null => false,
        _ => true,
    }
}

/// A value as YAML writes it in a line.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) if *fields == Map::new() => "{}".to_owned(),
        other => other.to_string(),
    }
}

/// The anchor that GitHub gives to a heading.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}
