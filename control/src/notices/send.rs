//! One try of one delivery.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use sluice_engine::policy::document::{Channel, Receiver};

use super::signature::webhook_signature;
use super::{Channels, Delivery, Outcome, slack, teams, webhook};
use crate::client::{CallError, Client};

/// How long a receiver may take; Standard Webhooks recommends 15 to 30 seconds.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// How much it may answer. None of it is looked at.
const LIMIT: usize = 1 << 20;

/// Sends a delivery to the channel that the policy has by its name now.
pub async fn send(
    client: &Client,
    channels: &Channels,
    channel: Option<&Channel>,
    delivery: &Delivery,
    public_url: &str,
    now_ms: u64,
) -> Outcome {
    let Some(channel) = channel else {
        return Outcome::failed("the policy has no channel of this name any more");
    };
    match prepare(channels, channel, delivery, public_url, now_ms).await {
        Ok((url, headers, body)) => post(client, url, headers, body, now_ms).await,
        Err(why) => Outcome::failed(why),
    }
}

/// Where a delivery goes, and what goes there.
async fn prepare(
    channels: &Channels,
    channel: &Channel,
    delivery: &Delivery,
    public_url: &str,
    now_ms: u64,
) -> Result<(Uri, HeaderMap, String), String> {
    let url = channels.url(&channel.name).await?;
    let mut headers = HeaderMap::new();
    let body = match channel.to {
        Receiver::Webhook => {
            let body = webhook::body(&delivery.notice, public_url);
            let keys = channels.keys(&channel.name).await?;
            let seconds = now_ms / 1000;
            let signature = webhook_signature(&keys, &delivery.id, seconds, &body);
            let signature = signature.ok_or("the notice could not be signed")?;
            for (name, value) in [
                ("webhook-id", delivery.id.clone()),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", signature),
            ] {
                let value = HeaderValue::try_from(value).map_err(|_| "the notice could not be signed")?;
                headers.insert(name, value);
            }
            body
        }
        Receiver::Slack => {
            // Without a secret nobody could press a button; why there is none is said where channels are checked.
            let secrets = channels.secrets(&channel.name).await.unwrap_or_default();
            let secret = secrets.first().map(|secret| secret.as_str());
            slack::body(&delivery.notice, public_url, &channel.name, secret)
        }
        Receiver::Teams => teams::body(&delivery.notice, public_url),
    };
    Ok((url, headers, body))
}

/// Posts JSON. Redirects are not followed: the address is the operator's alone to say.
pub async fn post(client: &Client, url: Uri, headers: HeaderMap, body: String, now_ms: u64) -> Outcome {
    let request = Request::post(url).header(header::CONTENT_TYPE, "application/json").body(body.into_bytes());
    let Ok(mut request) = request else { return Outcome::failed("its URL cannot be called") };
    request.headers_mut().extend(headers);
    match client.send(request, TIMEOUT, LIMIT).await {
        Ok(answer) if answer.status.is_success() => Outcome::Delivered,
        Ok(answer) => Outcome::Failed {
            why: format!("the receiver answered {}", answer.status),
            after_ms: retry_after(&answer.headers, now_ms),
            gone: answer.status == StatusCode::GONE,
        },
        Err(error) => Outcome::failed(words(&error)),
    }
}

/// What went wrong, without the URL: it is a secret.
fn words(error: &CallError) -> String {
    match error {
        CallError::Url(_) => "its URL cannot be called".into(),
        CallError::Roots(_) => error.to_string(),
        CallError::Unreachable { why, .. } => format!("the receiver cannot be reached: {why}"),
        CallError::Slow { seconds, .. } => format!("the receiver did not answer within {seconds} s"),
        CallError::Body { limit, .. } => {
            format!("the receiver's answer is larger than {limit} bytes, or broke off")
        }
    }
}

/// `Retry-After` (RFC 9110, 10.2.3), in milliseconds: seconds, or a date.
fn retry_after(headers: &HeaderMap, now_ms: u64) -> Option<u64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(u64::try_from(at.as_millis()).ok()?.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(text));
            retry_after(&headers, 1_795_000_000_000)
        };
        assert_eq!(after("120"), Some(120_000));
        assert_eq!(after("Wed, 18 Nov 2026 11:08:40 GMT"), Some(120_000));
        assert_eq!(after("Wed, 18 Nov 2026 11:00:00 GMT"), Some(0), "over already");
        assert_eq!(after("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), 0), None);
    }

    #[test]
    fn what_went_wrong_never_shows_the_url() {
        let url = || "https://hooks.slack.com/services/hushhush".to_owned();
        for error in [
            CallError::Url(url()),
            CallError::Unreachable { url: url(), why: "connection refused".into() },
            CallError::Slow { url: url(), seconds: 15 },
            CallError::Body { url: url(), limit: 1 },
        ] {
            assert!(!words(&error).contains("hushhush"), "{error}");
        }
    }
}
