//! Opaque tokens: their issuer is asked whose they are (RFC 7662).

use std::path::PathBuf;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sluice_engine::identity::TokenError;
use sluice_engine::policy::document::{Introspection, Policy};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::client::Client;

/// How long an issuer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How large its answer may be: as large as a token.
const LARGEST: usize = 64 << 10;

/// Questions under way at once. Anyone can send tokens that nobody knows: the issuer is spared the flood.
const AT_ONCE: usize = 32;

/// Why it is not known whose a token is.
#[derive(Debug)]
pub enum Unverified {
    /// It is nobody's.
    Refused(TokenError),
    /// Nobody can say now. The reason is in the log.
    Away,
}

impl From<TokenError> for Unverified {
    fn from(error: TokenError) -> Self {
        Self::Refused(error)
    }
}

/// Asks issuers.
pub struct Introspector {
    client: Client,
    /// Where the secrets are, each in a file of its issuer's name. Read at each use, since secrets rotate.
    secrets: Option<PathBuf>,
    places: Semaphore,
}

impl Introspector {
    /// One with secrets in this directory.
    pub fn new(secrets: Option<PathBuf>) -> Self {
        Self { client: Client::new(), secrets, places: Semaphore::new(AT_ONCE) }
    }

    /// What the issuer of opaque tokens says of one: its name, and its answer.
    ///
    /// # Errors
    /// See [`Unverified`].
    pub async fn ask(&self, policy: &Policy, token: &str) -> Result<(String, Bytes), Unverified> {
        let found = policy.issuers.iter().find_map(|own| Some((&own.name, own.introspection.as_ref()?)));
        let (issuer, place) = found.ok_or(TokenError::Issuer)?;
        let answer = self.call(issuer, place, token).await.map_err(|why| {
            tracing::error!(issuer, why, "an issuer could not be asked about a token");
            Unverified::Away
        })?;
        Ok((issuer.clone(), answer))
    }

    async fn call(&self, issuer: &str, place: &Introspection, token: &str) -> Result<Bytes, String> {
        let _place =
            self.places.try_acquire().map_err(|_| format!("{AT_ONCE} questions are under way already"))?;
        let directory =
            self.secrets.as_ref().ok_or("the service was started without --introspection-secrets")?;
        let file = directory.join(issuer);
        let secret = std::fs::read_to_string(&file).map(Zeroizing::new);
        let secret = secret.map_err(|e| format!("{}: {e}", file.display()))?;
        // RFC 6749, section 2.3.1: both are encoded before they are joined.
        let pair = Zeroizing::new(format!("{}:{}", encoded(&place.client_id), encoded(secret.trim())));
        let form = format!("token={}&token_type_hint=access_token", encoded(token));
        let request = Request::post(&place.url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, format!("Basic {}", BASE64.encode(pair.as_bytes())))
            .body(form.into_bytes())
            .map_err(|e| e.to_string())?;
        let answer = self.client.send(request, TIMEOUT, LARGEST).await.map_err(|e| e.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(format!("{} answered {}", place.url, answer.status));
        }
        Ok(answer.body)
    }
}

/// A text as a value in a form: everything but letters, digits, `-`, `_` and `.` is escaped.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
