//! The whole path of a request body: parse, scan, judge, splice, as the filter does it.
//!
//! `cargo bench -p sluice-engine --bench body` natively. In V8: build with `--target wasm32-wasip1 --profile wasm` and
//! run the module under Node's WASI.

mod traffic;

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sluice_engine::claude::routes::route;
use sluice_engine::identity::Principal;
use sluice_engine::judge::{Case, Runtime};
use sluice_engine::policy::bundle::{Bundle, FORMAT};
use traffic::{CODE, FINDINGS, LOGS, PROSE};

/// Runs of which the middle one counts, and the fastest is shown; those before warm the compiler of V8 up.
const RUNS: usize = 41;
const WARM: usize = 60;

/// A request of about `size` bytes: prose, and tool results that are code and logs, as an agent sends it.
/// `findings`: whether every message holds some.
fn body(size: usize, findings: bool) -> String {
    let mut messages = Vec::new();
    let mut len = 0;
    while len < size {
        let turn = messages.len();
        let text = format!("{}{}", PROSE.repeat(2), if findings { FINDINGS } else { "" });
        let call = json!({"type": "tool_use", "id": format!("toolu_{turn}"), "name": "Read",
            "input": {"file_path": format!("/src/part_{turn}.rs"), "limit": 200}});
        let result = json!({"type": "tool_result", "tool_use_id": format!("toolu_{turn}"),
            "content": if turn % 4 == 0 { CODE.repeat(6) } else { LOGS.repeat(12) }});
        for message in [
            json!({"role": "user", "content": text}),
            json!({"role": "assistant", "content": [{"type": "text", "text": PROSE}, call]}),
            json!({"role": "user", "content": [result]}),
        ] {
            len += message.to_string().len() + 1;
            messages.push(message);
        }
    }
    json!({"model": "claude-sonnet-4-5", "max_tokens": 1024, "stream": true, "messages": messages})
        .to_string()
}

fn runtime() -> Option<Arc<Runtime>> {
    let policy: Value = json!({
        "issuers": [{"name": "idp", "issuer": "https://idp", "audiences": ["sluice"]}],
        "roles": [{"name": "all", "scopes": ["*"], "models": ["*"],
            "serverTools": {"allow": ["*"]}, "mcpServers": {"allow": ["*"]}}],
        "bindings": [{"name": "staff", "groups": ["staff"], "roles": ["all"]}],
    });
    let bundle = Bundle {
        format: FORMAT,
        version: "v1".into(),
        policy_version: "p1".into(),
        issued_at_ms: 0,
        policy: serde_json::from_value(policy).ok()?,
        keys: Vec::new(),
        tenant_key: BASE64.encode([7; 32]),
        grants: Vec::new(),
        revocations: Vec::new(),
    };
    Runtime::new(bundle).ok().map(Arc::new)
}

fn main() {
    let Some(runtime) = runtime() else { return println!("the bench's own policy does not compile") };
    println!("{:28} {:>10} {:>10} {:>10} {:>8}", "body", "bytes", "median ms", "best ms", "changed");
    for (name, size, findings) in [
        ("49 kB", 49_000, false),
        ("49 kB with findings", 49_000, true),
        ("1 MB", 1_000_000, false),
        ("1 MB with findings", 1_000_000, true),
    ] {
        let body = body(size, findings);
        let mut times = Vec::new();
        let mut changed = false;
        for run in 0..WARM + RUNS {
            let principal = Principal {
                issuer: "idp".into(),
                subject: "ann".into(),
                groups: vec!["staff".into()],
                scopes: None,
                expires_ms: u64::MAX,
            };
            let Ok(route) = route("POST", "/v1/messages") else { return };
            let (mut case, _) = Case::open(runtime.clone(), principal, route, "e".repeat(32), 1000);
            let start = Instant::now();
            let judged = case.request(body.as_bytes(), &[]);
            if run >= WARM {
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            if let Some(refusal) = judged.refusal {
                return println!("{name}: refused: {}", refusal.message);
            }
            changed = judged.body.is_some();
        }
        times.sort_by(f64::total_cmp);
        let (median, best) =
            (times.get(RUNS / 2).copied().unwrap_or(0.0), times.first().copied().unwrap_or(0.0));
        println!("{name:28} {:10} {median:10.3} {best:10.3} {changed:>8}", body.len());
    }
}
