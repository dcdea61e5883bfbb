//! An HTTP client that hides nothing: no retries, no redirects, no pool, one connection where one is opened.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

/// Longer than any hold in a test; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why a call gave no reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not `http://host:port/path`.
    #[error("`{0}` is not a plain http address")]
    Address(String),
    /// Nobody listens there.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, std::io::Error),
    /// The request cannot be put together.
    #[error("the request is malformed: {0}")]
    Request(#[from] hyper::http::Error),
    /// The connection failed before the reply was complete.
    #[error("the connection failed: {0}")]
    Broken(#[from] hyper::Error),
    /// No reply within five minutes.
    #[error("no reply within {} s", PATIENCE.as_secs())]
    Silence,
}

/// A request that is being put together.
#[derive(Debug, Clone)]
pub struct Ask {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Ask {
    /// A request with any method and no body.
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Bytes::new() }
    }

    /// `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `POST` with a JSON body, given as text or as bytes.
    pub fn post(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let mut ask = Self::new("POST", url).header("content-type", "application/json");
        ask.body = body.into();
        ask
    }

    /// A form.
    pub fn form(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let mut ask = Self::new("POST", url).header("content-type", "application/x-www-form-urlencoded");
        ask.body = body.into();
        ask
    }

    /// Adds a header; a name may come twice.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `authorization: Bearer TOKEN`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends it on a connection of its own and reads the whole reply.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn send(self) -> Result<Reply, ClientError> {
        self.open().await?.rest().await
    }

    /// Sends it and returns as soon as the reply's headers are there.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn open(self) -> Result<Opened, ClientError> {
        let mut connection = Connection::open(&self.url).await?;
        connection.open_reply(self).await
    }

    /// Sends it over HTTP/2 (prior knowledge), with `trailer` as a trailer after the body.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn send_http2_with_trailer(self, trailer: (&str, &str)) -> Result<Reply, ClientError> {
        let authority = authority(&self.url)?;
        let stream = connect(&authority).await?;
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut trailers = HeaderMap::new();
        if let (Ok(name), Ok(value)) =
            (hyper::header::HeaderName::try_from(trailer.0), hyper::header::HeaderValue::try_from(trailer.1))
        {
            trailers.insert(name, value);
        }
        let request = self
            .request(true)?
            .map(|body| body.with_trailers(async move { Some(Ok::<_, Infallible>(trailers)) }).boxed());
        let response = within(sender.send_request(request)).await?;
        Opened::new(response).rest().await
    }

    fn request(self, absolute: bool) -> Result<Request<BoxBody<Bytes, Infallible>>, ClientError> {
        let uri: Uri = self.url.parse().map_err(|_| ClientError::Address(self.url.clone()))?;
        let host = authority(&self.url)?;
        let mut request = Request::builder().method(self.method);
        request = match uri.path_and_query() {
            _ if absolute => request.uri(uri),
            Some(path) => request.uri(path.as_str()).header("host", host),
            None => request.uri("/").header("host", host),
        };
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(self.body).boxed())?)
    }
}

/// A connection that is used again and again (HTTP/1.1).
#[derive(Debug)]
pub struct Connection {
    sender: http1::SendRequest<BoxBody<Bytes, Infallible>>,
}

impl Connection {
    /// Connects to the authority of `url`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn open(url: &str) -> Result<Self, ClientError> {
        let stream = connect(&authority(url)?).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Sends a request and reads the whole reply.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn send(&mut self, ask: Ask) -> Result<Reply, ClientError> {
        self.open_reply(ask).await?.rest().await
    }

    /// Sends a request and returns as soon as the reply's headers are there.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn open_reply(&mut self, ask: Ask) -> Result<Opened, ClientError> {
        let request = ask.request(false)?;
        self.sender.ready().await?;
        Ok(Opened::new(within(self.sender.send_request(request)).await?))
    }
}

async fn connect(authority: &str) -> Result<TcpStream, ClientError> {
    let stream = TcpStream::connect(authority)
        .await
        .map_err(|error| ClientError::Connect(authority.to_owned(), error))?;
    // Small requests must not wait for an acknowledgement that is delayed.
    stream.set_nodelay(true).map_err(|error| ClientError::Connect(authority.to_owned(), error))?;
    Ok(stream)
}

fn authority(url: &str) -> Result<String, ClientError> {
    let uri: Option<Uri> = url.parse().ok();
    uri.filter(|uri| uri.scheme_str() == Some("http"))
        .and_then(|uri| uri.authority().map(ToString::to_string))
        .ok_or_else(|| ClientError::Address(url.to_owned()))
}

async fn within<T>(reply: impl Future<Output = Result<T, hyper::Error>>) -> Result<T, ClientError> {
    Ok(tokio::time::timeout(PATIENCE, reply).await.map_err(|_| ClientError::Silence)??)
}

/// A reply whose headers are there and whose body may still be coming.
#[derive(Debug)]
pub struct Opened {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
}

impl Opened {
    fn new(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the connection ended before the body did.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            match frame.map_err(|_| ClientError::Silence)?.transpose()?.map(Frame::into_data) {
                None => return Ok(None),
                Some(Ok(data)) => return Ok(Some(data)),
                Some(Err(_trailers)) => {}
            }
        }
    }

    /// Reads the rest of the body.
    ///
    /// # Errors
    /// See [`Opened::next`].
    pub async fn rest(mut self) -> Result<Reply, ClientError> {
        let mut body = Vec::new();
        while let Some(data) = self.next().await? {
            body.extend_from_slice(&data);
        }
        Ok(Reply { status: self.status, headers: self.headers, body })
    }
}

/// A whole reply.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header's value, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text; bytes that are not UTF-8 show as U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `error.type` of the API's error envelope.
    pub fn error_type(&self) -> String {
        self.error_field("type")
    }

    /// `error.message` of the API's error envelope.
    pub fn error_message(&self) -> String {
        self.error_field("message")
    }

    fn error_field(&self, name: &str) -> String {
        let json = self.json();
        json.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
