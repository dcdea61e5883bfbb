//! Spans and log records, as a receiver reads them that has OpenTelemetry's own messages.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Service, ask, record, sluice};

/// A receiver in Python, with what it got.
struct Collector {
    child: Child,
    lines: Receiver<Value>,
    url: String,
}

impl Collector {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../target/clients/otlp/bin/python");
        assert!(python.exists(), "OpenTelemetry's messages are missing: run `make clients`");
        let mut child = Command::new(python)
            .arg(root.join("tests/otlp_receiver.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ended = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let mut collector = Self { child, lines, url: String::new() };
        collector.url = format!("http://127.0.0.1:{}", collector.next()["port"]);
        collector
    }

    fn next(&self) -> Value {
        let line: Value = self.lines.recv_timeout(Duration::from_secs(30)).expect("nothing arrives");
        assert_eq!(line.get("error"), None, "{line}");
        line
    }

    /// What arrives on a path until something has this text.
    fn until(&self, path: &str, text: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let line = self.next();
            if line["path"] == path {
                let message = &line["message"];
                let spans = message.pointer("/resourceSpans/0/scopeSpans/0/spans");
                let items = spans.or(message.pointer("/resourceLogs/0/scopeLogs/0/logRecords")).unwrap();
                all.extend(items.as_array().unwrap().clone());
            }
            if line["path"] == path && line.to_string().contains(text) {
                return all;
            }
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

const EXCHANGE: &str = "0af7651916cd43dd8448eb211c80319c";

async fn exchange(service: &Service, id: &str) {
    let mut open = record(id, "s1", "open");
    open["model"] = json!("claude-sonnet-4-5");
    open["durationMs"] = json!(3);
    open["findings"] = json!({"email": 2});
    open["traceparent"] = json!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    open["decisions"] = json!([{"rule": "no-rm", "action": "deny", "tool": "Bash", "effects": ["destroy"]}]);
    let (status, said) = service.filter(Method::POST, "/v1/exchanges", Some(&json!({"record": open}))).await;
    assert_eq!(status, 200, "{said}");
    let mut close = record(id, "s1", "close");
    close["atMs"] = json!(1_795_000_001_500_u64);
    close["durationMs"] = json!(1503);
    close["status"] = json!(200);
    close["model"] = json!("claude-sonnet-4-5-20250929");
    close["stopReason"] = json!("tool_use");
    close["calls"] = json!({"Bash": 1});
    close["usage"] = json!({"inputTokens": 12, "outputTokens": 34, "cacheReadInputTokens": 5});
    close["traceparent"] = open["traceparent"].clone();
    let batch = json!({"id": format!("b-{id}"), "records": [close]});
    let (status, said) = service.filter(Method::POST, "/v1/records", Some(&batch)).await;
    assert!(status.is_success(), "{status} {said}");
}

#[tokio::test]
async fn what_is_sent_is_opentelemetrys_own_message_with_attributes_of_its_conventions() {
    let collector = Collector::start();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("headers");
    std::fs::write(&file, "authorization=Bearer%20hush-hush\n").unwrap();
    let settings = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue".into()),
        ("SLUICE_OTLP_HEADERS_FILE", file.display().to_string()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".into()),
    ];
    let mut service = Service::start_set(settings).await;
    exchange(&service, EXCHANGE).await;
    service.filter(Method::POST, "/v1/exchanges", Some(&ask("k", "e2"))).await;
    let spans = collector.until("/v1/traces", EXCHANGE);
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(spans[0]["name"], "chat claude-sonnet-4-5");
    assert_eq!(spans[0]["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(spans[0]["startTimeUnixNano"], "1794999999997000000");
    assert_eq!(spans[0]["endTimeUnixNano"], "1795000001500000000");

    // Again, with the service ended in between: each is sent once.
    assert_eq!(service.terminate().await, Some(0));
    service.run().await;
    exchange(&service, "4bf92f3577b34da6a3ce929d0e0e4737").await;
    let line = collector.until("/v1/traces", "4bf92f3577b34da6a3ce929d0e0e4737");
    assert_eq!(line.len(), 1, "what was sent before is not sent again: {line:?}");
    assert!(!service.log().contains("hush"), "{}", service.log());
}

#[tokio::test]
async fn decisions_and_whatever_else_happens_arrive_as_log_records_with_the_headers_that_were_given() {
    let collector = Collector::start();
    let settings = vec![
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", format!("{}/v1/logs", collector.url)),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue".into()),
        ("OTEL_SERVICE_NAME", "gate".into()),
    ];
    let service = Service::start_set(settings).await;
    exchange(&service, EXCHANGE).await;
    service.filter(Method::POST, "/v1/exchanges", Some(&ask("k", EXCHANGE))).await;
    let mut records = Vec::new();
    let hold = loop {
        let line = collector.next();
        assert_eq!((&line["path"], &line["headers"]["x-tenant"]), (&json!("/v1/logs"), &json!("blue")));
        assert!(line.to_string().contains("\"gate\""), "{line}");
        let found = line["message"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
        records.extend(found.clone());
        if let Some(hold) = records.iter().find(|record| record["eventName"] == "sluice.hold") {
            break hold.clone();
        }
    };
    let decision = records.iter().find(|record| record["eventName"] == "sluice.decision").unwrap();
    assert_eq!(decision["body"]["stringValue"], "rule `no-rm` denied tool `Bash`");
    assert_eq!(decision["severityText"], "WARN");
    assert_eq!(decision["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hold["traceId"], decision["traceId"], "a hold is in the trace of its exchange");
    assert!(!hold.to_string().contains("psql"), "the preview stays here: {hold}");
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_named_before_the_service_starts() {
    let dir = tempfile::tempdir().unwrap();
    let started = |name: &str, value: &str| {
        let mut command = sluice();
        command.args(["serve", "--listen", "127.0.0.1:0", "--policy", "nowhere"]);
        command.arg("--state").arg(dir.path()).env(name, value).output().unwrap()
    };
    for (name, value, says) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hush", "name=value"),
    ] {
        let out = started(name, value);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(says) && !said.contains("hush"), "{said}");
    }
}
