//! Fields of values, for what is compared without being understood.

use std::collections::BTreeSet;

use serde_json::Value;

/// An object without these of its fields, and without those that say nothing.
pub(super) fn without(value: Value, known: &[&str]) -> Value {
    let Value::Object(mut map) = value else { return value };
    map.retain(|field, value| !known.contains(&field.as_str()) && !is_empty(value));
    Value::Object(map)
}

/// Whether a value says nothing: null, an empty list, an empty object, `false`.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}

/// The fields in which two lists of objects differ.
pub(super) fn differing(one: &[Value], other: &[Value]) -> Vec<String> {
    let of = |values: &[Value], field: &str| -> Vec<Value> {
        values.iter().filter_map(|value| value.get(field)).cloned().collect()
    };
    let all: BTreeSet<&String> =
        one.iter().chain(other).filter_map(Value::as_object).flat_map(|map| map.keys()).collect();
    all.into_iter().filter(|field| of(one, field) != of(other, field)).cloned().collect()
}

/// The strings of a list; `None`: it is no list of strings.
pub(super) fn strings(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}
