//! Where what came of a case differs from what was expected, and where one way of sending a reply from another.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::document::{Expect, Leaving};
use crate::trial::exchange::{Outcome, Reply};

/// The most of a text that a difference shows.
const SHOWN: usize = 300;

/// Something that is otherwise than expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The field of `expect`.
    pub field: String,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
}

/// Where an outcome differs from what was expected.
pub fn differences(expect: &Expect, outcome: &Outcome) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut same = |field: &str, expected: String, got: String| {
        if expected != got {
            found.push(Difference { field: field.to_owned(), expected, got });
        }
    };
    same("verdict", expect.verdict.name().into(), outcome.verdict.name().into());
    if let Some(rule) = &expect.rule {
        same("rule", rule.clone(), outcome.rule.clone().unwrap_or_else(|| "none".into()));
    }
    if let Some(observed) = &expect.observed {
        let expected: BTreeSet<&str> = observed.iter().collect();
        same("observed", list(expected), list(outcome.observed()));
    }
    if let Some(status) = expect.status {
        let got = outcome.status.map_or_else(|| "none: the request goes on".into(), |got| got.to_string());
        same("status", status.to_string(), got);
    }
    if let Some(masks) = &expect.masks {
        let counted = |(kind, count): (&String, &u32)| format!("{kind}: {count}");
        let written = |map: &std::collections::BTreeMap<String, u32>| {
            let all: Vec<String> = map.iter().filter(|(_, count)| **count > 0).map(counted).collect();
            if all.is_empty() { "{}".into() } else { format!("{{ {} }}", all.join(", ")) }
        };
        same("masks", written(masks), written(&outcome.masks()));
    }
    if let Some(effects) = &expect.effects {
        let names = |effect: &sluice_engine::command::Effect| effect.name();
        let expected: BTreeSet<&str> = effects.iter().map(names).collect();
        same("effects", list(expected), list(outcome.effects().iter().map(names).collect()));
    }
    for words in expect.message.iter() {
        if !outcome.messages.iter().any(|message| message.contains(words)) {
            let got = if outcome.messages.is_empty() { "none".into() } else { outcome.messages.join("\n") };
            found.push(Difference { field: "message".into(), expected: words.to_owned(), got: short(&got) });
        }
    }
    let forwarded = Left::of(outcome.forwarded.as_deref(), None);
    let returned = Left::of(outcome.returned.as_deref(), outcome.message.as_ref());
    for (field, expected, left) in
        [("forwarded", &expect.forwarded, forwarded), ("returned", &expect.returned, returned)]
    {
        leaving(field, expected, &left, &mut found);
    }
    found
}

fn leaving(field: &str, expected: &Leaving, left: &Left, found: &mut Vec<Difference>) {
    for text in expected.contains.iter().filter(|text| !left.has(text)) {
        let (field, expected) = (format!("{field}.contains"), text.to_owned());
        found.push(Difference { field, expected, got: left.shown() });
    }
    for text in expected.lacks.iter().filter(|text| left.has(text)) {
        let (field, expected) = (format!("{field}.lacks"), format!("nothing with {text}"));
        found.push(Difference { field, expected, got: left.shown() });
    }
}

/// Something that left, as texts.
struct Left {
    raw: String,
    /// Strings with escapes resolved; those of a stream put together.
    strings: String,
}

impl Left {
    fn of(bytes: Option<&[u8]>, message: Option<&Value>) -> Self {
        let raw = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let mut strings = String::new();
        match message {
            Some(message) => gather(message, &mut strings),
            None => {
                let body: Option<Value> = serde_json::from_str(&raw).ok();
                body.iter().for_each(|body| gather(body, &mut strings));
            }
        }
        Self { raw, strings }
    }

    fn has(&self, text: &str) -> bool {
        self.raw.contains(text) || self.strings.contains(text)
    }

    fn shown(&self) -> String {
        match (self.raw.is_empty(), self.strings.is_empty()) {
            (true, _) => "nothing left".into(),
            (_, true) => short(&self.raw),
            _ => short(&self.strings),
        }
    }
}

fn gather(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push_str(text);
            out.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, out)),
        Value::Object(map) => map.values().for_each(|value| gather(value, out)),
        _ => {}
    }
}

/// What differs when the same reply is sent in another way.
pub fn between(one: &Outcome, other: &Outcome, way: &Reply) -> Option<Difference> {
    let content = |outcome: &Outcome| {
        let of = |field: &str| outcome.message.as_ref().and_then(|message| message.get(field)).cloned();
        Value::from(vec![of("content"), of("stop_reason")]).to_string()
    };
    let facts = |outcome: &Outcome| {
        [
            ("verdict", outcome.verdict.name().to_owned()),
            ("rule", outcome.rule.clone().unwrap_or_default()),
            ("masks", format!("{:?}", outcome.masks())),
            ("effects", format!("{:?}", outcome.effects())),
            ("observed", format!("{:?}", outcome.observed())),
            ("what leaves", content(outcome)),
        ]
    };
    let (field, expected, got) = facts(one)
        .into_iter()
        .zip(facts(other))
        .find(|((_, one), (_, other))| one != other)
        .map(|((field, one), (_, other))| (field, one, other))?;
    let how = match way {
        Reply::Whole { .. } => "as a whole".to_owned(),
        Reply::Stream { cuts, .. } => match cuts.as_slice() {
            [] => "as a stream".to_owned(),
            [at] => format!("as a stream cut at byte {at}"),
            [size, ..] => format!("as a stream in pieces of {size} bytes"),
        },
    };
    Some(Difference { field: format!("{field}, sent {how}"), expected: short(&expected), got: short(&got) })
}

fn list(names: BTreeSet<&str>) -> String {
    format!("[{}]", names.into_iter().collect::<Vec<_>>().join(", "))
}

fn short(text: &str) -> String {
    let text = text.trim_end();
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain([' ', '[', '.', '.', '.', ']']).collect()
}
