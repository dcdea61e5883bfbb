//! Policy and keys become a signed bundle; those who wait for one are woken.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use prometheus_client::metrics::counter::Counter;
use sha2::{Digest, Sha256};
use sluice_engine::identity::Verifier;
use sluice_engine::judge::Runtime;
use sluice_engine::policy::bundle::{
    Bundle, BundleError, Grant, IssuerKeys, Revocation, SignedBundle, Withheld,
};
use sluice_engine::policy::document::{Access, Policy};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::load::Loaded;
use crate::trial::{TrialError, compile};

/// A bundle is made anew at the latest after this long.
const RENEWED: Duration = Duration::from_secs(3600);

/// A bundle that is out.
pub struct Published {
    /// Its version.
    pub version: String,
    /// When it was made.
    pub issued_at_ms: u64,
    /// The [`SignedBundle`] as JSON.
    pub json: Bytes,
    /// The version of the policy alone, as records carry it.
    pub policy_version: String,
    /// The policy that it was made of.
    pub policy: Policy,
    /// The grants in it.
    pub grants: Vec<Grant>,
    /// What reviews have taken back.
    pub withheld: Vec<Withheld>,
    /// Checks the tokens of the people who use control itself.
    pub people: Verifier,
    /// The policy as trials run it, once somebody has asked for it.
    tried: OnceLock<Arc<Runtime>>,
}

impl Published {
    /// One with a policy, and nothing else in it.
    #[cfg(test)]
    pub fn of(policy: Policy) -> Self {
        Self {
            version: "v".into(),
            policy_version: "p".into(),
            issued_at_ms: 0,
            json: Bytes::new(),
            policy,
            grants: Vec::new(),
            withheld: Vec::new(),
            people: Verifier::new(&[], &[], &[]).0,
            tried: OnceLock::new(),
        }
    }

    /// The policy as trials run it: with masks of no real tenant. Compiled when it is asked for first.
    ///
    /// # Errors
    /// [`TrialError`]; a policy that is out compiles.
    pub fn trial(&self) -> Result<Arc<Runtime>, TrialError> {
        if let Some(runtime) = self.tried.get() {
            return Ok(Arc::clone(runtime));
        }
        let runtime = compile(&self.policy, &self.policy_version, Vec::new(), self.issued_at_ms)?;
        Ok(Arc::clone(self.tried.get_or_init(|| runtime)))
    }
}

/// What bundles are made of.
pub struct Sources {
    /// The policy in force.
    pub policy: watch::Receiver<Arc<Loaded>>,
    /// The keys of its issuers.
    pub keys: watch::Receiver<Vec<IssuerKeys>>,
    /// The grants that are live.
    pub grants: watch::Receiver<Vec<Grant>>,
    /// What is shut out.
    pub revocations: watch::Receiver<Vec<Revocation>>,
    /// What reviews have taken back.
    pub withheld: watch::Receiver<Vec<Withheld>>,
    /// Signs.
    pub key: SigningKey,
    /// Keys of masks are derived from it.
    pub tenant: Zeroizing<[u8; 32]>,
    /// Counts bundles that could not be made.
    pub faults: Counter,
    /// The time, in Unix milliseconds.
    pub clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Where the bundle that is out can be had and waited for.
pub type Publisher = watch::Receiver<Arc<Published>>;

/// Makes the first bundle, and then one whenever policy or keys change and before the last one grows old.
///
/// # Errors
/// [`BundleError`] when the first one cannot be made.
pub fn publish(mut sources: Sources) -> Result<(Publisher, impl Future<Output = ()> + Send), BundleError> {
    let first = sources.make(0)?;
    let (sender, receiver) = watch::channel(Arc::new(first));
    let task = async move {
        loop {
            let (age, issued) = {
                let now = sender.borrow();
                (now.policy.limits.bundle_age.as_seconds() / 2, now.issued_at_ms)
            };
            let renew = Duration::from_secs(age.max(1)).min(RENEWED);
            tokio::select! {
                changed = sources.policy.changed() => if changed.is_err() { return },
                changed = sources.keys.changed() => if changed.is_err() { return },
                changed = sources.grants.changed() => if changed.is_err() { return },
                changed = sources.revocations.changed() => if changed.is_err() { return },
                changed = sources.withheld.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(renew) => {}
            }
            match sources.make(issued) {
                Ok(bundle) => {
                    tracing::info!(version = bundle.version, "a bundle is out");
                    sender.send_replace(Arc::new(bundle));
                }
                Err(error) => {
                    sources.faults.inc();
                    tracing::error!(%error, "no bundle was made; the last one stays");
                }
            }
        }
    };
    Ok((receiver, task))
}

impl Sources {
    /// A filter never goes back to an older bundle, so that each is later than the one before, whatever the clock
    /// does.
    fn make(&mut self, after_ms: u64) -> Result<Published, BundleError> {
        let loaded = Arc::clone(&self.policy.borrow_and_update());
        let mut keys = self.keys.borrow_and_update().clone();
        keys.retain(|keys| loaded.policy.issuers.iter().any(|issuer| issuer.name == keys.issuer));
        let mut bundle = Bundle {
            format: 0,
            version: String::new(),
            policy_version: loaded.version.clone(),
            issued_at_ms: 0,
            policy: loaded.policy.clone(),
            keys,
            tenant_key: BASE64.encode(*self.tenant),
            grants: self.grants.borrow_and_update().clone(),
            revocations: self.revocations.borrow_and_update().clone(),
            withheld: self.withheld.borrow_and_update().clone(),
        };
        // Filters have no use for these, and older ones do not know of all in them.
        bundle.policy.reviews.clear();
        bundle.policy.notices.clear();
        bundle.policy.people.clear();
        bundle.policy.issuers.iter_mut().for_each(|issuer| issuer.saml = None);
        let teams = std::mem::take(&mut bundle.policy.access.teams);
        bundle.policy.access = Access { teams, ..Access::default() };
        bundle.format = bundle.format_needed();
        // With neither version nor time in it: the digest of what decides.
        let decides =
            Zeroizing::new(serde_json::to_vec(&bundle).map_err(|e| BundleError::Unreadable(e.to_string()))?);
        bundle.version = format!("{:x}", Sha256::digest(&*decides));
        bundle.issued_at_ms = (self.clock)().max(after_ms.saturating_add(1));
        let signed = SignedBundle::sign(&bundle, &self.key)?;
        let json = serde_json::to_vec(&signed).map_err(|e| BundleError::Unreadable(e.to_string()))?;
        Ok(Published {
            version: bundle.version,
            issued_at_ms: bundle.issued_at_ms,
            json: json.into(),
            people: Verifier::new(&bundle.policy.issuers, &bundle.keys, &bundle.revocations).0,
            policy_version: bundle.policy_version,
            policy: loaded.policy.clone(),
            grants: bundle.grants,
            withheld: bundle.withheld,
            tried: OnceLock::new(),
        })
    }
}
