//! The built filter on wasmtime, with a host that behaves as Envoy does.
//!
//! ```text
//!  Filter (compiled once) ──► Host (one VM: root context, shared data, calls) ──► Exchange (one HTTP stream)
//! ```
//!
//! What Envoy 1.40 does with a proxy-wasm 0.2 module, as far as a filter can tell, and where it can be got wrong:
//!
//! * Headers can be read and written until the headers callback, or a later one, lets them go; from then on the
//!   header functions answer BadArgument.
//! * A callback that pauses buffers; the next one sees the total. One that continues lets *everything* go that is
//!   held, headers too.
//! * A buffer can be replaced as a whole, prepended to, or appended to; another edit is BadArgument.
//! * `continue` and local replies act when the callback returns. A local reply before the upstream's headers goes
//!   through the filter's own response callbacks; after them it goes straight out; after they left it cuts the stream.
//! * Calls of a stream are cancelled with it. A call that was reset comes back without headers.
//! * A call belongs to the context that is effective when it is made, not to the one whose callback runs: only in
//!   that context can its answer be read. A context that is gone cannot be made the effective one.
//!
//! An import that Envoy does not offer makes [`Host::new`] fail, as it makes Envoy refuse the module.

mod effects;
mod exchange;
mod imports;
mod map;
mod memory;
mod wasi;
mod world;

use std::cell::{RefCell, RefMut};
use std::path::Path;
use std::rc::Rc;

use wasmtime::{Engine, Instance, Linker, Module, Store, TypedFunc, WasmParams, WasmResults};

pub use self::exchange::Exchange;
pub use self::map::Headers;
use self::world::{After, World};
pub use self::world::{Call, Sent, Shared};

/// The root context's id, as Envoy numbers it.
const ROOT: u32 = 1;

/// Why the filter could not go on.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The module does not load, or Envoy would not load it.
    #[error("the module does not load: {0:#}")]
    Load(wasmtime::Error),
    /// A callback trapped: in Envoy this VM would be dead and the stream left hanging.
    #[error("{callback} trapped: {reason:#}\nits log:\n{log}")]
    Trap {
        /// The export.
        callback: &'static str,
        /// The trap.
        reason: wasmtime::Error,
        /// What the filter logged before.
        log: String,
    },
    /// `proxy_on_vm_start` or `proxy_on_configure` said no.
    #[error("the filter refused its configuration; its log:\n{0}")]
    Refused(String),
    /// No call with this token waits for an answer.
    #[error("no call {0} is pending")]
    NoSuchCall(u32),
}

/// What a callback returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// On it goes.
    Continue,
    /// It waits.
    Pause,
}

/// A compiled module.
#[derive(Debug, Clone)]
pub struct Filter {
    engine: Engine,
    module: Module,
}

impl Filter {
    /// Compiles a module file.
    ///
    /// # Errors
    /// [`HostError::Load`].
    pub fn load(path: &Path) -> Result<Self, HostError> {
        let engine = Engine::default();
        let module = Module::from_file(&engine, path).map_err(HostError::Load)?;
        Ok(Self { engine, module })
    }
}

/// How control answers a call.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A reply.
    Reply {
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// The connection was reset: no headers at all.
    Reset,
}

impl Answer {
    /// 200 with this JSON.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200, body)
    }

    /// Any status.
    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Reply { status, body: body.into() }
    }

    /// What Envoy makes of a connection that is refused.
    pub fn refused() -> Self {
        Self::status(503, "upstream connect error or disconnect/reset before headers")
    }

    /// What Envoy makes of a call that takes too long.
    pub fn timed_out() -> Self {
        Self::status(504, "upstream request timeout")
    }
}

/// One VM with the filter in it.
pub struct Host {
    store: RefCell<Store<World>>,
    instance: Instance,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Host {
    /// Starts the filter in a VM of its own, as Envoy does: initialise, create the root context, start, configure.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn new(filter: &Filter, configuration: &str) -> Result<Self, HostError> {
        Self::with_shared(filter, configuration, &Shared::default())
    }

    /// A further VM over the same shared data, as each of Envoy's workers has one.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn with_shared(filter: &Filter, configuration: &str, shared: &Shared) -> Result<Self, HostError> {
        let mut linker = Linker::new(&filter.engine);
        imports::link(&mut linker).and_then(|()| wasi::link(&mut linker)).map_err(HostError::Load)?;
        let world = World::new(configuration, Rc::clone(shared));
        let mut store = Store::new(&filter.engine, world);
        let instance = linker.instantiate(&mut store, &filter.module).map_err(HostError::Load)?;
        let host = Self { store: RefCell::new(store), instance };
        if host.has("_initialize") {
            host.call::<(), ()>(ROOT, "_initialize", ())?;
        }
        host.call::<(u32, u32), ()>(ROOT, "proxy_on_context_create", (ROOT, 0))?;
        let length = u32::try_from(configuration.len()).unwrap_or(u32::MAX);
        let started: u32 = host.call(ROOT, "proxy_on_vm_start", (ROOT, 0))?;
        let configured: u32 = host.call(ROOT, "proxy_on_configure", (ROOT, length))?;
        if started == 0 || configured == 0 {
            return Err(HostError::Refused(host.log()));
        }
        Ok(host)
    }

    /// A new HTTP stream.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn exchange(&self) -> Result<Exchange<'_>, HostError> {
        let id = self.world().new_stream();
        self.call::<(u32, u32), ()>(id, "proxy_on_context_create", (id, ROOT))?;
        Ok(Exchange::new(self, id))
    }

    /// Lets the root context's timer fire once.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn tick(&self) -> Result<(), HostError> {
        self.call::<u32, ()>(ROOT, "proxy_on_tick", ROOT)
    }

    /// Asks the root context to end, as when another plugin configuration has replaced it and its streams are over. Says
    /// whether it has; if not, it stays until it says so by itself.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn end(&self) -> Result<bool, HostError> {
        let ended = self.call::<u32, u32>(ROOT, "proxy_on_done", ROOT)? != 0;
        self.world().ended |= ended;
        Ok(ended)
    }

    /// Whether the root context has ended.
    pub fn has_ended(&self) -> bool {
        self.world().ended
    }

    /// The period that the filter asked its timer to have, in milliseconds; 0: none.
    pub fn tick_period(&self) -> u32 {
        self.world().tick_period
    }

    /// The calls that wait for an answer, in order of dispatch; those of the root context and of all streams.
    pub fn calls(&self) -> Vec<Call> {
        self.world().calls.clone()
    }

    /// The pending calls whose `:path` starts with `path`.
    pub fn calls_to(&self, path: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.path().starts_with(path)).collect()
    }

    /// Answers a pending call.
    ///
    /// # Errors
    /// See [`HostError`].
    pub fn answer(&self, call: &Call, answer: &Answer) -> Result<(), HostError> {
        let (headers, body) = match answer {
            Answer::Reply { status, body } => {
                (Some(Headers::from([(":status", status.to_string().as_str())])), body.clone())
            }
            Answer::Reset => (None, Vec::new()),
        };
        let sizes = (headers.as_ref().map_or(0, Headers::len), body.len());
        {
            let mut world = self.world();
            let at = world.calls.iter().position(|pending| pending.token == call.token);
            let at = at.ok_or(HostError::NoSuchCall(call.token))?;
            world.calls.remove(at);
            world.answer_headers = headers;
            world.answer_body = Some(body);
            world.answered = call.context;
        }
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let arguments = (call.context, call.token, size(sizes.0), size(sizes.1), 0);
        let outcome = self.call::<_, ()>(call.context, "proxy_on_http_call_response", arguments);
        let mut world = self.world();
        world.answer_headers = None;
        world.answer_body = None;
        outcome
    }

    /// Sets the clock, in Unix milliseconds. It starts at 1,800,000,000,000 and stands still.
    pub fn set_time(&self, unix_ms: u64) {
        self.world().now_ns = unix_ms.saturating_mul(1_000_000);
    }

    /// The clock, in Unix milliseconds.
    pub fn time(&self) -> u64 {
        self.world().now_ns / 1_000_000
    }

    /// Sets a property (`xds.route_name` as `["xds", "route_name"]`).
    pub fn set_property(&self, path: &[&str], value: &str) {
        self.world().properties.insert(path.join("\0").into_bytes(), value.as_bytes().to_vec());
    }

    /// From now on dispatching a call fails at once, as with a cluster that has no host.
    pub fn fail_dispatch(&self, fails: bool) {
        self.world().dispatch_fails = fails;
    }

    /// How much of a body a paused stream may hold, in bytes; beyond it Envoy itself answers 413 (request) or 500.
    pub fn set_buffer_limit(&self, bytes: usize) {
        self.world().buffer_limit = bytes;
    }

    /// What the filter logged.
    pub fn log(&self) -> String {
        self.world().log.join("\n")
    }

    /// The value of a counter or gauge; 0 when it was never defined.
    pub fn metric(&self, name: &str) -> u64 {
        let world = self.world();
        world.metrics.iter().find(|(n, _)| n == name).map_or(0, |(_, value)| *value)
    }

    fn world(&self) -> RefMut<'_, World> {
        RefMut::map(self.store.borrow_mut(), Store::data_mut)
    }

    fn has(&self, export: &str) -> bool {
        self.instance.get_func(&mut *self.store.borrow_mut(), export).is_some()
    }

    /// Calls an export in `context`, then does what the callback asked for with effect at its end.
    fn call<P: WasmParams, R: WasmResults>(
        &self,
        context: u32,
        callback: &'static str,
        arguments: P,
    ) -> Result<R, HostError> {
        let outcome = {
            let mut store = self.store.borrow_mut();
            store.data_mut().current = context;
            let function: Result<TypedFunc<P, R>, _> = self.instance.get_typed_func(&mut *store, callback);
            function.and_then(|function| function.call(&mut *store, arguments))
        };
        let result = outcome.map_err(|reason| HostError::Trap { callback, reason, log: self.log() })?;
        loop {
            let after = self.world().after.pop_front();
            match after {
                None => return Ok(result),
                Some(After::Continue(context, direction)) => self.world().resume(context, direction),
                Some(After::Close(context)) => self.world().cut(context),
                Some(After::Reply(context, reply)) => exchange::local_reply(self, context, reply)?,
            }
        }
    }
}
