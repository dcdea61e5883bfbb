//! What a filter does to the world: calls to control, and replies of its own.

use super::map::Headers;
use super::memory::{Guest, Outcome, Span, Status};
use super::world::Call;

/// What Envoy puts on a local reply, with the filter's own headers in its place.
pub fn reply_headers(status: u32, length: usize, added: &Headers) -> Headers {
    let mut headers = Headers::from([
        (":status", status.to_string().as_str()),
        ("content-length", length.to_string().as_str()),
        ("content-type", "text/plain"),
    ]);
    for name in ["content-type", "content-length"] {
        if let Some(value) = added.get_bytes(name) {
            headers.replace(name, &value);
        }
    }
    headers.extend_except(added, &["content-type", "content-length"]);
    headers
}

/// Dispatches a call. The cluster must be one that the bootstrap has, and the request line complete.
pub fn dispatch(
    guest: &mut Guest<'_>,
    cluster: Span,
    headers: Span,
    body: Span,
    timeout_ms: u32,
    token: u32,
) -> Outcome {
    let cluster = guest.text(cluster)?;
    let headers = Headers::decode(&guest.read(headers)?).ok_or(Status::ParseFailure)?;
    let body = guest.read(body)?;
    let complete = [":method", ":path", ":authority"].iter().all(|name| headers.get(name).is_some());
    if !matches!(cluster.as_str(), "sluice-control" | "model") || !complete {
        return Err(Status::BadArgument);
    }
    let world = guest.world();
    if world.dispatch_fails {
        return Err(Status::InternalFailure);
    }
    let call = Call { token: world.next_id(), context: world.current, cluster, headers, body, timeout_ms };
    let id = call.token;
    world.calls.push(call);
    guest.word(token, id)
}
