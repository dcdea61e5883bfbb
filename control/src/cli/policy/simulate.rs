//! `sluice policy simulate`.

use std::path::PathBuf;

use axum::http::Method;
use clap::Args;
use serde_json::json;
use sluice_engine::policy::document::Duration;

use super::faults;
use crate::cli::api::escape;
use crate::cli::print::{Paint, clean_line, say};
use crate::cli::replay::exchanges;
use crate::cli::{Failure, Outcome, Output, Service};
use crate::http::Sessions;
use crate::policies::load;
use crate::serve::now_ms;
use crate::trial::exchange::Verdict;
use crate::trial::simulate::{Example, Recorded, Simulation};
use crate::trial::{issuer_keys, runtime};

/// Put recorded exchanges to another policy: what would now be denied, held or allowed that was not.
///
/// Takes the latest sessions from the service's record; that needs an auditor's token. Each request and reply is
/// judged again by the engine that the sidecar runs, and its verdict held against the one in the record.
///
/// The record keeps less than the filter saw. Bodies in it are masked, so that conditions on findings see masks and
/// not values. Calls that were refused are not in it, nor headers, nor the scopes of tokens: betas count where the body
/// has them, and no token narrows. What cannot be told for such a reason is counted apart.
#[derive(Debug, Args)]
pub struct Simulate {
    /// The policy to try: a file, or a directory of them.
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    #[command(flatten)]
    service: Service,
    /// Only this session.
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "subject"])]
    session: Option<String>,
    /// Only exchanges of the last 90s, 15m, 24h, 7d.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Duration>,
    /// Only callers of this group.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only this caller.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// At most this many sessions, the latest first.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

fn since(text: &str) -> Result<Duration, String> {
    Duration::parse(text).ok_or_else(|| "write 90s, 15m, 24h or 7d".into())
}

impl Simulate {
    pub async fn run(self) -> Outcome {
        let loaded = load(&self.policy)
            .map_err(|wrong| Failure::Cannot(faults("the policy is not in order", &wrong)))?;
        let now_ms = now_ms();
        let keys = issuer_keys(&loaded.policy, None);
        let compiled = runtime(&loaded, keys, now_ms).map_err(Failure::cannot)?;
        let earliest = self.since.map_or(0, |since| now_ms.saturating_sub(since.as_millis()));
        let sessions = match &self.session {
            Some(session) => vec![session.clone()],
            None => self.sessions(earliest).await?,
        };
        let mut simulation = Simulation::default();
        for session in &sessions {
            let path = format!("/v1/sessions/{}", escape(session));
            let text = self.service.text(Method::GET, &path, None).await?;
            let all = exchanges(&text)?;
            let all = all.iter().map(|exchange| Recorded::of(session, exchange));
            for one in all.filter(|one| one.at_ms >= earliest && self.is_asked_for(one)) {
                simulation.add(&compiled, &one);
            }
        }
        simulation.sort();
        if self.output == Output::Json {
            let whole =
                json!({"policy": loaded.version, "sessions": sessions.len(), "simulation": simulation});
            say(&whole.to_string());
        } else {
            tell(&simulation, sessions.len());
        }
        Ok(())
    }

    /// The sessions to look at, the latest first.
    async fn sessions(&self, earliest: u64) -> Result<Vec<String>, Failure> {
        let mut all = Vec::new();
        let mut before = String::new();
        while all.len() < self.limit {
            let mut path = format!("/v1/sessions?limit={}", (self.limit - all.len()).min(1000));
            if let Some(subject) = &self.subject {
                path.push_str(&format!("&subject={}", escape(subject)));
            }
            if !before.is_empty() {
                path.push_str(&format!("&before={}", escape(&before)));
            }
            let page: Sessions = self.service.json(Method::GET, &path, None).await?;
            let recent = page.sessions.iter().take_while(|session| session.last_ms >= earliest);
            let found: Vec<String> = recent.map(|session| session.session.clone()).collect();
            let over = found.len() < page.sessions.len();
            all.extend(found);
            match page.next {
                Some(next) if !over => before = next,
                _ => break,
            }
        }
        Ok(all)
    }

    fn is_asked_for(&self, one: &Recorded) -> bool {
        let who = one.who.as_ref();
        let group = self.group.as_ref().is_none_or(|group| who.is_some_and(|who| who.groups.contains(group)));
        let subject =
            self.subject.as_ref().is_none_or(|subject| who.is_some_and(|who| who.subject == *subject));
        group && subject
    }
}

fn tell(simulation: &Simulation, sessions: usize) {
    let paint = Paint::detect();
    for group in &simulation.groups {
        let now = match group.now {
            Verdict::Allow => paint.green("allowed"),
            Verdict::Hold => paint.yellow("held"),
            Verdict::Deny => paint.red("denied"),
        };
        let was = match group.was {
            Verdict::Allow => "allowed",
            Verdict::Hold => "held",
            Verdict::Deny => "denied",
        };
        let rule = clean_line(&group.rule);
        let by = if group.now == Verdict::Allow {
            format!("were {was} by {rule}")
        } else {
            format!("by {rule}, were {was}")
        };
        say(&format!("would be {now} {by}: {}", many(group.count, "exchange")));
        group.examples.iter().for_each(|example| say(&format!("  {}", told(example))));
    }
    let total = many(simulation.exchanges, "exchange");
    say(&format!(
        "{total} of {}: {} come to the same verdict",
        many(sessions, "session"),
        simulation.unchanged
    ));
    for (why, count) in &simulation.untold {
        say(&format!("  {} cannot be told: {why}", many(*count, "exchange")));
    }
}

fn told(example: &Example) -> String {
    let mut text = format!("session {}, exchange {}, {}", example.session, example.exchange, example.subject);
    if let Some(tool) = &example.tool {
        text.push_str(&format!(": {tool}"));
    }
    let effects: Vec<&str> = example.effects.iter().map(|effect| effect.name()).collect();
    if !effects.is_empty() {
        text.push_str(&format!(" ({})", effects.join(", ")));
    }
    clean_line(&text)
}

fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
