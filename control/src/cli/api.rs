//! Calls to the service, and what its refusals say.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::print::clean_line;
use super::{Failure, Service, saved};
use crate::client::{Call, Client};
use crate::http::Problem;
use crate::serve::now_ms;

/// How long an answer may take. Exports and verifications of large logs take their time.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How large an answer may be: everything is read before anything is shown.
const LIMIT: usize = 1 << 30;

impl Service {
    /// The token that was given, or the one of `sluice login`.
    fn credential(&self) -> Result<Zeroizing<String>, Failure> {
        let given = self.token.as_deref().map(str::trim).filter(|token| !token.is_empty());
        if let Some(given) = given {
            return Ok(Zeroizing::new(given.to_owned()));
        }
        let Some(saved) = saved::token(&self.url)? else {
            return Err(Failure::cannot(
                "no token: sign in with `sluice login`, or set SLUICE_TOKEN, for example to what `sluice token mint` prints",
            ));
        };
        if saved.expires_ms <= now_ms() {
            return Err(Failure::Cannot(format!(
                "the sign-in of {} has ended: `sluice login` begins another",
                clean_line(&saved.subject)
            )));
        }
        Ok(Zeroizing::new(saved.token))
    }

    /// Calls a path that wants no token.
    pub async fn public(&self, path: &str) -> Result<String, Failure> {
        self.send(Method::GET, path, None, None).await
    }

    /// Calls a path and reads the answer's text.
    pub async fn text(&self, method: Method, path: &str, body: Option<String>) -> Result<String, Failure> {
        let token = self.credential()?;
        self.send(method, path, Some(&token), body).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
    ) -> Result<String, Failure> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let call = Call { method, url: &url, token, body, timeout: TIMEOUT, limit: LIMIT };
        let answer = Client::new().call(call).await.map_err(Failure::cannot)?;
        if answer.status.is_success() {
            return String::from_utf8(answer.body.to_vec()).map_err(|_| {
                Failure::cannot(format!("{url} did not answer with text; is this a control service?"))
            });
        }
        let said = match serde_json::from_slice::<Problem>(&answer.body) {
            Ok(problem) => problem.detail,
            Err(_) => format!("{url} answered {}; is this a control service?", answer.status),
        };
        match answer.status {
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::CONFLICT => Err(Failure::No(said)),
            _ => Err(Failure::Cannot(said)),
        }
    }

    /// Calls a path and reads the answer's JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<T, Failure> {
        let text = self.text(method, path, body).await?;
        serde_json::from_str(&text).map_err(|e| {
            Failure::cannot(format!("the service answered in another form than this command reads: {e}"))
        })
    }
}

/// A text as part of a path or query: everything but letters, digits, `-`, `_` and `.` is escaped.
pub fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
