//! `sluice holds`.

use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use sluice_engine::policy::document::Duration;
use sluice_engine::wire::HoldDecision;

use super::api::escape;
use super::approvals::{
    Delegate, Listed, One, Reasoned, approvers, as_json, revoke, seconds, told, undelegate, voices,
};
use super::print::{Paint, clean, clean_line, say, short, table, time, until};
use super::replay::Recorded;
use super::{Failure, Outcome, Output, Service};
use crate::approvals::Span;
use crate::holds::{Comment, Hold};
use crate::http::{Ruling, Said, Shown, ShownComments};
use crate::serve::now_ms;

/// See what waits for a person, and decide it.
#[derive(Debug, Subcommand)]
pub enum Holds {
    /// List the holds that you may decide; auditors see all.
    Ls(List),
    /// Show one hold: who asks for what, and what it would do.
    Show(One),
    /// Show what was said before a hold, step by step, as it was recorded and so masked.
    Conversation(Recorded),
    /// Let a hold go on, once or for a time. Never your own.
    Approve(Approve),
    /// Refuse a hold. One who refuses is enough.
    Deny(Reasoned),
    /// Say something about a hold, for whoever decides it.
    Comment(Say),
    /// Hand your right to decide for a group to somebody else, until a time. What they decide says whose right it was.
    Delegate(Delegate),
    /// List delegations from you and to you; operators and auditors see all.
    Delegations(Listed),
    /// End a delegation: whoever gave it, whoever has it, and operators.
    Undelegate(Reasoned),
    /// List approvals for a time that you have or may take back; auditors see all.
    Passes(Listed),
    /// Take back an approval for a time, by the id of the pass: whoever has it, who may decide, and operators.
    Revoke(Reasoned),
}

/// Which holds, and how.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    service: Service,
    /// Which state they are in.
    #[arg(long, default_value = "waiting")]
    state: StateFilter,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// A state of holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateFilter {
    Waiting,
    Approved,
    Denied,
    Expired,
    All,
}

/// Which hold, why, and for how long.
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    asked: Reasoned,
    /// Not only this once: for this time, the same person goes on under the same rule with the same tool and effects
    /// without asking again. 90s, 15m, 4h; the policy says whether, and for how long at most.
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    /// With --for: whatever the rule holds, and not only the same tool and effects.
    #[arg(long, requires = "time")]
    anything: bool,
    /// Mask this in the request before it goes on, wherever it stands, in later turns, too; may be given again. At least 4
    /// characters, as `sluice holds show` has them. Where one is not found, nothing is sent. Not for tool calls.
    #[arg(long = "mask", value_name = "TEXT", conflicts_with = "time")]
    masked: Vec<String>,
    /// A file of texts to mask, one a line. `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "time")]
    mask_file: Option<PathBuf>,
}

/// What there is to say.
#[derive(Debug, Args)]
pub struct Say {
    #[command(flatten)]
    one: One,
    /// The comment.
    text: String,
}

impl Holds {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Ls(asked) => asked.run().await,
            Self::Show(asked) => show(asked).await,
            Self::Conversation(asked) => asked.conversation().await,
            Self::Approve(asked) => asked.run().await,
            Self::Deny(asked) => {
                let reason = asked.reason.clone();
                decide(asked, Ruling { approve: false, reason, ..Ruling::default() }).await
            }
            Self::Comment(asked) => {
                let path = format!("/v1/holds/{}/comments", escape(&asked.one.id));
                let body = serde_json::to_string(&Said { text: asked.text }).map_err(Failure::cannot)?;
                let comment: Comment = asked.one.service.json(Method::POST, &path, Some(body)).await?;
                if !as_json(asked.one.output, &comment)? {
                    say("it stands there");
                }
                Ok(())
            }
            Self::Delegate(asked) => asked.run().await,
            Self::Delegations(asked) => asked.delegations().await,
            Self::Undelegate(asked) => undelegate(asked).await,
            Self::Passes(asked) => asked.passes().await,
            Self::Revoke(asked) => revoke(asked).await,
        }
    }
}

impl List {
    async fn run(self) -> Outcome {
        let state =
            self.state.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let path = format!("/v1/holds?state={state}&limit=1000");
        if self.output == Output::Json {
            let holds: Value = self.service.json(Method::GET, &path, None).await?;
            say(&holds.to_string());
            return Ok(());
        }
        let shown: Shown = self.service.json(Method::GET, &path, None).await?;
        if shown.holds.is_empty() {
            say("nothing here");
            return Ok(());
        }
        let now = now_ms();
        let rows: Vec<Vec<String>> = shown
            .holds
            .iter()
            .map(|hold| {
                let what = hold.ask.effects.first().unwrap_or(&hold.ask.preview);
                let left = match hold.state {
                    HoldDecision::Waiting => format!("{} left", until(hold.expires_ms, now)),
                    state => state.word().to_owned(),
                };
                vec![
                    hold.id.clone(),
                    left,
                    short(&clean_line(&hold.ask.who.subject), 32),
                    clean_line(&hold.ask.rule),
                    clean_line(hold.ask.tool.as_deref().unwrap_or("-")),
                    short(&clean_line(what), 60),
                ]
            })
            .collect();
        say(&table(&["HOLD", "STATE", "WHO", "RULE", "TOOL", "WHAT"], &rows, Paint::detect()));
        Ok(())
    }
}

impl Approve {
    async fn run(self) -> Outcome {
        let Self { asked, time, anything, mut masked, mask_file } = self;
        if let Some(file) = mask_file {
            masked.extend(lines(&file)?);
        }
        let pass = match time {
            Some(time) => Some(Span { seconds: seconds(&time)?, anything }),
            None => None,
        };
        let reason = asked.reason.clone();
        decide(asked, Ruling { approve: true, reason, pass, masked }).await
    }
}

/// The lines of a file that are not empty.
fn lines(file: &Path) -> Result<Vec<String>, Failure> {
    let text = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(file),
    };
    let text = text.map_err(|why| Failure::cannot(format!("{} cannot be read: {why}", file.display())))?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

async fn decide(asked: Reasoned, ruling: Ruling) -> Outcome {
    let path = format!("/v1/holds/{}/decision", escape(&asked.one.id));
    let hold: Hold = asked.send(&path, &ruling).await?;
    if as_json(asked.one.output, &hold)? {
        return Ok(());
    }
    let pass = hold.pass.as_ref().map(|pass| format!("; {pass} is the pass")).unwrap_or_default();
    say(&format!("{} is {}{pass}", hold.id, stands(&hold)));
    for text in ruling.masked.iter().filter(|text| !hold.shows(text)) {
        let text = short(&clean_line(text), 60);
        say(&format!(
            "`{text}` is not in what is shown; if the rest of the request has it neither, nothing is sent"
        ));
    }
    Ok(())
}

async fn show(asked: One) -> Outcome {
    let path = format!("/v1/holds/{}", escape(&asked.id));
    let hold: Hold = asked.service.json(Method::GET, &path, None).await?;
    let said: ShownComments = asked.service.json(Method::GET, &format!("{path}/comments"), None).await?;
    if asked.output == Output::Json {
        let mut whole = serde_json::to_value(&hold).map_err(Failure::cannot)?;
        if let Some(fields) = whole.as_object_mut() {
            fields.insert("comments".into(), serde_json::to_value(said.comments).map_err(Failure::cannot)?);
        }
        say(&whole.to_string());
        return Ok(());
    }
    tell(&hold, &said.comments);
    Ok(())
}

/// How it stands, with the time that is left and how many must still approve.
fn stands(hold: &Hold) -> String {
    if hold.state != HoldDecision::Waiting {
        return hold.state.word().to_owned();
    }
    let left = until(hold.expires_ms, now_ms());
    match hold.terms().missing() {
        1 if hold.voices.is_empty() => format!("waiting, {left} left"),
        missing => format!("waiting, {left} left, {missing} more must approve"),
    }
}

fn tell(hold: &Hold, comments: &[Comment]) {
    let paint = Paint::detect();
    let ask = &hold.ask;
    let state = match hold.state {
        HoldDecision::Waiting => paint.yellow(&stands(hold)),
        HoldDecision::Approved => paint.green("approved"),
        HoldDecision::Edited => paint.green("approved, with more masked"),
        HoldDecision::Denied => paint.red("denied"),
        HoldDecision::Expired => paint.dim("expired"),
    };
    let line = |name: &str, value: &str| say(&format!("{} {value}", paint.dim(&format!("{name:<10}"))));
    line("hold", &format!("{}  {state}", paint.bold(&hold.id)));
    line(
        "who",
        &clean_line(&format!("{} ({}; {})", ask.who.subject, ask.who.issuer, ask.who.groups.join(", "))),
    );
    if let Some(actor) = &ask.actor {
        line("by", &clean_line(&format!("{actor}, who acts on their behalf")));
    }
    if let Some(node) = &ask.node {
        line("from", &clean_line(node));
    }
    line("rule", &clean_line(&format!("{}: {}", ask.rule, ask.message)));
    if let Some(session) = &ask.session {
        line("session", &clean_line(session));
    }
    line("asked", &format!("{} UTC", time(hold.created_ms)));
    line("approvers", &approvers(&ask.approvers, ask.quorum, &ask.teams));
    if let Some(seconds) = ask.grant_seconds {
        line("for", &format!("{} at most, if you approve with --for", Duration::seconds(seconds)));
    }
    if let Some(tool) = &ask.tool {
        line("tool", &clean_line(tool));
    }
    for effect in &ask.effects {
        line("effect", &paint.red(&clean_line(effect)));
    }
    for voice in voices(&hold.voices, ask.quorum) {
        line("said", &voice);
    }
    for text in &hold.masked {
        line("masked", &clean_line(text));
    }
    if let Some(by) = &hold.decided {
        line("decided", &told(by));
    }
    if let Some(pass) = &hold.pass {
        line("pass", &clean_line(pass));
    }
    if let Some(used) = &hold.used {
        line("used", &clean_line(&format!("{} UTC by exchange {}", time(used.at_ms), used.exchange)));
    }
    for comment in comments {
        let text = format!("{} UTC {}: {}", time(comment.at_ms), comment.subject, comment.text);
        line("comment", &clean_line(&text));
    }
    say("");
    say(&paint.masks(&clean(&ask.preview)));
}
