//! A policy becomes what the filter runs on, as the bundle would make it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use sluice_engine::judge::{Runtime, RuntimeError};
use sluice_engine::policy::bundle::{Bundle, FORMAT, Grant, IssuerKeys};
use sluice_engine::policy::document::{KeySource, Policy};

use crate::issuers::inline;
use crate::policies::Loaded;

/// The tenant key of a trial. Masks are made of it that no service makes.
const TENANT: [u8; 32] = *b"a trial: masks of no real tenant";

/// Why a policy that is in order cannot be tried.
#[derive(Debug, thiserror::Error)]
#[error("the policy does not compile: {0}")]
pub struct TrialError(#[from] RuntimeError);

/// The keys of the policy's issuers as far as they can be had without a network: those written in the policy, and
/// control's own, where it is given.
pub fn issuer_keys(policy: &Policy, own: Option<&Value>) -> Vec<IssuerKeys> {
    let keys = |source: &KeySource| match source {
        KeySource::Jwks(set) => inline(set),
        KeySource::Control => own.cloned().into_iter().collect(),
        KeySource::Discovery | KeySource::JwksUri(_) | KeySource::None => Vec::new(),
    };
    let issuers = policy.issuers.iter();
    issuers.map(|issuer| IssuerKeys { issuer: issuer.name.clone(), keys: keys(&issuer.keys) }).collect()
}

/// Compiles a policy.
///
/// # Errors
/// [`TrialError`]; a policy that loaded compiles.
pub fn runtime(loaded: &Loaded, keys: Vec<IssuerKeys>, now_ms: u64) -> Result<Arc<Runtime>, TrialError> {
    compile(&loaded.policy, &loaded.version, keys, now_ms)
}

/// Compiles the policy of this version.
///
/// # Errors
/// As [`runtime`].
pub fn compile(
    policy: &Policy,
    version: &str,
    keys: Vec<IssuerKeys>,
    now_ms: u64,
) -> Result<Arc<Runtime>, TrialError> {
    compile_with(policy, version, keys, Vec::new(), now_ms)
}

/// Compiles the policy of this version, with grants of its roles.
///
/// # Errors
/// As [`runtime`].
pub fn compile_with(
    policy: &Policy,
    version: &str,
    keys: Vec<IssuerKeys>,
    grants: Vec<Grant>,
    now_ms: u64,
) -> Result<Arc<Runtime>, TrialError> {
    let bundle = Bundle {
        format: FORMAT,
        version: version.to_owned(),
        policy_version: version.to_owned(),
        issued_at_ms: now_ms,
        policy: policy.clone(),
        keys,
        tenant_key: BASE64.encode(TENANT),
        grants,
        revocations: Vec::new(),
        withheld: Vec::new(),
    };
    Ok(Arc::new(Runtime::new(bundle)?))
}
