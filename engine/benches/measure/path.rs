//! The whole path of a request body: parse, scan, judge, splice, as the filter does it.

use serde_json::json;
use sluice_engine::claude::routes::route;
use sluice_engine::identity::Principal;
use sluice_engine::judge::Case;

use super::Table;
use super::clock::fastest;
use super::load::runtime;
use super::texts::{CODE, FINDINGS, LOGS, PROSE};

/// Most milliseconds, by size of the body.
const SMALL: f64 = 0.5;
const LARGE: f64 = 8.0;

/// A request of about `size` bytes: prose, and tool results that are code and logs, as an agent sends it. `findings`:
/// how many tickets full of them stand in every message.
fn body(size: usize, findings: usize) -> String {
    let mut messages = Vec::new();
    let mut len = 0;
    while len < size {
        let turn = messages.len();
        let text = format!("{}{}", PROSE.repeat(2), FINDINGS.repeat(findings));
        let call = json!({"type": "tool_use", "id": format!("toolu_{turn}"), "name": "Read",
            "input": {"file_path": format!("/src/part_{turn}.rs"), "limit": 200}});
        let results = if turn % 4 == 0 { CODE.repeat(6) } else { LOGS.repeat(12) };
        let result = json!({"type": "tool_result", "tool_use_id": format!("toolu_{turn}"),
            "content": format!("{results}{}", FINDINGS.repeat(findings.saturating_sub(1)))});
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

/// Adds a row for each body.
pub fn measure(table: &mut Table<'_>) {
    let Some(runtime) = runtime() else { return };
    table.head(&["ms", "best", "bar", "", "bytes", "edits"]);
    for (name, size, findings, bar) in [
        ("body of 49 kB", 49_000, 0, SMALL),
        ("the same with findings", 49_000, 1, SMALL),
        ("the same full of findings", 49_000, 20, SMALL),
        ("body of 1 MB", 1_000_000, 0, LARGE),
        ("the same with findings", 1_000_000, 1, LARGE),
        ("the same full of findings", 1_000_000, 20, LARGE),
    ] {
        if !table.wants(name) {
            continue;
        }
        let body = body(size, findings);
        let mut found = 0;
        let best = fastest(|| {
            let principal = Principal {
                issuer: "idp".into(),
                subject: "ann".into(),
                groups: vec!["staff".into()],
                scopes: None,
                actor: None,
                expires_ms: u64::MAX,
            };
            let Ok(route) = route("POST", "/v1/messages") else { return };
            let (mut case, _) = Case::open(runtime.clone(), principal, route, "e".repeat(32), 1000);
            let judged = case.request(body.as_bytes(), &[]);
            assert!(judged.refusal.is_none(), "{name} is allowed");
            found = judged
                .body
                .map_or(0, |masked| masked.windows(2).filter(|w| matches!(w, [b'<', b'a'..=b'z'])).count());
        }) * 1e3;
        table.row(name, best, bar, best < bar, &[body.len().to_string(), found.to_string()]);
    }
}
