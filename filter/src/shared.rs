//! What the exchanges of one VM share: the bundle in force, verified tokens, the queue of records, and calls
//! that are to be made again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use sluice_engine::identity::{Cache, Digest};
use sluice_engine::judge::{Refusal, Runtime};
use sluice_engine::policy::bundle::SignedBundle;

use crate::config::Settings;
use crate::exchange::Exchange;
use crate::host::Host;
use crate::metrics::{Counter, Gauge, fingerprint};
use crate::queue::Queue;

/// How often the root context looks after everything, in milliseconds. A bundle is in force everywhere one such look after
/// it came.
pub const LOOK_MS: u64 = 200;

/// Between ticks while copies of bodies wait to be cut, in milliseconds: so short that ticks cut what a worker takes in
/// between them, and so long that few exchanges meet one.
const CUT_MS: u64 = 2;

/// How long an opaque token is nobody's without a further question: a client that tries again at once.
const REFUSED_MS: u64 = 5000;

/// Of how many that is kept; then all are forgotten, which costs questions and lets nobody in.
const MAX_REFUSED: usize = 1024;

/// One for each root context.
pub struct Shared {
    /// The plugin configuration.
    pub settings: Settings,
    /// Envoy's node id, for records.
    pub node: String,
    /// The bundle in force. An exchange keeps the one that it began with.
    pub runtime: RefCell<Option<Arc<Runtime>>>,
    /// The signature of the bundle that was last taken from the shared data, good or not.
    pub taken: RefCell<String>,
    /// Tokens that were verified under the bundle in force.
    pub tokens: RefCell<Cache>,
    /// Opaque tokens that are nobody's, and until when (Unix milliseconds) that is believed.
    pub refused: RefCell<BTreeMap<Digest, (u64, Refusal)>>,
    /// Records on their way.
    pub queue: RefCell<Queue>,
    /// Between ticks of the root context, in milliseconds, as the host was last told.
    pub tick_ms: Cell<u64>,
    /// Issuers whose keys control should look at again, with the key id that was missing.
    pub refreshes: RefCell<BTreeMap<String, String>>,
    /// Exchanges whose question to control failed and is asked again at the moment given.
    pub retries: RefCell<Vec<Retry>>,
    /// Calls made by the root context in the name of an exchange, by token.
    pub proxied: RefCell<HashMap<u32, Proxied>>,
    /// What went wrong last between this VM and control, and when (Unix milliseconds): control is told with the next
    /// poll.
    pub trouble: RefCell<Option<(u64, String)>>,
    /// Whether it is known what was used of budgets before this Envoy started.
    pub totals_known: Cell<bool>,
}

/// The context and the exchange in whose name a call was made.
pub type Proxied = (u32, Weak<RefCell<Exchange>>);

/// An exchange that waits to ask control again.
pub struct Retry {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// The exchange's context.
    pub context: u32,
    /// The exchange, unless its client has left.
    pub exchange: Weak<RefCell<Exchange>>,
}

impl Shared {
    /// A key in the data that VMs share; those of another plugin or configuration are others.
    pub fn key(&self, name: &str) -> String {
        let config = &self.settings.config;
        format!("sluice/{}/{}/{name}", config.control_cluster, config.bundle_keys.join(","))
    }

    /// Puts a bundle before all VMs, once this one has found it good. Says whether it did.
    pub fn share(&self, bundle: &SignedBundle, bytes: &[u8], host: &dyn Host) -> bool {
        let good = self.load(bundle, host);
        if good {
            self.taken.borrow_mut().clone_from(&bundle.signature);
            host.set_shared(&self.key("bundle"), bytes, None);
            host.set_shared(&self.key("signature"), bundle.signature.as_bytes(), None);
        }
        good
    }

    /// Takes the bundle that another VM has put before all.
    pub fn take(&self, host: &dyn Host) {
        let Some((signature, _)) = host.shared(&self.key("signature")) else { return };
        if signature == self.taken.borrow().as_bytes() {
            return;
        }
        let bundle = host.shared(&self.key("bundle"));
        let bundle = bundle.and_then(|(bytes, _)| serde_json::from_slice::<SignedBundle>(&bytes).ok());
        // Between the two writes of another VM they may not fit; the next look sees both.
        if let Some(bundle) = bundle.filter(|bundle| bundle.signature.as_bytes() == signature) {
            self.load(&bundle, host);
            self.taken.borrow_mut().clone_from(&bundle.signature);
        }
    }

    /// The bundle in force. A VM that has none yet looks for one at once, and not at its next tick.
    pub fn in_force(&self, host: &dyn Host) -> Option<Arc<Runtime>> {
        if self.runtime.borrow().is_none() {
            self.take(host);
        }
        self.runtime.borrow().clone()
    }

    /// Takes a bundle into force if it is good and newer than the one before. Says whether it did.
    pub fn load(&self, signed: &SignedBundle, host: &dyn Host) -> bool {
        let loaded = signed.open(&self.settings.keys).map_err(|why| why.to_string()).and_then(|bundle| {
            let newer =
                self.runtime.borrow().as_ref().is_none_or(|own| bundle.issued_at_ms >= own.issued_at_ms);
            if !newer {
                return Err("the bundle is older than the one in force".to_owned());
            }
            Runtime::new(bundle).map_err(|why| why.to_string())
        });
        match loaded {
            Ok(runtime) => {
                log::info!("sluice: bundle {} is in force", runtime.version);
                *self.runtime.borrow_mut() = Some(Arc::new(runtime));
                *self.tokens.borrow_mut() = Cache::default();
                self.refused.borrow_mut().clear();
                self.tell_bundle(host);
                host.count(Counter::BundleLoaded, 1);
                true
            }
            Err(why) => {
                log::error!("sluice: a bundle was kept out, the last good one stays: {why}");
                *self.trouble.borrow_mut() = Some((host.now_ms(), format!("a bundle was kept out: {why}")));
                host.count(Counter::BundleRejected, 1);
                false
            }
        }
    }

    /// Keeps for a moment that an opaque token is nobody's.
    pub fn refuse_token(&self, digest: Digest, refusal: Refusal, now_ms: u64) {
        let mut refused = self.refused.borrow_mut();
        if refused.len() >= MAX_REFUSED {
            refused.clear();
        }
        refused.insert(digest, (now_ms.saturating_add(REFUSED_MS), refusal));
    }

    /// Why an opaque token was nobody's a moment ago.
    pub fn refused_token(&self, digest: &Digest, now_ms: u64) -> Option<Refusal> {
        let refused = self.refused.borrow();
        refused.get(digest).filter(|(until_ms, _)| now_ms < *until_ms).map(|(_, refusal)| refusal.clone())
    }

    fn tell_bundle(&self, host: &dyn Host) {
        if let Some(runtime) = &*self.runtime.borrow() {
            host.set(Gauge::BundleIssued, runtime.issued_at_ms / 1000);
            host.set(Gauge::BundleFingerprint, fingerprint(&runtime.version));
        }
    }

    /// Lets the root context tick as often as copies of bodies are to be cut, or, when none are, as it looks after all else.
    pub fn tick(&self, cuts: bool, host: &dyn Host) {
        let ms = if cuts { CUT_MS } else { LOOK_MS };
        if self.tick_ms.get() == ms {
            return;
        }
        match host.tick_every(ms) {
            Ok(()) => self.tick_ms.set(ms),
            Err(why) => log::error!("sluice: the time between ticks stays as it is: {why}"),
        }
    }

    /// Lets the root context tick soon, where more waits to be cut than one tick cuts.
    pub fn hurry(&self, host: &dyn Host) {
        if self.queue.borrow().is_behind() {
            self.tick(true, host);
        }
    }

    /// Asks for `exchange` to be driven again at a moment.
    pub fn retry_at(&self, at_ms: u64, context: u32, exchange: &Weak<RefCell<Exchange>>) {
        self.retries.borrow_mut().push(Retry { at_ms, context, exchange: exchange.clone() });
    }

    /// The exchanges that are due.
    pub fn due(&self, now_ms: u64) -> Vec<(u32, Rc<RefCell<Exchange>>)> {
        let mut retries = self.retries.borrow_mut();
        let due = retries.extract_if(.., |retry| retry.at_ms <= now_ms);
        due.filter_map(|retry| Some((retry.context, retry.exchange.upgrade()?))).collect()
    }
}
