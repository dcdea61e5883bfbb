//! The one HTTP client: for issuers' keys, and for the command line.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::builderstates::WantsSchemes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Not an address.
    #[error("`{0}` is not an http or https URL")]
    Url(String),
    /// No trusted certificates on this machine.
    #[error(
        "this machine has no CA certificates to check https with ({0}); install them, or set SSL_CERT_FILE"
    )]
    Roots(String),
    /// No connection, or it broke.
    #[error("{url} cannot be reached: {why}")]
    Unreachable {
        /// The URL.
        url: String,
        /// Why.
        why: String,
    },
    /// No answer in time.
    #[error("{url} did not answer within {seconds} s")]
    Slow {
        /// The URL.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// An answer that is too large.
    #[error("the answer of {url} is larger than {limit} bytes, or broke off")]
    Body {
        /// The URL.
        url: String,
        /// The limit.
        limit: usize,
    },
}

impl CallError {
    /// What went wrong, without the URL, where that is a secret.
    pub fn without_url(&self) -> String {
        match self {
            Self::Url(_) => "its URL cannot be called".into(),
            Self::Roots(_) => self.to_string(),
            Self::Unreachable { why, .. } => format!("the receiver cannot be reached: {why}"),
            Self::Slow { seconds, .. } => format!("the receiver did not answer within {seconds} s"),
            Self::Body { limit, .. } => {
                format!("the receiver's answer is larger than {limit} bytes, or broke off")
            }
        }
    }
}

/// An HTTP client that follows no redirects.
#[derive(Debug, Clone)]
pub struct Client {
    plain: Legacy<HttpConnector, Full<Bytes>>,
    secure: Result<Legacy<HttpsConnector<HttpConnector>, Full<Bytes>>, String>,
}

/// A call.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: &'a str,
    /// A bearer token.
    pub token: Option<&'a str>,
    /// A JSON body.
    pub body: Option<String>,
    /// How long the answer may take.
    pub timeout: Duration,
    /// How large the answer may be, in bytes.
    pub limit: usize,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// `Retry-After` (RFC 9110, 10.2.3), in milliseconds: seconds, or a date.
    pub fn retry_after(&self, now_ms: u64) -> Option<u64> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(seconds.saturating_mul(1000));
        }
        let at = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(u64::try_from(at.as_millis()).ok()?.saturating_sub(now_ms))
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client that trusts the machine's CA certificates.
    pub fn new() -> Self {
        Self::over(HttpsConnectorBuilder::new().with_native_roots().map_err(|e| e.to_string()))
    }

    /// A client that trusts the CA certificates in this file, as PEM, and no others.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn trusting(ca: &Path) -> Result<Self, String> {
        let roots = crate::tls::roots(ca)?;
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::over(Ok(HttpsConnectorBuilder::new().with_tls_config(config))))
    }

    fn over(https: Result<HttpsConnectorBuilder<WantsSchemes>, String>) -> Self {
        let secure = https.map(|builder| {
            let connector = builder.https_only().enable_http1().build();
            Legacy::builder(TokioExecutor::new()).build(connector)
        });
        Self { plain: Legacy::builder(TokioExecutor::new()).build(HttpConnector::new()), secure }
    }

    /// Makes a call and reads its whole answer, whatever its status.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let bad = || CallError::Url(call.url.to_owned());
        let mut request = Request::builder().method(call.method).uri(call.url);
        if let Some(token) = call.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(call.body.unwrap_or_default().into_bytes()).map_err(|_| bad())?;
        self.send(request, call.timeout, call.limit).await
    }

    /// Sends a request as it is and reads its whole answer, whatever its status: within `timeout`, at most `limit` bytes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn send(
        &self,
        mut request: Request<Vec<u8>>,
        timeout: Duration,
        limit: usize,
    ) -> Result<Answer, CallError> {
        let uri = request.uri().clone();
        let url = || uri.to_string();
        let agent = HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
        let request = request.map(Full::from);
        let exchange = async {
            let response = match uri.scheme_str() {
                Some("http") => self.plain.request(request).await,
                Some("https") => {
                    let client = self.secure.as_ref().map_err(|why| CallError::Roots(why.clone()))?;
                    client.request(request).await
                }
                _ => return Err(CallError::Url(url())),
            };
            let response = response.map_err(|e| CallError::Unreachable { url: url(), why: reason(&e) })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, limit).collect().await;
            let body = body.map_err(|_| CallError::Body { url: url(), limit })?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let slow = || CallError::Slow { url: url(), seconds: timeout.as_secs() };
        tokio::time::timeout(timeout, exchange).await.map_err(|_| slow())?
    }
}

/// The innermost reason: "connection refused" says more than "client error".
fn reason(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |text: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(text) = text {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(text));
            }
            let answer = Answer { status: StatusCode::SERVICE_UNAVAILABLE, headers, body: Bytes::new() };
            answer.retry_after(1_795_000_000_000)
        };
        assert_eq!(after(Some("120")), Some(120_000));
        assert_eq!(after(Some("Wed, 18 Nov 2026 11:08:40 GMT")), Some(120_000));
        assert_eq!(after(Some("Wed, 18 Nov 2026 11:00:00 GMT")), Some(0), "over already");
        assert_eq!(after(Some("soon")), None);
        assert_eq!(after(None), None);
    }

    #[test]
    fn what_went_wrong_can_be_told_without_the_url() {
        let url = || "https://hooks.slack.com/services/hushhush".to_owned();
        for error in [
            CallError::Url(url()),
            CallError::Unreachable { url: url(), why: "connection refused".into() },
            CallError::Slow { url: url(), seconds: 15 },
            CallError::Body { url: url(), limit: 1 },
        ] {
            assert!(!error.without_url().contains("hushhush"), "{error}");
        }
    }
}
