//! Values as OTLP's JSON has them: 64-bit integers as text, each value under the name of its type.

use serde_json::{Value, json};

/// Characters of a text that are sent: some come from callers.
const LONGEST: usize = 1000;

/// Attributes, in the order in which they were set.
#[derive(Debug, Default)]
pub struct Attributes(Vec<Value>);

impl Attributes {
    /// Sets one; nothing, no text and no values at all are left out.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let is_empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(values) => values.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.0.push(json!({"key": name, "value": any(&value)}));
        }
    }

    /// As a message has them.
    pub fn into_value(self) -> Value {
        Value::Array(self.0)
    }
}

/// A value (`AnyValue`).
pub fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(bool) => json!({"boolValue": bool}),
        Value::Number(number) => match number.as_i64() {
            Some(int) => json!({"intValue": int.to_string()}),
            None => json!({"doubleValue": number.as_f64()}),
        },
        Value::String(text) => json!({"stringValue": text.chars().take(LONGEST).collect::<String>()}),
        Value::Array(values) => json!({"arrayValue": {"values": values.iter().map(any).collect::<Vec<_>>()}}),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| json!({"key": key, "value": any(value)}));
            json!({"kvlistValue": {"values": fields.collect::<Vec<_>>()}})
        }
    }
}

/// A moment in nanoseconds.
pub fn nanos(ms: u64) -> String {
    ms.saturating_mul(1_000_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_stands_under_the_name_of_its_type() {
        for (value, sent) in [
            (json!(null), json!({})),
            (json!(true), json!({"boolValue": true})),
            (json!(9_007_199_254_740_993_i64), json!({"intValue": "9007199254740993"})),
            (json!(0.25), json!({"doubleValue": 0.25})),
            (json!("é"), json!({"stringValue": "é"})),
            (json!(["a", 1]), json!({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}})),
            (
                json!({"a": "b"}),
                json!({"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}]}}),
            ),
        ] {
            assert_eq!(any(&value), sent);
        }
        let long = any(&json!("é".repeat(5000)));
        assert_eq!(long["stringValue"].as_str().map(|text| text.chars().count()), Some(LONGEST));
    }

    #[test]
    fn what_is_not_there_is_no_attribute() {
        let mut attributes = Attributes::default();
        attributes.set("none", None::<&str>);
        attributes.set("empty", "");
        attributes.set("nobody", Vec::<String>::new());
        attributes.set("zero", 0);
        assert_eq!(attributes.into_value(), json!([{"key": "zero", "value": {"intValue": "0"}}]));
        assert_eq!(nanos(u64::MAX), u64::MAX.to_string());
    }
}
