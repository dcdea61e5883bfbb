//! A reader of the part of JSON Schema that the policy's schema uses; of a keyword that it does not know it says so.

use serde_json::{Map, Value};
use sluice_engine::policy::document::{Duration, Usd};

/// What is wrong with a value, each with its place.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut reader = Reader { root: schema, faults: Vec::new() };
    reader.read(schema, value, "");
    reader.faults
}

struct Reader<'s> {
    root: &'s Value,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self, schema: &Value, value: &Value, place: &str) {
        let Value::Object(keywords) = schema else {
            assert_eq!(*schema, Value::Bool(true), "{place}: a schema that is not known");
            return;
        };
        for (keyword, says) in keywords {
            let fits = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "default" => true,
                "$ref" => {
                    let path = says.as_str().unwrap().strip_prefix('#').unwrap();
                    let target = self.root.pointer(path).unwrap_or_else(|| panic!("{path} is nowhere"));
                    self.read(target, value, place);
                    true
                }
                "type" => match says {
                    Value::Array(kinds) => kinds.iter().any(|kind| is_of(value, kind.as_str().unwrap())),
                    kind => is_of(value, kind.as_str().unwrap()),
                },
                "const" => value == says,
                "enum" => says.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= says.as_f64().unwrap()),
                "pattern" => {
                    let fits: fn(&str) -> bool = match says.as_str().unwrap() {
                        "^[0-9]+[smhd]$" => |text| Duration::parse(text).is_some(),
                        "^[0-9]+([.][0-9]{1,6})?$" => |text| Usd::parse(text).is_some(),
                        other => panic!("the pattern {other} is not known"),
                    };
                    value.as_str().is_none_or(fits)
                }
                "oneOf" => {
                    let fits = |one: &&Value| faults_below(self.root, one, value).is_empty();
                    says.as_array().unwrap().iter().filter(fits).count() == 1
                }
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.read(says, item, &format!("{place}[{n}]"));
                    }
                    true
                }
                "properties" | "additionalProperties" => {
                    self.fields(keywords, value, place);
                    true
                }
                "required" => {
                    let missing =
                        |name: &&Value| value.is_object() && value.get(name.as_str().unwrap()).is_none();
                    let missing: Vec<_> = says.as_array().unwrap().iter().filter(missing).collect();
                    if !missing.is_empty() {
                        self.faults.push(format!("{place}: needs {missing:?}"));
                    }
                    true
                }
                other => panic!("{place}: the keyword {other} is not known"),
            };
            if !fits {
                self.faults.push(format!("{place}: {value} does not fit {keyword} {says}"));
            }
        }
    }

    fn fields(&mut self, keywords: &Map<String, Value>, value: &Value, place: &str) {
        let known = keywords.get("properties").and_then(Value::as_object);
        for (name, field) in value.as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            match (known.and_then(|known| known.get(name)), keywords.get("additionalProperties")) {
                (Some(schema), _) => self.read(schema, field, &place),
                (None, Some(Value::Bool(false))) => self.faults.push(format!("{place} is not known")),
                (None, Some(schema)) => self.read(schema, field, &place),
                (None, None) => {}
            }
        }
    }
}

fn faults_below(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut reader = Reader { root, faults: Vec::new() };
    reader.read(schema, value, "");
    reader.faults
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type {other} is not known"),
    }
}
