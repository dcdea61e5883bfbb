//! `sluice sessions compare`: one session under another policy.

use std::path::PathBuf;

use axum::http::Method;
use clap::Args;

use super::api::escape;
use super::print::{Paint, clean_line, say};
use super::{Failure, Outcome, Output, Service};
use crate::http::{Comparison, Other};
use crate::policies::Files;
use crate::trial::exchange::Verdict;
use crate::trial::simulate::{Compared, Judgement};

/// Show what was decided in a session, beside what another policy decides: differences, exchange by exchange.
///
/// The service judges each request and reply of the record again. The record keeps less than the sidecar saw: see
/// `sluice policy simulate --help`, which does the same for many sessions.
#[derive(Debug, Args)]
pub struct Compare {
    #[command(flatten)]
    service: Service,
    /// The session's id; `sluice sessions ls` lists them.
    session: String,
    /// The other policy: a file, or a directory of them. Default: the policy in force.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proposal", "number"])]
    policy: Option<PathBuf>,
    /// The other policy: a proposal (`sluice policy proposals`).
    #[arg(long, value_name = "ID", conflicts_with = "number")]
    proposal: Option<String>,
    /// The other policy: one of the store, by its number (`sluice policy versions`).
    #[arg(long, value_name = "NUMBER")]
    number: Option<u64>,
    /// Show the exchanges that come to the same, too.
    #[arg(long)]
    all: bool,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Compare {
    pub async fn run(self) -> Outcome {
        let read = |path: &PathBuf| {
            let files = Files::read(path).map_err(|fault| Failure::Cannot(fault.to_string()))?;
            Ok::<_, Failure>(files.documents())
        };
        let documents = self.policy.as_ref().map(read).transpose()?.unwrap_or_default();
        let mut other = Other { proposal: self.proposal, number: self.number, documents, after: None };
        let path = format!("/v1/sessions/{}/comparison", escape(&self.session));
        let mut whole: Option<Comparison> = None;
        loop {
            let body = serde_json::to_string(&other).map_err(Failure::cannot)?;
            let part: Comparison = self.service.json(Method::POST, &path, Some(body)).await?;
            other.after = part.next;
            let sum = match whole.take() {
                Some(before) => added(before, part),
                None => part,
            };
            whole = Some(sum);
            if other.after.is_none() {
                break;
            }
        }
        let Some(whole) = whole else { return Ok(()) };
        match self.output {
            Output::Json => say(&serde_json::to_string(&whole).map_err(Failure::cannot)?),
            Output::Text => tell(&whole, self.all),
        }
        Ok(())
    }
}

/// The parts of a long session as one.
fn added(mut whole: Comparison, part: Comparison) -> Comparison {
    whole.exchanges += part.exchanges;
    whole.different += part.different;
    whole.stricter += part.stricter;
    whole.looser += part.looser;
    for (why, count) in part.untold {
        *whole.untold.entry(why).or_default() += count;
    }
    whole.compared.extend(part.compared);
    whole.next = part.next;
    whole
}

fn tell(whole: &Comparison, all: bool) {
    let paint = Paint::detect();
    let total =
        if whole.exchanges == 1 { "1 exchange".to_owned() } else { format!("{} exchanges", whole.exchanges) };
    if whole.different == 0 {
        say(&format!("nothing would change in {total}"));
    } else {
        let (stricter, looser) = (whole.stricter, whole.looser);
        say(&format!(
            "{} of {total} would come to something else: {stricter} to a stricter verdict, {looser} to a looser one",
            whole.different
        ));
    }
    for (n, one) in whole.compared.iter().enumerate().filter(|(_, one)| all || one.differs()) {
        say(&format!("{:>4}  {}", n + 1, told(one, paint)));
    }
    for (why, count) in &whole.untold {
        say(&format!("{count} cannot be told: {}", clean_line(why)));
    }
}

fn told(one: &Compared, paint: Paint) -> String {
    let was = side(&one.was, paint);
    match &one.now {
        Some(now) => format!("{} -> {}", was, side(now, paint)),
        None => format!("{was} -> (cannot be told)"),
    }
}

fn side(judged: &Judgement, paint: Paint) -> String {
    let mut text = match judged.verdict {
        Verdict::Allow => paint.green("allow"),
        Verdict::Hold => paint.yellow("hold"),
        Verdict::Deny => paint.red("deny"),
    };
    if let Some(rule) = &judged.rule {
        text.push_str(&format!(" by {}", clean_line(rule)));
    }
    let mut about: Vec<String> = judged.tool.iter().map(|tool| clean_line(tool)).collect();
    about.extend(judged.effects.iter().map(|effect| effect.name().to_owned()));
    about.extend(judged.masks.iter().map(|(kind, times)| format!("{times} {} masked", clean_line(kind))));
    about.extend(judged.observed.iter().map(|rule| format!("observed by {}", clean_line(rule))));
    if !about.is_empty() {
        text.push_str(&format!(" ({})", about.join(", ")));
    }
    text
}
