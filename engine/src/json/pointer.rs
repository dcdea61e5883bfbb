//! JSON Pointers (RFC 6901): where a value stands, for people.

use super::{Kind, Value};

impl Value<'_, '_> {
    /// Where the value stands in its document, as a JSON Pointer; the root is empty. A key is named by its member.
    /// Walks down from the root, so that it costs nothing where nobody asks.
    pub fn pointer(self) -> String {
        let mut path = String::new();
        let mut here = self.doc.root();
        while here.at != self.at {
            let below = |value: Value<'_, '_>| self.at < value.doc.node(value.at).next;
            let next = match here.kind() {
                Kind::Object => here.entries().find(|(_, value)| below(*value)).map(|(key, value)| {
                    path.push('/');
                    path.push_str(&escape(&key.text().unwrap_or_default()));
                    if key.at == self.at { key } else { value }
                }),
                Kind::Array => here.items().enumerate().find(|(_, item)| below(*item)).map(|(n, item)| {
                    path.push('/');
                    path.push_str(&n.to_string());
                    item
                }),
                _ => None,
            };
            // A value is always below its root, so this ends at it.
            let Some(next) = next else { break };
            here = next;
        }
        path
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use crate::claude::units::all_strings;
    use crate::json::parse;

    #[test]
    fn every_string_has_a_pointer_and_a_key_that_of_its_member() {
        let text = r#"{"a":["x",{"b/c":"y","~":{"d":"z"}}],"e":"w"}"#;
        let doc = parse(text.as_bytes(), 8).unwrap();
        let all: Vec<(String, String)> = all_strings(doc.root())
            .into_iter()
            .map(|value| (value.text().unwrap().into_owned(), value.pointer()))
            .collect();
        for (value, pointer) in [
            ("x", "/a/0"),
            ("y", "/a/1/b~1c"),
            ("b/c", "/a/1/b~1c"),
            ("z", "/a/1/~0/d"),
            ("w", "/e"),
            ("e", "/e"),
        ] {
            assert!(all.contains(&(value.into(), pointer.into())), "{value} {pointer}: {all:?}");
        }
        assert_eq!(doc.root().pointer(), "");
    }
}
