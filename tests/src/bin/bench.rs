//! `make bench`: latency and throughput, Envoy with the filter beside the same Envoy without, in one run.
//!
//! Both have the same listener settings and the same quick upstream on this machine, so what differs is the filter. The
//! bodies look like an agent's: prose, code and JSON in many messages, with an email address and a card here and
//! there. `BENCH_SECONDS=N` sets the length of a measurement (default 4), `BENCH_CASES=word` chooses by name.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::load::{LoadError, Measured, Timed, run};
use sluice_tests::prompt::Prompt;
use sluice_tests::quick;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack, StackError, Upstream};

#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Stack(#[from] StackError),
    #[error("the upstream cannot listen: {0}")]
    Upstream(#[from] std::io::Error),
    #[error("{0}: {1}")]
    Load(&'static str, LoadError),
}

/// One row of the table.
struct Case {
    name: &'static str,
    bytes: usize,
    connections: usize,
    timed: Timed,
}

const fn latency(name: &'static str, bytes: usize) -> Case {
    Case { name, bytes, connections: 1, timed: Timed::Whole }
}

const CASES: [Case; 7] = [
    latency("1 kB", 1_000),
    latency("10 kB", 10_000),
    latency("49 kB", 49_000),
    latency("1 MB", 1_000_000),
    Case { name: "stream, 10 kB, first byte", bytes: 10_000, connections: 1, timed: Timed::FirstByte },
    Case { name: "10 kB, 16 connections", bytes: 10_000, connections: 16, timed: Timed::Whole },
    Case { name: "49 kB, 16 connections", bytes: 49_000, connections: 16, timed: Timed::Whole },
];

const MODES: [&str; 3] = ["off", "background", "before-forward"];

#[tokio::main]
async fn main() -> ExitCode {
    match bench().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<(), BenchError> {
    let time = Duration::from_secs(number("BENCH_SECONDS").unwrap_or(4));
    let chosen = std::env::var("BENCH_CASES").unwrap_or_default();
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.name.contains(&chosen)).collect();
    println!("{}", machine());
    println!(
        "Envoy with one worker each; {} s a measurement after {} s of warming up.\n",
        time.as_secs(),
        time.as_secs_f64() / 5.0
    );
    println!(
        "{:<28}{:<16}{:>10}{:>10}{:>11}{:>8}{:>8}{:>8}",
        "body", "envoy", "p50 ms", "p99 ms", "req/s", "p50 x", "p99 x", "req/s x"
    );
    let upstream = Some(Upstream::local(quick::start().await?));
    let settings = Settings { workers: 1, upstream, ..Settings::default() };
    let plain = Stack::start(Settings { filter: false, ..settings.clone() }).await?;
    let mut beside = Vec::new();
    for mode in MODES {
        let policy = DEFAULT_POLICY.replace("mode: before-forward", &format!("mode: {mode}"));
        let settings = Settings { policy: Policy::Text(policy), ..settings.clone() };
        beside.push((mode, Stack::start(settings).await?));
    }
    for case in cases {
        let base = measure(case, &plain, "none", time).await?;
        row(case.name, "plain", &base, &base);
        for (mode, stack) in &beside {
            let token = stack.token("bench", &["writers"])?;
            let measured = measure(case, stack, &token, time).await?;
            row("", mode, &measured, &base);
        }
    }
    println!("\nThe envoy column says what is recorded, and when; `plain` is Envoy without the filter.");
    Ok(())
}

async fn measure(case: &Case, stack: &Stack, token: &str, time: Duration) -> Result<Measured, BenchError> {
    let stream = case.timed == Timed::FirstByte;
    let prompt = Prompt::with_messages(conversation(case.bytes)).stream(stream);
    let mut ask = prompt.ask(&stack.url, token);
    if stream {
        ask = ask.header(quick::STREAM, "yes");
    }
    run(&ask, &stack.url, case.connections, time, case.timed)
        .await
        .map_err(|error| BenchError::Load(case.name, error))
}

/// A conversation of about so many bytes.
fn conversation(bytes: usize) -> Value {
    const TURNS: [&str; 4] = [
        "The deployment failed again last night; the log below says that the health check timed out after 30 \
         seconds, while the service itself was up. Please find out why, and write to the team what you found. ",
        "fn main() -> Result<(), Error> {\n    let config = Config::from_env()?;\n    let pool = connect(&config.url, \
         16)?;\n    serve(pool, config.port).map_err(Error::from)\n}\n",
        "{\"id\": 184467, \"status\": \"pending\", \"items\": [{\"sku\": \"A-1\", \"amount\": 9.99}], \"note\": \
         \"call back on Monday\"}\n",
        "2026-11-21T10:15:30Z INFO request finished in 12 ms, 200 OK, upstream 10.0.3.17:8080, trace 4bf92f35\n",
    ];
    let mut messages =
        vec![json!({ "role": "user", "content": "Contact: jane.doe@example.com, 4111 1111 1111 1111." })];
    let mut size = 200;
    let mut turns = TURNS.iter().cycle();
    while size < bytes {
        let text: String = turns.by_ref().take(((bytes - size) / 150).clamp(1, 12)).copied().collect();
        size += text.len() + 60;
        let role = if messages.len() % 2 == 0 { "user" } else { "assistant" };
        messages.push(json!({ "role": role, "content": text }));
    }
    messages.push(json!({ "role": "user", "content": "What do you make of it?" }));
    Value::Array(messages)
}

fn row(name: &str, envoy: &str, measured: &Measured, base: &Measured) {
    let ms = |q: f64| measured.quantile(q).as_secs_f64() * 1000.0;
    let times =
        |q: f64| measured.quantile(q).as_secs_f64() / base.quantile(q).as_secs_f64().max(f64::EPSILON);
    println!(
        "{name:<28}{envoy:<16}{:>10.3}{:>10.3}{:>11.0}{:>8.2}{:>8.2}{:>8.2}",
        ms(0.5),
        ms(0.99),
        measured.rate(),
        times(0.5),
        times(0.99),
        measured.rate() / base.rate().max(f64::EPSILON),
    );
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What this ran on.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = read("/proc/meminfo");
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default().trim();
    let kernel = read("/proc/sys/kernel/osrelease");
    let model = model.map_or("an unknown processor", |(_, model)| model);
    format!("{cpus} x {model}, {memory} of memory, Linux {}", kernel.trim())
}
