//! `sluice grants`.

use axum::http::Method;
use clap::{Args, Subcommand};
use sluice_engine::policy::document::Duration;

use super::api::escape;
use super::approvals::{One, Reasoned, approvers, as_json, seconds, told, voices};
use super::print::{Paint, clean_line, say, short, table, time, until};
use super::{Failure, Outcome, Output, Service};
use crate::grants::{Grant, GrantState};
use crate::http::{Offered, Ruling, ShownGrants, Wish};
use crate::serve::now_ms;

/// Ask for rights with an end, decide such wishes, take them back.
#[derive(Debug, Subcommand)]
pub enum Grants {
    /// List what the policy lets you ask for.
    Offered(Offers),
    /// Ask for a grant. It is live once someone else approves it, and gone by itself at its end.
    Request(Request),
    /// List your grants, and those that you may decide; auditors and operators see all.
    Ls(List),
    /// Show one grant.
    Show(One),
    /// Let a grant begin. Never your own.
    Approve(Reasoned),
    /// Refuse a grant.
    Deny(Reasoned),
    /// Take a grant back at once, or withdraw a wish: whoever has it, those who may approve it, and operators.
    Revoke(Reasoned),
}

/// How what is offered is written.
#[derive(Debug, Args)]
pub struct Offers {
    #[command(flatten)]
    service: Service,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// What is asked for.
#[derive(Debug, Args)]
pub struct Request {
    #[command(flatten)]
    service: Service,
    /// The grant's name in the policy; `sluice grants offered` lists them.
    name: String,
    /// For how long: 90s, 15m, 4h. Default: as long as the policy allows.
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    /// What for.
    #[arg(long, short, value_name = "TEXT")]
    reason: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which grants, and how.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    service: Service,
    /// Which state they are in: waiting, live, denied, expired, revoked, ended or all.
    #[arg(long, default_value = "all", value_name = "STATE")]
    state: String,
    /// How many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Grants {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Offered(asked) => asked.run().await,
            Self::Request(asked) => asked.run().await,
            Self::Ls(asked) => asked.run().await,
            Self::Show(asked) => {
                let path = format!("/v1/grants/{}", escape(&asked.id));
                tell(&asked.service.json(Method::GET, &path, None).await?, asked.output)
            }
            Self::Approve(asked) => decide(asked, true).await,
            Self::Deny(asked) => decide(asked, false).await,
            Self::Revoke(asked) => done(&asked.take("/v1/grants", "revoke").await?, asked.one.output),
        }
    }
}

impl Offers {
    async fn run(self) -> Outcome {
        let answer: Offered = self.service.json(Method::GET, "/v1/grants/offered", None).await?;
        if self.output == Output::Json {
            say(&serde_json::to_string(&answer).map_err(Failure::cannot)?);
            return Ok(());
        }
        if answer.offered.is_empty() {
            say("the policy offers you no grants");
            return Ok(());
        }
        let row = |offer: &sluice_engine::policy::document::Grantable| {
            let how = match &offer.approval {
                Some(approval) => format!("approved by {}", approval.groups.join(", ")),
                None => "at once, for emergencies".to_owned(),
            };
            let longest = format!("{} at most", offer.longest);
            vec![clean_line(&offer.name), clean_line(&offer.roles.join(", ")), longest, clean_line(&how)]
        };
        let rows: Vec<_> = answer.offered.iter().map(row).collect();
        say(&table(&["GRANT", "ROLES", "FOR", "HOW"], &rows, Paint::detect()));
        Ok(())
    }
}

impl Request {
    async fn run(self) -> Outcome {
        let time = match self.time.as_deref() {
            None => None,
            Some(text) => Some(seconds(text)?),
        };
        let wish = Wish { name: self.name, seconds: time, reason: self.reason };
        let body = serde_json::to_string(&wish).map_err(Failure::cannot)?;
        let grant: Grant = self.service.json(Method::POST, "/v1/grants", Some(body)).await?;
        if self.output == Output::Text && grant.state == GrantState::Waiting {
            say(&format!(
                "{} waits for a member of {}; it is forgotten in {}",
                grant.id,
                clean_line(&grant.approvers.join(", ")),
                until(grant.ends_ms, now_ms())
            ));
            return Ok(());
        }
        tell(&grant, self.output)
    }
}

impl List {
    async fn run(self) -> Outcome {
        let path = format!("/v1/grants?state={}&limit={}", escape(&self.state), self.limit);
        let shown: ShownGrants = self.service.json(Method::GET, &path, None).await?;
        if self.output == Output::Json {
            say(&serde_json::to_string(&shown).map_err(Failure::cannot)?);
            return Ok(());
        }
        if shown.grants.is_empty() {
            say("nothing here");
            return Ok(());
        }
        let row = |grant: &Grant| {
            vec![
                grant.id.clone(),
                stands(grant),
                short(&clean_line(&grant.who.subject), 32),
                clean_line(&grant.name),
                clean_line(&grant.roles.join(", ")),
                short(&clean_line(&grant.reason), 50),
            ]
        };
        let rows: Vec<_> = shown.grants.iter().map(row).collect();
        say(&table(&["ID", "STATE", "WHO", "GRANT", "ROLES", "WHY"], &rows, Paint::detect()));
        Ok(())
    }
}

async fn decide(asked: Reasoned, approve: bool) -> Outcome {
    let path = format!("/v1/grants/{}/decision", escape(&asked.one.id));
    let ruling = Ruling { approve, reason: asked.reason.clone(), ..Ruling::default() };
    done(&asked.send(&path, &ruling).await?, asked.one.output)
}

fn done(grant: &Grant, output: Output) -> Outcome {
    if !as_json(output, grant)? {
        say(&format!("{} is {}", grant.id, stands(grant)));
    }
    Ok(())
}

/// Where it stands, with the time that is left.
fn stands(grant: &Grant) -> String {
    match grant.state {
        GrantState::Waiting | GrantState::Live => {
            let left = until(grant.ends_ms, now_ms());
            let more = match (grant.state, grant.terms().missing()) {
                (GrantState::Waiting, missing) if missing > 1 || !grant.voices.is_empty() => {
                    format!(", {missing} more must approve")
                }
                _ => String::new(),
            };
            format!("{}, {left} left{more}", grant.state.word())
        }
        over => over.word().to_owned(),
    }
}

fn tell(grant: &Grant, output: Output) -> Outcome {
    if as_json(output, grant)? {
        return Ok(());
    }
    let paint = Paint::detect();
    let line = |name: &str, value: &str| say(&format!("{} {value}", paint.dim(&format!("{name:<10}"))));
    let state = match grant.state {
        GrantState::Waiting => paint.yellow(&stands(grant)),
        GrantState::Live => paint.green(&stands(grant)),
        GrantState::Denied | GrantState::Revoked => paint.red(&stands(grant)),
        GrantState::Expired | GrantState::Ended => paint.dim(&stands(grant)),
    };
    line("grant", &format!("{}  {state}", paint.bold(&grant.id)));
    line("who", &clean_line(&format!("{} ({})", grant.who.subject, grant.who.issuer)));
    line("name", &clean_line(&grant.name));
    line("roles", &clean_line(&grant.roles.join(", ")));
    line("for", &Duration::seconds(grant.seconds).to_string());
    line("why", &clean_line(&grant.reason));
    line("asked", &format!("{} UTC", time(grant.created_ms)));
    if grant.break_glass {
        line("approvers", &paint.red("none: it was given at once, for an emergency"));
    } else {
        line("approvers", &approvers(&grant.approvers, grant.quorum, &grant.teams));
    }
    for voice in voices(&grant.voices, grant.quorum) {
        line("said", &voice);
    }
    for (name, by) in [("decided", &grant.decided), ("revoked", &grant.revoked)] {
        if let Some(by) = by {
            line(name, &told(by));
        }
    }
    Ok(())
}
