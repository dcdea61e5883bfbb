//! `sluice tokens revoke`, `revoked` and `device`.

use axum::http::Method;
use clap::{Args, Subcommand};
use sluice_engine::policy::bundle::Revocation;
use sluice_engine::policy::document::Duration;

use super::api::escape;
use super::approvals::{Listed, as_json};
use super::print::{Paint, clean_line, say, short, table, time, until};
use super::{Failure, Outcome, Output, Service};
use crate::client::{Call, Client};
use crate::http::{Allowing, ShownDevice, ShownRevocations, Shut};
use crate::serve::now_ms;
use crate::tokens::revocation::Revoked;

/// What is shut out.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["own", "id", "subject"]))]
pub struct Revoke {
    #[command(flatten)]
    service: Service,
    /// Give back the token that you call with (SLUICE_TOKEN). Everyone may, without a reason.
    #[arg(long)]
    own: bool,
    /// The id (`jti`) of a token. For operators.
    #[arg(long, value_name = "JTI", requires = "issuer", requires = "reason")]
    id: Option<String>,
    /// A subject: everything that was issued to it until now. For operators.
    #[arg(long, value_name = "NAME", requires = "issuer", requires = "reason")]
    subject: Option<String>,
    /// The issuer, by its name in the policy; tokens that were exchanged at control speak for the issuer of the first one.
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// With --subject: only what was issued longer ago than this: 90s, 15m, 24h.
    #[arg(long, value_name = "TIME", requires = "subject")]
    older_than: Option<String>,
    /// Why.
    #[arg(long, short, value_name = "TEXT")]
    reason: Option<String>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Let a device in that shows a code, or refuse it.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// Show what asks with a code.
    Show(Code),
    /// Let it in: it gets tokens in your name. Only a device on which you have begun to sign in yourself, a moment ago.
    Approve(Code),
    /// Refuse it.
    Deny(Code),
}

/// Which device, and how.
#[derive(Debug, Args)]
pub struct Code {
    #[command(flatten)]
    service: Service,
    /// The code that the device shows, as in BCDF-GHJK.
    code: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Device {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Show(asked) => asked.show().await,
            Self::Approve(asked) => asked.decide(true).await,
            Self::Deny(asked) => asked.decide(false).await,
        }
    }
}

impl Code {
    fn path(&self) -> String {
        format!("/v1/devices/{}", escape(&self.code))
    }

    async fn show(self) -> Outcome {
        let device: ShownDevice = self.service.json(Method::GET, &self.path(), None).await?;
        say(&match self.output {
            Output::Json => serde_json::to_string(&device).map_err(Failure::cannot)?,
            Output::Text => told(&device),
        });
        Ok(())
    }

    async fn decide(self, approve: bool) -> Outcome {
        let body = serde_json::to_string(&Allowing { approve }).map_err(Failure::cannot)?;
        self.service.text(Method::POST, &format!("{}/decision", self.path()), Some(body)).await?;
        say(match (self.output, approve) {
            (Output::Json, _) => "{}",
            (Output::Text, true) => "let in: the device gets its token within seconds",
            (Output::Text, false) => "refused",
        });
        Ok(())
    }
}

/// A device, and what it would get, for somebody who is about to decide.
fn told(device: &ShownDevice) -> String {
    let scopes = |scopes: &Option<Vec<String>>| {
        scopes.as_ref().map_or("whatever you may do".into(), |scopes| scopes.join(", "))
    };
    let mut rows = vec![
        ("it says that it is", device.client.clone().unwrap_or_else(|| "(nothing)".into())),
        ("it asks for", scopes(&device.scopes)),
        ("since", time(device.created_ms)),
    ];
    rows.extend(device.address.clone().map(|address| ("from", address)));
    if let Some(gets) = &device.gets {
        let token = Duration::seconds(gets.token_seconds);
        let lasts = gets.sign_in_seconds.map(Duration::seconds);
        rows.extend([
            ("it would act as", format!("{} ({})", gets.subject, gets.issuer)),
            ("in", gets.groups.join(", ")),
            ("and may do", scopes(&gets.scopes)),
            ("for", lasts.map_or(format!("{token}"), |lasts| format!("{lasts}, in tokens of {token}"))),
        ]);
    }
    rows.extend(device.barred.clone().map(|why| ("it gets nothing", why)));
    let rows: Vec<String> =
        rows.iter().map(|(name, value)| format!("{name:<20}{}", clean_line(value))).collect();
    let until = until(device.expires_ms, now_ms());
    format!("{} waits {until} more\n{}", device.user_code, rows.join("\n"))
}

impl Revoke {
    pub async fn run(self) -> Outcome {
        if self.own {
            return self.give_back().await;
        }
        let before_ms = match &self.older_than {
            None => None,
            Some(text) => {
                let wrong = || Failure::cannot("--older-than takes 90s, 15m, 24h or 7d");
                let age = Duration::parse(text).ok_or_else(wrong)?;
                Some(now_ms().saturating_sub(age.as_millis()))
            }
        };
        let shut = Shut {
            issuer: self.issuer.unwrap_or_default(),
            token: self.id,
            subject: self.subject,
            before_ms,
            reason: self.reason.unwrap_or_default(),
        };
        let body = serde_json::to_string(&shut).map_err(Failure::cannot)?;
        let revoked: Revoked = self.service.json(Method::POST, "/v1/revocations", Some(body)).await?;
        say(&match self.output {
            Output::Json => serde_json::to_string(&revoked).map_err(Failure::cannot)?,
            Output::Text => format!("{} is refused everywhere within two seconds", what(&revoked)),
        });
        Ok(())
    }

    async fn give_back(self) -> Outcome {
        let token = self.service.token.as_deref().map(str::trim).unwrap_or_default();
        if token.is_empty() {
            return Err(Failure::cannot("no token to give back: set SLUICE_TOKEN"));
        }
        let body = serde_json::json!({"token": token}).to_string();
        let url = format!("{}/v1/oauth/revoke", self.service.url.trim_end_matches('/'));
        let call = Call {
            method: Method::POST,
            url: &url,
            token: None,
            body: Some(body),
            timeout: std::time::Duration::from_secs(30),
            limit: 1 << 16,
        };
        let answer = Client::new().call(call).await.map_err(Failure::cannot)?;
        if !answer.status.is_success() {
            return Err(Failure::cannot(format!(
                "{url} answered {}; the token may still be good",
                answer.status
            )));
        }
        say(&match self.output {
            Output::Json => "{}".to_owned(),
            Output::Text => {
                "the token, and what was exchanged for it, is refused everywhere within two seconds".into()
            }
        });
        Ok(())
    }
}

/// Shows what is shut out.
pub async fn revoked(listed: Listed) -> Outcome {
    let path = format!("/v1/revocations?limit={}", listed.limit);
    let shown: ShownRevocations = listed.service.json(Method::GET, &path, None).await?;
    if as_json(listed.output, &shown)? {
        return Ok(());
    }
    if shown.revocations.is_empty() {
        say("nothing here: no token is shut out before its end");
        return Ok(());
    }
    let now = now_ms();
    let row = |revoked: &Revoked| {
        vec![
            short(&what(revoked), 60),
            time(revoked.at_ms),
            clean_line(&revoked.by.subject),
            until(revoked.until_ms, now),
            short(&clean_line(revoked.reason.as_deref().unwrap_or("given back")), 40),
        ]
    };
    let rows: Vec<Vec<String>> = shown.revocations.iter().map(row).collect();
    say(&table(&["WHAT", "WHEN", "BY", "FORGOTTEN", "WHY"], &rows, Paint::detect()));
    Ok(())
}

fn what(revoked: &Revoked) -> String {
    clean_line(&match &revoked.what {
        Revocation::Token { issuer, id } => format!("token {id} of {issuer}"),
        Revocation::Subject { issuer, subject, before_ms } => {
            format!("what {subject} ({issuer}) had before {}", time(*before_ms))
        }
    })
}
