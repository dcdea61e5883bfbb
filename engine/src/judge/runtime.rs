//! A bundle, compiled: what all exchanges of a VM share until the next one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::budget::Budgets;
use crate::mask::{MaskError, Masker};
use crate::policy::bundle::Bundle;
use crate::policy::compile::{CompileError, Compiled};
use crate::policy::document::{Limits, Masking, RecordMode};

/// A bundle, compiled. Immutable.
pub struct Runtime {
    /// [`Bundle::version`].
    pub version: String,
    /// [`Bundle::policy_version`].
    pub policy_version: String,
    /// [`Bundle::issued_at_ms`].
    pub issued_at_ms: u64,
    /// When exchanges are recorded.
    pub recording: RecordMode,
    /// Sizes, depths, ages.
    pub limits: Limits,
    /// Issuers, rights and rules.
    pub compiled: Compiled,
    /// Prices and budgets.
    pub budgets: Budgets,
    pub(super) masking: Masking,
    pub(super) masker: Masker,
}

/// Why a bundle cannot serve. The one before stays in force.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The policy does not compile; control checks it first, so this says that filter and control differ.
    #[error("the bundle's policy does not compile: {0}")]
    Policy(#[from] CompileError),
    /// The masking settings do not compile.
    #[error("the bundle's masking settings do not compile: {0}")]
    Masking(#[from] MaskError),
    /// Not 32 bytes in base64.
    #[error("the bundle's tenant key is not 32 bytes in base64")]
    TenantKey,
}

impl Runtime {
    /// Compiles a bundle.
    ///
    /// # Errors
    /// See [`RuntimeError`].
    pub fn new(bundle: Bundle) -> Result<Self, RuntimeError> {
        let key = BASE64.decode(&bundle.tenant_key).ok().filter(|key| key.len() == 32);
        let key = key.ok_or(RuntimeError::TenantKey)?;
        let masker = Masker::new(&bundle.policy.masking, &key)?;
        let compiled = Compiled::new(&bundle)?;
        let budgets = Budgets::new(&bundle.policy).map_err(|(field, why)| CompileError { field, why })?;
        Ok(Self {
            version: bundle.version,
            policy_version: bundle.policy_version,
            issued_at_ms: bundle.issued_at_ms,
            recording: bundle.policy.recording.mode,
            limits: bundle.policy.limits,
            compiled,
            budgets,
            masking: bundle.policy.masking,
            masker,
        })
    }

    /// Whether a text can stand in what reviewers are shown as it is: nothing in it is masked there.
    pub fn is_shown(&self, text: &str) -> bool {
        self.masker.is_shown(text)
    }

    /// Whether the bundle is older than policy allows.
    pub fn is_stale(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.issued_at_ms) > self.limits.bundle_age.as_millis()
    }
}
