//! One fetch of an issuer's keys.

use std::time::Duration;

use axum::http::{HeaderMap, Method, header};
use serde_json::Value;
use sluice_engine::policy::document::{Issuer, KeySource};

use super::EVERY;
use crate::client::{Call, Client};

/// How long an issuer may take, and how much it may say. Real key sets are a few kilobytes.
const TIMEOUT: Duration = Duration::from_secs(10);
const LIMIT: usize = 1 << 20;

/// Keys of one issuer that are kept.
const MOST_KEYS: usize = 100;

/// What a fetch gave.
pub struct Fetched {
    pub keys: Vec<Value>,
    /// How long they may be taken for fresh.
    pub fresh: Duration,
}

/// Fetches the keys as the policy says.
pub async fn fetch(client: &Client, issuer: &Issuer) -> Result<Fetched, String> {
    let uri = match &issuer.keys {
        KeySource::JwksUri(uri) => uri.clone(),
        _ => discover(client, issuer).await?,
    };
    let (headers, set) = get(client, &uri).await?;
    let keys = inline(&set);
    if keys.is_empty() {
        return Err(format!("{uri} has no public signature key"));
    }
    Ok(Fetched { keys, fresh: max_age(&headers).unwrap_or(EVERY) })
}

async fn discover(client: &Client, issuer: &Issuer) -> Result<String, String> {
    let document = Document::fetch(client, &issuer.issuer).await?;
    document.url("jwks_uri")
}

/// What an issuer says of itself (OpenID Connect Discovery 1.0, section 3).
pub struct Document {
    issuer: String,
    content: Value,
}

impl Document {
    /// Fetches it (section 4): the document names its issuer, and that must be the one asked for.
    ///
    /// # Errors
    /// In words for the log.
    pub async fn fetch(client: &Client, issuer: &str) -> Result<Self, String> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let (_, content) = get(client, &url).await?;
        if content.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(format!("{url} is about another issuer; write `issuer` exactly as it is there"));
        }
        Ok(Self { issuer: issuer.to_owned(), content })
    }

    /// A URL that it must name: https where the issuer is.
    ///
    /// # Errors
    /// In words for the log.
    pub fn url(&self, name: &str) -> Result<String, String> {
        let issuer = &self.issuer;
        let url = self.content.get(name).and_then(Value::as_str);
        let url = url.ok_or_else(|| format!("the discovery document of {issuer} names no `{name}`"))?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!(
                "the discovery document of {issuer} names a `{name}` that is no web address"
            ));
        }
        if issuer.starts_with("https://") && !url.starts_with("https://") {
            return Err(format!("the discovery document of {issuer} names a `{name}` without https"));
        }
        Ok(url.to_owned())
    }

    /// A list of texts that it may have.
    pub fn list(&self, name: &str) -> Option<Vec<&str>> {
        let list = self.content.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).collect())
    }
}

/// The public signature keys of a JWK Set, without any private part.
pub fn inline(set: &Value) -> Vec<Value> {
    let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let public = |key: &&Value| {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        matches!(text("kty"), Some("RSA" | "EC" | "OKP"))
            && text("use").is_none_or(|for_what| for_what == "sig")
    };
    let strip = |key: &Value| {
        let mut key = key.clone();
        if let Some(members) = key.as_object_mut() {
            members.retain(|name, _| {
                !matches!(name.as_str(), "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" | "k")
            });
        }
        key
    };
    keys.iter().filter(public).take(MOST_KEYS).map(strip).collect()
}

async fn get(client: &Client, url: &str) -> Result<(HeaderMap, Value), String> {
    let call = Call { method: Method::GET, url, token: None, body: None, timeout: TIMEOUT, limit: LIMIT };
    let answer = client.call(call).await.map_err(|e| e.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("{url} answered {}", answer.status));
    }
    let value =
        serde_json::from_slice(&answer.body).map_err(|_| format!("{url} did not answer with JSON"))?;
    Ok((answer.headers, value))
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let control = headers.get(header::CACHE_CONTROL)?.to_str().ok()?;
    let seconds = control.split(',').find_map(|part| part.trim().strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}
