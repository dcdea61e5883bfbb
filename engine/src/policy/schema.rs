//! JSON Schema of the policy document, from its types and their comments.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use serde_json::{Value, json};

use super::document::Policy;

/// Fields that the types can do without and [`super::check::check`] cannot.
const NEEDED: &[(&str, &[&str])] =
    &[("Role", &["name"]), ("Binding", &["name", "roles"]), ("CustomPattern", &["name", "pattern"])];

/// JSON Schema, draft 2020-12. Accepts what the policy's reader accepts, but for empty values (`allow:` with nothing
/// behind it), and knows nothing of what [`super::check::check`] says beyond.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Policy>();
    RecursiveTransform(plain).transform(&mut schema);
    schema.insert("title".into(), json!("Sluice policy"));
    let mut schema = schema.to_value();
    for (kind, fields) in NEEDED {
        if let Some(kind) = schema.pointer_mut(&format!("/$defs/{kind}")) {
            kind["required"] = json!(fields);
        }
    }
    schema
}

/// Takes out what helps nobody: names of integer types of Rust, and `null`, which people write by mistake.
fn plain(schema: &mut schemars::Schema) {
    schema.remove("format");
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Object(defaults)) = schema.get_mut("default") {
        defaults.retain(|_, value| !value.is_null());
    }
    if let Some(Value::Array(types)) = schema.get("type")
        && let [kind, Value::String(null)] = types.as_slice()
        && null == "null"
    {
        let kind = kind.clone();
        schema.insert("type".into(), kind);
    }
    if let Some(Value::Array(any)) = schema.get("anyOf")
        && let [one, null] = any.as_slice()
        && *null == json!({"type": "null"})
        && let Value::Object(one) = one.clone()
    {
        schema.remove("anyOf");
        for (key, value) in one {
            schema.insert(key, value);
        }
    }
}
