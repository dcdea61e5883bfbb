//! `sluice grants`.

use axum::http::Method;
use clap::{Args, Subcommand};
use sluice_engine::policy::document::Duration;

use super::api::escape;
use super::print::{Paint, clean_line, say, short, table, time, until};
use super::{Failure, Outcome, Output, Service};
use crate::grants::{Grant, GrantState};
use crate::http::{Offered, Ruling, ShownGrants, Taking, Wish};
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
    Approve(Decide),
    /// Refuse a grant.
    Deny(Decide),
    /// Take a grant back at once, or withdraw a wish: whoever has it, those who may approve it, and operators.
    Revoke(Decide),
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

/// Which grant, and how.
#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    service: Service,
    /// The grant's id.
    id: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which grant, and why.
#[derive(Debug, Args)]
pub struct Decide {
    #[command(flatten)]
    service: Service,
    /// The grant's id.
    id: String,
    /// Why. The policy may want one.
    #[arg(long, short, value_name = "TEXT")]
    reason: Option<String>,
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
            Self::Approve(asked) => asked.decide(true).await,
            Self::Deny(asked) => asked.decide(false).await,
            Self::Revoke(asked) => {
                let body = serde_json::to_string(&Taking { reason: asked.reason.clone() });
                asked.send("revoke", body.map_err(Failure::cannot)?).await
            }
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
        let seconds = match self.time.as_deref() {
            None => None,
            Some(text) => Some(
                Duration::parse(text)
                    .ok_or_else(|| Failure::cannot("--for takes a time such as 90s, 15m, 4h or 2d"))?
                    .as_seconds(),
            ),
        };
        let wish = Wish { name: self.name, seconds, reason: self.reason };
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

impl Decide {
    async fn decide(self, approve: bool) -> Outcome {
        let body = serde_json::to_string(&Ruling { approve, reason: self.reason.clone() });
        let without_reason = self.reason.is_none();
        let sent = self.send("decision", body.map_err(Failure::cannot)?).await;
        sent.map_err(|failure| if without_reason { ask_for_reason(failure) } else { failure })
    }

    async fn send(self, what: &str, body: String) -> Outcome {
        let path = format!("/v1/grants/{}/{what}", escape(&self.id));
        let grant: Grant = self.service.json(Method::POST, &path, Some(body)).await?;
        match self.output {
            Output::Json => tell(&grant, Output::Json),
            Output::Text => {
                say(&format!("{} is {}", grant.id, stands(&grant)));
                Ok(())
            }
        }
    }
}

/// The service names the field that a program sends; a person types an option.
fn ask_for_reason(failure: Failure) -> Failure {
    match failure {
        Failure::Cannot(why) if why.contains("send `reason`") => {
            Failure::Cannot("this needs a reason: say it with --reason TEXT".into())
        }
        other => other,
    }
}

/// Where it stands, with the time that is left.
fn stands(grant: &Grant) -> String {
    match grant.state {
        GrantState::Waiting | GrantState::Live => {
            format!("{}, {} left", grant.state.word(), until(grant.ends_ms, now_ms()))
        }
        over => over.word().to_owned(),
    }
}

fn tell(grant: &Grant, output: Output) -> Outcome {
    if output == Output::Json {
        say(&serde_json::to_string(grant).map_err(Failure::cannot)?);
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
        line("approvers", &clean_line(&grant.approvers.join(", ")));
    }
    for (name, by) in [("decided", &grant.decided), ("revoked", &grant.revoked)] {
        if let Some(by) = by {
            let reason = by.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            line(name, &clean_line(&format!("{} UTC by {}{reason}", time(by.at_ms), by.subject)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_decides_without_a_reason_is_told_the_option() {
        let told = |why: &str| match ask_for_reason(Failure::Cannot(why.into())) {
            Failure::Cannot(why) | Failure::No(why) => why,
        };
        assert!(told("this needs a reason: send `reason`").contains("--reason"));
        assert_eq!(told("the service is away"), "the service is away");
    }
}
