//! Fields that may be written in a short or in a long form.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::document::Caller;

/// One text, or a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

/// A principal: its name, or itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerForm {
    /// A name among the file's `principals`.
    Name(String),
    /// Written where it is used.
    Here(Caller),
}

/// A tool that is offered: its name, or its definition as the API takes it.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolForm {
    /// A tool of the caller's own.
    Name(String),
    /// `{type: web_search_20250305, name: web_search}`, for example.
    Definition(Map<String, Value>),
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Names, E> {
                Ok(Names(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for CallerForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = CallerForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a principal, or one with `subject` and `groups`")
            }

            fn visit_str<E>(self, name: &str) -> Result<CallerForm, E> {
                Ok(CallerForm::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CallerForm, A::Error> {
                Caller::deserialize(MapAccessDeserializer::new(map)).map(CallerForm::Here)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for ToolForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(name) => Ok(Self::Name(name)),
            Value::Object(definition) => Ok(Self::Definition(definition)),
            _ => Err(de::Error::custom("a tool is a name, or a definition as the API takes it")),
        }
    }
}

impl Names {
    /// The texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
