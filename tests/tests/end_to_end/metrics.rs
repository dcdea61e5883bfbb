//! What Prometheus is told, by Envoy and by control, and whether the dashboard asks for what is there.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use sluice_tests::client::Ask;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{Settings, Stack};

const DASHBOARD: &str = include_str!("../../../control/dashboards/sluice.json");

async fn scrape(url: &str) -> String {
    let reply = Ask::get(url).send().await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text()
}

/// The value of a sample, with its labels as they are written.
fn value(scrape: &str, sample: &str) -> Option<f64> {
    let line =
        scrape.lines().find(|line| line.strip_prefix(sample).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// The names that a scrape has samples of, and the families that it announces.
fn names(scrape: &str) -> BTreeSet<String> {
    let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    let samples = scrape.lines().filter(|line| !line.starts_with('#')).map(name);
    // A family without a sample yet is announced; its counters end with `_total`, its histograms with `_bucket`.
    let announced = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter_map(|line| {
        let (name, kind) = line.split_once(' ')?;
        Some(match kind {
            "counter" if !name.ends_with("_total") => format!("{name}_total"),
            "histogram" => format!("{name}_bucket"),
            _ => name.to_owned(),
        })
    });
    samples.chain(announced).collect()
}

/// The metrics of ours that an expression names.
fn asked(expression: &str) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c: char| !word(c));
    words.filter(|word| word.starts_with("sluice_")).map(str::to_owned).collect()
}

#[tokio::test]
async fn traffic_shows_in_both_scrapes_and_the_dashboard_asks_for_nothing_else() {
    let stack = Stack::start(Settings::default()).await.unwrap();
    let control = stack.control().unwrap();
    let reader = stack.token("ann", &["readers"]).unwrap();
    let writer = stack.token("wanda", &["writers"]).unwrap();
    let send = |prompt: Prompt, token: &str| prompt.ask(&stack.url, token).send();
    let reply =
        send(Prompt::new("Mail jane.doe@example.com, and john.roe@example.org."), &reader).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(send(Prompt::new("x"), "not-a-token").await.unwrap().status, 401);
    let prompt = Prompt::new("call: Bash {\"command\":\"rm -rf /\"}").tool("Bash");
    assert_eq!(send(prompt, &reader).await.unwrap().status, 200);
    let held = Prompt::new("call: query_db {\"sql\":\"INSERT INTO metrics VALUES (1)\"}").tool("query_db");
    let waiting = tokio::spawn(held.ask(&stack.url, &writer).send());
    let hold = control.wait_for_hold("INSERT INTO metrics").await.unwrap();
    let of_control = scrape(&control.metrics_url).await;
    assert_eq!(value(&of_control, "sluice_holds_waiting"), Some(1.0), "{of_control}");
    let approver = stack.token("abe", &["approvers"]).unwrap();
    control.decide("approve", &hold.id, "fine", &approver).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().status, 200);

    let at = format!("{}/stats/prometheus", stack.admin_url);
    let mut of_envoy = String::new();
    for _ in 0..100 {
        of_envoy = scrape(&at).await;
        // Counters of workers are gathered every few seconds, and closes are recorded in batches.
        let recorded = value(&of_envoy, "sluice_records_acknowledged_total{}").unwrap_or_default();
        let held = value(&of_envoy, "sluice_decisions_total{action=\"hold\"}").unwrap_or_default();
        if recorded >= 3.0 && held >= 1.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for (sample, least) in [
        ("sluice_requests_total{verdict=\"forwarded\"}", 3.0),
        ("sluice_requests_total{verdict=\"denied\"}", 1.0),
        ("sluice_decisions_total{action=\"deny\"}", 1.0),
        ("sluice_decisions_total{action=\"hold\"}", 1.0),
        ("sluice_findings_total{kind=\"email\"}", 2.0),
        ("sluice_holds_asked_total{}", 1.0),
        ("sluice_bundles_loaded_total{}", 1.0),
        ("sluice_records_acknowledged_total{}", 3.0),
        ("sluice_bundle_issued_timestamp_seconds{}", 1_700_000_000.0),
    ] {
        let value = value(&of_envoy, sample);
        assert!(value.is_some_and(|value| value >= least), "{sample}: {value:?}\n{of_envoy}");
    }
    let of_control = scrape(&control.metrics_url).await;
    for (sample, least) in [
        ("sluice_holds_waiting", 0.0),
        ("sluice_hold_changes_total{change=\"approved\"}", 1.0),
        ("sluice_hold_decision_seconds_count", 1.0),
        ("sluice_records_written_total{entry=\"exchange\"}", 3.0),
        ("sluice_blocks_written_bytes_total", 1.0),
        ("sluice_store_commit_seconds_count", 3.0),
        ("sluice_issuer_keys{issuer=\"control\"}", 1.0),
    ] {
        let value = value(&of_control, sample);
        assert!(value.is_some_and(|value| value >= least), "{sample}: {value:?}\n{of_control}");
    }
    assert!(
        of_control.contains("sluice_http_requests_under_way{method=\"GET\",route=\"/v1/bundle\"} 1"),
        "{of_control}"
    );
    for secret in ["ann", "wanda", "jane.doe", hold.id.as_str()] {
        assert!(!of_envoy.contains(secret) && !of_control.contains(secret), "{secret} is told");
    }
    let fingerprints = [
        value(&of_control, "sluice_bundle_fingerprint").unwrap(),
        value(&of_envoy, "sluice_bundle_fingerprint{}").unwrap(),
    ];
    assert_eq!(fingerprints[0], fingerprints[1], "the same bundle on both sides");

    let there: BTreeSet<String> = names(&of_envoy).union(&names(&of_control)).cloned().collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let targets =
        dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked: Vec<String> = targets.flat_map(|target| asked(target["expr"].as_str().unwrap())).collect();
    assert!(asked.len() > 30, "{asked:?}");
    for name in asked {
        assert!(there.contains(&name), "the dashboard asks for {name}, which nobody tells");
    }
}
