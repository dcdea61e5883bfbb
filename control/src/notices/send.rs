//! One try of one delivery.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use sluice_engine::policy::document::{Channel, Receiver};

use super::signature::webhook_signature;
use super::{Channels, Delivery, Outcome, slack, teams, webhook};
use crate::client::Client;

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
            after_ms: answer.retry_after(now_ms),
            gone: answer.status == StatusCode::GONE,
        },
        // Without the URL: it is a secret.
        Err(error) => Outcome::failed(error.without_url()),
    }
}
