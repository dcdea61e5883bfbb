//! Keys in exactly one spelling: readers that ignore case (Go's `encoding/json`) would take `Method` for `method`, and
//! the last one for the one that counts.

use crate::json::{Kind, Value};

/// Keys of a server's message that decide what becomes of it.
const READ: [&str; 7] = ["id", "inputRequests", "inputSchema", "method", "name", "result", "tools"];

/// A key as readers see it who ignore case: Go folds two letters beyond ASCII into it.
pub(super) fn folded(key: &str) -> String {
    key.replace('\u{17f}', "s").replace('\u{212a}', "k").to_lowercase()
}

/// Whether the protocol knows no shape below this key.
pub(super) fn is_free(key: &str) -> bool {
    matches!(key, "arguments" | "structuredContent" | "inputSchema" | "outputSchema" | "requestedSchema")
}

/// Whether some object in a value has two keys that readers who ignore case take for one.
pub(super) fn has_twins(value: Value<'_, '_>) -> bool {
    // Recursion is bounded by the depth that the parser allows.
    match value.kind() {
        Kind::Array => value.items().any(has_twins),
        Kind::Object => twins(value).is_some() || value.entries().any(|(_, value)| has_twins(value)),
        _ => false,
    }
}

/// Whether somewhere in what a server says, where the protocol gives the shape, readers who ignore case would find
/// another key than is written: twins, or one of [`READ`] in another case.
pub(super) fn is_misspelt(value: Value<'_, '_>) -> bool {
    match value.kind() {
        Kind::Array => value.items().any(is_misspelt),
        Kind::Object => {
            let other = |key: &str| {
                let folded = folded(key);
                READ.iter().any(|read| key != *read && folded == read.to_ascii_lowercase())
            };
            let of_shape = |key: &str| !is_free(key) && !matches!(key, "_meta" | "data" | "experimental");
            twins(value).is_some()
                || value.entries().any(|(key, value)| {
                    let key = key.text().unwrap_or_default();
                    other(&key) || of_shape(&key) && is_misspelt(value)
                })
        }
        _ => false,
    }
}

/// A key of an object that stands there twice, in different cases.
fn twins(object: Value<'_, '_>) -> Option<String> {
    let mut keys: Vec<String> =
        object.entries().filter_map(|(key, _)| key.text()).map(|key| folded(&key)).collect();
    keys.sort_unstable();
    keys.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(one.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn a_key_that_decides_has_one_spelling_and_free_places_have_any() {
        for (text, expected) in [
            (r#"{"tools":[{"name":"a","inputSchema":{"Name":1,"name":2}}]}"#, false),
            (r#"{"content":[{"type":"text","text":"Tools"}],"structuredContent":{"ID":1,"id":2}}"#, false),
            (r#"{"code":1,"message":"no","data":{"ID":1}}"#, false),
            (r#"{"_meta":{"ID":1},"capabilities":{"experimental":{"Name":1}}}"#, false),
            (r#"{"Tools":[]}"#, true),
            ("{\"tool\u{17f}\":[]}", true),
            (r#"{"tools":[{"Name":"a"}]}"#, true),
            (r#"{"tools":[{"name":"a","NAME":"b"}]}"#, true),
            (r#"{"tools":[{"name":"a","description":"x","Description":"y"}]}"#, true),
            (r#"{"tools":[{"name":"a","inputschema":{}}]}"#, true),
            (r#"{"InputRequests":{}}"#, true),
            (r#"{"inputRequests":{"a":{"Method":"ping"}}}"#, true),
        ] {
            assert_eq!(is_misspelt(parse(text.as_bytes(), 16).unwrap().root()), expected, "{text}");
        }
    }
}
