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

/// OpenID Connect Discovery 1.0, section 4: the document names its issuer, and that must be the one asked for.
async fn discover(client: &Client, issuer: &Issuer) -> Result<String, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.issuer.trim_end_matches('/'));
    let (_, document) = get(client, &url).await?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if text("issuer") != Some(&issuer.issuer) {
        return Err(format!("{url} is about another issuer; write `issuer` exactly as it is there"));
    }
    let uri = text("jwks_uri").ok_or_else(|| format!("{url} names no `jwks_uri`"))?;
    if issuer.issuer.starts_with("https://") && !uri.starts_with("https://") {
        return Err(format!("{url} sends to keys without https"));
    }
    Ok(uri.to_owned())
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
