//! How long a bundle takes to load: the first time, as a VM does it, and when V8 has compiled what it takes.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sluice_engine::judge::Runtime;
use sluice_engine::mask::Masker;
use sluice_engine::policy::bundle::{Bundle, FORMAT};
use sluice_engine::policy::document::{CustomPattern, Masking};

use super::Table;
use super::clock::fastest;

const KEY: [u8; 32] = [7; 32];

/// Most milliseconds, with the default detectors, and with 50 patterns beside them.
const DEFAULTS: f64 = 20.0;
const CUSTOM: f64 = 100.0;

/// Fifty patterns as organisations write them: identifiers of their own.
pub fn custom() -> Vec<CustomPattern> {
    let pattern = |i: usize| match i % 5 {
        0 => format!(r"\bC{i}-[A-Z0-9]{{4,12}}\b"),
        1 => format!(r"(?i)\bproject[ -]p{i}[a-z]{{2,20}}\b"),
        2 => format!(r"\b[A-Z]{{2}}{i}\d{{6,10}}\b"),
        3 => format!(r"\bcust_{i}_[0-9a-f]{{16,32}}\b"),
        _ => format!(r"\b(?:patient|case|file) ?(?:no\.? ?)?{i}-\d{{3}}-\d{{4}}\b"),
    };
    (0..50)
        .map(|i| CustomPattern { name: format!("c{i}"), pattern: pattern(i), ..CustomPattern::default() })
        .collect()
}

/// A masker with the default detectors and these patterns.
pub fn masking(custom: Vec<CustomPattern>) -> Option<Masker> {
    Masker::new(&Masking { custom, ..Masking::default() }, &KEY).ok()
}

/// A bundle with one role that allows everything.
fn bundle(custom: Vec<CustomPattern>) -> Option<Bundle> {
    let policy: Value = json!({
        "issuers": [{"name": "idp", "issuer": "https://idp", "audiences": ["sluice"]}],
        "roles": [{"name": "all", "scopes": ["*"], "models": ["*"],
            "serverTools": {"allow": ["*"]}, "mcpServers": {"allow": ["*"]}}],
        "bindings": [{"name": "staff", "groups": ["staff"], "roles": ["all"]}],
        "masking": {"custom": serde_json::to_value(custom).ok()?},
    });
    Some(Bundle {
        format: FORMAT,
        version: "v1".into(),
        policy_version: "p1".into(),
        issued_at_ms: 0,
        policy: serde_json::from_value(policy).ok()?,
        keys: Vec::new(),
        tenant_key: BASE64.encode(KEY),
        grants: Vec::new(),
        revocations: Vec::new(),
        withheld: Vec::new(),
    })
}

/// What a bundle with the default detectors compiles to.
pub fn runtime() -> Option<Arc<Runtime>> {
    Runtime::new(bundle(Vec::new())?).ok().map(Arc::new)
}

/// Adds a row for each bundle. Comes first: the first load is what a VM sees.
pub fn measure(table: &mut Table<'_>) {
    table.head(&["ms", "first", "bar", "", "best"]);
    for (name, custom, bar) in [
        ("bundle, default detectors", Vec::new(), DEFAULTS),
        ("bundle, 50 custom patterns", custom(), CUSTOM),
    ] {
        if !table.wants(name) {
            continue;
        }
        let load = || bundle(custom.clone()).is_some_and(|bundle| Runtime::new(bundle).is_ok());
        let start = Instant::now();
        let loaded = load();
        let first = start.elapsed().as_secs_f64() * 1e3;
        let best = fastest(|| assert!(load(), "{name} loads")) * 1e3;
        table.row(name, first, bar, loaded && first < bar, &[format!("{best:.2}")]);
    }
}
