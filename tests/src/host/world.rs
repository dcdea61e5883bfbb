//! What the host knows: streams, calls, shared data, the clock.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::map::Headers;
use super::memory::Status;
use super::{Action, ROOT};

/// Data that the VMs of one `vm_id` share: value and version by key.
pub type Shared = Rc<RefCell<BTreeMap<Vec<u8>, (Vec<u8>, u32)>>>;

/// A call to a cluster that waits for its answer.
#[derive(Debug, Clone)]
pub struct Call {
    /// What the answer will refer to.
    pub token: u32,
    /// The context that asked: 1 is the root, others are streams.
    pub context: u32,
    /// The cluster.
    pub cluster: String,
    /// Method, path, authority and the rest.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// After so many milliseconds Envoy answers 504 itself.
    pub timeout_ms: u32,
}

impl Call {
    /// `:path`.
    pub fn path(&self) -> String {
        self.headers.get(":path").unwrap_or_default()
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Request or response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the model.
    Request,
    /// From the model to the client.
    Response,
}

/// What has left the filter in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// The headers; `None` until they left.
    pub headers: Option<Headers>,
    /// The body so far.
    pub body: Vec<u8>,
    /// The trailers, where there are some.
    pub trailers: Option<Headers>,
    /// Whether the end left.
    pub ended: bool,
    /// Whether the stream was cut instead.
    pub cut: bool,
}

impl Sent {
    /// `:status`.
    pub fn status(&self) -> Option<u16> {
        self.headers.as_ref()?.get(":status")?.parse().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub struct Side {
    /// What was given to the filter and has not left.
    pub headers: Option<Headers>,
    pub trailers: Option<Headers>,
    pub body: Vec<u8>,
    /// Whether the header functions reach the headers.
    pub headers_open: bool,
    /// Whether the buffer functions reach the body: in its callback, or while it is buffered.
    pub body_open: bool,
    /// Whether the filter holds this direction back.
    pub held: bool,
    pub ended: bool,
    pub sent: Sent,
}

impl Side {
    /// Everything that is here leaves.
    fn flow(&mut self) {
        self.headers_open = false;
        self.body_open = false;
        self.held = false;
        if let Some(headers) = self.headers.take() {
            self.sent.headers = Some(headers);
        }
        self.sent.body.append(&mut self.body);
        if let Some(trailers) = self.trailers.take() {
            self.sent.trailers = Some(trailers);
        }
        self.sent.ended |= self.ended;
    }

    /// What a callback's return value does.
    pub fn settle(&mut self, action: Action) {
        match action {
            Action::Continue => self.flow(),
            Action::Pause => {
                self.held = true;
                self.body_open = true;
            }
        }
    }
}

/// A reply of the filter's own.
#[derive(Debug, Clone)]
pub struct LocalReply {
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// An HTTP stream.
#[derive(Debug, Default)]
pub struct Stream {
    pub request: Side,
    pub response: Side,
    /// The upstream's response headers have arrived.
    pub answered: bool,
    /// Local replies so far; Envoy ignores all but the first.
    pub local_replies: u32,
}

/// What a callback asked for that takes effect when it returns.
#[derive(Debug)]
pub enum After {
    Continue(u32, Direction),
    Reply(u32, LocalReply),
    Close(u32),
}

/// The state behind the imports.
#[derive(Debug)]
pub struct World {
    pub current: u32,
    pub configuration: Vec<u8>,
    pub streams: BTreeMap<u32, Stream>,
    pub calls: Vec<Call>,
    pub answer_headers: Option<Headers>,
    pub answer_body: Option<Vec<u8>>,
    /// The context whose call is being answered.
    pub answered: u32,
    pub after: VecDeque<After>,
    pub shared: Shared,
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub metrics: Vec<(String, u64)>,
    pub log: Vec<String>,
    pub now_ns: u64,
    pub tick_period: u32,
    /// Whether the root context needs nothing any more.
    pub ended: bool,
    pub buffer_limit: usize,
    pub dispatch_fails: bool,
    next: u32,
    noise: u64,
}

impl World {
    pub fn new(configuration: &str, shared: Shared) -> Self {
        let property = |path: &[&str], value: &str| (path.join("\0").into_bytes(), value.as_bytes().to_vec());
        Self {
            current: ROOT,
            configuration: configuration.as_bytes().to_vec(),
            streams: BTreeMap::new(),
            calls: Vec::new(),
            answer_headers: None,
            answer_body: None,
            answered: ROOT,
            after: VecDeque::new(),
            // Two VMs draw different numbers.
            noise: Rc::strong_count(&shared) as u64,
            shared,
            properties: BTreeMap::from([
                property(&["plugin_name"], "sluice"),
                property(&["plugin_vm_id"], "sluice"),
                property(&["xds", "node", "id"], "wasmtime"),
                property(&["xds", "cluster_name"], "model"),
            ]),
            metrics: Vec::new(),
            log: Vec::new(),
            now_ns: 1_800_000_000_000_000_000,
            tick_period: 0,
            ended: false,
            buffer_limit: usize::MAX,
            dispatch_fails: false,
            next: ROOT,
        }
    }

    /// The next id, for contexts and calls alike.
    pub fn next_id(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub fn new_stream(&mut self) -> u32 {
        let id = self.next_id();
        self.streams.insert(id, Stream::default());
        id
    }

    /// Bytes that repeat from run to run (splitmix64), so that a failure does too.
    pub fn random(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            self.noise = self.noise.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.noise;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.extend((z ^ (z >> 31)).to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// The side of the current stream; the root context has none.
    pub fn side(&mut self, direction: Direction) -> Result<&mut Side, Status> {
        let stream = self.streams.get_mut(&self.current).ok_or(Status::BadArgument)?;
        Ok(match direction {
            Direction::Request => &mut stream.request,
            Direction::Response => &mut stream.response,
        })
    }

    /// Whether the answer under way is to a call of the current context: no other can read it.
    pub fn answers_current(&self) -> bool {
        self.current == self.answered
    }

    /// `continue`, when the callback has returned: without anything held it does nothing.
    pub fn resume(&mut self, context: u32, direction: Direction) {
        if let Some(stream) = self.streams.get_mut(&context) {
            let side = match direction {
                Direction::Request => &mut stream.request,
                Direction::Response => &mut stream.response,
            };
            if side.held {
                side.flow();
            }
        }
    }

    /// The stream ends without its end.
    pub fn cut(&mut self, context: u32) {
        if let Some(stream) = self.streams.get_mut(&context) {
            stream.request.sent.cut = true;
            stream.response.sent.cut = true;
        }
    }
}
