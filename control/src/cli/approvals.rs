//! What `sluice holds` and `sluice grants` have in common: what is named, decided, handed over and taken back.

use axum::http::Method;
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_engine::policy::document::Duration;

use super::api::escape;
use super::print::{Paint, clean_line, say, short, table, time, until};
use super::{Failure, Outcome, Output, Service};
use crate::approvals::{DecidedBy, Delegation, Pass, Voice};
use crate::http::{Handing, ShownDelegations, ShownPass, ShownPasses, Taking};
use crate::serve::now_ms;

/// Which one, and how.
#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    pub service: Service,
    /// Its id.
    pub id: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    pub output: Output,
}

/// Which one, and why.
#[derive(Debug, Args)]
pub struct Reasoned {
    #[command(flatten)]
    pub one: One,
    /// Why. The policy may want one.
    #[arg(long, short, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// How many, and how.
#[derive(Debug, Args)]
pub struct Listed {
    #[command(flatten)]
    pub service: Service,
    /// How many.
    #[arg(long, default_value_t = 100)]
    pub limit: u32,
    /// How to write it.
    #[arg(long, default_value = "text")]
    pub output: Output,
}

/// Which right, to whom, until when.
#[derive(Debug, Args)]
pub struct Delegate {
    #[command(flatten)]
    service: Service,
    /// Who gets it, as their tokens name them.
    #[arg(long = "to", value_name = "SUBJECT")]
    subject: String,
    /// Their issuer, by its name in the policy. Default: your own.
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// A group of yours as whose member they may decide; may be given again.
    #[arg(long = "group", value_name = "GROUP", required = true)]
    groups: Vec<String>,
    /// For how long: 90s, 15m, 4h, 7d; at most 30d.
    #[arg(long = "for", value_name = "TIME")]
    time: String,
    /// Why.
    #[arg(long, short, value_name = "TEXT")]
    reason: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Reasoned {
    /// Sends something with a reason; asks for the reason in the words of this command where it is missing.
    pub async fn send<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_string(body).map_err(Failure::cannot)?;
        let sent = self.one.service.json(Method::POST, path, Some(body)).await;
        sent.map_err(|failure| if self.reason.is_none() { ask_for_reason(failure) } else { failure })
    }

    /// Takes something back: `POST {path}/{id}/{what}`.
    pub async fn take<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, Failure> {
        let path = format!("{path}/{}/{what}", escape(&self.one.id));
        self.send(&path, &Taking { reason: self.reason.clone() }).await
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

/// Seconds of what was typed for `--for`.
pub fn seconds(text: &str) -> Result<u64, Failure> {
    let time = Duration::parse(text);
    let why = || Failure::cannot("--for takes a time such as 90s, 15m, 4h or 2d");
    time.map(Duration::as_seconds).ok_or_else(why)
}

/// Writes JSON and says that it did, where JSON was asked for.
pub fn as_json(output: Output, value: &impl Serialize) -> Result<bool, Failure> {
    if output == Output::Json {
        say(&serde_json::to_string(value).map_err(Failure::cannot)?);
    }
    Ok(output == Output::Json)
}

/// Who decided, when and why, in a line.
pub fn told(by: &DecidedBy) -> String {
    let reason = by.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let behalf = by.on_behalf.as_ref().map(|given| format!(" for {}", given.subject)).unwrap_or_default();
    clean_line(&format!("{} UTC by {}{behalf}{reason}", time(by.at_ms), by.subject))
}

/// What each said, where several must; one line for each.
pub fn voices(voices: &[Voice], quorum: u32) -> Vec<String> {
    let more = quorum > 1 || voices.len() > 1;
    let one = |voice: &Voice| {
        let word = if voice.approve { "approved" } else { "denied" };
        let masked =
            if voice.masked > 0 { format!(", {} texts masked,", voice.masked) } else { String::new() };
        format!("{word}{masked} {}", told(&voice.by))
    };
    voices.iter().filter(|_| more).map(one).collect()
}

/// Who must approve, in words.
pub fn approvers(groups: &[String], quorum: u32, teams: &[String]) -> String {
    let mut text = groups.join(", ");
    if quorum > 1 {
        text = format!("{quorum} different people of {text}");
    }
    if !teams.is_empty() {
        text.push_str(&format!("; nobody of {}", teams.join(", ")));
    }
    clean_line(&text)
}

impl Delegate {
    pub async fn run(self) -> Outcome {
        let handing = Handing {
            issuer: self.issuer,
            subject: self.subject,
            groups: self.groups,
            seconds: seconds(&self.time)?,
            reason: self.reason,
        };
        let body = serde_json::to_string(&handing).map_err(Failure::cannot)?;
        let given: Delegation = self.service.json(Method::POST, "/v1/delegations", Some(body)).await?;
        if !as_json(self.output, &given)? {
            let left = until(given.ends_ms, now_ms());
            let groups = given.groups.join(", ");
            say(&clean_line(&format!("{}: {} decides for {groups} for {left}", given.id, given.subject)));
        }
        Ok(())
    }
}

/// Ends a delegation.
pub async fn undelegate(asked: Reasoned) -> Outcome {
    let given: Delegation = asked.take("/v1/delegations", "end").await?;
    if !as_json(asked.one.output, &given)? {
        say(&format!("{} is {}", given.id, ends(given.ended.is_some(), "ended", given.ends_ms)));
    }
    Ok(())
}

/// Takes back an approval for a time.
pub async fn revoke(asked: Reasoned) -> Outcome {
    let pass: Pass = asked.take("/v1/passes", "revoke").await?;
    if !as_json(asked.one.output, &pass)? {
        say(&format!("{} is {}", pass.id, ends(pass.revoked.is_some(), "revoked", pass.ends_ms)));
    }
    Ok(())
}

/// How something with an end stands. `word`: what it is when somebody ended it.
fn ends(ended: bool, word: &str, ends_ms: u64) -> String {
    match ends_ms.checked_sub(now_ms()) {
        _ if ended => word.to_owned(),
        Some(left) if left > 0 => format!("live, {} left", until(ends_ms, now_ms())),
        _ => "over".to_owned(),
    }
}

impl Listed {
    pub async fn delegations(self) -> Outcome {
        let path = format!("/v1/delegations?limit={}", self.limit);
        let shown: ShownDelegations = self.service.json(Method::GET, &path, None).await?;
        if as_json(self.output, &shown)? {
            return Ok(());
        }
        let row = |given: &Delegation| {
            vec![
                given.id.clone(),
                ends(given.ended.is_some(), "ended", given.ends_ms),
                short(&clean_line(&given.from.subject), 32),
                short(&clean_line(&given.subject), 32),
                clean_line(&given.groups.join(", ")),
                short(&clean_line(&given.reason), 50),
            ]
        };
        rows(&["ID", "STATE", "FROM", "TO", "DECIDES FOR", "WHY"], shown.delegations.iter().map(row));
        Ok(())
    }

    pub async fn passes(self) -> Outcome {
        let path = format!("/v1/passes?limit={}", self.limit);
        let shown: ShownPasses = self.service.json(Method::GET, &path, None).await?;
        if as_json(self.output, &shown)? {
            return Ok(());
        }
        let row = |shown: &ShownPass| {
            let pass = &shown.pass;
            let by: Vec<&str> = pass.by.iter().map(|by| by.subject.as_str()).collect();
            vec![
                pass.id.clone(),
                ends(pass.revoked.is_some(), "revoked", pass.ends_ms),
                short(&clean_line(&pass.who.subject), 32),
                clean_line(&pass.rule),
                short(&clean_line(&pass.what()), 40),
                short(&clean_line(&by.join(", ")), 40),
                shown.used.map_or_else(|| "never".to_owned(), |used| format!("{}x", used.count)),
            ]
        };
        rows(&["PASS", "STATE", "WHO", "RULE", "FOR", "BY", "USED"], shown.passes.iter().map(row));
        Ok(())
    }
}

fn rows(head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<_> = rows.collect();
    match rows.is_empty() {
        true => say("nothing here"),
        false => say(&table(head, &rows, Paint::detect())),
    }
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
