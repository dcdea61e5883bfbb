//! One HTTP stream, driven as Envoy drives it.

use super::map::Headers;
use super::world::{Call, Direction, LocalReply, Sent, Stream};
use super::{Action, Answer, Host, HostError};

/// An HTTP stream through the filter. It ends with [`Exchange::finish`]; merely dropped it stays open, as the stream
/// of a client that waits does.
#[derive(Debug)]
pub struct Exchange<'h> {
    host: &'h Host,
    id: u32,
}

impl<'h> Exchange<'h> {
    pub(super) fn new(host: &'h Host, id: u32) -> Self {
        Self { host, id }
    }

    /// The request's headers. `end`: there is no body.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn request_headers(&mut self, headers: &Headers, end: bool) -> Result<Action, HostError> {
        self.headers(Direction::Request, headers.clone(), end)
    }

    /// A piece of the request's body.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn request_body(&mut self, data: &[u8], end: bool) -> Result<Action, HostError> {
        self.body(Direction::Request, data, end)
    }

    /// The request's trailers, which end it: no callback before said that it ends.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn request_trailers(&mut self, trailers: &Headers) -> Result<Action, HostError> {
        self.trailers(Direction::Request, trailers.clone())
    }

    /// The response's headers, from upstream.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn response_headers(&mut self, headers: &Headers, end: bool) -> Result<Action, HostError> {
        self.stream(|stream| stream.answered = true);
        self.headers(Direction::Response, headers.clone(), end)
    }

    /// A piece of the response's body, from upstream.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn response_body(&mut self, data: &[u8], end: bool) -> Result<Action, HostError> {
        // Envoy resets the upstream once the filter has replied itself: nothing comes from there any more.
        if self.local_replies() > 0 {
            return Ok(Action::Pause);
        }
        self.body(Direction::Response, data, end)
    }

    /// The response's trailers, from upstream: they end it, and no callback before said that it ends.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn response_trailers(&mut self, trailers: &Headers) -> Result<Action, HostError> {
        if self.local_replies() > 0 {
            return Ok(Action::Pause);
        }
        self.trailers(Direction::Response, trailers.clone())
    }

    /// The pending calls of this stream.
    pub fn calls(&self) -> Vec<Call> {
        self.host.calls().into_iter().filter(|call| call.context == self.id).collect()
    }

    /// Answers a call.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn answer(&mut self, call: &Call, answer: &Answer) -> Result<(), HostError> {
        self.host.answer(call, answer)
    }

    /// What went upstream.
    pub fn sent_upstream(&self) -> Sent {
        self.stream(|stream| stream.request.sent.clone()).unwrap_or_default()
    }

    /// What the client got: the upstream's reply, as the filter let it go, or a reply of the filter's own.
    pub fn received(&self) -> Sent {
        self.stream(|stream| stream.response.sent.clone()).unwrap_or_default()
    }

    /// The filter's own reply, where it gave one.
    pub fn local_reply(&self) -> Option<Sent> {
        let own = self.stream(|stream| stream.local_replies > 0).unwrap_or_default();
        own.then(|| self.received())
    }

    /// How often the filter replied by itself. Envoy ignores all but the first.
    pub fn local_replies(&self) -> u32 {
        self.stream(|stream| stream.local_replies).unwrap_or_default()
    }

    /// The stream ends: complete, or because the client left. Its calls are cancelled; log, done, delete.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn finish(self) -> Result<(), HostError> {
        self.host.world().calls.retain(|call| call.context != self.id);
        self.host.call::<u32, ()>(self.id, "proxy_on_log", self.id)?;
        self.host.call::<u32, u32>(self.id, "proxy_on_done", self.id)?;
        self.host.call::<u32, ()>(self.id, "proxy_on_delete", self.id)?;
        self.host.world().streams.remove(&self.id);
        Ok(())
    }

    fn stream<T>(&self, read: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        self.host.world().streams.get_mut(&self.id).map(read)
    }

    fn headers(&self, direction: Direction, headers: Headers, end: bool) -> Result<Action, HostError> {
        callback_headers(self.host, self.id, direction, headers, end)
    }

    fn body(&self, direction: Direction, data: &[u8], end: bool) -> Result<Action, HostError> {
        callback_body(self.host, self.id, direction, data, end)
    }

    fn trailers(&self, direction: Direction, trailers: Headers) -> Result<Action, HostError> {
        let before = self.local_replies();
        let count = size(trailers.len());
        with_side(self.host, self.id, direction, |side| {
            side.trailers = Some(trailers);
            side.ended = true;
        });
        let callback = match direction {
            Direction::Request => "proxy_on_request_trailers",
            Direction::Response => "proxy_on_response_trailers",
        };
        let action = code(self.host.call(self.id, callback, (self.id, count))?);
        settle(self.host, self.id, direction, action, before);
        Ok(action)
    }
}

fn size(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn code(returned: u32) -> Action {
    if returned == 0 { Action::Continue } else { Action::Pause }
}

fn with_side(host: &Host, id: u32, direction: Direction, edit: impl FnOnce(&mut super::world::Side)) {
    let mut world = host.world();
    world.current = id;
    if let Ok(side) = world.side(direction) {
        edit(side);
    }
}

/// What the callback returned counts, unless it gave a reply of its own meanwhile.
fn settle(host: &Host, id: u32, direction: Direction, action: Action, replies_before: u32) {
    let replied = host.world().streams.get(&id).is_none_or(|stream| stream.local_replies != replies_before);
    if !replied {
        with_side(host, id, direction, |side| side.settle(action));
    }
}

fn local_replies(host: &Host, id: u32) -> u32 {
    host.world().streams.get(&id).map_or(0, |stream| stream.local_replies)
}

fn callback_headers(
    host: &Host,
    id: u32,
    direction: Direction,
    headers: Headers,
    end: bool,
) -> Result<Action, HostError> {
    let before = local_replies(host, id);
    let count = size(headers.len());
    with_side(host, id, direction, |side| {
        side.headers = Some(headers);
        side.headers_open = true;
        side.ended = end;
    });
    let callback = match direction {
        Direction::Request => "proxy_on_request_headers",
        Direction::Response => "proxy_on_response_headers",
    };
    let action = code(host.call(id, callback, (id, count, u32::from(end)))?);
    settle(host, id, direction, action, before);
    Ok(action)
}

fn callback_body(
    host: &Host,
    id: u32,
    direction: Direction,
    data: &[u8],
    end: bool,
) -> Result<Action, HostError> {
    let before = local_replies(host, id);
    let mut total = 0;
    with_side(host, id, direction, |side| {
        side.body.extend_from_slice(data);
        side.body_open = true;
        side.ended = end;
        total = side.body.len();
    });
    let callback = match direction {
        Direction::Request => "proxy_on_request_body",
        Direction::Response => "proxy_on_response_body",
    };
    let action = code(host.call(id, callback, (id, size(total), u32::from(end)))?);
    settle(host, id, direction, action, before);
    if action == Action::Pause && total > host.world().buffer_limit {
        overflow(host, id, direction)?;
    }
    Ok(action)
}

/// More is held than the connection manager allows: its own answer, or a cut.
fn overflow(host: &Host, id: u32, direction: Direction) -> Result<(), HostError> {
    let status = match direction {
        Direction::Request => "413",
        Direction::Response => "500",
    };
    local_reply(host, id, LocalReply { headers: Headers::from([(":status", status)]), body: Vec::new() })
}

/// A reply of the filter's or the proxy's own. Where it goes depends on how far the upstream's reply has come.
pub(super) fn local_reply(host: &Host, id: u32, reply: LocalReply) -> Result<(), HostError> {
    let (count, answered, gone) = {
        let mut world = host.world();
        let Some(stream) = world.streams.get_mut(&id) else { return Ok(()) };
        stream.local_replies += 1;
        (stream.local_replies, stream.answered, stream.response.sent.headers.is_some())
    };
    if count > 1 {
        return Ok(());
    }
    if gone {
        host.world().cut(id);
        return Ok(());
    }
    if answered {
        with_side(host, id, Direction::Response, |side| {
            side.sent =
                Sent { headers: Some(reply.headers), body: reply.body, ended: true, ..Sent::default() };
        });
        return Ok(());
    }
    let empty = reply.body.is_empty();
    let action = callback_headers(host, id, Direction::Response, reply.headers, empty)?;
    if !empty || action == Action::Pause {
        callback_body(host, id, Direction::Response, &reply.body, true)?;
    }
    Ok(())
}
