//! The SDK's contexts: they turn a [`Step`] into Pause or Continue, and do nothing else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType};
use sluice_engine::identity::Cache;

use crate::config::Settings;
use crate::envoy::{Control, Envoy};
use crate::exchange::{Exchange, Step};
use crate::host::Host;
use crate::queue::Queue;
use crate::root::Root;
use crate::shared::Shared;

fn action(step: Step) -> Action {
    match step {
        Step::Wait => Action::Pause,
        Step::Go => Action::Continue,
    }
}

/// The root context: one for each plugin configuration in each VM.
pub struct RootPlugin {
    context: u32,
    /// Asked to end while records still wait for control.
    ending: bool,
    running: Option<(Root, Rc<Envoy>)>,
}

impl RootPlugin {
    /// Not configured yet.
    pub fn new(context: u32) -> Self {
        Self { context, ending: false, running: None }
    }

    /// Envoy's timer outlives its root context in a VM that has another.
    fn stop_ticks(&self) {
        if let Some((_, host)) = &self.running
            && let Err(why) = host.tick_every(0)
        {
            log::error!("sluice: ticks do not end: {why}");
        }
    }
}

impl Context for RootPlugin {
    /// A new plugin configuration replaces this root; it stays until control has its records.
    fn on_done(&mut self) -> bool {
        self.ending = self.running.as_ref().is_some_and(|(root, _)| !root.is_drained());
        if !self.ending {
            self.stop_ticks();
        }
        !self.ending
    }

    fn on_http_call_response(&mut self, token: u32, headers: usize, _body: usize, _trailers: usize) {
        if let Some((root, host)) = &mut self.running {
            root.answered(token, headers, host.as_ref());
        }
    }
}

impl RootContext for RootPlugin {
    fn on_configure(&mut self, size: usize) -> bool {
        let bytes = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten();
        let settings = match Settings::read(&bytes.unwrap_or_default()) {
            Ok(settings) => settings,
            Err(why) => {
                log::error!("sluice: {why}");
                return false;
            }
        };
        let config = &settings.config;
        let host = Rc::new(Envoy::new(Control {
            cluster: config.control_cluster.clone(),
            authority: config.control_authority.clone(),
            authorization: format!("Bearer {}", config.control_token),
        }));
        let vm = host.random_id();
        let node = hostcalls::get_property(vec!["xds", "node", "id"]).ok().flatten();
        let queue = Queue::new(vm.clone(), config.queue_records, config.queue_bytes);
        let shared = Rc::new(Shared {
            settings,
            node: String::from_utf8_lossy(&node.unwrap_or_default()).into_owned(),
            runtime: RefCell::default(),
            taken: RefCell::default(),
            tokens: RefCell::new(Cache::default()),
            refused: RefCell::default(),
            queue: RefCell::new(queue),
            tick_ms: Cell::default(),
            refreshes: RefCell::default(),
            retries: RefCell::default(),
            proxied: RefCell::default(),
            trouble: RefCell::default(),
            totals_known: Cell::default(),
        });
        shared.tick(false, host.as_ref());
        let ticks = shared.tick_ms.get() > 0;
        let root = Root::new(shared, self.context, vm, host.as_ref());
        self.running = Some((root, host));
        ticks
    }

    fn on_tick(&mut self) {
        if let Some((root, host)) = &mut self.running {
            root.tick(host.as_ref());
            if self.ending && root.is_drained() {
                self.ending = false;
                self.stop_ticks();
                if let Err(status) = hostcalls::done() {
                    log::error!("sluice: the plugin does not end: {status:?}");
                }
            }
        }
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        let (root, host) = self.running.as_ref()?;
        let exchange = Exchange::new(root.shared.clone(), context);
        Some(Box::new(Stream { exchange, host: host.clone(), request_bytes: 0 }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// One exchange's context.
struct Stream {
    exchange: Rc<RefCell<Exchange>>,
    host: Rc<Envoy>,
    /// Bytes of the request's body so far, for trailers, which end it.
    request_bytes: usize,
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, headers: usize, _body: usize, _trailers: usize) {
        self.exchange.borrow_mut().answered(token, headers, self.host.as_ref());
    }

    fn on_done(&mut self) -> bool {
        self.exchange.borrow_mut().done(self.host.as_ref());
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        action(self.exchange.borrow_mut().request_headers(end, self.host.as_ref()))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.request_bytes = size;
        action(self.exchange.borrow_mut().request_body(size, end, self.host.as_ref()))
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        action(self.exchange.borrow_mut().request_body(self.request_bytes, true, self.host.as_ref()))
    }

    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        action(self.exchange.borrow_mut().response_headers(end, self.host.as_ref()))
    }

    fn on_http_response_body(&mut self, _size: usize, end: bool) -> Action {
        action(self.exchange.borrow_mut().response_body(end, self.host.as_ref()))
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        action(self.exchange.borrow_mut().response_body(true, self.host.as_ref()))
    }
}
