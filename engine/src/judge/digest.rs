//! Digests that say "the same request" whatever its order of keys, its spelling and its cache marks.

use sha2::{Digest as _, Sha256};

use crate::json::{Kind, Value};

/// Feeds values into SHA-256 in a canonical form: keys sorted, strings resolved, each part with its length.
/// Numbers count as written.
#[derive(Clone, Default)]
pub(super) struct Digest {
    hash: Sha256,
}

impl Digest {
    /// Starts with a purpose, so that digests for different ends never meet.
    pub(super) fn of(purpose: &str) -> Self {
        let mut digest = Self::default();
        digest.text(purpose);
        digest
    }

    pub(super) fn text(&mut self, text: &str) {
        self.hash.update((text.len() as u64).to_le_bytes());
        self.hash.update(text.as_bytes());
    }

    /// A value, without the fields that `skip` names at its top, and without cache marks anywhere: clients move
    /// them from turn to turn.
    pub(super) fn value(&mut self, value: Value<'_, '_>, skip: &[&str]) {
        // Recursion is bounded by the depth that the parser allows.
        match value.kind() {
            Kind::String => {
                self.hash.update(b"s");
                self.text(&value.text().unwrap_or_default());
            }
            Kind::Array => {
                self.hash.update(b"[");
                value.items().for_each(|item| self.value(item, &[]));
                self.hash.update(b"]");
            }
            Kind::Object => {
                let mut entries: Vec<_> =
                    value.entries().filter_map(|(key, value)| Some((key.text()?, value))).collect();
                entries.retain(|(key, value)| !is_cache_mark(key, *value) && !skip.contains(&key.as_ref()));
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                self.hash.update(b"{");
                for (key, value) in entries {
                    self.text(&key);
                    self.value(value, &[]);
                }
                self.hash.update(b"}");
            }
            _ => {
                self.hash.update(b"v");
                self.text(value.raw());
            }
        }
    }

    /// In hexadecimal.
    pub(super) fn hex(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// `cache_control` as the API takes it. Under this name a tool's input can say anything, and then it counts.
pub(super) fn is_cache_mark(key: &str, value: Value<'_, '_>) -> bool {
    let marks = |(key, value): (Value<'_, '_>, Value<'_, '_>)| {
        key.is("type") && value.is("ephemeral") || key.is("ttl") && (value.is("5m") || value.is("1h"))
    };
    key == "cache_control"
        && (value.kind() == Kind::Null || value.kind() == Kind::Object && value.entries().all(marks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn digest(text: &str) -> String {
        let doc = parse(text.as_bytes(), 16).unwrap();
        let mut digest = Digest::of("test");
        digest.value(doc.root(), &["stream", "max_tokens"]);
        digest.hex()
    }

    #[test]
    fn order_spelling_cache_marks_and_stream_do_not_count() {
        let one = digest(
            r#"{"model":"m","messages":[{"role":"user","content":"é"}],"stream":true,"max_tokens":9}"#,
        );
        let two = digest(
            r#"{ "max_tokens": 1, "messages": [{"content":"\u00e9","cache_control":{"type":"ephemeral"},"role":"user"}], "model": "m" }"#,
        );
        assert_eq!(one, two);
    }

    #[test]
    fn anything_else_counts() {
        let base = digest(r#"{"a":["x","y"],"b":1}"#);
        for other in [
            r#"{"a":["y","x"],"b":1}"#,
            r#"{"a":["xy"],"b":1}"#,
            r#"{"a":["x","y"],"b":"1"}"#,
            r#"{"a":["x"],"y":1}"#,
            r#"{"a":["x","y"],"b":1,"c":null}"#,
        ] {
            assert_ne!(digest(other), base, "{other}");
        }
        assert_ne!(digest(r#"{"a":{"stream":1}}"#), digest(r#"{"a":{}}"#), "only at the top");
    }
}
