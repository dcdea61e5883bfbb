//! The description of the HTTP API: OpenAPI 3.1, made of one table of calls. It is checked in as `control/openapi.json`
//! (`sluice openapi` prints it), and tested to be up to date and to name every route of the service.
//!
//! Pages for browsers are not in it.

mod calls;
mod governance;

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use calls::calls;

/// Where refusals have the form of OAuth (RFC 6749, 5.2).
const OAUTH: &str = "/v1/oauth/";

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Anyone.
    Anyone,
    /// A person, by a token of an issuer in the policy.
    Person,
    /// A sidecar.
    Sidecar,
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    /// One JSON object a line; the record can be had as a table, too.
    Lines,
    /// Nothing.
    Empty,
}

/// One call.
struct Call {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    caller: Caller,
    query: Vec<(&'static str, Value, &'static str)>,
    body: Option<(&'static str, Value)>,
    success: Vec<(u16, Kind)>,
    refusals: Vec<u16>,
}

/// A call that answers 200 with JSON.
fn call(method: &'static str, path: &'static str, caller: Caller, summary: &'static str) -> Call {
    let (query, body) = (Vec::new(), None);
    let success = vec![(200, Kind::Json)];
    Call { method, path, summary, caller, query, body, success, refusals: Vec::new() }
}

impl Call {
    /// A parameter behind `?`.
    fn text(mut self, name: &'static str, what: &'static str) -> Self {
        self.query.push((name, json!({"type": "string"}), what));
        self.refusals.push(400);
        self
    }

    /// A parameter behind `?` that is one of few words.
    fn word(mut self, name: &'static str, words: &[&str], what: &'static str) -> Self {
        self.query.push((name, json!({"type": "string", "enum": words}), what));
        self.refusals.push(400);
        self
    }

    /// A parameter behind `?` that is a number.
    fn number(mut self, name: &'static str, what: &'static str) -> Self {
        self.query.push((name, json!({"type": "integer", "minimum": 0}), what));
        self.refusals.push(400);
        self
    }

    /// A JSON body that is described by its type.
    fn takes<T: JsonSchema>(self, schemas: &mut SchemaGenerator) -> Self {
        let schema = schemas.subschema_for::<T>().to_value();
        self.body("application/json", schema)
    }

    /// A body.
    fn body(mut self, media: &'static str, schema: Value) -> Self {
        self.body = Some((media, schema));
        self.refusals.extend([400, 413]);
        self
    }

    /// The answers that are no refusals.
    fn gives(mut self, success: &[(u16, Kind)]) -> Self {
        self.success = success.to_vec();
        self
    }

    /// Further statuses of refusals.
    fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    /// Refusals that follow from what the call is.
    fn all_refusals(&self) -> Vec<u16> {
        let mut all = self.refusals.clone();
        all.push(429);
        match self.caller {
            Caller::Anyone => {}
            Caller::Person => all.extend([401, 403, 503]),
            Caller::Sidecar => all.extend([401, 503]),
        }
        if self.path.contains('{') {
            // A part of the path that cannot be decoded.
            all.push(400);
            if self.caller != Caller::Anyone {
                all.push(404);
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn describe(&self) -> Value {
        let mut responses = Map::new();
        for (status, kind) in &self.success {
            let media = match kind {
                Kind::Json => Some(json!({"application/json": {"schema": {}}})),
                Kind::Text => Some(json!({"text/plain": {"schema": {"type": "string"}}})),
                Kind::Lines => Some(json!({
                    "application/x-ndjson": {"schema": {"type": "string"}},
                    "text/csv": {"schema": {"type": "string"}},
                })),
                Kind::Empty => None,
            };
            let response = match media {
                Some(media) => json!({"description": "What was asked for.", "content": media}),
                None => json!({"description": "What was asked for."}),
            };
            responses.insert(status.to_string(), response);
        }
        for status in self.all_refusals() {
            let name = match status {
                _ if self.path.starts_with(OAUTH) => "RefusedByOAuth",
                429 => "TooOften",
                _ => "Refused",
            };
            let reference = json!({"$ref": format!("#/components/responses/{name}")});
            responses.entry(status.to_string()).or_insert(reference);
        }
        let in_path = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = in_path.map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
        });
        let behind = self.query.iter().map(|(name, schema, what)| {
            json!({"name": name, "in": "query", "description": what, "schema": schema})
        });
        let parameters: Vec<Value> = in_path.chain(behind).collect();
        let security = match self.caller {
            Caller::Anyone => json!([]),
            Caller::Person => json!([{"person": []}]),
            Caller::Sidecar => json!([{"sidecar": []}]),
        };
        let mut described = Map::from_iter([
            ("summary".to_owned(), json!(self.summary)),
            ("parameters".to_owned(), json!(parameters)),
            ("responses".to_owned(), json!(responses)),
            ("security".to_owned(), security),
        ]);
        if let Some((media, schema)) = &self.body {
            let body = json!({"required": true, "content": {*media: {"schema": schema}}});
            described.insert("requestBody".to_owned(), body);
        }
        Value::Object(described)
    }
}

/// The description, as JSON.
pub fn document() -> Value {
    let mut schemas = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for call in calls(&mut schemas) {
        paths.entry(call.path).or_default().insert(call.method, call.describe());
    }
    let problem = json!({
        "type": "object", "required": ["status", "title", "detail"],
        "properties": {
            "status": {"type": "integer"}, "title": {"type": "string"},
            "detail": {"type": "string", "description": "What happened, why, and what to do."},
        },
    });
    let a_problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    let refused = json!({"application/problem+json": a_problem});
    let by_oauth = json!({
        "application/problem+json": a_problem,
        "application/json": {"schema": {"$ref": "#/components/schemas/OAuthError"}},
    });
    let oauth = json!({
        "type": "object", "required": ["error"],
        "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
    });
    let mut definitions = schemas.take_definitions(true);
    definitions.insert("OAuthError".into(), oauth);
    definitions.insert("Problem".into(), problem);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice control", "version": env!("CARGO_PKG_VERSION"),
            "description": "What people, command lines and sidecars call. Errors are problems of RFC 9457.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": {
                "Refused": {"description": "What happened, why, and what to do.", "content": refused},
                "RefusedByOAuth": {"description": "What is wrong with the request (RFC 6749, 5.2).", "content": by_oauth},
                "TooOften": {
                    "description": "Too many calls.", "content": refused,
                    "headers": {"retry-after": {"description": "In seconds.", "schema": {"type": "integer"}}},
                },
            },
            "securitySchemes": {
                "person": {"type": "http", "scheme": "bearer", "description": "A token of an issuer in the policy."},
                "sidecar": {"type": "http", "scheme": "bearer", "description": "The data-plane token, or what `access.sidecars` in the policy names."},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use sluice_engine::wire;

    use super::*;

    /// What is no page for browsers.
    const API: [&str; 4] = ["/v1/", "/livez", "/readyz", "/.well-known/"];

    /// Paths that have a name in the code.
    const NAMED: [(&str, &str); 7] = [
        ("wire::BUNDLE", wire::BUNDLE),
        ("wire::EXCHANGES", wire::EXCHANGES),
        ("wire::RECORDS", wire::RECORDS),
        ("wire::HOLDS", wire::HOLDS),
        ("wire::BUDGETS", wire::BUDGETS),
        ("wire::REFRESH", wire::REFRESH),
        ("wire::INTROSPECT", wire::INTROSPECT),
    ];

    fn sources(directory: &Path, all: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                all.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }

    /// The argument list that begins here, up to its closing bracket.
    fn arguments(text: &str) -> &str {
        let mut depth = 1;
        let end = text.char_indices().find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        text.get(..end.map_or(text.len(), |(at, _)| at)).unwrap()
    }

    /// The routes as they are written in the code: a router cannot be asked for them.
    fn routes() -> BTreeSet<(String, String)> {
        let mut texts = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut texts);
        let mut routes = BTreeSet::new();
        for text in &texts {
            for (at, mark) in text.match_indices(".route(") {
                let arguments = arguments(text.get(at + mark.len()..).unwrap());
                let (path, handlers) = arguments.split_once(',').unwrap();
                let path = match NAMED.iter().find(|(name, _)| *name == path.trim()) {
                    Some((_, path)) => *path,
                    None => path.trim().trim_matches('"'),
                };
                assert!(path.starts_with('/'), "the path `{path}` has a name that this test does not know");
                for method in ["get", "post", "put", "patch", "delete"] {
                    let called = format!("{method}(");
                    let found = handlers.match_indices(&called).any(|(at, _)| {
                        let before = handlers.get(..at).and_then(|text| text.chars().last());
                        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
                    });
                    if found {
                        routes.insert((method.to_owned(), path.to_owned()));
                    }
                }
            }
        }
        routes
    }

    #[test]
    fn the_document_that_is_checked_in_is_up_to_date() {
        let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        let checked_in: Value = serde_json::from_str(&std::fs::read_to_string(checked_in).unwrap()).unwrap();
        assert_eq!(checked_in, document(), "run `sluice openapi > control/openapi.json`");
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let routes = routes();
        assert!(routes.len() > 25, "{routes:?}");
        let ours = |path: &String| API.iter().any(|start| path.starts_with(start));
        let there: BTreeSet<_> = routes.into_iter().filter(|(_, path)| ours(path)).collect();
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let described: BTreeSet<_> = paths
            .iter()
            .flat_map(|(path, calls)| {
                calls.as_object().unwrap().keys().map(|method| (method.clone(), path.clone()))
            })
            .collect();
        let missing: Vec<_> = there.difference(&described).collect();
        assert!(missing.is_empty(), "describe these in src/openapi/calls.rs: {missing:?}");
        let gone: Vec<_> = described.difference(&there).collect();
        assert!(gone.is_empty(), "these are in src/openapi/calls.rs, and no route: {gone:?}");
    }
}
