//! The plugin configuration: the JSON that an EnvoyFilter or a bootstrap file gives the filter.

use serde::Deserialize;
use sluice_engine::policy::bundle::{BundleError, SignedBundle, verifying_key};

/// What the plugin is configured with. Unknown fields are errors.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Envoy's cluster of the control service.
    pub control_cluster: String,
    /// `:authority` of calls to it.
    #[serde(default = "default_authority")]
    pub control_authority: String,
    /// The data-plane token of the control service.
    pub control_token: String,
    /// Ed25519 public keys, base64, of which one must have signed a bundle.
    pub bundle_keys: Vec<String>,
    /// A bundle to start with, until control answers.
    #[serde(default)]
    pub bundle: Option<SignedBundle>,
    /// How many records wait for control at the most, in this VM. Default 10,000.
    #[serde(default = "default_queue")]
    pub queue_records: usize,
    /// How many bytes of records wait at the most, in this VM. Default 64 MiB.
    #[serde(default = "default_queue_bytes")]
    pub queue_bytes: usize,
    /// How long a client is kept waiting for an approval, in seconds, before it is told to ask again. Default
    /// 270: the least patient client gives up at 300.
    #[serde(default = "default_hold")]
    pub hold_seconds: u64,
}

fn default_authority() -> String {
    "sluice-control".into()
}

fn default_queue() -> usize {
    10_000
}

fn default_queue_bytes() -> usize {
    64 * 1024 * 1024
}

fn default_hold() -> u64 {
    270
}

/// Why the plugin does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not the JSON that is expected.
    #[error("the plugin configuration cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A key that is none.
    #[error("`bundleKeys` in the plugin configuration: {0}")]
    Key(#[from] BundleError),
    /// No key: no bundle could ever be trusted.
    #[error(
        "`bundleKeys` in the plugin configuration is empty; put in the key that `sluice keys show` prints"
    )]
    NoKey,
}

/// The configuration and its keys, read.
pub struct Settings {
    /// As written.
    pub config: Config,
    /// [`Config::bundle_keys`], read.
    pub keys: Vec<ed25519_dalek::VerifyingKey>,
}

impl Settings {
    /// Reads the plugin configuration.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(bytes: &[u8]) -> Result<Self, ConfigError> {
        let config: Config = serde_json::from_slice(bytes)?;
        let keys = config.bundle_keys.iter().map(|key| verifying_key(key)).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(ConfigError::NoKey);
        }
        Ok(Self { config, keys })
    }
}
