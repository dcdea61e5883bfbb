//! `sluice token` and `sluice keys`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, Subcommand};
use sluice_engine::policy::document::Duration;

use super::approvals::Listed;
use super::{Failure, Outcome, Output, State, print, tokens};
use crate::keys::{DATA_TOKEN, Keys};
use crate::records::writer_name;
use crate::serve::{ISSUER_FILE, now_ms};
use crate::tokens::Claims;

/// Make tokens of control's own issuer, revoke tokens, see what is revoked.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Print a fresh token, and nothing else.
    ///
    /// Whoever can read the state directory can be anyone: this is for trying things out, and for setups without
    /// an identity provider. The policy needs an issuer with `keys: control` and the service's URL.
    Mint(Mint),
    /// Shut a token out before its end, or all tokens of a subject, and what was exchanged for them.
    ///
    /// Sidecars and control refuse them within two seconds. A revocation is remembered until nothing that it shuts out
    /// could be taken any more; whoever signs in again afterwards gets in again.
    Revoke(tokens::Revoke),
    /// List what is shut out. For auditors and operators.
    Revoked(Listed),
    /// Let a device in that shows a code, as Claude Code does after /login; or refuse it.
    #[command(subcommand)]
    Device(tokens::Device),
}

/// What the token says.
#[derive(Debug, Args)]
pub struct Mint {
    #[command(flatten)]
    state: State,
    /// Who the token is for.
    #[arg(long, value_name = "NAME", value_parser = subject)]
    subject: String,
    /// A group; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A scope that the token is narrowed to; may be given several times. Without it the roles alone decide.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long it lives: 90s, 15m, 24h, 7d. This command does not know the policy: a token that lives longer than the
    /// issuer's maxLifetime is printed, and refused wherever it is shown.
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = lifetime)]
    ttl: Duration,
    /// Who shall accept it: an audience of the issuer in the policy.
    #[arg(long, default_value = "sluice", value_name = "NAME")]
    audience: String,
    /// The `iss` claim. Default: the URL that the service was last started with.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// Look at the service's keys, and make those that replicas share.
#[derive(Debug, Subcommand)]
pub enum ShowKeys {
    /// Show the public keys, and where the data-plane token is.
    Show(Show),
    /// Make a directory with the keys and the data-plane token that several replicas share.
    ///
    /// Give it to each replica as --shared-keys; in Kubernetes: kubectl create secret generic sluice-keys
    /// --from-file=DIR. What is there already is kept.
    Make {
        /// The directory. Only its owner may reach it.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// Which keys, and how.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    state: State,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

fn subject(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("a token of nobody is taken nowhere; say who it is for".to_owned());
    }
    Ok(text.to_owned())
}

fn lifetime(text: &str) -> Result<Duration, String> {
    Duration::parse(text)
        .filter(|d| d.as_seconds() > 0)
        .ok_or_else(|| "write 90s, 15m, 24h or 7d, more than nothing".to_owned())
}

impl Token {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Mint(asked) => asked.run(),
            Self::Revoke(asked) => asked.run().await,
            Self::Revoked(listed) => tokens::revoked(listed).await,
            Self::Device(asked) => asked.run().await,
        }
    }
}

impl Mint {
    fn run(self) -> Outcome {
        let asked = self;
        let keys = asked.state.keys()?;
        let file = asked.state.state.join(ISSUER_FILE);
        let issuer = match asked.issuer {
            Some(issuer) => issuer,
            None => std::fs::read_to_string(&file).map_err(|e| {
                Failure::cannot(format!("{}: {e}; start the service once, or give --issuer", file.display()))
            })?,
        };
        let claims = Claims {
            subject: asked.subject,
            groups: asked.groups,
            actor: None,
            scopes: Some(asked.scopes).filter(|scopes| !scopes.is_empty()),
            via: None,
            from: None,
            audience: asked.audience,
            lifetime: asked.ttl.as_seconds(),
        };
        let minted = keys.issuer_at(issuer.trim()).mint(&claims, now_ms()).map_err(Failure::cannot)?;
        print::say(&minted.token);
        Ok(())
    }
}

impl ShowKeys {
    pub fn run(self) -> Outcome {
        let asked = match self {
            Self::Show(asked) => asked,
            Self::Make { directory } => return Keys::make_shared(&directory).map_err(Failure::cannot),
        };
        let state = &asked.state.state;
        let keys = asked.state.keys()?;
        let record = keys.record.verifying_key();
        let (bundle, record_key) = (keys.bundle_public(), BASE64.encode(record.as_bytes()));
        let token = asked.state.shared_keys.as_ref().unwrap_or(state).join(DATA_TOKEN).display().to_string();
        print::say(&match asked.output {
            Output::Json => serde_json::json!({
                "bundleKeys": [bundle], "recordKey": record_key, "writer": writer_name(&record),
                "issuerKey": keys.issuer_at("").jwk(), "dataTokenFile": token,
            })
            .to_string(),
            Output::Text => format!(
                "bundle key (plugin configuration, bundleKeys)   {bundle}\n\
                 data-plane token (plugin configuration) is in   {token}\n\
                 record key (verifies checkpoints)               {record_key}\n\
                 writer of the log                               {}\n\
                 issuer key id                                   {}",
                writer_name(&record),
                keys.issuer_at("").kid()
            ),
        });
        Ok(())
    }
}
