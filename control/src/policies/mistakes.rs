//! What the YAML reader says, in words for whoever wrote the policy: what is wrong, and what was probably meant.

use std::sync::OnceLock;

use serde_json::Value;
use sluice_engine::policy::check::nearest;
use sluice_engine::policy::schema::schema;

use super::places::Places;

/// A mistake, by its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The field.
    pub field: Option<String>,
    /// What is wrong.
    pub why: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// Words that other tools use for a value.
const MEANT: &[(&str, &str)] = &[
    ("refuse", "deny"),
    ("reject", "deny"),
    ("block", "deny"),
    ("forbid", "deny"),
    ("approve", "hold"),
    ("ask", "hold"),
    ("review", "hold"),
    ("permit", "allow"),
    ("pass", "allow"),
    ("drop", "destroy"),
    ("delete", "destroy"),
    ("truncate", "destroy"),
    ("alter", "define"),
    ("create", "define"),
    ("insert", "write"),
    ("update", "write"),
    ("select", "read"),
    ("admin", "administer"),
    ("hash", "pseudonym"),
    ("tokenize", "pseudonym"),
    ("mask", "redact"),
    ("none", "off"),
    ("bash", "shell"),
    ("user", "prompt"),
    ("system", "prompt"),
    ("tool", "toolCall"),
];

/// Explains what the reader said about a place in a policy.
pub fn explain(said: &str, field: Option<&str>, places: &Places) -> Mistake {
    let own = |why: String, suggestion: Option<String>| Mistake {
        field: field.map(str::to_owned),
        why,
        suggestion,
    };
    if let Some((name, known)) = listed(said, "unknown field ") {
        return own(unknown_field(&name, &known, field), meant(&name, &known));
    }
    if let Some((name, known)) = listed(said, "unknown variant ") {
        let why = format!("`{name}` is none of the values here: {}", known.join(", "));
        return own(why, meant(&name, &known));
    }
    if let Some(name) = said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return missing(name, field);
    }
    if let Some(name) = said.strip_prefix("duplicate mapping key: ") {
        let name = name.split(',').next().unwrap_or_default();
        return own(format!("`{name}` stands here twice; put both together"), None);
    }
    if said == "expected sequence start"
        && let Some((list, _)) =
            field.and_then(|field| field.rsplit_once('.')).filter(|_| field.and_then(node).is_none())
    {
        let why = "a list belongs here: begin each entry with `- `".to_owned();
        return Mistake { field: Some(list.to_owned()), why, suggestion: None };
    }
    let value = field.and_then(|field| places.value(field)).unwrap_or_default();
    let example = || field.and_then(example);
    let list = || match value {
        "" => example(),
        value => Some(format!("[{value}]")),
    };
    let why = match said {
        "expected sequence start" => {
            return own("a list belongs here, in brackets even for one entry".into(), list());
        }
        "expected mapping start" if field.is_none() => {
            "a policy is an object of fields such as `issuers:`, `roles:` and `rules:`, and this is none"
        }
        "expected mapping start" => {
            let why = "an object belongs here: fields below it, further indented, or in braces";
            return own(why.into(), example());
        }
        _ if said.contains("expected string scalar") || said.contains("expected scalar") => {
            return own("a text belongs here, and no list or object".into(), example());
        }
        _ if said.contains("invalid u64") || said.contains("invalid u32") => {
            let why = format!("`{value}` is no whole number: digits alone, no unit, no sign");
            return own(why, thousands(value).or_else(example));
        }
        _ if said.contains("bool") => "`true` or `false` belongs here",
        _ if said.contains("is not a duration") => {
            let why = format!("`{value}` is no duration: a whole number with s, m, h or d behind it");
            return own(why, duration(value).or_else(example));
        }
        _ if said.starts_with("multiple YAML documents") => {
            "a file holds one policy; put what follows `---` into a file of its own"
        }
        _ if said.starts_with("tabs disallowed") => "YAML is indented with spaces; a tab stands here",
        _ if said.contains("anchor") || said.contains("alias") => {
            let why = "a text that begins with `*` or `&` needs quotes around it";
            return own(why.into(), Some("\"*\"".into()));
        }
        _ if said.starts_with("mapping values are not allowed") => {
            "a text with a colon and a space in it needs quotes around it; or the indentation does not fit the lines above"
        }
        _ if said.contains("did not find expected key") || said.contains("did not find expected '-'") => {
            "the indentation does not fit the lines above"
        }
        _ if said.contains("escape") => {
            "between double quotes `\\` begins an escape of YAML; write patterns between single quotes"
        }
        _ if said.contains("quoted scalar") => "a quotation mark is not closed",
        _ => said,
    };
    own(why.to_owned(), None)
}

/// A field with nothing behind it: to the reader it would be as if it were not there.
pub fn empty(field: &str) -> Mistake {
    let name = last(field);
    let kind = node(field).and_then(|node| resolved(node).get("type")).and_then(Value::as_str);
    let nothing = match kind {
        Some("array") => format!("; for an empty list write `{name}: []`"),
        _ => String::new(),
    };
    let why = format!("`{name}` has no value; give one, or leave it out for the default{nothing}");
    Mistake { field: Some(field.to_owned()), why, suggestion: None }
}

/// `unknown field `x`, expected one of `y`, `z`` in its parts.
fn listed<'s>(said: &'s str, what: &str) -> Option<(String, Vec<&'s str>)> {
    let (name, known) = said.strip_prefix(what)?.split_once(", expected ")?;
    let known = known.strip_prefix("one of ").unwrap_or(known);
    let known = known.split([',', ' ']).map(|word| word.trim_matches('`'));
    Some((
        name.trim_matches('`').to_owned(),
        known.filter(|word| !word.is_empty() && *word != "or").collect(),
    ))
}

fn meant(name: &str, known: &[&str]) -> Option<String> {
    let same = known.iter().copied().find(|one| plain(one) == plain(name));
    let called = MEANT.iter().find(|(other, _)| *other == name.to_lowercase()).map(|(_, meant)| *meant);
    let called = called.filter(|meant| known.contains(meant));
    same.or(called).or_else(|| nearest(name, known)).map(str::to_owned)
}

fn unknown_field(name: &str, known: &[&str], field: Option<&str>) -> String {
    let here = format!("there is no field `{name}` here; there are {}", known.join(", "));
    let known_here = known.iter().any(|one| plain(one) == plain(name));
    let parent = field.and_then(|field| field.rsplit_once('.')).map(|(parent, _)| unnumbered(parent));
    let below = parent.unwrap_or_default();
    // Nearest first: below this object, then elsewhere.
    let mut others: Vec<&String> = if known_here {
        Vec::new()
    } else {
        all().iter().filter(|path| plain(last(path)) == plain(name)).collect()
    };
    others.sort_by_key(|path| (!path.starts_with(&below), path.len()));
    match others.first().and_then(|path| path.rsplit_once('.')) {
        Some((object, _)) => format!("{here}. It is a field of `{object}`"),
        None => here,
    }
}

/// The reader complains at the last field of the object.
fn missing(name: &str, field: Option<&str>) -> Mistake {
    let mut object = field.unwrap_or_default();
    while !object.is_empty() && !is_object_with(object, name) {
        object = object.rsplit_once(['.', '[']).map_or("", |(parent, _)| parent);
    }
    let path = if object.is_empty() { name.to_owned() } else { format!("{object}.{name}") };
    let about = node(&path).and_then(|node| node.get("description")).and_then(Value::as_str);
    let about = about.and_then(|about| about.split("\n\n").next()).map(|about| about.replace('\n', " "));
    let values = node(&path).map(values).unwrap_or_default();
    let about = match values.as_slice() {
        [] => about.map(|about| format!(" ({})", about.trim_end_matches('.'))).unwrap_or_default(),
        values => format!(": {}", values.join(", ")),
    };
    let suggestion = example(&path).map(|example| format!("{name}: {example}"));
    Mistake { field: Some(path), why: format!("it needs `{name}`{about}"), suggestion }
}

/// The values that a field may have, where they are counted.
fn values(field: &'static Value) -> Vec<&'static str> {
    let choices = resolved(field).get("oneOf").and_then(Value::as_array).into_iter().flatten();
    choices.filter_map(|choice| choice.get("const").and_then(Value::as_str)).collect()
}

fn is_object_with(path: &str, name: &str) -> bool {
    node(path)
        .and_then(|node| resolved(node).get("properties"))
        .is_some_and(|fields| fields.get(name).is_some())
}

/// `32k` as digits.
fn thousands(value: &str) -> Option<String> {
    let value = value.trim().replace(['_', ',', ' '], "");
    let unit = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at_checked(unit)?;
    let factor: u64 = match unit.to_lowercase().as_str() {
        "" => 1,
        "k" => 1000,
        "kb" | "kib" | "ki" => 1024,
        "m" | "mb" | "mib" | "mi" => 1024 * 1024,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()?.checked_mul(factor)?.to_string())
}

/// `1 hour` as `1h`.
fn duration(value: &str) -> Option<String> {
    let unit = value.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = value.split_at_checked(unit)?;
    let first = unit.trim().chars().next().map(|c| c.to_ascii_lowercase())?;
    let number: u64 = number.parse().ok()?;
    match (unit.trim().to_lowercase().as_str(), first) {
        ("ms", _) => None,
        (month, _) if month.starts_with("mo") => Some(format!("{}d", number * 30)),
        (_, 'w') => Some(format!("{}d", number * 7)),
        (_, 's' | 'm' | 'h' | 'd') => Some(format!("{number}{first}")),
        _ => None,
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn unnumbered(path: &str) -> String {
    path.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn known() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema)
}

/// Every field of a policy: `rules[].when.effects`.
fn all() -> &'static [String] {
    static ALL: OnceLock<Vec<String>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut paths = Vec::new();
        gather(known(), "", &mut paths);
        paths
    })
}

fn gather(node: &'static Value, path: &str, paths: &mut Vec<String>) {
    for (name, field) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        paths.push(path.clone());
        match resolved(field).get("items") {
            Some(items) => gather(resolved(items), &format!("{path}[]"), paths),
            None => gather(resolved(field), &path, paths),
        }
    }
}

fn resolved(node: &'static Value) -> &'static Value {
    let target =
        node.get("$ref").and_then(Value::as_str).and_then(|path| known().pointer(path.strip_prefix('#')?));
    target.unwrap_or(node)
}

/// What the schema says of a field.
fn node(path: &str) -> Option<&'static Value> {
    let mut node = known();
    for part in path.split('.') {
        let (name, list) = part.split_once('[').map_or((part, false), |(name, _)| (name, true));
        let field = resolved(node).get("properties")?.get(name)?;
        node = if list { resolved(field).get("items")? } else { field };
    }
    Some(node)
}

fn example(path: &str) -> Option<String> {
    let about = node(path)?.get("description")?.as_str()?;
    Some(about.rsplit_once("\n\nExample: ")?.1.trim_matches('`').to_owned())
}
