//! `sluice login`, `sluice logout` and `sluice whoami`.

use std::process::{Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Html;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::print::{clean_line, say, time, until};
use super::saved::{self, Saved};
use super::{Failure, Outcome, Output, Service, device};
use crate::client::Client;
use crate::http::{SignInOffer, Whoami};
use crate::keys::random;
use crate::serve::now_ms;
use crate::visits::{Endpoints, Relying, shown};

/// How long a person may take in the browser.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the browser shows at the end.
const DONE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Sluice</title>\
<h1>Go back to the terminal.</h1><p>You can close this page.</p></html>";

/// Sign in with the browser, for the commands that follow.
///
/// Opens the identity provider that the policy names (`access.signIn.commandLineClientId`), which sends the browser back to
/// this command on 127.0.0.1 (RFC 8252). The token is kept in $XDG_CONFIG_HOME/sluice for the service's URL, and used by
/// all commands when neither --token nor SLUICE_TOKEN is given. It ends when the provider says so.
///
/// Where no browser is, as on a server: --device shows a code to type on the service's own page, on any other machine
/// (RFC 8628). The token is then one of the service's own issuer, for an hour at most.
#[derive(Debug, Args)]
pub struct Login {
    /// The control service's URL.
    #[arg(long, env = "SLUICE_URL", default_value = "http://127.0.0.1:9901", value_name = "URL")]
    url: String,
    /// Only print the address to open.
    #[arg(long)]
    no_browser: bool,
    /// Sign in with a code that is typed in a browser elsewhere. Needs an issuer with `keys: control` in the policy.
    #[arg(long, conflicts_with = "no_browser")]
    device: bool,
}

/// Forget the token of `sluice login`.
#[derive(Debug, Args)]
pub struct Logout {
    /// The control service's URL.
    #[arg(long, env = "SLUICE_URL", default_value = "http://127.0.0.1:9901", value_name = "URL")]
    url: String,
    /// Forget those of all services.
    #[arg(long)]
    all: bool,
}

/// Show who you are to the service, and what the policy lets you see of it.
#[derive(Debug, Args)]
pub struct Who {
    #[command(flatten)]
    service: Service,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Login {
    pub async fn run(self) -> Outcome {
        let token = if self.device { device::token(&self.url).await? } else { self.with_browser().await? };
        // Who it speaks for is the service's to say: it checks the signature.
        let service = Service { url: self.url.clone(), token: Some(token.to_string()) };
        let me: Whoami = service.json(Method::GET, "/v1/whoami", None).await?;
        let kept = Saved { token: token.to_string(), subject: me.subject.clone(), expires_ms: me.expires_ms };
        saved::keep(&self.url, kept)?;
        say(&format!("{}, until {}.", describe(&me), time(me.expires_ms)));
        Ok(())
    }

    /// A token of the provider that the policy names.
    async fn with_browser(&self) -> Result<Zeroizing<String>, Failure> {
        let service = Service { url: self.url.clone(), token: None };
        let offer: SignInOffer = serde_json::from_str(&service.public("/v1/signin").await?)
            .map_err(|_| Failure::Cannot(format!("{} is not a control service of this version", self.url)))?;
        let client = Client::new();
        let endpoints = Endpoints::discover(&client, &offer.issuer).await.map_err(Failure::cannot)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::cannot)?;
        let port = listener.local_addr().map_err(Failure::cannot)?.port();
        let callback = format!("http://127.0.0.1:{port}/callback");
        let relying = Relying::new(&endpoints, &offer.client_id, None, &offer.scopes, callback)
            .map_err(Failure::cannot)?;
        let [state, nonce, verifier] = [secret()?, secret()?, secret()?];
        let page = relying.page(&state, &nonce, &verifier, false);
        say(&format!("Sign in here:\n  {}", clean_line(&page)));
        if !self.no_browser {
            open(&page);
        }
        let code = code(listener, &state, &offer.issuer).await?;
        let token = relying.redeem(&client, &code, &verifier).await.map_err(Failure::cannot)?;
        relying.check(&token, &nonce).map_err(Failure::cannot)?;
        Ok(Zeroizing::new(token))
    }
}

impl Logout {
    pub fn run(self) -> Outcome {
        let forgotten = saved::forget((!self.all).then_some(self.url.as_str()))?;
        say(match forgotten {
            0 => "There was no token to forget.",
            _ => "Forgotten.",
        });
        Ok(())
    }
}

impl Who {
    pub async fn run(self) -> Outcome {
        let answer: Value = self.service.json(Method::GET, "/v1/whoami", None).await?;
        if self.output == Output::Json {
            say(&answer.to_string());
            return Ok(());
        }
        let me: Whoami = serde_json::from_value(answer).map_err(Failure::cannot)?;
        say(&describe(&me));
        say(&format!("ends in  {}", until(me.expires_ms, now_ms())));
        for (name, list) in [("access", Some(&me.access)), ("scopes", me.scopes.as_ref())] {
            if let Some(list) = list.filter(|list| !list.is_empty()) {
                say(&format!("{name}   {}", clean_line(&list.join(", "))));
            }
        }
        Ok(())
    }
}

fn describe(me: &Whoami) -> String {
    let groups = match me.groups.as_slice() {
        [] => "in no group".to_owned(),
        groups => format!("in {}", groups.join(", ")),
    };
    clean_line(&format!("You are {} ({}), {groups}", me.subject, me.issuer))
}

/// 256 random bits in base64url: also the length that a PKCE verifier has at least.
fn secret() -> Result<Zeroizing<String>, Failure> {
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(random::<32>().map_err(Failure::cannot)?)))
}

/// Asks the desktop to open a page; where there is none, the address was printed.
fn open(page: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut quiet = Command::new(opener);
    quiet.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Not there: the person opens it.
    let _child = quiet.spawn();
}

/// What comes back from the provider.
#[derive(Deserialize)]
struct Back {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Waits for the browser to come back with an answer to this very question. Others that call are not listened to.
async fn code(listener: TcpListener, state: &str, issuer: &str) -> Result<String, Failure> {
    let (sender, mut backs) = mpsc::channel::<Back>(8);
    let come_back = async |State(sender): State<mpsc::Sender<Back>>, Query(back): Query<Back>| {
        // Nobody to hear it any more.
        let _late = sender.send(back).await;
        Html(DONE)
    };
    let app = Router::new().route("/callback", get(come_back)).with_state(sender);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let answer = async {
        loop {
            let back = backs.recv().await?;
            if bool::from(back.state.as_bytes().ct_eq(state.as_bytes())) {
                return Some(back);
            }
        }
    };
    let answered = tokio::time::timeout(PATIENCE, answer).await;
    // The page that the browser waits for is on its way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.abort();
    let back = answered.ok().flatten();
    let back = back.ok_or_else(|| Failure::Cannot("nobody signed in within ten minutes".into()))?;
    if back.iss.is_some_and(|iss| iss != issuer) {
        return Err(Failure::Cannot("the answer is from another issuer; try again".into()));
    }
    match (back.code, back.error) {
        (Some(code), None) => Ok(code),
        (_, error) => {
            let error = error.map_or_else(|| "no code".to_owned(), |error| shown(&error));
            Err(Failure::No(format!("the identity provider refused the sign-in: {error}")))
        }
    }
}
