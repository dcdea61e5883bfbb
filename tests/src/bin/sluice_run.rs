//! `make run`: Sluice on this machine, until Ctrl-C.
//!
//! | variable | default | what |
//! |---|---|---|
//! | `PORT` | 8080 | where clients connect |
//! | `CONTROL_PORT` | 9901 | where control listens |
//! | `ADMIN_PORT` | 9902 | Envoy's admin page |
//! | `STATE` | `var` | keys, records, logs |
//! | `POLICY` | `STATE/policy`, made from `envoy/policy` | a file or a directory |
//! | `UPSTREAM` | see below | base URL of a Messages API |
//! | `ANTHROPIC_API_KEY` | none | the model's key, which only Envoy gets |
//! | `DEV` | 1 | 1: people sign in to control by saying who they are (`sluice serve --dev`); 0: as the policy says |
//! | `ENVOY` | `.venv/bin/envoy` | the Envoy binary |
//!
//! Without `UPSTREAM` it is api.anthropic.com when there is a key, and a local stand-in when there is none.

use std::path::PathBuf;
use std::process::ExitCode;

use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack, StackError, Upstream, place};
use tokio::signal::unix::{SignalKind, signal};

/// The model that the printed lines ask for.
const MODEL: &str = "claude-sonnet-4-5";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sluice: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), StackError> {
    let settings = settings()?;
    let upstream = settings.upstream.clone();
    println!("Starting control and Envoy ...");
    // Armed before anything starts, so that an early Ctrl-C ends what has started.
    let mut ends = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .into_iter()
        .filter_map(|kind| signal(kind).ok());
    let (mut interrupt, mut terminate, mut hangup) = (ends.next(), ends.next(), ends.next());
    let ended = async {
        tokio::select! {
            Some(()) = recv(&mut interrupt) => {}
            Some(()) = recv(&mut terminate) => {}
            Some(()) = recv(&mut hangup) => {}
        }
    };
    tokio::pin!(ended);
    let mut stack = tokio::select! {
        started = Stack::start(settings) => started?,
        () = &mut ended => return Ok(()),
    };
    print(&stack, upstream.as_ref())?;
    let watch = tokio::time::interval(std::time::Duration::from_millis(500));
    tokio::pin!(watch);
    loop {
        tokio::select! {
            () = &mut ended => break,
            _ = watch.tick() => stack.check()?,
        }
    }
    println!("\nEnding.");
    Ok(())
}

async fn recv(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

fn settings() -> Result<Settings, StackError> {
    let key = variable("ANTHROPIC_API_KEY");
    let upstream = match (variable("UPSTREAM"), &key) {
        (Some(url), _) => Some(Upstream::read(&url)?),
        (None, Some(_)) => Some(Upstream::anthropic()),
        (None, None) => None,
    };
    let state = variable("STATE").map_or_else(|| place::repository().join("var"), PathBuf::from);
    Ok(Settings {
        state: Some(state),
        policy: match variable("POLICY") {
            Some(path) => Policy::At(path.into()),
            None => Policy::First(DEFAULT_POLICY.to_owned()),
        },
        port: port("PORT", 8080)?,
        control_port: port("CONTROL_PORT", 9901)?,
        admin_port: port("ADMIN_PORT", 9902)?,
        upstream,
        key,
        serve: match variable("DEV").as_deref() {
            None | Some("1") => vec!["--dev".to_owned()],
            Some("0") => Vec::new(),
            Some(other) => {
                let reason = format!("`{other}` is neither 1 nor 0");
                return Err(StackError::Setting { name: "DEV", reason });
            }
        },
        ..Settings::default()
    })
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn port(name: &'static str, default: u16) -> Result<u16, StackError> {
    let Some(text) = variable(name) else { return Ok(default) };
    text.parse().map_err(|_| StackError::Setting {
        name,
        reason: format!("`{text}` is not a port; write a number from 1 to 65535, or 0 for any free port"),
    })
}

fn print(stack: &Stack, upstream: Option<&Upstream>) -> Result<(), StackError> {
    let user = variable("USER").unwrap_or_else(|| "me".to_owned());
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(stack.control()?.mint(&user, &["writers"], "8h")?);
    }
    let mut tokens = tokens.iter();
    let mut token = || tokens.next().map(String::as_str).unwrap_or_default();
    let url = stack.url.clone();
    let to = match upstream {
        Some(upstream) => upstream.url(),
        None => {
            "a local stand-in for the model, which only says back what it hears (no ANTHROPIC_API_KEY)".into()
        }
    };
    println!("\nSluice listens on {url} and sends to {to}.\n");
    println!("curl:\n  {}\n", curl(&url, token()));
    println!("Python SDK (pip install anthropic):\n  {}\n", python(&url, token()));
    println!("Claude Code:\n  {}\n", claude(&url, token()));
    println!("You are `{user}` in the group `writers`, for 8 hours.\n");
    let sluice = place::sluice()?.display().to_string();
    let state = stack.state.display().to_string();
    let policy = stack.policy.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    println!("The record     {state}/sluice.db; to look at it and at what waits, in another terminal:");
    println!("               export SLUICE_URL={} SLUICE_STATE={state}", stack.control()?.url);
    println!(
        "               export SLUICE_TOKEN=$({sluice} token mint --subject reviewer --group approvers --group auditors)"
    );
    println!("  sessions     {sluice} sessions ls");
    println!("  replay one   {sluice} replay SESSION");
    println!("  what waits   {sluice} holds ls");
    println!("  approve it   {sluice} holds approve HOLD --reason 'looks right'");
    println!(
        "In a browser   {}/signin (reviewer, in the groups approvers and auditors)",
        stack.control()?.url
    );
    println!("The policy     {policy} (a change is live within 2 s)");
    println!("Logs           {state}/logs");
    println!("\nCtrl-C ends all of it.");
    Ok(())
}

fn curl(url: &str, token: &str) -> String {
    format!(
        "curl {url}/v1/messages -H 'authorization: Bearer {token}' -H 'anthropic-version: 2023-06-01' \
         -H 'content-type: application/json' -d '{{\"model\":\"{MODEL}\",\"max_tokens\":256,\"messages\":\
         [{{\"role\":\"user\",\"content\":\"Write to jane.doe@example.com.\"}}]}}'"
    )
}

fn python(url: &str, token: &str) -> String {
    format!(
        "python3 -c 'import anthropic; print(anthropic.Anthropic(base_url=\"{url}\", auth_token=\"{token}\", \
         api_key=None).messages.create(model=\"{MODEL}\", max_tokens=256, messages=[{{\"role\": \"user\", \
         \"content\": \"Write to jane.doe@example.com.\"}}]).content[0].text)'"
    )
}

fn claude(url: &str, token: &str) -> String {
    format!("ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={token} claude")
}
