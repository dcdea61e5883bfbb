//! The one HTTP client: for issuers' keys, and for the command line.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

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

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client that trusts the machine's CA certificates.
    pub fn new() -> Self {
        let secure = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map(|builder| {
                let connector = builder.https_only().enable_http1().build();
                Legacy::builder(TokioExecutor::new()).build(connector)
            })
            .map_err(|e| e.to_string());
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
